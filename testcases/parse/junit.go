package parse

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A junitSuite is what a JUnit file says of itself. Headers are compared with
// what is counted, never trusted (spec/results.md, 1, pitfalls 5 and 6).
type junitSuite struct {
	suites     int // <testsuite> elements
	tests      int
	failures   int
	errors     int
	id         string            // Rally only: the task's
	timestamp  string            // of the last suite that has one
	comment    string            // Rally only: its version
	properties map[string]string // ginkgo v2 only, by name in lower case

	root     *junitTotals   // what <testsuites> states of all suites
	problems []junitProblem // failures of a suite, not of a test case
}

// junitTotals are the counts of failures that <testsuites> states.
type junitTotals struct{ failures, errors int }

// A junitProblem is a <failure> or <error> outside of any test case.
type junitProblem struct {
	junitOutcome
	line int
}

// reason says what failed, in the words of the file.
func (p junitProblem) reason() string {
	reason := strings.TrimSpace(p.message)
	if text := strings.TrimSpace(p.text); text != "" {
		reason = strings.TrimPrefix(reason+"\n"+text, "\n")
	}
	if reason == "" {
		reason = "no reason given"
	}
	return shorten(reason, maxReason)
}

// contradictsRoot says whether <testsuites> knows of failures where its
// suites know of none, or the other way round.
func (s junitSuite) contradictsRoot() bool {
	return s.root != nil && (s.root.failures+s.root.errors > 0) != (s.failures+s.errors > 0)
}

// A junitCase is one <testcase>.
type junitCase struct {
	name      string
	classname string
	status    string // ginkgo v2 only
	seconds   float64
	line      int
	outcome   *junitOutcome // nil: passed
}

// A junitOutcome is the <failure>, <error> or <skipped> of a test case.
type junitOutcome struct {
	element string
	kind    string // attribute type
	message string
	text    string
}

const (
	maxJUnitToken = 16 << 20 // bytes of one element's text: a failed spec's log has 0.3 MB
	maxJUnitText  = 64 << 10 // bytes of it that are kept to find the reason in
	maxJUnitDepth = 16

	maxJUnitAttributes = 50  // of one element; ginkgo writes nine
	maxJUnitProperties = 100 // of one file; ginkgo writes 30
	maxJUnitProblems   = 20  // that are kept of one file
)

// readJUnit streams one JUnit file and calls each for every test case. What
// was read before an error has been handed out.
func readJUnit(r io.Reader, each func(junitCase) error) (junitSuite, error) {
	limited := &tokenReader{r: r}
	p := junitReader{decoder: xml.NewDecoder(bufio.NewReaderSize(limited, 64<<10)), each: each}
	for {
		limited.left = maxJUnitToken
		token, err := p.decoder.RawToken()
		if errors.Is(err, io.EOF) {
			return p.suite, p.atEOF()
		}
		if err == nil {
			err = p.take(token)
		}
		if err != nil {
			return p.suite, p.fail(err)
		}
	}
}

// tokenReader bounds how much one XML token can make the decoder hold. It
// counts what is read ahead for a token: at most one buffer too much.
type tokenReader struct {
	r    io.Reader
	left int
}

func (t *tokenReader) Read(p []byte) (int, error) {
	if t.left <= 0 {
		return 0, fmt.Errorf("an element is longer than %d MiB", maxJUnitToken>>20)
	}
	n, err := t.r.Read(p)
	t.left -= n
	return n, err
}

type junitReader struct {
	decoder *xml.Decoder
	each    func(junitCase) error
	suite   junitSuite
	open    []string // names of the open elements
	current *junitCase
	text    []byte // of the outcome or problem that is being read
	rootEnd bool
}

func (p *junitReader) take(token xml.Token) error {
	switch t := token.(type) {
	case xml.StartElement:
		return p.start(t)
	case xml.EndElement:
		return p.end(t.Name.Local)
	case xml.CharData:
		if p.inOutcome() {
			p.text = append(p.text, t[:min(len(t), maxJUnitText-len(p.text))]...)
		} else if len(p.open) == 0 && strings.TrimSpace(string(t)) != "" {
			return errors.New("text outside of the root element: not JUnit XML")
		}
	case xml.Comment:
		if p.suite.comment == "" {
			p.suite.comment = shorten(strings.TrimSpace(string(t)), 200)
		}
	}
	return nil
}

func (p *junitReader) start(t xml.StartElement) error {
	name := t.Name.Local
	switch {
	case len(p.open) == 0 && p.rootEnd:
		return fmt.Errorf("a second root element <%s>", name)
	case len(p.open) == 0 && name != "testsuite" && name != "testsuites":
		return fmt.Errorf("root element <%s>: not JUnit XML", name)
	case len(p.open) >= maxJUnitDepth:
		return fmt.Errorf("more than %d nested elements", maxJUnitDepth)
	}
	if err := checkAttributes(t); err != nil {
		return err
	}
	inCase := p.top() == "testcase"
	p.open = append(p.open, name)
	switch name {
	case "testsuites":
		return p.startRoot(t)
	case "testsuite":
		return p.startSuite(t)
	case "property":
		return p.takeProperty(t)
	case "testcase":
		return p.startCase(t)
	case "failure", "error", "skipped":
		p.startOutcome(junitOutcome{element: name, kind: attr(t, "type"), message: shorten(attr(t, "message"), maxJUnitText)})
	case "system-out", "system-err", "properties":
	default:
		if inCase && (p.current.outcome == nil || p.current.outcome.element == "skipped") {
			// such as the <rerunFailure> of other tools: what it means is not known, so it is no pass
			p.text = p.text[:0]
			p.current.outcome = &junitOutcome{element: "error", message: fmt.Sprintf("the test case holds <%s>, which ginkgo does not write", shorten(name, 40))}
		}
	}
	return nil
}

// startOutcome keeps what became of the open test case: a failure cannot be
// replaced. Outside of test cases, it is the suite that failed.
func (p *junitReader) startOutcome(outcome junitOutcome) {
	switch {
	case p.current == nil && outcome.element != "skipped":
		p.text = p.text[:0]
		if len(p.suite.problems) < maxJUnitProblems {
			line, _ := p.decoder.InputPos()
			p.suite.problems = append(p.suite.problems, junitProblem{junitOutcome: outcome, line: line})
		}
	case p.current != nil && (p.current.outcome == nil || p.current.outcome.element == "skipped"):
		p.text = p.text[:0]
		p.current.outcome = &outcome
	}
}

// inOutcome says whether a text that is read belongs to an outcome.
func (p *junitReader) inOutcome() bool {
	if p.current == nil {
		return p.top() == "failure" || p.top() == "error"
	}
	return p.current.outcome != nil && p.top() == p.current.outcome.element
}

// endProblem gives a failure of the suite its text.
func (p *junitReader) endProblem() {
	if last := len(p.suite.problems) - 1; last >= 0 && p.suite.problems[last].text == "" {
		p.suite.problems[last].text = string(p.text)
	}
}

func (p *junitReader) takeProperty(t xml.StartElement) error {
	if p.suite.properties == nil {
		p.suite.properties = map[string]string{}
	}
	name := strings.ToLower(strings.TrimSpace(shorten(attr(t, "name"), 200)))
	value := shorten(strings.TrimSpace(attr(t, "value")), maxReason)
	if before, ok := p.suite.properties[name]; ok && before != value {
		return fmt.Errorf("the property %q is %q and %q", name, shorten(before, 100), shorten(value, 100))
	}
	p.suite.properties[name] = value
	if len(p.suite.properties) > maxJUnitProperties {
		return fmt.Errorf("more than %d properties", maxJUnitProperties)
	}
	return nil
}

// checkAttributes refuses what XML does not allow and the decoder lets pass:
// of two attributes of one name, readers differ in which one counts.
func checkAttributes(t xml.StartElement) error {
	if len(t.Attr) > maxJUnitAttributes {
		return fmt.Errorf("<%s> has more than %d attributes", shorten(t.Name.Local, 40), maxJUnitAttributes)
	}
	for i, a := range t.Attr {
		for _, b := range t.Attr[:i] {
			if a.Name.Local == b.Name.Local {
				return fmt.Errorf("<%s> has the attribute %s twice", shorten(t.Name.Local, 40), shorten(a.Name.Local, 40))
			}
		}
	}
	return nil
}

func (p *junitReader) startRoot(t xml.StartElement) error {
	failures, stated, err := countAttr(t, "failures")
	if err != nil {
		return err
	}
	errs, also, err := countAttr(t, "errors")
	if err != nil {
		return err
	}
	if _, _, err := countAttr(t, "tests"); err != nil {
		return err
	}
	if stated || also {
		if p.suite.root == nil {
			p.suite.root = &junitTotals{}
		}
		p.suite.root.failures += failures
		p.suite.root.errors += errs
	}
	return nil
}

// countAttr reads an attribute that counts something.
func countAttr(t xml.StartElement, name string) (n int, stated bool, err error) {
	value := attr(t, name)
	if value == "" {
		return 0, false, nil
	}
	n, err = strconv.Atoi(value)
	if err != nil || n < 0 || n > 1e9 {
		return 0, false, fmt.Errorf("%s attribute %s=%q is not a number of test cases", t.Name.Local, name, shorten(value, 40))
	}
	return n, true, nil
}

func (p *junitReader) startSuite(t xml.StartElement) error {
	p.suite.suites++
	if id := attr(t, "id"); id != "" {
		p.suite.id = shorten(id, 100)
	}
	if timestamp := attr(t, "timestamp"); timestamp != "" {
		p.suite.timestamp = shorten(timestamp, 100)
	}
	for name, into := range map[string]*int{"tests": &p.suite.tests, "failures": &p.suite.failures, "errors": &p.suite.errors} {
		n, _, err := countAttr(t, name)
		if err != nil {
			return err
		}
		*into += n
	}
	return nil
}

func (p *junitReader) startCase(t xml.StartElement) error {
	if p.current != nil {
		return errors.New("a test case inside a test case")
	}
	name := attr(t, "name")
	if name == "" {
		return errors.New("a test case without a name")
	}
	if classname := attr(t, "classname"); len(name) > maxName || len(classname) > maxName {
		return fmt.Errorf("a test case whose name is longer than %d bytes: %q", maxName, shorten(name, 100))
	}
	seconds := 0.0
	if value := attr(t, "time"); value != "" {
		var err error
		if seconds, err = strconv.ParseFloat(value, 64); err != nil || seconds < 0 || seconds != seconds || seconds > 1e9 {
			return fmt.Errorf("test case %q: time %q is not a number of seconds", shorten(name, 200), shorten(value, 40))
		}
	}
	line, _ := p.decoder.InputPos()
	p.current = &junitCase{name: name, classname: attr(t, "classname"), status: attr(t, "status"), seconds: seconds, line: line}
	return nil
}

func (p *junitReader) end(name string) error {
	if p.top() != name {
		return fmt.Errorf("</%s> closes <%s>", name, p.top())
	}
	p.open = p.open[:len(p.open)-1]
	p.rootEnd = len(p.open) == 0
	if p.current == nil && (name == "failure" || name == "error") {
		p.endProblem()
	}
	if name != "testcase" {
		return nil
	}
	current := p.current
	p.current = nil
	if current.outcome != nil {
		current.outcome.text = string(p.text)
	}
	return p.each(*current)
}

func (p *junitReader) top() string {
	if len(p.open) == 0 {
		return ""
	}
	return p.open[len(p.open)-1]
}

func (p *junitReader) atEOF() error {
	line, _ := p.decoder.InputPos()
	switch {
	case len(p.open) > 0:
		return &Error{Line: line, Err: fmt.Errorf("cut off: the file ends inside <%s>", p.top())}
	case !p.rootEnd:
		return &Error{Err: errors.New("empty: no XML in it")}
	}
	return nil
}

// fail gives an error its line.
func (p *junitReader) fail(err error) error {
	if syntax, ok := errors.AsType[*xml.SyntaxError](err); ok {
		if strings.Contains(syntax.Msg, "unexpected EOF") {
			return &Error{Line: syntax.Line, Err: errors.New("cut off: the file ends inside of an element")}
		}
		return &Error{Line: syntax.Line, Err: fmt.Errorf("not well-formed XML: %s", syntax.Msg)}
	}
	line, _ := p.decoder.InputPos()
	return &Error{Line: line, Err: err}
}

func attr(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
