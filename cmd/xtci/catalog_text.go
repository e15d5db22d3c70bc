package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/anuket-project/xtci/internal/term"
	"github.com/anuket-project/xtci/testcases"
)

// catalogWidth is where running text of the catalogue is broken.
const catalogWidth = 100

// writeCatalog prints a table of all cases.
func writeCatalog(w io.Writer, catalog *testcases.Catalog) error {
	specs, err := catalog.Specs()
	if err != nil {
		return err
	}
	mandatory := 0
	var rows [][]string
	for i := range catalog.Cases {
		c := &catalog.Cases[i]
		if c.Mandatory {
			mandatory++
		}
		count, err := selectedCount(catalog, c, specs)
		if err != nil {
			return err
		}
		requirement := "-"
		if len(c.Requirements) > 0 {
			requirement = c.Requirements[0]
		}
		rows = append(rows, []string{
			c.Name, c.Tier, mandatoryOf(catalog, c), levelOf(c), catalog.Execution(c), count, requirement, c.Driver,
		})
	}
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, catalog.SpecificationText())
	if catalog.Specified() {
		fmt.Fprintln(b, catalog.Specification.URL)
	}
	fmt.Fprintln(b)
	var table strings.Builder
	err = writeTable(&table, "", []string{"CASE", "TIER", "MANDATORY", "LEVEL", "EXECUTION", "SPECS", "REQUIREMENT", "DRIVER"}, rows)
	fmt.Fprint(b, term.CutLines(w, table.String()))
	fmt.Fprintf(b, "\n%d cases of %s in the order in which they run, %d mandatory. %s\n", len(rows), catalog.Release, mandatory, specsText(catalog))
	switch {
	case !catalog.Specified():
		fmt.Fprintln(b, "No version of RC2 is of this release: no case is mandatory, and no cluster can be conformant.")
	case len(catalog.Contradictions)+len(catalog.Trace().NotCovered) > 0:
		fmt.Fprintf(b, "The specifications contradict themselves in %s; requirements without a case: %d. xtci catalog --trace lists both.\n",
			count(len(catalog.Contradictions), "place"), len(catalog.Trace().NotCovered))
	}
	for _, note := range catalog.Notes {
		writeText(b, "", note)
	}
	return errors.Join(err, b.Flush())
}

func specsText(catalog *testcases.Catalog) string {
	if !catalog.Listed() {
		return "SPECS: no list for this release."
	}
	return fmt.Sprintf("SPECS: of the %d of Kubernetes %s.", catalog.SpecList.Count, catalog.SpecList.Version)
}

// selectedCount is empty for a case that does not run the e2e suite.
func selectedCount(catalog *testcases.Catalog, c *testcases.Case, specs []string) (string, error) {
	switch {
	case c.Focus == "":
		return "", nil
	case !catalog.Listed():
		return "?", nil
	}
	selection, err := testcases.NewSelection(c)
	if err != nil {
		return "", err
	}
	return fmt.Sprint(len(selection.Select(specs))), nil
}

// mandatoryOf is a dash where no specification says.
func mandatoryOf(catalog *testcases.Catalog, c *testcases.Case) string {
	if !catalog.Specified() {
		return "-"
	}
	return mandatoryWord(c.Mandatory)
}

func levelOf(c *testcases.Case) string {
	if c.Level == "" {
		return "-"
	}
	return string(c.Level)
}

func mandatoryWord(mandatory bool) string {
	if mandatory {
		return "mandatory"
	}
	return "optional"
}

// writeSpecs prints the names of the selected specs, as they are.
func writeSpecs(w io.Writer, list *specList) error {
	b := bufio.NewWriter(w)
	for _, spec := range list.Selected {
		fmt.Fprintln(b, spec.Name)
	}
	return b.Flush()
}

// writeCase prints everything about one case.
func writeCase(w io.Writer, catalog *testcases.Catalog, view *caseView) error {
	b := bufio.NewWriter(w)
	c := view.Case
	fmt.Fprintf(b, "%s\n", c.Name)
	writeText(b, "  ", c.Description)
	fmt.Fprintln(b)
	err := writeTable(b, "  ", nil, caseFacts(catalog, view))
	writeRequirements(b, "Requirements", view.Requirements)
	writeRequirements(b, "Derived requirements: they match by their text alone, no document says so", view.Derived)
	writeFocus(b, c)
	if len(c.Scenarios) > 0 {
		var rows [][]string
		for _, s := range c.Scenarios {
			rows = append(rows, []string{s.Name, fmt.Sprint(s.Iterations)})
		}
		writeHeading(b, "Scenarios (RC2 table 2.1)")
		err = errors.Join(err, writeTable(b, "  ", []string{"SCENARIO", "ITERATIONS"}, rows))
	}
	if len(view.Features) > 0 {
		var rows [][]string
		for _, f := range view.Features {
			rows = append(rows, []string{f.Label, mandatoryWord(f.Mandatory), fmt.Sprint(f.Specs), fmt.Sprint(f.Selected)})
		}
		writeHeading(b, "Features (RA2 chapter 6): specs that carry the label, and those of them that this case selects")
		err = errors.Join(err, writeTable(b, "  ", []string{"LABEL", "MANDATORY", "SPECS", "SELECTED"}, rows))
	}
	writeContradictions(b, view.Contradictions)
	if len(c.Notes) > 0 {
		writeHeading(b, "Notes")
		for _, note := range c.Notes {
			writeText(b, "  ", note)
		}
	}
	return errors.Join(err, b.Flush())
}

func caseFacts(catalog *testcases.Catalog, view *caseView) [][]string {
	c := view.Case
	driver := c.Driver
	if c.Nodes > 0 {
		driver += fmt.Sprintf(", %d ginkgo nodes", c.Nodes)
	}
	mandatory := string(testcases.NoSpecification)
	if catalog.Specified() {
		mandatory = mandatoryWord(c.Mandatory) + ", " + string(c.Level)
	}
	facts := [][]string{
		{"Container", c.Container},
		{"Tier", c.Tier + ", " + view.Execution},
		{"Mandatory", mandatory},
		{"Run by default", yesNo(c.Default)},
		{"Criteria", fmt.Sprintf("PASS from %d %%", c.Criteria)},
		{"Driver", driver},
	}
	for _, key := range slices.Sorted(maps.Keys(c.Args)) {
		facts = append(facts, []string{"Argument", fmt.Sprintf("%s=%v", key, c.Args[key])})
	}
	for _, key := range slices.Sorted(maps.Keys(c.Dependencies)) {
		facts = append(facts, []string{"Skipped unless", key + " matches " + c.Dependencies[key]})
	}
	for _, image := range c.Images {
		facts = append(facts, []string{"Cluster image", image})
	}
	switch {
	case c.Focus == "":
	case !catalog.Listed():
		facts = append(facts, []string{"Specs", "not known: no list for this release"})
	default:
		facts = append(facts, []string{"Specs", fmt.Sprintf("%d of the %d of Kubernetes %s (--specs names them)",
			len(view.Specs.Selected), view.Specs.Listed, view.Specs.Version)})
	}
	return facts
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func writeFocus(w io.Writer, c *testcases.Case) {
	if c.Listed != nil {
		writeHeading(w, "Focus and skip list of the specification")
		fmt.Fprintf(w, "  %s\n  focus  %s\n", c.Listed.URL, c.Listed.Focus)
		for _, label := range c.Listed.Skip {
			fmt.Fprintf(w, "  skip   %s\n", label)
		}
	}
	if c.Focus != "" {
		writeHeading(w, "Focus and skip expressions of the container")
		fmt.Fprintf(w, "  focus  %s\n", c.Focus)
	}
	if c.Skip != "" {
		fmt.Fprintf(w, "  skip   %s\n", c.Skip)
	}
}

// writeTrace prints the traceability both ways.
func writeTrace(w io.Writer, catalog *testcases.Catalog, trace *testcases.Trace) error {
	b := bufio.NewWriter(w)
	if !catalog.Specified() {
		fmt.Fprintf(b, "%s: %s.\n", trace.Release, testcases.NoSpecification)
		return b.Flush()
	}
	fmt.Fprintf(b, "Traceability of %s. Derived: the text matches, but no document says so.\n", trace.Release)
	writeHeading(b, fmt.Sprintf("From requirement to case (%d)", len(trace.Requirements)))
	for _, r := range trace.Requirements {
		writeRequirement(b, &r.Requirement)
		writeNames(b, "cases:   ", r.Cases)
		writeNames(b, "derived: ", r.Derived)
	}
	writeHeading(b, fmt.Sprintf("From case to requirement (%d)", len(trace.Cases)))
	for _, c := range trace.Cases {
		fmt.Fprintf(b, "  %s\n", c.Case)
		writeNames(b, "requirements: ", ids(c.Requirements))
		writeNames(b, "derived:      ", ids(c.Derived))
	}
	writeHeading(b, fmt.Sprintf("Requirements without a case: not covered (%d)", len(trace.NotCovered)))
	for _, r := range trace.NotCovered {
		writeRequirement(b, &r)
		writeText(b, "      ", "not covered: "+r.NotCovered)
	}
	writeContradictions(b, trace.Contradictions)
	if len(catalog.Notes) > 0 {
		writeHeading(b, "Notes")
	}
	for _, note := range catalog.Notes {
		writeText(b, "  ", note)
	}
	return b.Flush()
}

func ids(requirements []testcases.Requirement) []string {
	var ids []string
	for _, r := range requirements {
		ids = append(ids, r.ID)
	}
	return ids
}

func writeNames(w io.Writer, label string, names []string) {
	if len(names) > 0 {
		fmt.Fprintf(w, "      %s%s\n", label, strings.Join(names, ", "))
	}
}

func writeRequirements(w io.Writer, heading string, requirements []testcases.Requirement) {
	if len(requirements) == 0 {
		return
	}
	writeHeading(w, heading)
	for i := range requirements {
		writeRequirement(w, &requirements[i])
	}
}

func writeRequirement(w io.Writer, r *testcases.Requirement) {
	level := ""
	if r.Level != "" {
		level = ", " + string(r.Level)
	}
	fmt.Fprintf(w, "  %s  %s (%s%s)\n      %s\n", r.ID, r.Title, r.Document, level, r.URL)
	if r.Text != "" {
		writeText(w, "      ", r.Text)
	}
}

func writeContradictions(w io.Writer, contradictions []testcases.Contradiction) {
	if len(contradictions) == 0 {
		return
	}
	writeHeading(w, fmt.Sprintf("Contradictions in the specifications (%d)", len(contradictions)))
	for _, c := range contradictions {
		fmt.Fprintf(w, "  %s: %s\n", c.Kind, c.Subject)
		writeText(w, "      ", c.Text)
		if c.URL != "" {
			fmt.Fprintf(w, "      %s\n", c.URL)
		}
	}
}

func writeHeading(w io.Writer, heading string) {
	fmt.Fprintf(w, "\n%s\n", heading)
}

// writeTable aligns columns; without headings, cells alone.
func writeTable(w io.Writer, indent string, headings []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if headings != nil {
		rows = slices.Concat([][]string{headings}, rows)
	}
	for _, row := range rows {
		fmt.Fprintf(t, "%s%s\n", indent, strings.Join(row, "\t"))
	}
	return t.Flush()
}

// writeText prints running text, broken into lines.
func writeText(w io.Writer, indent, text string) {
	line := indent
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > catalogWidth && line != indent {
			fmt.Fprintln(w, line)
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	fmt.Fprintln(w, line)
}
