package recording

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func open(t *testing.T, files map[string]string) (string, FS) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	opened, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { opened.Close() })
	return dir, opened
}

func TestPackedFilesAppearUnpacked(t *testing.T) {
	t.Parallel()
	_, files := open(t, map[string]string{
		"case/e2e.log.gz":      packed(t, "log"),
		"case/plain.txt":       "plain",
		"case/both":            "new",
		"case/both.gz":         packed(t, "old"),
		"case/a-b":             "sorts between a.gz and what it shows",
		"case/a.gz":            packed(t, "a"),
		"case/sub/deep.xml.gz": packed(t, "") + packed(t, "two members"),
		"case/folder.gz/x":     "in a folder",
		"case/.gz":             "no name to stand for",
	})
	want := map[string]string{
		"case/e2e.log": "log", "case/plain.txt": "plain", "case/both": "new", "case/a-b": "sorts between a.gz and what it shows", "case/a": "a",
		"case/sub/deep.xml": "two members", "case/folder.gz/x": "in a folder", "case/.gz": "no name to stand for",
	}
	if diff := cmp.Diff(want, all(t, files, "")); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	sub, err := fs.Sub(files, "case")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, all(t, sub, "case/")); diff != "" {
		t.Errorf("files of the folder (-want +got):\n%s", diff)
	}
}

// all walks the files and reads each, by the names that it is told.
func all(t *testing.T, files fs.FS, prefix string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		found[prefix+name] = string(content)
		entryInfo, err := entry.Info()
		if err != nil {
			return err
		}
		info, err := fs.Stat(files, name)
		if err != nil {
			return err
		}
		if entryInfo.Name() != entry.Name() || info.Name() != entry.Name() || info.Size() != entryInfo.Size() || !info.Mode().IsRegular() {
			t.Errorf("%s: entry %s, info of it %s, stat %s", name, entry.Name(), fs.FormatFileInfo(entryInfo), fs.FormatFileInfo(info))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestDamagedFilesAreNamed(t *testing.T) {
	t.Parallel()
	good := packed(t, strings.Repeat("some text that is packed ", 1000))
	for _, test := range []struct{ name, content, want string }{
		{"not packed at all", "plain text", "gzip: invalid header"},
		{"empty", "", "EOF"},
		{"cut off", good[:len(good)/2], "unexpected EOF"},
		{"a wrong checksum", good[:len(good)-8] + "\x00\x00\x00\x00" + good[len(good)-4:], "gzip: invalid checksum"},
		{"followed by garbage", good + "garbage that follows", "gzip: invalid header"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, files := open(t, map[string]string{"case/e2e.log.gz": test.content})
			_, err := fs.ReadFile(files, "case/e2e.log")
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "e2e.log.gz") {
				t.Errorf("got %v, want an error that names e2e.log.gz and says %q", err, test.want)
			}
		})
	}
}

func TestWhatIsNotThere(t *testing.T) {
	t.Parallel()
	dir, files := open(t, map[string]string{"case/x": ""})
	for _, name := range []string{"case/y", "other", "other/x"} {
		if _, err := files.Open(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"../x", "/etc/passwd", "case/../case/x", ""} {
		if _, err := files.Open(name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(filepath.Join(dir, "nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a recording that is not there: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "case", "x")); err == nil {
		t.Error("a file is no recording")
	}
}

func TestLinksThatLeadOutAreNotFollowed(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(t.TempDir(), "secret.gz")
	if err := os.WriteFile(outside, []byte(packed(t, "secret")), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, files := open(t, map[string]string{"case/x": "inside"})
	for link, target := range map[string]string{
		"case/absolute": outside, "case/packed.gz": outside, "case/up": "../../..", "case/in": "x",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"case/absolute", "case/packed", "case/packed.gz", "case/up"} {
		if content, err := fs.ReadFile(files, name); err == nil {
			t.Errorf("%s was followed: %q", name, content)
		}
	}
	if content, err := fs.ReadFile(files, "case/in"); err != nil || string(content) != "inside" {
		t.Errorf("a link that stays inside: %q, %v", content, err)
	}
}
