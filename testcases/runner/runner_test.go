package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/testcases"
)

// leave makes a case leave a result.
func leave(result Result, err error) func(context.Context) (Result, error) {
	return func(context.Context) (Result, error) { return result, err }
}

func TestRunCountsHowJobsEnd(t *testing.T) {
	t.Parallel()
	failing := pushed("b", testcases.CriteriaFail)
	for _, test := range []struct {
		name      string
		plan      testcases.Plan
		keepGoing bool
		b         func(context.Context) (Result, error) // what case b does
		want      Summary
		executed  string // cases, sorted
		state     string // of b, in the journal
		detail    string
		recorded  []string
	}{
		{
			name: "all pass", plan: planOf("seq:a b", "c d"),
			want: Summary{Passed: 4}, executed: "a b c d", state: "passed 1", recorded: []string{"a", "b", "c", "d"},
		},
		{
			name: "a failed phase is run to its end and ends the campaign", plan: planOf("seq:a b c", "d e", "f"), b: leave(failing, nil),
			want: Summary{Passed: 2, Failed: 1, NotRun: 3, Stopped: "phase1"}, executed: "a b c", state: "failed 1", recorded: []string{"a", "b", "c"},
		},
		{
			name: "a failed parallel phase ends the campaign", plan: planOf("a b c", "d"), b: leave(failing, nil),
			want: Summary{Passed: 2, Failed: 1, NotRun: 1, Stopped: "phase1"}, executed: "a b c", state: "failed 1", recorded: []string{"a", "b", "c"},
		},
		{
			name: "or not, if it is to keep going", plan: planOf("seq:a b c", "d e"), keepGoing: true, b: leave(failing, nil),
			want: Summary{Passed: 4, Failed: 1}, executed: "a b c d e", state: "failed 1", recorded: []string{"a", "b", "c", "d", "e"},
		},
		{
			name: "the last phase fails", plan: planOf("a", "b"), b: leave(failing, nil),
			want: Summary{Passed: 1, Failed: 1, Stopped: "phase2"}, executed: "a b", state: "failed 1", recorded: []string{"a", "b"},
		},
		{
			name: "a test that cannot be run", plan: planOf("seq:a b c", "d"), b: leave(Result{}, errors.New("no such image")),
			want: Summary{Passed: 2, NotRun: 2, Stopped: "phase1"}, executed: "a b c", state: "not run 1", detail: "no such image", recorded: []string{"a", "c"},
		},
		{
			name: "a test that pushes no record", plan: planOf("a b"), b: leave(Result{Files: failing.Files}, nil),
			want: Summary{Passed: 1, Failed: 1, Stopped: "phase1"}, executed: "a b", state: "failed 1", detail: "it pushed no record", recorded: []string{"a"},
		},
		{
			name: "a file that cannot be opened", plan: planOf("a b"),
			b:    leave(Result{Record: failing.Record, Files: []File{{Name: "x", Open: func() (io.ReadCloser, error) { return nil, fs.ErrPermission }}}}, nil),
			want: Summary{Passed: 1, NotRun: 1, Stopped: "phase1"}, executed: "a b", state: "not run 1", detail: `its file "x": permission denied`, recorded: []string{"a"},
		},
		{
			name: "a file that cannot be read to its end", plan: planOf("a b"),
			b: leave(Result{Record: failing.Record, Files: []File{{Name: "x", Open: func() (io.ReadCloser, error) {
				return io.NopCloser(io.MultiReader(strings.NewReader("half"), iotest.ErrReader(errors.New("bad block")))), nil
			}}}}, nil),
			want: Summary{Passed: 1, NotRun: 1, Stopped: "phase1"}, executed: "a b", state: "not run 1", detail: `its file "x": bad block`, recorded: []string{"a"},
		},
		{
			name: "a file with a name that leads out", plan: planOf("a b"),
			b:    leave(Result{Record: failing.Record, Files: []File{content("../job-a-1/functest-kubernetes.log", "forged")}}, nil),
			want: Summary{Passed: 1, NotRun: 1, Stopped: "phase1"}, executed: "a b", state: "not run 1", detail: "leads out of the results", recorded: []string{"a"},
		},
		{name: "nothing to run", plan: planOf()},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, test.plan)
			b.KeepGoing = test.keepGoing
			if test.b != nil {
				b.executor.cases["b"] = test.b
			}
			got, err := Run(t.Context(), b.Options)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("summary (-want +got):\n%s", diff)
			}
			slices.Sort(b.executor.executed)
			if executed := strings.Join(b.executor.executed, " "); executed != test.executed {
				t.Errorf("executed %q, want %q", executed, test.executed)
			}
			if diff := cmp.Diff(test.recorded, b.index.recorded()); diff != "" {
				t.Errorf("recorded (-want +got):\n%s", diff)
			}
			journal := b.onDisk(t)
			if state := b.states(t)["b"]; state != test.state || !strings.Contains(journal.Jobs["job-b"].Detail, test.detail) {
				t.Errorf("b is %q: %q, want %q: %q", state, journal.Jobs["job-b"].Detail, test.state, test.detail)
			}
			if journal.Stopped.IsZero() {
				t.Error("the journal does not say that the campaign is over")
			}
			checkEvents(t, b, len(test.plan.Jobs())-unreached(test.plan, b))
			if b.files.held[tag+"/job-a-1/functest-kubernetes.log"] == "forged" {
				t.Error("a job wrote into the folder of another")
			}
		})
	}
}

// unreached counts the jobs of phases that were never begun.
func unreached(plan testcases.Plan, b *bench) int {
	return len(plan.Jobs()) - len(b.executor.executed)
}

// checkEvents wants each of the jobs to begin and to end once, in this order,
// with Done counting to their number.
func checkEvents(t *testing.T, b *bench, jobs int) {
	t.Helper()
	begun, ended := map[string]int{}, map[string]int{}
	var done []int
	for _, event := range b.events {
		name := event.Job.Name
		if event.State == StateRunning {
			if begun[name]++; ended[name] > 0 {
				t.Errorf("%s begins after it ended", name)
			}
			continue
		}
		ended[name]++
		done = append(done, event.Done)
		if event.Total != len(b.Plan.Jobs()) {
			t.Errorf("%s: total %d, want %d", name, event.Total, len(b.Plan.Jobs()))
		}
		if begun[name] != 1 && event.Detail != "done earlier" {
			t.Errorf("%s ends after %d beginnings", name, begun[name])
		}
	}
	slices.Sort(done) // events of side by side jobs come in any order
	for i, n := range done {
		if n != i+1 {
			t.Fatalf("done counts %v", done)
		}
	}
	if len(done) != jobs || len(ended) != jobs {
		t.Errorf("%d ends of %d jobs, want one of each of %d", len(done), len(ended), jobs)
	}
}

func TestRunKeepsFilesAndRecords(t *testing.T) {
	t.Parallel()
	b := newBench(t, planOf("a"))
	if _, err := Run(t.Context(), b.Options); err != nil {
		t.Fatal(err)
	}
	folder := tag + "/job-a-1"
	want := map[string]string{folder + "/functest-kubernetes.log": "log of a", folder + "/a/result.txt": "result of a"}
	if diff := cmp.Diff(want, b.files.held); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	record := b.index.records[0]
	if record.ID != recordID(folder) || len(record.ID) != 24 {
		t.Errorf("id %q: want that of the folder, as long as TestAPI's", record.ID)
	}
	details := `{"links":["` + folder + `/functest-kubernetes.log","` + folder + `/a/result.txt"],"x":1}`
	if string(record.Details) != details {
		t.Errorf("details %s, want %s", record.Details, details)
	}
}

func TestWithLinks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ details, want string }{
		{``, `{"links":["a"]}`},
		{`null`, `{"links":["a"]}`},
		{`{}`, `{"links":["a"]}`},
		{`{"links":["http://lab/a"],"z":{"y":[1.50]}}`, `{"links":["a"],"z":{"y":[1.50]}}`},
		{`["free"]`, `["free"]`},
		{`"free"`, `"free"`},
	} {
		got, err := withLinks(json.RawMessage(test.details), []string{"a"})
		if err != nil || string(got) != test.want {
			t.Errorf("%s: got %s, %v, want %s", test.details, got, err, test.want)
		}
	}
}

func TestSequentialJobsRunOneAfterTheOther(t *testing.T) {
	t.Parallel()
	b := newBench(t, planOf("seq:a b c d"))
	if _, err := Run(t.Context(), b.Options); err != nil {
		t.Fatal(err)
	}
	if order := strings.Join(b.executor.executed, " "); order != "a b c d" || b.executor.mostRunning != 1 {
		t.Errorf("order %q, %d at once", order, b.executor.mostRunning)
	}
}

// Every job waits for all others of its phase to have begun: the test hangs,
// which synctest tells, if they do not run side by side.
func TestParallelJobsRunSideBySide(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, planOf("a b c", "d"))
		meet := make(chan struct{})
		begun := make(chan struct{}, 3)
		for _, name := range []string{"a", "b", "c"} {
			b.executor.cases[name] = func(context.Context) (Result, error) {
				begun <- struct{}{}
				<-meet
				return pushed(name, testcases.CriteriaPass), nil
			}
		}
		go func() {
			for range 3 {
				<-begun
			}
			close(meet)
		}()
		if _, err := Run(t.Context(), b.Options); err != nil {
			t.Fatal(err)
		}
		if last := b.executor.executed[3]; last != "d" || b.executor.mostRunning != 3 {
			t.Errorf("last %s, %d at once", last, b.executor.mostRunning)
		}
	})
}

// untilInterrupted is a container that runs until it is stopped.
func untilInterrupted(begun chan<- struct{}) func(context.Context) (Result, error) {
	return func(ctx context.Context) (Result, error) {
		begun <- struct{}{}
		<-ctx.Done()
		return Result{}, ctx.Err()
	}
}

var errInterrupt = errors.New("interrupt signal received") // as signal.NotifyContext gives

func TestInterruptAndResume(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name        string
		plan        testcases.Plan
		interrupted []string // run when the interrupt comes
		before      map[string]string
		resumed     string // executed again, sorted
		after       map[string]string
		events      int
	}{
		{
			name: "in a sequential phase", plan: planOf("seq:a b c", "d"), interrupted: []string{"b"},
			before:  map[string]string{"a": "passed 1", "b": "running 1"},
			resumed: "b c d",
			after:   map[string]string{"a": "passed 1", "b": "passed 2", "c": "passed 1", "d": "passed 1"},
		},
		{
			name: "in a parallel phase", plan: planOf("seq:a", "b c d", "e"), interrupted: []string{"b", "d"},
			before:  map[string]string{"a": "passed 1", "b": "running 1", "c": "passed 1", "d": "running 1"},
			resumed: "b d e",
			after:   map[string]string{"a": "passed 1", "b": "passed 2", "c": "passed 1", "d": "passed 2", "e": "passed 1"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, test.plan)
				begun := make(chan struct{})
				for _, name := range test.interrupted {
					b.executor.cases[name] = untilInterrupted(begun)
				}
				ctx, interrupt := context.WithCancelCause(t.Context())
				go func() {
					for range test.interrupted {
						<-begun
					}
					synctest.Wait() // until all that can end has ended
					interrupt(errInterrupt)
				}()
				_, err := Run(ctx, b.Options)
				if !errors.Is(err, errInterrupt) || strings.Count(err.Error(), errInterrupt.Error()) != 1 {
					t.Fatalf("got %v, want the interrupt, said once", err)
				}
				if diff := cmp.Diff(test.before, b.states(t)); diff != "" {
					t.Errorf("journal after the interrupt (-want +got):\n%s", diff)
				}
				clear(b.executor.cases)
				summary, err := b.resume(t.Context(), t)
				if err != nil {
					t.Fatal(err)
				}
				slices.Sort(b.executor.executed)
				if executed := strings.Join(b.executor.executed, " "); executed != test.resumed {
					t.Errorf("resume executed %q, want %q", executed, test.resumed)
				}
				if diff := cmp.Diff(test.after, b.states(t)); diff != "" {
					t.Errorf("journal after resume (-want +got):\n%s", diff)
				}
				if jobs := len(test.plan.Jobs()); summary.Passed != jobs || len(b.index.records) != jobs {
					t.Errorf("%+v with %d records, want all %d passed with one record each", summary, len(b.index.records), jobs)
				}
				checkEvents(t, b, len(test.plan.Jobs()))
			})
		})
	}
}

func TestInterruptedBeforeItBegins(t *testing.T) {
	t.Parallel()
	b := newBench(t, planOf("seq:a"))
	ctx, interrupt := context.WithCancelCause(t.Context())
	interrupt(errInterrupt)
	if _, err := Run(ctx, b.Options); !errors.Is(err, errInterrupt) || len(b.executor.executed) != 0 || len(b.onDisk(t).Jobs) != 0 {
		t.Errorf("got %v, executed %v", err, b.executor.executed)
	}
}

// What cannot be kept ends the run; what was kept stays; resume runs the job
// again and nothing else, and no job has two records.
func TestResultsThatCannotBeKept(t *testing.T) {
	t.Parallel()
	full := fmt.Errorf("write: %w", syscall.ENOSPC)
	for _, test := range []struct {
		name    string
		plan    testcases.Plan
		spoil   func(*testing.T, *bench)
		repair  func(*testing.T, *bench)
		resumed string // executed again, sorted
		b       string // state of b after resume
	}{
		{
			name: "the disk is full when files are stored", plan: planOf("seq:a b c"),
			spoil: func(_ *testing.T, b *bench) {
				b.files.fail = func(key string) error {
					if strings.HasSuffix(key, "/b/result.txt") {
						return full
					}
					return nil
				}
			},
			repair: func(_ *testing.T, b *bench) { b.files.fail = nil }, resumed: "b c", b: "passed 2",
		},
		{
			name: "the disk is full in a parallel phase", plan: planOf("a b c"),
			spoil: func(_ *testing.T, b *bench) {
				b.files.fail = func(key string) error {
					if strings.Contains(key, "/job-b-") {
						return full
					}
					return nil
				}
			},
			repair: func(_ *testing.T, b *bench) { b.files.fail = nil }, resumed: "b", b: "passed 2",
		},
		{
			name: "the index fails after the files were stored", plan: planOf("seq:a b c"),
			spoil: func(_ *testing.T, b *bench) {
				b.index.fail = func(record testcases.Record) error {
					if record.CaseName == "b" {
						return full
					}
					return nil
				}
			},
			repair: func(_ *testing.T, b *bench) { b.index.fail = nil }, resumed: "b c", b: "passed 2",
		},
		{
			// the job is done then: it is not run again
			name: "the journal cannot be written after the record was added", plan: planOf("seq:a b c"),
			spoil: func(t *testing.T, b *bench) {
				b.index.added = func(record testcases.Record) {
					if record.CaseName == "b" {
						blockJournal(t, b)
					}
				}
			},
			repair: unblockJournal, resumed: "c", b: "passed 1",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, test.plan)
			test.spoil(t, b)
			_, err := Run(t.Context(), b.Options)
			if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("got %v, want an error that wraps its cause", err)
			}
			if !slices.Contains(b.index.recorded(), "a") {
				t.Error("the record of a is lost")
			}
			b.index.added = nil
			test.repair(t, b)
			if state := b.states(t)["b"]; state != "running 1" {
				t.Errorf("b is %q in the journal: it would not be looked at again", state)
			}
			summary, err := b.resume(t.Context(), t)
			if err != nil || summary.Passed != 3 {
				t.Fatalf("resume: %+v, %v", summary, err)
			}
			slices.Sort(b.executor.executed)
			if executed := strings.Join(b.executor.executed, " "); executed != test.resumed {
				t.Errorf("resume executed %q, want %q", executed, test.resumed)
			}
			if state := b.states(t)["b"]; state != test.b {
				t.Errorf("b is %q, want %q", state, test.b)
			}
			if diff := cmp.Diff([]string{"a", "b", "c"}, b.index.recorded()); diff != "" {
				t.Errorf("recorded (-want +got):\n%s", diff)
			}
		})
	}
}

// blockJournal moves the folder of the journal away: it cannot be written
// then, by root neither.
func blockJournal(t *testing.T, b *bench) {
	t.Helper()
	if err := os.Rename(b.dir, b.dir+".away"); err != nil {
		t.Error(err)
	}
}

func unblockJournal(t *testing.T, b *bench) {
	t.Helper()
	if err := os.Rename(b.dir+".away", b.dir); err != nil {
		t.Fatal(err)
	}
}

func TestNothingRunsWithoutAJournal(t *testing.T) {
	t.Parallel()
	b := newBench(t, planOf("a b"))
	blockJournal(t, b)
	defer unblockJournal(t, b)
	if _, err := Run(t.Context(), b.Options); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "journal") {
		t.Errorf("got %v", err)
	}
	if len(b.executor.executed) > 0 {
		t.Errorf("executed %v, of which nobody would know", b.executor.executed)
	}
}

func TestDrainedBetweenJobs(t *testing.T) {
	t.Parallel()
	for _, plan := range []string{"seq:a b c", "a b c"} {
		b := newBench(t, planOf(plan, "d"))
		drain := make(chan struct{})
		b.Drain = drain
		b.executor.cases = map[string]func(context.Context) (Result, error){"a": func(context.Context) (Result, error) {
			close(drain)
			return pushed("a", testcases.CriteriaPass), nil
		}}
		summary, err := Run(t.Context(), b.Options)
		if !errors.Is(err, ErrDrained) || !errors.Is(err, context.Canceled) || strings.Count(err.Error(), "stopped before all was run") != 1 {
			t.Errorf("%s: got %+v, %v", plan, summary, err)
		}
		if summary.Passed < 1 || summary.Failed != 0 || summary.Passed+summary.NotRun != 4 || summary.Stopped != "" {
			t.Errorf("%s: the summary is not of all jobs: %+v", plan, summary)
		}
		if !slices.Contains(b.index.recorded(), "a") {
			t.Errorf("%s: what ran was not kept: %v", plan, b.index.recorded())
		}
		b.Drain = nil
		b.executor.cases = nil
		if summary, err := Run(t.Context(), b.Options); err != nil || summary.Passed != 4 {
			t.Errorf("%s, again: %+v, %v", plan, summary, err)
		}
	}
}

// inTurn makes a case leave one result after the other.
func inTurn(results ...Result) func(context.Context) (Result, error) {
	return func(context.Context) (Result, error) {
		result := results[0]
		results = results[1:]
		return result, nil
	}
}

func TestWhatDoesNotPassIsRunAgain(t *testing.T) {
	t.Parallel()
	pass, fail := pushed("b", testcases.CriteriaPass), pushed("b", testcases.CriteriaFail)
	for _, test := range []struct {
		name     string
		retries  int
		b        []Result
		state    string
		earlier  int
		recorded string
		again    int // events that say so
		summary  Summary
	}{
		{"it passes at once", 2, []Result{pass}, "passed 1", 0, "a b c", 0, Summary{Passed: 3}},
		{"the second run passes", 2, []Result{fail, pass}, "passed 2", 1, "a b b c", 1, Summary{Passed: 3}},
		{"the last run passes", 2, []Result{fail, fail, pass}, "passed 3", 2, "a b b b c", 2, Summary{Passed: 3}},
		{"none passes", 1, []Result{fail, fail}, "failed 2", 1, "a b b", 1, Summary{Passed: 1, Failed: 1, NotRun: 1, Stopped: "phase1"}},
		{"a run that pushes nothing counts", 1, []Result{{}, pass}, "passed 2", 1, "a b c", 1, Summary{Passed: 3}},
		{"nothing is run again unasked", 0, []Result{fail}, "failed 1", 0, "a b", 0, Summary{Passed: 1, Failed: 1, NotRun: 1, Stopped: "phase1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, planOf("a b", "c"))
			b.Retries = test.retries
			b.executor.cases["b"] = inTurn(test.b...)
			summary, err := Run(t.Context(), b.Options)
			if err != nil || summary != test.summary {
				t.Errorf("got %+v, %v, want %+v", summary, err, test.summary)
			}
			job := b.onDisk(t).Jobs["job-b"]
			if state := b.states(t)["b"]; state != test.state || len(job.Earlier) != test.earlier {
				t.Errorf("b is %q after %d, want %q after %d", state, len(job.Earlier), test.state, test.earlier)
			}
			if recorded := strings.Join(b.index.recorded(), " "); recorded != test.recorded {
				t.Errorf("recorded %q, want %q", recorded, test.recorded)
			}
			again, most := 0, 0
			for _, event := range b.events {
				if event.Again {
					again++
				}
				most = max(most, event.Done)
			}
			if again != test.again || most != 3-test.summary.NotRun {
				t.Errorf("%d events say that it is run again, and %d jobs are done; want %d", again, most, test.again)
			}
			for build := 1; build <= test.earlier+1; build++ {
				if len(test.b[build-1].Files) > 0 && b.files.held[fmt.Sprintf("%s/job-b-%d/b/result.txt", tag, build)] == "" {
					t.Errorf("the files of run %d were not kept", build)
				}
			}
			if runs := b.onDisk(t).Declared().Runs; len(runs) != test.earlier+len(b.states(t)) || runs[0].Stopped.IsZero() || runs[0].State == "" {
				t.Errorf("declared runs: %+v", runs)
			}
		})
	}
}

func TestFailedJobsOfAnEndedCampaignAreRunAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, planOf("a b"))
	b.KeepGoing = true
	b.executor.cases["b"] = leave(pushed("b", testcases.CriteriaFail), nil)
	if summary, err := Run(t.Context(), b.Options); err != nil || summary.Failed != 1 {
		t.Fatalf("got %+v, %v", summary, err)
	}
	clear(b.executor.cases)
	if summary, err := b.resume(t.Context(), t); err != nil || summary.Failed != 1 || len(b.executor.executed) != 0 {
		t.Errorf("resumed: %+v, %v, executed %v", summary, err, b.executor.executed)
	}
	b.Retries = 1
	if summary, err := b.resume(t.Context(), t); err != nil || summary.Passed != 2 || strings.Join(b.executor.executed, " ") != "b" {
		t.Errorf("resumed, to run again what failed: %+v, %v, executed %v", summary, err, b.executor.executed)
	}
}

func TestFilesOfWhatCannotBeToldAreKept(t *testing.T) {
	t.Parallel()
	b := newBench(t, planOf("a"))
	b.executor.cases["a"] = leave(Result{Files: []File{content("a/e2e.log", "three hours")}}, errors.New("the test DB does not answer"))
	if summary, err := Run(t.Context(), b.Options); err != nil || summary.NotRun != 1 {
		t.Errorf("got %+v, %v", summary, err)
	}
	if b.files.held[tag+"/job-a-1/a/e2e.log"] != "three hours" {
		t.Errorf("kept: %v", b.files.held)
	}
}
