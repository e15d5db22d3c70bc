package parse

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// An e2eLog is what e2e.log says at its end. The XML is the evidence for
// single specs; the log is there to contradict it.
type e2eLog struct {
	summaries []ginkgoSummary // at most maxSummaries: the first ones and the last
	runs      int             // how many there are
	failures  int             // the most that "Summarizing N Failures" says, attempts included
	failed    bool            // "Test Suite Failed"
	lastLine  string          // the last line with anything in it
	version   string          // of the cluster under test
}

// A ginkgoSummary is the line that ginkgo ends with.
type ginkgoSummary struct {
	line    int
	success bool
	counted bool   // false: "A BeforeSuite node failed so all tests were skipped."
	special string // "Suite Timeout Elapsed", "Interrupted by User"

	passed, failed, flaked, pending, skipped int

	hasRan  bool // "Ran 31 of 7052 Specs in 309.441 seconds"
	ran, of int
}

const maxSummaries = 100

var (
	summaryLine = regexp.MustCompile(`^(SUCCESS|FAIL)! -(?: (.+?) -)?- (?:(\d+) Passed \| (\d+) Failed \|(?: (\d+) Flaked \|)? (\d+) Pending \| (\d+) Skipped|A BeforeSuite node failed)`)
	ranLine     = regexp.MustCompile(`^Ran (\d{1,9}) of (\d{1,9}) Specs in `)
	failureList = regexp.MustCompile(`^Summarizing (\d{1,9}) Failures?:`)
	apiVersion  = regexp.MustCompile(`kube-apiserver version: (v[0-9][0-9A-Za-z.+-]{0,60})`)
)

// readE2ELog streams e2e.log. Logs hold NUL bytes, invalid UTF-8, carriage
// returns, colours and lines of many kilobytes (spec/results.md, 1, pitfall 9).
func readE2ELog(r io.Reader) (e2eLog, error) {
	var log e2eLog
	var ran ginkgoSummary
	lines := newLineReader(r)
	for {
		text, err := lines.next()
		if errors.Is(err, io.EOF) {
			return log, nil
		}
		if err != nil {
			return log, fmt.Errorf("line %d: %w", lines.number, err)
		}
		text = strings.TrimSpace(stripColours(text))
		if text == "" {
			continue
		}
		log.lastLine = text
		if log.version == "" && strings.Contains(text, "kube-apiserver version") {
			if m := apiVersion.FindStringSubmatch(text); m != nil {
				log.version = m[1]
			}
		}
		if m := failureList.FindStringSubmatch(text); m != nil {
			n, _ := strconv.Atoi(m[1]) // at most nine digits
			log.failures = max(log.failures, n)
		}
		log.failed = log.failed || text == "Test Suite Failed"
		if m := ranLine.FindStringSubmatch(text); m != nil {
			ran.hasRan = true
			ran.ran, _ = strconv.Atoi(m[1])
			ran.of, _ = strconv.Atoi(m[2])
		}
		if m := summaryLine.FindStringSubmatch(text); m != nil {
			summary := newSummary(lines.number, m)
			summary.hasRan, summary.ran, summary.of = ran.hasRan, ran.ran, ran.of
			ran = ginkgoSummary{}
			log.add(summary)
		}
	}
}

func (log *e2eLog) add(summary ginkgoSummary) {
	log.runs++
	if len(log.summaries) == maxSummaries {
		log.summaries[maxSummaries-1] = summary
		return
	}
	log.summaries = append(log.summaries, summary)
}

// contradicts says what in the log shows that a run did not succeed, although
// its summary says so. Failed attempts of flaked specs are named as failures.
func (log *e2eLog) contradicts(summary ginkgoSummary) string {
	switch {
	case !summary.success:
		return ""
	case !summary.counted:
		return "a BeforeSuite node failed"
	case summary.failed > 0:
		return fmt.Sprintf("it counts %d failed", summary.failed)
	case log.failed:
		return "the log says Test Suite Failed"
	case log.failures > 0 && summary.flaked == 0:
		return "the log names failures"
	}
	return ""
}

func newSummary(line int, m []string) ginkgoSummary {
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			return 0 // the group did not take part in the match
		}
		return n
	}
	return ginkgoSummary{
		line:    line,
		success: m[1] == "SUCCESS",
		special: m[2],
		counted: m[3] != "",
		passed:  number(m[3]),
		failed:  number(m[4]),
		flaked:  number(m[5]),
		pending: number(m[6]),
		skipped: number(m[7]),
	}
}

// lineReader reads lines of any length, and keeps maxLine bytes of each.
type lineReader struct {
	r      *bufio.Reader
	number int
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, 64<<10)}
}

// next returns the next line without its end, and io.EOF after the last.
func (l *lineReader) next() (string, error) { return l.nextOf(nil) }

// nextOf is next for those lines alone that are wanted: others cost little.
func (l *lineReader) nextOf(want func(line []byte) bool) (string, error) {
	for {
		l.number++
		part, err := l.r.ReadSlice('\n')
		if err == nil {
			if want == nil || want(part) {
				return string(bytes.TrimRight(part, "\r\n")), nil
			}
			continue
		}
		line, err := l.long(part, err)
		if err != nil || want == nil || want([]byte(line)) {
			return line, err
		}
	}
}

// long returns a line that does not fit into the buffer, or is the last. Its
// first part has been read.
func (l *lineReader) long(part []byte, err error) (string, error) {
	var line []byte
	for {
		if keep := maxLine - len(line); keep > 0 {
			line = append(line, part[:min(len(part), keep)]...)
		}
		switch {
		case err == nil, errors.Is(err, io.EOF) && len(line) > 0:
			return strings.TrimRight(string(line), "\r\n"), nil
		case errors.Is(err, bufio.ErrBufferFull):
			part, err = l.r.ReadSlice('\n')
		default:
			return "", err
		}
	}
}
