package artifacts

import (
	"testing"

	"github.com/anuket-project/xtci/testcases"
)

// otherLab is a campaign of another release in which everything went well, as
// far as files tell: its suites list the specs of v1.23, since no other list
// is known. Without names of cases it is of all.
func otherLab(t *testing.T, release string, cases ...string) *lab {
	t.Helper()
	catalog, err := testcases.Load(release)
	if err != nil {
		t.Fatal(err)
	}
	specs, err := flawlessLab(t).catalog.Specs()
	if err != nil {
		t.Fatal(err)
	}
	l, err := makeLab((&lab{catalog: catalog}).narrowed(cases), specs)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Where nobody knows what there was to run, nothing shows that all was run:
// neither a suite passes, nor is the platform conformant, until a reviewer
// answers for each.
func TestNoListNoPass(t *testing.T) {
	t.Parallel()
	skipShort(t)
	l := otherLab(t, "v1.29")
	a := l.assess(t, nil)
	if a.Verdict != testcases.NotConformant {
		t.Errorf("verdict %s", a.Verdict)
	}
	waivers := map[string]string{}
	for i := range a.Outcomes {
		o := &a.Outcomes[i]
		if o.Case.Focus == "" {
			if o.Verdict != testcases.VerdictPass || o.Completeness() != "complete" {
				t.Errorf("%s: %s, %s: %+v", o.Case.Name, o.Verdict, o.Completeness(), o.Findings)
			}
			continue
		}
		if o.Case.Mandatory {
			waivers[o.Case.Name] = "compared with the list of the binary by hand"
		}
		if o.Complete || o.Completeness() != "not checked: no list for this release" {
			t.Errorf("%s: complete %v, %s", o.Case.Name, o.Complete, o.Completeness())
		}
		wantFinding(t, o, testcases.VerdictIncomplete, "completeness not checked: no list for this release")
	}
	if len(waivers) != 14 || len(a.Reasons) != 14 {
		t.Errorf("%d suites and %d reasons, want 14", len(waivers), len(a.Reasons))
	}
	if a := l.assess(t, waivers); a.Verdict != testcases.ConformantWithWaivers || a.WithoutWaivers().Verdict != testcases.NotConformant {
		t.Errorf("waived: verdict %s, without: %s, reasons %q", a.Verdict, a.WithoutWaivers().Verdict, a.Reasons)
	}
}

// A spec that the files list, the case selects and nobody executed is named,
// list or not.
func TestNoListStillNamesWhatWasNotExecuted(t *testing.T) {
	t.Parallel()
	l := otherLab(t, "v1.29", "sig_auth")
	l.rerun("sig_auth", func(s *suite) {
		for i := range s.Specs {
			if s.Specs[i].Fate == passed {
				s.Specs[i].Fate = pending
				break
			}
		}
	})
	o := outcomeOf(t, l.assess(t, nil), "sig_auth")
	if len(o.Missing) != 1 || o.Counts.Missing != 1 {
		t.Errorf("missing %+v", o.Missing)
	}
	wantFinding(t, o, testcases.VerdictIncomplete, "1 of the specs that the case selects were not executed")
	wantFinding(t, o, testcases.VerdictIncomplete, "no list for this release")
}

// Without a specification nothing is mandatory, and that must not look as if
// all that is mandatory passed.
func TestNoSpecificationNoConformance(t *testing.T) {
	t.Parallel()
	l := otherLab(t, "v1.24", "k8s_conformance", "kube_hunter", "netperf")
	all := map[string]string{}
	for i := range l.catalog.Cases {
		all[l.catalog.Cases[i].Name] = "trust me"
	}
	for _, waivers := range []map[string]string{nil, all} {
		a := l.assess(t, waivers)
		if a.Verdict != testcases.NoSpecification || len(a.Reasons) == 0 {
			t.Errorf("verdict %s, reasons %q", a.Verdict, a.Reasons)
		}
		r := Review{Integrity: Integrity{Untouched: true}, Assessment: a}
		if r.Good() {
			t.Error("a review calls it good")
		}
		if a = a.WithoutWaivers(); a.Verdict != testcases.NoSpecification {
			t.Errorf("without waivers: verdict %s", a.Verdict)
		}
	}
}

// Evidence of one release proves nothing of another, whatever an archive says
// that it is of.
func TestEvidenceOfAnotherRelease(t *testing.T) {
	t.Parallel()
	skipShort(t)
	l := flawlessLab(t)
	for _, release := range testcases.Releases() {
		if release == "v1.23" {
			continue
		}
		catalog, err := testcases.Load(release)
		if err != nil {
			t.Fatal(err)
		}
		of := *l
		of.catalog = catalog
		if a := of.assess(t, nil, "sig_auth", "netperf"); a.Verdict.Good() {
			t.Errorf("%s: %s", release, a.Verdict)
		}
	}
}
