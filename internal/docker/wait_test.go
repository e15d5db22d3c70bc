package docker_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/docker/dockertest"
)

type outcome struct {
	exit docker.Exit
	err  error
}

// waiting waits for a container beside the test.
func (b *bench) waiting(ctx context.Context, id string) <-chan outcome {
	ended := make(chan outcome, 1)
	go func() {
		exit, err := b.Wait(ctx, id)
		ended <- outcome{exit, err}
	}()
	return ended
}

func TestWaitBeforeAndAfterTheStart(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	want := docker.Exit{Code: 7}
	for range 5 {
		id := b.make(docker.Container{Command: []string{"exit=7"}})
		before := b.waiting(t.Context(), id)
		if err := b.Start(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		during := b.waiting(t.Context(), id)
		for _, ended := range []<-chan outcome{before, during} {
			if got := <-ended; got != (outcome{exit: want}) {
				t.Errorf("it ended as %+v", got)
			}
		}
		if exit, err := b.Wait(t.Context(), id); err != nil || exit != want {
			t.Errorf("it had ended as %+v, %v", exit, err)
		}
	}
}

func TestWaitIsGivenUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.make(docker.Container{Command: []string{"wait"}})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := b.Wait(ctx, id) // nobody starts it
	wantIs(t, err, context.DeadlineExceeded, "wait for container "+id)
}

func TestWaitForWhatIsRemoved(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.start(docker.Container{Command: []string{"deaf", "out=up", "ticks"}})
	b.untilLogged(id, "up")
	ended := b.waiting(t.Context(), id)
	if err := b.Remove(t.Context(), id, true); err != nil {
		t.Fatal(err)
	}
	if got := <-ended; got.exit.Code != 137 && !errors.Is(got.err, docker.ErrNotFound) {
		t.Errorf("it ended as %+v", got)
	}
}

func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	exit, _, _ := b.run(docker.Container{Command: []string{"fill=256"}, Memory: 32 << 20})
	if want := (docker.Exit{Code: 137, OOMKilled: true}); exit != want {
		t.Errorf("it ended as %+v, want %+v", exit, want)
	}
	exit, _, _ = b.run(docker.Container{Command: []string{"fill=8", "exit=1"}, Memory: 64 << 20})
	if want := (docker.Exit{Code: 1}); exit != want {
		t.Errorf("it ended as %+v, want %+v", exit, want)
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	b, ctx := newBench(t), t.Context()
	id := b.start(docker.Container{Command: []string{"out=one", "err=two", "out=three", "err=four", "exit=0"}})
	if _, err := b.Wait(ctx, id); err != nil {
		t.Fatal(err)
	}
	type streams struct{ out, err string }
	for _, test := range []struct {
		name string
		opts docker.LogOptions
		want streams
	}{
		{"all", docker.LogOptions{}, streams{"one\nthree\n", "two\nfour\n"}},
		{"followed", docker.LogOptions{Follow: true}, streams{"one\nthree\n", "two\nfour\n"}},
		{"since now", docker.LogOptions{Since: time.Now().Add(time.Hour)}, streams{}},
		{"since before", docker.LogOptions{Since: time.Now().Add(-time.Hour)}, streams{"one\nthree\n", "two\nfour\n"}},
	} {
		out, err := b.logs(id, test.opts)
		if got := (streams{out, err}); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
	// in which order the engine saw lines of two streams is not for us to say
	if out, err := b.logs(id, docker.LogOptions{Tail: 2}); strings.Count(out+err, "\n") != 2 {
		t.Errorf("the last two lines are %q and %q", out, err)
	}
	var both, one bytes.Buffer
	if err := b.Logs(ctx, id, docker.LogOptions{Stdout: &both, Stderr: &both}); err != nil || both.Len() != len("one\ntwo\nthree\nfour\n") {
		t.Errorf("into one writer: %q, %v", &both, err)
	}
	if err := b.Logs(ctx, id, docker.LogOptions{Stderr: &one}); err != nil || one.String() != "two\nfour\n" {
		t.Errorf("stderr alone: %q, %v", &one, err)
	}
	if err := b.Logs(ctx, id, docker.LogOptions{}); err != nil {
		t.Errorf("nobody listens: %v", err)
	}
	timed, _ := b.logs(id, docker.LogOptions{Times: true, Tail: 4})
	stamp, rest, _ := strings.Cut(timed, " ")
	if when, err := time.Parse(time.RFC3339Nano, stamp); err != nil || !strings.HasPrefix(rest, "one\n") {
		t.Errorf("with times: %q, %v", timed, err)
	} else if out, _ := b.logs(id, docker.LogOptions{Since: when.Add(1)}); strings.Contains(out, "one") {
		t.Errorf("since just after %s: %q", when, out)
	}
}

func TestFollowedLogEndsWithTheContext(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.start(docker.Container{Command: []string{"ticks"}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := writerFunc(func(p []byte) (int, error) {
		if bytes.Contains(p, []byte("5")) {
			cancel()
		}
		return len(p), nil
	})
	err := b.Logs(ctx, id, docker.LogOptions{Follow: true, Stdout: seen})
	wantIs(t, err, context.Canceled, "read the log of container "+id)

	broken := errors.New("the disk is full")
	err = b.Logs(t.Context(), id, docker.LogOptions{Follow: true, Stdout: writerFunc(func([]byte) (int, error) { return 0, broken })})
	wantIs(t, err, broken, "write the log of container "+id)
	if errors.Is(err, docker.ErrUnavailable) {
		t.Errorf("%v blames the engine", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestCopy(t *testing.T) {
	t.Parallel()
	b, ctx := newBench(t), t.Context()
	id := b.make(docker.Container{Command: []string{"cat=/tmp/in/a", "write=/tmp/out=from within"}})
	if err := b.CopyTo(ctx, id, "/tmp", tarOf(t, map[string]string{"in/a": "from without"})); err != nil {
		t.Fatal(err)
	}
	if err := b.Start(ctx, id); err != nil {
		t.Fatal(err)
	}
	if exit, err := b.Wait(ctx, id); err != nil || exit.Code != 0 {
		t.Fatalf("it ended as %+v, %v", exit, err)
	}
	if out, _ := b.logs(id, docker.LogOptions{}); out != "from without\n" {
		t.Errorf("it read %q", out)
	}
	stream, err := b.CopyFrom(ctx, id, "/tmp/out")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if got := untar(t, stream); got["out"] != "from within" || len(got) != 1 {
		t.Errorf("copied %v", got)
	}

	_, err = b.CopyFrom(ctx, id, "/nonexistent")
	wantIs(t, err, docker.ErrNotFound, "copy /nonexistent from container "+id)
	wantIs(t, b.CopyTo(ctx, id, "/nonexistent", tarOf(t, nil)), docker.ErrNotFound, "copy to /nonexistent of container "+id)
	broken := errors.New("the disk is gone")
	err = b.CopyTo(ctx, id, "/tmp", io.MultiReader(strings.NewReader("abc"), readerFunc(func([]byte) (int, error) { return 0, broken })))
	wantIs(t, err, broken, "read what is to be sent")
	if errors.Is(err, docker.ErrUnavailable) {
		t.Errorf("%v blames the engine", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestNetworks(t *testing.T) {
	t.Parallel()
	b, ctx := newBench(t), t.Context()
	name := dockertest.Name(t)
	made, err := b.CreateNetwork(ctx, docker.Network{Name: name, Labels: b.labels})
	if err != nil {
		t.Fatal(err)
	}
	if made.ID == "" || made.Name != name || made.Gateway == "" || !strings.Contains(made.Subnet, "/") || made.Internal || made.Labels[dockertest.Label] != b.labels[dockertest.Label] {
		t.Errorf("it was made as %+v", made)
	}
	_, err = b.CreateNetwork(ctx, docker.Network{Name: name, Labels: b.labels})
	wantIs(t, err, docker.ErrConflict, "create network "+name)
	inner, err := b.CreateNetwork(ctx, docker.Network{Name: name + "-inner", Labels: b.labels, Internal: true})
	if err != nil || !inner.Internal {
		t.Errorf("an internal one was made as %+v, %v", inner, err)
	}

	server := b.start(docker.Container{Command: []string{"serve=:80"}, Network: name, Aliases: []string{"web", "www"}, Hostname: "the-server"})
	state := b.state(server)
	if state.Addresses[name] == "" || len(state.Addresses) != 1 {
		t.Errorf("its addresses are %v", state.Addresses)
	}
	dockertest.Until(t, 30*time.Second, "others find it by its alias", func(context.Context) error {
		exit, out, stderr := b.run(docker.Container{Command: []string{"get=http://www/"}, Network: name})
		if exit.Code != 0 || out != "here is the-server\n" {
			return errors.New(out + stderr)
		}
		return nil
	})
	found, err := b.Network(ctx, made.ID)
	if err != nil || len(found.Used) != 1 || found.Used[0] != server {
		t.Errorf("it is used by %v, %v", found.Used, err)
	}
	wantIs(t, b.RemoveNetwork(ctx, name), docker.ErrConflict, "remove network "+name)
	all, err := b.Networks(ctx, b.labels)
	if err != nil || len(all) != 2 || all[0].Name != name || all[1].Name != name+"-inner" {
		t.Errorf("listed are %+v, %v", all, err)
	}
	if err := b.RemoveNetwork(ctx, inner.ID); err != nil {
		t.Error(err)
	}
	wantIs(t, b.RemoveNetwork(ctx, inner.ID), docker.ErrNotFound)
	_, err = b.Network(ctx, inner.ID)
	wantIs(t, err, docker.ErrNotFound, "look up network "+inner.ID)
}
