package main

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anuket-project/xtci/internal/docker/dockertest"
)

func TestBackupOfAStackThatRuns(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.run(0, "up")
	pods, _ := h.run(0, "testdb", "export", "--collection", "pods")
	file := filepath.Join(t.TempDir(), "backup.tar.gz")
	h.run(0, "backup", file)
	if _, errs := h.run(2, "restore", file, "--force"); !strings.Contains(errs, "the stack is running (files, minio, testdb)") {
		t.Errorf("restore under a stack that runs: %s", errs)
	}
	h.run(0, "down")
	if _, errs := h.run(2, "restore", file); !strings.Contains(errs, "--force moves it aside") {
		t.Errorf("restore over data: %s", errs)
	}
	h.run(0, "down", "--purge", "--yes")
	h.run(0, "restore", file)
	h.run(0, "up")
	if restored, _ := h.run(0, "testdb", "export", "--collection", "pods"); restored != pods || !strings.Contains(pods, "functest-kubernetes") {
		t.Errorf("pods were %s, and are %s", pods, restored)
	}
	h.run(0, "status")
	h.run(0, "down")
	out, _ := h.run(0, "restore", file, "--force", "-o", "json")
	var summary struct{ Before string }
	if err := json.Unmarshal([]byte(out), &summary); err != nil || summary.Before == "" {
		t.Errorf("%v: %s", err, out)
	}
	if err := os.RemoveAll(summary.Before); err != nil {
		t.Error(err)
	}
	h.run(0, "down", "--purge", "--yes")
}

func TestBundleThereAndBack(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	engine := dockertest.Connect(t)
	name := dockertest.Name(t)
	id := dockertest.Image(t, engine, name+":v1", dockertest.Rootfs{Contents: map[string]string{"/greeting": name}})
	dir := t.TempDir()
	site := filepath.Join(dir, "site.yaml")
	content := fmt.Sprintf("suites:\n  - {container: %s, repo: _, docker_tags: [v1], tests: [k8s_quick]}\n", name)
	if err := os.WriteFile(site, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "bundle.tar")
	if _, errs := h.run(3, "bundle", "save", file, "--config", site, "--image", name+":absent"); !strings.Contains(errs, "image "+name+":absent is not here") || !strings.Contains(errs, "--pull") {
		t.Errorf("an image that is not there: %s", errs)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it was written: %v", err)
	}
	if out, _ := h.run(0, "bundle", "save", file, "--config", site); !strings.Contains(out, "2 images and xtci") {
		t.Errorf("save: %s", out)
	}
	if err := engine.RemoveImage(t.Context(), name+":v1"); err != nil {
		t.Fatal(err)
	}
	out, _ := h.run(0, "bundle", "load", file, "-o", "json")
	var loaded struct {
		Images []struct {
			Name, ID string
			Present  bool
		}
	}
	if err := json.Unmarshal([]byte(out), &loaded); err != nil || len(loaded.Images) != 2 || loaded.Images[1].Name != name+":v1" || loaded.Images[1].Present || !loaded.Images[0].Present {
		t.Errorf("load: %v: %s", err, out)
	}
	if image, err := engine.Image(t.Context(), name+":v1"); err != nil || image.ID != id {
		t.Errorf("%s is %s, %v; want %s", name, image.ID, err, id)
	}
	h.run(0, "up", "--offline", "--config", site)
	h.run(0, "down", "--purge", "--yes")

	checkBinary(t, file, h.binary)
	if err := os.Truncate(file, 1<<20); err != nil {
		t.Fatal(err)
	}
	if _, errs := h.run(2, "bundle", "load", file); !strings.Contains(errs, `the bundle cannot be used: it is cut off in member "xtci"`) {
		t.Errorf("load of half a bundle: %s", errs)
	}
	h.run(2, "bundle", "load", filepath.Join(dir, "nothing"))
	h.run(2, "bundle", "load", dir)
}

// checkBinary wants xtci itself in a bundle.
func checkBinary(t *testing.T, file, binary string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	in := tar.NewReader(f)
	for {
		header, err := in.Next()
		if err != nil {
			t.Fatalf("xtci is not in the bundle: %v", err)
		}
		if header.Name != "xtci" {
			continue
		}
		got, err := io.ReadAll(in)
		if err != nil || string(got) != string(want) || header.Mode != 0o755 {
			t.Errorf("xtci has %d bytes, mode %o, %v; want %d", len(got), header.Mode, err, len(want))
		}
		return
	}
}
