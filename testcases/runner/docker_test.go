package runner

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/docker/dockertest"
	"github.com/anuket-project/xtci/testcases"
)

// pushedRecords is a stand-in for a results database: it has what a container
// would have pushed when it is asked for the second time.
type pushedRecords struct {
	earlier, later []testcases.Record
	asked          int
}

func (p *pushedRecords) Results(context.Context, string) iter.Seq2[testcases.Record, error] {
	p.asked++
	records := p.earlier
	if p.asked > 1 {
		records = append(records, p.later...)
	}
	return func(yield func(testcases.Record, error) bool) {
		for _, record := range records {
			if !yield(record, nil) {
				return
			}
		}
	}
}

// programmed is a job whose container does what the words of testprog say,
// whatever it is told.
func programmed(t *testing.T, engine *docker.Engine, words ...string) testcases.Job {
	t.Helper()
	entrypoint, err := json.Marshal(append([]string{"/testprog"}, words...))
	if err != nil {
		t.Fatal(err)
	}
	ref := "xtci-test/programmed:" + dockertest.Name(t)
	dockertest.Image(t, engine, ref, dockertest.Rootfs{
		Files:   map[string]string{"/testprog": dockertest.Build(t, "./internal/docker/dockertest/testprog")},
		Folders: []string{containerResults}, Changes: []string{"ENTRYPOINT " + string(entrypoint)},
	})
	return testcases.Job{Name: "job-k8s_quick", Case: &testcases.Case{Name: "k8s_quick"}, Container: testcases.Container{
		Image: ref, Env: config.Env{{Name: "DEPLOY_SCENARIO", Value: "k8 with\nblanks"}}, UID: 1000, GID: 1000,
	}}
}

type execution struct {
	engine  *docker.Engine
	records *pushedRecords
	docker  *Docker
	build   Build
}

func newExecution(t *testing.T) *execution {
	t.Helper()
	x := &execution{engine: dockertest.Connect(t), records: &pushedRecords{}, build: Build{strings.ToUpper(dockertest.Name(t)[10:]), 1}}
	x.docker = &Docker{
		Engine: x.engine, Records: x.records, Pod: "lab", Folder: t.TempDir(),
		Services: Services{TestDB: "http://testdb:8000/api/v1/results", TestDBX: "http://127.0.0.1:8000/api/v1/results"},
	}
	dockertest.Cleanup(t, x.engine, map[string]string{LabelCampaign: x.build.Tag})
	return x
}

// read reads a file of a result.
func read(t *testing.T, result Result, name string) string {
	t.Helper()
	for _, file := range result.Files {
		if file.Name != name {
			continue
		}
		content, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer content.Close()
		text, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	t.Errorf("it left no %s", name)
	return ""
}

// nothingLeft wants no container, and no folder once the result is released.
func (x *execution) nothingLeft(t *testing.T, result Result) {
	t.Helper()
	if result.Release != nil {
		if err := result.Release(); err != nil {
			t.Error(err)
		}
	}
	left, err := x.engine.Containers(context.WithoutCancel(t.Context()), map[string]string{LabelCampaign: x.build.Tag})
	if err != nil || len(left) > 0 {
		t.Errorf("containers are left: %v, %v", left, err)
	}
	folders, err := filepath.Glob(filepath.Join(x.docker.Folder, "*", "*"))
	if err != nil || len(folders) > 0 {
		t.Errorf("folders are left: %v, %v", folders, err)
	}
}

func TestDockerRunsAContainerAsXtestingDoes(t *testing.T) {
	t.Parallel()
	x := newExecution(t)
	x.records.earlier = []testcases.Record{{ID: "1", CaseName: "k8s_quick", Criteria: testcases.CriteriaPass}}
	x.records.later = []testcases.Record{{ID: "2", CaseName: "k8s_smoke"}, {ID: "3", CaseName: "k8s_quick", Criteria: testcases.CriteriaFail}}
	job := programmed(t, x.engine, "env=DEPLOY_SCENARIO", "env=BUILD_TAG", "env=NODE_NAME", "env=TEST_DB_URL", "err=oops",
		"write="+containerResults+"/functest-kubernetes.log=log", "exit=255")
	job.Container.Network = "none"
	result, err := x.docker.Execute(t.Context(), job, x.build)
	if err != nil {
		t.Fatal(err)
	}
	if result.Record == nil || result.Record.ID != "3" || result.Detail != "" {
		t.Errorf("record %+v, detail %q: want the one that it pushed", result.Record, result.Detail)
	}
	if text := read(t, result, "functest-kubernetes.log"); !strings.HasPrefix(text, "log") {
		t.Errorf("log: %q", text)
	}
	console := read(t, result, testcases.ConsoleFile)
	for _, want := range []string{"k8 with\nblanks", x.build.Tag, "lab", "http://testdb:8000/api/v1/results", "oops"} {
		if !strings.Contains(console, want) {
			t.Errorf("the console has no %q:\n%s", want, console)
		}
	}
	var run ContainerRun
	if err := json.Unmarshal([]byte(read(t, result, testcases.RunFile)), &run); err != nil || run.ExitCode != 255 || run.ImageID == "" || run.Stopped.Before(run.Started) {
		t.Errorf("%s: %+v, %v", testcases.RunFile, run, err)
	}
	x.nothingLeft(t, result)
}

func TestDockerSaysHowAContainerFailed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		words   []string
		timeout time.Duration
		want    string
	}{
		{"it cannot write", []string{"exit=70"}, 0, "exit code 70"},
		{"it crashes", []string{"exit=2"}, 0, "killed or crashed (exit code 2)"},
		{"there is no run_tests", []string{"exit=127"}, 0, "could not be started (exit code 127)"},
		{"it hangs", []string{"out=begun", "wait", "exit=255"}, 500 * time.Millisecond, "timeout of 500ms"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			x := newExecution(t)
			job := programmed(t, x.engine, test.words...)
			job.Timeout = test.timeout
			result, err := x.docker.Execute(t.Context(), job, x.build)
			if err != nil || !strings.Contains(result.Detail, test.want) || result.Record != nil {
				t.Errorf("got %+v, %v: want a detail with %q", result, err, test.want)
			}
			read(t, result, testcases.ConsoleFile)
			x.nothingLeft(t, result)
		})
	}
}

// Whoever reaches the test DB can push a record under the campaign's tag while
// the container runs: it must not stand for what the container says.
func TestDockerTakesNoneOfTwoRecords(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pushed []testcases.Criteria
		taken  bool
	}{
		{[]testcases.Criteria{testcases.CriteriaFail, testcases.CriteriaPass}, false},
		{[]testcases.Criteria{testcases.CriteriaPass, testcases.CriteriaFail}, false},
		{[]testcases.Criteria{testcases.CriteriaPass, testcases.CriteriaPass}, true}, // the first answer was lost, and it was pushed again
	} {
		x := newExecution(t)
		for i, criteria := range test.pushed {
			x.records.later = append(x.records.later, testcases.Record{ID: string(rune('1' + i)), CaseName: "k8s_quick", Criteria: criteria})
		}
		result, err := x.docker.Execute(t.Context(), programmed(t, x.engine, "exit=0"), x.build)
		if taken := err == nil && result.Record != nil && result.Record.ID == "2"; taken != test.taken {
			t.Errorf("%v: %+v, %v", test.pushed, result.Record, err)
		}
		read(t, result, testcases.ConsoleFile)
		x.nothingLeft(t, result)
	}
}

func TestDockerCannotRun(t *testing.T) {
	t.Parallel()
	x := newExecution(t)
	job := programmed(t, x.engine, "exit=0")
	without := job
	without.Container.Image = "xtci-test/nowhere:1"
	if result, err := x.docker.Execute(t.Context(), without, x.build); !errors.Is(err, docker.ErrNotFound) {
		t.Errorf("no image: %+v, %v", result, err)
	}
	volume := job
	volume.Container.Volumes = []string{"/nonexistent/kubeconfig:/root/.kube/config"}
	if result, err := x.docker.Execute(t.Context(), volume, x.build); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "/nonexistent/kubeconfig") {
		t.Errorf("no volume: %+v, %v", result, err)
	}
	x.nothingLeft(t, Result{})
}

func TestDockerIsInterrupted(t *testing.T) {
	t.Parallel()
	x := newExecution(t)
	job := programmed(t, x.engine, "out=begun", "wait", "exit=255")
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped by its user")
	done := make(chan error, 1)
	go func() {
		_, err := x.docker.Execute(ctx, job, x.build)
		done <- err
	}()
	dockertest.Until(t, 20*time.Second, "the container runs", func(ctx context.Context) error {
		containers, err := x.engine.Containers(ctx, map[string]string{LabelCampaign: x.build.Tag})
		if err == nil && (len(containers) == 0 || !containers[0].Running()) {
			err = errors.New("it does not")
		}
		return err
	})
	cancel(stopped)
	if err := <-done; !errors.Is(err, stopped) {
		t.Errorf("got %v", err)
	}
	x.nothingLeft(t, Result{})
}
