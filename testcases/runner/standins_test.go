package runner

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/anuket-project/xtci/testcases"
)

// Stand-ins for what a run is given: a plan of made-up cases, an executor
// that is told what to leave, and a store in memory.

const tag = "RUNTEST1"

// planOf makes a plan: each phase is a list of cases; "seq:" in front of the
// first makes it sequential.
func planOf(phases ...string) testcases.Plan {
	var plan testcases.Plan
	for i, phase := range phases {
		names, sequential := strings.CutPrefix(phase, "seq:")
		planned := testcases.PlanPhase{Name: fmt.Sprintf("phase%d", i+1), Sequential: sequential}
		for _, name := range strings.Fields(names) {
			planned.Jobs = append(planned.Jobs, testcases.Job{Name: "job-" + name, Case: &testcases.Case{Name: name}})
		}
		plan.Phases = append(plan.Phases, planned)
	}
	return plan
}

// scriptedExecutor is a stand-in for containers: a case leaves what its
// function returns, or a file and PASS.
type scriptedExecutor struct {
	cases map[string]func(ctx context.Context) (Result, error)

	mu                   sync.Mutex
	executed             []string
	running, mostRunning int
}

func (e *scriptedExecutor) Execute(ctx context.Context, job testcases.Job, _ Build) (Result, error) {
	e.mu.Lock()
	e.executed = append(e.executed, job.Case.Name)
	e.running++
	e.mostRunning = max(e.mostRunning, e.running)
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.running--
	}()
	if execute, ok := e.cases[job.Case.Name]; ok {
		return execute(ctx)
	}
	return pushed(job.Case.Name, testcases.CriteriaPass), nil
}

// pushed is what a container leaves that worked: a log, and a record.
func pushed(name string, criteria testcases.Criteria) Result {
	return Result{
		Files:  []File{content("functest-kubernetes.log", "log of "+name), content(name+"/result.txt", "result of "+name)},
		Record: &testcases.Record{ID: "of-another-index", CaseName: name, Criteria: criteria, Details: []byte(`{"x":1}`)},
	}
}

func content(name, text string) File {
	return File{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
}

// memoryFiles is a stand-in for a store.
type memoryFiles struct {
	fail func(key string) error // nil for never

	mu   sync.Mutex
	held map[string]string
}

func (m *memoryFiles) Put(ctx context.Context, key string, r io.Reader) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if m.fail != nil {
		if err := m.fail(key); err != nil {
			return fmt.Errorf("store %s: %w", key, err)
		}
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held == nil {
		m.held = map[string]string{}
	}
	m.held[key] = string(text)
	return nil
}

// memoryIndex is a stand-in for an index.
type memoryIndex struct {
	fail func(testcases.Record) error // nil for never
	// added, if not nil, is told of each record that was added.
	added func(testcases.Record)

	mu      sync.Mutex
	records []testcases.Record
}

func (m *memoryIndex) Add(_ context.Context, record testcases.Record) error {
	if m.fail != nil {
		if err := m.fail(record); err != nil {
			return err
		}
	}
	m.mu.Lock()
	m.records = append(m.records, record)
	m.mu.Unlock()
	if m.added != nil {
		m.added(record)
	}
	return nil
}

func (m *memoryIndex) Find(_ context.Context, id string) (*testcases.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.records {
		if m.records[i].ID == id {
			return &m.records[i], nil
		}
	}
	return nil, nil
}

// recorded are the cases with a record, sorted; a case with two stands twice.
func (m *memoryIndex) recorded() []string {
	var names []string
	for _, record := range m.records {
		names = append(names, record.CaseName)
	}
	slices.Sort(names)
	return names
}

// A bench is a run with stand-ins for everything but the journal.
type bench struct {
	Options
	executor *scriptedExecutor
	files    *memoryFiles
	index    *memoryIndex
	dir      string

	mu     sync.Mutex
	events []Event
}

func newBench(t *testing.T, plan testcases.Plan) *bench {
	t.Helper()
	b := &bench{
		executor: &scriptedExecutor{cases: map[string]func(context.Context) (Result, error){}},
		files:    &memoryFiles{}, index: &memoryIndex{}, dir: t.TempDir(),
	}
	journal, err := NewJournal(b.dir, tag, testcases.Provenance{Tool: "xtci test"})
	if err != nil {
		t.Fatal(err)
	}
	b.Options = Options{Plan: plan, Executor: b.executor, Files: b.files, Index: b.index, Journal: journal, Events: b.note}
	t.Cleanup(func() { b.Journal.Close() })
	return b
}

func (b *bench) note(event Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, event)
}

// resume runs the campaign again as another process would: with the journal
// that is on disk.
func (b *bench) resume(ctx context.Context, t *testing.T) (Summary, error) {
	t.Helper()
	if err := b.Journal.Close(); err != nil {
		t.Fatal(err)
	}
	journal, err := ResumeJournal(b.dir, tag)
	if err != nil {
		t.Fatal(err)
	}
	b.Journal, b.events, b.executor.executed = journal, nil, nil
	return Run(ctx, b.Options)
}

// onDisk is the journal as a process that starts now reads it.
func (b *bench) onDisk(t *testing.T) *Journal {
	t.Helper()
	journal, err := OpenJournal(b.dir, tag)
	if err != nil {
		t.Fatal(err)
	}
	return journal
}

// states are the states and builds of all jobs on disk, as "passed 1".
func (b *bench) states(t *testing.T) map[string]string {
	t.Helper()
	states := map[string]string{}
	for _, job := range b.onDisk(t).Jobs {
		states[job.Case] = fmt.Sprintf("%s %d", job.State, job.Build)
	}
	return states
}
