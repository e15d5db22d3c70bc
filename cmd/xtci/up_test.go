package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anuket-project/xtci/internal/cluster/clustertest"
	"github.com/anuket-project/xtci/internal/docker/dockertest"
)

// A host runs the real binary against the real engine, with a stack of its
// own.
type host struct {
	t        testing.TB
	binary   string
	environ  []string
	patience time.Duration // how long one command may take
	prefix   string
	config   string               // of the site, if it has one
	cluster  *clustertest.StandIn // under test, if there is one
}

func newHost(t testing.TB) *host {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: runs the real binary, in which this test's flags change nothing")
	}
	engine := dockertest.Connect(t)
	name := dockertest.Name(t)
	name = "c" + name[len(name)-8:]
	dockertest.Cleanup(t, engine, map[string]string{"io.xtci.stack": name})
	h := &host{t: t, patience: 3 * time.Minute, binary: dockertest.Build(t, "./cmd/xtci"), prefix: filepath.Join(t.TempDir(), "prefix")}
	h.environ = append(
		os.Environ(), "XTCI_STACK_NAME="+name, "XTCI_STACK_PREFIX="+h.prefix,
		"XTCI_STACK_MINIO_IMAGE="+dockertest.MinioImage(t, engine), "XTCI_STACK_JENKINS_ENABLED=false",
		fmt.Sprintf("XTCI_STACK_MINIO_PORT=%d", dockertest.Port(t)), fmt.Sprintf("XTCI_STACK_MINIO_CONSOLE_PORT=%d", dockertest.Port(t)),
		fmt.Sprintf("XTCI_STACK_TESTDB_PORT=%d", dockertest.Port(t)), fmt.Sprintf("XTCI_STACK_FILES_PORT=%d", dockertest.Port(t)),
	)
	return h
}

// command is a run of xtci, which is not started.
func (h *host) command(ctx context.Context, args ...string) (cmd *exec.Cmd, out, errs *output) {
	out, errs = &output{}, &output{}
	if h.config != "" {
		args = append(args, "--config", h.config)
	}
	cmd = exec.CommandContext(ctx, h.binary, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = h.t.TempDir(), h.environ, out, errs
	return cmd, out, errs
}

// output is what a command has printed by now.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(text []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(text)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// run wants an exit code, and returns what was printed.
func (h *host) run(code int, args ...string) (out, errs string) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), h.patience)
	defer cancel()
	cmd, stdout, stderr := h.command(ctx, args...)
	err := cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != code {
		h.t.Fatalf("xtci %s exits %d, want %d (%v)\n%s%s", strings.Join(args, " "), got, code, err, stdout, stderr)
	}
	return stdout.String(), stderr.String()
}

// killed runs xtci and kills it after a while, unless it has ended by then.
func (h *host) killed(after time.Duration, args ...string) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), after)
	defer cancel()
	cmd, _, _ := h.command(ctx, args...) // whose context ends with SIGKILL
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	var ended *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &ended) && !errors.Is(err, context.DeadlineExceeded) {
		h.t.Fatal(err)
	}
}

func TestUpStatusDown(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	plan, _ := h.run(0, "up", "--plan")
	if !strings.Contains(plan, "-minio: it is not there") {
		t.Errorf("plan: %s", plan)
	}
	h.run(1, "status")
	out, _ := h.run(0, "up")
	if !strings.HasPrefix(out, "the stack is up (") || !strings.Contains(out, "http://127.0.0.1:") {
		t.Errorf("up: %s", out)
	}
	out, _ = h.run(0, "up")
	if !strings.HasPrefix(out, "nothing to do: the stack is as the site wants it (") {
		t.Errorf("up again: %s", out)
	}
	if plan, _ := h.run(0, "up", "--plan"); plan != "nothing to do: the stack is as the site wants it\n" {
		t.Errorf("plan: %s", plan)
	}
	out, _ = h.run(0, "status", "-o", "json")
	var status struct {
		Healthy  bool
		Services []struct{ Service, State string }
	}
	if err := json.Unmarshal([]byte(out), &status); err != nil || !status.Healthy || len(status.Services) != 3 {
		t.Errorf("status: %v\n%s", err, out)
	}
	if out, _ := h.run(0, "logs", "testdb"); !strings.Contains(out, "test DB: http://") {
		t.Errorf("logs: %s", out)
	}
	if _, errs := h.run(2, "logs", "oracle"); !strings.Contains(errs, "[files minio testdb]") {
		t.Errorf("logs of what is not there: %s", errs)
	}
	h.run(0, "down")
	h.run(2, "down", "--purge") // nobody answers
	if _, err := os.Stat(filepath.Join(h.prefix, "testdb")); err != nil {
		t.Errorf("data is gone without a yes: %v", err)
	}
	h.run(0, "down", "--purge", "--yes")
	if _, err := os.Stat(h.prefix); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("purge left the prefix: %v", err)
	}
}

func TestDockerThatIsNotThere(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.environ = append(h.environ, "DOCKER_HOST=unix://"+filepath.Join(t.TempDir(), "docker.sock"))
	for _, command := range []string{"up", "down", "status"} {
		if _, errs := h.run(3, command); !strings.Contains(errs, "start") {
			t.Errorf("%s does not say what to do: %s", command, errs)
		}
	}
}

// kills is how often a test kills xtci on its way up, and on its way down.
const kills = 20

func TestKilledOnItsWay(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	started := time.Now()
	h.run(0, "up")
	took := time.Since(started)
	h.run(0, "down")
	for i := range kills {
		h.killed(time.Duration(rand.Int64N(int64(took))), "up") //nolint:gosec // any moment will do
		if i%2 == 0 {                                           // else it goes on from what is there
			h.run(0, "up")
			h.run(0, "status")
		}
		h.killed(time.Duration(rand.Int64N(int64(time.Second))), "down") //nolint:gosec // any moment will do
		if i%2 == 1 {
			h.run(0, "down")
			h.run(1, "status")
		}
	}
	h.run(0, "up")
	h.run(0, "status")
	if out, _ := h.run(0, "up"); !strings.HasPrefix(out, "nothing to do") {
		t.Errorf("up, at the end: %s", out)
	}
	h.run(0, "down", "--purge", "--yes")
}
