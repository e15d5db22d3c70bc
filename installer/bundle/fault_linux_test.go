package bundle

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/empty"
)

const victimEnv = "BUNDLE_TEST_VICTIM_FILE"

// TestVictim saves again and again when TestKilledWhileSaving starts it.
func TestVictim(t *testing.T) {
	file := os.Getenv(victimEnv)
	if file == "" {
		t.Skip("no test of its own")
	}
	engine, _, items := sample(t)
	fmt.Fprintln(os.Stderr, "ready")
	for {
		if _, err := Save(t.Context(), engine, file, SaveOptions{Items: items}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKilledWhileSaving kills a process that saves, with SIGKILL. Whatever is
// there then is a whole bundle, and nothing else is.
func TestKilledWhileSaving(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	there := 0
	for range 15 {
		dir := t.TempDir()
		file := filepath.Join(dir, "bundle.tar")
		kill(t, file, time.Duration(random.IntN(300))*time.Millisecond)
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		names = slices.DeleteFunc(names, func(name string) bool { return name == ".bundle.tar.part" }) // whole, and the next Save takes it away
		if len(names) == 0 {
			continue
		}
		there++
		if !slices.Equal(names, []string{"bundle.tar"}) {
			t.Errorf("left behind: %v", names)
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := load(t.Context(), newStandIn(), raw); err != nil {
			t.Error(err)
		}
	}
	t.Logf("a bundle was there %d times", there)
}

// kill starts a process that saves, and kills it.
func kill(t *testing.T, file string, after time.Duration) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestVictim$")
	cmd.Env = append(os.Environ(), victimEnv+"="+file)
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(errs).ReadString('\n'); err != nil || line != "ready\n" {
		t.Errorf("the victim says %q, %v", line, err)
	}
	select {
	case <-time.After(after):
	case <-t.Context().Done():
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // killed
}

// TestFullDisk fills a small disk for real.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("NOT TESTED ON A FULL DISK: a small one cannot be mounted here (that takes root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	engine := newStandIn()
	engine.add(t, randomImage(t, empty.Image, 2<<20), "a:1")
	file := filepath.Join(disk, "bundle.tar")
	_, err := Save(t.Context(), engine, file, SaveOptions{Items: []Item{{Ref: "a:1"}}})
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	wantNothing(t, disk)
	if err := os.WriteFile(file, make([]byte, 900<<10), 0o600); err != nil { // and the room is there again
		t.Error(err)
	}
}

// TestMemoryIsBounded saves and loads an image that is far larger than what
// may be held.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	engine := newStandIn()
	id := engine.add(t, randomImage(t, empty.Image, 1000), "a:1")
	// the engine writes a member of 1 GB that no image uses before the image
	engine.save = func(w io.Writer) error {
		header, err := tarHeader("large", 0o644, 1<<30)
		if err != nil {
			return err
		}
		zeros := make([]byte, 1<<20)
		if _, err := w.Write(header); err != nil {
			return err
		}
		for range 1 << 10 {
			if _, err := w.Write(zeros); err != nil {
				return err
			}
		}
		plain := &standInEngine{images: engine.images}
		return plain.Save(context.Background(), w, id)
	}
	before := peak(t)
	file := filepath.Join(t.TempDir(), "bundle.tar")
	if _, err := Save(t.Context(), engine, file, SaveOptions{Items: []Item{{Ref: "a:1"}}}); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(t.Context(), newStandIn(), f, info.Size(), LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	if grown := peak(t) - before; grown > 200<<20 {
		t.Errorf("memory grew by %d MiB", grown>>20)
	}
}

// peak is the most memory that this process had.
func peak(t *testing.T) int64 {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return usage.Maxrss << 10
}
