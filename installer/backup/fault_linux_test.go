package backup

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The victims of these tests are processes of this test binary, told by their
// environment what to do.
const (
	victimEnv  = "BACKUP_TEST_VICTIM" // backup or restore
	prefixEnv  = "BACKUP_TEST_PREFIX"
	archiveEnv = "BACKUP_TEST_FILE"
)

// TestVictim backs up or restores, again and again, until it is killed.
func TestVictim(t *testing.T) {
	what := os.Getenv(victimEnv)
	if what == "" {
		t.Skip("no test of its own")
	}
	prefix, file := os.Getenv(prefixEnv), os.Getenv(archiveEnv)
	fmt.Fprintln(os.Stderr, "ready")
	for {
		switch what {
		case "backup":
			o := options(prefix)
			o.Replace = true
			if _, err := Backup(context.Background(), file, o); err != nil {
				t.Fatal(err)
			}
		case "restore":
			raw, err := os.ReadFile(file)
			must(t, err)
			o := restoreOptions(prefix)
			o.Force = true
			if _, err := restore(t, raw, o); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// kill starts a victim, and kills it.
func kill(t *testing.T, what, prefix, file string, after time.Duration) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestVictim$")
	cmd.Env = append(os.Environ(), victimEnv+"="+what, prefixEnv+"="+prefix, archiveEnv+"="+file)
	errs, err := cmd.StderrPipe()
	must(t, err)
	must(t, cmd.Start())
	if line, err := bufio.NewReader(errs).ReadString('\n'); err != nil || line != "ready\n" {
		t.Errorf("the victim says %q, %v", line, err)
	}
	select {
	case <-time.After(after):
	case <-t.Context().Done():
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait() // killed
}

// mediumPrefix is large enough for a backup to take a while.
func mediumPrefix(t testing.TB) string {
	t.Helper()
	prefix := smallPrefix(t)
	for i := range 50 {
		write(t, filepath.Join(prefix, "jenkins/jobs", fmt.Sprint(i), "log"), strings.Repeat(fmt.Sprint(i), 50_000), 0o644)
	}
	return prefix
}

func TestKilledWhileBackingUp(t *testing.T) {
	t.Parallel()
	prefix := mediumPrefix(t)
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	there := 0
	for range 10 {
		dir := t.TempDir()
		file := filepath.Join(dir, "backup.tar.gz")
		kill(t, "backup", prefix, file, time.Duration(random.IntN(300))*time.Millisecond)
		names := filesIn(t, dir)
		names = slices.DeleteFunc(names, func(name string) bool { return name == ".backup.tar.gz.part" }) // whole, and the next one takes it away
		if len(names) == 0 {
			continue
		}
		there++
		if !slices.Equal(names, []string{"backup.tar.gz"}) {
			t.Errorf("left behind: %q", names)
		}
		raw, err := os.ReadFile(file)
		must(t, err)
		if _, err := restore(t, raw, restoreOptions(t.TempDir())); err != nil {
			t.Error(err)
		}
	}
	t.Logf("a backup was there %d times", there)
}

// TestKilledWhileRestoring kills restores. Before the end everything is as it
// was, and the next restore puts all right.
func TestKilledWhileRestoring(t *testing.T) {
	t.Parallel()
	source := mediumPrefix(t)
	raw, _ := backUp(t, source)
	file := filepath.Join(t.TempDir(), "b")
	must(t, os.WriteFile(file, raw, 0o600))
	want := tree(t, source, "jenkins", "minio", "secrets.yaml")
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for range 10 {
		prefix := t.TempDir()
		write(t, filepath.Join(prefix, "minio/old"), "old", 0o644)
		kill(t, "restore", prefix, file, time.Duration(random.IntN(200))*time.Millisecond)
		kept := 0
		for _, name := range filesIn(t, prefix) {
			if strings.HasSuffix(name, "minio/old") {
				kept++
			}
		}
		if kept != 1 {
			t.Errorf("what was there before is there %d times: %q", kept, filesIn(t, prefix))
		}
		o := restoreOptions(prefix)
		o.Force = true
		if _, err := restore(t, raw, o); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, tree(t, prefix, "jenkins", "minio", "secrets.yaml")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if stale, _ := filepath.Glob(filepath.Join(prefix, staging+"*")); len(stale) > 0 {
			t.Errorf("left behind: %q", stale)
		}
	}
}

// smallDisk is a disk of that many bytes.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("NOT TESTED ON A FULL DISK: a small one cannot be mounted here (that takes root): %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(disk, 0)) })
	return disk
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	source := t.TempDir()
	noise := make([]byte, 3<<20)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	must(t, os.MkdirAll(filepath.Join(source, "minio"), 0o755))
	must(t, os.WriteFile(filepath.Join(source, "minio/a"), noise, 0o600))
	disk := smallDisk(t, "1m")
	if _, err := Backup(t.Context(), filepath.Join(disk, "b"), options(source)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("backup: %v", err)
	}
	wantOnly(t, disk)

	raw, _ := backUp(t, source)
	write(t, filepath.Join(disk, "minio/old"), "old", 0o644)
	o := restoreOptions(disk)
	o.Force = true
	if _, err := restore(t, raw, o); err == nil || !strings.Contains(err.Error(), "has room for") {
		t.Errorf("restore: %v", err)
	}
	all := members(t, raw)
	all[0].content = []byte(`{"format":1}`) // it does not say how much it needs
	if _, err := restore(t, pack(t, all), o); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("restore: %v", err)
	} else if _, ok := errors.AsType[*BadBackupError](err); ok {
		t.Errorf("the backup is blamed for it: %v", err)
	}
	if got := filesIn(t, disk); !slices.Equal(got, []string{"minio/old"}) {
		t.Errorf("left behind: %q", got)
	}
}

// TestAPrefixThatIsADisk restores to the mount point itself, which cannot be
// renamed.
func TestAPrefixThatIsADisk(t *testing.T) {
	t.Parallel()
	source := mediumPrefix(t)
	raw, _ := backUp(t, source)
	disk := smallDisk(t, "30m")
	for range 2 {
		o := restoreOptions(disk)
		o.Force = true
		_, err := restore(t, raw, o)
		must(t, err)
		if diff := cmp.Diff(tree(t, source, "jenkins"), tree(t, disk, "jenkins")); diff != "" {
			t.Error(diff)
		}
	}

	prefix := t.TempDir()
	must(t, os.Mkdir(filepath.Join(prefix, "minio"), 0o755))
	must(t, syscall.Mount("tmpfs", filepath.Join(prefix, "minio"), "tmpfs", 0, "size=1m"))
	defer func() { must(t, syscall.Unmount(filepath.Join(prefix, "minio"), 0)) }()
	o := restoreOptions(prefix)
	o.Force = true
	if _, err := restore(t, raw, o); err == nil || !strings.Contains(err.Error(), "a disk of its own") {
		t.Errorf("got %v", err)
	}
}

// TestOwners restores files of other users.
func TestOwners(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: only root can make files of other users")
	}
	prefix := smallPrefix(t)
	must(t, os.Lchown(filepath.Join(prefix, "minio/a"), 1000, 1000))
	raw, _ := backUp(t, prefix)
	all := members(t, raw)
	if i := slices.IndexFunc(all, func(m member) bool { return m.header.Name == "data/minio/a" }); all[i].header.Uid != 1000 {
		t.Errorf("%+v", all[i].header)
	}
	into := t.TempDir()
	_, err := Restore(t.Context(), bytes.NewReader(raw), int64(len(raw)), restoreOptions(into))
	must(t, err)
	info, err := os.Lstat(filepath.Join(into, "minio/a"))
	must(t, err)
	if stat := info.Sys().(*syscall.Stat_t); stat.Uid != 1000 || stat.Gid != 1000 {
		t.Errorf("%d:%d", stat.Uid, stat.Gid)
	}
}
