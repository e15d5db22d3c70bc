package jenkins_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/docker/dockertest"
	"github.com/anuket-project/xtci/jenkins"
)

// A lab is a real engine with an image of tests.
type lab struct {
	*bench
	engine *docker.Engine
	site   config.Site
	owner  string
	graph  jenkins.Graph
}

// newLab makes the jobs of the cases passes, fails and endless.
func newLab(t *testing.T, timeout time.Duration) *lab {
	t.Helper()
	engine := dockertest.Connect(t)
	image := dockertest.Shared(t, engine, "runtests", dockertest.Rootfs{
		Files:   map[string]string{"/bin/run_tests": dockertest.Build(t, "./jenkins/testdata/runtests")},
		Folders: []string{"/tmp", "/var/lib/xtesting/results"},
		Changes: []string{`ENV PATH=/bin`},
	})
	_, tag, _ := strings.Cut(image, ":")
	l := &lab{bench: newBench(t), engine: engine, owner: dockertest.Name(t)}
	l.site = config.Default()
	l.site.Kubeconfig, l.site.Repo = "", "xtci-test"
	l.site.Suites = []config.Suite{{
		Container: "runtests", DockerTags: []config.DockerTag{{Name: tag, Env: config.Env{{Name: "FIXED", Value: nasty}}}},
		Tests: []string{"passes", "fails", "endless"}, Timeout: timeout,
	}}
	options := defaultOptions(l.site)
	options.Owner, options.Network, options.Workspace = l.owner, "bridge", l.workspace
	l.graph = graphOf(t, l.site, options)
	// The real docker.
	if err := os.Remove(filepath.Join(l.path, "docker")); err != nil {
		t.Fatal(err)
	}
	dockertest.Cleanup(t, engine, map[string]string{"io.xtci.owner": l.owner})
	return l
}

// script returns the name and the script of a case's job.
func (l *lab) script(name string) (jobName, script string) {
	l.t.Helper()
	i := slices.IndexFunc(l.graph.Jobs, func(j jenkins.Job) bool { return strings.HasSuffix(j.Name, "-"+name) })
	if i < 0 {
		l.t.Fatalf("no job of %s", name)
	}
	return l.graph.Jobs[i].Name, scriptOf(l.t, l.graph, l.graph.Jobs[i].Name)
}

func (l *lab) results(job, name string) string {
	return filepath.Join(l.workspace, job, "results", "G2K7M0Q4ZX1P-7", name)
}

// containers are those of the lab, running or not.
func (l *lab) containers() int {
	l.t.Helper()
	all, err := l.engine.Containers(l.t.Context(), map[string]string{"io.xtci.owner": l.owner})
	if err != nil {
		l.t.Fatal(err)
	}
	return len(all)
}

// What a site says arrives in a real container, which leaves its results and
// nothing else.
func TestRealContainer(t *testing.T) {
	t.Parallel()
	l := newLab(t, time.Hour)
	name, text := l.script("passes")
	status, console := l.run(name, text, map[string]string{"DEPLOY_SCENARIO": nasty})
	if status != 0 || !strings.Contains(console, "running passes") {
		t.Fatalf("status %d: %s", status, console)
	}
	raw, err := os.ReadFile(filepath.Join(l.results(name, "passes"), "environ.json"))
	if err != nil {
		t.Fatal(err)
	}
	var environ []string
	if err := json.Unmarshal(raw, &environ); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"DEPLOY_SCENARIO=" + nasty, "FIXED=" + nasty, "AWS_SECRET_ACCESS_KEY=a secret", "BUILD_TAG=G2K7M0Q4ZX1P"} {
		if !slices.Contains(environ, want) {
			t.Errorf("no %q in %q", want, environ)
		}
	}
	var record struct {
		Image, ID string
		Digests   []string
	}
	raw, err = os.ReadFile(filepath.Join(l.results(name, "passes"), "xtci-image.json"))
	if err == nil {
		err = json.Unmarshal(raw, &record)
	}
	if err != nil || !strings.HasPrefix(record.Image, "xtci-test/runtests:") || !strings.HasPrefix(record.ID, "sha256:") {
		t.Errorf("image %+v: %v", record, err)
	}
	name, text = l.script("fails")
	if status, console := l.run(name, text, nil); status != 255 {
		t.Errorf("status %d: %s", status, console)
	}
	if n := l.containers(); n > 0 {
		t.Errorf("%d containers are left", n)
	}
}

// An aborted build leaves no container, even one that does not heed SIGTERM.
func TestRealContainerIsStopped(t *testing.T) {
	t.Parallel()
	l := newLab(t, 0)
	name, text := l.script("endless")
	text = strings.ReplaceAll(text, "docker stop -t 30", "docker stop -t 1")
	cmd := l.command(t.Context(), name, text, nil)
	var console bytes.Buffer
	cmd.Stdout, cmd.Stderr = &console, &console
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, filepath.Join(l.results(name, "endless"), "environ.json"))
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if failed, ok := errors.AsType[*exec.ExitError](err); !ok || failed.ExitCode() != 143 {
		t.Errorf("ended with %v: %s", err, console.String())
	}
	if n := l.containers(); n > 0 {
		t.Errorf("%d containers are left: %s", n, console.String())
	}
}

func TestRealContainerTimesOut(t *testing.T) {
	t.Parallel()
	l := newLab(t, 2*time.Second)
	name, text := l.script("endless")
	text = strings.ReplaceAll(text, "docker stop -t 30", "docker stop -t 1")
	if status, console := l.run(name, text, nil); status != 124 || !strings.Contains(console, "timed out after 2s") {
		t.Errorf("status %d: %s", status, console)
	}
	if n := l.containers(); n > 0 {
		t.Errorf("%d containers are left", n)
	}
}

// A container that outlived its build is gone after the next one.
func TestRealContainerThatWasLeft(t *testing.T) {
	t.Parallel()
	l := newLab(t, 0)
	name, text := l.script("endless")
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	cmd := l.command(ctx, name, text, nil)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, filepath.Join(l.results(name, "endless"), "environ.json"))
	kill() // SIGKILL, which nothing can catch
	_ = cmd.Wait()
	if n := l.containers(); n != 1 {
		t.Fatalf("%d containers, want the one that was left", n)
	}
	// The next build of the same job finds it, whatever else it does.
	_, passes := l.script("passes")
	if status, console := l.run(name, passes, map[string]string{"BUILD_ID": "8"}); status != 0 || !strings.Contains(console, "of an earlier build") {
		t.Errorf("status %d: %s", status, console)
	}
	if n := l.containers(); n > 0 {
		t.Errorf("%d containers are left", n)
	}
}
