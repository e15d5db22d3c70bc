package parse

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// searchBenchText looks in the logs for kube-bench's own text form, which it
// prints when it is not asked for JSON.
func searchBenchText(s *reportSearch[*benchReport], in Input) {
	names, err := findLogs(in)
	s.fail(err)
	for _, name := range names {
		if s.found {
			return
		}
		s.inFile(in, name, func(r io.Reader) error {
			t := benchText{report: s.fresh()}
			err := t.read(r)
			if t.report.results > 0 {
				t.report.isReport = true
				t.report.cut = len(t.report.totals) == 0 && !t.summary
				s.report, s.file, s.found, s.whole = t.report, name, true, err == nil
			}
			return err
		})
	}
}

// benchText is the state of reading kube-bench's text: states of controls,
// then remediations, then a summary, for one chapter after the other.
type benchText struct {
	report  *benchReport
	group   string // number of the open section
	part    string // remediations, summary, or nothing
	of      string // what the part is about: a node type, or total
	summary bool
	places  map[string]int // number to its place in the open chapter
	remedy  *benchResult   // the one that is being read
}

var (
	benchLine   = regexp.MustCompile(`^\[(PASS|FAIL|WARN|INFO)\] (\d+(?:\.\d+)*) (.*)$`)
	benchPart   = regexp.MustCompile(`^== (Remediations|Summary)(?: (\w+))? ==$`)
	benchCount  = regexp.MustCompile(`^(\d{1,9}) checks (PASS|FAIL|WARN|INFO)$`)
	benchRemedy = regexp.MustCompile(`^(\d+(?:\.\d+)+) (.*)$`)
)

func (t *benchText) read(r io.Reader) error {
	lines := newLineReader(r)
	for {
		line, err := lines.next()
		if err != nil {
			return atEOF(err)
		}
		line = strings.TrimRight(stripColours(line), " \t")
		if prefix := logPrefix.FindString(line); prefix != "" {
			line, t.remedy = line[len(prefix):], nil
		}
		if err := t.take(lines.number, line); err != nil {
			return &Error{Line: lines.number, Err: err}
		}
	}
}

func (t *benchText) take(number int, line string) error {
	if m := benchLine.FindStringSubmatch(line); m != nil {
		t.part, t.remedy = "", nil
		return t.takeState(number, m[1], m[2], m[3])
	}
	if len(t.report.controls) == 0 {
		return nil
	}
	control := &t.report.controls[len(t.report.controls)-1]
	if m := benchPart.FindStringSubmatch(line); m != nil {
		t.part, t.of, t.remedy = m[1], m[2], nil
		t.summary = t.summary || t.part == "Summary"
		if t.of != "" && t.of != "total" {
			control.nodeType = t.of
		}
		return nil
	}
	switch t.part {
	case "Summary":
		if m := benchCount.FindStringSubmatch(line); m != nil {
			t.takeCount(control, m[1], m[2])
		}
	case "Remediations":
		t.takeRemedy(control, line)
	}
	return nil
}

// takeState takes a chapter, a section of it or a control. Chapters and
// sections stand there as INFO, as do controls that were skipped: those
// belong to the open section by their number.
func (t *benchText) takeState(line int, state, number, text string) error {
	chapters := len(t.report.controls)
	isControl := state != "INFO" || t.group != "" && strings.HasPrefix(number, t.group+".")
	switch {
	case isControl && chapters > 0:
		return t.takeControl(benchResult{line: line, number: number, desc: text, status: state})
	case isControl:
		t.startChapter(benchControl{line: line}) // what comes before was cut off
		return t.takeControl(benchResult{line: line, number: number, desc: text, status: state})
	case strings.Contains(number, "."), chapters > 0 && t.group == "" && t.report.controls[chapters-1].id == number:
		t.group = number // a section; the only one of a chapter has its number
	case chapters >= maxChecks:
		return fmt.Errorf("more than %d chapters", maxChecks)
	default:
		t.startChapter(benchControl{line: line, id: number, text: text})
	}
	return nil
}

func (t *benchText) startChapter(control benchControl) {
	t.report.controls = append(t.report.controls, control)
	t.group, t.places = "", map[string]int{}
}

func (t *benchText) takeControl(result benchResult) error {
	if t.report.results++; t.report.results > maxChecks {
		return fmt.Errorf("more than %d controls", maxChecks)
	}
	control := &t.report.controls[len(t.report.controls)-1]
	t.places[result.number] = len(control.results)
	control.results = append(control.results, result)
	return nil
}

func (t *benchText) takeCount(control *benchControl, count, state string) {
	n, _ := strconv.Atoi(count) // at most nine digits
	totals := &control.totals
	if t.of == "total" {
		totals = &t.report.totals
	}
	if *totals == nil {
		*totals = map[string]int{}
	}
	(*totals)[state] = n
}

// takeRemedy gives a line of remediations to the control of its number.
func (t *benchText) takeRemedy(control *benchControl, line string) {
	if m := benchRemedy.FindStringSubmatch(line); m != nil {
		if at, ok := t.places[m[1]]; ok {
			t.remedy, line = &control.results[at], m[2]
		}
	}
	if t.remedy == nil {
		return
	}
	if failed, ok := strings.CutPrefix(line, "audit test did not run: "); ok {
		t.remedy.reason = shorten(failed, maxReason)
		return
	}
	if len(t.remedy.remedies) < maxReason {
		t.remedy.remedies += shorten(line, maxReason) + "\n"
	}
}
