package runner

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/anuket-project/xtci/testcases"
)

// One file that cannot be kept must not take the others with it, and none is
// removed from where it lies before all are kept.
func TestWhatCanBeKeptIsKept(t *testing.T) {
	t.Parallel()
	for _, why := range []error{nil, errors.New("the test DB does not answer")} {
		b := newBench(t, planOf("a"))
		b.files.fail = func(key string) error {
			if strings.Contains(key, "\n") {
				return fmt.Errorf("%w: no such key", fs.ErrInvalid)
			}
			return nil
		}
		result := pushed("a", testcases.CriteriaPass)
		result.Files = append([]File{
			content("a\nb", "odd"),
			{Name: "broken", Open: func() (io.ReadCloser, error) { return nil, errors.New("bad\nblock") }},
		}, result.Files...)
		released := false
		result.Release = func() error { released = true; return nil }
		b.executor.cases["a"] = leave(result, why)
		if summary, err := Run(t.Context(), b.Options); err != nil || summary.NotRun != 1 {
			t.Fatalf("got %+v, %v", summary, err)
		}
		folder := tag + "/job-a-1/"
		if b.files.held[folder+"functest-kubernetes.log"] != "log of a" || b.files.held[folder+"a/result.txt"] != "result of a" {
			t.Errorf("kept: %v", b.files.held)
		}
		if names := b.files.held[folder+testcases.LeftOutFile]; strings.Count(names, "\n") != 2 || !strings.Contains(names, `"a\nb"`) || !strings.Contains(names, `bad\nblock`) {
			t.Errorf("what could not be kept is named so: %q", names)
		}
		if released {
			t.Error("what could not be kept was removed")
		}
		if detail := b.onDisk(t).Jobs["job-a"].Detail; !strings.Contains(detail, `its file "a\nb"`) || why != nil && !strings.Contains(detail, why.Error()) {
			t.Errorf("detail: %s", detail)
		}
	}
}

// What a container leaves can be anything. Nothing outside of its folder is
// taken, nothing waits for ever, and nothing stands for what xtci says.
func TestHostileFolders(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	outside := filepath.Join(t.TempDir(), "secret")
	at := func(name string) string { return filepath.Join(folder, filepath.FromSlash(name)) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(outside, []byte("secret"), 0o600))
	must(os.Symlink(outside, at("link")))
	must(os.Symlink(filepath.Dir(outside), at("folder")))
	must(syscall.Mkfifo(at("pipe"), 0o600))
	must(os.WriteFile(at("setuid"), []byte("x"), 0o700))
	must(os.Chmod(at("setuid"), 0o700|fs.ModeSetuid))
	must(os.WriteFile(at("huge"), nil, 0o600))
	must(os.Truncate(at("huge"), maxLeftFile+1))
	must(os.WriteFile(at(testcases.ConsoleFile), []byte("all is well"), 0o600))
	must(os.MkdirAll(at(testcases.RunFile), 0o700))
	must(os.WriteFile(at(testcases.RunFile+"/deep"), []byte("x"), 0o600))
	must(os.MkdirAll(at("k8s_quick"), 0o700))
	must(os.WriteFile(at("k8s_quick/e2e.log"), []byte("evidence"), 0o600))
	must(os.WriteFile(at("k8s_quick/"+testcases.RunFile), []byte("its own"), 0o600))
	files, err := leftFiles(folder)
	must(err)
	var taken, refused []string
	for _, file := range files {
		content, err := file.Open()
		if err != nil {
			refused = append(refused, file.Name)
			continue
		}
		taken = append(taken, file.Name)
		must(content.Close())
	}
	if want := []string{"k8s_quick/e2e.log", "k8s_quick/" + testcases.RunFile, "setuid"}; !slices.Equal(taken, want) {
		t.Errorf("taken: %q", taken)
	}
	if want := []string{"huge", testcases.ConsoleFile, testcases.RunFile + "/deep"}; !slices.Equal(refused, want) {
		t.Errorf("refused: %q", refused)
	}
}
