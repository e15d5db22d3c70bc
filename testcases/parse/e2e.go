package parse

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/anuket-project/xtci/testcases"
)

// parseE2E reads what the Kubernetes e2e suites leave: one junit_NN.xml for
// each parallel ginkgo node, to be merged, and e2e.log to cross-check
// (spec/results.md, 1).
func parseE2E(in Input) (testcases.Evidence, error) {
	selection, err := testcases.NewSelection(in.Case)
	if err != nil {
		return testcases.Evidence{}, err
	}
	names, err := find(in.Files, func(base string) bool {
		return strings.Contains(base, "junit") && strings.HasSuffix(base, ".xml")
	})
	if err != nil {
		return testcases.Evidence{}, err
	}
	m := e2eMerge{selection: selection, names: in.Names, index: make(map[string]int, usualSpecs)}
	m.evidence.Checks = make([]testcases.Check, 0, usualSpecs)
	var errs []error
	for _, name := range names {
		errs = append(errs, m.readFile(in.Files, name))
	}
	if len(names) == 0 {
		errs = append(errs, &Error{File: "junit_*.xml", Err: errors.New("none found: the run left no result of any spec")})
	}
	logErr := m.crossCheck(in.Files)
	return m.evidence, errors.Join(append(errs, logErr)...)
}

// usualSpecs is somewhat more than the binaries of all releases list.
const usualSpecs = 8000

// e2eMerge gathers the specs of several files by name.
type e2eMerge struct {
	selection *testcases.Selection
	names     Names
	evidence  testcases.Evidence
	index     map[string]int // spec to its place in evidence.Checks
	setup     bool           // a set-up or tear-down node failed
}

func (m *e2eMerge) readFile(files fs.FS, name string) error {
	file, err := files.Open(name)
	if err != nil {
		return &Error{File: name, Err: err}
	}
	defer file.Close()
	f := e2eFile{merge: m, name: name, seen: map[string]int{}}
	suite, err := readJUnit(file, f.take)
	if bad, ok := errors.AsType[*Error](err); ok {
		bad.File = name
		return bad
	}
	if err != nil {
		return &Error{File: name, Err: err}
	}
	f.checkHeader(suite)
	return nil
}

// e2eFile is the merge's view of one file.
type e2eFile struct {
	merge *e2eMerge
	name  string
	seen  map[string]int // spec to its place in evidence.Checks, of this file only
	again map[string]int // spec to how many genuine duplicates this file lists

	v2                 bool
	cases              int // test cases
	executed, withdrew int // specs that passed or failed, specs that skipped themselves
	bad, setup         int // failures and errors, failed set-up nodes
}

func (f *e2eFile) take(c junitCase) error {
	f.cases++
	f.v2 = f.v2 || c.status != ""
	name, isSpec := specName(c)
	check := newE2ECheck(c)
	check.Source = testcases.Source{File: f.name, Line: c.line}
	if len(f.merge.evidence.Checks) >= maxChecks {
		return fmt.Errorf("more than %d test cases in one suite", maxChecks)
	}
	if !isSpec {
		f.takeNode(name, check)
		return nil
	}
	check.Name = f.merge.names.share(name)
	f.classify(&check)
	if check.Status == testcases.StatusFail || check.Status == testcases.StatusError {
		f.bad++
	}

	if at, ok := f.seen[check.Name]; ok {
		if f.isRetry(at) {
			f.bad-- // the header counts specs that failed, not attempts
			f.merge.evidence.Checks[at] = retried(f.merge.evidence.Checks[at], check)
			return nil
		}
		// ginkgo v2 lists some names twice: they are specs of their own
		if f.again == nil {
			f.again = map[string]int{}
		}
		f.again[check.Name] = max(f.again[check.Name], 1) + 1
		check.Name = fmt.Sprintf("%s [%d]", check.Name, f.again[check.Name])
	}
	switch {
	case check.Status != testcases.StatusSkip:
		f.executed++
	case check.Class == testcases.ClassSkipped:
		f.withdrew++
	}
	f.seen[check.Name] = f.merge.add(check)
	return nil
}

// isRetry says whether a further test case of the same name is a further
// attempt: ginkgo v1 with flakeAttempts lists each, the failed ones first.
func (f *e2eFile) isRetry(at int) bool {
	previous := f.merge.evidence.Checks[at]
	return !f.v2 && previous.Source.File == f.name && (previous.Status == testcases.StatusFail || previous.Status == testcases.StatusError)
}

// takeNode keeps a set-up or tear-down node that failed: it is no spec, but
// nothing that ran without it counts.
func (f *e2eFile) takeNode(name string, check testcases.Check) {
	if check.Status == testcases.StatusPass || check.Status == testcases.StatusSkip {
		return
	}
	f.setup++
	f.merge.setup = true
	check.Name = name
	check.Status = testcases.StatusError
	check.Class = testcases.ClassTeardown
	if strings.Contains(name, "Before") {
		check.Class = testcases.ClassSetup
	}
	f.merge.evidence.Checks = append(f.merge.evidence.Checks, check)
}

// classify tells why a spec was not executed, or that it should not have been.
func (f *e2eFile) classify(check *testcases.Check) {
	selected, why := f.merge.selection.Match(check.Name)
	if check.Ran() {
		check.Extra = !selected
		return
	}
	if check.Class != "" { // pending and dry runs have their own words
		return
	}
	if selected {
		check.Class = testcases.ClassUnexplained
		check.Reason = "the case selects it, but the file lists it as skipped without a reason: pending, or the run had a narrower focus or a wider skip"
		return
	}
	check.Class, check.Reason = testcases.ClassNotSelected, why
}

// checkHeader compares what the file says of itself with what it holds.
func (f *e2eFile) checkHeader(suite junitSuite) {
	// ginkgo v1 counts the specs that ran, some of its reporters without those
	// that skipped themselves; v2 counts all test cases
	least, most := f.executed, f.executed+f.withdrew
	if f.v2 {
		least, most = f.cases, f.cases
	}
	if f.setup > 0 && !f.v2 {
		return // a failed BeforeSuite fails all specs in the header and lists none
	}
	if suite.tests < least || suite.tests > most {
		f.merge.find(testcases.FindingIncomplete, f.name, 0,
			"the header says tests=%d, the file lists %d: it was cut, merged or edited", suite.tests, most)
	}
	if stated := suite.failures + suite.errors; (stated > 0) != (f.bad+f.setup > 0) {
		f.merge.find(testcases.FindingIncomplete, f.name, 0,
			"the header says failures=%d errors=%d, the file lists %d failed: it was cut, merged or edited", suite.failures, suite.errors, f.bad+f.setup)
	}
	f.merge.properties(f.name, suite.properties)
}

// properties are what ginkgo v2 says of the run.
func (m *e2eMerge) properties(file string, properties map[string]string) {
	if properties["DryRun"] == "true" {
		m.find(testcases.FindingIncomplete, file, 0, "ginkgo says DryRun: nothing was executed")
	}
	if reason := properties["SpecialSuiteFailureReason"]; reason != "" {
		m.find(testcases.FindingFailure, file, 0, "ginkgo says of the whole suite: %s", reason)
	}
	if properties["SuiteSucceeded"] == "false" && !m.failed() {
		m.find(testcases.FindingFailure, file, 0, "ginkgo says that the suite did not succeed, but the file lists no failure")
	}
	for _, name := range []string{"FocusStrings", "SkipStrings", "LabelFilter", "FlakeAttempts", "ParallelTotal", "RandomSeed"} {
		if value := properties[name]; value != "" && value != "0" {
			m.evidence.Facts = append(m.evidence.Facts, testcases.Fact{Name: name, Value: value})
		}
	}
}

// add merges one spec into what the other files say of it: a run wins over
// not having run, and of two runs the worse one.
func (m *e2eMerge) add(check testcases.Check) int {
	at, ok := m.index[check.Name]
	if !ok {
		m.index[check.Name] = len(m.evidence.Checks)
		m.evidence.Checks = append(m.evidence.Checks, check)
		return len(m.evidence.Checks) - 1
	}
	old := &m.evidence.Checks[at]
	switch {
	case !check.Ran():
	case !old.Ran():
		*old = check
	default:
		m.find(testcases.FindingNote, check.Source.File, check.Source.Line, "%q ran in %s too: the worse result counts", check.Name, old.Source.File)
		if testcases.Worse(check.Status, old.Status) {
			*old = check
		}
	}
	return at
}

func (m *e2eMerge) find(kind testcases.FindingKind, file string, line int, format string, args ...any) {
	m.evidence.Findings = append(m.evidence.Findings, testcases.Finding{
		Kind: kind, Text: fmt.Sprintf(format, args...), Source: testcases.Source{File: file, Line: line},
	})
}

// failed says whether anything failed or broke.
func (m *e2eMerge) failed() bool {
	for i := range m.evidence.Checks {
		if s := m.evidence.Checks[i].Status; s == testcases.StatusFail || s == testcases.StatusError {
			return true
		}
	}
	return false
}

// flaked says whether a spec passed at a later attempt.
func (m *e2eMerge) flaked() bool {
	return slices.ContainsFunc(m.evidence.Checks, func(check testcases.Check) bool { return check.Flaked })
}

// crossCheck compares e2e.log with the XML. They disagree in 17 of 2,736
// public submissions, one of them edited by hand (spec/results.md, pitfall 6).
func (m *e2eMerge) crossCheck(files fs.FS) error {
	names, err := find(files, func(base string) bool { return strings.HasSuffix(base, "e2e.log") })
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return &Error{File: "e2e.log", Err: errors.New("not found: the XML cannot be checked against ginkgo's own summary")}
	}
	for _, name := range names {
		file, err := files.Open(name)
		if err != nil {
			return &Error{File: name, Err: err}
		}
		log, err := readE2ELog(file)
		file.Close()
		if err != nil {
			return &Error{File: name, Err: err}
		}
		m.compare(name, log)
	}
	return nil
}

func (m *e2eMerge) compare(name string, log e2eLog) {
	if log.version != "" {
		m.evidence.Facts = append(m.evidence.Facts, testcases.Fact{Name: "kube-apiserver version", Value: log.version})
	}
	if len(log.summaries) == 0 {
		m.find(testcases.FindingIncomplete, name, 0, "ends without ginkgo's summary: the run did not finish or the log was cut; its last line: %s", shorten(log.lastLine, 300))
		return
	}
	summary := log.summaries[len(log.summaries)-1]
	if n := len(log.summaries); n > 1 {
		m.find(testcases.FindingIncomplete, name, summary.line, "holds the summaries of %d runs: which of them the XML belongs to cannot be told", n)
	}
	if summary.special != "" {
		m.find(testcases.FindingFailure, name, summary.line, "ginkgo says of the whole suite: %s", summary.special)
	}
	if summary.flaked > 0 {
		m.find(testcases.FindingNote, name, summary.line, "%d flaked: failed at first and passed on a later attempt", summary.flaked)
	}
	failed := m.failed()
	if !summary.success && !failed {
		m.find(testcases.FindingFailure, name, summary.line, "ginkgo ends with FAIL! although the XML lists no failure")
	}
	if summary.success && !failed && (log.failed || log.failures > 0 && !m.flaked()) {
		m.find(testcases.FindingIncomplete, name, summary.line, "ginkgo ends with SUCCESS! although the log names failures: it was edited")
	}
	if summary.success && failed {
		m.find(testcases.FindingIncomplete, name, summary.line, "ginkgo ends with SUCCESS! although the XML lists failures: log and XML are not of the same run, or one was edited")
	}
	if passed, bad := m.tally(); summary.counted && !m.setup && (passed != summary.passed || bad != summary.failed) {
		m.find(testcases.FindingIncomplete, name, summary.line,
			"ginkgo's summary says %d passed and %d failed, the XML lists %d and %d: log and XML are not of the same run, or one was edited or cut",
			summary.passed, summary.failed, passed, bad)
	}
}

// tally counts the specs that passed, and those that failed or broke.
func (m *e2eMerge) tally() (passed, bad int) {
	for i := range m.evidence.Checks {
		switch m.evidence.Checks[i].Status {
		case testcases.StatusPass:
			passed++
		case testcases.StatusFail, testcases.StatusError:
			bad++
		}
	}
	return passed, bad
}

// retried is a spec with one attempt more: the last attempt decides.
func retried(before, last testcases.Check) testcases.Check {
	last.Name = before.Name
	last.Attempts = max(before.Attempts, 1) + 1
	last.Seconds += before.Seconds
	last.Source = before.Source
	if last.Status == testcases.StatusPass {
		last.Flaked = true
		last.Reason, last.Where = "failed at first: "+before.Reason, before.Where
	}
	return last
}

// specName returns the name of a spec, or of a node that is none: in ginkgo
// v2 specs are marked with [It], in v1 there are BeforeSuite and AfterSuite.
func specName(c junitCase) (name string, isSpec bool) {
	if c.status == "" {
		return c.name, c.name != "BeforeSuite" && c.name != "AfterSuite"
	}
	return strings.CutPrefix(c.name, "[It] ")
}

// newE2ECheck turns a test case into a check without a name.
func newE2ECheck(c junitCase) testcases.Check {
	check := testcases.Check{Status: testcases.StatusPass, Seconds: c.seconds}
	if c.outcome == nil {
		switch {
		case c.status != "" && c.status != "passed":
			// a status without its element: an edited file; take the worse
			check.Status, check.Class, check.Reason = testcases.StatusFail, testcases.ClassFailure, "the file says status="+shorten(c.status, 40)+" and gives no reason"
		case c.seconds == 0:
			check.Status, check.Class, check.Reason = testcases.StatusSkip, testcases.ClassDryRun, "listed as passed with no duration: nothing was executed, as in a dry run"
		}
		return check
	}
	switch c.outcome.element {
	case "failure", "error":
		check.Status = testcases.StatusFail
		if c.outcome.element == "error" {
			check.Status = testcases.StatusError
		}
		check.Class = failureClass(c.outcome.kind)
		check.Reason, check.Where = failureReason(*c.outcome)
	case "skipped":
		check.Status = testcases.StatusSkip
		check.Class, check.Reason, check.Where = skipReason(c)
	}
	return check
}

// failureClass maps the type that ginkgo v1 or v2 writes.
func failureClass(kind string) testcases.Class {
	switch strings.ToLower(kind) {
	case "timeout", "timedout":
		return testcases.ClassTimeout
	case "panic", "panicked":
		return testcases.ClassPanic
	case "interrupted":
		return testcases.ClassInterrupted
	case "aborted":
		return testcases.ClassAborted
	default:
		return testcases.ClassFailure
	}
}

var (
	codeLocation = regexp.MustCompile(`^\s*\S+\.(go|s):\d+\s*$`)
	v2Prefix     = regexp.MustCompile(`^\[[A-Z!]+\] `)
	v2Location   = regexp.MustCompile(`^In \[[^\]]*\] at: (\S+)`)
)

// failureReason takes the assertion and its place out of the text.
func failureReason(o junitOutcome) (reason, where string) {
	reason, where = v1Reason(o.text)
	if o.message != "" { // ginkgo 2.0 to 2.4: the text holds location and stack alone
		reason = o.message
	} else if v2Prefix.MatchString(o.text) {
		reason, where = v2Reason(o.text)
	}
	if reason = strings.TrimSpace(reason); reason == "" {
		reason = "no reason given by ginkgo"
	}
	return shorten(reason, maxReason), shorten(where, 300)
}

// v1Reason: a location, the message, the location of the assertion; after a
// panic also what the panic said, and a stack.
func v1Reason(text string) (reason, where string) {
	text, panicked, _ := strings.Cut(text, "\nPanic: ")
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	if codeLocation.MatchString(lines[0]) {
		where = strings.TrimSpace(lines[0])
		lines = lines[1:]
	}
	for i := len(lines) - 1; i >= 0; i-- {
		if codeLocation.MatchString(lines[i]) {
			where = strings.TrimSpace(lines[i])
			lines = lines[:i]
			break
		}
	}
	reason = strings.TrimSpace(strings.Join(lines, "\n"))
	if panicked != "" {
		said, _, _ := strings.Cut(panicked, "\n")
		reason += ": " + said
	}
	return reason, where
}

// v2Reason: "[FAILED] message", then "In [It] at: location @ time", then,
// after a panic, what it said.
func v2Reason(text string) (reason, where string) {
	lines := strings.Split(v2Prefix.ReplaceAllString(text, ""), "\n")
	for i, line := range lines {
		m := v2Location.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		where, reason = m[1], strings.Join(lines[:i], "\n")
		for _, rest := range lines[i+1:] {
			if rest = strings.TrimSpace(rest); rest != "" {
				if strings.Contains(reason, "Panicked") {
					reason += ": " + rest
				}
				break
			}
		}
		return reason, where
	}
	return strings.Join(lines, "\n"), ""
}

// skipReason tells the three kinds of skips apart. In v1 only a text or a
// duration tells that a spec started; one that was not selected has neither.
func skipReason(c junitCase) (class testcases.Class, reason, where string) {
	message := c.outcome.message
	switch {
	case c.status == "pending" || message == "pending":
		return testcases.ClassPending, "marked as pending in the test's source", ""
	case strings.HasPrefix(message, "skipped - "):
		return testcases.ClassSkipped, shorten(strings.TrimPrefix(message, "skipped - "), maxReason), ""
	case strings.TrimSpace(c.outcome.text) != "":
		reason, where = v1Reason(c.outcome.text)
		return testcases.ClassSkipped, shorten(reason, maxReason), shorten(where, 300)
	case c.seconds > 0:
		return testcases.ClassSkipped, "it skipped itself without giving a reason", ""
	}
	return "", "", ""
}
