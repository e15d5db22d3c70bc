package installer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/docker/dockertest"
)

// A lab is a site of its own on the real engine: names, ports and a prefix
// that nobody else has. Nothing of it is left when the test ends.
type lab struct {
	t      testing.TB
	engine *docker.Engine
	site   config.Site

	mu     sync.Mutex
	events []Event
}

// newLab has MinIO and the test DB: the services that need nothing but what
// is built here.
func newLab(t testing.TB) *lab {
	t.Helper()
	engine := dockertest.Connect(t)
	l := &lab{t: t, engine: engine, site: config.Default()}
	l.site.Project = "lab"
	stack := &l.site.Stack
	name := dockertest.Name(t)
	stack.Name = "t" + name[len(name)-8:]
	stack.Prefix = t.TempDir()
	stack.Jenkins.Enabled, stack.Files.Enabled = false, false
	stack.Minio.Image, stack.Minio.Mirrors = dockertest.MinioImage(t, engine), nil
	stack.Minio.Port, stack.Minio.ConsolePort, stack.TestDB.Port = dockertest.Port(t), dockertest.Port(t), dockertest.Port(t)
	dockertest.Cleanup(t, engine, map[string]string{labelStack: stack.Name})
	return l
}

func (l *lab) stack() *Stack {
	l.t.Helper()
	own, err := NewOwnImage(dockertest.Build(l.t, "./cmd/xtci"))
	if err != nil {
		l.t.Fatal(err)
	}
	stack, err := NewStack(l.site, Host{
		Version: "test", Own: own, Socket: l.engine.SocketPath(),
		UID: os.Getuid(), GID: os.Getgid(),
	}, Cases{"functest": {"k8s_quick", "k8s_smoke"}})
	if err != nil {
		l.t.Fatal(err)
	}
	return stack
}

// try brings the stack up.
func (l *lab) try(change ...func(*Options)) (*Result, error) {
	l.t.Helper()
	o := Options{Engine: l.engine, Stack: l.stack(), Events: func(event Event) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.events = append(l.events, event)
	}}
	for _, c := range change {
		c(&o)
	}
	return Up(l.t.Context(), o)
}

// up brings the stack up, which must work, and returns its plan.
func (l *lab) up(change ...func(*Options)) string {
	l.t.Helper()
	result, err := l.try(change...)
	if err != nil {
		l.t.Fatal(err)
	}
	return result.Plan.String()
}

// fails brings the stack up, which must not work, with an error that says all
// of that.
func (l *lab) fails(says ...string) error {
	l.t.Helper()
	_, err := l.try()
	if err == nil {
		l.t.Fatal("the stack came up")
	}
	for _, text := range says {
		if !strings.Contains(err.Error(), text) {
			l.t.Errorf("the error does not say %q:\n%v", text, err)
		}
	}
	return err
}

// ids are the ids of the stack's containers, by service.
func (l *lab) ids() map[string]string {
	l.t.Helper()
	containers, err := l.engine.Containers(l.t.Context(), map[string]string{labelStack: l.site.Stack.Name})
	if err != nil {
		l.t.Fatal(err)
	}
	ids := map[string]string{}
	for _, container := range containers {
		ids[container.Labels[labelService]] = container.ID
	}
	return ids
}

func (l *lab) healthy() {
	l.t.Helper()
	status, err := Status(l.t.Context(), l.engine, l.stack())
	if err != nil || !Healthy(status) {
		l.t.Errorf("not healthy: %+v, %v", status, err)
	}
}

func TestUpAndDown(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	name := l.site.Stack.Name
	if diff := cmp.Diff(fmt.Sprintf(`create network %[1]s: it is not there
create %[1]s-minio: it is not there
create %[1]s-testdb: it is not there
`, name), without(l.up(), "make image")); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	l.healthy()
	first := l.ids()

	// again: nothing changes
	result, err := l.try()
	if err != nil || !result.Unchanged() {
		t.Errorf("the second up changed %+v, %v", result, err)
	}
	if diff := cmp.Diff(first, l.ids()); diff != "" {
		t.Errorf("containers (-first +second):\n%s", diff)
	}

	// one thing changes: nothing else is recreated
	l.site.Stack.TestDB.Memory = "256m"
	if plan := l.up(); plan != "recreate "+name+"-testdb: its limits changed\n" {
		t.Errorf("plan: %s", plan)
	}
	if now := l.ids(); now["minio"] != first["minio"] || now["testdb"] == first["testdb"] {
		t.Errorf("containers were %v, are %v", first, now)
	}
	l.healthy()

	if err := Down(t.Context(), l.engine, l.stack(), func(Event) {}); err != nil {
		t.Fatal(err)
	}
	if left := l.ids(); len(left) > 0 {
		t.Errorf("down left %v", left)
	}
	if _, err := l.engine.Network(t.Context(), name); !errors.Is(err, docker.ErrNotFound) {
		t.Errorf("down left the network: %v", err)
	}
	if err := Down(t.Context(), l.engine, l.stack(), func(Event) {}); err != nil {
		t.Errorf("down, again: %v", err)
	}
	if _, err := os.Stat(filepath.Join(l.site.Stack.Prefix, "testdb", "results.db")); err != nil {
		t.Errorf("down lost data: %v", err)
	}
	if err := os.Mkdir(filepath.Join(l.site.Stack.Prefix, ".before-restore-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(l.site.Stack.Prefix, "notes.txt")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Purge(t.Context(), l.engine, l.stack()); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(l.site.Stack.Prefix)
	if err != nil || len(left) != 1 || left[0].Name() != filepath.Base(foreign) {
		t.Errorf("purge left %v, %v: want what is not xtci's alone", left, err)
	}
}

// without leaves lines out that begin like that.
func without(text, prefix string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, prefix) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func TestContainersAreConfined(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	stack := l.stack()
	for i := range stack.Services {
		c := stack.container(&stack.Services[i], "image")
		if !c.NoNewPrivileges || !c.DropAllCaps || c.Memory == 0 || c.LogMaxBytes == 0 || c.Privileged || !c.RestartUnlessStopped || !c.ReadOnlyRoot {
			t.Errorf("%s is not confined: %+v", c.Name, c)
		}
		for _, port := range c.Ports {
			if !net.ParseIP(port.HostIP).IsLoopback() {
				t.Errorf("%s publishes %+v", c.Name, port)
			}
		}
		for _, text := range append(append(c.Env, c.Command...), c.Labels[labelParts]) {
			if strings.Contains(text, l.site.Stack.Minio.SecretKey.Reveal()+"\"") || strings.Contains(text, l.site.Stack.Minio.JobsSecretKey.Reveal()) {
				t.Errorf("%s shows a password: %s", c.Name, text)
			}
		}
	}
}

func TestWhatStoppedIsStartedAgain(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.up()
	ids := l.ids()
	if err := l.engine.Stop(t.Context(), ids["minio"], 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if err := l.engine.Remove(t.Context(), ids["testdb"], true); err != nil {
		t.Fatal(err)
	}
	status, err := Status(t.Context(), l.engine, l.stack())
	if err != nil || Healthy(status) || status[0].State != "exited" || status[1].State != StateAbsent {
		t.Errorf("status %+v, %v", status, err)
	}
	plan := l.up()
	if !strings.Contains(plan, "start "+l.site.Stack.Name+"-minio: it had ended with code") || !strings.Contains(plan, "create "+l.site.Stack.Name+"-testdb: it is not there") {
		t.Errorf("plan: %s", plan)
	}
	l.healthy()
	if l.ids()["minio"] != ids["minio"] {
		t.Error("minio was recreated")
	}
}

func TestAPortThatIsTaken(t *testing.T) {
	t.Parallel()
	t.Run("by a container", func(t *testing.T) {
		t.Parallel()
		other := newLab(t)
		other.up()
		l := newLab(t)
		l.site.Stack.TestDB.Port = other.site.Stack.TestDB.Port
		_ = l.fails("testdb:", "it is published by the container "+other.site.Stack.Name+"-testdb", "--set stack.testdb.port=PORT")
		if _, ok := l.ids()["minio"]; !ok {
			t.Error("minio did not stay up")
		}
		l.site.Stack.TestDB.Port = dockertest.Port(t)
		l.up() // goes on
		l.healthy()
		other.healthy()
	})
	t.Run("by a process", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", l.site.Stack.TestDB.Port))
		if err != nil {
			t.Fatal(err)
		}
		_ = l.fails("testdb:", fmt.Sprint(l.site.Stack.TestDB.Port), "a process of this host has it")
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		l.up()
		l.healthy()
	})
}

func TestWhatIsNotOursIsNotTouched(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	label := map[string]string{dockertest.Label: l.site.Stack.Name}
	dockertest.Cleanup(t, l.engine, label)
	id, err := l.engine.Create(t.Context(), docker.Container{Name: l.site.Stack.Name + "-testdb", Image: dockertest.Testprog(t, l.engine), Labels: label})
	if err != nil {
		t.Fatal(err)
	}
	_ = l.fails("testdb:", "is not of this stack", "--set stack.name=NAME")
	if err := Down(t.Context(), l.engine, l.stack(), func(Event) {}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.engine.Container(t.Context(), id); err != nil {
		t.Errorf("somebody's container: %v", err)
	}
	if err := l.engine.Remove(t.Context(), id, true); err != nil {
		t.Fatal(err)
	}
	if _, err := l.engine.CreateNetwork(t.Context(), docker.Network{Name: l.site.Stack.Name, Labels: label}); err != nil {
		t.Fatal(err)
	}
	_ = l.fails("the network " + l.site.Stack.Name + " is there already and is not of this stack")
}

func TestAStackOfANewerXtciIsLeftAlone(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	labels := l.stack().labels()
	labels[labelSchema], labels[labelVersion], labels[labelService] = "2", "v99", "testdb"
	id, err := l.engine.Create(t.Context(), docker.Container{Name: l.site.Stack.Name + "-testdb", Image: dockertest.Testprog(t, l.engine), Labels: labels})
	if err != nil {
		t.Fatal(err)
	}
	_ = l.fails("made by a newer xtci (v99")
	if err := Down(t.Context(), l.engine, l.stack(), func(Event) {}); err == nil {
		t.Error("down took it down")
	}
	if _, err := l.engine.Container(t.Context(), id); err != nil {
		t.Error(err)
	}
}

func TestTwoStacksOfOneName(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.up()
	prefix := l.site.Stack.Prefix
	l.site.Stack.Prefix = t.TempDir()
	_ = l.fails("belongs to the stack", prefix)
}

func TestAContainerThatDiesAtItsStart(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.site.Stack.Minio.AccessKey = "x" // too short for MinIO
	err := l.fails("minio:", "died at its start", "the end of its log:")
	failed, ok := errors.AsType[*ServiceError](err)
	if !ok || len(failed.Log) == 0 || len(failed.Log) > logTail {
		t.Errorf("the error has the log %q", failed.Log)
	}
	if _, ok := l.ids()["testdb"]; !ok {
		t.Error("what had come up did not stay up")
	}
	l.site.Stack.Minio.AccessKey = "xtesting"
	l.up()
	l.healthy()
}

func TestHealthThatNeverComes(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	stack := l.stack()
	stack.service("testdb").Timeout = 300 * time.Millisecond
	stack.service("testdb").Ready = func(context.Context) error { return errors.New("it yawns") }
	_, err := l.try(func(o *Options) { o.Stack = stack })
	if err == nil || !strings.Contains(err.Error(), "testdb: not healthy after 0s: it yawns") {
		t.Errorf("got %v", err)
	}
}

func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.site.Stack.Minio.Memory = "6m"
	_ = l.fails("minio:", "died at its start", "raise stack.minio.memory")
}

func TestAnImageThatIsNowhere(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	nobody := fmt.Sprintf("127.0.0.1:%d/minio:1", dockertest.Port(t))
	l.site.Stack.Minio.Image, l.site.Stack.Minio.Mirrors = nobody, []string{nobody + "-mirror"}
	_ = l.fails("minio: no place has its image", nobody, nobody+"-mirror", "xtci bundle load")
	_, err := l.try(func(o *Options) { o.Offline = true })
	if err == nil || !strings.Contains(err.Error(), "--offline pulls nothing") {
		t.Errorf("offline: %v", err)
	}
}

func TestOneAtATime(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	unlock, err := lockStack(l.site.Stack.Prefix)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.fails("another xtci is changing the stack")
	unlock()
	l.up()
}
