package runner

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/testcases"
)

func TestExpected(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	begun := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	keep := func(tag string, changed time.Time, jobs map[string]JournalJob) {
		t.Helper()
		j, err := NewJournal(dir, tag, testcases.Provenance{})
		if err != nil {
			t.Fatal(err)
		}
		j.Jobs = jobs
		if err := j.finish(); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(dir, tag+".json"), changed, changed); err != nil {
			t.Fatal(err)
		}
	}
	took := func(state State, d time.Duration) JournalJob {
		return JournalJob{Case: "x", Build: 1, State: state, Started: begun, Stopped: begun.Add(d)}
	}
	keep("OLDER001", begun, map[string]JournalJob{"a": took(StatePassed, time.Hour), "b": took(StatePassed, time.Minute)})
	keep("NEWER001", begun.Add(time.Hour), map[string]JournalJob{"a": took(StateFailed, 2*time.Hour), "b": took(StateNotRun, time.Second), "c": took(StateRunning, 0)})
	if err := os.WriteFile(filepath.Join(dir, "BROKEN01.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	expected := Expected(dir)
	if diff := cmp.Diff(map[string]time.Duration{"a": 2 * time.Hour, "b": time.Minute}, expected); diff != "" {
		t.Errorf("expected (-want +got):\n%s", diff)
	}
	plan := planOf("a b", "seq:a b")
	expected["job-a"], expected["job-b"] = expected["a"], expected["b"]
	if got := ExpectedOf(plan, expected); got != 4*time.Hour+time.Minute {
		t.Errorf("the plan is expected to take %s", got)
	}
	if got := ExpectedOf(planOf("a d"), expected); got != 0 {
		t.Errorf("a plan with a job that is not known: %s", got)
	}
}
