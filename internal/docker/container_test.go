package docker_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/docker/dockertest"
)

// A bench is an engine with what a test makes on it.
type bench struct {
	*docker.Engine
	t      *testing.T
	image  string
	labels map[string]string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{Engine: dockertest.Connect(t), t: t, labels: map[string]string{dockertest.Label: dockertest.Name(t)}}
	b.image = dockertest.Testprog(t, b.Engine)
	dockertest.Cleanup(t, b.Engine, b.labels)
	return b
}

// in is the bench for a subtest.
func (b *bench) in(t *testing.T) *bench {
	other := *b
	other.t = t
	return &other
}

// make makes a container of testprog.
func (b *bench) make(c docker.Container) (id string) {
	b.t.Helper()
	if c.Name == "" {
		c.Name = dockertest.Name(b.t)
	}
	if c.Image == "" {
		c.Image = b.image
	}
	if c.Labels == nil {
		c.Labels = map[string]string{}
	}
	for name, value := range b.labels {
		c.Labels[name] = value
	}
	id, err := b.Create(b.t.Context(), c)
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

func (b *bench) start(c docker.Container) (id string) {
	b.t.Helper()
	id = b.make(c)
	if err := b.Start(b.t.Context(), id); err != nil {
		b.t.Fatal(err)
	}
	return id
}

// run runs a container to its end.
func (b *bench) run(c docker.Container) (exit docker.Exit, stdout, stderr string) {
	b.t.Helper()
	id := b.start(c)
	exit, err := b.Wait(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	stdout, stderr = b.logs(id, docker.LogOptions{})
	return exit, stdout, stderr
}

func (b *bench) logs(id string, opts docker.LogOptions) (stdout, stderr string) {
	b.t.Helper()
	var out, err bytes.Buffer
	opts.Stdout, opts.Stderr = &out, &err
	if err := b.Logs(b.t.Context(), id, opts); err != nil {
		b.t.Fatal(err)
	}
	return out.String(), err.String()
}

func (b *bench) state(id string) docker.ContainerState {
	b.t.Helper()
	state, err := b.Container(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return state
}

// untilLogged waits until the container has written something.
func (b *bench) untilLogged(id, what string) {
	b.t.Helper()
	dockertest.Until(b.t, 30*time.Second, "the log has "+what, func(context.Context) error {
		if out, _ := b.logs(id, docker.LogOptions{}); !strings.Contains(out, what) {
			return errors.New("the log is " + out)
		}
		return nil
	})
}

func wantIs(t *testing.T, err, sentinel error, says ...string) {
	t.Helper()
	if !errors.Is(err, sentinel) {
		t.Errorf("error is %v, want one that is %q", err, sentinel)
		return
	}
	for _, want := range says {
		want = short(want)
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

// short leaves of each id what errors show of it.
func short(text string) string {
	return regexp.MustCompile(`\b([0-9a-f]{12})[0-9a-f]{52}\b`).ReplaceAllString(text, "$1")
}

func TestLifeOfAContainer(t *testing.T) {
	t.Parallel()
	b, ctx := newBench(t), t.Context()
	name := dockertest.Name(t)
	id := b.make(docker.Container{Name: name, Command: []string{"out=up", "wait", "out=bye", "exit=3"}, Labels: map[string]string{"a": "b"}})

	made := b.state(name)
	if made.ID != id || made.Name != name || made.Image != b.image || made.Status != "created" || made.Running() ||
		made.Labels["a"] != "b" || !made.Started.IsZero() || time.Since(made.Created) > time.Hour {
		t.Errorf("it was made as %+v", made)
	}
	for range 2 { // starting what runs is no error
		if err := b.Start(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	b.untilLogged(id, "up")
	if runs := b.state(id); !runs.Running() || runs.Started.IsZero() || !runs.Finished.IsZero() {
		t.Errorf("it runs as %+v", runs)
	}
	wantIs(t, b.Remove(ctx, id, false), docker.ErrConflict, "remove container "+id)

	other := dockertest.Name(t)
	if err := b.Rename(ctx, id, other); err != nil {
		t.Fatal(err)
	}
	if got := b.state(other); got.ID != id {
		t.Errorf("%s is %+v", other, got)
	}
	for range 2 { // and so is stopping what does not
		if err := b.Stop(ctx, other, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	ended := b.state(id)
	if ended.Status != "exited" || ended.ExitCode != 3 || ended.Finished.Before(ended.Started) || ended.OOMKilled {
		t.Errorf("it ended as %+v", ended)
	}
	wantIs(t, b.Kill(ctx, id, "SIGTERM"), docker.ErrConflict, "send SIGTERM to container "+id)
	if err := b.Remove(ctx, id, false); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"start":   b.Start(ctx, id),
		"stop":    b.Stop(ctx, id, 0),
		"kill":    b.Kill(ctx, id, "SIGKILL"),
		"remove":  b.Remove(ctx, id, true),
		"rename":  b.Rename(ctx, id, name),
		"look up": second(b.Container(ctx, id)),
		"log":     b.Logs(ctx, id, docker.LogOptions{Stdout: io.Discard}),
		"wait":    second(b.Wait(ctx, id)),
		"from":    second(b.CopyFrom(ctx, id, "/")),
		"to":      b.CopyTo(ctx, id, "/", strings.NewReader("")),
	} {
		if !errors.Is(err, docker.ErrNotFound) || !strings.Contains(err.Error(), "container "+short(id)) {
			t.Errorf("%s: error is %v, want that container %s is not found", what, err, id)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestGraceThenKill(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.start(docker.Container{Command: []string{"deaf", "out=up", "ticks"}})
	b.untilLogged(id, "up")
	begun := time.Now()
	if err := b.Stop(t.Context(), id, 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if got := b.state(id); got.ExitCode != 137 || time.Since(begun) > 8*time.Second {
		t.Errorf("after %s it is %+v", time.Since(begun), got)
	}
	id = b.start(docker.Container{Command: []string{"deaf", "out=up", "ticks"}})
	b.untilLogged(id, "up")
	if err := b.Kill(t.Context(), id, "SIGKILL"); err != nil {
		t.Fatal(err)
	}
	if exit, err := b.Wait(t.Context(), id); err != nil || exit != (docker.Exit{Code: 137}) {
		t.Errorf("killed, it ended as %+v, %v", exit, err)
	}
}

func TestWhatAContainerMayDo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o777); err != nil { //nolint:gosec // for the container's user
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "in"), []byte("from the host"), 0o644); err != nil { //nolint:gosec // the same
		t.Fatal(err)
	}
	t.Run("environment and files", func(t *testing.T) {
		t.Parallel()
		b := b.in(t)
		exit, out, stderr := b.run(docker.Container{
			Command:    []string{"env=A", "cat=in", "write=out=to the host", "cat=/etc/hostname", "cat=/etc/hosts"},
			Entrypoint: []string{"/testprog", "out=entry"},
			Env:        []string{"A=one=1"}, WorkingDir: "/work", Hostname: "host-7", ExtraHosts: []string{"registry.example.org:192.0.2.7"},
			Mounts: []docker.Mount{{Source: folder, Target: "/work"}},
		})
		want := "entry\none=1\nfrom the host\nhost-7\n"
		if exit.Code != 0 || !strings.HasPrefix(out, want) || !strings.Contains(out, "192.0.2.7\tregistry.example.org") {
			t.Errorf("%+v, %q, %s", exit, out, stderr)
		}
		if data, err := os.ReadFile(filepath.Join(folder, "out")); string(data) != "to the host" {
			t.Errorf("it wrote %q, %v", data, err)
		}
	})
	t.Run("identity without rights", func(t *testing.T) {
		t.Parallel()
		b := b.in(t)
		_, out, _ := b.run(docker.Container{
			Command: []string{"status"}, User: "1000:1001", Groups: []string{"2375"},
			DropAllCaps: true, AddCaps: []string{"NET_BIND_SERVICE"}, NoNewPrivileges: true,
		})
		for _, want := range []string{"Uid:\t1000\t", "Gid:\t1001\t", " 2375 \n", "NoNewPrivs:\t1", "CapBnd:\t0000000000000400"} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in %s", want, out)
			}
		}
	})
	t.Run("read-only root", func(t *testing.T) {
		t.Parallel()
		b := b.in(t)
		exit, _, stderr := b.run(docker.Container{Command: []string{"write=/scratch/a=b", "cat=/scratch/a", "write=/a=b"}, ReadOnlyRoot: true, Tmpfs: []string{"/scratch"}})
		if exit.Code != 99 || !strings.Contains(stderr, "write=/a=b: open /a: read-only file system") {
			t.Errorf("%+v, %s", exit, stderr)
		}
	})
	t.Run("read-only mount", func(t *testing.T) {
		t.Parallel()
		b := b.in(t)
		exit, _, stderr := b.run(docker.Container{Command: []string{"write=/data/b=c"}, Mounts: []docker.Mount{{Source: folder, Target: "/data", ReadOnly: true}}})
		if exit.Code != 99 || !strings.Contains(stderr, "read-only file system") {
			t.Errorf("%+v, %s", exit, stderr)
		}
	})
	t.Run("an init", func(t *testing.T) {
		t.Parallel()
		b := b.in(t)
		_, out, _ := b.run(docker.Container{Command: []string{"status"}, Init: true})
		if strings.Contains(out, "\nPid:\t1\n") {
			t.Errorf("it is process 1: %s", out)
		}
	})
	t.Run("a host's network", func(t *testing.T) {
		t.Parallel()
		b := b.in(t)
		port := dockertest.Port(t)
		b.start(docker.Container{Command: []string{"serve=127.0.0.1:" + strconv.Itoa(port)}, Network: "host"})
		dockertest.Until(t, 20*time.Second, "it listens on the host", func(ctx context.Context) error {
			connection, err := new(net.Dialer).DialContext(ctx, "tcp", "127.0.0.1:"+strconv.Itoa(port))
			if err != nil {
				return err
			}
			return connection.Close()
		})
	})
}

// Limits and policies are read back as the docker command would show them.
func TestLimitsArriveAtTheEngine(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.make(docker.Container{
		Memory: 64 << 20, CPUs: 0.25, PIDs: 50, RestartUnlessStopped: true, LogMaxBytes: 1 << 20, LogFiles: 2,
		StopSignal: "SIGINT", StopGrace: 1500 * time.Millisecond,
	})
	got := inspect(t, id, `{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}} `+
		`{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.LogConfig.Type}} {{index .HostConfig.LogConfig.Config "max-size"}} `+
		`{{index .HostConfig.LogConfig.Config "max-file"}} {{.Config.StopSignal}} {{.Config.StopTimeout}}`)
	if want := "67108864 67108864 250000000 50 unless-stopped json-file 1048576 2 SIGINT 2"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// not started: it takes a host that gives all rights away
	if got := inspect(t, b.make(docker.Container{Privileged: true}), "{{.HostConfig.Privileged}}"); got != "true" {
		t.Errorf("privileged is %s", got)
	}
	if _, err := b.Create(t.Context(), docker.Container{Name: "no", Image: b.image, Memory: -1}); err == nil {
		t.Error("a negative limit is no error")
	}
	for _, port := range []docker.Port{{Container: 0}, {Container: 65536}, {Container: 80, Host: -1}} {
		if _, err := b.Create(t.Context(), docker.Container{Name: "no", Image: b.image, Ports: []docker.Port{port}}); err == nil {
			t.Errorf("port %+v is no error", port)
		}
	}
}

func TestCreateFails(t *testing.T) {
	t.Parallel()
	b, ctx := newBench(t), t.Context()
	taken := dockertest.Name(t)
	b.make(docker.Container{Name: taken})
	for _, test := range []struct {
		name      string
		container docker.Container
		is        error
		says      string
	}{
		{"name taken", docker.Container{Name: taken, Image: b.image}, docker.ErrConflict, "create container " + taken + " of image " + b.image},
		{"no such image", docker.Container{Image: "xtci-test/gone:1"}, docker.ErrNotFound, "No such image: xtci-test/gone:1"},
		{
			"source of a mount not there",
			docker.Container{Image: b.image, Mounts: []docker.Mount{{Source: "/nonexistent/folder", Target: "/a"}}},
			nil, "/nonexistent/folder",
		},
		{"not a name", docker.Container{Name: "a b", Image: b.image}, nil, "Invalid container name"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.container.Name == "" {
				test.container.Name = dockertest.Name(t)
			}
			test.container.Labels = b.labels
			id, err := b.Create(ctx, test.container)
			if err == nil || id != "" || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("got %q, error is %v, want %q in it", id, err, test.says)
			}
			if test.is != nil {
				wantIs(t, err, test.is)
			}
		})
	}
	t.Run("no such network", func(t *testing.T) {
		t.Parallel()
		b := b.in(t)
		id := b.make(docker.Container{Network: "xtci-test-gone"})
		wantIs(t, b.Start(ctx, id), docker.ErrNotFound, "start container", "xtci-test-gone")
	})
	t.Run("no such program", func(t *testing.T) {
		t.Parallel()
		b := b.in(t)
		id := b.make(docker.Container{Entrypoint: []string{"/nonexistent"}})
		if err := b.Start(ctx, id); err == nil || !strings.Contains(err.Error(), "/nonexistent") {
			t.Errorf("error is %v", err)
		}
		if got := b.state(id); got.Status != "created" || !strings.Contains(got.Error, "/nonexistent") {
			t.Errorf("it is %+v", got)
		}
		// who waits is not left waiting
		if exit, err := b.Wait(ctx, id); err != nil || exit.Code == 0 || !strings.Contains(exit.Error, "/nonexistent") {
			t.Errorf("it ended as %+v, %v", exit, err)
		}
	})
}

func TestPorts(t *testing.T) {
	t.Parallel()
	b, ctx := newBench(t), t.Context()
	port := dockertest.Port(t)
	id := b.start(docker.Container{
		Command: []string{"serve=:80"},
		Ports: []docker.Port{
			{HostIP: "127.0.0.1", Host: port, Container: 80},
			{HostIP: "127.0.0.1", Container: 81},
			{Container: 82},
		},
	})
	got := b.state(id).Ports
	if len(got) < 3 {
		t.Fatalf("its ports are %+v", got)
	}
	want := []docker.Port{{HostIP: "127.0.0.1", Host: port, Container: 80}, {HostIP: "127.0.0.1", Container: 81}, {Container: 82}}
	if diff := cmp.Diff(want, got[:3], cmpopts.IgnoreFields(docker.Port{}, "Host")); diff != "" || got[0].Host != port || got[1].Host == 0 || got[2].Host == 0 {
		t.Errorf("its ports are %+v: %s", got, diff)
	}

	t.Run("taken by a container", func(t *testing.T) {
		t.Parallel()
		b := b.in(t)
		other := b.make(docker.Container{Ports: []docker.Port{{HostIP: "127.0.0.1", Host: port, Container: 80}}})
		wantIs(t, b.Start(ctx, other), docker.ErrPortTaken, "start container "+other, strconv.Itoa(port))
	})
	t.Run("taken by a program", func(t *testing.T) {
		t.Parallel()
		b := b.in(t)
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		taken := listener.Addr().(*net.TCPAddr).Port
		other := b.make(docker.Container{Command: []string{"wait"}, Ports: []docker.Port{{HostIP: "127.0.0.1", Host: taken, Container: 80}}})
		wantIs(t, b.Start(ctx, other), docker.ErrPortTaken, strconv.Itoa(taken))
		if got := b.state(other).Ports; !cmp.Equal(got, []docker.Port{{HostIP: "127.0.0.1", Host: taken, Container: 80}}) {
			t.Errorf("the ports that it wants are told as %+v", got)
		}
		// and once it is free
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		if err := b.Start(ctx, other); err != nil {
			t.Error(err)
		}
	})
}

func TestContainersByLabel(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	run := b.labels[dockertest.Label]
	first := b.start(docker.Container{Name: run + "-b", Command: []string{"wait"}, Labels: map[string]string{"kind": "one"}})
	other := b.make(docker.Container{Name: run + "-a", Labels: map[string]string{"kind": "two"}})
	for _, test := range []struct {
		labels map[string]string
		want   []string
	}{
		{map[string]string{dockertest.Label: run}, []string{other, first}},
		{map[string]string{dockertest.Label: run, "kind": ""}, []string{other, first}},
		{map[string]string{dockertest.Label: run, "kind": "one"}, []string{first}},
		{map[string]string{dockertest.Label: run, "kind": "three"}, nil},
	} {
		found, err := b.Containers(t.Context(), test.labels)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range found {
			got = append(got, c.ID)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%v: %s", test.labels, diff)
		}
	}
}

func TestManyRemoveOneContainer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.start(docker.Container{Command: []string{"wait"}})
	const many = 8
	errs := make(chan error, many)
	for range many {
		go func() { errs <- b.Remove(t.Context(), id, true) }()
	}
	for range many {
		if err := <-errs; err != nil && !errors.Is(err, docker.ErrNotFound) {
			t.Error(err)
		}
	}
	if _, err := b.Container(t.Context(), id); !errors.Is(err, docker.ErrNotFound) {
		t.Errorf("it is there still: %v", err)
	}
}
