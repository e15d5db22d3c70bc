package installer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/docker/dockertest"
)

// wentAway wants an error that says once that Docker went away, and what to do.
func wentAway(t *testing.T, when, command string, err error) {
	t.Helper()
	if !errors.Is(err, docker.ErrUnavailable) {
		t.Errorf("%s: %v", when, err)
		return
	}
	text := err.Error()
	for _, say := range []string{"Docker went away", "engine does not answer", "then run xtci " + command + " again"} {
		if strings.Count(text, say) != 1 {
			t.Errorf("%s: the error does not say %q once:\n%s", when, say, text)
		}
	}
}

// TestTheDaemonGoesAway shuts the way to the engine at every request of an up,
// until it does nothing but look how containers are. The next up goes on.
func TestTheDaemonGoesAway(t *testing.T) {
	t.Parallel()
	for _, when := range []dockertest.When{dockertest.BeforeTheRequest, dockertest.BeforeTheAnswer} {
		t.Run(string(when), func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.site.Stack.Minio.Enabled = false
			l.withRegistry()
			gate := dockertest.StartGate(t, l.engine)
			direct := l.engine
			for at, looked := 0, false; !looked; at++ {
				l.engine = gate.Connect()
				gate.ShutAt(at, when)
				_, err := l.try()
				requests := gate.Requests()
				if gate.IsOpen() {
					t.Fatalf("an up of %d requests does not look how containers are: %v", len(requests), requests)
				}
				last := fmt.Sprintf("%s %d, %s", when, at, requests[len(requests)-1])
				looked = strings.HasPrefix(requests[len(requests)-1], "GET") && strings.Contains(requests[len(requests)-1], "/containers/") && at > 6
				wentAway(t, last, "up", err)
				gate.Open()
				l.up()
				l.healthy()
				if plan := l.up(); plan != "" {
					t.Errorf("%s: the up after the next one: %s", last, plan)
				}
				l.engine = direct
				l.down()
			}
		})
	}
}

// withRegistry adds a service that starts and stops at once.
func (l *lab) withRegistry() {
	l.t.Helper()
	registry := &l.site.Stack.Registry
	registry.Enabled, registry.Port, registry.Image = true, dockertest.Port(l.t), dockertest.RegistryImage(l.t, l.engine)
}

func TestTheDaemonGoesAwayOnTheWayDown(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.site.Stack.Minio.Enabled = false
	l.withRegistry()
	gate := dockertest.StartGate(t, l.engine)
	direct := l.engine
	for at := 0; ; at++ {
		l.engine = direct
		l.up()
		l.engine = gate.Connect()
		when := dockertest.BeforeTheRequest
		if at%2 == 1 {
			when = dockertest.BeforeTheAnswer
		}
		gate.ShutAt(at, when)
		err := Down(t.Context(), l.engine, l.stack(), func(Event) {})
		if gate.IsOpen() {
			if err != nil || at < 5 {
				t.Errorf("down, of %d requests: %v", at, err)
			}
			break
		}
		wentAway(t, fmt.Sprintf("%s %d, %v", when, at, gate.Requests()), "down", err)
		gate.Open()
		l.down()
		if left := l.ids(); len(left) > 0 {
			t.Errorf("%s %d: down left %v", when, at, left)
		}
	}
}

// on has a function called when a service is in a state for the first time.
func on(service string, state EventState, do func()) func(*Options) {
	once := sync.OnceFunc(do)
	return func(o *Options) {
		next := o.Events
		o.Events = func(event Event) {
			next(event)
			if event.Service == service && event.State == state {
				once()
			}
		}
	}
}

func TestAContainerIsKilledWhileUpWaits(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		kill func(l *lab, id string) error
		want string // in the error
	}{
		{"killed", func(l *lab, id string) error { return l.engine.Kill(l.t.Context(), id, "SIGKILL") }, "its container died at its start (exit code 137)"},
		{"removed", func(l *lab, id string) error { return l.engine.Remove(l.t.Context(), id, true) }, "its container was removed while it started"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.site.Stack.Minio.Enabled = false
			stack := l.stack()
			service := stack.service("testdb")
			service.Ready = func(context.Context) error { return errors.New("it yawns") }
			_, err := l.try(func(o *Options) { o.Stack = stack }, on("testdb", StateStarting, func() {
				if err := test.kill(l, l.ids()["testdb"]); err != nil {
					t.Error(err)
				}
			}))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
			l.up()
			l.healthy()
		})
	}
}

func TestTwoUpsAtOnce(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	errs := make(chan error)
	const both = 2
	for range both {
		go func() {
			_, err := l.try()
			errs <- err
		}()
	}
	came := 0
	for range both {
		err := <-errs
		if refused, ok := errors.AsType[*RefusedError](err); ok && strings.Contains(refused.Error(), "another xtci is changing the stack") {
			continue
		}
		if err != nil {
			t.Error(err)
		}
		came++
	}
	if came == 0 {
		t.Error("neither came up")
	}
	l.healthy()
	if plan := l.up(); plan != "" {
		t.Errorf("then again: %s", plan)
	}
}

// TestInterrupted cancels an up at each step of a service.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for _, state := range []EventState{StateMaking, StateCreating, StateStarting, StateSettingUp} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.site.Stack.Minio.Enabled = false
			ctx, cancel := context.WithCancel(t.Context())
			o := Options{Engine: l.engine, Stack: l.stack(), Events: func(Event) {}}
			on("testdb", state, cancel)(&o)
			started := time.Now()
			_, err := Up(ctx, o)
			cancel()
			if state != StateMaking && (!errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "xtci up goes on from here")) {
				t.Errorf("got %v", err)
			}
			if took := time.Since(started); took > o.Stack.service("testdb").Timeout/2 {
				t.Errorf("it took %s to see that it was interrupted", took)
			}
			l.up()
			l.healthy()
		})
	}
}

// smallDisk makes the lab's prefix a disk of that size, in memory.
func (l *lab) smallDisk(size int) {
	l.t.Helper()
	if os.Geteuid() != 0 {
		l.t.Skip("NOT TESTED: only root can mount a small disk")
	}
	prefix := l.site.Stack.Prefix
	if out, err := exec.CommandContext(l.t.Context(), "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", size), "lab", prefix).CombinedOutput(); err != nil {
		l.t.Skipf("NOT TESTED: a small disk cannot be mounted here: %v: %s", err, out)
	}
	l.t.Cleanup(func() {
		ctx := context.WithoutCancel(l.t.Context())
		// containers have it mounted, and the lab removes them later
		if out, err := exec.CommandContext(ctx, "umount", "--lazy", prefix).CombinedOutput(); err != nil {
			l.t.Errorf("umount %s: %v: %s", prefix, err, out)
		}
	})
}

func TestThePrefixesDiskIsFull(t *testing.T) {
	t.Parallel()
	const size = 8 << 20
	for _, test := range []struct {
		name string
		left int      // bytes that are free
		says []string // in the error
	}{
		{"nothing is left", 0, []string{
			"minio: write its configuration: ", "no space left on device (make room on that disk, or choose another folder with --set stack.prefix=FOLDER)",
			"testdb: its container died at its start", "disk is full",
		}},
		{"a little is left", 64 << 10, []string{"testdb: its container died at its start", "the disk is full"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.smallDisk(size)
			fill := filepath.Join(l.site.Stack.Prefix, "fill")
			if err := os.WriteFile(fill, make([]byte, size-test.left), 0o600); err != nil && !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			_ = l.fails(test.says...)
			if err := os.Remove(fill); err != nil {
				t.Fatal(err)
			}
			l.up()
			l.healthy()
		})
	}
}
