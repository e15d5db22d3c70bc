package parse

import (
	"fmt"
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/anuket-project/xtci/testcases"
)

// parseVIMS reads what Clearwater's live test printed, which is nowhere but
// in the container's log: a line for each test, details below those that
// failed, and a list of them at the end (spec/results.md, 6). Both vIMS cases
// run the same live test.
func parseVIMS(in Input) (testcases.Evidence, error) {
	var c collector
	names, err := findLogs(in)
	c.failWith(err)
	firstGist := ""
	for _, name := range names {
		var run liveTest
		err := run.readFile(in, name)
		if len(run.tests)+len(run.listed) == 0 && err == nil {
			continue
		}
		c.failWith(inFile(name, err))
		switch {
		case firstGist == "":
			firstGist = run.gist()
			run.gather(&c, name)
		case run.gist() != firstGist: // a debug log repeats the log
			c.find(testcases.FindingIncomplete, testcases.Source{File: name}, "holds another live test than the first log: which of them is of this run cannot be told")
		}
	}
	if firstGist == "" {
		noLiveTest(&c, in, names)
	}
	return c.result()
}

// gist is what the live test says of the platform: copies have the same.
func (r *liveTest) gist() string {
	var words []string
	for _, test := range r.tests {
		words = append(words, fmt.Sprintf("%s: %s", test.name, test.status))
	}
	return fmt.Sprint(words, r.failures, r.run, r.skipped)
}

// noLiveTest says why there is no test in the logs: the deployment broke, as
// the driver logged, or there is nothing to tell.
func noLiveTest(c *collector, in Input, names []string) {
	for _, name := range names {
		broke, err := findBreakdown(in.Files, name)
		c.failWith(inFile(name, err))
		if broke.line == 0 {
			continue
		}
		source := testcases.Source{File: name, Line: broke.line}
		c.add(testcases.Check{Name: "deployment", Status: testcases.StatusError, Class: testcases.ClassSetup, Reason: broke.reason, Source: source})
		c.find(testcases.FindingIncomplete, source, "no test was run: the deployment broke")
		return
	}
	wanted := "functest-kubernetes.log"
	if len(names) > 0 {
		wanted = names[0]
	}
	c.fail(wanted, 0, "no test of the live test found: the container leaves a line for each in %s", path.Base(wanted))
}

// fewLiveTests is less than any live test lists: 88 in 2015, 96 later
// (spec/results.md, 6).
const fewLiveTests = 80

// A sipTest is one test of the live test.
type sipTest struct {
	line          int
	name          string
	status        testcases.Status // empty: it has printed no word yet
	excluded      bool
	retried       bool
	class         string // of the exception
	message       string
	where, remedy string
	inList        bool
	contradicts   bool // itself: it passed, and is in the list of failures
}

// A liveTest is one run, as it is read.
type liveTest struct {
	tests  []sipTest
	listed []sipTest // as failed, at the end: name and line alone

	open      bool // what follows may be about the last test
	messages  int  // lines of its message
	summaries int
	line      int // of the summary
	failures  int
	run       int
	skipped   int
	hasSkips  bool
	inList    bool
}

var (
	colours  = regexp.MustCompile(`\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)`)
	sipLine  = regexp.MustCompile(`^([^\s-].*? \((?:TCP|UDP)\)) - (.*)$`)
	sipWord  = regexp.MustCompile(`(?:^|[\s)])(Passed|Failed)$`)
	sipSkip  = regexp.MustCompile(`(?:^|[\s)])Skipped(?: \((.*)\))?$`)
	sipList  = regexp.MustCompile(`^\s+(.+ \((?:TCP|UDP)\)) at (\S.*)$`)
	summary  = regexp.MustCompile(`^(\d{1,9}) failures? out of (\d{1,9}) tests? run$`)
	skipLine = regexp.MustCompile(`^(\d{1,9}) tests? skipped$`)

	thrown     = regexp.MustCompile(`^\s+(\S+) thrown:$`)
	detail     = regexp.MustCompile(`^\s+- (.*)$`)
	rubyFrame  = regexp.MustCompile("^\\S+:\\d+:in [`'].*'$")
	rubyStderr = regexp.MustCompile("^(#<Thread:|\\s+from \\S|\\S+:\\d+:in [`'])")
)

// stripColours removes what colours text on a terminal or names its window:
// control sequences (CSI), and commands (OSC) up to BEL or ST.
func stripColours(line string) string {
	if !strings.Contains(line, "\x1b") {
		return line
	}
	return colours.ReplaceAllString(line, "")
}

func (r *liveTest) readFile(in Input, name string) error {
	file, err := in.Files.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	limited := &io.LimitedReader{R: file, N: maxReport}
	lines := newLineReader(limited)
	for {
		line, err := lines.next()
		if err != nil {
			if limited.N == 0 {
				return fmt.Errorf("longer than %d MiB: what follows was not read", maxReport>>20)
			}
			return atEOF(err)
		}
		if len(r.tests)+len(r.listed) >= maxChecks {
			return &Error{Line: lines.number, Err: fmt.Errorf("more than %d tests", maxChecks)}
		}
		r.take(lines.number, line)
	}
}

func (r *liveTest) take(number int, line string) {
	line = strings.TrimRight(strings.ToValidUTF8(stripColours(line), "\uFFFD"), " \t")
	if prefix := prefixOf(line); prefix != nil {
		line, r.open, r.inList = line[len(prefix[0]):], false, false
	}
	// What each expression wants at least is looked for first: most lines of
	// a long log have none of it.
	if (strings.Contains(line, ":in ") || strings.Contains(line, "from ") || strings.HasPrefix(line, "#<Thread:")) && rubyStderr.MatchString(line) {
		return // threads that end, on another stream
	}
	if m := sipLineOf(line); m != nil {
		r.start(number, m[1], m[2])
		return
	}
	if r.takeSummary(number, line) || !r.open {
		return
	}
	test := &r.tests[len(r.tests)-1]
	switch test.status {
	case "":
		r.word(test, line)
	case testcases.StatusSkip:
		if m := detail.FindStringSubmatch(line); m != nil && strings.HasPrefix(m[1], "Call with ") {
			test.remedy = m[1]
		}
	case testcases.StatusFail:
		r.takeFailure(test, line)
	}
}

func sipLineOf(line string) []string {
	if !strings.Contains(line, "P) - ") {
		return nil
	}
	return sipLine.FindStringSubmatch(line)
}

// start begins a test. Its word may stand on the same line, behind the
// numbers that it called and warnings of retries, or on a later one.
func (r *liveTest) start(number int, name, rest string) {
	test := sipTest{line: number, name: shorten(name, 500)}
	r.tests = append(r.tests, test)
	r.open, r.messages, r.inList = true, 0, false
	r.word(&r.tests[len(r.tests)-1], rest)
}

// word takes the state of a test from the end of a line.
func (r *liveTest) word(test *sipTest, text string) {
	test.retried = test.retried || strings.Contains(text, "retrying")
	if m := sipSkip.FindStringSubmatch(text); m != nil {
		test.status, test.message = testcases.StatusSkip, shorten(m[1], maxReason)
		test.excluded = strings.Contains(m[1], "EXCLUDE_TESTS")
		return
	}
	switch m := sipWord.FindStringSubmatch(text); {
	case m == nil:
	case m[1] == "Passed":
		test.status = testcases.StatusPass
	default:
		test.status = testcases.StatusFail
	}
}

// takeFailure takes a line of what is printed below a test that failed: an
// exception of the test or of one of its endpoints, its message and the
// places it came by.
func (r *liveTest) takeFailure(test *sipTest, line string) {
	if m := thrown.FindStringSubmatch(line); m != nil {
		test.class = shorten(m[1], 200)
		return
	}
	text := strings.TrimSpace(line)
	switch {
	case strings.HasPrefix(text, "Endpoint threw exception:"):
		test.class = "endpoint threw exception"
	case strings.HasPrefix(text, "Endpoint had outstanding work"):
		test.message = join(test.message, text)
	case strings.HasPrefix(text, "Terminating other threads"):
		r.open = false
	case text != "":
		if m := detail.FindStringSubmatch(line); m != nil {
			text = m[1]
		}
		if rubyFrame.MatchString(text) {
			if test.where == "" {
				test.where = text
			}
			return
		}
		if r.messages++; test.where == "" && r.messages <= 20 {
			test.message = join(test.message, text)
		}
	}
}

func join(text, more string) string {
	if text == "" {
		return shorten(more, maxReason)
	}
	return shorten(text+"\n"+more, maxReason)
}

// takeSummary takes the lines at the end of the live test.
func (r *liveTest) takeSummary(number int, line string) bool {
	if !r.inList && !strings.Contains(line, " out of ") && !strings.Contains(line, " skipped") {
		return false
	}
	if m := summary.FindStringSubmatch(line); m != nil {
		r.failures, _ = strconv.Atoi(m[1]) // at most nine digits
		r.run, _ = strconv.Atoi(m[2])
		r.summaries++
		r.line, r.open, r.inList = number, false, true
		return true
	}
	if m := skipLine.FindStringSubmatch(line); m != nil && r.summaries > 0 {
		r.skipped, _ = strconv.Atoi(m[1])
		r.hasSkips, r.inList = true, false
		return true
	}
	if m := sipList.FindStringSubmatch(line); m != nil && r.inList {
		r.listed = append(r.listed, sipTest{line: number, name: shorten(m[1], 500)})
		return true
	}
	return false
}

// joinList marks the tests of the list at the end as failed: those of the
// name that printed Failed, or no word, or, if neither is there, something
// else. What is left over must have failed without any line.
func (r *liveTest) joinList() {
	left := map[string]int{}
	for _, listed := range r.listed {
		left[listed.name]++
	}
	printed := r.tests
	for _, status := range []testcases.Status{testcases.StatusFail, "", testcases.StatusPass, testcases.StatusSkip} {
		for i := range printed {
			if test := &printed[i]; test.status == status && !test.inList && left[test.name] > 0 {
				left[test.name]--
				test.markFailed()
			}
		}
	}
	for _, listed := range r.listed {
		if left[listed.name] == 0 {
			continue
		}
		left[listed.name]--
		listed.status = testcases.StatusFail
		listed.message = "in the list of failures at the end; it printed no line of its own"
		r.tests = append(r.tests, listed)
	}
}

func (t *sipTest) markFailed() {
	t.inList = true
	switch t.status {
	case testcases.StatusFail:
		return
	case "":
		t.message = "it printed neither Passed nor Failed, and is in the list of failures at the end"
	default:
		t.message = fmt.Sprintf("it printed %s, but is in the list of failures at the end", t.status)
		t.contradicts = true
	}
	t.status = testcases.StatusFail
}

func (r *liveTest) gather(c *collector, file string) {
	r.joinList()
	for i := range r.tests {
		check := r.tests[i].check(r.summaries > 0)
		check.Source.File = file
		c.add(check)
		if r.tests[i].contradicts {
			c.find(testcases.FindingIncomplete, check.Source, "%s: %s: the log was edited", check.Name, check.Reason)
		}
	}
	source := testcases.Source{File: file, Line: r.line}
	if n := len(r.tests); n > 0 && n < fewLiveTests {
		c.find(testcases.FindingNote, source, "%d tests are listed: the live test of Clearwater release-130 lists 96 with the container's settings", n)
	}
	switch r.summaries {
	case 0:
		if len(r.tests) == 0 {
			return // the file could not be read
		}
		last := r.tests[len(r.tests)-1]
		c.find(testcases.FindingIncomplete, testcases.Source{File: file, Line: last.line},
			"the live test did not finish: the log ends without its summary; the last test is %s", last.name)
	case 1:
		r.compare(c, source)
	default:
		c.find(testcases.FindingIncomplete, source, "holds the summaries of %d live tests: which of them counts cannot be told", r.summaries)
	}
}

func (t *sipTest) check(finished bool) testcases.Check {
	check := testcases.Check{
		Name: t.name, Status: t.status, Where: t.where, Remedy: t.remedy,
		Source: testcases.Source{Line: t.line},
	}
	switch t.status {
	case testcases.StatusPass:
		if t.retried {
			check.Flaked, check.Attempts = true, 2
			check.Reason = "failed at first and passed when it was tried again"
		}
	case testcases.StatusSkip:
		check.Class, check.Reason = testcases.ClassSkipped, t.message
		if t.excluded {
			check.Class = testcases.ClassNotSelected
		}
		if check.Reason == "" {
			check.Reason = "no reason given by the live test"
		}
	case testcases.StatusFail:
		check.Class, check.Reason = testcases.ClassFailure, t.failure()
	default:
		check.Status, check.Class = testcases.StatusError, testcases.ClassInterrupted
		check.Reason = "it printed neither Passed nor Failed: the live test ended, or the log was cut, before it did"
		if finished {
			check.Reason = "it printed neither Passed nor Failed, and is not in the list of failures at the end"
		}
	}
	return check
}

func (t *sipTest) failure() string {
	switch {
	case t.class != "" && t.message != "":
		return t.class + ": " + t.message
	case t.class != "":
		return t.class
	case t.message != "":
		return t.message
	default:
		return "no reason given by the live test"
	}
}

// compare holds the summary against what was counted.
func (r *liveTest) compare(c *collector, source testcases.Source) {
	counted := map[testcases.Status]int{}
	excluded := 0
	for _, test := range r.tests {
		counted[test.status]++
		if test.excluded {
			excluded++
		}
	}
	passed, failed, skipped := counted[testcases.StatusPass], counted[testcases.StatusFail], counted[testcases.StatusSkip]
	if r.failures != failed {
		c.find(testcases.FindingIncomplete, source, "the summary says %d failures, the log lists %d: lines were lost or edited", r.failures, failed)
	}
	// tests that skip themselves are counted as run, excluded ones are not
	if ran := len(r.tests) - excluded; r.run != ran {
		c.find(testcases.FindingIncomplete, source, "the summary says %d tests run, the log lists %d: lines were lost or edited", r.run, ran)
	}
	if !r.hasSkips {
		c.find(testcases.FindingNote, source, "the summary does not say how many tests were skipped; the log lists %d", skipped)
		return
	}
	if r.skipped != skipped {
		c.find(testcases.FindingIncomplete, source, "the summary says %d skipped, the log lists %d: lines were lost or edited", r.skipped, skipped)
	}
	if by := r.run - r.skipped - r.failures; by != passed {
		c.find(testcases.FindingNote, source, "functest takes run - skipped - failed = %d for the tests that passed; %d did: excluded tests are skipped, but not run", by, passed)
	}
}
