package runner

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/testcases"
)

var errAway = errors.New("the store does not answer")

// awayFor has the store of a bench refuse what it is given for so long, and
// counts what is told of that.
func awayFor(b *bench, away time.Duration) (told *int) {
	told = new(int)
	back := time.Now().Add(away)
	b.files.fail = func(string) error {
		if time.Now().Before(back) {
			return errAway
		}
		return nil
	}
	b.Mends = func(err error) bool { return errors.Is(err, errAway) }
	b.Waiting = func(testcases.Job, error) { *told++ }
	return told
}

func TestAStoreIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, planOf("a"))
		told := awayFor(b, awayTime-time.Minute)
		if summary, err := Run(t.Context(), b.Options); err != nil || summary.Passed != 1 {
			t.Errorf("got %+v, %v", summary, err)
		}
		if len(b.files.held) != 2 || *told != 1 {
			t.Errorf("%d files are kept, and it was told %d times what is waited for", len(b.files.held), *told)
		}
	})
}

func TestAStoreIsNotWaitedForForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, planOf("seq:a b"))
		awayFor(b, time.Hour)
		began := time.Now()
		_, err := Run(t.Context(), b.Options)
		if took := time.Since(began); !errors.Is(err, errAway) || took > awayTime+time.Minute {
			t.Errorf("after %s got %v", took, err)
		}
		if state := b.states(t)["a"]; state != "running 1" || len(b.executor.executed) != 1 {
			t.Errorf("a is %q, %v were executed: want a to be run again, and nothing more now", state, b.executor.executed)
		}
	})
}

func TestOnlyWhatMayMendIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, planOf("a"))
		told := awayFor(b, 0)
		refused := errors.New("access denied")
		b.files.fail = func(string) error { return refused }
		if _, err := Run(t.Context(), b.Options); !errors.Is(err, refused) || *told != 0 {
			t.Errorf("got %v, told %d times", err, *told)
		}
	})
}

func TestInterruptedWhileAStoreIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, planOf("a"))
		awayFor(b, time.Hour)
		stopped := errors.New("stopped by its user")
		ctx, cancel := context.WithCancelCause(t.Context())
		b.Waiting = func(testcases.Job, error) { cancel(stopped) }
		if _, err := Run(ctx, b.Options); !errors.Is(err, stopped) || errors.Is(err, errAway) {
			t.Errorf("got %v, want that it was stopped", err)
		}
	})
}

// awayOnce is an engine that does not answer the first time that it is asked
// for something after a container ended.
type awayOnce struct {
	*docker.Engine
	logs, remove sync.Once
}

func (e *awayOnce) Logs(ctx context.Context, id string, o docker.LogOptions) (err error) {
	e.logs.Do(func() { err = docker.ErrUnavailable })
	if err == nil {
		err = e.Engine.Logs(ctx, id, o)
	}
	return err
}

func (e *awayOnce) Remove(ctx context.Context, id string, force bool) (err error) {
	e.remove.Do(func() { err = docker.ErrUnavailable })
	if err == nil {
		err = e.Engine.Remove(ctx, id, force)
	}
	return err
}

// What a container left is not given up because the engine goes away just
// when it has ended.
func TestDockerGoesAwayAfterAContainerEnded(t *testing.T) {
	t.Parallel()
	x := newExecution(t)
	x.docker.Engine = &awayOnce{Engine: x.engine}
	x.records.later = []testcases.Record{{ID: "1", CaseName: "k8s_quick", Criteria: testcases.CriteriaPass}}
	told := 0
	x.docker.Waiting = func(testcases.Job, error) { told++ }
	result, err := x.docker.Execute(t.Context(), programmed(t, x.engine, "out=done", "exit=0"), x.build)
	if err != nil || result.Record == nil || result.Detail != "" || told != 2 {
		t.Errorf("got %+v, %v; told %d times", result, err, told)
	}
	if console := read(t, result, testcases.ConsoleFile); !strings.Contains(console, "done") {
		t.Errorf("console: %q", console)
	}
	x.nothingLeft(t, result)
}

func TestARecordThatDidNotArrive(t *testing.T) {
	t.Parallel()
	x := newExecution(t)
	result, err := x.docker.Execute(t.Context(), programmed(t, x.engine, "out=PASS", "exit=0"), x.build)
	if want := "it ended (exit code 0), but no record of it reached the test DB: xtci-console.log says why"; err != nil || result.Record != nil || result.Detail != want {
		t.Errorf("got %+v, %v", result, err)
	}
	x.nothingLeft(t, result)
}
