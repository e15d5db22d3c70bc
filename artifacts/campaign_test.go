package artifacts

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/internal/flawless"
	"github.com/anuket-project/xtci/testcases"
)

// What may differ between campaigns of conformant clusters.
func TestHarmlessDifferencesStayConformant(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, of string
		change   func(*testing.T, *lab)
		shows    func(*testcases.Outcome) bool
	}{
		{"an optional case fails", "k8s_quick", func(t *testing.T, l *lab) {
			l.rerun("k8s_quick", func(s *suite) { s.First(passed, func(spec *spec) { spec.Fate = failed }) })
			l.edit("k8s_quick", "functest-kubernetes.log", replace(t, "PASS", "FAIL"))
			l.of("k8s_quick").Criteria = testcases.CriteriaFail
		}, func(o *testcases.Outcome) bool { return o.Verdict == testcases.VerdictFail && o.Counts.Failed == 1 }},
		{"an optional case is missing", "k8s_smoke", func(t *testing.T, l *lab) {
			l.forget("k8s_smoke")
			l.remove("k8s_smoke", "")
		}, func(o *testcases.Outcome) bool { return o.Verdict == testcases.VerdictMissing }},
		{"a run replaced a failed one", smallSuite, func(t *testing.T, l *lab) {
			l.move(smallSuite, 6)
			l.of(smallSuite).Criteria = testcases.CriteriaFail
			l.write(smallSuite)
			l.record(smallSuite, testcases.CriteriaPass, nil)
			l.recount(smallSuite)
		}, func(o *testcases.Outcome) bool {
			return len(o.Earlier) == 1 && o.Earlier[0].Criteria == testcases.CriteriaFail && strings.HasSuffix(o.Earlier[0].Folder, "-sig_auth-6") && o.Earlier[0].Stopped != ""
		}},
		{"a run replaced a failed one that could not upload its files", smallSuite, func(t *testing.T, l *lab) {
			record := *l.of(smallSuite)
			record.Criteria, record.Details = testcases.CriteriaFail, json.RawMessage("null")
			l.records = append(l.records, record)
		}, func(o *testcases.Outcome) bool {
			return len(o.Earlier) == 1 && o.Earlier[0].Criteria == testcases.CriteriaFail
		}},
		{"build 10 replaced build 9", smallSuite, func(t *testing.T, l *lab) {
			l.move(smallSuite, 9)
			l.of(smallSuite).Criteria = testcases.CriteriaFail
			l.write(smallSuite)
			l.record(smallSuite, testcases.CriteriaPass, nil)
			l.recount(smallSuite)
			l.move(smallSuite, 10)
		}, func(o *testcases.Outcome) bool { return o.Build == "10" && len(o.Earlier) == 1 }},
		{"nothing was uploaded by the container", smallSuite, func(t *testing.T, l *lab) {
			l.of(smallSuite).Details = json.RawMessage("null")
		}, func(o *testcases.Outcome) bool { return o.RecordedFrom == "record" }},
		{"a spec flaked and the container understood it", smallSuite, func(t *testing.T, l *lab) {
			l.rerun(smallSuite, func(s *suite) { s.First(passed, func(spec *spec) { spec.Fate = flaked }) })
		}, func(o *testcases.Outcome) bool {
			return slices.ContainsFunc(o.Checks, func(c testcases.Check) bool {
				return c.Flaked && c.Attempts == 2 && strings.Contains(c.Reason, "timed out")
			})
		}},
		{"selected specs skip themselves", smallSuite, func(t *testing.T, l *lab) {
			l.rerun(smallSuite, func(s *suite) {
				s.First(passed, func(spec *spec) { spec.Fate = withdrew })
				s.First(passed, func(spec *spec) { spec.Fate = withdrew })
			})
		}, func(o *testcases.Outcome) bool { return o.Counts.Passed == 12 && o.Counts.Skipped == 7040 }},
		{"specs that are not selected run and pass", smallSuite, func(t *testing.T, l *lab) {
			l.rerun(smallSuite, func(s *suite) { s.First(unselected, func(spec *spec) { spec.Fate, spec.Seconds = passed, 3 }) })
		}, func(o *testcases.Outcome) bool { return o.Counts.Passed == 15 && o.Counts.Extra == 1 }},
		{"20 names that are not selected are absent", smallSuite, func(t *testing.T, l *lab) {
			l.rerun(smallSuite, func(s *suite) { drop(s, unselected, 20) })
		}, func(o *testcases.Outcome) bool { return o.Counts.Skipped == 7018 }},
		{"one node instead of ten", smallSuite, func(t *testing.T, l *lab) {
			l.rerun(smallSuite, func(s *suite) { s.Nodes = 1 })
		}, func(o *testcases.Outcome) bool { return o.Counts.Passed == 14 }},
		{"all of CIS failed", "kube_bench_master", func(t *testing.T, l *lab) {
			l.edit("kube_bench_master", "functest-kubernetes.log", replace(t, "'status': 'PASS'", "'status': 'FAIL'"))
		}, func(o *testcases.Outcome) bool { return o.Counts.Failed == 2 && o.Counts.Passed == 0 }},
		{"the details of a record are no object", "k8s_vims", func(t *testing.T, l *lab) {
			l.of("k8s_vims").Details = json.RawMessage(`["free", 1]`)
		}, func(o *testcases.Outcome) bool { return o.Counts.Passed == 3 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := flawlessLab(t)
			test.change(t, l)
			a := l.assess(t, nil, test.of, "netperf")
			o := outcomeOf(t, a, test.of)
			if a.Verdict != testcases.Conformant || len(a.Reasons) != 0 {
				t.Errorf("verdict %s, reasons %q, findings %+v", a.Verdict, a.Reasons, o.Findings)
			}
			if !test.shows(o) {
				t.Errorf("not shown: counts %+v, earlier %+v, findings %+v", o.Counts, o.Earlier, o.Findings)
			}
		})
	}
}

func TestAnOlderPatchReleaseIsConformant(t *testing.T) {
	t.Parallel()
	skipShort(t)
	l := flawlessLab(t)
	cases := []string{"sig_apps_serial", "sig_network", "sig_node"} // they select what varies
	for _, name := range cases {
		l.rerun(name, func(s *suite) {
			s.Specs = slices.DeleteFunc(s.Specs, func(spec spec) bool { return slices.Contains(l.catalog.SpecList.Varying, spec.Name) })
		})
	}
	if a := l.assess(t, nil, cases...); a.Verdict != testcases.Conformant {
		t.Errorf("verdict %s, reasons %q", a.Verdict, a.Reasons)
	}
}

// The container does not understand a summary with flaked specs and records
// FAIL: that is a conflict, and a reviewer's to decide.
func TestFlakedSpecOfTheClassicContainer(t *testing.T) {
	t.Parallel()
	l := flawlessLab(t)
	l.rerun(smallSuite, func(s *suite) { s.First(passed, func(spec *spec) { spec.Fate = flaked }) })
	l.edit(smallSuite, "functest-kubernetes.log", replace(t, "PASS", "FAIL"))
	l.of(smallSuite).Criteria = testcases.CriteriaFail
	o := outcomeOf(t, l.assess(t, nil, smallSuite), smallSuite)
	wantFinding(t, o, testcases.VerdictConflict, "such as the one with flaked specs")
	if o.Derived != testcases.CriteriaPass || !o.Complete {
		t.Errorf("derived %s, complete %v, %+v", o.Derived, o.Complete, o.Findings)
	}
}

func TestWaivers(t *testing.T) {
	t.Parallel()
	const reason = "kube-hunter found nothing: see the report"
	failing := func(t *testing.T) *lab {
		l := flawlessLab(t)
		l.foundNothing(t)
		return l
	}
	for _, test := range []struct {
		name    string
		lab     func(*testing.T) *lab
		waivers map[string]string
		verdict testcases.CampaignVerdict
		waiver  string // that the outcome of kube_hunter carries
		reasons int
	}{
		{"none", failing, nil, testcases.NotConformant, "", 1},
		{"the only failure", failing, map[string]string{"kube_hunter": reason}, testcases.ConformantWithWaivers, reason, 0},
		{"without a reason", failing, map[string]string{"kube_hunter": ""}, testcases.NotConformant, "", 1},
		{"of another case", failing, map[string]string{"netperf": reason}, testcases.NotConformant, "", 1},
		{"one of two failures", func(t *testing.T) *lab {
			l := failing(t)
			l.remove("netperf", "netperf.csv")
			return l
		}, map[string]string{"kube_hunter": reason}, testcases.NotConformant, reason, 1},
		{"one of two, the other before it", func(t *testing.T) *lab {
			l := failing(t)
			l.remove("xrally_kubernetes", ".xml")
			return l
		}, map[string]string{"kube_hunter": reason}, testcases.NotConformant, reason, 1},
		{"of a case that passes", flawlessLabOf, map[string]string{"kube_hunter": reason}, testcases.Conformant, "", 0},
		{"of no case", flawlessLabOf, map[string]string{"nothing": reason}, testcases.Conformant, "", 0},
		{"of an optional case", func(t *testing.T) *lab {
			l := flawlessLab(t)
			l.forget("k8s_quick")
			return l
		}, map[string]string{"k8s_quick": reason}, testcases.Conformant, "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := test.lab(t).assess(t, test.waivers, "xrally_kubernetes", "kube_hunter", "netperf", "k8s_quick")
			o := outcomeOf(t, a, "kube_hunter")
			if a.Verdict != test.verdict || o.Waiver != test.waiver || len(a.Reasons) != test.reasons {
				t.Errorf("verdict %s, waiver %q, reasons %q; want %s, %q, %d", a.Verdict, o.Waiver, a.Reasons, test.verdict, test.waiver, test.reasons)
			}
			if o.Waiver != "" && (o.Verdict == testcases.VerdictPass || len(o.Findings) == 0) {
				t.Errorf("the waiver hides what it waives: %s, %+v", o.Verdict, o.Findings)
			}
			plain := a.WithoutWaivers()
			if want := test.lab(t).assess(t, nil, "xrally_kubernetes", "kube_hunter", "netperf", "k8s_quick"); plain.Verdict != want.Verdict || !slices.Equal(plain.Reasons, want.Reasons) {
				t.Errorf("without waivers: %s %q, want %s %q", plain.Verdict, plain.Reasons, want.Verdict, want.Reasons)
			}
			if outcomeOf(t, a, "kube_hunter").Waiver != test.waiver {
				t.Error("WithoutWaivers changed the assessment itself")
			}
		})
	}
}

func flawlessLabOf(t *testing.T) *lab { return flawlessLab(t) }

// Results beyond the page of a classic index are taken from the containers'
// logs; those that a whole index does not have are not.
func TestRecordsBeyondThePage(t *testing.T) {
	t.Parallel()
	oldest := []string{"k8s_quick", "k8s_smoke", "xrally_kubernetes", "k8s_conformance"}
	judge := func(t *testing.T, change func(*lab)) *testcases.Outcome {
		l := flawlessLab(t)
		l.records = l.records[:resultsPerPage]
		for _, name := range oldest {
			if slices.ContainsFunc(l.records, func(r testcases.Record) bool { return r.CaseName == name }) {
				t.Fatalf("%s is on the page", name)
			}
		}
		change(l)
		return outcomeOf(t, l.assess(t, nil, "xrally_kubernetes", "netperf"), "xrally_kubernetes")
	}
	for _, test := range []struct {
		name    string
		change  func(*lab)
		verdict testcases.CaseVerdict
		from    string
	}{
		{"a page of two", func(l *lab) { l.pages = 2 }, testcases.VerdictPass, "log"},
		{"the only page", func(l *lab) { l.pages = 1 }, testcases.VerdictIncomplete, ""},
		{"no pagination", func(l *lab) { l.pages = 0 }, testcases.VerdictIncomplete, ""},
		{"a page that is not full", func(l *lab) { l.pages, l.records = 2, l.records[:19] }, testcases.VerdictIncomplete, ""},
		{"a page of two, the log says FAIL", func(l *lab) {
			l.pages = 2
			l.edit("xrally_kubernetes", "functest-kubernetes.log", func(log string) string { return strings.ReplaceAll(log, "PASS", "FAIL") })
		}, testcases.VerdictConflict, "log"},
		{"a page of two, the log says SKIP", func(l *lab) {
			l.pages = 2
			l.edit("xrally_kubernetes", "functest-kubernetes.log", func(log string) string { return strings.ReplaceAll(log, "PASS", "SKIP") })
		}, testcases.VerdictIncomplete, ""},
		{"a page of two, no log", func(l *lab) {
			l.pages = 2
			l.remove("xrally_kubernetes", "functest-kubernetes.log")
		}, testcases.VerdictIncomplete, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if o := judge(t, test.change); o.Verdict != test.verdict || o.RecordedFrom != test.from {
				t.Errorf("%s, recorded from %q: want %s, %q: %+v", o.Verdict, o.RecordedFrom, test.verdict, test.from, o.Findings)
			}
		})
	}
}

func TestProvenance(t *testing.T) {
	t.Parallel()
	l := flawlessLab(t)
	files := l.files
	raw, err := json.Marshal(Index{Results: l.records})
	if err != nil {
		t.Fatal(err)
	}
	files[IndexName(greenTag)] = &fstest.MapFile{Data: raw}
	campaign, err := OpenCampaign(files, greenTag)
	if err != nil {
		t.Fatal(err)
	}
	campaign.Declared = testcases.Provenance{Tool: "xtci v1", Engine: "test", Release: "v9", Scenario: "declared", KubernetesVersion: "v9.9", Started: "1970"}
	a, err := campaign.Assess(context.Background(), l.narrowed([]string{smallSuite}), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := testcases.Provenance{
		Tool: "xtci v1", Engine: "test", Release: "v1.23", Scenario: "k8-nosdn-nofeature-noha", KubernetesVersion: "v1.23.17",
		Started: "2022-09-19 00:00:00", Stopped: "2022-09-19 23:20:34",
	}
	if diff := cmp.Diff(want, a.Provenance); diff != "" {
		t.Errorf("provenance (-want +got):\n%s", diff)
	}
}

func TestSuitesOfSeveralClustersAreNoted(t *testing.T) {
	t.Parallel()
	skipShort(t)
	l := flawlessLab(t)
	l.edit(serialSuite, serialSuite+"/e2e.log", replace(t, "v1.23.17", "v1.21.1"))
	var got []string
	for _, finding := range l.assess(t, nil, serialSuite, smallSuite).Findings {
		if !strings.Contains(finding.Text, "belongs to no test case") && !strings.Contains(finding.Text, "which is no test case") {
			got = append(got, finding.Text)
		}
	}
	want := []string{
		"sig_api_machinery_serial ran on Kubernetes v1.21.1, the tests are those of v1.23",
		"sig_api_machinery_serial ran on Kubernetes v1.21.1, sig_auth on v1.23.17: the cluster was changed meanwhile, or there was more than one",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestOneRunForTwoCases(t *testing.T) {
	t.Parallel()
	l := flawlessLab(t)
	l.add("xrally_kubernetes_full", map[string]string{"xrally_kubernetes_full/xrally_kubernetes_full.xml": strings.ReplaceAll(flawless.RallyXML("xrally_kubernetes", 2, 0), "task-of-xrally_kubernetes", "task-of-xrally_kubernetes_full")})
	l.rerun("sig_storage_serial", func(s *suite) { s.Specs, s.Nodes = l.suites["sig_storage"].Specs, 10 })
	a := l.assess(t, nil, "xrally_kubernetes", "xrally_kubernetes_full", "sig_storage", "sig_storage_serial")
	for _, name := range []string{"xrally_kubernetes", "xrally_kubernetes_full"} {
		wantFinding(t, outcomeOf(t, a, name), testcases.VerdictIncomplete, "22 checks took exactly as long as in xrally_kubernetes")
	}
	o := outcomeOf(t, a, "sig_storage_serial")
	if o.Verdict != testcases.VerdictPass || !slices.ContainsFunc(o.Findings, func(f testcases.Finding) bool {
		return f.Text == "232 checks took exactly as long as in sig_storage: the files of both cases are of one run"
	}) {
		t.Errorf("%s: %+v", o.Verdict, o.Findings)
	}
}

func TestCaseOfJob(t *testing.T) {
	t.Parallel()
	catalog := flawlessLab(t).catalog
	for i := range catalog.Cases {
		c := &catalog.Cases[i]
		job := testcases.JobName("functest-kubernetes", c)
		for _, job := range []string{job, job + "-run", job + "-a-b", "lab-" + job, strings.ReplaceAll(job, "functest-kubernetes-opnfv", "docker_io-opnfv")} {
			if got := caseOfJob(catalog, job); got != c.Name {
				t.Errorf("%s: got %q, want %s", job, got, c.Name)
			}
		}
	}
	for _, job := range []string{"", "functest-kubernetes-v1.23-zip", "functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-pull", "x-sig_appsy", "sig_apps", "x-sig"} {
		if got := caseOfJob(catalog, job); got != "" {
			t.Errorf("%s: got %q, want none", job, got)
		}
	}
}

func TestFoldersWithASuffix(t *testing.T) {
	t.Parallel()
	l := flawlessLab(t)
	cases := []string{"sig_apps", "sig_apps_serial"}
	for _, name := range cases {
		old := l.folder(name)
		renamed := strings.TrimSuffix(old, "-7") + "-run-7"
		for _, file := range l.matching(name, "") {
			l.files[renamed+strings.TrimPrefix(file, old)] = l.files[file]
			delete(l.files, file)
		}
		l.of(name).Details = json.RawMessage(strings.ReplaceAll(string(l.of(name).Details), old+"/", renamed+"/"))
	}
	a := l.assess(t, nil, cases...)
	for _, name := range cases {
		if o := outcomeOf(t, a, name); o.Verdict != testcases.VerdictPass || !strings.HasSuffix(o.Folder, "-"+name+"-run-7") || o.Build != "7" {
			t.Errorf("%s: %s in %s: %+v", name, o.Verdict, o.Folder, o.Findings)
		}
	}
}

func TestWhatBelongsToNoCaseIsNoted(t *testing.T) {
	t.Parallel()
	skipShort(t)
	l := flawlessLab(t)
	l.files[greenTag+"/functest-kubernetes-v1.23-zip-3/console.log"] = &fstest.MapFile{}
	l.files[greenTag+"/notes.txt"] = &fstest.MapFile{}
	l.files[greenTag+"/x-netperf-latest/netperf.csv"] = &fstest.MapFile{}
	stray := *l.of("netperf")
	stray.CaseName = "tempest"
	l.records = append(l.records, stray)
	a := l.assess(t, nil)
	if a.Verdict != testcases.Conformant {
		t.Errorf("verdict %s, reasons %q", a.Verdict, a.Reasons)
	}
	var got []string
	for _, finding := range a.Findings {
		got = append(got, finding.Text)
	}
	want := []string{
		greenTag + "/functest-kubernetes-v1.23-zip-3 belongs to no test case of v1.23: it was not looked at",
		greenTag + "/notes.txt belongs to no test case of v1.23: it was not looked at",
		greenTag + "/x-netperf-latest belongs to no test case of v1.23: it was not looked at",
		`the index holds a record of "tempest", which is no test case of v1.23`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// A case that nobody can parse is never silent.
func TestCaseWithoutAParser(t *testing.T) {
	t.Parallel()
	l := flawlessLab(t)
	l.add("cnf_testsuite", map[string]string{"cnf_testsuite/cnf-testsuite-results.yml": "points: 100\n"})
	l.record("cnf_testsuite", testcases.CriteriaPass, nil)
	a := l.assess(t, nil, "cnf_testsuite", "netperf")
	if a.Verdict != testcases.Conformant {
		t.Errorf("an optional case changed the verdict: %q", a.Reasons)
	}
	wantFinding(t, outcomeOf(t, a, "cnf_testsuite"), testcases.VerdictIncomplete, "no parser for results")
}

func TestOpenCampaign(t *testing.T) {
	t.Parallel()
	record := func(tag string) string {
		return fmt.Sprintf(`{"results": [{"build_tag": %q, "case_name": "netperf", "criteria": "PASS"}]}`, tag)
	}
	for _, test := range []struct {
		name, tag string
		files     fstest.MapFS
		want      string // in the error
	}{
		{"an index alone", greenTag, fstest.MapFS{greenTag + ".json": {Data: []byte(record(greenTag))}}, ""},
		{"a folder alone", greenTag, fstest.MapFS{greenTag + "/job-1/x": {}}, ""},
		{"nothing", greenTag, fstest.MapFS{}, "no campaign with build tag"},
		{"records of another campaign", greenTag, fstest.MapFS{greenTag + ".json": {Data: []byte(record("OTHERTAG0"))}}, `result 1 has build_tag "OTHERTAG0"`},
		{"no JSON", greenTag, fstest.MapFS{greenTag + ".json": {Data: []byte("{\n\nPASS")}}, "line 3"},
		{"a tag that leads out", "../../etc", fstest.MapFS{}, "build tag"},
		{"a tag that is a file of archives", "manifest", fstest.MapFS{}, "an archive has a file of that name"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := OpenCampaign(test.files, test.tag)
			if (test.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// A folder without an index proves nothing, however good its files are.
func TestFilesWithoutAnIndex(t *testing.T) {
	t.Parallel()
	l := flawlessLab(t)
	campaign, err := OpenCampaign(l.files, greenTag)
	if err != nil {
		t.Fatal(err)
	}
	a, err := campaign.Assess(context.Background(), l.narrowed([]string{"netperf", "k8s_vims"}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.Verdict != testcases.NotConformant || len(a.Reasons) != 2 {
		t.Errorf("verdict %s, reasons %q", a.Verdict, a.Reasons)
	}
}

func TestAssessStopsWhenAsked(t *testing.T) {
	t.Parallel()
	l := flawlessLab(t)
	campaign, err := OpenCampaign(l.files, greenTag)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := campaign.Assess(ctx, l.catalog, nil); err == nil {
		t.Error("it went on")
	}
}

func TestRecordsFindTheirFolder(t *testing.T) {
	t.Parallel()
	c := &Campaign{Tag: greenTag}
	folder := greenTag + "/job-sig_apps-7"
	for link, want := range map[string]bool{
		folder + "/functest-kubernetes.log":                             true,
		"http://198.51.100.7:8181/" + folder + "/sig_apps/e2e.log":      true,
		"http://198.51.100.7:8181/" + folder:                            false,
		"http://198.51.100.7:8181/" + folder + "7/sig_apps/e2e.log":     false,
		"http://198.51.100.7:8181/OTHERTAG/job-sig_apps-7/e2e.log":      false,
		"http://198.51.100.7:8181/x" + folder + "/sig_apps/e2e.log":     false,
		"http://198.51.100.7:8181/" + greenTag + "/ajob-sig_apps-7/log": false,
		"": false,
	} {
		details, err := json.Marshal(map[string]any{"links": []string{"http://198.51.100.7:8181/other", link}})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.pushedBy(&testcases.Record{Details: details}, folder); got != want {
			t.Errorf("%q: %v, want %v", link, got, want)
		}
	}
	for _, details := range []string{"", "null", "[]", `"links"`, `{"links": null}`, `{"links": "a"}`, `{"links": [1]}`} {
		if links := linksOf(&testcases.Record{Details: json.RawMessage(details)}); len(links) != 0 {
			t.Errorf("details %s: links %q", details, links)
		}
	}
}

func TestLinksOfAnIndexBecomeRelative(t *testing.T) {
	t.Parallel()
	l := flawlessLab(t)
	links := 0
	for _, record := range (Index{Results: l.records}).relative(greenTag).Results {
		for _, link := range linksOf(&record) {
			links++
			if l.files[link] == nil {
				t.Errorf("%s is no file of the campaign", link)
			}
		}
	}
	if links < 24 {
		t.Errorf("%d links", links)
	}
	if link := linksOf(&l.records[0])[0]; !strings.HasPrefix(link, "http://") {
		t.Errorf("the index itself was changed: %s", link)
	}
}
