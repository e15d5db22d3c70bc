package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/testcases"
)

type catalogOptions struct {
	name  string // of one case; empty for all
	trace bool
	specs bool
}

func newCatalogCmd(app *app) *cobra.Command {
	var options catalogOptions
	cmd := &cobra.Command{
		Use:   "catalog [CASE]",
		Short: "Show the RC2 test cases, their focus and skip lists, requirements and links",
		Long: `catalog prints what RC2 and the containers say of the test cases of the site's
release: a table of all, or everything about one. It needs no network.

SPECS counts what a case's focus and skip select from the list of all e2e specs
of the release, where it is known. With --specs their names are printed, one a
line, as they are: some end in a blank.

EXIT STATUS
  0  done
  2  wrong use: an unknown test case, release or flag`,
		Example: `  xtci catalog
  xtci catalog sig_network
  xtci catalog sig_network --specs
  xtci catalog --trace
  xtci catalog --set release=v1.29
  xtci catalog -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage(errors.New("catalog takes one CASE at most"))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			catalog, err := app.catalog()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				options.name = args[0]
			}
			return runCatalog(app, catalog, options)
		},
	}
	cmd.Flags().BoolVar(&options.trace, "trace", false, "print requirement to cases, case to requirements, and what no case covers")
	cmd.Flags().BoolVar(&options.specs, "specs", false, "print the names of the specs that the case selects")
	cmd.AddCommand(newCatalogReleasesCmd(app), newCatalogDiffCmd(app))
	return cmd
}

func runCatalog(app *app, catalog *testcases.Catalog, options catalogOptions) error {
	switch {
	case options.trace && (options.specs || options.name != ""):
		return usage(errors.New("--trace is about the whole catalogue: it goes with no CASE and no --specs"))
	case options.trace:
		trace := catalog.Trace()
		return app.show(trace, func(w io.Writer) error { return writeTrace(w, catalog, &trace) })
	case options.specs && options.name == "":
		return usage(errors.New("--specs wants a CASE"))
	case options.name == "":
		return app.show(catalog, func(w io.Writer) error { return writeCatalog(w, catalog) })
	}
	c, err := findCase(catalog, options.name)
	if err != nil {
		return err
	}
	switch {
	case options.specs && c.Focus == "":
		return usage(fmt.Errorf("--specs: %s runs no e2e specs, its driver is %s", c.Name, c.Driver))
	case options.specs && !catalog.Listed():
		return usage(fmt.Errorf("--specs: the e2e specs of %s are not known: there is no list for this release (xtci catalog releases)", catalog.Release))
	}
	view, err := newCaseView(catalog, c)
	if err != nil {
		return err
	}
	if options.specs {
		return app.show(view.Specs, func(w io.Writer) error { return writeSpecs(w, &view.Specs) })
	}
	return app.show(view, func(w io.Writer) error { return writeCase(w, catalog, view) })
}

// show prints a result as JSON or as text.
func (a *app) show(result any, text func(io.Writer) error) error {
	if a.json() {
		return a.printJSON(result)
	}
	return text(a.out)
}

// A caseView is all about one case.
type caseView struct {
	Case           *testcases.Case           `json:"case"`
	Execution      string                    `json:"execution"`
	Requirements   []testcases.Requirement   `json:"requirements"`
	Derived        []testcases.Requirement   `json:"derived"`
	Features       []featureView             `json:"features"`
	Contradictions []testcases.Contradiction `json:"contradictions"`
	Specs          specList                  `json:"specs"`
}

// A featureView counts the specs that carry a feature's label: all, and those
// that the case selects.
type featureView struct {
	testcases.Feature
	Specs    int `json:"specs"`
	Selected int `json:"selected"`
}

// A specList is what a case selects from all specs of the release.
type specList struct {
	Case     string       `json:"case"`
	Version  string       `json:"version"` // the patch release that listed the specs
	Listed   int          `json:"listed"`
	Selected []listedSpec `json:"selected"`
}

type listedSpec struct {
	Name  string `json:"name"`
	Title string `json:"title,omitempty"`
	Link  string `json:"link,omitempty"`
}

func newCaseView(catalog *testcases.Catalog, c *testcases.Case) (*caseView, error) {
	trace := catalog.TraceCase(c)
	view := &caseView{
		Case:           c,
		Execution:      catalog.Execution(c),
		Requirements:   trace.Requirements,
		Derived:        trace.Derived,
		Features:       []featureView{},
		Contradictions: catalog.ContradictionsOf(c),
	}
	specs, err := catalog.Specs()
	if err != nil {
		return nil, err
	}
	if view.Specs, err = selectSpecs(catalog, c, specs); err != nil {
		return nil, err
	}
	for _, feature := range catalog.FeaturesOf(c) {
		view.Features = append(view.Features, countFeature(feature, specs, view.Specs.Selected))
	}
	return view, nil
}

func selectSpecs(catalog *testcases.Catalog, c *testcases.Case, specs []string) (specList, error) {
	list := specList{Case: c.Name, Version: catalog.SpecList.Version, Listed: len(specs), Selected: []listedSpec{}}
	selection, err := testcases.NewSelection(c)
	if err != nil {
		return list, err
	}
	documentation, err := catalog.Documentation()
	if err != nil {
		return list, err
	}
	for _, name := range selection.Select(specs) {
		test := documentation[testcases.NormalName(name)]
		list.Selected = append(list.Selected, listedSpec{Name: name, Title: test.Title, Link: test.Link})
	}
	return list, nil
}

func countFeature(feature testcases.Feature, specs []string, selected []listedSpec) featureView {
	view := featureView{Feature: feature}
	for _, name := range specs {
		if feature.Matches(name) {
			view.Specs++
		}
	}
	for _, spec := range selected {
		if feature.Matches(spec.Name) {
			view.Selected++
		}
	}
	return view
}
