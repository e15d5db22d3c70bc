package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/testcases"
)

func newCatalogDiffCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "diff FROM TO",
		Short: "Show how the test cases of two releases differ",
		Long: `diff prints what changed from one release to another: cases that came and went,
and of the others driver, criteria, arguments, focus and skip, images, and where
both releases have a specification what it says. A + is new, a - is gone.

EXIT STATUS
  0  done, whether or not they differ
  2  wrong use: an unknown release or flag`,
		Example: `  xtci catalog diff v1.23 v1.24
  xtci catalog diff v1.25 v1.29 -o json`,
		Args: exactArgs("FROM", "TO"),
		RunE: func(_ *cobra.Command, args []string) error {
			from, err := testcases.Load(args[0])
			to, toErr := testcases.Load(args[1])
			if err := errors.Join(err, toErr); err != nil {
				return usage(err)
			}
			diff := testcases.DiffCatalogs(from, to)
			return a.show(diff, func(w io.Writer) error { return writeDiff(w, &diff) })
		},
	}
}

func writeDiff(w io.Writer, d *testcases.CatalogDiff) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "Cases from %s to %s: %d added, %d removed, %d changed\n", d.From, d.To, len(d.Added), len(d.Removed), len(d.Changed))
	if len(d.Changes) > 0 {
		writeHeading(b, "Release")
	}
	err := writeChanges(b, "  ", d.Changes)
	for _, part := range []struct {
		heading string
		cases   []*testcases.Case
	}{{"Added", d.Added}, {"Removed", d.Removed}} {
		if len(part.cases) == 0 {
			continue
		}
		var rows [][]string
		for _, c := range part.cases {
			rows = append(rows, []string{c.Name, c.Tier, "driver " + c.Driver, c.Description})
		}
		writeHeading(b, part.heading)
		err = errors.Join(err, writeTable(b, "  ", nil, rows))
	}
	if len(d.Changed) > 0 {
		writeHeading(b, "Changed")
	}
	for _, c := range d.Changed {
		fmt.Fprintf(b, "  %s\n", c.Case)
		err = errors.Join(err, writeChanges(b, "    ", c.Changes))
	}
	return errors.Join(err, b.Flush())
}

func writeChanges(w io.Writer, indent string, changes []testcases.Change) error {
	var rows [][]string
	for _, c := range changes {
		if len(c.Added)+len(c.Removed) == 0 {
			rows = append(rows, []string{c.Field, orNone(c.From) + " -> " + orNone(c.To)})
		}
		for _, gone := range c.Removed {
			rows = append(rows, []string{c.Field, "- " + gone})
		}
		for _, more := range c.Added {
			rows = append(rows, []string{c.Field, "+ " + more})
		}
	}
	return writeTable(w, indent, nil, rows)
}

func orNone(value string) string {
	if value == "" {
		return "none"
	}
	return value
}

func newCatalogReleasesCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "releases",
		Short: "List the releases that there is a catalogue of",
		Long: `releases prints the releases of functest-kubernetes that can be run, whether a
version of the specification is of them, and whether the list of their specs is
known, without which no e2e suite can be shown to be complete. A site names its
release: --set release=v1.29, or release in the site.`,
		Example: `  xtci catalog releases
  xtci catalog --set release=v1.29`,
		Args: exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			var views []releaseView
			for _, release := range testcases.Releases() {
				catalog, err := testcases.Load(release)
				if err != nil {
					return err
				}
				views = append(views, newReleaseView(catalog))
			}
			return a.show(views, func(w io.Writer) error { return writeReleases(w, views) })
		},
	}
}

// A releaseView is a release in a list of them.
type releaseView struct {
	Release       string                  `json:"release"`
	Specification testcases.Specification `json:"specification"`
	Cases         int                     `json:"cases"`
	Mandatory     int                     `json:"mandatory"`
	Specs         int                     `json:"specs"` // 0: their list is not known
}

func newReleaseView(catalog *testcases.Catalog) releaseView {
	v := releaseView{
		Release: catalog.Release, Specification: catalog.Specification,
		Cases: len(catalog.Cases), Specs: catalog.SpecList.Count,
	}
	for i := range catalog.Cases {
		if catalog.Cases[i].Mandatory {
			v.Mandatory++
		}
	}
	return v
}

func writeReleases(w io.Writer, views []releaseView) error {
	var rows [][]string
	for _, v := range views {
		specification, mandatory, specs := string(testcases.NoSpecification), "-", "not known"
		if v.Mandatory > 0 {
			specification, mandatory = "RC2, "+v.Specification.Version, fmt.Sprint(v.Mandatory)
		}
		if v.Specs > 0 {
			specs = fmt.Sprint(v.Specs)
		}
		rows = append(rows, []string{v.Release, fmt.Sprint(v.Cases), mandatory, specs, specification})
	}
	return writeTable(w, "", []string{"RELEASE", "CASES", "MANDATORY", "SPECS", "SPECIFICATION"}, rows)
}
