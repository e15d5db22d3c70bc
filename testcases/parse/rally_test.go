package parse

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/testcases"
)

var rallyCase = &testcases.Case{Name: "xrally_kubernetes_full", Driver: "xrally_kubernetes"}

// rallyFiles are recorded files of one task, as the container names them.
func rallyFiles(t testing.TB, names map[string]string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for as, name := range names {
		files[as] = string(recorded(t, "testdata/rally", name))
	}
	return files
}

const (
	xmlOfCase  = "xrally_kubernetes_full/xrally_kubernetes_full.xml"
	jsonOfCase = "xrally_kubernetes_full/task.json"
)

func TestRallyAgreesWithTheTruthOfACampaign(t *testing.T) {
	t.Parallel()
	for name, want := range truth(t, "testdata/campaign/TRUTH.tsv") {
		if !strings.HasPrefix(name, "xrally") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			evidence, err := parseRecording(t, &testcases.Case{Name: name, Driver: "xrally_kubernetes"}, "testdata/campaign/"+name)
			if err != nil {
				t.Fatal(err)
			}
			got := testcases.Count(evidence.Checks)
			if got.Passed != number(t, want["passed"]) || got.Failed != number(t, want["failed"]) || got.Errors+got.Skipped != 0 {
				t.Errorf("got %+v, want %v", got, want)
			}
			wantNoIncomplete(t, evidence)
		})
	}
}

func TestRallyNamesScenariosAsTheTable(t *testing.T) {
	t.Parallel()
	evidence, err := parseFiles(rallyCase, rallyFiles(t, map[string]string{xmlOfCase: "generated-3.3.0-pass.xml"}), "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, check := range evidence.Checks {
		got = append(got, check.Name)
	}
	want := []string{
		"Kubernetes.list_namespaces",
		"Kubernetes.create_and_delete_namespace",
		"Kubernetes.create_and_delete_pod",
		"Kubernetes.create_and_delete_pod_with_emptydir_volume",
		"Kubernetes.create_and_delete_pod_with_emptydir_volume [2]",
		"Kubernetes.create_and_delete_job",
		"Kubernetes.create_scale_and_delete_statefulset",
		"Kubernetes.create_check_and_delete_pod_with_node_port_service",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	wantFacts := []testcases.Fact{
		{Name: "Rally version", Value: "3.3.0"},
		{Name: "Rally task", Value: "5e85adfa-e11b-4b37-9b7a-c4b69e360928"},
		{Name: "started", Value: "2026-11-23T18:40:51"},
	}
	if diff := cmp.Diff(wantFacts, evidence.Facts); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

func TestRallyFailureWithAndWithoutJSON(t *testing.T) {
	t.Parallel()
	const failed = "Failure rate criteria 0.00% <= 30.00% <= 0.00% - Failed"
	want := testcases.Check{
		Name: "Kubernetes.create_and_delete_pod", Status: testcases.StatusFail, Class: testcases.ClassFailure, Seconds: 0.23,
		Reason: failed, Source: testcases.Source{File: xmlOfCase, Line: 6},
	}
	evidence, err := parseFiles(rallyCase, rallyFiles(t, map[string]string{xmlOfCase: "generated-3.3.0-fail.xml"}), "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, named(t, evidence, want.Name)); diff != "" {
		t.Errorf("JUnit alone (-want +got):\n%s", diff)
	}

	timeout := "TimeoutException: Rally tired waiting 50.00 seconds for Pod name-%:c-rally-1 to become Terminated current status Running"
	want.Reason = failed + "\n3 of 10 iterations failed"
	for _, n := range []string{"3", "6", "9"} {
		want.Reason += "\niteration " + n + ": " + strings.Replace(timeout, "%", n, 1)
	}
	want.Where = "/opt/lab/rally/plugins/k8s.py:23"
	want.Figures = []testcases.Figure{
		{Name: "iterations", Value: 10},
		{Name: "failed iterations", Value: 3},
		{Name: "min", Value: 0.021, Unit: "s"},
		{Name: "median", Value: 0.035, Unit: "s"},
		{Name: "90%", Value: 0.061, Unit: "s"},
		{Name: "95%", Value: 0.065, Unit: "s"},
		{Name: "max", Value: 0.068, Unit: "s"},
		{Name: "avg", Value: 0.04, Unit: "s"},
	}
	evidence, err = parseFiles(rallyCase, rallyFiles(t, map[string]string{
		xmlOfCase: "generated-3.3.0-fail.xml", jsonOfCase: "generated-3.3.0-fail.json",
	}), string(recorded(t, "testdata/rally", "generated-3.3.0-fail.task-get.json")))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, named(t, evidence, want.Name)); diff != "" {
		t.Errorf("JUnit and JSON (-want +got):\n%s", diff)
	}
	wantNoIncomplete(t, evidence)
	if got := tally(evidence.Checks); got[testcases.StatusPass] != 6 || got[testcases.StatusFail] != 2 {
		t.Errorf("got %v, want 6 passed and 2 failed", got)
	}
	if status := (testcases.Fact{Name: "Rally task status", Value: "finished"}); !strings.Contains(cmp.Diff(nil, evidence.Facts), status.Value) {
		t.Errorf("facts lack %v: %v", status, evidence.Facts)
	}
}

func TestRallyJSONAlone(t *testing.T) {
	t.Parallel()
	files := rallyFiles(t, map[string]string{jsonOfCase: "generated-3.3.0-fail.json"})
	evidence, err := parseFiles(rallyCase, files, "")
	if err != nil {
		t.Fatal(err)
	}
	checkSound(t, files, evidence, err)
	if got := tally(evidence.Checks); got[testcases.StatusPass] != 6 || got[testcases.StatusFail] != 2 {
		t.Errorf("got %v, want 6 passed and 2 failed", got)
	}
	wantFinding(t, evidence, testcases.FindingNote, "no JUnit export")
}

func TestRallyContextFailure(t *testing.T) {
	t.Parallel()
	evidence, err := parseFiles(rallyCase, rallyFiles(t, map[string]string{xmlOfCase: "generated-3.3.0-ctxfail.xml"}), "")
	if err != nil {
		t.Fatal(err)
	}
	want := testcases.Check{
		Name: "Kubernetes.create_and_delete_pod", Status: testcases.StatusError, Class: testcases.ClassSetup,
		Reason: "Unexpected error: Oops...setup is failed", Source: testcases.Source{File: xmlOfCase, Line: 5},
	}
	if diff := cmp.Diff(want, named(t, evidence, want.Name)); diff != "" {
		t.Errorf("mismatch (-want +got):\n%s", diff)
	}
}

// task makes a JSON report of one workload.
func task(workload string) string {
	return `{"info": {"rally_version": "3.3.0"}, "tasks": [{"uuid": "u", "status": "finished", "subtasks": [{"workloads": [` +
		"\n" + `{"scenario": {"Kubernetes.list_namespaces": {}}, ` + workload + `}]}]}]}`
}

func TestRallyWorkloads(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		workload string
		status   testcases.Status
		class    testcases.Class
		reason   string
	}{
		"passed": {`"pass_sla": true, "total_iteration_count": 10, "failed_iteration_count": 0`, testcases.StatusPass, "", ""},
		"passed with errors": {
			`"pass_sla": true, "total_iteration_count": 500, "failed_iteration_count": 1, "data": [{"error": []}, {"error": ["E", "m", "t"]}]`,
			testcases.StatusPass, "", "1 of 500 iterations failed\niteration 2: E: m",
		},
		"context failed": {`"pass_sla": false, "total_iteration_count": 0, "sla_results": {"sla": [{"success": false, "detail": "Unexpected error: no"}]},
			"contexts_results": [{"setup": {"error": ["E", "quota", ""]}}]`, testcases.StatusError, testcases.ClassSetup, "Unexpected error: no\nE: quota"},
		"nothing ran but passed": {`"pass_sla": true, "total_iteration_count": 0`, testcases.StatusError, testcases.ClassSetup, "no iteration ran: the set-up failed"},
		"no verdict":             {`"total_iteration_count": 1`, testcases.StatusError, testcases.ClassInterrupted, "the report does not say whether the scenario met its criteria"},
		"verdict is no boolean":  {`"total_iteration_count": 1, "pass_sla": "yes"`, testcases.StatusError, testcases.ClassInterrupted, "the report does not say whether the scenario met its criteria"},
		"a criterion failed": {
			`"pass_sla": true, "total_iteration_count": 1, "sla_results": {"sla": [{"success": true, "detail": "a"}, {"success": false, "detail": "b"}]}`,
			testcases.StatusFail, testcases.ClassFailure, "b\nthe report says that the scenario met its criteria: it was edited",
		},
		"a criterion without a verdict": {
			`"pass_sla": true, "total_iteration_count": 1, "sla_results": {"sla": [{"criterion": "failure_rate"}]}`,
			testcases.StatusFail, testcases.ClassFailure, "no failed criterion is named\nthe report says that the scenario met its criteria: it was edited",
		},
		"failed for no reason": {`"pass_sla": false, "total_iteration_count": 1`, testcases.StatusFail, testcases.ClassFailure, "no failed criterion is named"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			evidence, err := parseFiles(rallyCase, map[string]string{jsonOfCase: task(test.workload)}, "")
			if err != nil {
				t.Fatal(err)
			}
			got := named(t, evidence, "Kubernetes.list_namespaces")
			if got.Status != test.status || got.Class != test.class || got.Reason != test.reason || got.Source.Line != 2 {
				t.Errorf("got %+v, want %s, %s, %q in line 2", got, test.status, test.class, test.reason)
			}
		})
	}
}

func TestRallyFindsWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	xml := string(recorded(t, "testdata/rally", "generated-3.3.0-fail.xml"))
	json := string(recorded(t, "testdata/rally", "generated-3.3.0-fail.json"))
	const position = `"position": 0,
                            `
	tests := map[string]struct {
		xml, json, details string
		want               string
	}{
		"crashed":                   {xml, "", `{"status": "crashed", "uuid": "4815bff6-b15e-415e-81e9-580ab6da39b5"}`, `status is "crashed"`},
		"another task":              {xml, "", `{"status": "finished", "uuid": "other"}`, "not of the same run"},
		"passed in one, not both":   {strings.Replace(xml, "<failure>Failure rate criteria 0.00% &lt;= 30.00% &lt;= 0.00% - Failed</failure>", "", 1), json, "", "the JUnit export says pass, the JSON report fail"},
		"failed in one, not both":   {xml, strings.Replace(strings.Replace(json, position+`"pass_sla": false`, position+`"pass_sla": true`, 1), `"success": false`, `"success": true`, 1), "", "the JUnit export says fail, the JSON report pass"},
		"header counts more":        {strings.Replace(xml, `tests="8"`, `tests="9"`, 1), "", "", "tests=9"},
		"header knows no failure":   {strings.Replace(xml, `failures="2"`, `failures="0"`, 1), "", "", "failures=0"},
		"scenario only in the JSON": {strings.Replace(xml, `name="list_namespaces"`, `name="list_things"`, 1), json, "", "Kubernetes.list_namespaces is in the JSON report and not in the JUnit export"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{xmlOfCase: test.xml}
			if test.json != "" {
				files[jsonOfCase] = test.json
			}
			evidence, err := parseFiles(rallyCase, files, test.details)
			if err != nil {
				t.Fatal(err)
			}
			wantFinding(t, evidence, testcases.FindingIncomplete, test.want)
			if got := tally(evidence.Checks); got[testcases.StatusFail] != 2 {
				t.Errorf("got %v, want the 2 failures of either file", got)
			}
		})
	}
}

func TestRallyTellsOfTheTable(t *testing.T) {
	t.Parallel()
	c := *rallyCase
	c.Scenarios = []testcases.Scenario{
		{Name: "Kubernetes.list_namespaces", Iterations: 20},
		{Name: "Kubernetes.create_and_delete_pod_with_emptydir_volume [2]", Iterations: 10},
		{Name: "Kubernetes.create_and_delete_replicaset", Iterations: 10},
	}
	evidence, err := parseFiles(&c, rallyFiles(t, map[string]string{
		xmlOfCase: "generated-3.3.0-pass.xml", jsonOfCase: "generated-3.3.0-pass.json",
	}), "")
	if err != nil {
		t.Fatal(err)
	}
	wantFinding(t, evidence, testcases.FindingNote, "2 of the 3 scenarios of RC2 table 2.1 are in the files")
	wantFinding(t, evidence, testcases.FindingNote, "not in the files: Kubernetes.create_and_delete_replicaset")
	wantFinding(t, evidence, testcases.FindingIncomplete, "Kubernetes.list_namespaces ran 10 iterations, RC2 table 2.1 asks for 20")
}

func TestRallyThatHidesFailures(t *testing.T) {
	t.Parallel()
	fail := string(recorded(t, "testdata/rally", "generated-3.3.0-fail.xml"))
	pass := string(recorded(t, "testdata/rally", "generated-3.3.0-pass.xml"))
	json := string(recorded(t, "testdata/rally", "generated-3.3.0-pass.json"))
	const scenario = `name="create_and_delete_namespace"`
	at := strings.Index(pass, scenario)
	skipped := pass[:at] + strings.Replace(pass[at:], " />", "><skipped/></testcase>", 1)
	for name, test := range map[string]flawed{
		"another file": {
			map[string]string{xmlOfCase: pass, "other/b.XML": fail},
			testcases.FindingIncomplete, "holds other results than " + xmlOfCase,
		},
		"two files of one name": {
			map[string]string{"a/xrally_kubernetes_full.xml": pass, "b/xrally_kubernetes_full.xml": fail},
			testcases.FindingIncomplete, "holds other results than a/",
		},
		"skipped": {
			map[string]string{xmlOfCase: skipped},
			testcases.FindingIncomplete, "Kubernetes.create_and_delete_namespace was skipped, which Rally never does",
		},
		"the task failed": {
			map[string]string{jsonOfCase: strings.Replace(json, `"pass_sla": true`, `"pass_sla": false`, 1)},
			testcases.FindingFailure, "the task did not meet its criteria",
		},
		"the suite failed": {
			map[string]string{xmlOfCase: strings.Replace(pass, "</testsuite>", "<failure>no cluster</failure></testsuite>", 1)},
			testcases.FindingFailure, "outside of any scenario: no cluster",
		},
		"the root failed": {
			map[string]string{xmlOfCase: strings.Replace(pass, "<testsuites>", `<testsuites errors="1">`, 1)},
			testcases.FindingIncomplete, "<testsuites> says failures=0 errors=1",
		},
	} {
		evidence, err := parseFiles(rallyCase, test.files, "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		wantFinding(t, evidence, test.kind, test.want)
	}
	c := *rallyCase
	c.Scenarios = []testcases.Scenario{{Name: "Kubernetes.create_and_delete_namespace", Iterations: 10}}
	evidence, err := parseFiles(&c, map[string]string{xmlOfCase: skipped}, "")
	if err != nil {
		t.Fatal(err)
	}
	wantFinding(t, evidence, testcases.FindingNote, "0 of the 1 scenarios")
	if got := named(t, evidence, c.Scenarios[0].Name); got.Ran() || got.Class != testcases.ClassUnexplained {
		t.Errorf("got %+v", got)
	}
	copies, err := parseFiles(rallyCase, map[string]string{xmlOfCase: pass, "copy.xml": pass}, "")
	if err != nil || len(copies.Checks) != 8 {
		t.Errorf("copies: %d checks, %v", len(copies.Checks), err)
	}
	wantNoIncomplete(t, copies)
}

func TestRallyRefusesGarbage(t *testing.T) {
	t.Parallel()
	xml := string(recorded(t, "testdata/rally", "generated-3.3.0-pass.xml"))
	json := string(recorded(t, "testdata/rally", "generated-3.3.0-pass.json"))
	tests := map[string]struct {
		files  map[string]string
		want   string
		checks int
	}{
		"nothing":       {map[string]string{"rally.log": "x"}, "xrally_kubernetes_full.xml: no scenario found", 0},
		"empty":         {map[string]string{xmlOfCase: ""}, xmlOfCase + ": empty", 0},
		"not XML":       {map[string]string{xmlOfCase: "hello"}, xmlOfCase + ":1: ", 0},
		"cut XML":       {map[string]string{xmlOfCase: xml[:900]}, xmlOfCase + ":8: cut off", 3},
		"no scenario":   {map[string]string{xmlOfCase: "<testsuites><testsuite/></testsuites>"}, "holds no scenario", 0},
		"cut JSON":      {map[string]string{jsonOfCase: json[:100_000]}, jsonOfCase + ":", 2},
		"other JSON":    {map[string]string{xmlOfCase: xml, jsonOfCase: `{"a": 1}`}, "no report of a Rally task", 8},
		"old JSON":      {map[string]string{jsonOfCase: `[{"key": {}}]`}, jsonOfCase + ":1: want an object", 0},
		"nameless task": {map[string]string{jsonOfCase: `{"tasks": [{"status": "finished", "subtasks": [{"workloads": [{"pass_sla": true}]}]}]}`}, "without the name of a scenario", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			evidence, err := parseFiles(rallyCase, test.files, "")
			wantError(t, err, test.want)
			checkSound(t, test.files, evidence, err)
			if len(evidence.Checks) < test.checks {
				t.Errorf("got %d checks, want at least %d kept", len(evidence.Checks), test.checks)
			}
		})
	}
}

func FuzzRally(f *testing.F) {
	for _, name := range []string{"generated-3.3.0-fail.xml", "generated-3.3.0-ctxfail.xml", "generated-3.3.0-fail.task-get.json"} {
		f.Add(recorded(f, "testdata/rally", name), false)
		f.Add(recorded(f, "testdata/rally", name), true)
	}
	f.Add([]byte(task(`"pass_sla": false, "total_iteration_count": 2, "data": [{"error": ["E", "m", "File \"a\", line 1"]}]`)), true)
	xml := string(recorded(f, "testdata/rally", "generated-3.3.0-fail.xml"))
	f.Fuzz(func(t *testing.T, data []byte, isJSON bool) {
		files := asText(xmlOfCase, data)
		if isJSON {
			files = map[string]string{jsonOfCase: string(data), xmlOfCase: xml}
		}
		evidence, err := parseFiles(rallyCase, files, "")
		checkSound(t, files, evidence, err)
	})
}

func TestFolderThatCannotBeListedIsAnError(t *testing.T) {
	t.Parallel()
	for driver := range parsers {
		if driver == "e2e_testing" {
			continue // has its own way
		}
		sub, err := fstest.MapFS{"a": {}}.Sub("b")
		if err != nil {
			t.Fatal(err)
		}
		_, err = parsers[driver](Input{Case: &testcases.Case{Name: "c", Driver: driver}, Files: sub})
		wantError(t, err, ".: list the case's files")
	}
}
