package artifacts

import (
	"strings"
	"testing"

	"github.com/anuket-project/xtci/testcases"
)

// Where the campaign tells which runs were begun, files of another run under
// the same build tag pass nothing, whoever put them and their record there.
func TestRunsThatNobodyBeganPassNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		builds  []int // that were begun
		change  func(*lab)
		foreign bool
	}{
		{"the run was begun", []int{7}, func(*lab) {}, false},
		{"it was begun again", []int{6, 7}, func(*lab) {}, false},
		{"what decides was begun, and an earlier one that a kill ended is not told of", []int{7}, func(l *lab) {
			l.files[l.build(smallSuite, 6)+"/functest-kubernetes.log"] = l.files[l.folder(smallSuite)+"/functest-kubernetes.log"]
		}, false},
		{"a newer one was made up", []int{6}, func(*lab) {}, true},
		{"of another job", nil, func(*lab) {}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := flawlessLab(t)
			test.change(l)
			c, _ := l.catalog.Case(smallSuite)
			l.runs = []testcases.RunTimes{{Case: "k8s_quick", Job: "another", Build: 7}}
			for _, build := range test.builds {
				l.runs = append(l.runs, testcases.RunTimes{Case: smallSuite, Job: testcases.JobName("functest-kubernetes", c), Build: build})
			}
			a := l.assess(t, nil, smallSuite)
			o := outcomeOf(t, a, smallSuite)
			if (o.Verdict == testcases.VerdictPass) == test.foreign {
				t.Errorf("%s: %+v", o.Verdict, o.Findings)
			}
			if test.foreign && !strings.Contains(o.Summary(), "is not of this campaign") {
				t.Errorf("it says %s", o.Summary())
			}
		})
	}
}
