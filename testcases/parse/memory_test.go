package parse

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/anuket-project/xtci/testcases"
)

// manyFailures streams a file of n tests that failed. Each has a reason and
// a stack of so many bytes.
type manyFailures struct {
	n, reason, stack int

	at   int
	rest io.Reader
}

func (m *manyFailures) Read(p []byte) (int, error) {
	for {
		if m.rest != nil {
			if n, err := m.rest.Read(p); n > 0 || !errors.Is(err, io.EOF) {
				return n, err
			}
		}
		var text string
		switch {
		case m.at == 0:
			text = fmt.Sprintf(`<testsuite tests="%d" failures="%d">`, m.n, m.n)
		case m.at <= m.n:
			text = fmt.Sprintf(`<testcase name="test %d" time="1"><failure type="Failure">f.go:1&#xA;%s&#xA;f.go:2&#xA;Panic: x&#xA;%s</failure></testcase>`,
				m.at, strings.Repeat("r", m.reason), strings.Repeat("s", m.stack))
		case m.at == m.n+1:
			text = "</testsuite>"
		default:
			return 0, io.EOF
		}
		m.at++
		m.rest = strings.NewReader(text)
	}
}

func (m *manyFailures) Close() error               { return nil }
func (m *manyFailures) Stat() (fs.FileInfo, error) { return m, nil }
func (m *manyFailures) Name() string               { return "junit_01.xml" }
func (m *manyFailures) Size() int64                { return 0 }
func (m *manyFailures) Mode() fs.FileMode          { return 0 }
func (m *manyFailures) ModTime() time.Time         { return time.Time{} }
func (m *manyFailures) IsDir() bool                { return false }
func (m *manyFailures) Sys() any                   { return nil }

// failingFS has that file besides.
type failingFS struct {
	fstest.MapFS
	failures manyFailures
}

func (f failingFS) Open(name string) (fs.File, error) {
	if name == "junit_01.xml" {
		file := f.failures
		return &file, nil
	}
	return f.MapFS.Open(name)
}

func (f failingFS) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := f.MapFS.ReadDir(name)
	return append(entries, fs.FileInfoToDirEntry(&manyFailures{})), err
}

// Not parallel: it measures the heap.
func TestReasonsAreBoundedInMemory(t *testing.T) {
	const log = "Ran 50000 of 50000 Specs in 1.000 seconds\nFAIL! -- 0 Passed | 50000 Failed | 0 Pending | 0 Skipped\n"
	files := failingFS{failures: manyFailures{n: maxChecks, reason: maxReason - 100}, MapFS: fstest.MapFS{"e2e.log": {Data: []byte(log)}}}
	before := heap()
	evidence, err := Case(Input{Case: conformance, Files: files})
	if err != nil || len(evidence.Checks) != maxChecks || len(evidence.Findings) != 0 {
		t.Fatalf("got %d checks, findings %+v, error %v", len(evidence.Checks), evidence.Findings, err)
	}
	held, reasons := heap()-before, 0
	for _, check := range evidence.Checks {
		reasons += len(check.Reason) + len(check.Where)
	}
	// after the budget, each still has the beginning of its reason
	if most := maxReasons + maxReason + maxChecks*(shortReason+300); reasons > most {
		t.Errorf("%d bytes of reasons are kept, want at most %d", reasons, most)
	}
	if last := evidence.Checks[maxChecks-1]; len(last.Reason) != shortReason || last.Status != testcases.StatusFail || last.Where != "f.go:2" {
		t.Errorf("the last: %+v", last)
	}
	if held > 128<<20 {
		t.Errorf("%d MiB are held", held>>20)
	}
	runtime.KeepAlive(evidence)
}

// Not parallel: it measures the heap. A short reason is a part of a long text.
func TestStacksAreNotHeld(t *testing.T) {
	files := failingFS{failures: manyFailures{n: 20_000, reason: 10, stack: 4 << 10}, MapFS: fstest.MapFS{}}
	before := heap()
	evidence, _ := Case(Input{Case: conformance, Files: files}) // there is no log
	if held := heap() - before; held > 32<<20 || len(evidence.Checks) != 20_000 {
		t.Errorf("%d MiB are held for %d checks", held>>20, len(evidence.Checks))
	}
	runtime.KeepAlive(evidence)
}

func heap() int64 {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return int64(memory.HeapAlloc)
}

func TestCollectorBoundsReasons(t *testing.T) {
	t.Parallel()
	var c collector
	for range maxChecks {
		c.add(testcases.Check{Name: "a", Status: testcases.StatusFail, Reason: strings.Repeat("r", 2*maxReason), Remedy: strings.Repeat("r", maxReason)})
	}
	total := 0
	for _, check := range c.evidence.Checks {
		total += len(check.Reason) + len(check.Remedy)
	}
	if most := maxReasons + maxReason + 2*maxChecks*shortReason; total > most {
		t.Errorf("%d bytes of reasons are kept, want at most %d", total, most)
	}
	if first := c.evidence.Checks[0]; len(first.Reason) != maxReason {
		t.Errorf("the first reason has %d bytes", len(first.Reason))
	}
}

func TestFindingsAreBoundedByKind(t *testing.T) {
	t.Parallel()
	var c collector
	var m e2eMerge
	for range 2 * maxFindings {
		c.find(testcases.FindingNote, testcases.Source{}, "a")
		m.find(testcases.FindingNote, "f", 1, "a")
	}
	c.find(testcases.FindingFailure, testcases.Source{}, "b")
	m.find(testcases.FindingFailure, "f", 1, "b")
	for _, evidence := range []testcases.Evidence{c.evidence, m.evidence} {
		wantFinding(t, evidence, testcases.FindingFailure, "b")
		if len(evidence.Findings) != maxFindings+1 {
			t.Errorf("got %d findings", len(evidence.Findings))
		}
	}
}

func TestNamesAreBounded(t *testing.T) {
	t.Parallel()
	f := e2eFile{merge: &e2eMerge{index: map[string]int{}, selection: selectionOf(t)}, name: "f", seen: map[string]int{}}
	for i := range maxNames/maxName + 10 {
		if err := f.take(junitCase{name: fmt.Sprintf("%0*d", maxName, i), seconds: 1}); err != nil {
			if i <= maxNames/maxName-10 {
				t.Errorf("refused name %d", i)
			}
			wantError(t, err, "the names of the test cases take more than 32 MiB")
			return
		}
	}
	t.Error("all names were taken")
}

func selectionOf(t *testing.T) *testcases.Selection {
	t.Helper()
	selection, err := testcases.NewSelection(conformance)
	if err != nil {
		t.Fatal(err)
	}
	return selection
}
