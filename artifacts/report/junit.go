package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/anuket-project/xtci/testcases"
)

// maxMessage bounds the message attribute of a failure, in characters: the
// line that CI systems list. The text of the element has all of it.
const maxMessage = 300

// JUnit writes the report for CI systems: a suite for the campaign's verdict
// and one for each case, with a test for each check that the case selects or
// that ran, and one, "<case> evidence", for the verdict on the case itself.
//
// Informative checks never fail there, as they never fail a case (RC2 2.2).
// A waiver makes no test pass: it is a property of its suite.
func JUnit(w io.Writer, a *testcases.Assessment) error {
	doc := xmlSuites{Name: a.BuildTag}
	doc.add(campaignSuite(a))
	for i := range a.Outcomes {
		doc.add(caseSuite(&a.Outcomes[i]))
	}
	text, err := xml.MarshalIndent(doc, "", " ")
	if err != nil {
		return fmt.Errorf("encode junit.xml: %w", err)
	}
	if _, err := fmt.Fprintf(w, "%s%s\n", xml.Header, text); err != nil {
		return fmt.Errorf("write junit.xml: %w", err)
	}
	return nil
}

type xmlSuites struct {
	XMLName  xml.Name   `xml:"testsuites"`
	Name     string     `xml:"name,attr"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Errors   int        `xml:"errors,attr"`
	Time     xmlSeconds `xml:"time,attr"`
	Suites   []xmlSuite `xml:"testsuite"`
}

type xmlSuite struct {
	Name       string        `xml:"name,attr"`
	Tests      int           `xml:"tests,attr"`
	Failures   int           `xml:"failures,attr"`
	Errors     int           `xml:"errors,attr"`
	Skipped    int           `xml:"skipped,attr"`
	Time       xmlSeconds    `xml:"time,attr"`
	Properties []xmlProperty `xml:"properties>property"`
	Cases      []xmlTest     `xml:"testcase"`
}

type xmlProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type xmlTest struct {
	Name      string      `xml:"name,attr"`
	Class     string      `xml:"classname,attr"`
	Time      xmlSeconds  `xml:"time,attr"`
	Failure   *xmlProblem `xml:"failure"`
	Error     *xmlProblem `xml:"error"`
	Skipped   *xmlProblem `xml:"skipped"`
	SystemOut string      `xml:"system-out,omitempty"`
}

type xmlProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// xmlSeconds is a duration as JUnit writes it.
type xmlSeconds float64

// MarshalText implements encoding.TextMarshaler.
func (s xmlSeconds) MarshalText() ([]byte, error) {
	return strconv.AppendFloat(nil, seconds(float64(s)), 'f', 3, 64), nil
}

func (d *xmlSuites) add(s xmlSuite) {
	d.Suites = append(d.Suites, s)
	d.Tests += s.Tests
	d.Failures += s.Failures
	d.Errors += s.Errors
	d.Time += s.Time
}

func (s *xmlSuite) add(t xmlTest) {
	s.Cases = append(s.Cases, t)
	s.Tests++
	switch {
	case t.Failure != nil:
		s.Failures++
	case t.Error != nil:
		s.Errors++
	case t.Skipped != nil:
		s.Skipped++
	}
}

func campaignSuite(a *testcases.Assessment) xmlSuite {
	s := xmlSuite{Name: "campaign", Properties: []xmlProperty{
		{"build_tag", a.BuildTag},
		{"release", a.Provenance.Release},
		{"verdict", string(a.Verdict)},
	}}
	verdict := xmlTest{Name: "campaign verdict", Class: "campaign"}
	lines := append([]string{}, a.Reasons...)
	for _, f := range a.Findings {
		lines = append(lines, string(f.Kind)+": "+f.Text)
	}
	text := strings.Join(lines, "\n")
	switch {
	case a.Verdict.Good():
		verdict.SystemOut = text
	case a.Verdict == testcases.NoSpecification:
		verdict.Failure = &xmlProblem{Message: string(a.Verdict), Type: "verdict", Text: text}
	default:
		verdict.Failure = &xmlProblem{Message: string(testcases.NotConformant), Type: "verdict", Text: text}
	}
	s.add(verdict)
	return s
}

func caseSuite(o *testcases.Outcome) xmlSuite {
	c := caseOf(o)
	s := xmlSuite{Name: c.Name, Time: xmlSeconds(seconds(o.Seconds)), Properties: caseProperties(o)}
	s.add(evidenceTest(o))
	for _, m := range o.Missing {
		s.add(xmlTest{Name: m.Name, Class: c.Name, Error: &xmlProblem{
			Message: firstLine("not executed: " + m.Reason), Type: "missing", Text: m.Reason,
		}})
	}
	for _, check := range reported(o) {
		s.add(checkTest(o, check))
	}
	return s
}

func caseProperties(o *testcases.Outcome) []xmlProperty {
	c := caseOf(o)
	properties := []xmlProperty{
		{"verdict", string(o.Verdict)},
		{"recorded", string(o.Recorded)},
		{"derived", string(o.Derived)},
		{"complete", strconv.FormatBool(o.Complete)},
		{"mandatory", strconv.FormatBool(c.Mandatory)},
		{"requirements", strings.Join(c.Requirements, " ")},
		{"folder", o.Folder},
	}
	if o.Waiver != "" {
		properties = append(properties, xmlProperty{"waiver", o.Waiver})
	}
	return properties
}

// evidenceTest is the verdict on the case as a test: without it a case whose
// evidence is missing would be an empty suite, which CI systems show as good.
func evidenceTest(o *testcases.Outcome) xmlTest {
	name := caseOf(o).Name
	t := xmlTest{Name: name + " evidence", Class: name}
	var lines []string
	for _, f := range o.Findings {
		line := string(f.Kind) + ": " + f.Text
		if at := place(o.Folder, f.Source); at != "" {
			line += " (" + at + ")"
		}
		lines = append(lines, line)
	}
	text := strings.Join(lines, "\n")
	if o.Verdict == testcases.VerdictPass {
		t.SystemOut = text
		return t
	}
	message := fmt.Sprintf("%s: recorded %s, derived %s", o.Verdict, orNothing(o.Recorded), orNothing(o.Derived))
	t.Failure = &xmlProblem{Message: message, Type: string(o.Verdict), Text: text}
	return t
}

func checkTest(o *testcases.Outcome, c *testcases.Check) xmlTest {
	t := xmlTest{Name: c.Name, Class: caseOf(o).Name, Time: xmlSeconds(seconds(c.Seconds))}
	problem := &xmlProblem{Message: firstLine(c.Reason), Type: string(c.Class), Text: explanation(o.Folder, c)}
	switch {
	case c.Status == testcases.StatusPass:
		if c.Flaked {
			t.SystemOut = fmt.Sprintf("flaked: passed at attempt %d\n%s", c.Attempts, problem.Text)
		}
	case c.Informative:
		problem.Message = firstLine(fmt.Sprintf("informative, decides nothing: %s %s", c.Status, c.Reason))
		t.Skipped = problem
	case c.Status == testcases.StatusFail:
		t.Failure = problem
	case c.Status == testcases.StatusSkip:
		problem.Message = firstLine(strings.TrimSuffix(string(c.Class)+": "+c.Reason, ": "))
		t.Skipped = problem
	default:
		t.Error = problem
	}
	return t
}

// explanation is all that is known of a check that did not pass.
func explanation(folder string, c *testcases.Check) string {
	lines := []string{c.Reason}
	for _, line := range []struct{ word, text string }{
		{"where", c.Where},
		{"remedy", c.Remedy},
		{"requirement", c.Requirement},
		{"test", strings.TrimSpace(c.Title + " " + c.Link)},
		{"evidence", place(folder, c.Source)},
	} {
		if line.text != "" {
			lines = append(lines, line.word+": "+line.text)
		}
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// place names a place in the evidence; it is empty when that is unknown.
func place(folder string, s testcases.Source) string {
	name := evidencePath(folder, s)
	if name == "" || s.Line <= 0 {
		return name
	}
	return fmt.Sprintf("%s:%d", name, s.Line)
}

// firstLine cuts a text to its first line and to what fits a message.
func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return shorten(strings.TrimSpace(line), maxMessage)
}

// shorten cuts a text to at most n characters and shows that it did.
func shorten(text string, n int) string {
	count, cut := 0, 0
	for i := range text {
		if count++; count == n {
			cut = i
		}
	}
	if count <= n {
		return text
	}
	return text[:cut] + "…"
}

func orNothing(c testcases.Criteria) string {
	if c == testcases.CriteriaNone {
		return "nothing"
	}
	return string(c)
}
