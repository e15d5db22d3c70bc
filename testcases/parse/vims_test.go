package parse

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/testcases"
)

var vimsCase = &testcases.Case{Name: "k8s_vims", Driver: "k8s_vims"}

const vimsLog = "functest-kubernetes.log"

func parseVIMSLog(t *testing.T, log string) testcases.Evidence {
	t.Helper()
	files := map[string]string{vimsLog: log}
	evidence, err := parseFiles(vimsCase, files, "")
	if err != nil {
		t.Fatal(err)
	}
	checkSound(t, files, evidence, err)
	return evidence
}

func TestVIMSAgreesWithTheTruth(t *testing.T) {
	t.Parallel()
	for name, want := range truth(t, "testdata/clearwater/TRUTH.tsv") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			evidence := parseVIMSLog(t, string(recorded(t, "testdata/clearwater", name)))
			got := tally(evidence.Checks)
			wanted := map[testcases.Status]int{
				testcases.StatusPass: number(t, want["passed"]), testcases.StatusFail: number(t, want["failed_lines"]), testcases.StatusSkip: number(t, want["skipped_lines"]),
			}
			if diff := cmp.Diff(wanted, got); diff != "" {
				t.Errorf("mismatch (-want +got):\n%s", diff)
			}
			wantNoIncomplete(t, evidence)
			f, differs := finding(evidence, testcases.FindingNote, "functest takes run - skipped - failed = "+want["functest_passed"]+" for")
			if differs != (want["functest_passed"] != want["passed"]) {
				t.Errorf("functest counts %s, %s passed; got %+v", want["functest_passed"], want["passed"], f)
			}
		})
	}
}

func TestVIMSAgreesWithTheTruthOfACampaign(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"k8s_vims", "helm_vims"} {
		want := truth(t, "testdata/campaign/TRUTH.tsv")[name]
		evidence, err := parseRecording(t, &testcases.Case{Name: name, Driver: name}, "testdata/campaign/"+name)
		if err != nil {
			t.Fatal(err)
		}
		got := testcases.Count(evidence.Checks)
		if got.Passed != number(t, want["passed"]) || got.Failed != number(t, want["failed"]) || got.Skipped != number(t, want["skipped"]) {
			t.Errorf("%s: got %+v, want %v", name, got, want)
		}
		wantNoIncomplete(t, evidence)
	}
}

func TestVIMSReasons(t *testing.T) {
	t.Parallel()
	evidence := parseVIMSLog(t, string(recorded(t, "testdata/clearwater", "generated-fail.txt")))
	source := func(line int) testcases.Source { return testcases.Source{File: vimsLog, Line: line} }
	want := []testcases.Check{
		{
			Name: "Basic Call - Mainline (TCP)", Status: testcases.StatusFail, Class: testcases.ClassFailure, Source: source(11),
			Reason: "endpoint threw exception: Expected 200, got 503 (call ID b5a7dfb1e2c3@10.244.1.7)", Where: "/opt/lab/cw/lib/quaff-endpoint.rb:14:in `chk'",
		},
		{
			Name: "Call Barring - Inbound Rejection (TCP)", Status: testcases.StatusFail, Class: testcases.ClassFailure, Source: source(34),
			Reason: `Errno::ECONNREFUSED: Connection refused - connect(2) for "bono.ims.svc.cluster.local" port 5060`, Where: "/opt/lab/cw/lib/quaff-endpoint.rb:19:in `register'",
		},
		{
			Name: "Emergency Registration (TCP)", Status: testcases.StatusSkip, Class: testcases.ClassSkipped, Source: source(25),
			Reason: "Not running with emergency registrations", Remedy: "Call with EMERGENCY_REG=Y to run test",
		},
		{
			Name: "ISC Interface - Terminating (UDP AS) (TCP)", Status: testcases.StatusSkip, Class: testcases.ClassSkipped, Source: source(140),
			Reason: "No hostname given", Remedy: "Call with HOST_NAME=<publicly accessible hostname/IP of this machine>",
		},
		{Name: "Call Diversion - Not reachable (408) (TCP)", Status: testcases.StatusPass, Source: source(54)},
	}
	for _, want := range want {
		got := named(t, evidence, want.Name)
		if want.Status != testcases.StatusFail {
			want.Source.Line = got.Source.Line // of the others the names suffice
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("mismatch (-want +got):\n%s", diff)
		}
	}
	excluded := parseVIMSLog(t, string(recorded(t, "testdata/clearwater", "generated-excluded.txt")))
	if got := named(t, excluded, "Basic Call - Mainline (TCP)"); got.Class != testcases.ClassNotSelected || got.Reason != "Test skipped by EXCLUDE_TESTS (matched Basic Call)" {
		t.Errorf("got %+v", got)
	}
}

func TestVIMSOddLines(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		log    string
		status testcases.Status
		class  testcases.Class
		reason string
	}{
		"retried": {
			"A (TCP) - (1) WARNING - Test failed iteration 1, retrying (1) Passed\n0 failures out of 1 tests run\n0 tests skipped\n",
			testcases.StatusPass, "", "failed at first and passed when it was tried again",
		},
		"retried on lines of their own": {
			"A (UDP) - (1) WARNING - Test failed iteration 1, retrying\n(2) Failed\n  E thrown:\n   - m\n1 failures out of 1 tests run\n    A (UDP) at now\n0 tests skipped\n",
			testcases.StatusFail, testcases.ClassFailure, "E: m",
		},
		"stderr between": {
			"A (TCP) - (1)\n#<Thread:0x1 x.rb:1 run> terminated with exception:\nx.rb:1:in `a': no (E)\n\tfrom x.rb:2:in `b'\n Passed\n0 failures out of 1 tests run\n0 tests skipped\n",
			testcases.StatusPass, "", "",
		},
		"silent failure": {
			"A (TCP) - (1)\n1 failures out of 1 tests run\n    A (TCP) at 2026\n0 tests skipped\n",
			testcases.StatusFail, testcases.ClassFailure, "it printed neither Passed nor Failed, and is in the list of failures at the end",
		},
		"failure without a line": {
			"1 failures out of 1 tests run\n    A (TCP) at 2026\n0 tests skipped\n",
			testcases.StatusFail, testcases.ClassFailure, "in the list of failures at the end; it printed no line of its own",
		},
		"no word, not in the list": {
			"A (TCP) - (1)\n0 failures out of 1 tests run\n0 tests skipped\n",
			testcases.StatusError, testcases.ClassInterrupted, "it printed neither Passed nor Failed, and is not in the list of failures at the end",
		},
		"outstanding work": {
			"A (TCP) - (1) Failed\nEndpoint had outstanding work to do, 3 messages\n1 failures out of 1 tests run\n    A (TCP) at now\n0 tests skipped\n",
			testcases.StatusFail, testcases.ClassFailure, "Endpoint had outstanding work to do, 3 messages",
		},
		"message of two lines": {
			"A (TCP) - (1) Failed\n  E thrown:\n   - one\ntwo\n     - x.rb:1:in 'a'\n     - x.rb:2:in 'b'\n1 failures out of 1 tests run\n    A (TCP) at now\n0 tests skipped\n",
			testcases.StatusFail, testcases.ClassFailure, "E: one\ntwo",
		},
		"no reason": {
			"A (TCP) - (1) Failed\n1 failures out of 1 tests run\n    A (TCP) at now\n0 tests skipped\n",
			testcases.StatusFail, testcases.ClassFailure, "no reason given by the live test",
		},
		"skipped without a reason": {
			"A (TCP) - Skipped\n0 failures out of 1 tests run\n1 tests skipped\n",
			testcases.StatusSkip, testcases.ClassSkipped, "no reason given by the live test",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			evidence := parseVIMSLog(t, test.log)
			if len(evidence.Checks) != 1 {
				t.Fatalf("got %+v, want one check", evidence.Checks)
			}
			got := evidence.Checks[0]
			if !strings.HasPrefix(got.Name, "A (") || got.Status != test.status || got.Class != test.class || got.Reason != test.reason {
				t.Errorf("got %+v, want %s, %s, %q", got, test.status, test.class, test.reason)
			}
			wantNoIncomplete(t, evidence)
		})
	}
}

func TestVIMSNotesFewTests(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]bool{1: true, 79: true, 80: false} {
		var log strings.Builder
		for i := range n {
			fmt.Fprintf(&log, "Test %d (TCP) - (1) Passed\n", i)
		}
		fmt.Fprintf(&log, "0 failures out of %d tests run\n0 tests skipped\n", n)
		evidence := parseVIMSLog(t, log.String())
		if _, noted := finding(evidence, testcases.FindingNote, "release-130 lists 96"); noted != want {
			t.Errorf("%d tests: noted %v, want %v", n, noted, want)
		}
	}
}

func TestVIMSRepeatedNames(t *testing.T) {
	t.Parallel()
	evidence := parseVIMSLog(t, "A (TCP) - (1) Passed\nA (TCP) - (2) Failed\nA (TCP) - (3)\n2 failures out of 3 tests run\n    A (TCP) at 1\n    A (TCP) at 2\n0 tests skipped\n")
	var got []string
	for _, check := range evidence.Checks {
		got = append(got, check.Name+" "+string(check.Status))
	}
	if diff := cmp.Diff([]string{"A (TCP) pass", "A (TCP) [2] fail", "A (TCP) [3] fail"}, got); diff != "" {
		t.Errorf("mismatch (-want +got):\n%s", diff)
	}
	wantNoIncomplete(t, evidence)
}

func TestVIMSFindsWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	log := string(recorded(t, "testdata/clearwater", "generated-fail.txt"))
	tests := map[string]struct{ old, new, want string }{
		"failures lost":        {"4 failures out", "5 failures out", "the summary says 5 failures, the log lists 4"},
		"tests lost":           {"Basic Registration (TCP) - (6505550045) Passed\n", "", "the summary says 96 tests run, the log lists 95"},
		"skips lost":           {"43 tests skipped", "42 tests skipped", "the summary says 42 skipped, the log lists 43"},
		"failure made to pass": {"(6505550044, 6505550091) Failed", "(6505550044, 6505550091) Passed", "it printed pass, but is in the list of failures at the end: the log was edited"},
		"cut":                  {log[strings.Index(log, "4 failures out"):], "", "did not finish: the log ends without its summary; the last test is Message - URN URIs to AS (TCP)"},
		"two runs":             {"43 tests skipped\n", "43 tests skipped\n0 failures out of 1 tests run\n", "the summaries of 2 live tests"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			edited := strings.Replace(log, test.old, test.new, 1)
			if edited == log {
				t.Fatal("nothing was edited")
			}
			wantFinding(t, parseVIMSLog(t, edited), testcases.FindingIncomplete, test.want)
		})
	}
}

func TestVIMSDeploymentBroke(t *testing.T) {
	t.Parallel()
	evidence := parseVIMSLog(t, "2022-09-19 20:30:00,000 - xtesting.ci.run_tests - INFO - Loading\n"+
		"2022-09-19 20:45:00,100 - functest_kubernetes.ims.ims - ERROR - Cannot deploy vIMS\nTraceback (most recent call last):\n  File \"a\"\nkubernetes.client.exceptions.ApiException: (403)\n")
	want := []testcases.Check{{
		Name: "deployment", Status: testcases.StatusError, Class: testcases.ClassSetup,
		Reason: "kubernetes.client.exceptions.ApiException: (403)", Source: testcases.Source{File: vimsLog, Line: 3},
	}}
	if diff := cmp.Diff(want, evidence.Checks); diff != "" {
		t.Errorf("mismatch (-want +got):\n%s", diff)
	}
	wantFinding(t, evidence, testcases.FindingIncomplete, "no test was run")
}

func TestVIMSRefusesGarbage(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]map[string]string{
		"no log":       {"a.json": "{}"},
		"empty":        {vimsLog: ""},
		"no test line": {vimsLog: "2022-09-19 20:30:00,000 - xtesting.ci.run_tests - INFO - Loading test case 'k8s_vims'...\n\x00\xff\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			evidence, err := parseFiles(vimsCase, files, "")
			wantError(t, err, vimsLog+": no test of the live test found")
			if len(evidence.Checks) != 0 {
				t.Errorf("got %+v", evidence.Checks)
			}
		})
	}
}

func FuzzVIMS(f *testing.F) {
	for _, name := range []string{"generated-fail.txt", "generated-ansi.txt", "generated-excluded.txt"} {
		f.Add(recorded(f, "testdata/clearwater", name))
	}
	f.Add([]byte("A (TCP) - (1)\n Passed\n1 failures out of 1 tests run\n    A (TCP) at now\n"))
	f.Add([]byte("2022-09-19 20:45:00,100 - a.b - ERROR - no\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		files := asText(vimsLog, data)
		evidence, err := parseFiles(vimsCase, files, "")
		checkSound(t, files, evidence, err)
	})
}
