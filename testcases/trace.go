package testcases

import (
	"slices"
	"strings"
)

// A Trace is the traceability of a catalogue, both ways.
type Trace struct {
	Release string `json:"release"`
	// Requirements that a case covers, each with its cases.
	Requirements []RequirementTrace `json:"requirements"`
	// Cases, each with its requirements.
	Cases []CaseTrace `json:"cases"`
	// NotCovered are the requirements that no case covers. They say why.
	NotCovered []Requirement `json:"not_covered"`
	// Contradictions of the specifications that a reader of a trace meets.
	Contradictions []Contradiction `json:"contradictions"`
}

// A RequirementTrace is a requirement and the names of the cases that cover
// it.
type RequirementTrace struct {
	Requirement Requirement `json:"requirement"`
	// Cases that the specification itself traces to the requirement.
	Cases []string `json:"cases"`
	// Derived are cases whose tests match the requirement's text, though no
	// document says so.
	Derived []string `json:"derived"`
}

// A CaseTrace is a case and the requirements that it covers.
type CaseTrace struct {
	Case string `json:"case"`
	// Requirements that the specification names for the case.
	Requirements []Requirement `json:"requirements"`
	// Derived are requirements whose text the case's tests match, though no
	// document says so.
	Derived []Requirement `json:"derived"`
}

// Trace returns the traceability of the whole catalogue, in its order.
func (c *Catalog) Trace() Trace {
	t := Trace{
		Release:        c.Release,
		Requirements:   []RequirementTrace{},
		Cases:          []CaseTrace{},
		NotCovered:     []Requirement{},
		Contradictions: slices.Concat([]Contradiction{}, c.Contradictions),
	}
	for _, r := range c.Requirements {
		traced := RequirementTrace{Requirement: r, Cases: []string{}, Derived: []string{}}
		for i := range c.Cases {
			switch name := c.Cases[i].Name; {
			case slices.Contains(c.Cases[i].Requirements, r.ID):
				traced.Cases = append(traced.Cases, name)
			case slices.Contains(c.Cases[i].Derived, r.ID):
				traced.Derived = append(traced.Derived, name)
			}
		}
		if len(traced.Cases)+len(traced.Derived) == 0 {
			t.NotCovered = append(t.NotCovered, r)
		} else {
			t.Requirements = append(t.Requirements, traced)
		}
	}
	for i := range c.Cases {
		t.Cases = append(t.Cases, c.TraceCase(&c.Cases[i]))
	}
	return t
}

// TraceCase returns the requirements that a case covers.
func (c *Catalog) TraceCase(k *Case) CaseTrace {
	return CaseTrace{Case: k.Name, Requirements: c.resolve(k.Requirements), Derived: c.resolve(k.Derived)}
}

// resolve looks ids up; Load has checked that all are there.
func (c *Catalog) resolve(ids []string) []Requirement {
	found := []Requirement{}
	for _, id := range ids {
		if r, ok := c.Requirement(id); ok {
			found = append(found, *r)
		}
	}
	return found
}

// FeaturesOf returns the rows of the feature tables that the case traces to.
func (c *Catalog) FeaturesOf(k *Case) []Feature {
	features := []Feature{}
	for _, f := range c.Features {
		for _, id := range k.Requirements {
			if r, ok := c.Requirement(id); ok && r.URL == f.URL {
				features = append(features, f)
				break
			}
		}
	}
	return features
}

// ContradictionsOf returns the contradictions that concern the case.
func (c *Catalog) ContradictionsOf(k *Case) []Contradiction {
	found := []Contradiction{}
	for _, contradiction := range c.Contradictions {
		if slices.Contains(contradiction.Cases, k.Name) {
			found = append(found, contradiction)
		}
	}
	return found
}

// Execution returns how the case runs within its tier: ExecutionSequential or
// ExecutionParallel.
func (c *Catalog) Execution(k *Case) string {
	for _, p := range c.Phases {
		if p.Name == k.Tier {
			return p.Execution
		}
	}
	return ""
}

// Matches says whether a spec carries the feature's label in the feature's
// SIG. The label None stands for specs without any (RA2 chapter 6).
func (f *Feature) Matches(spec string) bool {
	sig := "[sig-" + strings.ReplaceAll(strings.ToLower(f.SIG), " ", "-") + "]"
	if !strings.Contains(spec, sig) {
		return false
	}
	if f.Label == "None" {
		return !strings.Contains(spec, "Feature:") && !strings.Contains(spec, "[Conformance]")
	}
	return strings.Contains(spec, "["+f.Label+"]")
}
