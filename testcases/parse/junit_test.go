package parse

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/anuket-project/xtci/testcases"
)

func TestReadJUnitRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, xml string
		line      int
		want      string
	}{
		{name: "nothing", want: "empty: no XML in it"},
		{name: "blanks alone", xml: "\n\n", want: "empty: no XML in it"},
		{name: "text", xml: "connection refused\n", want: "not JUnit XML", line: 2},
		{name: "another document", xml: "<html></html>", want: "root element <html>: not JUnit XML", line: 1},
		{name: "cut off in an element", xml: "<testsuite tests=\"1\">\n<testcase name=\"a\"", want: "cut off", line: 2},
		{name: "cut off between elements", xml: "<testsuite>\n<testcase name=\"a\" time=\"1\"></testcase>\n", want: "cut off: the file ends inside <testsuite>", line: 3},
		{name: "crossed elements", xml: "<testsuite><testcase name=\"a\"></testsuite></testcase>", want: "</testsuite> closes <testcase>", line: 1},
		{name: "a second root", xml: "<testsuite/><testsuite/>", want: "a second root element", line: 1},
		{name: "a nameless test", xml: "<testsuite>\n\n<testcase time=\"1\"/></testsuite>", want: "without a name", line: 3},
		{name: "a test in a test", xml: "<testsuite><testcase name=\"a\"><testcase name=\"b\"/></testcase></testsuite>", want: "inside a test case", line: 1},
		{name: "a time that is none", xml: "<testsuite><testcase name=\"a\" time=\"soon\"/></testsuite>", want: `time "soon"`, line: 1},
		{name: "a time below zero", xml: "<testsuite><testcase name=\"a\" time=\"-1\"/></testsuite>", want: `time "-1"`, line: 1},
		{name: "a count that is none", xml: "<testsuite tests=\"many\"/>", want: `tests="many"`, line: 1},
		{name: "an entity of its own", xml: "<!DOCTYPE a [<!ENTITY b \"c\">]><testsuite name=\"&b;\"/>", want: "not well-formed XML", line: 1},
		{name: "a count below zero", xml: "<testsuite tests=\"1\"\nfailures=\"-1\"/>", want: `failures="-1"`, line: 2},
		{name: "a count of the root below zero", xml: "<testsuites errors=\"-1\"/>", want: `errors="-1"`, line: 1},
		{name: "an attribute twice", xml: "<testsuite>\n<testcase name=\"a\" status=\"passed\" status=\"failed\"/></testsuite>", want: "<testcase> has the attribute status twice", line: 2},
		{name: "an attribute twice, with a prefix", xml: "<testsuite><testcase name=\"a\" x:name=\"b\"/></testsuite>", want: "has the attribute name twice", line: 1},
		{name: "attributes without end", xml: "<testsuite" + manyAttributes(51) + "/>", want: "more than 50 attributes", line: 1},
		{name: "properties without end", xml: "<testsuite>" + manyProperties(101) + "</testsuite>", want: "more than 100 properties", line: 1},
		{name: "a property twice", xml: "<testsuite>" + property("DryRun", "true") + "\n" + property("dryrun", "false") + "</testsuite>", want: `the property "dryrun" is "true" and "false"`, line: 2},
		{name: "a long name", xml: "<testsuite><testcase name=\"" + strings.Repeat("x", 4097) + "\"/></testsuite>", want: "longer than 4096 bytes", line: 1},
		{name: "too deep", xml: strings.Repeat("<testsuite>", 30), want: "nested elements", line: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := readJUnit(strings.NewReader(test.xml), func(junitCase) error { return nil })
			bad, ok := errors.AsType[*Error](err)
			if !ok || !strings.Contains(bad.Err.Error(), test.want) || bad.Line != test.line {
				t.Errorf("got %v, want line %d: %s", err, test.line, test.want)
			}
		})
	}
}

func manyAttributes(n int) (text string) {
	for i := range n {
		text += fmt.Sprintf(" a%d=\"\"", i)
	}
	return text
}

func manyProperties(n int) (text string) {
	for i := range n {
		text += property(fmt.Sprint(i), "")
	}
	return text
}

// endless gives the same text again and again.
type endless struct{ text string }

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		n += copy(p[n:], e.text)
	}
	return n, nil
}

func TestReadJUnitBoundsOneElement(t *testing.T) {
	t.Parallel()
	file := io.MultiReader(strings.NewReader(`<testsuite><testcase name="a"><failure>`), endless{"log line "})
	_, err := readJUnit(file, func(junitCase) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "an element is longer than 16 MiB") {
		t.Errorf("got %v", err)
	}
}

// suite writes a ginkgo v1 file.
func suite(tests int, cases ...string) *fstest.MapFile {
	return &fstest.MapFile{Data: fmt.Appendf(nil, `<testsuite name="Kubernetes e2e suite" tests="%d">%s</testsuite>`, tests, strings.Join(cases, "\n"))}
}

func passed(name string) string { return `<testcase name="` + name + `" time="1"></testcase>` }
func failed(name string) string {
	return `<testcase name="` + name + `" time="1"><failure type="Failure">f.go:1&#xA;why&#xA;f.go:2</failure></testcase>`
}

func unselected(name string) string {
	return `<testcase name="` + name + `" time="0"><skipped></skipped></testcase>`
}

func TestE2EMergesParallelFiles(t *testing.T) {
	t.Parallel()
	const spec = "[sig-x] a [Conformance]"
	log := &fstest.MapFile{Data: []byte("SUCCESS! -- 1 Passed | 0 Failed | 0 Pending | 0 Skipped\n")}
	for _, test := range []struct {
		name  string
		files fstest.MapFS
		want  testcases.Status
		note  bool // that it ran in two files
	}{
		{name: "ran in one, skipped in the other", files: fstest.MapFS{"junit_01.xml": suite(0, unselected(spec)), "junit_02.xml": suite(1, passed(spec))}, want: testcases.StatusPass},
		{name: "skipped in the later one", files: fstest.MapFS{"junit_01.xml": suite(1, passed(spec)), "junit_02.xml": suite(0, unselected(spec))}, want: testcases.StatusPass},
		{name: "passed in one, failed in the other", files: fstest.MapFS{"junit_01.xml": suite(1, passed(spec)), "junit_02.xml": suite(1, failed(spec))}, want: testcases.StatusFail, note: true},
		{name: "failed in one, passed in the other: no retry", files: fstest.MapFS{"junit_01.xml": suite(1, failed(spec)), "junit_02.xml": suite(1, passed(spec))}, want: testcases.StatusFail, note: true},
		{name: "failed, then passed in one file: a retry", files: fstest.MapFS{"junit_01.xml": suite(1, failed(spec), passed(spec))}, want: testcases.StatusPass},
		{name: "passed, then failed in one file: two specs of one name", files: fstest.MapFS{"junit_01.xml": suite(2, passed(spec), failed(spec))}, want: testcases.StatusPass},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.files["e2e.log"] = log
			evidence, err := Case(Input{Case: conformance, Files: test.files})
			if err != nil {
				t.Fatal(err)
			}
			if got := evidence.Checks[0]; got.Name != spec || got.Status != test.want {
				t.Errorf("got %+v", got)
			}
			noted := false
			for _, finding := range evidence.Findings {
				noted = noted || strings.Contains(finding.Text, "the worse result counts")
			}
			if noted != test.note {
				t.Errorf("findings %+v", evidence.Findings)
			}
		})
	}
}

func TestE2ELogSummaries(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, log string
		want      []ginkgoSummary
	}{
		{name: "none", log: "Running Suite\n"},
		{name: "success", log: "\nSUCCESS! -- 2 Passed | 0 Failed | 1 Pending | 56 Skipped\n", want: []ginkgoSummary{{line: 2, success: true, counted: true, passed: 2, pending: 1, skipped: 56}}},
		{name: "flaked", log: "FAIL! -- 9 Passed | 5 Failed | 1 Flaked | 1 Pending | 43 Skipped", want: []ginkgoSummary{{line: 1, counted: true, passed: 9, failed: 5, flaked: 1, pending: 1, skipped: 43}}},
		{name: "timeout", log: "FAIL! - Suite Timeout Elapsed -- 2 Passed | 1 Failed | 1 Pending | 54 Skipped", want: []ginkgoSummary{{line: 1, special: "Suite Timeout Elapsed", counted: true, passed: 2, failed: 1, pending: 1, skipped: 54}}},
		{name: "set-up", log: "FAIL! -- A BeforeSuite node failed so all tests were skipped.", want: []ginkgoSummary{{line: 1}}},
		{name: "coloured, with a carriage return", log: "\x1b[1mSUCCESS!\x1b[0m -- \x1b[32m1 Passed\x1b[0m | 0 Failed | 0 Pending | 0 Skipped\r\n", want: []ginkgoSummary{{line: 1, success: true, counted: true, passed: 1}}},
		{name: "two", log: "FAIL! -- 1 Passed | 1 Failed | 0 Pending | 0 Skipped\nSUCCESS! -- 2 Passed | 0 Failed | 0 Pending | 0 Skipped\n", want: []ginkgoSummary{{line: 1, counted: true, passed: 1, failed: 1}, {line: 2, success: true, counted: true, passed: 2}}},
		{name: "in the middle of a line", log: "the test printed SUCCESS! -- 1 Passed | 0 Failed | 0 Pending | 0 Skipped\n"},
		{name: "after a line of megabytes with zeroes", log: strings.Repeat("\x00\xff", 2<<20) + "\nSUCCESS! -- 1 Passed | 0 Failed | 0 Pending | 0 Skipped\n", want: []ginkgoSummary{{line: 2, success: true, counted: true, passed: 1}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			log, err := readE2ELog(strings.NewReader(test.log))
			if err != nil {
				t.Fatal(err)
			}
			if len(log.summaries) != len(test.want) {
				t.Fatalf("got %+v, want %+v", log.summaries, test.want)
			}
			for i := range test.want {
				if log.summaries[i] != test.want[i] {
					t.Errorf("got %+v, want %+v", log.summaries[i], test.want[i])
				}
			}
		})
	}
}

func FuzzE2E(f *testing.F) {
	f.Add([]byte(`<testsuite tests="1">`+passed("[sig-x] a [Conformance]")+`</testsuite>`), []byte("SUCCESS! -- 1 Passed | 0 Failed | 0 Pending | 0 Skipped"))
	f.Add([]byte(`<testsuites><testsuite tests="2" failures="1"><properties><property name="DryRun" value="true"/></properties>`+
		`<testcase name="[It] a" status="panicked" time="1"><error type="panicked">[PANICKED] Test Panicked&#xA;In [It] at: a.go:1 @ 11/23/26&#xA;&#xA;nil map</error></testcase>`+
		`<testcase name="[BeforeSuite]" status="failed" time="1"><failure message="m"/></testcase></testsuite></testsuites>`), []byte("FAIL! -- A BeforeSuite node failed"))
	f.Add([]byte(`<testsuite>`+failed("b")+passed("b")+unselected("b")+`</testsuite>`), []byte("kube-apiserver version: v1.23.1"))
	f.Fuzz(func(t *testing.T, xml, log []byte) {
		evidence, err := Case(Input{Case: conformance, Files: fstest.MapFS{"junit_01.xml": {Data: xml}, "e2e.log": {Data: log}}})
		for _, e := range unjoin(err) {
			if bad, ok := errors.AsType[*Error](e); !ok || bad.File == "" {
				t.Errorf("an error that names no file: %v", e)
			}
		}
		for _, check := range evidence.Checks {
			if check.Name == "" || check.Status == "" || check.Source.File == "" || check.Status != testcases.StatusPass && check.Class == "" {
				t.Errorf("a check without a name, status, class or source: %+v", check)
			}
			if len(check.Reason) > maxReason+len("failed at first: ") {
				t.Errorf("a reason of %d bytes", len(check.Reason))
			}
		}
	})
}
