package artifacts

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A real file system that is full: a small tmpfs.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("NOT TESTED: that a full disk loses nothing. It needs a file system of its own, to mount which is not permitted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	store := openStore(t, dir)
	defer store.Close()
	content := strings.Repeat("x", 100_000)
	want := map[string]string{}
	var err error
	for i := 0; err == nil && i < 100; i++ {
		key := fmt.Sprintf("TAG/job-%d/file", i)
		if err = store.Put(t.Context(), key, strings.NewReader(content)); err == nil {
			want[key] = content
		}
	}
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "no space left on device") || !strings.Contains(err.Error(), "TAG/job-") {
		t.Fatalf("got %v, want one that says what and why", err)
	}
	if diff := cmp.Diff(want, stored(t, dir)); diff != "" {
		t.Errorf("files of a full disk (-want +got):\n%s", diff)
	}
	if err := os.Remove(filepath.Join(dir, "TAG/job-0/file")); err != nil {
		t.Fatal(err)
	}
	if err := store.Put(t.Context(), "TAG/again", strings.NewReader(content)); err != nil {
		t.Errorf("after space was freed: %v", err)
	}
}
