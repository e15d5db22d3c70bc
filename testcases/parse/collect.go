package parse

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/anuket-project/xtci/testcases"
)

// maxErrors is how many unreadable places of one case are named.
const maxErrors = 100

// A collector gathers the evidence of one case, within the limits.
type collector struct {
	evidence testcases.Evidence
	errs     []error
	names    map[string]int // name to how many checks have it
	full     bool
	texts    textBudget
	found    findingCounts
}

// add appends a check and returns its place. A name that is taken gets an
// ordinal, " [2]", as Rally's own report and RC2 table 2.1 print it. It
// returns -1 when there are too many checks.
func (c *collector) add(check testcases.Check) int {
	if len(c.evidence.Checks) >= maxChecks {
		if !c.full {
			c.full = true
			c.fail(check.Source.File, check.Source.Line, "more than %d checks in one case", maxChecks)
		}
		return -1
	}
	if c.names == nil {
		c.names = map[string]int{}
	}
	check.Name = ordinal(c.names, shorten(check.Name, 500))
	check.Reason = c.texts.keep(strings.TrimSpace(check.Reason), maxReason)
	check.Remedy = c.texts.keep(strings.TrimSpace(check.Remedy), maxReason)
	check.Where = c.texts.keep(check.Where, 300)
	c.evidence.Checks = append(c.evidence.Checks, check)
	return len(c.evidence.Checks) - 1
}

// ordinal returns the name, with an ordinal if it was used before.
func ordinal(used map[string]int, name string) string {
	for {
		used[name]++
		n := used[name]
		if n == 1 {
			return name
		}
		numbered := fmt.Sprintf("%s [%d]", name, n)
		if used[numbered] == 0 {
			used[numbered] = 1
			return numbered
		}
	}
}

func (c *collector) find(kind testcases.FindingKind, source testcases.Source, format string, args ...any) {
	if c.found.room(kind) {
		c.evidence.Findings = append(c.evidence.Findings, testcases.Finding{
			Kind: kind, Text: shorten(fmt.Sprintf(format, args...), maxReason), Source: source,
		})
	}
}

// fact keeps what the files say of the run; nothing when they do not say it.
func (c *collector) fact(name, value string) {
	fact := testcases.Fact{Name: name, Value: shorten(value, 300)}
	if value != "" && !slices.Contains(c.evidence.Facts, fact) {
		c.evidence.Facts = append(c.evidence.Facts, fact)
	}
}

// fail names an unreadable place.
func (c *collector) fail(file string, line int, format string, args ...any) {
	c.failWith(&Error{File: file, Line: line, Err: fmt.Errorf(format, args...)})
}

func (c *collector) failWith(err error) {
	if err != nil && len(c.errs) < maxErrors {
		c.errs = append(c.errs, err)
	}
}

// result is what a parser returns.
func (c *collector) result() (testcases.Evidence, error) {
	return c.evidence, errors.Join(c.errs...)
}

// inFile names the file of an error that may know its line.
func inFile(name string, err error) error {
	if err == nil {
		return nil
	}
	if bad, ok := errors.AsType[*Error](err); ok {
		return &Error{File: name, Line: bad.Line, Err: bad.Err}
	}
	return &Error{File: name, Err: err}
}

// findFiles is find, with an error that names the folder.
func findFiles(in Input, match func(base string) bool) ([]string, error) {
	names, err := find(in.Files, match)
	if err != nil {
		return nil, inFile(".", err)
	}
	return names, nil
}

// withExtension matches by the end of the name, as ".json", in any case.
func withExtension(extension string) func(string) bool {
	return func(base string) bool { return strings.HasSuffix(strings.ToLower(base), extension) }
}

// findLogs returns the logs. A debug log repeats the log of its name and
// comes after all others.
func findLogs(in Input) ([]string, error) {
	names, err := findFiles(in, isLog)
	isDebug := func(name string) bool { return strings.Contains(path.Base(name), ".debug.") }
	slices.SortStableFunc(names, func(a, b string) int {
		switch {
		case isDebug(a) == isDebug(b):
			return 0
		case isDebug(b):
			return -1
		default:
			return 1
		}
	})
	return names, err
}

// logPrefix starts what the container itself writes to its log, such as
// "2022-09-19 18:00:09,100 - functest_kubernetes.ims.ims - INFO - "
// (spec/testapi-xtesting.md, b.5).
var logPrefix = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ - ([\w.]+) - ([A-Z]+) - `)

// prefixOf is logPrefix's match of a line, with the logger and the level. Most
// lines of a long log are told from it by their first character.
func prefixOf(line string) []string {
	if line == "" || line[0] < '0' || line[0] > '9' {
		return nil
	}
	return logPrefix.FindStringSubmatch(line)
}

// A breakdown is a place in a log where the driver of a case broke.
type breakdown struct {
	line   int
	reason string
}

// findBreakdown returns the first Python traceback in a log with its
// exception, else the last error that the driver logged.
func findBreakdown(files fs.FS, name string) (breakdown, error) {
	file, err := files.Open(name)
	if err != nil {
		return breakdown{}, err
	}
	defer file.Close()
	var traceback, last breakdown
	lines := newLineReader(file)
	for {
		line, err := lines.next()
		if err != nil && traceback.line > 0 {
			if traceback.reason == "" {
				traceback.reason = noException
			}
			return traceback, atEOF(err)
		}
		if err != nil {
			return last, atEOF(err)
		}
		prefix := prefixOf(line)
		switch {
		case traceback.reason != "":
		case traceback.line > 0:
			traceback.reason = exception(line, prefix != nil)
		case strings.Contains(line, "Traceback (most recent call last)"):
			traceback.line = lines.number
		case prefix != nil && prefix[2] == "ERROR":
			// the framework repeats at ERROR that the case failed
			if text := strings.TrimSpace(line[len(prefix[0]):]); text != "" && prefix[1] != "xtesting.ci.run_tests" {
				last = breakdown{line: lines.number, reason: shorten(text, maxReason)}
			}
		}
	}
}

const noException = "it names no exception"

// exception takes the exception out of a line that follows a traceback: the
// first that is not indented.
func exception(line string, isPrefixed bool) string {
	switch {
	case isPrefixed:
		return noException
	case line == "" || line[0] == ' ' || line[0] == '\t':
		return ""
	default:
		return shorten(line, maxReason)
	}
}
