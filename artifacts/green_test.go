package artifacts

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/anuket-project/xtci/internal/flawless"
	"github.com/anuket-project/xtci/testcases"
)

func TestFlawlessCampaignIsConformant(t *testing.T) {
	t.Parallel()
	skipShort(t)
	a := flawlessLab(t).assess(t, nil)
	if a.Verdict != testcases.Conformant || len(a.Reasons) != 0 || len(a.Outcomes) != 24 {
		t.Errorf("verdict %s, %d outcomes, reasons %q", a.Verdict, len(a.Outcomes), a.Reasons)
	}
	for _, o := range a.Outcomes {
		if o.Verdict != testcases.VerdictPass || o.Recorded != testcases.CriteriaPass || o.Derived != testcases.CriteriaPass || !o.Complete || o.Waiver != "" {
			t.Errorf("%s: %s: %+v", o.Case.Name, o.Verdict, o.Findings)
		}
	}
	if len(a.Findings) != 0 {
		t.Errorf("findings on the whole campaign: %+v", a.Findings)
	}
}

// A mutation is what may go wrong in a lab, or be done to a campaign so that
// it looks better than it is.
type mutation struct {
	name, of string
	change   func(*testing.T, *lab)
	verdict  testcases.CaseVerdict
	// says must stand in a finding on the case that counts.
	says string
}

// beside are other suites that are needed to see what is wrong with one.
var beside = map[string][]string{"sig_node": {"sig_cluster_lifecycle"}}

const (
	smallSuite  = "sig_auth"                 // 14 specs on 10 nodes
	serialSuite = "sig_api_machinery_serial" // 2 specs on 1 node
)

var mutations = []mutation{
	// What was executed.
	{
		"a selected spec is dropped", smallSuite, rerun(func(s *suite) { drop(s, passed, 1) }),
		testcases.VerdictIncomplete, "1 of the specs that the case selects were not executed",
	},
	{
		"a wider skip", smallSuite, rerun(func(s *suite) { s.First(passed, unselect) }),
		testcases.VerdictIncomplete, "1 of the specs that the case selects were not executed",
	},
	{"a narrower focus", "k8s_conformance", rerun(func(s *suite) {
		s.Each(func(spec *spec) bool { return strings.HasPrefix(spec.Name, "[sig-node]") }, unselect)
	}), testcases.VerdictIncomplete, "of the specs that the case selects were not executed"},
	{"a dry run", smallSuite, rerun(func(s *suite) {
		s.Each(func(spec *spec) bool { return spec.Fate == passed }, func(spec *spec) { spec.Fate = dry })
	}), testcases.VerdictIncomplete, "as in a dry run"},
	{
		"one spec of a dry run", smallSuite, rerun(func(s *suite) { s.First(passed, func(spec *spec) { spec.Fate = dry }) }),
		testcases.VerdictIncomplete, "as in a dry run",
	},
	{"a pending spec in ginkgo v2", smallSuite, rerun(func(s *suite) {
		s.V2, s.Nodes = true, 1
		s.First(passed, func(spec *spec) { spec.Fate = pending })
	}), testcases.VerdictIncomplete, "marked as pending"},
	{
		"a pending spec in ginkgo v1", smallSuite, rerun(func(s *suite) { s.First(passed, func(spec *spec) { spec.Fate = pending }) }),
		testcases.VerdictIncomplete, "1 of the specs that the case selects were not executed",
	},
	{
		"nothing selected", smallSuite, rerun(func(s *suite) { s.Each(func(spec *spec) bool { return spec.Fate == passed }, unselect) }),
		testcases.VerdictIncomplete, "14 of the specs that the case selects were not executed",
	},
	{"all selected specs skip themselves, one other passes", smallSuite, rerun(func(s *suite) {
		s.Each(func(spec *spec) bool { return spec.Fate == passed }, func(spec *spec) { spec.Fate = withdrew })
		s.First(unselected, func(spec *spec) { spec.Fate, spec.Seconds = passed, 3 })
	}), testcases.VerdictConflict, "no check that the case selects passed"},
	{"the evidence of another suite", smallSuite, func(t *testing.T, l *lab) {
		l.rerun(smallSuite, func(s *suite) { s.Specs = l.suites["sig_instrumentation"].Specs })
	}, testcases.VerdictIncomplete, "14 of the specs that the case selects were not executed"},

	// What is listed.
	{
		"another release", smallSuite, rerun(func(s *suite) { rename(s, 30) }),
		testcases.VerdictIncomplete, "were cut or are of another release",
	},
	{
		"21 other names are gone", smallSuite, rerun(func(s *suite) { drop(s, unselected, 21) }),
		testcases.VerdictIncomplete, "and lack 21",
	},
	{"a suite lacks the names that vary, others do not", "sig_node", rerun(func(s *suite) {
		s.Specs = slices.DeleteFunc(s.Specs, func(spec spec) bool { return strings.Contains(spec.Name, "evicted pods should be terminal") })
	}), testcases.VerdictIncomplete, "evicted pods should be terminal"},

	// The files of it.
	{"a junit file ends in the middle", smallSuite, cut("junit_04.xml", 0.5), testcases.VerdictIncomplete, "cut off"},
	{"a junit file ends between two elements", smallSuite, func(t *testing.T, l *lab) {
		l.edit(smallSuite, smallSuite+"/junit_04.xml", func(xml string) string { return xml[:strings.LastIndex(xml, "</testsuite>")] })
	}, testcases.VerdictIncomplete, "cut off"},
	{"one of ten junit files is gone", smallSuite, without("junit_10.xml"), testcases.VerdictIncomplete, "they were cut or are of another release"},
	{"no junit file", smallSuite, without("junit"), testcases.VerdictIncomplete, "the run left no result of any spec"},
	{"an empty junit file", smallSuite, cut("junit_04.xml", 0), testcases.VerdictIncomplete, "empty: no XML"},
	{"no e2e.log", smallSuite, without("e2e.log"), testcases.VerdictIncomplete, "cannot be checked against ginkgo's own summary"},
	{"e2e.log is cut", smallSuite, cut("e2e.log", 0.4), testcases.VerdictIncomplete, "ends without ginkgo's summary"},
	{"e2e.log says FAIL", smallSuite, edit("sig_auth/e2e.log", "SUCCESS!", "FAIL!"), testcases.VerdictConflict, "ginkgo ends with FAIL!"},
	{"e2e.log counts fewer", smallSuite, edit("sig_auth/e2e.log", "14 Passed", "13 Passed"), testcases.VerdictIncomplete, "ginkgo's summary says 13 passed and 0 failed, the XML lists 14 and 0"},
	{"e2e.log of two runs", smallSuite, func(t *testing.T, l *lab) {
		l.edit(smallSuite, "sig_auth/e2e.log", func(log string) string { return log + log })
	}, testcases.VerdictIncomplete, "summaries of 2 runs"},
	{
		"e2e.log: no set-up", smallSuite, edit("sig_auth/e2e.log", "SUCCESS! -- 14 Passed | 0 Failed | 0 Pending | 7038 Skipped", "FAIL! -- A BeforeSuite node failed so all tests were skipped."),
		testcases.VerdictConflict, "ginkgo ends with FAIL!",
	},
	{"the suite ran out of time", smallSuite, edit("sig_auth/e2e.log", "SUCCESS! --", "FAIL! - Suite Timeout Elapsed --"), testcases.VerdictConflict, "Suite Timeout Elapsed"},
	{"a failed AfterSuite", serialSuite, func(t *testing.T, l *lab) {
		l.edit(serialSuite, serialSuite+"/junit_01.xml", replace(t, "  </testsuite>",
			`      <testcase name="AfterSuite" classname="Kubernetes e2e suite" time="1.5"><failure type="Failure">test/e2e/e2e.go:70&#xA;nodes are gone&#xA;test/e2e/e2e.go:70</failure></testcase></testsuite>`))
		l.edit(serialSuite, serialSuite+"/e2e.log", replace(t, "SUCCESS!", "FAIL!"))
	}, testcases.VerdictConflict, "nodes are gone"},
	{"a spec fails in one file and passes in another", smallSuite, func(t *testing.T, l *lab) {
		l.forgeXML(smallSuite, func(s *suite) {
			s.First(passed, func(spec *spec) {
				again := *spec
				again.Fate, again.Node = failed, spec.Node+1
				s.Specs = append(s.Specs, again)
			})
		})
	}, testcases.VerdictConflict, "1 of 14 checks failed"},
	{"a failed spec, recorded PASS", smallSuite, func(t *testing.T, l *lab) {
		l.forgeXML(smallSuite, func(s *suite) { s.First(passed, func(spec *spec) { spec.Fate = failed }) })
	}, testcases.VerdictConflict, "timed out waiting for the condition"},
	{"a failure in the XML is made a pass", smallSuite, func(t *testing.T, l *lab) {
		l.rerun(smallSuite, func(s *suite) { s.First(passed, func(spec *spec) { spec.Fate = failed }) })
		l.forgeXML(smallSuite, func(s *suite) { s.First(failed, func(spec *spec) { spec.Fate = passed }) })
	}, testcases.VerdictConflict, "ginkgo ends with FAIL! although the XML lists no failure"},
	{"a failure in the XML is made a pass, and its log is forged", smallSuite, func(t *testing.T, l *lab) {
		l.rerun(smallSuite, func(s *suite) { s.First(passed, func(spec *spec) { spec.Fate = failed }) })
		details := l.of(smallSuite).Details
		l.rerun(smallSuite, func(s *suite) { s.First(failed, func(spec *spec) { spec.Fate = passed }) })
		l.of(smallSuite).Details = details
	}, testcases.VerdictIncomplete, "the record counts 13 passed and 1 failed, the XML lists 14 and 0"},
	{"a failed spec that is not selected", smallSuite, func(t *testing.T, l *lab) {
		l.rerun(smallSuite, func(s *suite) { s.First(unselected, func(spec *spec) { spec.Fate, spec.Seconds = failed, 3 }) })
	}, testcases.VerdictConflict, "1 of 15 checks failed"},

	// Records and folders.
	{"no record", smallSuite, func(t *testing.T, l *lab) { l.forget(smallSuite) }, testcases.VerdictIncomplete, "no record was pushed"},
	{"neither record nor result in the log", smallSuite, func(t *testing.T, l *lab) {
		l.forget(smallSuite)
		l.remove(smallSuite, "functest-kubernetes.log")
	}, testcases.VerdictIncomplete, "it crashed, or was stopped"},
	{
		"recorded FAIL", smallSuite, func(t *testing.T, l *lab) { l.of(smallSuite).Criteria = testcases.CriteriaFail },
		testcases.VerdictFail, "its log says PASS, its record FAIL",
	},
	{"recorded FAIL and logged FAIL", smallSuite, func(t *testing.T, l *lab) {
		l.of(smallSuite).Criteria = testcases.CriteriaFail
		l.edit(smallSuite, "functest-kubernetes.log", replace(t, "PASS", "FAIL"))
	}, testcases.VerdictConflict, "recorded FAIL, but the raw files say PASS"},
	{
		"the record is made a PASS, the log says FAIL", smallSuite, edit("functest-kubernetes.log", "PASS", "FAIL"),
		testcases.VerdictIncomplete, "its log says FAIL, its record PASS",
	},
	{
		"recorded PASS although it was skipped", smallSuite, edit("functest-kubernetes.log", "PASS", "SKIP"),
		testcases.VerdictIncomplete, "its log says SKIP, its record PASS",
	},
	{
		"the record of another case", smallSuite, func(t *testing.T, l *lab) { l.of(smallSuite).CaseName = "sig_apps" },
		testcases.VerdictIncomplete, "no record was pushed",
	},
	{
		"criteria pass", smallSuite, func(t *testing.T, l *lab) { l.of(smallSuite).Criteria = "pass" },
		testcases.VerdictIncomplete, `its record says "pass", where Xtesting writes PASS or FAIL`,
	},
	{
		"criteria SKIP", smallSuite, func(t *testing.T, l *lab) { l.of(smallSuite).Criteria = "SKIP" },
		testcases.VerdictIncomplete, `its record says "SKIP", where Xtesting writes PASS or FAIL`,
	},
	{
		"no criteria", smallSuite, func(t *testing.T, l *lab) { l.of(smallSuite).Criteria = "" },
		testcases.VerdictIncomplete, `its record says "", where Xtesting writes PASS or FAIL`,
	},
	{"no folder", smallSuite, without(""), testcases.VerdictIncomplete, "no evidence"},
	{"neither record nor folder", smallSuite, func(t *testing.T, l *lab) {
		l.forget(smallSuite)
		l.remove(smallSuite, "")
	}, testcases.VerdictMissing, "the case was not run, was skipped, or crashed"},
	{"an index that claims to have lost records, yet is no full page", smallSuite, func(t *testing.T, l *lab) {
		l.forget(smallSuite)
		l.pages, l.records = 2, l.records[:19]
	}, testcases.VerdictIncomplete, "no record was pushed"},
	{"the newest of two runs failed", smallSuite, func(t *testing.T, l *lab) {
		l.move(smallSuite, 6)
		l.rerun(smallSuite, func(s *suite) { s.First(passed, func(spec *spec) { spec.Fate = failed }) })
		l.edit(smallSuite, "functest-kubernetes.log", replace(t, "PASS", "FAIL"))
		l.record(smallSuite, testcases.CriteriaFail, nil)
		l.recount(smallSuite)
	}, testcases.VerdictFail, "1 of 14 checks failed"},
	{"the newest of two runs crashed", smallSuite, func(t *testing.T, l *lab) {
		l.move(smallSuite, 6)
		l.add(smallSuite, map[string]string{"functest-kubernetes.log": "Traceback (most recent call last):\n"})
	}, testcases.VerdictIncomplete, "it crashed, or was stopped"},
	{"the newest of two runs failed, its files are gone", smallSuite, func(t *testing.T, l *lab) {
		l.move(smallSuite, 6)
		record := *l.of(smallSuite)
		record.Criteria = testcases.CriteriaFail
		record.Details = json.RawMessage(strings.ReplaceAll(string(record.Details), l.build(smallSuite, 6), l.build(smallSuite, 7)))
		l.records = append([]testcases.Record{record}, l.records...)
	}, testcases.VerdictFail, "no evidence"},
	{"the newest of two runs failed, and could not upload its files", smallSuite, func(t *testing.T, l *lab) {
		record := *l.of(smallSuite)
		record.Criteria, record.Details = testcases.CriteriaFail, json.RawMessage("null")
		l.records = append([]testcases.Record{record}, l.records...)
	}, testcases.VerdictFail, "no evidence"},
	{"two records of one run", smallSuite, func(t *testing.T, l *lab) {
		record := *l.of(smallSuite)
		record.Criteria = testcases.CriteriaFail
		l.records = append(l.records, record)
	}, testcases.VerdictIncomplete, "another record of the same run says FAIL"},
	{"a failed run that looks older by its number alone", smallSuite, func(t *testing.T, l *lab) {
		failedRun := *l.of(smallSuite)
		failedRun.Criteria = testcases.CriteriaFail
		failedRun.Details = json.RawMessage(strings.ReplaceAll(string(failedRun.Details), l.build(smallSuite, 7), l.build(smallSuite, 3)))
		for _, file := range l.matching(smallSuite, "") {
			l.files[l.build(smallSuite, 3)+strings.TrimPrefix(file, l.folder(smallSuite))] = l.files[file]
		}
		l.records = append([]testcases.Record{failedRun}, l.records...)
	}, testcases.VerdictIncomplete, "another run is the newest"},

	// kube-hunter.
	{"a high vulnerability", "kube_hunter", func(t *testing.T, l *lab) {
		l.edit("kube_hunter", "functest-kubernetes.log", replace(t, flawless.HunterJSON("low", "medium"), flawless.HunterJSON("low", "high")))
	}, testcases.VerdictConflict, "Finding 1"},
	{"a vulnerability of unknown severity", "kube_hunter", func(t *testing.T, l *lab) {
		l.edit("kube_hunter", "functest-kubernetes.log", replace(t, flawless.HunterJSON("low", "medium"), flawless.HunterJSON("low", "critical")))
	}, testcases.VerdictConflict, "none that kube-hunter has"},
	{
		"no vulnerability, recorded FAIL", "kube_hunter", func(t *testing.T, l *lab) { l.foundNothing(t) },
		testcases.VerdictConflict, "takes a report without any vulnerability for a failure",
	},
	{"an empty report", "kube_hunter", func(t *testing.T, l *lab) {
		l.remove("kube_hunter", "")
		l.add("kube_hunter", map[string]string{"kube_hunter/report.json": ""})
	}, testcases.VerdictIncomplete, "empty: no JSON"},
	{"no report", "kube_hunter", func(t *testing.T, l *lab) {
		l.add("kube_hunter", map[string]string{"functest-kubernetes.log": flawless.ContainerLog("kube_hunter", "PASS", "")})
		l.of("kube_hunter").Details = json.RawMessage("{}")
	}, testcases.VerdictIncomplete, "no report found"},
	{"a report that ends in the middle", "kube_hunter", func(t *testing.T, l *lab) {
		report := flawless.HunterJSON("low", "medium")
		l.edit("kube_hunter", "functest-kubernetes.log", replace(t, report, report[:len(report)/2]))
		l.of("kube_hunter").Details = json.RawMessage("{}")
	}, testcases.VerdictIncomplete, "unreadable evidence"},

	// kube-bench.
	{"an unreadable report", "kube_bench_master", edit("functest-kubernetes.log", "'results'", "results"), testcases.VerdictIncomplete, "unreadable evidence"},
	{"no report of kube-bench", "kube_bench_master", func(t *testing.T, l *lab) {
		l.add("kube_bench_master", map[string]string{"functest-kubernetes.log": flawless.ContainerLog("kube_bench_master", "PASS", "")})
	}, testcases.VerdictIncomplete, "no report found"},
	{"a report without controls", "kube_bench_node", func(t *testing.T, l *lab) {
		report := flawless.BenchLiteral("node")
		l.edit("kube_bench_node", "functest-kubernetes.log", replace(t, report, "[{'id': '1', 'node_type': 'node', 'tests': []}]"))
	}, testcases.VerdictIncomplete, "holds no control"},

	// Rally.
	{"a scenario is missing", "xrally_kubernetes_full", func(t *testing.T, l *lab) {
		l.editRally("xrally_kubernetes_full", func(lines []string) []string { return slices.Delete(lines, 5, 6) })
	}, testcases.VerdictIncomplete, "1 of the 22 scenarios of RC2 table 2.1 were not run"},
	{"a scenario failed its SLA", "xrally_kubernetes_full", func(t *testing.T, l *lab) {
		l.editRally("xrally_kubernetes_full", func(lines []string) []string {
			lines[5] = strings.Replace(lines[5], " />", "><failure>Failure rate criteria 0.00% &lt;= 30.00% &lt;= 0.00% - Failed</failure></testcase>", 1)
			return lines
		})
	}, testcases.VerdictConflict, "Failure rate criteria"},
	{"the task did not finish", "xrally_kubernetes", func(t *testing.T, l *lab) {
		record := l.of("xrally_kubernetes")
		record.Details = json.RawMessage(replace(t, `"finished"`, `"aborted"`)(string(record.Details)))
	}, testcases.VerdictIncomplete, `the task's status is "aborted"`},
	{"the task failed its SLA by the record's own details", "xrally_kubernetes", func(t *testing.T, l *lab) {
		record := l.of("xrally_kubernetes")
		record.Details = json.RawMessage(replace(t, `"pass_sla":true`, `"pass_sla":false`)(string(record.Details)))
	}, testcases.VerdictIncomplete, "the record says that the task did not meet its criteria"},
	{"no XML", "xrally_kubernetes", without(".xml"), testcases.VerdictIncomplete, "no scenario found"},
	{"an empty XML", "xrally_kubernetes", func(t *testing.T, l *lab) {
		l.edit("xrally_kubernetes", "xrally_kubernetes/xrally_kubernetes.xml", func(string) string { return "" })
	}, testcases.VerdictIncomplete, "empty: no XML"},

	// netperf.
	{"an empty table", "netperf", func(t *testing.T, l *lab) {
		l.edit("netperf", "netperf/netperf.csv", func(string) string { return "" })
	}, testcases.VerdictIncomplete, "empty: netperf's header and rows are missing"},
	{"garbage", "netperf", func(t *testing.T, l *lab) {
		l.edit("netperf", "netperf/netperf.csv", func(string) string { return "\x00\x01,\"2\nfoo" })
	}, testcases.VerdictIncomplete, "unreadable evidence"},
	{"no table", "netperf", without("netperf.csv"), testcases.VerdictIncomplete, "none found"},
	{"nothing was measured", "netperf", func(t *testing.T, l *lab) {
		l.edit("netperf", "netperf/netperf.csv", func(csv string) string {
			rows := strings.Split(csv, "\n")
			for i := 1; i <= 18; i++ {
				label, _, _ := strings.Cut(rows[i], ",")
				rows[i] = label + ",0.000000,0,"
			}
			return strings.Join(rows, "\n")
		})
	}, testcases.VerdictIncomplete, "0 of the 5 network paths"},
	{
		"one path was not measured", "netperf", edit("netperf/netperf.csv", "5 iperf TCP. Hairpin Pod to own Virtual IP ,2500.000000,2472,2500,2491,", "5 iperf TCP. Hairpin Pod to own Virtual IP ,0.000000,0,0,0,"),
		testcases.VerdictIncomplete, "4 of the 5 network paths",
	},

	// The live test.
	{"a test fails", "k8s_vims", func(t *testing.T, l *lab) {
		l.edit("k8s_vims", "functest-kubernetes.log", replace(t, "(6505550040, 6505550029) Passed", "(6505550040, 6505550029) Failed\n  RuntimeError thrown:\n   - no answer"))
	}, testcases.VerdictConflict, "RuntimeError: no answer"},
	{"a test fails in the list alone", "k8s_vims", func(t *testing.T, l *lab) {
		l.edit("k8s_vims", "functest-kubernetes.log", replace(t, "0 failures out of 4 tests run\n", "1 failures out of 4 tests run\n    Basic Call - SDP (TCP) at 2022-09-19 10:00:00\n"))
	}, testcases.VerdictConflict, "is in the list of failures at the end"},
	{"no summary", "helm_vims", func(t *testing.T, l *lab) {
		l.edit("helm_vims", "functest-kubernetes.log", replace(t, "0 failures out of 4 tests run\n1 tests skipped\n", ""))
	}, testcases.VerdictIncomplete, "the log ends without its summary"},
	{"no test at all", "helm_vims", func(t *testing.T, l *lab) {
		l.edit("helm_vims", "functest-kubernetes.log", replace(t, flawless.LiveTest, ""))
	}, testcases.VerdictIncomplete, "no test of the live test found"},
	{"tests are excluded", "k8s_vims", func(t *testing.T, l *lab) {
		l.edit("k8s_vims", "functest-kubernetes.log", replace(t, "Basic Call - SDP (TCP) - (6505550040, 6505550029) Passed", "Basic Call - SDP (TCP) - Skipped (Test is in EXCLUDE_TESTS)"))
		l.edit("k8s_vims", "functest-kubernetes.log", replace(t, "out of 4 tests run\n1 tests", "out of 3 tests run\n2 tests"))
	}, testcases.VerdictIncomplete, "tests that RC2 does not leave out were excluded: 1"},
	{"the log of the other vIMS", "helm_vims", func(t *testing.T, l *lab) {
		l.add("helm_vims", map[string]string{"functest-kubernetes.log": flawless.ContainerLog("k8s_vims", "PASS", flawless.LiveTest)})
	}, testcases.VerdictIncomplete, "the container's log is of k8s_vims"},
}

func rerun(change func(*suite)) func(*testing.T, *lab) {
	return func(_ *testing.T, l *lab) { l.rerun(l.target, change) }
}

func without(text string) func(*testing.T, *lab) {
	return func(_ *testing.T, l *lab) { l.remove(l.target, text) }
}

func edit(file, old, with string) func(*testing.T, *lab) {
	return func(t *testing.T, l *lab) { l.edit(l.target, file, replace(t, old, with)) }
}

// cut keeps the beginning of a file.
func cut(file string, share float64) func(*testing.T, *lab) {
	return func(_ *testing.T, l *lab) {
		l.edit(l.target, path.Join(l.target, file), func(content string) string { return content[:int(float64(len(content))*share)] })
	}
}

func unselect(s *spec) { s.Fate, s.Seconds = unselected, 0 }

// drop removes the first n specs of a fate.
func drop(s *suite, of fate, n int) {
	s.Specs = slices.DeleteFunc(s.Specs, func(spec spec) bool {
		if spec.Fate != of || n == 0 {
			return false
		}
		n--
		return true
	})
}

// rename gives other names to n specs.
func rename(s *suite, n int) {
	for i := range n {
		s.Specs[i*100].Name += " [of another release]"
	}
}

// editRally changes the lines of the JUnit export, and has its header agree.
func (l *lab) editRally(name string, change func([]string) []string) {
	l.edit(name, name+"/"+name+".xml", func(xml string) string {
		xml = strings.Join(change(strings.Split(xml, "\n")), "\n")
		xml = strings.Replace(xml, `failures="0"`, fmt.Sprintf("failures=%q", fmt.Sprint(strings.Count(xml, "<failure>"))), 1)
		return strings.Replace(xml, `tests="22"`, fmt.Sprintf("tests=%q", fmt.Sprint(strings.Count(xml, "<testcase "))), 1)
	})
}

// foundNothing is kube-hunter without a finding, which its container takes
// for a failure.
func (l *lab) foundNothing(t *testing.T) {
	l.edit("kube_hunter", "functest-kubernetes.log", replace(t, flawless.HunterJSON("low", "medium"), flawless.HunterJSON()))
	l.edit("kube_hunter", "functest-kubernetes.log", replace(t, "PASS", "FAIL"))
	var details map[string]any
	if err := json.Unmarshal([]byte(flawless.HunterJSON()), &details); err != nil {
		t.Fatal(err)
	}
	l.forget("kube_hunter")
	l.record("kube_hunter", testcases.CriteriaFail, details)
}

func TestNothingWrongIsEverConformant(t *testing.T) {
	t.Parallel()
	for _, m := range mutations {
		t.Run(m.of+": "+m.name, func(t *testing.T) {
			t.Parallel()
			l := flawlessLab(t)
			l.target = m.of
			m.change(t, l)
			a := l.assess(t, nil, append(beside[m.of], m.of, "k8s_vims", "netperf")...)
			if a.Verdict != testcases.NotConformant {
				t.Errorf("verdict %q", a.Verdict)
			}
			if len(a.Reasons) != 1 || !strings.HasPrefix(a.Reasons[0], m.of+": "+string(m.verdict)+": ") {
				t.Errorf("reasons %q", a.Reasons)
			}
			wantFinding(t, outcomeOf(t, a, m.of), m.verdict, m.says)
			for _, o := range a.Outcomes {
				if o.Case.Name != m.of && o.Verdict != testcases.VerdictPass {
					t.Errorf("%s: %s: %+v", o.Case.Name, o.Verdict, o.Findings)
				}
			}
		})
	}
}

// wantFinding looks for words in the findings on a case that count, and in
// the reasons of its missing and failed checks.
func wantFinding(t *testing.T, o *testcases.Outcome, verdict testcases.CaseVerdict, says string) {
	t.Helper()
	if o.Verdict != verdict {
		t.Errorf("%s: verdict %s, want %s", o.Case.Name, o.Verdict, verdict)
	}
	if !slices.ContainsFunc(o.Findings, func(f testcases.Finding) bool {
		return f.Kind != testcases.FindingNote && strings.Contains(f.Text, says)
	}) {
		t.Errorf("%s: no finding says %q:\n%+v", o.Case.Name, says, o.Findings)
	}
	t.Logf("%s", o.Summary())
}
