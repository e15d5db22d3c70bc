package parse

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/anuket-project/xtci/testcases"
)

// flawed is evidence that hides something, and what must be said of it.
type flawed struct {
	files map[string]string
	kind  testcases.FindingKind
	want  string
}

const (
	specA, specB = "[sig-x] a [Conformance]", "[sig-x] b [Conformance]"
	ginkgoEnd    = "Ran 1 of 1 Specs in 1.000 seconds\nSUCCESS! -- 1 Passed | 0 Failed | 0 Pending | 0 Skipped\n"
)

// v1 and v2 write files of either ginkgo.
func v1(tests int, cases ...string) string { return string(suite(tests, cases...).Data) }

func v2(header, properties string, cases ...string) string {
	return "<testsuites><testsuite " + header + "><properties>" + properties + "</properties>" + strings.Join(cases, "\n") + "</testsuite></testsuites>"
}

func property(name, value string) string {
	return fmt.Sprintf(`<property name=%q value=%q/>`, name, value)
}

func v2Case(name, status, inner string) string {
	return `<testcase name="` + name + `" time="1" status="` + status + `">` + inner + `</testcase>`
}

func logOf(ran, passed, failed, flaked, skipped int) string {
	return fmt.Sprintf("Ran %d of %d Specs in 1.000 seconds\nSUCCESS! -- %d Passed | %d Failed | %d Flaked | 0 Pending | %d Skipped\n", ran, passed+failed+skipped, passed, failed, flaked, skipped)
}

func TestSoundE2EHasNoFinding(t *testing.T) {
	t.Parallel()
	withdrew := `<testcase name="` + specB + `" time="1"><skipped>f.go:1&#xA;two nodes&#xA;f.go:2</skipped></testcase>`
	for name, files := range map[string]map[string]string{
		"v1":                   {"junit_01.xml": v1(1, passed(specA)), "e2e.log": ginkgoEnd},
		"v1, flaked":           {"junit_01.xml": v1(1, failed(specA), passed(specA)), "e2e.log": logOf(1, 1, 0, 1, 0)},
		"v1, skipped itself":   {"junit_01.xml": v1(2, passed(specA), withdrew), "e2e.log": logOf(2, 1, 0, 0, 1)},
		"v1, not counted":      {"junit_01.xml": v1(1, passed(specA), withdrew), "e2e.log": logOf(1, 1, 0, 0, 1)},
		"v2":                   {"junit_01.xml": v2(`tests="1"`, property("DryRun", "false"), v2Case("[It] "+specA, "passed", "")), "e2e.log": ginkgoEnd},
		"v2, flaked":           {"junit_01.xml": v2(`tests="1"`, "", v2Case("[It] "+specA, "passed", "")), "e2e.log": logOf(1, 1, 0, 1, 0)},
		"v2, set-up passed":    {"junit_01.xml": v2(`tests="2"`, "", v2Case("[BeforeSuite]", "passed", ""), v2Case("[It] "+specA, "passed", "")), "e2e.log": ginkgoEnd},
		"coloured, with title": {"junit_01.xml": v1(1, passed(specA)), "e2e.log": "\x1b]0;e2e\x07\x1b[1m" + strings.ReplaceAll(ginkgoEnd, "SUCCESS!", "\x1b]8;;x\x1b\\SUCCESS!\x1b[0m")},
		"the same property":    {"junit_01.xml": v2(`tests="1"`, property("RandomSeed", "0")+property("RandomSeed", "0"), v2Case("[It] "+specA, "passed", "")), "e2e.log": ginkgoEnd},
	} {
		evidence, err := parseFiles(conformance, files, "")
		for _, f := range evidence.Findings {
			if f.Kind != testcases.FindingNote {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestE2EThatHidesFailures(t *testing.T) {
	t.Parallel()
	good := v1(1, passed(specA))
	goodV2 := v2Case("[It] "+specA, "passed", "")
	for name, test := range map[string]flawed{
		"more flaked in the XML": {
			map[string]string{"junit_01.xml": v1(1, failed(specA), passed(specA)), "e2e.log": ginkgoEnd},
			testcases.FindingIncomplete, "summary says 0 flaked, the XML lists 1",
		},
		"more flaked in the log": {
			map[string]string{"junit_01.xml": good, "e2e.log": logOf(1, 1, 0, 2, 0)},
			testcases.FindingIncomplete, "summary says 2 flaked, the XML lists 0",
		},
		"a flake before the first status": {
			map[string]string{"junit_01.xml": v1(3, failed(specA), passed(specA), v2Case("[It] "+specB, "passed", "")), "e2e.log": logOf(2, 2, 0, 0, 0)},
			testcases.FindingIncomplete, "1 of 3 test cases state their status",
		},
		"a failure of the suite": {
			map[string]string{"junit_01.xml": strings.Replace(good, "</testsuite>", `<failure message="m">nodes are gone</failure></testsuite>`, 1), "e2e.log": ginkgoEnd},
			testcases.FindingFailure, "outside of any test case: m\nnodes are gone",
		},
		"an error of all suites": {
			map[string]string{"junit_01.xml": "<testsuites>" + good + "<error/></testsuites>", "e2e.log": ginkgoEnd},
			testcases.FindingFailure, "outside of any test case: no reason given",
		},
		"a failure of a suite that is cut": {
			map[string]string{"junit_01.xml": "<testsuite><failure>gone</failure><testcase", "e2e.log": ginkgoEnd},
			testcases.FindingFailure, "outside of any test case: gone",
		},
		"failures of the root": {
			map[string]string{"junit_01.xml": `<testsuites failures="1">` + good + "</testsuites>", "e2e.log": ginkgoEnd},
			testcases.FindingIncomplete, "<testsuites> says failures=1 errors=0, its suites failures=0 errors=0",
		},
		"a dry run": {
			map[string]string{"junit_01.xml": v2(`tests="1"`, property("dryrun", "TRUE"), goodV2), "e2e.log": ginkgoEnd},
			testcases.FindingIncomplete, "ginkgo says DryRun",
		},
		"one of two suites did not succeed": {
			map[string]string{
				"junit_01.xml": v2(`tests="1" failures="1"`, "", v2Case("[It] "+specB, "failed", "<failure>no</failure>")),
				"junit_02.xml": v2(`tests="1"`, property("SuiteSucceeded", "False"), goodV2), "e2e.log": ginkgoEnd,
			},
			testcases.FindingFailure, "the suite did not succeed",
		},
		"a suite that did not succeed, with a failed BeforeSuite of ginkgo v1": {
			map[string]string{"junit_01.xml": v1(1, failed("BeforeSuite")), "junit_02.xml": v2(`tests="1"`, property("SuiteSucceeded", "false"), goodV2), "e2e.log": ginkgoEnd},
			testcases.FindingFailure, "the suite did not succeed",
		},
		"another XML file": {
			map[string]string{"junit_01.xml": good, "results.XML": "<html/>", "e2e.log": ginkgoEnd},
			testcases.FindingIncomplete, "root element <html>: not JUnit XML",
		},
		"a failure in an XML file of another name": {
			map[string]string{"junit_01.xml": good, "more.XML": v1(1, failed(specA)), "e2e.log": ginkgoEnd},
			testcases.FindingIncomplete, "the XML lists failures",
		},
		"another log": {
			map[string]string{"junit_01.xml": good, "e2e.log": ginkgoEnd, "old-E2E.log.1": strings.Replace(ginkgoEnd, "SUCCESS!", "FAIL!", 1)},
			testcases.FindingFailure, "ginkgo ends with FAIL! although",
		},
		"more ran": {
			map[string]string{"junit_01.xml": good, "e2e.log": strings.Replace(ginkgoEnd, "Ran 1", "Ran 2", 1)},
			testcases.FindingIncomplete, "ginkgo says that it ran 2 specs, the XML lists 1 and 0 that skipped themselves",
		},
		"fewer ran": {
			map[string]string{"junit_01.xml": good, "e2e.log": strings.Replace(ginkgoEnd, "Ran 1", "Ran 0", 1)},
			testcases.FindingIncomplete, "ginkgo says that it ran 0 specs",
		},
		"more specs": {
			map[string]string{"junit_01.xml": good, "e2e.log": strings.Replace(ginkgoEnd, "of 1", "of 2", 1)},
			testcases.FindingIncomplete, "ginkgo says that there are 2 specs, the XML lists 1",
		},
		"more skips": {
			map[string]string{"junit_01.xml": good, "e2e.log": strings.Replace(ginkgoEnd, "0 Pending", "1 Pending", 1)},
			testcases.FindingIncomplete, "1 pending or skipped, the XML lists 0",
		},
		"success without a set-up": {
			map[string]string{"junit_01.xml": good, "e2e.log": "SUCCESS! -- A BeforeSuite node failed so all tests were skipped.\n"},
			testcases.FindingFailure, "although a BeforeSuite node failed",
		},
		"success with failures": {
			map[string]string{"junit_01.xml": good, "e2e.log": strings.Replace(ginkgoEnd, "0 Failed", "1 Failed", 1)},
			testcases.FindingFailure, "although it counts 1 failed",
		},
		"failures are named, then none": {
			map[string]string{"junit_01.xml": good, "e2e.log": "Summarizing 2 Failures:\nSummarizing 0 Failures:\n" + ginkgoEnd},
			testcases.FindingFailure, "although the log names failures",
		},
		"the suite failed": {
			map[string]string{"junit_01.xml": good, "e2e.log": ginkgoEnd + "Test Suite Failed\n"},
			testcases.FindingFailure, "although the log says Test Suite Failed",
		},
		"a summary behind a window's title": {
			map[string]string{"junit_01.xml": good, "e2e.log": "\x1b]0;x\x07FAIL! -- 0 Passed | 1 Failed | 0 Pending | 0 Skipped\n" + ginkgoEnd},
			testcases.FindingIncomplete, "the summaries of 2 runs",
		},
		"many summaries": {
			map[string]string{"junit_01.xml": good, "e2e.log": strings.Repeat(ginkgoEnd, 250)},
			testcases.FindingIncomplete, "the summaries of 250 runs",
		},
		"names without end": {
			map[string]string{"junit_01.xml": v1(1, passed(strings.Repeat("x", maxName+1))), "e2e.log": ginkgoEnd},
			testcases.FindingIncomplete, "a test case whose name is longer than 4096 bytes",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := fstest.MapFS{}
			for file, text := range test.files {
				folder[file] = &fstest.MapFile{Data: []byte(text)}
			}
			evidence, _ := Case(Input{Case: conformance, Files: folder}) // errors are findings too
			wantFinding(t, evidence, test.kind, test.want)
		})
	}
}

func TestE2EFailuresStay(t *testing.T) {
	t.Parallel()
	skipped := unselected(specA)
	withdrew := `<testcase name="` + specA + `" time="1"><skipped>f.go:1&#xA;two nodes&#xA;f.go:2</skipped></testcase>`
	inV2 := func(status, inner string) map[string]string {
		return map[string]string{"junit_01.xml": v2(`tests="1"`, "", v2Case("[It] "+specA, status, inner))}
	}
	node := func(status, inner string) map[string]string {
		return map[string]string{"junit_01.xml": v2(`tests="2"`, "", v2Case("[It] "+specB, "passed", ""), v2Case("[AfterSuite]", status, inner))}
	}
	type test struct {
		files  map[string]string
		status testcases.Status
		class  testcases.Class
		reason string
	}
	tests := map[string]test{
		"failed, then skipped":        {map[string]string{"junit_01.xml": v1(1, failed(specA), skipped)}, testcases.StatusFail, testcases.ClassFailure, "why"},
		"failed, then it skipped":     {map[string]string{"junit_01.xml": v1(1, failed(specA), withdrew)}, testcases.StatusFail, testcases.ClassFailure, "why"},
		"failed, skipped, failed":     {map[string]string{"junit_01.xml": v1(1, failed(specA), skipped, failed(specA))}, testcases.StatusFail, testcases.ClassFailure, "why"},
		"failed in one, flaked after": {map[string]string{"junit_01.xml": v1(1, failed(specA)), "junit_02.xml": v1(1, strings.ReplaceAll(failed(specA), "failure", "error"), passed(specA))}, testcases.StatusError, testcases.ClassFailure, "why"},
		"status unknown":              {inV2("fine", ""), testcases.StatusError, testcases.ClassFailure, `status="fine", and no element`},
		"status Passed":               {inV2("Passed", "<skipped/>"), testcases.StatusError, testcases.ClassFailure, `status="Passed", and <skipped>`},
		"passed and skipped":          {inV2("passed", "<skipped/>"), testcases.StatusError, testcases.ClassFailure, `status="passed", and <skipped>`},
		"skipped without a child":     {inV2("skipped", ""), testcases.StatusError, testcases.ClassFailure, `status="skipped", and no element`},
		"pending without a child":     {inV2("pending", ""), testcases.StatusError, testcases.ClassFailure, `status="pending", and no element`},
		"skipped and failed":          {inV2("skipped", "<failure>no</failure>"), testcases.StatusFail, testcases.ClassFailure, "no"},
	}
	for status, class := range map[string]testcases.Class{
		"failed": testcases.ClassFailure, "timedout": testcases.ClassTimeout, "panicked": testcases.ClassPanic,
		"interrupted": testcases.ClassInterrupted, "aborted": testcases.ClassAborted,
	} {
		tests[status+" and skipped"] = test{inV2(status, `<skipped message="skipped"/>`), testcases.StatusError, class, `status="` + status + `", and <skipped>`}
		tests[status+" without a child"] = test{inV2(status, ""), testcases.StatusError, class, `status="` + status + `", and no element`}
		tests["node "+status+" and skipped"] = test{node(status, "<skipped/>"), testcases.StatusError, testcases.ClassTeardown, "and <skipped>"}
		tests["node "+status+" without a child"] = test{node(status, ""), testcases.StatusError, testcases.ClassTeardown, "and no element"}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			evidence, _ := parseFiles(conformance, test.files, "") // there is no log
			for _, check := range evidence.Checks {
				if check.Status == test.status && check.Class == test.class && strings.Contains(check.Reason, test.reason) {
					return
				}
			}
			t.Errorf("want %s, %s, %q, got %+v", test.status, test.class, test.reason, evidence.Checks)
		})
	}
}
