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

// Numbers of builds are those of one job: they do not tell which of two jobs
// was the later one. Records do, and a run that crashed has none.
func TestACrashInAnotherJobIsNotHidden(t *testing.T) {
	t.Parallel()
	for _, build := range []string{"3", "7", "9"} {
		l := flawlessLab(t)
		c, _ := l.catalog.Case(smallSuite)
		other := greenTag + "/" + testcases.JobName("zz-another", c) + "-" + build
		for _, file := range l.matching(smallSuite, "functest-kubernetes.log") {
			l.files[other+strings.TrimPrefix(file, l.folder(smallSuite))] = l.files[file]
		}
		if o := outcomeOf(t, l.assess(t, nil, smallSuite), smallSuite); o.Verdict == testcases.VerdictPass {
			t.Errorf("build %s of another job crashed: %s, %+v", build, o.Verdict, o.Findings)
		}
	}
}
