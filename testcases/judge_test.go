package testcases

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCount(t *testing.T) {
	t.Parallel()
	got := Count([]Check{
		{Status: StatusPass},
		{Status: StatusPass, Extra: true},
		{Status: StatusPass, Informative: true},
		{Status: StatusFail},
		{Status: StatusFail, Informative: true},
		{Status: StatusFail, Extra: true},
		{Status: StatusError, Class: ClassSetup},
		{Status: StatusSkip},
		{Status: StatusSkip, Class: ClassPending},
		{Status: StatusSkip, Class: ClassSkipped},
		{Status: StatusSkip, Class: ClassDryRun},
	})
	want := Counts{Passed: 3, Failed: 3, Errors: 1, Skipped: 4, Extra: 2}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := Count(nil); got != (Counts{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

func TestCountsInWords(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		counts Counts
		want   string
	}{
		{Counts{}, "0 passed"},
		{Counts{Passed: 34, Skipped: 7018}, "34 passed, 7018 skipped"},
		{Counts{Passed: 1, Failed: 2, Skipped: 3, Errors: 4, Missing: 5, Extra: 6}, "1 passed, 2 failed, 4 broke off, 3 skipped, 5 not executed, 6 not selected but run"},
	} {
		if got := test.counts.String(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestWorse(t *testing.T) {
	t.Parallel()
	order := []Status{StatusSkip, StatusPass, StatusFail, StatusError}
	for i, a := range order {
		for k, b := range order {
			if got := Worse(a, b); got != (i > k) {
				t.Errorf("%s worse than %s: %v", a, b, got)
			}
		}
	}
	if !Worse("", StatusFail) {
		t.Error("an unknown status is no good news")
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	finding := func(kind FindingKind, text string) Finding { return Finding{Kind: kind, Text: text} }
	for _, test := range []struct {
		outcome Outcome
		want    string
	}{
		{Outcome{Verdict: VerdictPass, Counts: Counts{Passed: 2}, Findings: []Finding{finding(FindingNote, "n")}}, "pass: 2 passed"},
		{Outcome{Verdict: VerdictFail, Findings: []Finding{finding(FindingIncomplete, "i"), finding(FindingFailure, "f"), finding(FindingFailure, "g")}}, "fail: f"},
		{Outcome{Verdict: VerdictIncomplete, Findings: []Finding{finding(FindingNote, "n"), finding(FindingIncomplete, "i"), finding(FindingIncomplete, "k")}}, "incomplete: i"},
		{Outcome{Verdict: VerdictConflict, Findings: []Finding{finding(FindingFailure, "f"), finding(FindingConflict, "c")}}, "conflict: c; f"},
		{Outcome{Verdict: VerdictConflict, Findings: []Finding{finding(FindingConflict, "c")}}, "conflict: c"},
		{Outcome{Verdict: VerdictFail, Findings: []Finding{finding(FindingIncomplete, "i")}}, "fail: recorded FAIL; i"},
		{Outcome{Verdict: VerdictMissing}, "missing"},
	} {
		if got := test.outcome.Summary(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func newJudge(t *testing.T) *Judge {
	t.Helper()
	judge, err := NewJudge(loadV123(t))
	if err != nil {
		t.Fatal(err)
	}
	return judge
}

// listing is a run of a case that lists these specs, all of them not selected.
func listing(c *Case, names []string) Run {
	run := Run{Case: c, HasEvidence: true}
	for _, name := range names {
		run.Evidence.Checks = append(run.Evidence.Checks, Check{Name: name, Status: StatusSkip, Class: ClassNotSelected})
	}
	return run
}

func TestSharedListIsThatOfThePatchRelease(t *testing.T) {
	t.Parallel()
	j := newJudge(t)
	all := j.specs
	varying := j.catalog.SpecList.Varying
	oldest := without(all, varying)
	one := without(all, varying[1:])
	auth, _ := j.catalog.Case("sig_auth")
	node, _ := j.catalog.Case("sig_node")
	quick, _ := j.catalog.Case("k8s_quick") // of another container
	hunter, _ := j.catalog.Case("kube_hunter")
	for _, test := range []struct {
		name string
		runs []Run
		want []string
	}{
		{"no run", nil, all},
		{"the newest", []Run{listing(auth, all)}, all},
		{"the oldest", []Run{listing(auth, oldest)}, oldest},
		{"one in between", []Run{listing(auth, one)}, one},
		{"one suite lists more than the other", []Run{listing(auth, oldest), listing(node, one)}, one},
		{"in any order", []Run{listing(auth, one), listing(node, oldest)}, one},
		{"20 others are absent", []Run{listing(auth, oldest[10:])}, oldest},
		{"too many are absent", []Run{listing(auth, oldest[21:])}, all},
		{"one of the suites is cut", []Run{listing(auth, one[5000:]), listing(node, oldest)}, oldest},
		{"another container", []Run{listing(quick, oldest)}, all},
		{"no suite", []Run{listing(hunter, oldest)}, all},
		{"nothing is listed", []Run{listing(auth, nil)}, all},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := j.sharedList(test.runs, auth.Container); !slices.Equal(got, test.want) {
				t.Errorf("%d names, want %d", len(got), len(test.want))
			}
		})
	}
}

func TestVerdictOfACase(t *testing.T) {
	t.Parallel()
	j := newJudge(t)
	var (
		pass   = []Check{{Name: "a", Status: StatusPass}}
		fail   = []Check{{Name: "a", Status: StatusPass}, {Name: "b", Status: StatusFail, Reason: "no answer\nat all"}}
		cut    = []Finding{{Kind: FindingIncomplete, Text: "cut"}}
		broken = []Finding{{Kind: FindingFailure, Text: "the suite failed"}}
	)
	for _, test := range []struct {
		name     string
		of       string
		criteria Criteria // "-": no record
		evidence *Evidence
		verdict  CaseVerdict
		derived  Criteria
		says     string // the summary
	}{
		{"all is well", "k8s_vims", "PASS", &Evidence{Checks: pass}, VerdictPass, "PASS", "pass: 1 passed"},
		{"both say FAIL", "k8s_vims", "FAIL", &Evidence{Checks: fail}, VerdictFail, "FAIL", `fail: 1 of 2 checks failed (first: "b": no answer)`},
		{"recorded PASS, derived FAIL", "k8s_vims", "PASS", &Evidence{Checks: fail}, VerdictConflict, "FAIL", `conflict: recorded PASS, but the raw files say FAIL; 1 of 2 checks failed`},
		{"recorded FAIL, derived PASS", "k8s_vims", "FAIL", &Evidence{Checks: pass}, VerdictConflict, "PASS", "conflict: recorded FAIL, but the raw files say PASS"},
		{"recorded FAIL, passed so far", "k8s_vims", "FAIL", &Evidence{Checks: pass, Findings: cut}, VerdictFail, "PASS", "fail: recorded FAIL; cut"},
		{"recorded PASS, passed so far", "k8s_vims", "PASS", &Evidence{Checks: pass, Findings: cut}, VerdictIncomplete, "PASS", "incomplete: cut"},
		{"recorded PASS, failed so far", "k8s_vims", "PASS", &Evidence{Checks: fail, Findings: cut}, VerdictConflict, "FAIL", "conflict: recorded PASS"},
		{"recorded PASS, nothing to read", "k8s_vims", "PASS", &Evidence{Findings: cut}, VerdictIncomplete, "FAIL", "incomplete: cut"},
		{"recorded FAIL, nothing to read", "k8s_vims", "FAIL", &Evidence{Findings: cut}, VerdictFail, "FAIL", "fail: recorded FAIL; cut"},
		{"recorded PASS, nothing done", "k8s_vims", "PASS", &Evidence{}, VerdictConflict, "FAIL", "no check that the case selects passed"},
		{"a failure of the whole", "k8s_vims", "PASS", &Evidence{Checks: pass, Findings: broken}, VerdictConflict, "FAIL", "the suite failed"},
		{"no record", "k8s_vims", "-", &Evidence{Checks: pass}, VerdictIncomplete, "PASS", "incomplete: no record was pushed"},
		{"no record, and it failed", "k8s_vims", "-", &Evidence{Checks: fail}, VerdictFail, "FAIL", "fail: 1 of 2 checks failed"},
		{"no evidence", "k8s_vims", "PASS", nil, VerdictIncomplete, "", "incomplete: no evidence"},
		{"no evidence of a failure", "k8s_vims", "FAIL", nil, VerdictFail, "", "fail: recorded FAIL; no evidence"},
		{"neither", "k8s_vims", "-", nil, VerdictMissing, "", "missing: no record"},
		{"criteria in lower case", "k8s_vims", "pass", &Evidence{Checks: pass}, VerdictIncomplete, "PASS", `incomplete: its record says "pass"`},
		{"what informs does not fail", "kube_bench_node", "PASS", &Evidence{Checks: []Check{{Name: "a", Status: StatusFail, Informative: true}}}, VerdictPass, "PASS", "pass: 0 passed, 1 failed"},
		{"kube-hunter found nothing", "kube_hunter", "PASS", &Evidence{}, VerdictPass, "PASS", "pass: 0 passed"},
		{"kube-hunter found nothing, recorded FAIL", "kube_hunter", "FAIL", &Evidence{}, VerdictConflict, "PASS", "a known fault of the container"},
		{"kube-hunter found something small, recorded FAIL", "kube_hunter", "FAIL", &Evidence{Checks: []Check{{Name: "a", Status: StatusFail, Informative: true}}}, VerdictConflict, "PASS", "conflict: recorded FAIL, but the raw files say PASS"},
		{"kube-hunter's report is cut", "kube_hunter", "PASS", &Evidence{Findings: cut}, VerdictIncomplete, "FAIL", "incomplete: cut"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, _ := j.catalog.Case(test.of)
			run := Run{Case: c, HasEvidence: test.evidence != nil}
			if test.evidence != nil {
				run.Evidence = *test.evidence
			}
			if test.criteria != "-" {
				run.Record = &Record{CaseName: test.of, Criteria: test.criteria}
			}
			o, err := j.Case(run)
			if err != nil {
				t.Fatal(err)
			}
			if o.Verdict != test.verdict || o.Derived != test.derived || !strings.Contains(o.Summary(), test.says) {
				t.Errorf("got %s, derived %q, %q; want %s, %q, %q", o.Verdict, o.Derived, o.Summary(), test.verdict, test.derived, test.says)
			}
			if test.name == "kube-hunter found something small, recorded FAIL" && strings.Contains(o.Summary(), "known fault") {
				t.Errorf("that fault is of empty reports: %q", o.Summary())
			}
			if !slices.IsSortedFunc(o.Findings, func(a, b Finding) int { return a.Kind.order() - b.Kind.order() }) {
				t.Errorf("findings are not in the order in which they matter: %+v", o.Findings)
			}
		})
	}
}

// suiteRun is a run of sig_instrumentation: four specs are selected.
func suiteRun(t *testing.T, j *Judge, change func(*Check)) Run {
	t.Helper()
	c, _ := j.catalog.Case("sig_instrumentation")
	selection := newSelection(t, c)
	run := listing(c, j.specs)
	for i := range run.Evidence.Checks {
		check := &run.Evidence.Checks[i]
		if selected, _ := selection.Match(check.Name); selected {
			*check = Check{Name: check.Name, Status: StatusPass, Seconds: 1}
			change(check)
		}
	}
	run.Record = &Record{CaseName: c.Name, Criteria: CriteriaPass, Details: json.RawMessage(`{"passed": 4, "failed": 0}`)}
	run.LogCriteria = "PASS"
	return run
}

func TestRecordIsHeldAgainstWhatElseTellsOfTheRun(t *testing.T) {
	t.Parallel()
	j := newJudge(t)
	for _, test := range []struct {
		name   string
		change func(*Run)
		want   string // in a finding; empty: there is none that counts
	}{
		{"they agree", func(*Run) {}, ""},
		{"no log", func(r *Run) { r.LogCriteria = "" }, ""},
		{"the log says FAIL", func(r *Run) { r.LogCriteria = "FAIL" }, "its log says FAIL, its record PASS"},
		{"fewer passed", func(r *Run) { r.Record.Details = json.RawMessage(`{"passed": 3, "failed": 0}`) }, "the record counts 3 passed and 0 failed, the XML lists 4 and 0"},
		{"one failed", func(r *Run) { r.Record.Details = json.RawMessage(`{"passed": 4, "failed": 1}`) }, "the record counts 4 passed and 1 failed"},
		{"no figures", func(r *Run) { r.Record.Details = json.RawMessage(`{}`) }, ""},
		{"figures of another kind", func(r *Run) { r.Record.Details = json.RawMessage(`{"passed": "4", "failed": []}`) }, ""},
		{"null", func(r *Run) { r.Record.Details = json.RawMessage(`null`) }, ""},
		{"nothing", func(r *Run) { r.Record.Details = nil }, ""},
		{"criteria not met", func(r *Run) { r.Record.Details = json.RawMessage(`{"pass_sla": false}`) }, "did not meet its criteria"},
		{"criteria met", func(r *Run) { r.Record.Details = json.RawMessage(`{"pass_sla": true}`) }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			run := suiteRun(t, j, func(*Check) {})
			test.change(&run)
			o, err := j.Case(run)
			if err != nil {
				t.Fatal(err)
			}
			if test.want == "" && (o.Verdict != VerdictPass || len(o.Findings) > 0) {
				t.Errorf("%s: %+v", o.Verdict, o.Findings)
			}
			if test.want != "" && (o.Verdict != VerdictIncomplete || len(o.Findings) != 1 || !strings.Contains(o.Findings[0].Text, test.want)) {
				t.Errorf("%s: %+v, want %q", o.Verdict, o.Findings, test.want)
			}
		})
	}
}

func TestFailedSetUpIsTheReasonOfWhatIsMissing(t *testing.T) {
	t.Parallel()
	j := newJudge(t)
	c, _ := j.catalog.Case("sig_auth")
	o, err := j.Case(Run{
		Case: c, HasEvidence: true, Record: &Record{Criteria: CriteriaFail, Details: json.RawMessage(`{"passed": 0, "failed": 14}`)},
		Evidence: Evidence{Checks: []Check{{Name: "BeforeSuite", Status: StatusError, Class: ClassSetup, Reason: "nodes are not ready"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Missing) != 14 || o.Counts != (Counts{Errors: 1, Missing: 14}) || o.Verdict != VerdictFail {
		t.Errorf("%s, %d missing, counts %+v", o.Verdict, len(o.Missing), o.Counts)
	}
	for _, missing := range o.Missing {
		if missing.Reason != "BeforeSuite failed: nodes are not ready" {
			t.Errorf("%+v", missing)
		}
	}
	if slices.ContainsFunc(o.Findings, func(f Finding) bool { return strings.Contains(f.Text, "the record counts") }) {
		t.Errorf("ginkgo counts all specs as failed then: %+v", o.Findings)
	}
}

func TestMissingSpecsAreNamedOnceWithTheirReason(t *testing.T) {
	t.Parallel()
	j := newJudge(t)
	run := suiteRun(t, j, func(check *Check) {
		*check = Check{Name: check.Name, Status: StatusSkip, Class: ClassPending, Reason: "marked as pending"}
	})
	run.Evidence.Checks = slices.DeleteFunc(run.Evidence.Checks, func(c Check) bool { return strings.Contains(c.Name, "Events API should") })
	o, err := j.Case(run)
	if err != nil {
		t.Fatal(err)
	}
	selection := newSelection(t, run.Case)
	want := map[string]int{}
	for _, name := range selection.Select(j.specs) {
		want[name]++
	}
	got := map[string]int{}
	for _, missing := range o.Missing {
		got[missing.Name]++
		if reason := missing.Reason; reason != "marked as pending" && reason != "no file lists it" {
			t.Errorf("%+v", missing)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
}

func TestCopiesAreFoundByTheirDurations(t *testing.T) {
	t.Parallel()
	suite := func(name string) *Case { return &Case{Name: name, Driver: "e2e_testing", Focus: "."} }
	rally := func(name string) *Case { return &Case{Name: name, Driver: "xrally_kubernetes"} }
	run := func(c *Case, seconds ...float64) Run {
		r := Run{Case: c}
		for i, s := range seconds {
			r.Evidence.Checks = append(r.Evidence.Checks, Check{Name: fmt.Sprint(i), Status: StatusPass, Seconds: s})
		}
		return r
	}
	for _, test := range []struct {
		name string
		a, b Run
		want FindingKind
	}{
		{"Rally, the same", run(rally("a"), 1, 2, 3, 4, 5), run(rally("b"), 1, 2, 3, 4, 5), FindingIncomplete},
		{"e2e, the same", run(suite("a"), 1, 2, 3, 4, 5), run(suite("b"), 1, 2, 3, 4, 5), FindingNote},
		{"one is a part of the other", run(suite("a"), 1, 2, 3, 4, 5, 6, 7), run(suite("b"), 1, 2, 3, 4, 5), FindingNote},
		{"some were touched up", run(rally("a"), 1, 2, 3, 4, 5, 6, 7, 8), run(rally("b"), 1, 2, 3, 4, 5, 7, 8, 9), FindingIncomplete},
		{"another run", run(rally("a"), 1, 2, 3, 4, 5), run(rally("b"), 1.1, 2.1, 3.1, 4.1, 5.1), ""},
		{"half may be chance", run(rally("a"), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10), run(rally("b"), 1, 2, 3, 4, 5, 7, 8, 9, 10, 11), ""},
		{"too few to tell", run(suite("a"), 1, 2, 3, 4), run(suite("b"), 1, 2, 3, 4), ""},
		{"without durations", run(rally("a"), 0, 0, 0, 0, 0), run(rally("b"), 0, 0, 0, 0, 0), ""},
		{"of other drivers", run(rally("a"), 1, 2, 3, 4, 5), run(suite("b"), 1, 2, 3, 4, 5), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := copies([]Run{test.a, test.b})
			if test.want == "" {
				if len(got) != 0 {
					t.Errorf("found %+v", got)
				}
				return
			}
			for name, other := range map[string]string{"a": "b", "b": "a"} {
				if len(got[name]) != 1 || got[name][0].Kind != test.want || !strings.Contains(got[name][0].Text, "as long as in "+other+":") {
					t.Errorf("%s: %+v", name, got[name])
				}
			}
		})
	}
}

func TestACatalogueWithoutMandatoryCasesProvesNothing(t *testing.T) {
	t.Parallel()
	j := newJudge(t)
	narrow := *j.catalog
	narrow.Cases = nil
	j.catalog = &narrow
	a, err := j.Campaign("TAG00000", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.Verdict != NotConformant || len(a.Reasons) != 1 {
		t.Errorf("verdict %s, reasons %q", a.Verdict, a.Reasons)
	}
}

func TestACampaignOfNothingNamesEveryMandatoryCase(t *testing.T) {
	t.Parallel()
	a, err := newJudge(t).Campaign("TAG00000", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.Verdict != NotConformant || len(a.Reasons) != 22 || len(a.Outcomes) != 24 {
		t.Errorf("verdict %s, %d outcomes, reasons %q", a.Verdict, len(a.Outcomes), a.Reasons)
	}
	for _, reason := range a.Reasons {
		if !strings.Contains(reason, ": missing: no record") {
			t.Errorf("%q", reason)
		}
	}
}

func TestFirstLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                         "",
		"one":                      "one",
		"one\ntwo":                 "one",
		strings.Repeat("ä", 200):   strings.Repeat("ä", 200),
		strings.Repeat("ä", 201):   strings.Repeat("ä", 200) + " [...]",
		strings.Repeat("x", 1<<20): strings.Repeat("x", 200) + " [...]",
	} {
		if got := firstLine(text); got != want {
			t.Errorf("got %d bytes, want %d", len(got), len(want))
		}
	}
}
