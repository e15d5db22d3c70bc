package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/anuket-project/xtci/testcases"
)

// descriptions are those of v1.23, and of cases that it has not.
var descriptions = map[string]string{
	"cni_smoke":              "Looks whether the daemon sets of CNIs are ready and whether their custom resources are defined, as the variables CNI_DAEMON_SETS and CNI_CRDS name them.",
	"cnf_testsuite_workload": "The workload tests of the CNF Testsuite on a sample workload.",
}

func describe() error {
	catalog, err := testcases.Load(byHand)
	if err != nil {
		return err
	}
	for i := range catalog.Cases {
		descriptions[catalog.Cases[i].Name] = catalog.Cases[i].Description
	}
	return nil
}

// generate returns the catalogue of a release.
func generate(ctx context.Context, functest, rc2 clone, release string) ([]byte, error) {
	if err := describe(); err != nil {
		return nil, err
	}
	has, err := readContainers(ctx, functest, release)
	if err != nil {
		return nil, err
	}
	catalog := testcases.Catalog{Release: release, Kubeconfig: has.kubeconfig, Phases: has.phases, Cases: has.cases}
	head, err := functest.head(ctx, "stable/"+release)
	if err != nil {
		return nil, err
	}
	sources := "functest-kubernetes (" + head + ")"
	if v, ok := versions[release]; ok {
		sections, err := readSections(ctx, rc2, v)
		if err != nil {
			return nil, err
		}
		if err := specify(&catalog, v, sections, has.workloads); err != nil {
			return nil, err
		}
		if head, err = rc2.head(ctx, v.branch); err != nil {
			return nil, err
		}
		sources += " and RC2 (" + head + ")"
	} else {
		sources += ". No version of RC2 is of this release"
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "# Written by tools/catalog out of %s: see SOURCES.md.\n", sources)
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(catalog); err != nil {
		return nil, err
	}
	return text.Bytes(), encoder.Close()
}

// specify adds what RC2 says.
func specify(catalog *testcases.Catalog, v version, sections []section, workloads []string) error {
	catalog.Specification, catalog.Notes = v.words, append(v.notes,
		"The requirements of RA2 and RM, RA2's tables of features, and what contradicts them are in the catalogue of v1.23 alone.")
	s := &specifier{catalog: catalog, url: v.url}
	for i := range catalog.Cases {
		k := &catalog.Cases[i]
		k.Level = testcases.LevelMay
		if note := v.ofCases[k.Name]; note != "" {
			k.Notes = append(k.Notes, note)
		}
	}
	for i := range sections {
		if err := s.mandatory(&sections[i]); err != nil {
			return err
		}
	}
	for i := range sections {
		s.lists(&sections[i])
		s.scenarios(&sections[i], workloads)
		s.software(&sections[i])
	}
	if len(s.asked) == 0 {
		return fmt.Errorf("RC2 has no table of cases")
	}
	return nil
}

type specifier struct {
	catalog *testcases.Catalog
	url     string
	asked   []string // names of mandatory cases
}

// mandatory reads the table of the cases that must pass.
func (s *specifier) mandatory(from *section) error {
	for _, row := range from.table("container") {
		if len(row) != 4 || row[2] != "PASS" {
			return fmt.Errorf("not understood in the table of cases: %q", row)
		}
		k, ok := s.catalog.Case(row[1])
		if !ok || k.Container != row[0] {
			return fmt.Errorf("RC2 asks for %s of %s: the containers have no such case", row[1], row[0])
		}
		k.Mandatory, k.Level = true, testcases.LevelMust
		k.Requirements = append(k.Requirements, s.requirement(row[3]))
		s.asked = append(s.asked, k.Name)
	}
	return nil
}

// requirement returns the id of a section of RC2.
func (s *specifier) requirement(title string) string {
	id := "rc2." + anchor(title)
	if _, ok := s.catalog.Requirement(id); !ok {
		s.catalog.Requirements = append(s.catalog.Requirements, testcases.Requirement{
			ID: id, Title: title, Document: "RC2", Level: testcases.LevelMust, URL: s.url + "#" + anchor(title),
		})
	}
	return id
}

// lists gives the lists of focus and skip to the cases that they are of: RC2
// knows one suite for each, the containers split some.
func (s *specifier) lists(from *section) {
	if from.focus == "" {
		return
	}
	label := strings.Trim(from.focus, "[]")
	for i := range s.catalog.Cases {
		k := &s.catalog.Cases[i]
		if !k.Mandatory || !strings.Contains(k.Focus, label) {
			continue
		}
		k.Listed = &testcases.FocusList{Focus: from.focus, Skip: from.skip, URL: s.url + "#" + anchor(from.title)}
		k.Requirements = append(k.Requirements, s.requirement(from.title))
		var skipped []string
		for _, alternative := range strings.Split(k.Skip, "|") {
			skipped = append(skipped, strings.NewReplacer(`\[`, "[", `\]`, "]").Replace(alternative))
		}
		k.Notes = append(k.Notes, differ("The container also skips what the list of the specification does not have: %s.", skipped, from.skip)...)
		k.Notes = append(k.Notes, differ("The list of the specification has what the container's expression does not: %s.", from.skip, skipped)...)
	}
}

// differ says what the one has and the other has not.
func differ(format string, one, other []string) []string {
	more := slices.DeleteFunc(slices.Clone(one), func(label string) bool { return slices.Contains(other, label) })
	if len(more) == 0 {
		return nil
	}
	return []string{fmt.Sprintf(format, strings.Join(more, ", "))}
}

// scenarios reads the table of Rally's scenarios.
func (s *specifier) scenarios(from *section, workloads []string) {
	k, ok := s.catalog.Case("xrally_kubernetes_full")
	if !ok {
		return
	}
	for _, row := range from.table("scenarios") {
		scenario := testcases.Scenario{Name: row[0]}
		if _, err := fmt.Sscan(row[1], &scenario.Iterations); err != nil {
			continue
		}
		k.Scenarios = append(k.Scenarios, scenario)
		name, _, _ := strings.Cut(scenario.Name, " ")
		if !slices.Contains(workloads, name) {
			s.catalog.Contradictions = append(s.catalog.Contradictions, testcases.Contradiction{
				Kind: "listed but not run", Subject: scenario.Name, Cases: []string{k.Name}, URL: s.url + "#" + anchor(from.title),
				Text: "RC2's table of scenarios has it, the task of the container has not: the case cannot be complete.",
			})
		}
	}
}

func (s *specifier) software(from *section) {
	table := testcases.SoftwareTable{Title: from.title, URL: s.url + "#" + anchor(from.title)}
	for _, row := range from.table("software") {
		table.Rows = append(table.Rows, testcases.Software{Name: row[0], Version: row[1]})
	}
	if len(table.Rows) > 0 {
		s.catalog.Software = append(s.catalog.Software, table)
	}
}
