package parse

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anuket-project/xtci/testcases"
)

// parseKubeBench reads the report of kube-bench: a JSON file; else the
// container's log, which holds it as Python prints it, or as text when
// kube-bench was not asked for JSON; else the details of the record
// (spec/results.md, 2). One check is one control of the CIS benchmark. All
// only inform: RC2 asks that they are printed.
func parseKubeBench(in Input) (testcases.Evidence, error) {
	search := reportSearch[*benchReport]{fresh: func() *benchReport { return &benchReport{} }}
	search.inJSONFiles(in)
	search.inLogs(in)
	if !search.found {
		searchBenchText(&search, in)
	}
	search.inDetails(in)
	var c collector
	c.errs = search.errs
	if !search.found {
		search.missing(in, &c, "kube-bench's report", "it in its own log, as Python prints it")
		return c.result()
	}
	search.contradict(&c)
	search.report.gather(&c, search.file, in.Case)
	return c.result()
}

type benchReport struct {
	isReport bool
	controls []benchControl
	totals   map[string]int // by state, where the report states them
	results  int
	cut      bool // text without its summary
}

// A benchControl is a chapter of the benchmark.
type benchControl struct {
	line                                  int
	id, version, detected, text, nodeType string
	totals                                map[string]int
	results                               []benchResult
}

// A benchResult is one control of the benchmark and what became of it.
type benchResult struct {
	line                                                           int
	number, desc, status, kind, actual, expected, reason, remedies string
}

// benchStates are the keys of totals, by state.
var benchStates = map[string]string{"total_pass": "PASS", "total_fail": "FAIL", "total_warn": "WARN", "total_info": "INFO"}

func (b *benchReport) recognised() bool { return b.isReport }

func (b *benchReport) gist() string {
	var states []string
	for _, control := range b.controls {
		for _, result := range control.results {
			states = append(states, fmt.Sprintf("%q %q %q", control.nodeType, result.number, result.status))
		}
	}
	slices.Sort(states)
	return strings.Join(states, "\n")
}

// read reads a list of controls (kube-bench before 0.5), an object with
// Controls, or what the container records of either, in "report".
func (b *benchReport) read(l *literalReader) error {
	first, err := l.peek()
	if err != nil {
		return err
	}
	if first == '[' {
		return b.readControls(l)
	}
	return l.object(func(key string) error {
		switch key {
		case "Controls":
			b.isReport = true
			return b.readControls(l)
		case "Totals":
			return l.object(func(key string) error { return readTotal(l, &b.totals, key) })
		case "report":
			return b.read(l)
		default:
			return l.skip()
		}
	})
}

func (b *benchReport) readControls(l *literalReader) error {
	return l.array(func() error {
		if len(b.controls) >= maxChecks {
			return l.fail("more than %d chapters", maxChecks)
		}
		b.controls = append(b.controls, benchControl{})
		control := &b.controls[len(b.controls)-1]
		if _, err := l.peek(); err != nil {
			return err
		}
		control.line = l.line
		return l.object(func(key string) error { return b.readControl(l, control, key) })
	})
}

func (b *benchReport) readControl(l *literalReader, control *benchControl, key string) error {
	switch key {
	case "id":
		return l.text(&control.id)
	case "version":
		return l.text(&control.version)
	case "detected_version":
		return l.text(&control.detected)
	case "text":
		return l.text(&control.text)
	case "node_type":
		b.isReport = true
		return l.text(&control.nodeType)
	case "tests":
		b.isReport = true
		return l.array(func() error {
			return l.within([]string{"results"}, func() error {
				return l.array(func() error { return b.readResult(l, control) })
			})
		})
	default:
		return readTotal(l, &control.totals, key)
	}
}

func readTotal(l *literalReader, into *map[string]int, key string) error {
	state, ok := benchStates[key]
	if !ok {
		return l.skip()
	}
	n, ok, err := l.number()
	if ok && n >= 0 && n < 1e9 {
		if *into == nil {
			*into = map[string]int{}
		}
		(*into)[state] = int(n)
	}
	return err
}

func (b *benchReport) readResult(l *literalReader, control *benchControl) error {
	if b.results++; b.results > maxChecks {
		return l.fail("more than %d controls", maxChecks)
	}
	if _, err := l.peek(); err != nil {
		return err
	}
	result := benchResult{line: l.line}
	texts := map[string]*string{
		"test_number": &result.number, "test_desc": &result.desc, "status": &result.status, "type": &result.kind,
		"actual_value": &result.actual, "expected_result": &result.expected, "reason": &result.reason, "remediation": &result.remedies,
	}
	err := l.object(func(key string) error {
		if into, ok := texts[key]; ok {
			return l.text(into)
		}
		return l.skip()
	})
	result.remedies = shorten(result.remedies, maxReason)
	result.actual, result.expected = shorten(result.actual, maxReason), shorten(result.expected, maxReason)
	control.results = append(control.results, result)
	return err
}

func (b *benchReport) gather(c *collector, file string, kase *testcases.Case) {
	if file == recordFile {
		c.find(testcases.FindingNote, testcases.Source{File: file}, "neither a JSON file nor a log holds the report: it is read from the container's record")
	}
	if b.cut {
		c.find(testcases.FindingIncomplete, testcases.Source{File: file}, "kube-bench's text ends without its summary: it was cut off")
	}
	target, _ := kase.Args["target"].(string)
	counted, nodeTypes := map[string]int{}, map[string]bool{}
	for i := range b.controls {
		control := &b.controls[i]
		source := testcases.Source{File: file, Line: control.line}
		c.fact("CIS benchmark", control.version)
		c.fact("Kubernetes version that kube-bench detected", control.detected)
		if control.nodeType != "" {
			nodeTypes[control.nodeType] = true
		}
		if target != "" && control.nodeType != "" && control.nodeType != target {
			c.find(testcases.FindingNote, source, "chapter %s (%s) is for node type %q, the case asks for %q", control.id, control.text, control.nodeType, target)
		}
		counts := map[string]int{}
		for _, result := range control.results {
			counts[result.status]++
			counted[result.status]++
			result.gather(c, file)
		}
		if text := disagreement(control.totals, counts); text != "" {
			c.find(testcases.FindingNote, source, "chapter %s (%s): %s", control.id, control.text, text)
		}
	}
	if text := disagreement(b.totals, counted); text != "" {
		c.find(testcases.FindingNote, testcases.Source{File: file}, "the whole report: %s", text)
	}
	if target != "" && len(nodeTypes) > 0 && !nodeTypes[target] {
		c.find(testcases.FindingIncomplete, testcases.Source{File: file}, "the report has no chapter for node type %q, which the case asks for: it is of another case", target)
	}
	if b.results == 0 {
		c.fail(file, 0, "the report holds no control of the CIS benchmark")
	}
}

// disagreement says where stated totals differ from what was counted.
func disagreement(stated, counted map[string]int) string {
	var differ []string
	for _, state := range []string{"PASS", "FAIL", "WARN", "INFO"} {
		if n, ok := stated[state]; ok && n != counted[state] {
			differ = append(differ, fmt.Sprintf("%d %s, counted %d", n, state, counted[state]))
		}
	}
	if len(differ) == 0 {
		return ""
	}
	return "totals do not agree with the controls: stated " + strings.Join(differ, "; stated ")
}

func (r *benchResult) gather(c *collector, file string) {
	check := testcases.Check{
		Name: strings.Join(strings.Fields(r.number+" "+r.desc), " "), Informative: true,
		Remedy: r.remedies, Source: testcases.Source{File: file, Line: r.line},
	}
	if check.Name == "" {
		c.fail(file, r.line, "a control without number and description")
		return
	}
	switch r.status {
	case "PASS":
		check.Status, check.Remedy = testcases.StatusPass, ""
	case "FAIL":
		check.Status, check.Class, check.Reason = testcases.StatusFail, testcases.ClassFailure, r.failure()
	case "WARN":
		check.Status, check.Class, check.Reason = testcases.StatusSkip, testcases.ClassWarning, "needs a human: "+r.warning()
	case "INFO":
		check.Status, check.Class, check.Reason = testcases.StatusSkip, testcases.ClassSkipped, r.reason
		if strings.TrimSpace(r.reason) == "" {
			check.Reason = "skipped; no reason given by kube-bench"
		}
	default:
		check.Status, check.Class = testcases.StatusError, testcases.ClassFailure
		check.Reason = fmt.Sprintf("kube-bench states %q, which is none of PASS, FAIL, WARN and INFO", shorten(r.status, 40))
		c.fail(file, r.line, "%s: %s", shorten(check.Name, 100), check.Reason)
	}
	c.add(check)
}

// failure is kube-bench's reason, which older versions leave out, else what
// it found and what it expected.
func (r *benchResult) failure() string {
	actual, expected := strings.TrimSpace(r.actual), strings.TrimSpace(r.expected)
	switch {
	case strings.TrimSpace(r.reason) != "":
		return r.reason
	case actual != "" && expected != "":
		return fmt.Sprintf("expected %s, found %s", shorten(expected, 1000), shorten(actual, 2000))
	case expected != "":
		return fmt.Sprintf("expected %s, found nothing", shorten(expected, 2000))
	case actual != "":
		return "found " + actual
	default:
		return "no reason given by kube-bench"
	}
}

func (r *benchResult) warning() string {
	switch {
	case strings.TrimSpace(r.reason) != "":
		return r.reason
	case r.kind == "manual" || strings.HasSuffix(r.desc, "(Manual)"):
		return "a manual test"
	default:
		text := r.failure()
		if text == "no reason given by kube-bench" {
			return "kube-bench could not decide and gives no reason"
		}
		return text
	}
}
