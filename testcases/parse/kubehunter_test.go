package parse

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/testcases"
)

var hunterCase = &testcases.Case{Name: "kube_hunter", Driver: "kube_hunter", Args: map[string]any{"severity": "high"}}

const hunterJSON, hunterLog = "kube_hunter/report.json", "functest-kubernetes.log"

func TestKubeHunterAgreesWithTheTruth(t *testing.T) {
	t.Parallel()
	for name, want := range truth(t, "testdata/kube-hunter/TRUTH.tsv") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := asText(hunterJSON, recorded(t, "testdata/kube-hunter", name))
			evidence, err := parseFiles(hunterCase, files, "")
			checkSound(t, files, evidence, err)
			if want["bytes"] == "0" {
				wantError(t, err, hunterJSON+": empty: no JSON in it")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			failing, found, unlinked := map[string]int{}, 0, 0
			for _, check := range evidence.Checks {
				if check.Status != testcases.StatusFail {
					continue
				}
				found++
				failing[check.Severity]++
				if check.Informative != (check.Severity != "high") {
					t.Errorf("%s: severity %s, informative %v", check.Name, check.Severity, check.Informative)
				}
				if check.Link == "" {
					unlinked++
				}
			}
			if found != number(t, want["vulnerabilities"]) || unlinked != number(t, want["no_vid"]) ||
				failing["low"] != number(t, want["low"]) || failing["medium"] != number(t, want["medium"]) || failing["high"] != number(t, want["high"]) {
				t.Errorf("got %v, %d without link, want %v", failing, unlinked, want)
			}
			facts := []testcases.Fact{{Name: "nodes", Value: want["nodes"]}, {Name: "services", Value: want["services"]}}
			if want["statistics"] != "-" {
				facts = append(facts, testcases.Fact{Name: "hunters", Value: want["statistics"]})
				// one hunter found all three
				if got := tally(evidence.Checks)[testcases.StatusPass]; got != number(t, want["statistics"])-1 {
					t.Errorf("got %d hunters that found nothing, want %s less one", got, want["statistics"])
				}
			}
			if diff := cmp.Diff(facts, evidence.Facts); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
			_, noted := finding(evidence, testcases.FindingNote, "found no vulnerability")
			if noted != (found == 0) {
				t.Errorf("noted that nothing was found: %v, with %d found", noted, found)
			}
		})
	}
}

func TestKubeHunterInTheLogOfACampaign(t *testing.T) {
	t.Parallel()
	evidence, err := parseRecording(t, hunterCase, "testdata/campaign/kube_hunter")
	if err != nil {
		t.Fatal(err)
	}
	if want := number(t, truth(t, "testdata/campaign/TRUTH.tsv")["kube_hunter"]["failed"]); tally(evidence.Checks)[testcases.StatusFail] != want {
		t.Errorf("got %v, want %d vulnerabilities", tally(evidence.Checks), want)
	}
	want := testcases.Check{
		Name: "Privileged Container", Status: testcases.StatusFail, Class: testcases.ClassFailure, Informative: true,
		Severity: "low", Link: "https://aquasecurity.github.io/kube-hunter/kb/KHV044",
		Reason: "A Privileged container exist on a node could expose the node/cluster to unwanted root operations\n" +
			"category: Access Risk\nlocation: 127.0.0.1:10255\nevidence: pod: coredns-1, container: coredns, count: 1\nfound by: Kubelet Readonly Ports Hunter",
		Source: testcases.Source{File: hunterLog, Line: 10},
	}
	if diff := cmp.Diff(want, named(t, evidence, want.Name)); diff != "" {
		t.Errorf("mismatch (-want +got):\n%s", diff)
	}
	// two hunters have one name
	if got := named(t, evidence, "API Server Hunter [2]"); got.Status != testcases.StatusPass || !got.Informative || !strings.HasPrefix(got.Reason, "Accessing the API server") {
		t.Errorf("got %+v", got)
	}
}

// found makes a report of vulnerabilities.
func found(vulnerabilities string) string {
	return `{"nodes": [{"type": "Node/Master"}], "services": [], "vulnerabilities": [` + vulnerabilities + `]}`
}

func TestKubeHunterSeverityThatFails(t *testing.T) {
	t.Parallel()
	report := found(`{"vulnerability": "L", "severity": "low"}, {"vulnerability": "M", "severity": "medium"},
		{"vulnerability": "H", "severity": "high"}, {"vulnerability": "C", "severity": "critical"}, {"vulnerability": "N"}`)
	tests := map[string]struct {
		severity any
		fails    string
	}{
		"high":            {"high", "HCN"},
		"not set":         {nil, "HCN"},
		"medium":          {"medium", "MHCN"},
		"low":             {"Low", "LMHCN"},
		"of another kind": {7, "HCN"},
		"none":            {"none", "CN"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &testcases.Case{Name: "kube_hunter", Driver: "kube_hunter"}
			if test.severity != nil {
				c.Args = map[string]any{"severity": test.severity}
			}
			evidence, err := parseFiles(c, map[string]string{hunterJSON: report}, "")
			if err != nil {
				t.Fatal(err)
			}
			fails := ""
			for _, check := range evidence.Checks {
				if !check.Informative {
					fails += check.Name
				}
			}
			if fails != test.fails {
				t.Errorf("got %s failing, want %s", fails, test.fails)
			}
			if got := named(t, evidence, "C").Reason; !strings.Contains(got, `severity "critical" is none that kube-hunter has`) {
				t.Errorf("unknown severity: %q", got)
			}
			if _, noted := finding(evidence, testcases.FindingNote, "is none that kube-hunter has: high is taken"); noted != (name == "of another kind") {
				t.Errorf("findings %v", evidence.Findings)
			}
		})
	}
}

func TestKubeHunterNamesAndLinks(t *testing.T) {
	t.Parallel()
	evidence, err := parseFiles(hunterCase, map[string]string{hunterJSON: found(
		`{"vulnerability": "A", "severity": "low", "location": "x:1", "vid": "KHV1"}, {"vulnerability": "A", "severity": "low", "location": "x:2", "vid": "None"},
		{"vulnerability": "A", "severity": "low", "location": "x:2", "vid": "javascript:alert(1)"}, {"vulnerability": "B", "severity": "low", "location": "x:1", "vid": null, "evidence": ["x"]},
		{"severity": "low"}`)}, "")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, check := range evidence.Checks {
		got[check.Name] = check.Link
	}
	want := map[string]string{"A at x:1": "https://aquasecurity.github.io/kube-hunter/kb/KHV1", "A at x:2": "", "A at x:2 [2]": "", "B": "", "unnamed vulnerability": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mismatch (-want +got):\n%s", diff)
	}
}

func TestKubeHunterLeavesTokensOut(t *testing.T) {
	t.Parallel()
	name := "securecodebox-kind-1.18-in-cluster-scan.json"
	data := recorded(t, "testdata/kube-hunter", name)
	if !strings.Contains(string(data), "eyJ") {
		t.Fatal("the recording holds no token")
	}
	evidence, err := parseFiles(hunterCase, asText(hunterJSON, data), "")
	if err != nil {
		t.Fatal(err)
	}
	got := named(t, evidence, "Read access to pod's service account token").Reason
	if strings.Contains(got, "eyJ") || !strings.Contains(got, "evidence: [a token, left out here]") {
		t.Errorf("got %q", got)
	}
}

func TestReportsThatDifferHideNothing(t *testing.T) {
	t.Parallel()
	log := "{\"level\": \"info\"}\n{'cut\n" + found(`{"vulnerability": "old", "severity": "high"}`) + "\n" + found(`{"vulnerability": "new", "severity": "low"}`) + "\nmore\n"
	clean, bad := found(""), found(`{"vulnerability": "old", "severity": "high"}`)
	for name, test := range map[string]struct {
		files   map[string]string
		details string
	}{
		"in one log":            {files: map[string]string{hunterLog: log}},
		"in two logs":           {files: map[string]string{"a.log": clean, hunterLog: bad}},
		"in a file and a log":   {files: map[string]string{"report.json": clean, hunterLog: bad}},
		"in a log and a record": {files: map[string]string{hunterLog: clean}, details: bad},
	} {
		evidence, err := parseFiles(hunterCase, test.files, test.details)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		wantFinding(t, evidence, testcases.FindingIncomplete, "holds another report than")
	}
	same, err := parseFiles(hunterCase, map[string]string{"report.json": bad, hunterLog: bad}, bad)
	if err != nil || len(same.Findings) > 0 {
		t.Errorf("copies of one report: %v, %+v", err, same.Findings)
	}
}

func TestKubeHunterFallsBackOnTheRecord(t *testing.T) {
	t.Parallel()
	evidence, err := parseFiles(hunterCase, map[string]string{hunterLog: "nothing\n"}, string(recorded(t, "testdata/kube-hunter", "generated-v0.3.1.json")))
	if err != nil {
		t.Fatal(err)
	}
	if got := tally(evidence.Checks)[testcases.StatusFail]; got != 3 {
		t.Errorf("got %d vulnerabilities, want 3", got)
	}
	wantFinding(t, evidence, testcases.FindingNote, "read from the container's record")
}

func TestKubeHunterRefusesGarbage(t *testing.T) {
	t.Parallel()
	report := string(recorded(t, "testdata/kube-hunter", "defectdojo-kubehunter_many_vul.json"))
	tests := map[string]struct {
		files   map[string]string
		details string
		want    string
		checks  int
	}{
		"no report":      {map[string]string{}, "", "kube-hunter's report: no report found: the container leaves", 0},
		"other JSON":     {map[string]string{hunterJSON: "{}"}, "", "no report found", 0},
		"not JSON":       {map[string]string{hunterJSON: "hello"}, "", hunterJSON + ":1: want an object", 0},
		"white space":    {map[string]string{hunterJSON: "\n \n"}, "", hunterJSON + ": empty", 0},
		"Python":         {map[string]string{hunterJSON: "{'vulnerabilities': []}"}, "", hunterJSON + ":1: want a key in quotes", 0},
		"more follows":   {map[string]string{hunterJSON: report + "\n{}"}, "", "want the end of the file", 8},
		"cut":            {map[string]string{hunterJSON: report[:2000]}, "", hunterJSON + ":56: cut off", 3},
		"cut in a log":   {map[string]string{hunterLog: "x\n" + strings.ReplaceAll(found(`{"vulnerability": "a", "severity": "low"}, {"vul`), "]}", "")}, "", hunterLog + ":2: cut off", 1},
		"bad details":    {map[string]string{}, `{"vulnerabilities": 3}`, recordFile + ":1: want a list", 0},
		"null":           {map[string]string{hunterJSON: "{\n\"vulnerabilities\": null}"}, "", hunterJSON + ":2: want a list of vulnerabilities, found 'n'", 0},
		"None":           {map[string]string{hunterLog: "{'vulnerabilities': None}"}, "", hunterLog + ":1: want a list of vulnerabilities, found 'N'", 0},
		"an object":      {map[string]string{hunterJSON: `{"vulnerabilities": {}}`}, "", "want a list of vulnerabilities", 0},
		"nothing":        {map[string]string{hunterJSON: `{"vulnerabilities": `}, "", hunterJSON + ":1: cut off", 0},
		"a list twice":   {map[string]string{hunterJSON: `{"vulnerabilities": [{"vulnerability": "a"}], "vulnerabilities": []}`}, "", hunterJSON + `:1: the key "vulnerabilities" stands twice in one object`, 1},
		"severity twice": {map[string]string{hunterJSON: found("\n" + `{"vulnerability": "a", "severity": "high", "severity": "low"}`)}, "", hunterJSON + `:2: the key "severity" stands twice`, 1},
		"driver broke":   {map[string]string{hunterLog: "a\nTraceback (most recent call last):\n  File\nKeyError: 'x'\n"}, "", hunterLog + ":2: no report: the driver broke: KeyError: 'x'", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			evidence, err := parseFiles(hunterCase, test.files, test.details)
			wantError(t, err, test.want)
			if len(evidence.Checks) < test.checks {
				t.Errorf("got %d checks, want at least %d kept", len(evidence.Checks), test.checks)
			}
		})
	}
}

func TestKubeHunterFindsWhatAnEmptyListHides(t *testing.T) {
	t.Parallel()
	statistics := strings.Replace(found(""), "]}", "], \"hunter_statistics\": [{\"name\": \"H\", \"vulnerabilities\": 2}]}", 1)
	for name, test := range map[string]flawed{
		"statistics":   {map[string]string{hunterJSON: statistics}, testcases.FindingIncomplete, `the statistics say that "H" found 2`},
		"the log":      {map[string]string{hunterJSON: found(""), hunterLog: "x\n1 INFO Found \x1b[1mvulnerability \"Exposed\x1b[0m Pods\" in 192.0.2.1\n"}, testcases.FindingIncomplete, `kube-hunter found "Exposed Pods"`},
		"the same log": {map[string]string{hunterLog: "1 INFO Found vulnerability \"A\" in x\n" + found("") + "\n"}, testcases.FindingIncomplete, `kube-hunter found "A"`},
		"no cluster":   {map[string]string{hunterJSON: `{"nodes": [], "services": [], "vulnerabilities": []}`}, testcases.FindingNote, "it had nothing to scan"},
	} {
		evidence, err := parseFiles(hunterCase, test.files, "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		wantFinding(t, evidence, test.kind, test.want)
	}
}

func FuzzKubeHunter(f *testing.F) {
	for _, name := range []string{"generated-v0.3.1.json", "generated-v0.3.1-podlog.txt", "defectdojo-kubehunter_zero_vul.json"} {
		f.Add(recorded(f, "testdata/kube-hunter", name), false)
		f.Add(recorded(f, "testdata/kube-hunter", name), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, isLog bool) {
		files := asText(hunterJSON, data)
		if isLog {
			files = asText(hunterLog, data)
		}
		evidence, err := parseFiles(hunterCase, files, "")
		checkSound(t, files, evidence, err)
	})
}
