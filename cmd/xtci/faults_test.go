package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/docker/dockertest"
)

// An otherHost is a host whose programs run as somebody else, or on another
// network.
type otherHost struct {
	*host
	program func(ctx context.Context, program string, args ...string) *exec.Cmd
}

// run wants an exit code, and returns what was printed.
func (e *otherHost) run(code int, args ...string) (out, errs string) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), 3*time.Minute)
	defer cancel()
	cmd := e.program(ctx, e.binary, args...)
	var stdout, stderr bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = e.environ, &stdout, &stderr
	if cmd.Dir == "" {
		cmd.Dir = e.t.TempDir()
	}
	err := cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != code {
		e.t.Fatalf("xtci %s exits %d, want %d (%v)\n%s%s", strings.Join(args, " "), got, code, err, &stdout, &stderr)
	}
	return stdout.String(), stderr.String()
}

// onOwnEngine is a host whose stack is on an engine of its own.
func onOwnEngine(t *testing.T, o dockertest.EngineOptions) (*otherHost, *dockertest.OwnEngine) {
	t.Helper()
	h := newHost(t)
	engine := dockertest.StartEngine(t, o)
	h.environ = append(h.environ, "DOCKER_HOST="+engine.Host())
	return &otherHost{h, engine.Command}, engine
}

func TestTheDaemonIsRestarted(t *testing.T) {
	t.Parallel()
	h, engine := onOwnEngine(t, dockertest.EngineOptions{})
	shared := dockertest.Connect(t)
	engine.Take(shared, dockertest.MinioImage(t, shared))
	h.run(0, "up")

	// containers come back as their restart policy says
	engine.Restart()
	dockertest.Until(t, time.Minute, "the stack comes back", func(ctx context.Context) error {
		cmd := h.program(ctx, h.binary, "status")
		cmd.Env = h.environ
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	if out, _ := h.run(0, "up"); !strings.HasPrefix(out, "nothing to do") {
		t.Errorf("up, after the daemon was restarted: %s", out)
	}

	// a daemon that died comes back without them (Docker 20.10)
	engine.Kill()
	if _, errs := h.run(3, "up"); !strings.Contains(errs, "sudo systemctl start docker") {
		t.Errorf("up, without a daemon: %s", errs)
	}
	engine.Start()
	h.run(0, "up")
	h.run(0, "status")

	// it goes away while up waits
	h.run(0, "down")
	cmd := h.program(t.Context(), h.binary, "up")
	stopped := make(chan struct{})
	errs := &lines{has: "minio: starting", then: func() {
		go func() {
			defer close(stopped)
			engine.Stop() // one that is killed can leave a proxy behind, which holds a port
		}()
	}}
	cmd.Env, cmd.Stderr = h.environ, errs
	err := cmd.Run()
	<-stopped
	said := errs.text.String() // a daemon that stops ends its containers first
	if cmd.ProcessState.ExitCode() != exitOutside || !strings.Contains(said, "Docker went away on the way up") && !strings.Contains(said, "died at its start") {
		t.Errorf("up, whose daemon goes away: %v: %s", err, said)
	}
	engine.Start()
	h.run(0, "up")
	h.run(0, "status")
	h.run(0, "down", "--purge", "--yes")
}

// Lines is an output that is watched.
type lines struct {
	text bytes.Buffer
	has  string
	then func() // is called once the output has that
}

func (l *lines) Write(p []byte) (int, error) {
	n, err := l.text.Write(p)
	if l.then != nil && strings.Contains(l.text.String(), l.has) {
		l.then()
		l.then = nil
	}
	return n, err
}

func TestDockersDiskIsFull(t *testing.T) {
	t.Parallel()
	const disk = 500 << 20
	h, engine := onOwnEngine(t, dockertest.EngineOptions{Disk: disk})
	full := func(says string) {
		t.Helper()
		empty := engine.Fill(1 << 20)
		_, errs := h.run(3, "up")
		for _, say := range []string{says, "no space left on device", "what to do: make room on the disk of Docker"} {
			if !strings.Contains(errs, say) {
				t.Errorf("up, on a full disk, does not say %q: %s", say, errs)
			}
		}
		empty()
		h.run(0, "up")
		h.run(0, "status")
	}
	minio := "XTCI_STACK_MINIO_ENABLED="
	h.environ = append(h.environ, "XTCI_STACK_FILES_ENABLED=false", minio+"false")
	full("testdb: make xtci's own image")
	h.environ = append(h.environ, minio+"true", "XTCI_STACK_MINIO_IMAGE="+pushMinio(t, engine))
	full("minio: pull image")
	h.run(0, "down", "--purge", "--yes")
}

// pushMinio pushes an image of MinIO to a registry on an engine of its own,
// which has it no more then.
func pushMinio(t *testing.T, on *dockertest.OwnEngine) (ref string) {
	t.Helper()
	shared, engine, ctx := dockertest.Connect(t), on.Connect(), t.Context()
	const port = 5000
	registry := docker.Container{
		Name: "registry", Image: dockertest.RegistryImage(t, shared), Env: []string{"OTEL_TRACES_EXPORTER=none"},
		Ports: []docker.Port{{HostIP: "127.0.0.1", Host: port, Container: port}},
	}
	on.Take(shared, registry.Image)
	id, err := engine.Create(ctx, registry)
	if err == nil {
		err = engine.Start(ctx, id)
	}
	if err != nil {
		t.Fatal(err)
	}
	ref = fmt.Sprintf("127.0.0.1:%d/minio:1", port)
	dockertest.Image(t, engine, ref, dockertest.Rootfs{
		Files: map[string]string{"/minio": dockertest.MinioBinary(t)}, Changes: []string{`ENTRYPOINT ["/minio"]`},
	})
	dockertest.Until(t, time.Minute, "the image is pushed", func(ctx context.Context) error {
		_, err := engine.Push(ctx, ref, nil)
		return err
	})
	if err := engine.RemoveImage(ctx, ref); err != nil {
		t.Fatal(err)
	}
	return ref
}

// asUser is a host on which another user works, who may use Docker if his
// groups say so.
func asUser(t *testing.T, uid uint32, groups ...uint32) *otherHost {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: only root can be somebody else")
	}
	h := newHost(t)
	home, err := os.MkdirTemp("", "xtci-home-") // others cannot look into t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	raw, err := os.ReadFile(h.binary)
	if err == nil {
		err = os.WriteFile(filepath.Join(home, "xtci"), raw, 0o755) //nolint:gosec // it is to be run
	}
	if err == nil {
		err = errors.Join(os.Chown(home, int(uid), int(uid)), os.Chmod(home, 0o700))
	}
	if err != nil {
		t.Fatal(err)
	}
	h.binary, h.prefix = filepath.Join(home, "xtci"), filepath.Join(home, "lab")
	h.environ = append(h.environ, "XTCI_STACK_PREFIX="+h.prefix, "HOME="+home)
	return &otherHost{h, func(ctx context.Context, program string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid, Groups: groups}}
		cmd.Dir = home
		return cmd
	}}
}

// nobody is a user without any rights, and somebody one without a name.
const (
	nobody   = 65534
	somebody = 12345
)

// dockerGroup is the group that may use Docker's socket.
func dockerGroup(t *testing.T) uint32 {
	t.Helper()
	info, err := os.Stat(dockertest.Connect(t).SocketPath())
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Gid
}

func TestWithoutPermission(t *testing.T) {
	t.Parallel()
	t.Run("on the socket", func(t *testing.T) {
		t.Parallel()
		h := asUser(t, nobody)
		for _, command := range []string{"up", "status", "down"} {
			if _, errs := h.run(3, command); !strings.Contains(errs, "sudo usermod -aG docker $USER") {
				t.Errorf("%s: %s", command, errs)
			}
		}
	})
	t.Run("on the prefix", func(t *testing.T) {
		t.Parallel()
		h := asUser(t, somebody, dockerGroup(t))
		h.environ = append(h.environ, "XTCI_STACK_PREFIX=/var/lib/xtci-nobody")
		for _, args := range [][]string{{"up"}, {"up", "--generate-passwords"}, {"down"}} {
			if _, errs := h.run(3, args...); !strings.Contains(errs, "/var/lib/xtci-nobody: permission denied") || !strings.Contains(errs, "--set stack.prefix=FOLDER") {
				t.Errorf("%v: %s", args, errs)
			}
		}
	})
}

func TestAsAUserInTheGroupDocker(t *testing.T) {
	t.Parallel()
	h := asUser(t, somebody, dockerGroup(t))
	h.run(0, "up")
	h.run(0, "status")
	sample, err := filepath.Abs("../../testcases/testdata/sample")
	if err != nil {
		t.Fatal(err)
	}
	replay := filepath.Join(filepath.Dir(h.prefix), "sample") // where this user may read
	if err := os.CopyFS(replay, os.DirFS(sample)); err != nil {
		t.Fatal(err)
	}
	h.run(1, "run", "--replay", replay, "--tag", "LAB-GROUP-1")
	if out, _ := h.run(0, "up"); !strings.HasPrefix(out, "nothing to do") {
		t.Errorf("up again: %s", out)
	}
	h.run(0, "down", "--purge", "--yes")
	if _, err := os.Stat(h.prefix); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("purge left the prefix: %v", err)
	}
}

func TestCtrlC(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	for _, at := range []string{"creating", "starting", "setting up"} {
		cmd, out, _ := h.command(t.Context(), "up")
		errs := &lines{has: at}
		errs.then = func() { _ = cmd.Process.Signal(os.Interrupt) }
		cmd.Stderr = errs
		_ = cmd.Run() // its code says how it ended
		if cmd.ProcessState.ExitCode() != exitInterrupted || !strings.Contains(errs.text.String(), "xtci: interrupted: on the way up (xtci up goes on from here)") {
			t.Errorf("Ctrl-C at %s: exit code %d\n%s%s", at, cmd.ProcessState.ExitCode(), out, &errs.text)
		}
		h.run(0, "up")
		h.run(0, "status")
		h.run(0, "down")
	}
	h.run(0, "down", "--purge", "--yes")
}
