package testcases

import "strings"

// mergeSpecs lists every e2e spec once. Suites overlap: sig_storage runs the
// 28 specs of sig_storage_serial too, k8s_quick and k8s_smoke one each of
// k8s_conformance (spec/results.md, 1, pitfalls 1 and 2). A spec that ran in
// any case ran, and of several results the worst counts.
func (j *Judge) mergeSpecs(outcomes []Outcome) []SpecResult {
	merged := specMerge{index: map[string]int{}}
	for i := range outcomes {
		if outcomes[i].Case.Focus == "" {
			continue
		}
		for k := range outcomes[i].Checks {
			check := &outcomes[i].Checks[k]
			if check.Class != ClassSetup && check.Class != ClassTeardown {
				merged.add(check, &outcomes[i])
			}
		}
	}
	for i := range outcomes {
		if outcomes[i].Case.Focus != "" {
			merged.addMissing(&outcomes[i])
		}
	}
	return merged.specs
}

type specMerge struct {
	specs []SpecResult
	index map[string]int
}

func (m *specMerge) add(check *Check, outcome *Outcome) {
	at, ok := m.index[check.Name]
	if !ok {
		at = len(m.specs)
		m.index[check.Name] = at
		m.specs = append(m.specs, SpecResult{})
	}
	spec := &m.specs[at]
	switch {
	case !ok, check.Ran() && !spec.Ran(), check.Ran() && Worse(check.Status, spec.Status), moreTelling(check, spec):
		cases := spec.Cases
		spec.Check = *check
		spec.Source.File = outcome.Folder + "/" + check.Source.File
		spec.Cases = cases
	}
	if check.Ran() {
		spec.Cases = append(spec.Cases, outcome.Case.Name)
	}
}

// moreTelling says whether the check has the better reason of two for a spec
// that was not executed: that a skip list names it tells more than that it is
// outside of some other case's focus.
func moreTelling(check *Check, spec *SpecResult) bool {
	if check.Ran() || spec.Ran() || spec.Class != ClassNotSelected {
		return false
	}
	return check.Class != ClassNotSelected ||
		!strings.Contains(spec.Reason, "skip list") && strings.Contains(check.Reason, "skip list")
}

// addMissing marks what a case selected and no case executed.
func (m *specMerge) addMissing(outcome *Outcome) {
	for _, missing := range outcome.Missing {
		at, ok := m.index[missing.Name]
		if !ok {
			at = len(m.specs)
			m.index[missing.Name] = at
			m.specs = append(m.specs, SpecResult{Check: Check{Name: missing.Name, Status: StatusSkip}})
		}
		if spec := &m.specs[at]; !spec.Ran() {
			spec.Missing = true
			spec.Reason = missing.Reason
			spec.Cases = append(spec.Cases, outcome.Case.Name)
		}
	}
}
