package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recordedAs puts a recording in the place of a case's.
func recordedAs(t *testing.T, root, tier, name, output, record string) {
	t.Helper()
	folder := filepath.Join(root, recordingDir, tier, name)
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(folder, logName), "2022-09-19 17:30:00,000 - xtesting.ci.run_tests - INFO - Running test case\n"+
		"2022-09-19 17:30:09,100 - functest_kubernetes.security.security - INFO - \n\n"+output+"\n"+
		"2022-09-19 17:50:34,900 - xtesting.ci.run_tests - INFO - Test result:\n")
	if record != "" {
		writeFile(t, filepath.Join(folder, "record.json"), record)
	}
}

func hunterRecorded(severities ...string) func(*testing.T, string) {
	return func(t *testing.T, root string) {
		t.Helper()
		var found []string
		for i, severity := range severities {
			names := [][2]string{{"Access Risk", "CAP_NET_RAW Enabled"}, {"Information Disclosure", "K8s Version Disclosure"}}[i]
			found = append(found, fmt.Sprintf(`{"category": %q, "vulnerability": %q, "severity": %q}`, names[0], names[1], severity))
		}
		recordedAs(t, root, "security", "kube_hunter", `{"nodes": [], "services": [], "vulnerabilities": [`+strings.Join(found, ", ")+`], "hunter_statistics": []}`, "")
	}
}

func benchRecorded(name string) func(*testing.T, string) {
	return func(t *testing.T, root string) {
		t.Helper()
		recordedAs(t, root, "security", name, "[{'id': '4'}]", `{"case_name": "`+name+`", "criteria": "PASS", "details": {"report": [{"id": "4", "node_type": "node", "version": "cis-1.6", "tests": [
			{"desc": "Worker Node Configuration Files", "pass": 1, "fail": 1, "warn": 0, "results": [
			{"status": "FAIL", "scored": true, "test_desc": "Ensure that the kubelet service file permissions are set to 644 (Automated)", "remediation": "chmod 755 it"}]}]}]}}`)
	}
}

// The consoles of the real drivers, and the stand-in's, from the line "Running
// test case" on.
func TestConsoleIsThatOfTheDrivers(t *testing.T) {
	t.Parallel()
	lab := newLab(t)
	unreadable := func(t *testing.T, root string) { recordedAs(t, root, "security", "kube_bench_node", "no report", "") }
	for _, tt := range []struct {
		section, tier, name string
		env                 []string
		prepare             func(*testing.T, string)
		// drop is what of a console cannot be the same.
		drop string
		// pushed says whether a record was posted.
		pushed bool
	}{
		{"DEPLOY_SCENARIO without k8: skipped", "healthcheck", "k8s_quick", []string{"DEPLOY_SCENARIO=os-nosdn-nofeature-noha"}, nil, `(?m)^TIME .* Test result:\n\n`, false},
		{"e2e, all passed", "healthcheck", "k8s_quick", nil, nil, ``, true},
		{"e2e, all passed", "healthcheck", "k8s_quick", []string{"FUNCTEST_STANDIN_PASS=all"}, nil, ``, true},
		{"e2e, one failed", "healthcheck", "k8s_quick", []string{"FUNCTEST_STANDIN_FAIL=k8s_quick"}, nil, `\[Fail\].*\n.*\n\n+`, true},
		{"e2e, no summary line", "healthcheck", "k8s_quick", nil, func(t *testing.T, root string) {
			writeFile(t, filepath.Join(root, recordingDir, "healthcheck/k8s_quick/e2e.log"), "lost\n")
		}, ``, true},
		{"e2e, nothing ran", "healthcheck", "k8s_quick", nil, func(t *testing.T, root string) {
			writeFile(t, filepath.Join(root, recordingDir, "healthcheck/k8s_quick/e2e.log"), "SUCCESS! -- 0 Passed | 0 Failed | 0 Pending | 7050 Skipped\n")
		}, ``, true},
		{"e2e, no kubeconfig", "healthcheck", "k8s_quick", nil, func(t *testing.T, root string) {
			if err := os.Remove(filepath.Join(root, kubeconfig)); err != nil {
				t.Fatal(err)
			}
		}, ``, false},
		{"kube_hunter, only low and medium findings (severity: high)", "security", "kube_hunter", nil, hunterRecorded("low", "medium"), ``, true},
		{"kube_hunter, a high finding", "security", "kube_hunter", nil, hunterRecorded("low", "high"), ``, true},
		{"kube_hunter, no finding at all", "security", "kube_hunter", nil, hunterRecorded(), ``, true},
		{"kube_bench_node, with a failed scored check", "security", "kube_bench_node", nil, benchRecorded("kube_bench_node"), ``, true},
		{"kube_bench_master", "security", "kube_bench_master", nil, benchRecorded("kube_bench_master"), ``, true},
		{"kube_bench_node, log is not a report", "security", "kube_bench_node", []string{"FUNCTEST_STANDIN_FAIL=kube_bench_node"}, unreadable, ``, false},
		{"netperf, launch is not installed: skipped by check_requirements", "benchmarking", "netperf", []string{"FUNCTEST_STANDIN_SKIP=netperf"}, nil, ``, false},
		{"cnf_testsuite, program is not installed: skipped by check_requirements", "cnf", "cnf_testsuite", nil, nil, ``, false},
	} {
		t.Run(tt.section, func(t *testing.T) {
			root := newRoot(t, tt.tier)
			if tt.prepare != nil {
				tt.prepare(t, root)
			}
			want, status := section(t, "26-functest-kubernetes-drivers.txt", tt.section)
			job := "functest-kubernetes-opnfv-functest-kubernetes-" + tt.tier + "-v1.23-" + tt.name + "-1"
			before := len(lab.posted)
			console, code := call(t, root, lab.job(job, tt.env...), "run_tests", "-t", tt.name, "-p", "-r")
			_, console, _ = strings.Cut(console, "Loading test case")
			if _, after, ok := strings.Cut(console, "'...\n"); ok {
				console = after
			} else { // it was not even loaded
				all, _ := call(t, newRoot(t, tt.tier), lab.job(job, tt.env...), "run_tests", "-t", tt.name)
				_, console, _ = strings.Cut(all, "+\n\n")
			}
			got := plainConsole(console)
			want = plainConsole(want)
			if tt.drop != "" {
				drop := regexp.MustCompile(tt.drop)
				got, want = drop.ReplaceAllString(got, ""), drop.ReplaceAllString(want, "")
			}
			if diff := cmp.Diff(want, strings.TrimSpace(got)); diff != "" {
				t.Errorf("console (-recorded +stand-in):\n%s", diff)
			}
			if fmt.Sprint(code) != status {
				t.Errorf("status %d, recorded %s", code, status)
			}
			if pushed := len(lab.posted) > before; pushed != tt.pushed {
				t.Errorf("pushed: %v, want %v", pushed, tt.pushed)
			}
		})
	}
}

func TestTableOfVariables(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/20-run_tests-x094-fifth.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := strings.Cut(string(raw), "Deployment description:\n\n")
	want, _, _ = strings.Cut(want, "\n\n")
	env := newEnvironment([]string{
		"BUILD_TAG=AB12CD34EF94", "NODE_NAME=xtesting", "TEST_DB_URL=http://127.0.0.1:18100/api/v1/results", "TEST_DB_EXT_URL=http://198.51.100.7:8000/api/v1/results",
		"S3_ENDPOINT_URL=http://127.0.0.1:39100", "S3_DST_URL=s3://xtesting/AB12CD34EF94/xtesting-opnfv-xtesting-latest-fifth-1",
		"HTTP_DST_URL=http://198.51.100.7:8181/AB12CD34EF94/xtesting-opnfv-xtesting-latest-fifth-1",
	})
	if diff := cmp.Diff(want, env.table()); diff != "" {
		t.Errorf("-recorded +stand-in:\n%s", diff)
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"", []string{""}},
		{"one two three", []string{"one two", "three"}},
		{"aaaaaaaaaaaaaaa", []string{"aaaaaaaaaa", "aaaaa"}},
		{"abc-def-ghi", []string{"abc-def-", "ghi"}},
		{"abcdef-v1.23", []string{"abcdef-v1.", "23"}}, // one letter after the hyphen is too few
		{"abcdefgh-1x", []string{"abcdefgh-1", "x"}},
	} {
		if diff := cmp.Diff(strings.Join(tt.want, "\n"), wrap(tt.text, 10)); diff != "" {
			t.Errorf("%q: %s", tt.text, diff)
		}
	}
}

// What Xtesting says when something around it fails.
func TestFailuresOfPublishingAndPushing(t *testing.T) {
	t.Parallel()
	lab := newLab(t)
	without := func(name string) []string {
		return slices.DeleteFunc(lab.job("job-1"), func(v string) bool { return strings.HasPrefix(v, name+"=") })
	}
	with := func(variable string) []string { return append(lab.job("job-1"), variable) }
	for _, tt := range []struct {
		name      string
		env       []string
		says      []string
		posted    int
		withLinks bool
	}{
		{"pod not registered", with("NODE_NAME=nopod"), []string{"ERROR - The HTTP request raises issues\nTraceback", "requests.exceptions.HTTPError: 403 Client Error: ", "for url: " + lab.dbURL}, 1, true},
		{"no pod", without("NODE_NAME"), []string{"requests.exceptions.HTTPError: 400 Client Error: "}, 1, true},
		{"no DB", with("TEST_DB_URL=http://127.0.0.1:1/api/v1/results"), []string{"ERROR - The results cannot be pushed to DB\nTraceback", "Max retries exceeded with url: /api/v1/results", "All artifacts were successfully published: "}, 0, false},
		{"no variable for the DB", without("TEST_DB_URL"), []string{"ERROR - The results cannot be pushed to DB\nTraceback", "a stand-in pushes nothing"}, 0, false},
		{"no S3_DST_URL", without("S3_DST_URL"), []string{"ERROR - Please check env var: 'S3_DST_URL'\n", "successfully pushed to DB"}, 1, false},
		{"no HTTP_DST_URL", without("HTTP_DST_URL"), []string{"ERROR - Please check env var: 'HTTP_DST_URL'\n", "successfully pushed to DB"}, 1, false},
		{"no keys", without("AWS_SECRET_ACCESS_KEY"), []string{"ERROR - Please fill ~/.aws/credentials, ~/.boto or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in env\n", "successfully pushed to DB"}, 1, false},
		{"wrong keys", with("AWS_SECRET_ACCESS_KEY=wrongwrong"), []string{"ERROR - Cannot publish the artifacts\nTraceback", "(403) when calling the HeadBucket operation: Forbidden", "successfully pushed to DB"}, 1, false},
		{"S3 down", with("S3_ENDPOINT_URL=http://127.0.0.1:1"), []string{"ERROR - Cannot publish the artifacts\nTraceback", `Could not connect to the endpoint URL: "http://127.0.0.1:1/xtesting"`, "successfully pushed to DB"}, 1, false},
		{"told not to upload", with("FUNCTEST_STANDIN_NOUPLOAD=k8s_quick"), []string{"ERROR - Cannot publish the artifacts\nTraceback", "successfully pushed to DB"}, 1, false},
		{"told not to push", with("FUNCTEST_STANDIN_NOPUSH=all"), []string{"All artifacts were successfully published: ", "The results cannot be pushed to DB"}, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(lab.posted)
			console, status := call(t, newRoot(t, "healthcheck"), tt.env, "run_tests", "-t", "k8s_quick", "-p", "-r")
			for _, text := range append(tt.says, "Execution exit value: Result.EX_OK\n") {
				if !strings.Contains(console, text) {
					t.Errorf("the console lacks %q:\n%s", text, console)
				}
			}
			if status != 0 {
				t.Errorf("status %d", status)
			}
			posted := lab.posted[before:]
			if len(posted) != tt.posted {
				t.Fatalf("%d posted, want %d", len(posted), tt.posted)
			}
			for _, body := range posted {
				if strings.Contains(body, `"links"`) != tt.withLinks {
					t.Errorf("links: %v, want %v: %s", !tt.withLinks, tt.withLinks, body)
				}
			}
		})
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args   []string
		env    []string
		status int
		says   string
	}{
		{[]string{"run_tests"}, nil, 255, "ERROR - Unknown test case or tier 'None', or not supported by the given scenario 'k8-x'.\n"},
		{[]string{"run_tests", "-t", "nosuch"}, nil, 255, "Unknown test case or tier 'nosuch'"},
		{[]string{"run_tests", "-tk8s_quick"}, nil, 0, "Running test case 'k8s_quick'"},
		{[]string{"run_tests", "-nprt", "k8s_quick"}, nil, 0, "Running test case 'k8s_quick'"},
		{[]string{"run_tests", "--test=k8s_quick"}, nil, 0, "Running test case 'k8s_quick'"},
		{[]string{"/usr/bin/run_tests", "-t", "healthcheck"}, nil, 0, "Xtesting report:\n\n"},
		{[]string{"functest-standin", "run_tests", "-t", "all"}, nil, 0, "TESTS TO BE EXECUTED:\n\n"},
		{[]string{"run_tests", "-t", "all"}, []string{"DEPLOY_SCENARIO=os"}, 0, "Xtesting report:\n\n"},
		{[]string{"run_tests", "-t", "healthcheck"}, []string{"DEPLOY_SCENARIO=os"}, 255, "There are no supported test cases in this tier for the given scenario\n"},
		{[]string{"run_tests", "-t", "healthcheck"}, []string{"FUNCTEST_STANDIN_FAIL=k8s_quick"}, 255, "The test case 'k8s_quick' failed.\n"},
		{[]string{"run_tests", "-t"}, nil, 2, ""},
		{[]string{"run_tests", "-x"}, nil, 2, ""},
		{[]string{"run_tests", "-h"}, nil, 0, "STAND-IN"},
		{[]string{"functest-standin"}, nil, 64, ""},
		{[]string{"functest-standin", "rootfs"}, nil, 64, ""},
		{[]string{"run_tests", "-t", "k8s_quick"}, []string{"FUNCTEST_STANDIN_NOSUCH=1"}, 64, ""},
		{[]string{"run_tests", "-t", "k8s_quick"}, []string{"FUNCTEST_STANDIN_SLOW=soon=x"}, 64, ""},
		{[]string{"run_tests", "-t", "k8s_quick"}, []string{"FUNCTEST_STANDIN_PASS=all=1"}, 64, ""},
		{[]string{"run_tests", "-t", "k8s_quick"}, []string{"FUNCTEST_STANDIN_CRASH=k8s_smoke"}, 0, ""},
	} {
		t.Run(strings.Join(append(tt.args[1:], tt.env...), " "), func(t *testing.T) {
			t.Parallel()
			console, status := call(t, newRoot(t, "healthcheck"), append([]string{"DEPLOY_SCENARIO=k8-x"}, tt.env...), tt.args...)
			if status != tt.status || !strings.Contains(console, tt.says) {
				t.Errorf("status %d, want %d with %q:\n%s", status, tt.status, tt.says, console)
			}
		})
	}
}

func TestResultsFolderThatCannotBeMade(t *testing.T) {
	t.Parallel()
	root := newRoot(t, "healthcheck")
	writeFile(t, filepath.Join(root, "var/lib/xtesting"), "")
	console, status := call(t, root, nil, "run_tests", "-t", "k8s_quick")
	if status != 70 || console != "Cannot create /var/lib/xtesting/results\n" {
		t.Errorf("status %d: %s", status, console)
	}
}

func TestEnvFile(t *testing.T) {
	t.Parallel()
	root := newRoot(t, "healthcheck")
	writeFile(t, filepath.Join(root, envFile), "export NODE_NAME=\"a node\"\nBUILD_TAG=a=b\n# nothing\n")
	_, status := call(t, root, []string{"DEPLOY_SCENARIO=k8-x", "TEST_DB_URL=file:///dumped/here.txt"}, "run_tests", "-t", "k8s_quick", "-r")
	raw, err := os.ReadFile(filepath.Join(root, "dumped/here.txt"))
	if err != nil || status != 0 {
		t.Fatal(status, err)
	}
	const want = `{"build_tag": "ab", "case_name": "k8s_quick", "criteria": "PASS", "details": {"failed": 0, "passed": 1, "pending": 0, "skipped": 7041}, "installer": "unknown", "pod_name": "a node", "project_name": "functest", "scenario": "k8-x", "start_date": "DATE", "stop_date": "DATE", "version": "unknown"}`
	dates := regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`)
	if got := dates.ReplaceAllString(string(raw), "DATE"); !strings.HasPrefix(got, "POST file:///dumped/here.txt\n") || !strings.Contains(got, "\n\n"+want+"\n") {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
