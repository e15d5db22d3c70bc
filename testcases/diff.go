package testcases

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A CatalogDiff is how the catalogue of one release differs from another's.
type CatalogDiff struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Changes are those of the release as a whole, and of its containers.
	Changes []Change `json:"changes"`
	// Added and Removed are cases that only one of the two has.
	Added   []*Case `json:"added"`
	Removed []*Case `json:"removed"`
	// Changed are cases of both, in the order of the newer.
	Changed []CaseDiff `json:"changed"`
}

// A CaseDiff is what changed of a case.
type CaseDiff struct {
	Case    string   `json:"case"`
	Changes []Change `json:"changes"`
}

// A Change is one thing that differs. A list says what was added to it and
// removed from it, anything else what it was and is: empty is not there.
type Change struct {
	Field   string   `json:"field"`
	From    string   `json:"from,omitempty"`
	To      string   `json:"to,omitempty"`
	Added   []string `json:"added,omitempty"`
	Removed []string `json:"removed,omitempty"`
}

// DiffCatalogs compares two catalogues. What only a specification can say of
// a case is compared where both have one.
func DiffCatalogs(from, to *Catalog) CatalogDiff {
	d := CatalogDiff{
		From: from.Release, To: to.Release,
		Changes: releaseChanges(from, to), Added: []*Case{}, Removed: []*Case{}, Changed: []CaseDiff{},
	}
	for i := range from.Cases {
		if _, ok := to.Case(from.Cases[i].Name); !ok {
			d.Removed = append(d.Removed, &from.Cases[i])
		}
	}
	for i := range to.Cases {
		c := &to.Cases[i]
		before, ok := from.Case(c.Name)
		if !ok {
			d.Added = append(d.Added, c)
			continue
		}
		if changes := caseChanges(from, to, before, c); len(changes) > 0 {
			d.Changed = append(d.Changed, CaseDiff{c.Name, changes})
		}
	}
	return d
}

// changes collects what differs.
type changes []Change

func (c *changes) value(field, from, to string) {
	if from != to {
		*c = append(*c, Change{Field: field, From: from, To: to})
	}
}

func (c *changes) list(field string, from, to []string) {
	added, removed := lacking(to, from), lacking(from, to)
	if len(added)+len(removed) > 0 {
		*c = append(*c, Change{Field: field, Added: added, Removed: removed})
	}
}

// lacking returns, once each, what a list has and another has not.
func lacking(has, hasNot []string) []string {
	var lack []string
	for _, one := range has {
		if !slices.Contains(hasNot, one) && !slices.Contains(lack, one) {
			lack = append(lack, one)
		}
	}
	return lack
}

func releaseChanges(from, to *Catalog) []Change {
	all := changes{}
	all.value("specification", from.SpecificationText(), to.SpecificationText())
	all.value("list of specs", from.specListText(), to.specListText())
	all.value("kubeconfig", from.Kubeconfig, to.Kubeconfig)
	before, after := map[string]Phase{}, map[string]Phase{}
	for _, phase := range from.Phases {
		before[phase.Name] = phase
	}
	for _, phase := range to.Phases {
		after[phase.Name] = phase
		all.value("container of "+phase.Name, before[phase.Name].Container, phase.Container)
		all.value("execution of "+phase.Name, before[phase.Name].Execution, phase.Execution)
	}
	for _, phase := range from.Phases {
		if _, ok := after[phase.Name]; !ok {
			all.value("container of "+phase.Name, phase.Container, "")
		}
	}
	return all
}

func caseChanges(from, to *Catalog, before, after *Case) []Change {
	var all changes
	all.value("tier", before.Tier, after.Tier)
	all.value("run by default", fmt.Sprint(before.Default), fmt.Sprint(after.Default))
	if from.Specified() && to.Specified() {
		all.value("mandatory", fmt.Sprint(before.Mandatory), fmt.Sprint(after.Mandatory))
		all.value("level", string(before.Level), string(after.Level))
	}
	all.value("driver", before.Driver, after.Driver)
	all.value("criteria", fmt.Sprint(before.Criteria), fmt.Sprint(after.Criteria))
	all.list("image", before.Images, after.Images)
	keys := map[string]bool{}
	for key := range before.Args {
		keys[key] = true
	}
	for key := range after.Args {
		keys[key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		all.value("argument "+key, argument(before, key), argument(after, key))
	}
	all.list("skipped unless", dependencies(before), dependencies(after))
	all.value("focus", before.Focus, after.Focus)
	all.value("ginkgo nodes", fmt.Sprint(before.Nodes), fmt.Sprint(after.Nodes))
	skip := len(all)
	if all.list("skip", splitAlternatives(before.Skip), splitAlternatives(after.Skip)); len(all) == skip {
		all.value("skip", before.Skip, after.Skip) // another order
	}
	if from.Specified() && to.Specified() {
		all.specified(before, after)
	}
	return all
}

// specified compares what the specification lists for a case.
func (c *changes) specified(before, after *Case) {
	was, is := before.Listed, after.Listed
	if was == nil {
		was = &FocusList{}
	}
	if is == nil {
		is = &FocusList{}
	}
	c.value("focus in the specification", strings.Trim(was.Focus, "[]"), strings.Trim(is.Focus, "[]"))
	c.list("skip in the specification", was.Skip, is.Skip)
	c.list("scenario", scenarios(before), scenarios(after))
}

func argument(c *Case, key string) string {
	if value, ok := c.Args[key]; ok {
		return fmt.Sprint(value)
	}
	return ""
}

func dependencies(c *Case) []string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(c.Dependencies)) {
		all = append(all, key+" matches "+c.Dependencies[key])
	}
	return all
}

func scenarios(c *Case) []string {
	var all []string
	for _, scenario := range c.Scenarios {
		all = append(all, fmt.Sprintf("%s, %d times", scenario.Name, scenario.Iterations))
	}
	return all
}

// SpecificationText names the specification, or says that there is none.
func (c *Catalog) SpecificationText() string {
	if !c.Specified() {
		return string(NoSpecification)
	}
	return c.Specification.Title + ", " + c.Specification.Version
}

func (c *Catalog) specListText() string {
	if !c.Listed() {
		return noList
	}
	return fmt.Sprintf("%d specs of Kubernetes %s", c.SpecList.Count, c.SpecList.Version)
}
