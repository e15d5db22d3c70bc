package main

import (
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/internal/recording"
	"github.com/anuket-project/xtci/internal/term"
	"github.com/anuket-project/xtci/testcases"
)

func newChecksCmd(a *app) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "checks CASE DIR",
		Short: "Show what is derived from a folder of one case's raw files",
		Long: `checks parses the raw files that a container left of one test case and prints
every check: its status, why it failed or was skipped, and the file and line it
comes from. A file X.gz stands for X. A record.json in the folder is taken as
what the container pushed.

Specs that the case does not select are counted, and listed with --all.

EXIT STATUS
  0  derived, whatever it says
  2  wrong use, or files that cannot be read as results`,
		Example: `  xtci checks k8s_conformance results/k8s_conformance
  xtci checks sig_network results/sig_network -o json`,
		Args: exactArgs("CASE", "DIR"),
		RunE: func(_ *cobra.Command, args []string) error { return runChecks(a, args[0], args[1], all) },
	}
	cmd.Flags().BoolVar(&all, "all", false, "list the specs too that the case does not select")
	return cmd
}

func runChecks(a *app, name, dir string, all bool) error {
	catalog, err := a.catalog()
	if err != nil {
		return err
	}
	c, err := findCase(catalog, name)
	if err != nil {
		return err
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return usage(fmt.Errorf("%s is a file: name the folder it is in", dir))
	}
	files, err := recording.Open(dir)
	if err != nil {
		return usage(fmt.Errorf("open the folder: %w", err))
	}
	defer files.Close()
	outcome, unreadable, err := artifacts.DeriveCase(catalog, c, files)
	if err != nil {
		return usage(fmt.Errorf("%s: %w", dir, err))
	}
	if a.json() {
		err = a.printJSON(newChecksDocument(outcome))
	} else {
		err = a.printChecks(outcome, all)
	}
	if unreadable != nil {
		return usage(errors.Join(unreadable, err))
	}
	return err
}

// checksDocument is what checks prints as JSON.
type checksDocument struct {
	Case         string                   `json:"case"`
	Derived      testcases.Criteria       `json:"derived"`
	Complete     bool                     `json:"complete"`
	Completeness string                   `json:"completeness"` // in words: it may not have been checked
	Counts       testcases.Counts         `json:"counts"`
	Findings     []testcases.Finding      `json:"findings"`
	Missing      []testcases.MissingCheck `json:"missing"`
	Facts        []testcases.Fact         `json:"facts"`
	Checks       []testcases.Check        `json:"checks"`
}

func newChecksDocument(o testcases.Outcome) checksDocument {
	d := checksDocument{
		Case: o.Case.Name, Derived: o.Derived, Complete: o.Complete, Completeness: o.Completeness(), Counts: o.Counts,
		Findings: o.Findings, Missing: o.Missing, Facts: o.Facts, Checks: o.Checks,
	}
	if d.Checks == nil {
		d.Checks = []testcases.Check{}
	}
	if d.Facts == nil {
		d.Facts = []testcases.Fact{}
	}
	return d
}

func (a *app) printChecks(o testcases.Outcome, all bool) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STATUS\tCHECK\tSECONDS\tWHERE\tREASON")
	hidden := 0
	for i := range o.Checks {
		check := &o.Checks[i]
		if check.Class == testcases.ClassNotSelected && !all {
			hidden++
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%.1f\t%s:%d\t%s\n", statusWord(check), term.Plain(check.Name), check.Seconds,
			term.Plain(check.Source.File), check.Source.Line, short(check.Reason))
	}
	for _, missing := range o.Missing {
		fmt.Fprintf(w, "missing\t%s\t\t\t%s\n", term.Plain(missing.Name), short(missing.Reason))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if hidden > 0 {
		fmt.Fprintf(a.out, "%d more that %s does not select (--all lists them)\n", hidden, o.Case.Name)
	}
	for _, finding := range o.Findings {
		fmt.Fprintf(a.out, "%s: %s\n", finding.Kind, place(finding))
	}
	_, err := fmt.Fprintf(a.out, "%s: derived %s, %s\n", o.Case.Name, criteriaWord(o.Derived), o.Counts)
	return err
}

// statusWord is the status of a check with what makes it special.
func statusWord(check *testcases.Check) string {
	word := string(check.Status)
	switch {
	case check.Flaked:
		word += " (flaked)"
	case check.Status != testcases.StatusPass && check.Class != "" && string(check.Class) != word:
		word += " (" + string(check.Class) + ")"
	}
	if check.Informative && check.Status != testcases.StatusPass {
		word += ", informative"
	}
	if check.Extra {
		word += ", extra"
	}
	return word
}

// short is a reason on one line of a table.
func short(reason string) string {
	const most = 160
	plain := []rune(term.Plain(reason))
	if len(plain) > most {
		return string(plain[:most]) + " [...]"
	}
	return string(plain)
}

// place is a finding with where it was made.
func place(f testcases.Finding) string {
	text := term.Plain(f.Text)
	switch {
	case f.Source.File == "":
		return text
	case f.Source.Line == 0:
		return fmt.Sprintf("%s: %s", term.Plain(f.Source.File), text)
	default:
		return fmt.Sprintf("%s:%d: %s", term.Plain(f.Source.File), f.Source.Line, text)
	}
}

func criteriaWord(c testcases.Criteria) string {
	if c == testcases.CriteriaNone {
		return "nothing"
	}
	return string(c)
}
