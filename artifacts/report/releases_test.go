package report

import (
	"strings"
	"testing"

	"github.com/anuket-project/xtci/testcases"
)

func TestPageWithoutASpecification(t *testing.T) {
	t.Parallel()
	a := &testcases.Assessment{
		BuildTag: "T", Verdict: testcases.NoSpecification, Reasons: []string{"no version of RC2 is of v1.24"},
		Catalog:  &testcases.Catalog{Release: "v1.24"},
		Outcomes: []testcases.Outcome{{Case: &testcases.Case{Name: "netperf"}, Verdict: testcases.VerdictPass, Complete: true}},
	}
	page := string(render(t, HTML, a))
	for _, want := range []string{"No specification for this release", "no case is mandatory, and no platform can be conformant", "no version of RC2 is of v1.24"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(page, ">Conformant<") || strings.Contains(page, "✓</span> Conformant") {
		t.Error("the page calls it conformant")
	}
	junit := string(render(t, JUnit, a))
	if !strings.Contains(junit, `failures="1"`) || !strings.Contains(junit, `<failure message="no specification for this release"`) {
		t.Errorf("JUnit: %s", junit)
	}
}

func TestWhatWasNotCheckedIsShown(t *testing.T) {
	t.Parallel()
	a := sample()
	o := &a.Outcomes[0]
	o.Verdict, o.Recorded, o.Derived = testcases.VerdictIncomplete, testcases.CriteriaPass, testcases.CriteriaPass
	o.Complete, o.NotChecked = false, "no list for this release"
	page := string(render(t, HTML, a))
	for _, want := range []string{"not checked: no list for this release</td>", "whether everything selected was executed was not checked: no list for this release."} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if document := string(render(t, JSON, a)); !strings.Contains(document, `"not_checked": "no list for this release"`) {
		t.Error("the JSON document does not say it")
	}
}
