package parse

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/testcases"
)

// benchCase is the case of a target, or without any.
func benchCase(target string) *testcases.Case {
	c := &testcases.Case{Name: "kube_bench_" + target, Driver: "kube_bench"}
	if target != "" {
		c.Args = map[string]any{"target": target}
	}
	return c
}

const benchJSON, benchLog = "report.json", "functest-kubernetes.log"

// states counts checks by what kube-bench calls their state.
func states(checks []testcases.Check) map[string]int {
	counts := map[string]int{}
	for _, check := range checks {
		switch {
		case check.Status == testcases.StatusPass:
			counts["PASS"]++
		case check.Status == testcases.StatusFail:
			counts["FAIL"]++
		case check.Class == testcases.ClassWarning:
			counts["WARN"]++
		case check.Class == testcases.ClassSkipped:
			counts["INFO"]++
		}
	}
	return counts
}

func TestKubeBenchAgreesWithTheTruth(t *testing.T) {
	t.Parallel()
	for name, want := range truth(t, "testdata/kube-bench/TRUTH.tsv") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := asText(benchJSON, recorded(t, "testdata/kube-bench", name))
			evidence, err := parseFiles(benchCase(""), files, "")
			if err != nil {
				t.Fatal(err)
			}
			checkSound(t, files, evidence, err)
			got := states(evidence.Checks)
			for _, state := range []string{"PASS", "FAIL", "WARN", "INFO"} {
				if got[state] != number(t, want[state]) {
					t.Errorf("%s: got %d, want %s", state, got[state], want[state])
				}
			}
			if len(evidence.Checks) != number(t, want["checks"]) {
				t.Errorf("got %d checks, want %s", len(evidence.Checks), want["checks"])
			}
			if _, differ := finding(evidence, testcases.FindingNote, "totals do not agree"); differ != (want["header_agrees"] == "NO") {
				t.Errorf("totals agree: want %s, got %v", want["header_agrees"], evidence.Findings)
			}
			for version := range strings.SplitSeq(want["version"], "/") {
				if !strings.Contains(cmp.Diff(nil, evidence.Facts), version) {
					t.Errorf("facts lack version %s: %v", version, evidence.Facts)
				}
			}
			for _, check := range evidence.Checks {
				if !check.Informative {
					t.Errorf("%s is not informative", check.Name)
				}
			}
		})
	}
}

func TestKubeBenchInTheLogOfACampaign(t *testing.T) {
	t.Parallel()
	evidence, err := parseRecording(t, benchCase("master"), "testdata/campaign/kube_bench_master")
	if err != nil {
		t.Fatal(err)
	}
	want := truth(t, "testdata/campaign/TRUTH.tsv")["kube_bench_master"]
	got := states(evidence.Checks)
	if got["PASS"] != number(t, want["passed"]) || got["FAIL"] != number(t, want["failed"]) || got["WARN"] != number(t, want["skipped"]) {
		t.Errorf("got %v, want %v", got, want)
	}
	if len(evidence.Findings) != 0 {
		t.Errorf("want no finding, got %v", evidence.Findings)
	}

	// Python's text and the JSON that it was made of hold the same
	files := asText(benchJSON, recorded(t, "testdata/kube-bench", "generated-v0.3.1-master.json"))
	json, err := parseFiles(benchCase("master"), files, "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range json.Checks {
		json.Checks[i].Source = testcases.Source{File: benchLog, Line: 4}
	}
	if diff := cmp.Diff(json.Checks, evidence.Checks); diff != "" {
		t.Errorf("JSON and log (-JSON +log):\n%s", diff)
	}

	_, err = parseRecording(t, benchCase("node"), "testdata/campaign/kube_bench_node")
	wantError(t, err, benchLog+":3: no report: the driver broke: ValueError: malformed node or string")
}

// control makes a report of one control.
func control(result string) string {
	return "[{\"id\": \"1\", \"version\": \"1.5\", \"node_type\": \"node\", \"tests\": [{\"results\": [\n{\"test_number\": \"1.1.1\", \"test_desc\": \"Ensure\", \"remediation\": \"chmod\", " + result + "}]}]}]"
}

func TestKubeBenchStates(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		result string
		status testcases.Status
		class  testcases.Class
		reason string
	}{
		"pass":                      {`"status": "PASS", "actual_value": "x"`, testcases.StatusPass, "", ""},
		"fail with a reason":        {`"status": "FAIL", "reason": "no audit", "actual_value": "x"`, testcases.StatusFail, testcases.ClassFailure, "no audit"},
		"fail with values":          {`"status": "FAIL", "actual_value": "644", "expected_result": "600"`, testcases.StatusFail, testcases.ClassFailure, "expected 600, found 644"},
		"fail with an expectation":  {`"status": "FAIL", "actual_value": "", "expected_result": "600"`, testcases.StatusFail, testcases.ClassFailure, "expected 600, found nothing"},
		"fail with what was found":  {`"status": "FAIL", "actual_value": "644\n", "reason": null`, testcases.StatusFail, testcases.ClassFailure, "found 644"},
		"fail without anything":     {`"status": "FAIL"`, testcases.StatusFail, testcases.ClassFailure, "no reason given by kube-bench"},
		"manual":                    {`"status": "WARN", "type": "manual", "reason": "Test marked as a manual test"`, testcases.StatusSkip, testcases.ClassWarning, "needs a human: Test marked as a manual test"},
		"manual without a reason":   {`"status": "WARN", "type": "manual"`, testcases.StatusSkip, testcases.ClassWarning, "needs a human: a manual test"},
		"warning with values":       {`"status": "WARN", "actual_value": "a", "expected_result": "b"`, testcases.StatusSkip, testcases.ClassWarning, "needs a human: expected b, found a"},
		"warning without anything":  {`"status": "WARN"`, testcases.StatusSkip, testcases.ClassWarning, "needs a human: kube-bench could not decide and gives no reason"},
		"skipped":                   {`"status": "INFO", "type": "skip", "reason": "Test marked as skip"`, testcases.StatusSkip, testcases.ClassSkipped, "Test marked as skip"},
		"skipped without a reason":  {`"status": "INFO"`, testcases.StatusSkip, testcases.ClassSkipped, "skipped; no reason given by kube-bench"},
		"a state that there is not": {`"status": "MAYBE"`, testcases.StatusError, testcases.ClassFailure, `kube-bench states "MAYBE", which is none of PASS, FAIL, WARN and INFO`},
		"no state at all":           {`"scored": true`, testcases.StatusError, testcases.ClassFailure, `kube-bench states "", which is none of PASS, FAIL, WARN and INFO`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			evidence, err := parseFiles(benchCase("node"), map[string]string{benchJSON: control(test.result)}, "")
			if broken := test.status == testcases.StatusError; (err != nil) != broken {
				t.Errorf("error: %v", err)
			}
			want := testcases.Check{
				Name: "1.1.1 Ensure", Status: test.status, Class: test.class, Reason: test.reason, Informative: true,
				Remedy: "chmod", Source: testcases.Source{File: benchJSON, Line: 2},
			}
			if test.status == testcases.StatusPass {
				want.Remedy = ""
			}
			if diff := cmp.Diff([]testcases.Check{want}, evidence.Checks); diff != "" {
				t.Errorf("mismatch (-want +got):\n%s", diff)
			}
		})
	}
}

func TestKubeBenchOfAnotherTarget(t *testing.T) {
	t.Parallel()
	evidence, err := parseFiles(benchCase("master"), map[string]string{benchJSON: control(`"status": "PASS"`)}, "")
	if err != nil {
		t.Fatal(err)
	}
	wantFinding(t, evidence, testcases.FindingNote, `is for node type "node", the case asks for "master"`)
}

func TestKubeBenchText(t *testing.T) {
	t.Parallel()
	text := string(recorded(t, "testdata/kube-bench", "kubebench-integration-Expected_output.txt"))
	files := map[string]string{benchLog: "2022-09-19 18:00:09,100 - a.b - INFO - " + text + "2022-09-19 18:20:34,900 - a.b - INFO - Test result:\n"}
	evidence, err := parseFiles(benchCase(""), files, "")
	if err != nil {
		t.Fatal(err)
	}
	checkSound(t, files, evidence, err)
	// the totals that the text ends with
	if diff := cmp.Diff(map[string]int{"PASS": 67, "FAIL": 11, "WARN": 45}, states(evidence.Checks)); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	if len(evidence.Findings) != 0 {
		t.Errorf("want no finding, got %v", evidence.Findings)
	}
	want := testcases.Check{
		Name:   "1.1.12 Ensure that the etcd data directory ownership is set to etcd:etcd (Automated)",
		Status: testcases.StatusFail, Class: testcases.ClassFailure, Informative: true, Reason: "no reason given by kube-bench",
		Remedy: "On the etcd server node, get the etcd data directory, passed as an argument --data-dir,\nfrom the below command:\nps -ef | grep etcd\n" +
			"Run the below command (based on the etcd data directory found above).\nFor example, chown etcd:etcd /var/lib/etcd",
		Source: testcases.Source{File: benchLog, Line: 14},
	}
	if diff := cmp.Diff(want, named(t, evidence, want.Name)); diff != "" {
		t.Errorf("mismatch (-want +got):\n%s", diff)
	}
	if got := named(t, evidence, "5.7.4 The default namespace should not be used (Manual)"); got.Reason != "needs a human: a manual test" || !strings.HasPrefix(got.Remedy, "Ensure that namespaces") {
		t.Errorf("got %+v", got)
	}

	evidence, err = parseFiles(benchCase("node"), map[string]string{benchLog: text[:6000]}, "")
	if err != nil {
		t.Fatal(err)
	}
	wantFinding(t, evidence, testcases.FindingIncomplete, "ends without its summary")

	evidence, err = parseFiles(benchCase("node"), map[string]string{benchLog: text}, "")
	if err != nil {
		t.Fatal(err)
	}
	wantFinding(t, evidence, testcases.FindingNote, `is for node type "etcd", the case asks for "node"`)
}

func TestKubeBenchTextSkipsAndTotals(t *testing.T) {
	t.Parallel()
	const text = "[PASS] 0.1 of a chapter that was cut off\n" +
		"[INFO] 2 Etcd\n[INFO] 2 Etcd Files\n[INFO] 2.1 Skipped (Automated)\n[WARN] 2.2 Broken (Automated)\n" +
		"== Remediations etcd ==\n2.2 audit test did not run: no file\n2.9 of no control\n\n" +
		"== Summary etcd ==\n1 checks PASS\n0 checks FAIL\n1 checks WARN\n1 checks INFO\n"
	evidence, err := parseFiles(benchCase("etcd"), map[string]string{benchLog: text}, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"PASS": 1, "WARN": 1, "INFO": 1}, states(evidence.Checks)); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	if got := named(t, evidence, "2.2 Broken (Automated)").Reason; got != "needs a human: no file" {
		t.Errorf("got reason %q", got)
	}
	wantFinding(t, evidence, testcases.FindingNote, "stated 1 PASS, counted 0")
}

func TestKubeBenchFallsBackOnTheRecord(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"generated-v0.3.1-node.json", "generated-v0.10.0-node.json"} {
		details := `{"links": ["x"], "report": ` + string(recorded(t, "testdata/kube-bench", name)) + `}`
		evidence, err := parseFiles(benchCase("node"), map[string]string{benchLog: "nothing\n"}, details)
		if err != nil {
			t.Fatal(err)
		}
		if len(evidence.Checks) < 20 {
			t.Errorf("%s: got %d checks", name, len(evidence.Checks))
		}
		wantFinding(t, evidence, testcases.FindingNote, "read from the container's record")
	}
}

func TestKubeBenchRefusesGarbage(t *testing.T) {
	t.Parallel()
	report := string(recorded(t, "testdata/kube-bench", "generated-v0.3.1-node.json"))
	tests := map[string]struct {
		files   map[string]string
		details string
		want    string
		checks  int
	}{
		"nothing":          {nil, "", "kube-bench's report: no report found: the container leaves", 0},
		"empty":            {map[string]string{benchJSON: ""}, "", benchJSON + ": empty", 0},
		"not JSON":         {map[string]string{benchJSON: "<html>"}, "", benchJSON + ":1: want an object", 0},
		"cut":              {map[string]string{benchJSON: report[:20000]}, "", benchJSON + ":1: cut off", 10},
		"cut, with record": {map[string]string{benchJSON: report[:20000]}, `{"report": ` + report + `}`, benchJSON + ":1: cut off", 23},
		"no controls":      {map[string]string{benchJSON: `{"Controls": [], "Totals": {}}`}, "", benchJSON + ": the report holds no control", 0},
		"nameless control": {map[string]string{benchJSON: `[{"tests": [{"results": [{"status": "PASS"}]}]}]`}, "", "a control without number and description", 0},
		"wrong kind":       {map[string]string{benchJSON: `[{"tests": [{"results": "none"}]}]`}, "", "want a list", 0},
		"cut in the log":   {map[string]string{benchLog: "a\n[{'node_type': 'node', 'tests': [{'results': [{'test_number': '1', 'status': 'PASS'}, {'"}, "", benchLog + ":2: cut off", 1},
		"not a literal":    {map[string]string{benchLog: "[{'node_type': __import__('os')}]\n"}, "", benchLog + `:1: "__import__" is no value`, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			evidence, err := parseFiles(benchCase("node"), test.files, test.details)
			wantError(t, err, test.want)
			if len(evidence.Checks) < test.checks {
				t.Errorf("got %d checks, want at least %d kept", len(evidence.Checks), test.checks)
			}
		})
	}
}

func FuzzKubeBench(f *testing.F) {
	f.Add([]byte(control(`"status": "FAIL", "actual_value": "x", "reason": "y"`)), false)
	f.Add([]byte(`{"Controls": `+control(`"status": "INFO"`)+`, "Totals": {"total_pass": 1}}`), false)
	f.Add([]byte("log\n[{'id': '1', 'node_type': 'node', 'tests': [{'results': [{'test_number': '1.1', 'status': 'WARN', 'reason': None}]}]}]\n"), true)
	f.Add(recorded(f, "testdata/kube-bench", "kubebench-integration-Expected_output.txt"), true)
	f.Add(recorded(f, "testdata/campaign/kube_bench_node", benchLog), true)
	f.Fuzz(func(t *testing.T, data []byte, isLog bool) {
		files := asText(benchJSON, data)
		if isLog {
			files = asText(benchLog, data)
		}
		evidence, err := parseFiles(benchCase("node"), files, "")
		checkSound(t, files, evidence, err)
	})
}
