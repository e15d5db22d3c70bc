package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestAFileIsThereWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	for _, named := range []bool{false, true} {
		dir := t.TempDir()
		path := filepath.Join(dir, "file")
		begin := func(content string) *File {
			t.Helper()
			f, err := Create(path, 0o640)
			if err != nil {
				t.Fatal(err)
			}
			if named { // as where the file system has no files without names
				f.temporary = filepath.Join(dir, ".file.part-1")
				other, err := os.Create(f.temporary)
				if err != nil {
					t.Fatal(err)
				}
				f.File = other
				if err := f.Chmod(0o640); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := f.WriteString(content); err != nil {
				t.Fatal(err)
			}
			return f
		}
		holds := func(want string) {
			t.Helper()
			got, err := os.ReadFile(path)
			if want == "" && !errors.Is(err, fs.ErrNotExist) || want != "" && string(got) != want {
				t.Errorf("named %v: got %q, %v, want %q", named, got, err, want)
			}
			entries, err := os.ReadDir(dir)
			if n := len(entries); err != nil || n > 1 || n == 1 && want == "" {
				t.Errorf("named %v: left behind: %v, %v", named, entries, err)
			}
		}
		f := begin("dropped")
		if err := errors.Join(f.Close(), f.Close()); err != nil {
			t.Error(err)
		}
		holds("")

		f = begin("first")
		if err := errors.Join(f.CommitNew(), f.Close()); err != nil {
			t.Error(err)
		}
		holds("first")
		info, err := os.Stat(path)
		if err != nil || info.Mode() != 0o640 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}

		f = begin("second")
		if err := f.CommitNew(); !errors.Is(err, fs.ErrExist) {
			t.Errorf("got %v", err)
		}
		f.Close()
		holds("first")

		if !named { // one that was killed left this
			if err := os.WriteFile(filepath.Join(dir, ".file.part"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		f = begin("third")
		if err := errors.Join(f.Commit(), f.Close()); err != nil {
			t.Error(err)
		}
		holds("third")
	}
}

func TestAFolderThatIsNotThere(t *testing.T) {
	t.Parallel()
	if _, err := Create(filepath.Join(t.TempDir(), "no", "file"), 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
