package parse

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/anuket-project/xtci/internal/recording"
	"github.com/anuket-project/xtci/testcases"
)

// conformance selects what public conformance submissions ran.
var conformance = &testcases.Case{Name: "conformance", Driver: "e2e_testing", Focus: `\[Conformance\]`}

// truth reads an independent count: a table with a header, by its first column.
func truth(t *testing.T, file string) map[string]map[string]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma = '\t'
	r.FieldsPerRecord = -1 // trailing empty columns are left out
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]map[string]string{}
	for _, row := range rows[1:] {
		table[row[0]] = map[string]string{}
		for i, cell := range row {
			table[row[0]][rows[0][i]] = cell
		}
	}
	return table
}

func number(t *testing.T, cell string) int {
	t.Helper()
	n, err := strconv.Atoi(cell)
	if err != nil {
		t.Fatalf("truth holds %q, not a number", cell)
	}
	return n
}

func parseRecording(t *testing.T, c *testcases.Case, dir string) (testcases.Evidence, error) {
	t.Helper()
	files, err := recording.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	return Case(Input{Case: c, Files: files})
}

// count counts specs and set-up nodes apart.
func count(evidence testcases.Evidence) (counts testcases.Counts, nodes int) {
	specs := testcases.Evidence{}
	for _, check := range evidence.Checks {
		if check.Class == testcases.ClassSetup || check.Class == testcases.ClassTeardown {
			nodes++
			continue
		}
		specs.Checks = append(specs.Checks, check)
	}
	return testcases.Count(specs.Checks), nodes
}

func hasFinding(evidence testcases.Evidence, file string, kinds ...testcases.FindingKind) bool {
	for _, finding := range evidence.Findings {
		for _, kind := range kinds {
			if finding.Kind == kind && finding.Source.File == file {
				return true
			}
		}
	}
	return false
}

func TestE2EAgreesWithTheTruthOfPublicSubmissions(t *testing.T) {
	t.Parallel()
	for name, want := range truth(t, "testdata/e2e/TRUTH.tsv") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			evidence, err := parseRecording(t, conformance, filepath.Join("testdata/e2e", name))
			if empty := want["junit_bytes"] == "0"; empty != (err != nil && strings.Contains(err.Error(), "junit_01.xml: empty")) && want["log_bytes"] != "" {
				t.Errorf("empty file: want %v, got error %v", empty, err)
			}
			got, nodes := count(evidence)
			passed := number(t, want["passed"])
			if strings.HasPrefix(want["root"], "testsuites") {
				passed -= number(t, want["setup_nodes"]) // the truth counts nodes that passed as test cases
			}
			if got.Passed != passed || got.Failed != number(t, want["failed"]) || got.Errors != 0 || nodes != 0 || got.Skipped != number(t, want["skipped"]) {
				t.Errorf("got %+v and %d failed nodes, want passed %d failed %s skipped %s", got, nodes, passed, want["failed"], want["skipped"])
			}
			if want["junit_log_agree"] == "" || want["junit_bytes"] == "0" {
				return // there is no log, or no XML
			}
			disagree := hasFinding(evidence, "e2e.log", testcases.FindingFailure, testcases.FindingIncomplete)
			if disagree != (want["junit_log_agree"] == "NO") {
				t.Errorf("log and XML agree: want %s, got findings %v", want["junit_log_agree"], evidence.Findings)
			}
		})
	}
}

func TestE2EAgreesWithTheTruthOfGeneratedSuites(t *testing.T) {
	t.Parallel()
	// the file lists each attempt of a flaky spec; five specs failed, twice
	// each, and a sixth at its first attempt only
	attempts := map[string]int{"v1-v1.16.5-flake2": 5 + 1}
	for name, want := range truth(t, "testdata/e2e-generated/TRUTH.tsv") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			evidence, err := parseRecording(t, conformance, filepath.Join("testdata/e2e-generated", name))
			if err != nil {
				t.Errorf("parse: %v", err)
			}
			got, nodes := count(evidence)
			skipped := number(t, want["skipped_unselected"]) + number(t, want["skipped_runtime"]) + number(t, want["pending"])
			if got.Passed != number(t, want["passed"]) || got.Skipped != skipped ||
				got.Failed != number(t, want["failed"])-attempts[name] || got.Errors != number(t, want["errors"]) || nodes != number(t, want["setup_failed"]) {
				t.Errorf("got %+v and %d failed nodes, want %v", got, nodes, want)
			}
			if got := byClass(evidence, testcases.ClassSkipped); got != number(t, want["skipped_runtime"]) {
				t.Errorf("skipped themselves: got %d, want %s", got, want["skipped_runtime"])
			}
			if strings.HasPrefix(name, "v2") { // v1 does not tell pending from not selected
				if got := byClass(evidence, testcases.ClassPending); got != number(t, want["pending"]) {
					t.Errorf("pending: got %d, want %s", got, want["pending"])
				}
			}
			bad := got.Failed + got.Errors + nodes
			if failed := want["log_verdict"] == "FAIL"; failed != (bad > 0) {
				t.Errorf("log says %s, XML has %d bad", want["log_verdict"], bad)
			}
			for _, finding := range evidence.Findings {
				if finding.Kind == testcases.FindingIncomplete {
					t.Errorf("log and XML are of one run, but: %+v", finding)
				}
			}
		})
	}
}

func byClass(evidence testcases.Evidence, class testcases.Class) int {
	n := 0
	for _, check := range evidence.Checks {
		if check.Class == class {
			n++
		}
	}
	return n
}

func TestE2EReasonsOfFailures(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		dir, spec     string
		status        testcases.Status
		class         testcases.Class
		reason, where string
	}{
		{"v1-v1.16.5-serial", "[sig-network] Services should panic on nil map", testcases.StatusFail, testcases.ClassPanic, "Test Panicked: assignment to entry in nil map", ""},
		{"v1-v1.16.5-serial", "[sig-network] Services should time out", testcases.StatusFail, testcases.ClassTimeout, "Timed out", "/opt/lab/gk/v1-v1.16.5/e2e_test.go:22"},
		{"v1-v1.16.5-serial", "[sig-network] Services should clean up endpoints", testcases.StatusFail, testcases.ClassFailure, `Destroying namespace "services-1": timed out`, "/opt/lab/gk/v1-v1.16.5/e2e_test.go:17"},
		{"v1-v1.16.5-beforesuite", "BeforeSuite", testcases.StatusError, testcases.ClassSetup, "error waiting for all (but 0) nodes to be ready: timed out waiting for the condition", ""},
		{"v2-v2.9.4-serial", "[sig-network] Services should panic on nil map", testcases.StatusError, testcases.ClassPanic, "Test Panicked: assignment to entry in nil map", ""},
		{"v2-v2.9.4-timeout4s", "[sig-node] Slow should wait 1", testcases.StatusFail, testcases.ClassTimeout, "A suite timeout occurred", "/opt/lab/gk/v2-v2.9.4/e2e_test.go:34"},
		{"v2-v2.9.4-beforesuite", "[SynchronizedBeforeSuite]", testcases.StatusError, testcases.ClassSetup, "error waiting for all (but 0) nodes to be ready: timed out waiting for the condition", "/opt/lab/gk/v2-v2.9.4/e2e_test.go:13"},
		{"v1-v1.16.5-serial", "[sig-network] Services should be able to create LoadBalancer [Slow]", testcases.StatusSkip, testcases.ClassSkipped, "Only supported for providers [gce gke aws] (not local)", "/opt/lab/gk/v1-v1.16.5/e2e_test.go:23"},
		{"v2-v2.9.4-serial", "[sig-network] Services should be able to create LoadBalancer [Slow]", testcases.StatusSkip, testcases.ClassSkipped, "Only supported for providers [gce gke aws] (not local)", ""},
	} {
		t.Run(test.dir+" "+test.spec, func(t *testing.T) {
			t.Parallel()
			evidence, err := parseRecording(t, conformance, filepath.Join("testdata/e2e-generated", test.dir))
			if err != nil {
				t.Fatal(err)
			}
			for _, check := range evidence.Checks {
				if check.Name != test.spec {
					continue
				}
				if check.Status != test.status || check.Class != test.class || !strings.Contains(check.Reason, test.reason) || (test.where != "" && check.Where != test.where) {
					t.Errorf("got %+v", check)
				}
				if check.Source.File == "" || check.Source.Line == 0 {
					t.Errorf("no place in the evidence: %+v", check.Source)
				}
				return
			}
			t.Errorf("not found")
		})
	}
}

func TestE2EFlakes(t *testing.T) {
	t.Parallel()
	evidence, err := parseRecording(t, conformance, "testdata/e2e-generated/v1-v1.16.5-flake2")
	if err != nil {
		t.Fatal(err)
	}
	flaked, twice := 0, 0
	for _, check := range evidence.Checks {
		if check.Flaked {
			flaked++
			if check.Status != testcases.StatusPass || check.Reason != "failed at first: flake: connection reset by peer" {
				t.Errorf("got %+v", check)
			}
		}
		if check.Attempts == 2 {
			twice++
		}
	}
	if flaked != 1 || twice != 6 {
		t.Errorf("got %d flaked and %d with two attempts, want 1 and 6", flaked, twice)
	}
}

// Real runs of the v1.23 binary against a small API server.
func TestE2ERuns(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		dir    string
		counts testcases.Counts
		nodes  int
		class  map[testcases.Class]int
		broken bool // evidence that contradicts itself
	}{
		{dir: "dry-run-conformance", counts: testcases.Counts{Skipped: 7052}, class: map[testcases.Class]int{testcases.ClassDryRun: 346}, broken: true},
		{dir: "beforesuite-failure", nodes: 1},
		{dir: "run1-31-passed", counts: testcases.Counts{Passed: 31, Skipped: 7021}},
		{dir: "run2-interrupted-sigterm-22p-2f", counts: testcases.Counts{Passed: 22, Failed: 2}, broken: true},
	} {
		t.Run(test.dir, func(t *testing.T) {
			t.Parallel()
			evidence, _ := parseRecording(t, conformance, filepath.Join("testdata/e2e-run", test.dir))
			got, nodes := count(evidence)
			got.Extra = 0
			if test.dir == "run2-interrupted-sigterm-22p-2f" {
				got.Skipped = 0
			}
			if got != test.counts || nodes != test.nodes {
				t.Errorf("got %+v and %d nodes, want %+v and %d", got, nodes, test.counts, test.nodes)
			}
			for class, want := range test.class {
				if got := byClass(evidence, class); got != want {
					t.Errorf("%s: got %d, want %d", class, got, want)
				}
			}
			if broken := hasFinding(evidence, "junit_01.xml", testcases.FindingIncomplete) || hasFinding(evidence, "e2e.log", testcases.FindingIncomplete); broken != test.broken {
				t.Errorf("findings %+v", evidence.Findings)
			}
		})
	}
}
