package parse

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/anuket-project/xtci/internal/recording"
	"github.com/anuket-project/xtci/testcases"
)

// recorded returns a file of the recordings.
func recorded(t testing.TB, dir, name string) []byte {
	t.Helper()
	files, err := recording.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	data, err := fs.ReadFile(files, name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// parseFiles parses a case that left these files.
func parseFiles(c *testcases.Case, files map[string]string, details string) (testcases.Evidence, error) {
	folder := fstest.MapFS{}
	for name, text := range files {
		folder[name] = &fstest.MapFile{Data: []byte(text)}
	}
	in := Input{Case: c, Files: folder}
	if details != "" {
		in.Details = []byte(details)
	}
	return parsers[c.Driver](in)
}

// checkSound makes sure of what holds for the evidence of any input.
func checkSound(t *testing.T, files map[string]string, evidence testcases.Evidence, err error) {
	t.Helper()
	for _, e := range unjoin(err) {
		if bad, ok := errors.AsType[*Error](e); !ok || bad.File == "" || bad.Err == nil {
			t.Errorf("error %#v does not name its file", e)
		}
	}
	names := map[string]bool{}
	for _, check := range evidence.Checks {
		if check.Name == "" || names[check.Name] {
			t.Errorf("name %q is empty or taken", check.Name)
		}
		names[check.Name] = true
		switch check.Status {
		case testcases.StatusPass:
		case testcases.StatusFail, testcases.StatusSkip, testcases.StatusError:
			if check.Reason == "" || check.Class == "" {
				t.Errorf("%s: %s without reason or class: %+v", check.Name, check.Status, check)
			}
		default:
			t.Errorf("%s: status %q", check.Name, check.Status)
		}
		if len(check.Reason) > maxReason || len(check.Remedy) > maxReason {
			t.Errorf("%s: reason or remedy too long", check.Name)
		}
		lines := strings.Count(files[check.Source.File], "\n") + 1
		if check.Source.File == "" || check.Source.Line < 1 || check.Source.Line > lines {
			t.Errorf("%s: source %+v is not in the files %v", check.Name, check.Source, slices.Collect(maps.Keys(files)))
		}
	}
	if err == nil && len(evidence.Checks) == 0 && len(evidence.Findings) == 0 {
		t.Error("neither check nor finding nor error: a silent pass")
	}
}

// tally counts checks by status.
func tally(checks []testcases.Check) map[testcases.Status]int {
	counts := map[testcases.Status]int{}
	for _, check := range checks {
		counts[check.Status]++
	}
	return counts
}

// named returns the check of that name.
func named(t *testing.T, evidence testcases.Evidence, name string) testcases.Check {
	t.Helper()
	at := slices.IndexFunc(evidence.Checks, func(c testcases.Check) bool { return c.Name == name })
	if at < 0 {
		t.Fatalf("there is no check %q", name)
	}
	return evidence.Checks[at]
}

// finding returns the first finding of a kind whose text holds a part.
func finding(evidence testcases.Evidence, kind testcases.FindingKind, part string) (testcases.Finding, bool) {
	for _, f := range evidence.Findings {
		if f.Kind == kind && strings.Contains(f.Text, part) {
			return f, true
		}
	}
	return testcases.Finding{}, false
}

func wantFinding(t *testing.T, evidence testcases.Evidence, kind testcases.FindingKind, part string) {
	t.Helper()
	if _, ok := finding(evidence, kind, part); !ok {
		t.Errorf("want a finding %q with %q, got %v", kind, part, evidence.Findings)
	}
}

func wantError(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("want an error with %q, got %v", text, err)
	}
}

func wantNoIncomplete(t *testing.T, evidence testcases.Evidence) {
	t.Helper()
	if f, ok := finding(evidence, testcases.FindingIncomplete, ""); ok {
		t.Errorf("the evidence is complete, but: %+v", f)
	}
}

func TestOrdinalsAreUnique(t *testing.T) {
	t.Parallel()
	used := map[string]int{}
	var got []string
	for _, name := range []string{"a", "a [2]", "a", "a", "a [2]"} {
		got = append(got, ordinal(used, name))
	}
	if want := []string{"a", "a [2]", "a [3]", "a [4]", "a [2] [2]"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFindBreakdown(t *testing.T) {
	t.Parallel()
	const prefix = "2022-09-19 18:30:09,100 - "
	tests := map[string]struct {
		log  string
		want breakdown
	}{
		"nothing broke":        {prefix + "xtesting.ci.run_tests - INFO - fine\n", breakdown{}},
		"traceback":            {"x\nTraceback (most recent call last):\n  File \"a\", line 1\n\nValueError: bad\n" + prefix + "a - ERROR - b\n", breakdown{2, "ValueError: bad"}},
		"cut traceback":        {"Traceback (most recent call last):\n" + prefix + "a.b - INFO - c\n", breakdown{1, "it names no exception"}},
		"traceback at the end": {"Traceback (most recent call last):\n  File", breakdown{1, "it names no exception"}},
		"driver's error":       {prefix + "functest_kubernetes.ims.ims - ERROR - pods are not ready\n" + prefix + "xtesting.ci.run_tests - ERROR - The test case 'k8s_vims' failed.\n", breakdown{1, "pods are not ready"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := findBreakdown(fstest.MapFS{"a.log": {Data: []byte(test.log)}}, "a.log")
			if err != nil || got != test.want {
				t.Errorf("got %+v, %v, want %+v", got, err, test.want)
			}
		})
	}
}

func TestDebugLogsComeLast(t *testing.T) {
	t.Parallel()
	in := Input{Files: fstest.MapFS{"a.debug.log": {}, "b.log": {}, "c/a.txt": {}, "d.csv": {}}}
	got, err := findLogs(in)
	if want := []string{"b.log", "c/a.txt", "a.debug.log"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// asText returns files of bytes as texts.
func asText(name string, data []byte) map[string]string {
	return map[string]string{name: string(bytes.Clone(data))}
}

func TestChecksAreLimited(t *testing.T) {
	t.Parallel()
	var c collector
	for range maxChecks + 10 {
		c.add(testcases.Check{Name: "a", Status: testcases.StatusPass, Source: testcases.Source{File: "f", Line: 1}})
	}
	evidence, err := c.result()
	if len(evidence.Checks) != maxChecks || len(unjoin(err)) != 1 {
		t.Errorf("got %d checks and the error %v", len(evidence.Checks), err)
	}
	wantError(t, err, "f:1: more than 50000 checks in one case")
}

func TestErrorsAreLimited(t *testing.T) {
	t.Parallel()
	var c collector
	for range 2 * maxErrors {
		c.fail("f", 1, "bad")
	}
	if _, err := c.result(); len(unjoin(err)) != maxErrors {
		t.Errorf("got %d errors, want %d", len(unjoin(err)), maxErrors)
	}
}
