package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func openStore(t *testing.T, dir string) *DirStore {
	t.Helper()
	store, err := OpenDirStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// stored are all files below a folder, and what they hold.
func stored(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		short, _ := filepath.Rel(dir, name)
		files[short] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestStoredFilesAreWholeOrNotThere(t *testing.T) {
	t.Parallel()
	bad := errors.New("bad block")
	for _, test := range []struct {
		name    string
		content io.Reader
		want    error
	}{
		{"a reader that fails at once", iotest.ErrReader(bad), bad},
		{"a reader that fails in the middle", io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20)), iotest.ErrReader(bad)), bad},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			store := openStore(t, dir)
			if err := store.Put(t.Context(), "TAG/kept", strings.NewReader("old")); err != nil {
				t.Fatal(err)
			}
			for _, key := range []string{"TAG/kept", "TAG/job-1/new"} {
				if err := store.Put(t.Context(), key, test.content); !errors.Is(err, test.want) || !strings.Contains(err.Error(), key) {
					t.Errorf("%s: got %v, want an error that names it and wraps its cause", key, err)
				}
			}
			if diff := cmp.Diff(map[string]string{"TAG/kept": "old"}, stored(t, dir)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if _, err := os.Stat(filepath.Join(dir, "TAG", "job-1")); err == nil {
				t.Error("an empty folder is left: it would count as a run")
			}
		})
	}
}

func TestStoringStopsWhenInterrupted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := openStore(t, dir)
	ctx, interrupt := context.WithCancelCause(t.Context())
	cause := errors.New("interrupt signal received")
	endless := readFunc(func(p []byte) (int, error) {
		interrupt(cause)
		return len(p), nil
	})
	if err := store.Put(ctx, "TAG/endless", endless); !errors.Is(err, cause) {
		t.Errorf("got %v, want the cause", err)
	}
	if left := stored(t, dir); len(left) > 0 {
		t.Errorf("left %d files", len(left))
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

func TestKeys(t *testing.T) {
	t.Parallel()
	for key, good := range map[string]bool{
		"a": true, "TAG/job-1/sub/größe 1.txt": true, "TAG/.hidden": true, "a...b/c..": true,
		"": false, ".": false, "..": false, "../a": false, "a/../b": false, "a/./b": false, "a//b": false, "a/": false, "/etc/passwd": false,
		`a\b`: false, "C:/a": false, "a\x00b": false, "a\nb": false, "a\u202eb": false, "a\xff": false, ".part-x": false, "TAG/.part-x": false,
		strings.Repeat("a", 2000): false,
	} {
		t.Run(fmt.Sprintf("%.20q", key), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			err := openStore(t, filepath.Join(dir, "store")).Put(t.Context(), key, strings.NewReader("x"))
			if good != (err == nil) {
				t.Errorf("got %v, want that it is good: %v", err, good)
			}
			if err != nil && (!errors.Is(err, fs.ErrInvalid) || strings.ContainsAny(err.Error(), "\x00\n\u202e")) {
				t.Errorf("error %q", err)
			}
			if left := stored(t, dir); (len(left) == 1) != good {
				t.Errorf("left %v", left)
			}
		})
	}
}

func TestLinksOutOfTheStoreAreNotFollowed(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	dir := t.TempDir()
	store := openStore(t, dir)
	if err := os.Symlink(outside, filepath.Join(dir, "TAG")); err != nil {
		t.Fatal(err)
	}
	if err := store.Put(t.Context(), "TAG/job-1/file", strings.NewReader("x")); err == nil {
		t.Error("stored through a link")
	}
	if left := stored(t, outside); len(left) > 0 {
		t.Errorf("outside of the store: %v", left)
	}
}

func TestStoringAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := openStore(t, dir)
	want := map[string]string{}
	var group sync.WaitGroup
	for i := range 20 {
		own, content := fmt.Sprintf("TAG/job-%d/deep/file", i), strings.Repeat(fmt.Sprint(i%10), 100_000)
		want[own] = content
		group.Go(func() {
			for _, key := range []string{own, "TAG/shared"} {
				if err := store.Put(t.Context(), key, strings.NewReader(content)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	got := stored(t, dir)
	shared := got["TAG/shared"]
	if len(shared) != 100_000 || strings.Trim(shared, shared[:1]) != "" {
		t.Error("a file that several wrote is that of none")
	}
	delete(got, "TAG/shared")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestAStoreThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDirStore(filepath.Join(file, "artifacts")); err == nil || !strings.Contains(err.Error(), "--set stack.prefix=FOLDER") {
		t.Errorf("got %v, want advice", err)
	}
}
