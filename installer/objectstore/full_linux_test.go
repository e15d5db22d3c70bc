package objectstore

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/anuket-project/xtci/internal/miniotest"
)

// TestFull is a store whose disk is full.
func TestFull(t *testing.T) { //nolint:paralleltest // it changes where temporary folders are
	folder := t.TempDir()
	if err := syscall.Mount("xtci-test", folder, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("NOT TESTED with a full disk: a tmpfs cannot be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, 0); err != nil {
			t.Errorf("unmount %s: %v", folder, err)
		}
	})
	t.Run("full", func(t *testing.T) { // its folders are gone before the unmounting
		t.Setenv("TMPDIR", folder)
		o := optionsFor(miniotest.Start(t))
		_, err := Provision(t.Context(), o)
		must(t, err)
		fill(t, filepath.Join(folder, "filler"))
		err = VerifyExternal(t.Context(), External{o.Endpoint, o.JobsAccessKey, o.JobsSecretKey, o.Bucket})
		if err == nil || !isPermanent(err) || !strings.Contains(err.Error(), "make room") {
			t.Errorf("%v: want a permanent error that its disk is full", err)
		}
		o.Bucket = "another"
		if _, err = Provision(t.Context(), o); err == nil || !strings.Contains(err.Error(), o.Endpoint) {
			t.Errorf("%v: want an error that names the store", err)
		}
		t.Log(err)
	})
}

// fill takes all room that is left.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	must(t, err)
	defer f.Close()
	var fs syscall.Statfs_t
	must(t, syscall.Statfs(filepath.Dir(name), &fs))
	// Reserved, not written: it costs memory all the same, for a moment.
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, int64(fs.Bavail)*fs.Bsize); err != nil {
		t.Fatal(err)
	}
}
