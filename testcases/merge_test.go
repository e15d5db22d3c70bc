package testcases

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// suiteOf is the outcome of an e2e case with these checks.
func suiteOf(name string, checks ...Check) Outcome {
	return Outcome{Case: &Case{Name: name, Focus: "."}, Folder: "TAG/" + name + "-1", Checks: checks}
}

func merge(outcomes ...Outcome) []SpecResult { return (&Judge{}).mergeSpecs(outcomes) }

func TestMergeTakesTheWorstOfWhatRan(t *testing.T) {
	t.Parallel()
	var (
		outside  = Check{Status: StatusSkip, Class: ClassNotSelected, Reason: "not in the focus of a"}
		listed   = Check{Status: StatusSkip, Class: ClassNotSelected, Reason: "[Feature:SCTP] is in the skip list of b"}
		pending  = Check{Status: StatusSkip, Class: ClassPending, Reason: "pending"}
		unknown  = Check{Status: StatusSkip, Class: ClassUnexplained, Reason: "nothing says why"}
		withdrew = Check{Status: StatusSkip, Class: ClassSkipped, Reason: "needs two nodes"}
		pass     = Check{Status: StatusPass}
		fail     = Check{Status: StatusFail, Reason: "it failed"}
		broke    = Check{Status: StatusError, Reason: "it broke"}
	)
	for _, test := range []struct {
		name       string
		a, b, want Check
		cases      []string // that executed it, of a and b in this order
	}{
		{"a run wins over not selected", pass, outside, pass, []string{"a"}},
		{"a failure wins over not selected", outside, fail, fail, []string{"b"}},
		{"having skipped itself wins over not selected", outside, withdrew, withdrew, []string{"b"}},
		{"a pass wins over having skipped itself", pass, withdrew, pass, []string{"a", "b"}},
		{"a failure wins over a pass", pass, fail, fail, []string{"a", "b"}},
		{"an error wins over a failure", fail, broke, broke, []string{"a", "b"}},
		{"the skip list tells more than the focus", outside, listed, listed, nil},
		{"pending tells more than the focus", outside, pending, pending, nil},
		{"unexplained tells more than the skip list", listed, unknown, unknown, nil},
		{"neither was selected", outside, outside, outside, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.a.Name, test.b.Name, test.want.Name = "spec", "spec", "spec"
			for _, order := range []bool{false, true} {
				first, second := suiteOf("a", test.a), suiteOf("b", test.b)
				cases := test.cases
				if order {
					first, second = second, first
					if len(cases) == 2 {
						cases = []string{cases[1], cases[0]}
					}
				}
				got := merge(first, second)
				if len(got) != 1 {
					t.Fatalf("%d results of one spec", len(got))
				}
				got[0].Source = Source{}
				if diff := cmp.Diff(SpecResult{Check: test.want, Cases: cases}, got[0]); diff != "" {
					t.Errorf("b first: %v (-want +got):\n%s", order, diff)
				}
			}
		})
	}
}

func TestMergeNamesWhatNoCaseExecuted(t *testing.T) {
	t.Parallel()
	a := suiteOf("a", Check{Name: "ran", Status: StatusPass}, Check{Name: "left out", Status: StatusSkip, Class: ClassNotSelected})
	b := suiteOf("b", Check{Name: "BeforeSuite", Status: StatusError, Class: ClassSetup}, Check{Name: "AfterSuite", Status: StatusError, Class: ClassTeardown})
	b.Missing = []MissingCheck{{Name: "ran", Reason: "set-up"}, {Name: "left out", Reason: "set-up"}, {Name: "unlisted", Reason: "set-up"}}
	other := Outcome{Case: &Case{Name: "rally"}, Checks: []Check{{Name: "scenario", Status: StatusPass}}, Missing: []MissingCheck{{Name: "another"}}}
	want := []SpecResult{
		{Check: Check{Name: "ran", Status: StatusPass, Source: Source{File: "TAG/a-1/"}}, Cases: []string{"a"}},
		{Check: Check{Name: "left out", Status: StatusSkip, Class: ClassNotSelected, Reason: "set-up", Source: Source{File: "TAG/a-1/"}}, Cases: []string{"b"}, Missing: true},
		{Check: Check{Name: "unlisted", Status: StatusSkip, Reason: "set-up"}, Cases: []string{"b"}, Missing: true},
	}
	if diff := cmp.Diff(want, merge(a, b, other)); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
}

func TestMergeKeepsTheEvidenceOfTheResultThatCounts(t *testing.T) {
	t.Parallel()
	a := suiteOf("a", Check{Name: "spec", Status: StatusPass, Source: Source{File: "a/junit_01.xml", Line: 3}})
	b := suiteOf("b", Check{Name: "spec", Status: StatusFail, Source: Source{File: "b/junit_07.xml", Line: 9}})
	got := merge(a, b)
	if want := (Source{File: "TAG/b-1/b/junit_07.xml", Line: 9}); got[0].Source != want {
		t.Errorf("source %+v, want %+v", got[0].Source, want)
	}
}
