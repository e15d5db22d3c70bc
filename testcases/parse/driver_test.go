package parse

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/testcases"
)

// Drivers of cases that do not run by default, whose results nobody reads.
func TestDriversWithoutAParser(t *testing.T) {
	t.Parallel()
	without := map[string]bool{}
	for _, release := range testcases.Releases() {
		catalog, err := testcases.Load(release)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range catalog.Cases {
			if parsers[c.Driver] == nil {
				without[c.Driver] = true
				if c.Default || c.Mandatory {
					t.Errorf("%s: nobody reads the results of %s, which runs by default", release, c.Name)
				}
			}
		}
	}
	if diff := cmp.Diff([]string{"cnf_testsuite", "cni_smoke"}, slices.Sorted(maps.Keys(without))); diff != "" {
		t.Errorf("drivers without a parser (-want +got):\n%s", diff)
	}
}

// What nobody parses passes nothing, whatever the container recorded.
func TestWhatIsNotParsedNeverPasses(t *testing.T) {
	t.Parallel()
	catalog, err := testcases.Load("v1.33")
	if err != nil {
		t.Fatal(err)
	}
	judge, err := testcases.NewJudge(catalog)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cni_smoke", "cnf_testsuite", "cnf_testsuite_workload"} {
		c, _ := catalog.Case(name)
		evidence, err := Case(Input{Case: c, Files: fstest.MapFS{"results.yml": {Data: []byte("points: 100\n")}}})
		if err == nil || !evidence.NotParsed || !strings.Contains(err.Error(), "not parsed: no parser for results of driver") {
			t.Errorf("%s: error %v, evidence %+v", name, err, evidence)
		}
		for criteria, want := range map[testcases.Criteria]testcases.CaseVerdict{
			testcases.CriteriaPass: testcases.VerdictIncomplete, testcases.CriteriaFail: testcases.VerdictFail,
		} {
			o, err := judge.Case(testcases.Run{Case: c, Record: &testcases.Record{Criteria: criteria}, Evidence: evidence, HasEvidence: true})
			if err != nil {
				t.Fatal(err)
			}
			if o.Verdict != want || o.Derived != testcases.CriteriaNone || o.Complete {
				t.Errorf("%s recorded %s: %s, derived %q, complete %v", name, criteria, o.Verdict, o.Derived, o.Complete)
			}
		}
	}
}
