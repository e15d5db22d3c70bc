package report

import (
	"io/fs"
	"math"
	"slices"
	"strings"

	"github.com/anuket-project/xtci/testcases"
)

// caseOf returns the catalogue's case of an outcome, an empty one if there is
// none, so that no report fails on a broken assessment.
func caseOf(o *testcases.Outcome) *testcases.Case {
	if o.Case == nil {
		return &testcases.Case{}
	}
	return o.Case
}

// tally counts checks by what became of them. Unlike testcases.Counts it
// tells checks that nothing selects from those that skipped themselves.
type tally struct {
	Passed      int `json:"passed"`
	Failed      int `json:"failed"`
	Errors      int `json:"errors"`
	Skipped     int `json:"skipped"`
	NotSelected int `json:"not_selected"`
	Missing     int `json:"missing"`
}

// add counts one check. A missing one was selected and not executed.
func (t *tally) add(c *testcases.Check, missing bool) {
	switch {
	case missing:
		t.Missing++
	case c.Status == testcases.StatusPass:
		t.Passed++
	case c.Status == testcases.StatusFail:
		t.Failed++
	case c.Status == testcases.StatusError:
		t.Errors++
	case c.Class == testcases.ClassNotSelected:
		t.NotSelected++
	default:
		t.Skipped++
	}
}

// tallySpecs counts the e2e specs of a campaign, each once.
func tallySpecs(specs []testcases.SpecResult) tally {
	var t tally
	for i := range specs {
		t.add(&specs[i].Check, specs[i].Missing)
	}
	return t
}

// missingNames are the names of the checks that a case selected and did not
// execute. They may also stand among its checks, as listed and skipped.
func missingNames(o *testcases.Outcome) map[string]bool {
	names := make(map[string]bool, len(o.Missing))
	for _, m := range o.Missing {
		names[m.Name] = true
	}
	return names
}

// reported are the checks of a case that a report shows one by one: all but
// those that are reported as missing and, of e2e cases, the specs that the
// case does not select. These are 7,000 in every case; the assessment's specs
// have each of them once.
func reported(o *testcases.Outcome) []*testcases.Check {
	missing := missingNames(o)
	isE2E := caseOf(o).Driver == "e2e_testing"
	var checks []*testcases.Check
	for i := range o.Checks {
		c := &o.Checks[i]
		if isE2E && c.Class == testcases.ClassNotSelected || c.Status == testcases.StatusSkip && missing[c.Name] {
			continue
		}
		checks = append(checks, c)
	}
	return checks
}

// evidencePath is the place of a source in the archive, counted from its
// root; empty when it is unknown or would lead out of the archive.
func evidencePath(folder string, s testcases.Source) string {
	name := s.File
	if folder != "" {
		name = folder + "/" + name
	}
	if s.File == "" || !fs.ValidPath(name) {
		return ""
	}
	return name
}

// A coverage says what covers one requirement.
type coverage struct {
	requirement *testcases.Requirement
	cases       []coveredBy
	// checks that trace to the requirement themselves.
	checks tally
}

// coveredBy is a case that covers a requirement.
type coveredBy struct {
	testcase *testcases.Case
	outcome  *testcases.Outcome // nil where the assessment did not look at the case
	byText   bool               // the case matches by its text; no specification says so
}

// covered says whether any case or executed check covers the requirement.
func (c *coverage) covered() bool {
	return len(c.cases) > 0 || c.checks != tally{NotSelected: c.checks.NotSelected}
}

// coverages returns what covers each requirement, in the catalogue's order.
func coverages(a *testcases.Assessment) []coverage {
	if a.Catalog == nil {
		return nil
	}
	outcomes := make(map[string]*testcases.Outcome, len(a.Outcomes))
	checks := make(map[string]*tally)
	for i := range a.Outcomes {
		o := &a.Outcomes[i]
		outcomes[caseOf(o).Name] = o
		for _, c := range reported(o) {
			if checks[c.Requirement] == nil {
				checks[c.Requirement] = new(tally)
			}
			checks[c.Requirement].add(c, false)
		}
	}
	all := make([]coverage, len(a.Catalog.Requirements))
	for i := range all {
		r := &a.Catalog.Requirements[i]
		all[i].requirement = r
		if t := checks[r.ID]; t != nil {
			all[i].checks = *t
		}
		for k := range a.Catalog.Cases {
			c := &a.Catalog.Cases[k]
			named := slices.Contains(c.Requirements, r.ID)
			if named || slices.Contains(c.Derived, r.ID) {
				all[i].cases = append(all[i].cases, coveredBy{c, outcomes[c.Name], !named})
			}
		}
	}
	return all
}

// featureTally counts the specs that carry the label of a feature (RA2
// chapter 6) in their name. The label "None" stands for the specs of a SIG
// that carry no feature label at all.
func featureTally(f *testcases.Feature, specs []testcases.SpecResult) tally {
	sig := "[sig-" + strings.ReplaceAll(strings.ToLower(f.SIG), " ", "-") + "]"
	label := "[" + f.Label + "]"
	var t tally
	for i := range specs {
		name := specs[i].Name
		if !strings.Contains(name, sig) {
			continue
		}
		mainstream := f.Label == "None" && !strings.Contains(name, "Feature:") && !strings.Contains(name, "[Conformance]")
		if mainstream || strings.Contains(name, label) {
			t.add(&specs[i].Check, specs[i].Missing)
		}
	}
	return t
}

// finite returns a measured value, or nil for what no number is: NaN and the
// infinities, which a result file can hold and JSON cannot.
func finite(f float64) *float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return &f
}

// seconds returns a duration that can be shown: 0 when it is unknown.
func seconds(f float64) float64 {
	if v := finite(f); v != nil && *v > 0 {
		return *v
	}
	return 0
}
