package docker_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/anuket-project/xtci/internal/docker"
)

// asNobody tells this test that it is its own other half.
const asNobody = "XTCI_TEST_SOCKET"

func TestSocketWithoutPermission(t *testing.T) {
	t.Parallel()
	if path := os.Getenv(asNobody); path != "" {
		_, err := docker.Connect(t.Context(), docker.Options{Host: "unix://" + path, Environ: []string{}})
		wantIs(t, err, docker.ErrPermission, path, "usermod -aG docker", "or run this as root")
		return
	}
	folder, err := os.MkdirTemp("", "engine")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	path := filepath.Join(folder, "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	// open to look into, but for the socket
	for name, mode := range map[string]os.FileMode{folder: 0o755, path: 0} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(folder, "self")
	copyProgram(t, program)
	command := exec.CommandContext(t.Context(), program, "-test.run=^TestSocketWithoutPermission$")
	command.Env, command.Dir = []string{asNobody + "=" + path}, folder
	if os.Getuid() == 0 { // whom no mode stops
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// copyProgram copies this program to where others may run it.
func copyProgram(t *testing.T, to string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755) //nolint:gosec // to be run by others
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
