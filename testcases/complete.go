package testcases

import (
	"fmt"
	"slices"
	"strings"
)

// specListTolerance is how many names of the release's spec list a run may
// lack and still be called a run of that release: its patch releases differ
// by ten (7,042 to 7,052 specs in v1.23).
const specListTolerance = 20

// noList is why the completeness of an e2e suite cannot be checked.
const noList = "no list for this release"

// Completeness says in words whether everything was executed that the case
// selects: complete, incomplete, or why that was not checked.
func (o *Outcome) Completeness() string {
	switch {
	case o.NotChecked != "":
		return "not checked: " + o.NotChecked
	case o.Complete:
		return "complete"
	default:
		return "incomplete"
	}
}

// completeSpecs names the specs that the case selects and that were not
// executed. Which specs there were to select from is what ginkgo's files
// list; and that list must be the release's, or it proves nothing. Of a
// release whose list is not known it proves nothing either.
func (j *Judge) completeSpecs(o *Outcome, shared []string) error {
	selection, err := NewSelection(o.Case)
	if err != nil {
		return err
	}
	listed := map[string]*Check{}
	var own []string
	setup := ""
	for i := range o.Checks {
		check := &o.Checks[i]
		if check.Class == ClassSetup || check.Class == ClassTeardown {
			if setup == "" && check.Class == ClassSetup {
				setup = fmt.Sprintf("%s failed: %s", check.Name, check.Reason)
			}
			continue
		}
		listed[check.Name] = check
		own = append(own, check.Name)
	}
	switch absent := j.absent(listed); {
	case !j.catalog.Listed(): // what was cut off cannot be told
		o.missing(own, listed, selection, setup)
		o.NotChecked = noList
		o.find(FindingIncomplete, "completeness not checked: %s", noList)
	case len(own) == 0:
		o.find(FindingIncomplete, "no spec is listed: nothing shows what was executed")
		o.missing(shared, listed, selection, setup)
	case len(absent) > specListTolerance:
		o.find(FindingIncomplete, "the files list %d of the release's %d specs, and lack %d, of which the case selects %d: they were cut or are of another release (first: %q)",
			len(j.specs)-len(absent), len(j.specs), len(absent), len(selection.Select(absent)), absent[0])
		o.missing(own, listed, selection, setup)
	default:
		o.missing(append(own, shared...), listed, selection, setup)
	}
	return nil
}

// absent returns the specs of the release that are not listed.
func (j *Judge) absent(listed map[string]*Check) []string {
	var absent []string
	for _, name := range j.specs {
		if listed[name] == nil {
			absent = append(absent, name)
		}
	}
	return absent
}

// sharedList is what the binary of a container lists. Its patch release is the
// same for all suites: a name that not every patch release has is in the
// binary as soon as one suite lists it, and out of it only when some suite
// lists the release's specs and none lists the name.
func (j *Judge) sharedList(runs []Run, container string) []string {
	whole, named := false, map[string]bool{}
	for _, run := range runs {
		if run.Case.Focus == "" || run.Case.Container != container {
			continue
		}
		listed := make(map[string]*Check, len(run.Evidence.Checks))
		for i := range run.Evidence.Checks {
			check := &run.Evidence.Checks[i]
			listed[check.Name] = check
			if j.varying[check.Name] {
				named[check.Name] = true
			}
		}
		whole = whole || len(j.absent(listed)) <= specListTolerance
	}
	if !whole {
		return j.specs
	}
	return slices.DeleteFunc(slices.Clone(j.specs), func(name string) bool { return j.varying[name] && !named[name] })
}

func (o *Outcome) missing(universe []string, listed map[string]*Check, selection *Selection, setup string) {
	asked := map[string]bool{}
	for _, name := range universe {
		check := listed[name]
		withdrew := check != nil && check.Class == ClassSkipped && strings.Contains(name, "[Conformance]")
		if asked[name] || check != nil && check.Ran() && !withdrew {
			continue
		}
		asked[name] = true
		if selected, _ := selection.Match(name); !selected {
			continue
		}
		reason := "no file lists it"
		switch {
		case withdrew:
			reason = "a conformance test must run on every cluster, but it skipped itself: " + check.Reason
		case check != nil:
			reason = check.Reason
		case setup != "":
			reason = setup
		case len(listed) == 0:
			reason = "no result file lists any spec"
		}
		o.Missing = append(o.Missing, MissingCheck{Name: name, Reason: reason})
	}
	if n := len(o.Missing); n > 0 {
		o.find(FindingIncomplete, "%d of the specs that the case selects were not executed (first: %q: %s)", n, o.Missing[0].Name, o.Missing[0].Reason)
	}
}

// completeScenarios names the rows of RC2 table 2.1 that were not run.
func (o *Outcome) completeScenarios(hasEvidence bool) {
	if !hasEvidence || len(o.Case.Scenarios) == 0 {
		return
	}
	ran := map[string]bool{}
	for i := range o.Checks {
		ran[o.Checks[i].Name] = o.Checks[i].Ran()
	}
	for _, scenario := range o.Case.Scenarios {
		if !ran[scenario.Name] {
			o.Missing = append(o.Missing, MissingCheck{Name: scenario.Name, Reason: "RC2 table 2.1 lists the scenario, the results do not hold it"})
		}
	}
	if n := len(o.Missing); n > 0 {
		o.find(FindingIncomplete, "%d of the %d scenarios of RC2 table 2.1 were not run (first: %s)", n, len(o.Case.Scenarios), o.Missing[0].Name)
	}
}

// completeWithoutFocus names what a case leaves out that has nothing to leave
// out: the live test runs fewer tests when it is told to (EXCLUDE_TESTS).
func (o *Outcome) completeWithoutFocus() {
	n, first := 0, ""
	for i := range o.Checks {
		if check := &o.Checks[i]; o.Case.Focus == "" && check.Class == ClassNotSelected {
			if n++; n == 1 {
				first = fmt.Sprintf("%q: %s", check.Name, check.Reason)
			}
		}
	}
	if n > 0 {
		o.find(FindingIncomplete, "tests that RC2 does not leave out were excluded: %d (first: %s)", n, first)
	}
}
