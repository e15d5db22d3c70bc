package parse

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
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
	names, err := find(in.Files, withExtension(".xml"))
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
	again     map[int]bool   // places of specs that ran in several files
	setup     bool           // a set-up or tear-down node failed
	v2        bool           // a file is of ginkgo v2
	length    int            // bytes of the names
	texts     textBudget
	found     findingCounts
}

func (m *e2eMerge) readFile(files fs.FS, name string) error {
	file, err := files.Open(name)
	if err != nil {
		return &Error{File: name, Err: err}
	}
	defer file.Close()
	f := e2eFile{merge: m, name: name, seen: map[string]int{}}
	suite, err := readJUnit(file, f.take)
	f.takeSuite(suite)
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
	cases, stated      int // test cases, those that state their status
	executed, withdrew int // specs that passed or failed, specs that skipped themselves
	bad, setup         int // failures and errors, failed set-up nodes
}

func (f *e2eFile) take(c junitCase) error {
	f.cases++
	if c.status != "" {
		f.stated++
		f.v2, f.merge.v2 = true, true
	}
	name, isSpec := specName(c)
	check := newE2ECheck(c)
	check.Reason, check.Where = f.merge.texts.keep(check.Reason, maxReason), f.merge.texts.keep(check.Where, 300)
	check.Source = testcases.Source{File: f.name, Line: c.line}
	if len(f.merge.evidence.Checks) >= maxChecks {
		return fmt.Errorf("more than %d test cases in one suite", maxChecks)
	}
	if f.merge.length > maxNames {
		return fmt.Errorf("the names of the test cases take more than %d MiB", maxNames>>20)
	}
	if !isSpec {
		f.takeNode(name, check)
		return nil
	}
	check.Name = f.merge.names.share(name)
	f.classify(&check)
	if isBad(check) {
		f.bad++
	}
	if at, ok := f.seen[check.Name]; ok {
		if f.isRetry(at) {
			if check.Status != testcases.StatusSkip {
				f.bad-- // the header counts specs that failed, not attempts
			}
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
	return !f.v2 && previous.Source.File == f.name && isBad(previous) && !f.merge.again[at]
}

// isBad says whether a check failed or broke.
func isBad(check testcases.Check) bool {
	return check.Status == testcases.StatusFail || check.Status == testcases.StatusError
}

// takeNode keeps a set-up or tear-down node that failed: it is no spec, but
// nothing that ran without it counts.
func (f *e2eFile) takeNode(name string, check testcases.Check) {
	if check.Status == testcases.StatusPass || check.Status == testcases.StatusSkip {
		return
	}
	f.setup++
	f.merge.setup = true
	check.Name = f.merge.names.share(name)
	f.merge.length += len(name)
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
		check.Extra = !selected && check.Status != testcases.StatusSkip
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
	if f.stated > 0 && f.stated < f.cases {
		f.merge.find(testcases.FindingIncomplete, f.name, 0, "%d of %d test cases state their status: ginkgo states it of all or none, so the file was merged or edited", f.stated, f.cases)
	}
	if suite.contradictsRoot() {
		f.merge.find(testcases.FindingIncomplete, f.name, 0,
			"<testsuites> says failures=%d errors=%d, its suites failures=%d errors=%d: it was cut, merged or edited", suite.root.failures, suite.root.errors, suite.failures, suite.errors)
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
}

// takeSuite keeps what the file says of the suite as a whole, as far as it
// could be read.
func (f *e2eFile) takeSuite(suite junitSuite) {
	m := f.merge
	for _, problem := range suite.problems {
		m.find(testcases.FindingFailure, f.name, problem.line, "a failure of the suite, outside of any test case: %s", problem.reason())
	}
	property := func(name string) string { return suite.properties[strings.ToLower(name)] }
	if dry := property("DryRun"); dry != "" && !strings.EqualFold(dry, "false") {
		m.find(testcases.FindingIncomplete, f.name, 0, "ginkgo says DryRun: nothing was executed")
	}
	if reason := property("SpecialSuiteFailureReason"); reason != "" {
		m.find(testcases.FindingFailure, f.name, 0, "ginkgo says of the whole suite: %s", reason)
	}
	if succeeded := property("SuiteSucceeded"); succeeded != "" && !strings.EqualFold(succeeded, "true") && f.bad+f.setup == 0 {
		m.find(testcases.FindingFailure, f.name, 0, "ginkgo says that the suite did not succeed, but the file lists no failure")
	}
	for _, name := range []string{"FocusStrings", "SkipStrings", "LabelFilter", "FlakeAttempts", "ParallelTotal", "RandomSeed"} {
		if value := property(name); value != "" && value != "0" {
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
		m.length += len(check.Name)
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
		if m.again == nil {
			m.again = map[int]bool{}
		}
		m.again[at] = true
	}
	return at
}

func (m *e2eMerge) find(kind testcases.FindingKind, file string, line int, format string, args ...any) {
	if m.found.room(kind) {
		m.evidence.Findings = append(m.evidence.Findings, testcases.Finding{
			Kind: kind, Text: shorten(fmt.Sprintf(format, args...), maxReason), Source: testcases.Source{File: file, Line: line},
		})
	}
}

// failed says whether anything failed or broke.
func (m *e2eMerge) failed() bool {
	for i := range m.evidence.Checks {
		if isBad(m.evidence.Checks[i]) {
			return true
		}
	}
	return false
}

// crossCheck compares e2e.log with the XML. They disagree in 17 of 2,736
// public submissions, one of them edited by hand (spec/results.md, pitfall 6).
func (m *e2eMerge) crossCheck(files fs.FS) error {
	names, err := find(files, func(base string) bool { return strings.Contains(strings.ToLower(base), "e2e.log") })
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
	if n := log.runs; n > 1 {
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
	if why := log.contradicts(summary); why != "" {
		m.find(testcases.FindingFailure, name, summary.line, "ginkgo ends with SUCCESS! although %s: the log was edited", why)
	}
	if summary.success && failed {
		m.find(testcases.FindingIncomplete, name, summary.line, "ginkgo ends with SUCCESS! although the XML lists failures: log and XML are not of the same run, or one was edited")
	}
	if summary.counted {
		m.compareCounts(name, summary)
	}
}

// compareCounts holds ginkgo's own counts against those of the XML. When a
// set-up failed, ginkgo counts all specs as failed and lists none.
func (m *e2eMerge) compareCounts(name string, summary ginkgoSummary) {
	const cause = "log and XML are not of the same run, or one was edited or cut"
	xml := m.tally()
	// ginkgo v2's XML does not tell that a spec flaked
	if xml.flaked != summary.flaked && (!m.v2 || xml.flaked > 0) {
		m.find(testcases.FindingIncomplete, name, summary.line, "ginkgo's summary says %d flaked, the XML lists %d: %s", summary.flaked, xml.flaked, cause)
	}
	if m.setup {
		return
	}
	if xml.passed != summary.passed || xml.bad != summary.failed {
		m.find(testcases.FindingIncomplete, name, summary.line,
			"ginkgo's summary says %d passed and %d failed, the XML lists %d and %d: %s", summary.passed, summary.failed, xml.passed, xml.bad, cause)
	}
	if skipped := summary.pending + summary.skipped; skipped != xml.skipped {
		m.find(testcases.FindingIncomplete, name, summary.line, "ginkgo's summary says %d pending or skipped, the XML lists %d: %s", skipped, xml.skipped, cause)
	}
	if !summary.hasRan {
		return
	}
	// ginkgo counts some of the specs that skipped themselves as run
	if least := xml.passed + xml.bad; summary.ran < least || summary.ran > least+xml.withdrew {
		m.find(testcases.FindingIncomplete, name, summary.line, "ginkgo says that it ran %d specs, the XML lists %d and %d that skipped themselves: %s", summary.ran, least, xml.withdrew, cause)
	}
	if listed := xml.passed + xml.bad + xml.skipped + xml.dry; summary.of != listed {
		m.find(testcases.FindingIncomplete, name, summary.line, "ginkgo says that there are %d specs, the XML lists %d: %s", summary.of, listed, cause)
	}
}

// An e2eTally counts specs; set-up and tear-down nodes are none.
type e2eTally struct {
	passed, bad, flaked int
	skipped, withdrew   int // all that were skipped, those that skipped themselves
	dry                 int
}

func (m *e2eMerge) tally() (n e2eTally) {
	for i := range m.evidence.Checks {
		check := &m.evidence.Checks[i]
		switch {
		case check.Class == testcases.ClassSetup || check.Class == testcases.ClassTeardown:
		case check.Status == testcases.StatusPass:
			n.passed++
		case check.Status != testcases.StatusSkip:
			n.bad++
		case check.Class == testcases.ClassDryRun:
			n.dry++
		default:
			n.skipped++
		}
		if check.Flaked {
			n.flaked++
		}
		if check.Status == testcases.StatusSkip && check.Class == testcases.ClassSkipped {
			n.withdrew++
		}
	}
	return n
}

// retried is a spec with one attempt more: the last attempt decides, if there
// was one. That it was skipped makes no failure undone.
func retried(before, last testcases.Check) testcases.Check {
	if last.Status == testcases.StatusSkip {
		return before
	}
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
	if why := contradiction(c); why != "" {
		check.Status, check.Class, check.Reason = testcases.StatusError, failureClass(c.status), why
		return check
	}
	if c.outcome == nil {
		if c.seconds == 0 {
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

// contradiction says how the status that ginkgo v2 states does not fit the
// element: a file that was edited. A failure stays one, whatever the status.
func contradiction(c junitCase) string {
	status := shorten(c.status, 40)
	switch {
	case c.status == "":
	case c.outcome == nil && c.status != "passed":
		return fmt.Sprintf("the file contradicts itself: status=%q, and no element that gives the reason", status)
	case c.outcome != nil && c.outcome.element == "skipped" && c.status != "skipped" && c.status != "pending":
		return fmt.Sprintf("the file contradicts itself: status=%q, and <skipped>", status)
	}
	return ""
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
