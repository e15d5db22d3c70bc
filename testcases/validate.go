package testcases

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A validator checks that a decoded catalogue is consistent in itself. It
// collects everything that is wrong, with the line in the file.
type validator struct {
	name    string
	root    *yaml.Node
	catalog *Catalog
	errs    []error
}

func (v *validator) validate() error {
	v.release()
	v.phases()
	v.requirements()
	v.cases()
	v.coverage()
	v.links()
	return errors.Join(v.errs...)
}

// errorf records what is wrong at a path of mapping keys and list indexes.
func (v *validator) errorf(at []any, format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf("%s:%d: %s", v.name, lineOf(v.root, at...), fmt.Sprintf(format, args...)))
}

// release demands that a catalogue says what it has and what it has not.
func (v *validator) release() {
	if !path.IsAbs(v.catalog.Kubeconfig) {
		v.errorf([]any{"kubeconfig"}, "kubeconfig is %q, want its path in the containers", v.catalog.Kubeconfig)
	}
	if s := v.catalog.Specification; v.catalog.Specified() && (s.Title == "" || s.Version == "") {
		v.errorf([]any{"specification"}, "the specification needs a title, a version and a URL; where there is none, leave it out")
	}
	if list := v.catalog.SpecList; !v.catalog.Listed() && (list.Version != "" || list.Count != 0 || len(list.Varying) > 0) {
		v.errorf([]any{"spec_list"}, "a list of specs needs its file; where there is none, leave it out")
	}
}

func (v *validator) phases() {
	if len(v.catalog.Phases) == 0 {
		v.errorf(nil, "no phases")
	}
	seen := map[string]bool{}
	for i, p := range v.catalog.Phases {
		at := []any{"phases", i}
		if seen[p.Name] {
			v.errorf(at, "phase %s is there twice", p.Name)
		}
		seen[p.Name] = true
		if p.Execution != ExecutionSequential && p.Execution != ExecutionParallel {
			v.errorf(append(at, "execution"), "execution of %s is %q, want %s or %s", p.Name, p.Execution, ExecutionSequential, ExecutionParallel)
		}
	}
}

func (v *validator) requirements() {
	seen := map[string]bool{}
	for i, r := range v.catalog.Requirements {
		at := []any{"requirements", i}
		if r.ID == "" || r.Title == "" {
			v.errorf(at, "requirement %q needs an id and a title", r.ID)
		}
		if seen[r.ID] {
			v.errorf(at, "requirement %s is there twice", r.ID)
		}
		seen[r.ID] = true
		v.level(append(at, "level"), r.ID, r.Level, true)
		v.known(append(at, "traces"), r.ID, r.Traces)
	}
}

func (v *validator) cases() {
	if len(v.catalog.Cases) == 0 {
		v.errorf(nil, "no cases")
	}
	seen := map[string]bool{}
	for i := range v.catalog.Cases {
		c, at := &v.catalog.Cases[i], []any{"cases", i}
		if seen[c.Name] {
			v.errorf(at, "case %s is there twice", c.Name)
		}
		seen[c.Name] = true
		v.oneCase(c, at)
	}
	for i, contradiction := range v.catalog.Contradictions {
		for _, name := range contradiction.Cases {
			if !seen[name] {
				v.errorf([]any{"contradictions", i, "cases"}, "unknown case %s", name)
			}
		}
	}
}

func (v *validator) oneCase(c *Case, at []any) {
	phase := slices.IndexFunc(v.catalog.Phases, func(p Phase) bool { return p.Name == c.Tier })
	switch {
	case phase < 0:
		v.errorf(append(at, "tier"), "unknown tier %q of %s", c.Tier, c.Name)
	case v.catalog.Phases[phase].Container != c.Container:
		v.errorf(append(at, "container"), "container of %s is %s, but its tier's is %s", c.Name, c.Container, v.catalog.Phases[phase].Container)
	}
	v.specified(c, at)
	if c.Criteria < 1 || c.Criteria > 100 {
		v.errorf(append(at, "criteria"), "criteria of %s is %d, want a percentage from 1 to 100", c.Name, c.Criteria)
	}
	if c.Driver == "" {
		v.errorf(at, "%s has no driver", c.Name)
	}
	if (c.Driver == driverE2E) != (c.Focus != "") {
		v.errorf(at, "%s: driver %s with focus %q: a focus goes with %s alone", c.Name, c.Driver, c.Focus, driverE2E)
	}
	if _, err := NewSelection(c); err != nil {
		v.errorf(at, "%v", err)
	}
	v.known(append(at, "requirements"), c.Name, c.Requirements)
	v.known(append(at, "derived"), c.Name, c.Derived)
}

// specified checks what only a specification can say of a case.
func (v *validator) specified(c *Case, at []any) {
	if !v.catalog.Specified() {
		if c.Mandatory || c.Level != "" || c.Listed != nil || len(c.Scenarios) > 0 || len(c.Requirements)+len(c.Derived) > 0 {
			v.errorf(at, "%s: mandatory, level, listed, scenarios and requirements are of a specification, and the release has none", c.Name)
		}
		return
	}
	v.level(append(at, "level"), c.Name, c.Level, false)
	if c.Mandatory && c.Level != LevelMust {
		v.errorf(append(at, "level"), "%s is mandatory, but its level is %q", c.Name, c.Level)
	}
	if c.Mandatory && len(c.Requirements) == 0 {
		v.errorf(at, "%s traces to no requirement", c.Name)
	}
}

// coverage demands that a requirement is either covered or says why not.
func (v *validator) coverage() {
	covered := map[string]bool{}
	for _, c := range v.catalog.Cases {
		for _, id := range slices.Concat(c.Requirements, c.Derived) {
			covered[id] = true
		}
	}
	for i, r := range v.catalog.Requirements {
		switch {
		case covered[r.ID] && r.NotCovered != "":
			v.errorf([]any{"requirements", i, "not_covered"}, "%s is said to be not covered, but a case traces to it", r.ID)
		case !covered[r.ID] && r.NotCovered == "":
			v.errorf([]any{"requirements", i}, "no case traces to %s, and nothing says why (not_covered)", r.ID)
		}
	}
}

func (v *validator) links() {
	if v.catalog.Specified() {
		v.link([]any{"specification", "url"}, v.catalog.Specification.URL)
	}
	for i, r := range v.catalog.Requirements {
		v.link([]any{"requirements", i}, r.URL)
	}
	for i, f := range v.catalog.Features {
		v.link([]any{"features", i}, f.URL)
	}
	for i, c := range v.catalog.Contradictions {
		if c.URL != "" {
			v.link([]any{"contradictions", i}, c.URL)
		}
	}
	for i, s := range v.catalog.Software {
		v.link([]any{"software", i}, s.URL)
	}
	for i, c := range v.catalog.Cases {
		if c.Listed != nil {
			v.link([]any{"cases", i, "listed"}, c.Listed.URL)
		}
	}
}

func (v *validator) link(at []any, link string) {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		v.errorf(at, "%q is no https URL", link)
	}
}

func (v *validator) level(at []any, subject string, level Level, optional bool) {
	if level == "" && optional {
		return
	}
	if level != LevelMust && level != LevelShould && level != LevelMay {
		v.errorf(at, "level of %s is %q, want must, should or may", subject, level)
	}
}

func (v *validator) known(at []any, subject string, ids []string) {
	for i, id := range ids {
		if _, ok := v.catalog.Requirement(id); !ok {
			v.errorf(append(at, i), "%s names the unknown requirement %s", subject, strings.TrimSpace(id))
		}
	}
}

// lineOf finds the line of a path in a document, or of the deepest part of
// it that is there.
func lineOf(node *yaml.Node, at ...any) int {
	if node.Kind == yaml.DocumentNode && len(node.Content) > 0 {
		node = node.Content[0]
	}
	for _, step := range at {
		next := child(node, step)
		if next == nil {
			break
		}
		node = next
	}
	return node.Line
}

func child(node *yaml.Node, step any) *yaml.Node {
	switch step := step.(type) {
	case int:
		if node.Kind == yaml.SequenceNode && step < len(node.Content) {
			return node.Content[step]
		}
	case string:
		if node.Kind != yaml.MappingNode {
			return nil
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == step {
				return node.Content[i+1]
			}
		}
	}
	return nil
}
