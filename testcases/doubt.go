package testcases

import (
	"encoding/json"
	"fmt"
)

// compareRecord holds the record against what else tells of the same run: the
// result that the container's log names, and the figures that the record
// carries itself (spec/testapi-xtesting.md, section d). Whoever changes one of
// them, or puts the files of one run beside the record of another, has the
// others against him.
func (o *Outcome) compareRecord(run Run) {
	if run.Record == nil || !run.HasEvidence {
		return
	}
	if log := Criteria(run.LogCriteria); log != CriteriaNone && log != run.Record.Criteria {
		o.find(FindingIncomplete, "its log says %s, its record %s: they are not of the same run, or one was edited", log, firstLine(string(run.Record.Criteria)))
	}
	var details struct {
		Passed  *int  `json:"passed"`
		Failed  *int  `json:"failed"`
		PassSLA *bool `json:"pass_sla"`
	}
	if json.Unmarshal(run.Record.Details, &details) != nil {
		return // details are free: they need not be these
	}
	if details.PassSLA != nil && !*details.PassSLA && run.Record.Criteria == CriteriaPass {
		o.find(FindingIncomplete, "the record says that the task did not meet its criteria, and PASS: one was edited")
	}
	if o.Case.Focus == "" || details.Passed == nil || details.Failed == nil {
		return
	}
	passed, failed, specs := o.countSpecs()
	if specs > 0 && (passed != *details.Passed || failed != *details.Failed) {
		o.find(FindingIncomplete, "the record counts %d passed and %d failed, the XML lists %d and %d: they are not of the same run, or one was edited",
			*details.Passed, *details.Failed, passed, failed)
	}
}

// countSpecs counts the specs that passed, and those that failed or broke. It
// counts none when a set-up failed: ginkgo's summary calls all failed then.
func (o *Outcome) countSpecs() (passed, failed, listed int) {
	for i := range o.Checks {
		switch check := &o.Checks[i]; {
		case check.Class == ClassSetup:
			return 0, 0, 0
		case check.Class == ClassTeardown:
			continue
		case check.Status == StatusPass:
			passed++
		case check.Status == StatusFail, check.Status == StatusError:
			failed++
		}
		listed++
	}
	return passed, failed, listed
}

// fewestAlike is how many durations must agree before they are no accident.
const fewestAlike = 5

// copies finds cases whose files are of one and the same run: two runs never
// take equally long, check by check. Of e2e suites that is worth a note, since
// either case selects its part of what was executed. Other cases differ in how
// often and how they run, which a copy does not show.
func copies(runs []Run) map[string][]Finding {
	findings := map[string][]Finding{}
	seconds := make([]map[string]float64, len(runs))
	for i := range runs {
		seconds[i] = durations(runs[i].Evidence.Checks)
		for k := range i {
			a, b := runs[i].Case, runs[k].Case
			n := alike(seconds[i], seconds[k])
			if a.Driver != b.Driver || n < fewestAlike {
				continue
			}
			kind := FindingIncomplete
			if a.Focus != "" {
				kind = FindingNote
			}
			for _, pair := range [][2]*Case{{a, b}, {b, a}} {
				text := fmt.Sprintf("%d checks took exactly as long as in %s: the files of both cases are of one run", n, pair[1].Name)
				findings[pair[0].Name] = append(findings[pair[0].Name], Finding{Kind: kind, Text: text})
			}
		}
	}
	return findings
}

// durations are those of the checks that passed, by name.
func durations(checks []Check) map[string]float64 {
	seconds := map[string]float64{}
	for i := range checks {
		if check := &checks[i]; check.Status == StatusPass && check.Seconds > 0 {
			seconds[check.Name] = check.Seconds
		}
	}
	return seconds
}

// alike counts the checks of both that took equally long, and none when most
// of the checks of both did not.
func alike(a, b map[string]float64) int {
	both, equal := 0, 0
	for name, seconds := range a {
		if other, ok := b[name]; ok {
			both++
			if other == seconds {
				equal++
			}
		}
	}
	if equal*2 <= both {
		return 0
	}
	return equal
}
