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
	properties map[string]string // ginkgo v2 only
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
	rootEnd bool
}

func (p *junitReader) take(token xml.Token) error {
	switch t := token.(type) {
	case xml.StartElement:
		return p.start(t)
	case xml.EndElement:
		return p.end(t.Name.Local)
	case xml.CharData:
		if p.current != nil && p.current.outcome != nil && p.top() == p.current.outcome.element {
			outcome := p.current.outcome
			outcome.text += string(t[:min(len(t), maxJUnitText-len(outcome.text))])
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
	inCase := p.top() == "testcase"
	p.open = append(p.open, name)
	switch name {
	case "testsuite":
		return p.startSuite(t)
	case "property":
		if p.suite.properties == nil {
			p.suite.properties = map[string]string{}
		}
		if len(p.suite.properties) < 100 {
			p.suite.properties[attr(t, "name")] = shorten(attr(t, "value"), maxReason)
		}
	case "testcase":
		return p.startCase(t)
	case "failure", "error", "skipped":
		if p.current != nil && (p.current.outcome == nil || p.current.outcome.element == "skipped") {
			p.current.outcome = &junitOutcome{
				element: name,
				kind:    attr(t, "type"),
				message: shorten(attr(t, "message"), maxJUnitText),
			}
		}
	case "system-out", "system-err", "properties":
	default:
		if inCase && (p.current.outcome == nil || p.current.outcome.element == "skipped") {
			// such as the <rerunFailure> of other tools: what it means is not known, so it is no pass
			p.current.outcome = &junitOutcome{element: "error", message: fmt.Sprintf("the test case holds <%s>, which ginkgo does not write", shorten(name, 40))}
		}
	}
	return nil
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
		value := attr(t, name)
		if value == "" {
			continue
		}
		n, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("testsuite attribute %s=%q is not a number", name, shorten(value, 40))
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
	if name != "testcase" {
		return nil
	}
	current := p.current
	p.current = nil
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
