package dockertest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/anuket-project/xtci/internal/docker"
)

// An OwnEngine is a Docker Engine of a test's own, which can be stopped,
// killed and have its disk filled. It lives in namespaces of its own: the
// engine of this machine is not disturbed, and everything that it made ends
// with them, however the test ends. Ports of its containers are published in
// its network alone: use Command to be there.
type OwnEngine struct {
	t      testing.TB
	name   string
	folder string // of the host
	holder *exec.Cmd
	daemon *exec.Cmd
	ended  chan struct{} // closed when the daemon has ended
	log    *os.File
}

// EngineOptions say how an engine of a test's own is.
type EngineOptions struct {
	// Disk is the size of its disk in bytes, which is memory then; 0 is
	// that of the host.
	Disk int64
}

// startTime is how long an engine may take to answer.
const startTime = 30 * time.Second

// StartEngine starts an engine. Only root can: without, or without a dockerd,
// the test is skipped, or fails if Demand has "engine".
func StartEngine(t testing.TB, o EngineOptions) *OwnEngine {
	t.Helper()
	if os.Geteuid() != 0 {
		Absent(t, "engine", errors.New("only root can start a Docker Engine"))
	}
	for _, program := range []string{"dockerd", "nsenter", "bash", "mount", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			Absent(t, "engine", err)
		}
	}
	folder, err := os.MkdirTemp("", "xtci-engine-") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	e := &OwnEngine{t: t, name: Name(t), folder: folder}
	t.Cleanup(e.remove)
	if e.log, err = os.Create(e.path("log")); err != nil {
		t.Fatal(err)
	}
	e.hold(o)
	e.Start()
	return e
}

func (e *OwnEngine) path(name string) string { return filepath.Join(e.folder, name) }

// hold starts the process that holds the namespaces. It is their process 1,
// and reaps: the kernel ends everything with it. It ends when this process
// does, which closes its input.
func (e *OwnEngine) hold(o EngineOptions) {
	e.t.Helper()
	script := "set -e; mount --make-rprivate /; mount -t proc proc /proc; ip link set lo up; mkdir -p '" + e.path("data") + "'\n"
	if o.Disk > 0 {
		script += fmt.Sprintf("mount -t tmpfs -o size=%d disk '%s'\n", o.Disk, e.path("data"))
	}
	e.holder = exec.Command("bash", "-c", script+"echo ready; read -r _ || true")
	e.holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID}
	e.holder.Stderr = e.log
	if _, err := e.holder.StdinPipe(); err != nil {
		e.t.Fatal(err)
	}
	out, err := e.holder.StdoutPipe()
	if err == nil {
		err = e.holder.Start()
	}
	if err != nil {
		e.holder = nil
		Absent(e.t, "engine", fmt.Errorf("make namespaces for a Docker Engine: %w", err))
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		Absent(e.t, "engine", fmt.Errorf("make namespaces for a Docker Engine: %w: %s", err, e.said()))
	}
}

// enter is a program in namespaces of the engine.
func (e *OwnEngine) enter(ctx context.Context, namespaces []string, program string, args ...string) *exec.Cmd {
	enter := []string{"--target", strconv.Itoa(e.holder.Process.Pid)}
	for _, namespace := range namespaces {
		enter = append(enter, "--"+namespace)
	}
	return exec.CommandContext(ctx, "nsenter", slices.Concat(enter, []string{"--", program}, args)...)
}

// Command is a program that is on the engine's network: loopback is where
// ports of its containers are. It is otherwise as any other.
func (e *OwnEngine) Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	return e.enter(ctx, []string{"net"}, program, args...)
}

// Inside calls a function on the engine's network: the sockets that it makes
// are there, whoever uses them then.
func (e *OwnEngine) Inside(do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with this function
		network, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", e.holder.Process.Pid))
		if err == nil {
			err = errors.Join(unix.Setns(int(network.Fd()), unix.CLONE_NEWNET), network.Close())
		}
		if err == nil {
			err = do()
		}
		done <- err
	}()
	return <-done
}

// Host is the engine's address, for DOCKER_HOST.
func (e *OwnEngine) Host() string { return "unix://" + e.path("s") }

// Connect connects to the engine.
func (e *OwnEngine) Connect() *docker.Engine {
	e.t.Helper()
	engine, err := docker.Connect(e.t.Context(), docker.Options{Host: e.Host()})
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = engine.Close() })
	return engine
}

// Start starts the daemon, and waits until it answers.
func (e *OwnEngine) Start() {
	e.t.Helper()
	if err := os.WriteFile(e.path("daemon.json"), []byte("{}"), 0o600); err != nil { // and not that of the host
		e.t.Fatal(err)
	}
	e.daemon = e.enter(context.Background(), []string{"net", "mount", "pid"}, "dockerd",
		"--config-file", e.path("daemon.json"), "--data-root", e.path("data"), "--exec-root", e.path("exec"),
		"--pidfile", e.path("pid"), "--host", e.Host(), "--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", "/"+e.name,
		"--containerd-namespace", e.name, "--containerd-plugins-namespace", e.name+"-plugins", "--shutdown-timeout", "5",
	)
	e.daemon.Stdout, e.daemon.Stderr = e.log, e.log
	if err := e.daemon.Start(); err != nil {
		e.t.Fatal(err)
	}
	daemon, ended := e.daemon, make(chan struct{})
	e.ended = ended
	go func() {
		defer close(ended)
		_ = daemon.Wait() // its log says why it ended
	}()
	Until(e.t, startTime, "an engine of the test's own starts", func(ctx context.Context) error {
		select {
		case <-ended:
			e.t.Fatalf("dockerd ended at once: %s", e.said())
		default:
		}
		engine, err := docker.Connect(ctx, docker.Options{Host: e.Host()})
		if err != nil {
			return fmt.Errorf("%w: %s", err, e.said())
		}
		return engine.Close()
	})
}

// said is the end of the log.
func (e *OwnEngine) said() string {
	raw, err := os.ReadFile(e.log.Name())
	if err != nil {
		return err.Error()
	}
	const end = 2000
	return string(raw[max(len(raw)-end, 0):])
}

// Stop stops the daemon as systemd does. Its containers stop, too.
func (e *OwnEngine) Stop() { e.t.Helper(); e.signal("TERM") }

// Kill kills the daemon. Its containers run on.
func (e *OwnEngine) Kill() { e.t.Helper(); e.signal("KILL") }

// Restart stops the daemon and starts it again. Containers come back as their
// restart policies say.
func (e *OwnEngine) Restart() {
	e.t.Helper()
	e.Stop()
	e.Start()
}

func (e *OwnEngine) signal(name string) {
	e.t.Helper()
	pid, err := os.ReadFile(e.path("pid")) // as the namespace knows it
	if err != nil {
		e.t.Fatal(err)
	}
	if out, err := e.enter(e.t.Context(), []string{"mount", "pid"}, "kill", "-"+name, strings.TrimSpace(string(pid))).CombinedOutput(); err != nil {
		e.t.Fatalf("send %s to dockerd: %v: %s", name, err, out)
	}
	select {
	case <-e.ended:
	case <-time.After(startTime):
		e.t.Fatalf("dockerd does not end by %s: %s", name, e.said())
	}
}

// Fill fills the engine's disk, which must be one of its own, but for some
// bytes, and returns what makes room again.
func (e *OwnEngine) Fill(leave int64) (empty func()) {
	e.t.Helper()
	file := e.path("data/fill")
	run := func(script string) {
		e.t.Helper()
		if out, err := e.enter(e.t.Context(), []string{"mount"}, "bash", "-c", script).CombinedOutput(); err != nil {
			e.t.Fatalf("%s: %v: %s", script, err, out)
		}
	}
	run(fmt.Sprintf(`free=$(df -B1 --output=avail '%[1]s' | tail -n 1); [ "$free" -gt %[2]d ] && head -c $((free - %[2]d)) /dev/zero >'%[3]s'`, e.path("data"), leave, file))
	return func() { e.t.Helper(); run("rm '" + file + "'") }
}

// remove ends the engine and everything that it made.
func (e *OwnEngine) remove() {
	if e.holder != nil && e.holder.Process != nil {
		_ = e.holder.Process.Kill() // and with it everything in its namespaces
		_ = e.holder.Wait()         // which says that it was killed
	}
	if e.ended != nil {
		<-e.ended
	}
	if e.log != nil {
		_ = e.log.Close()
	}
	if err := e.removeGroups(); err != nil {
		e.t.Errorf("remove the engine's control groups: %v", err)
	}
	if err := os.RemoveAll(e.folder); err != nil {
		e.t.Errorf("remove the engine: %v", err)
	}
}

// removeGroups removes the control groups of containers, which no namespace
// has. The kernel needs a moment to see that they are empty.
func (e *OwnEngine) removeGroups() error {
	ctx, cancel := after(e.t)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := e.removeEmptyGroups()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

func (e *OwnEngine) removeEmptyGroups() error {
	var errs []error
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} { // version 2 and 1
		roots, err := filepath.Glob(pattern + e.name)
		errs = append(errs, err)
		for _, root := range roots {
			var folders []string
			err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
				if err == nil && entry.IsDir() {
					folders = append(folders, path)
				}
				return err
			})
			errs = append(errs, err)
			for _, folder := range slices.Backward(folders) { // the inner ones first
				if err := syscall.Rmdir(folder); err != nil {
					errs = append(errs, fmt.Errorf("%s: %w", folder, err))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// Take copies an image of another engine.
func (e *OwnEngine) Take(from *docker.Engine, ref string) {
	e.t.Helper()
	reader, writer := io.Pipe()
	saved := make(chan struct{})
	go func() {
		defer close(saved)
		_ = writer.CloseWithError(from.Save(e.t.Context(), writer, ref))
	}()
	_, err := e.Connect().Load(e.t.Context(), reader)
	_ = reader.Close()
	<-saved
	if err != nil {
		e.t.Fatal(err)
	}
}
