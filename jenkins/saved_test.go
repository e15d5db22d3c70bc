package jenkins_test

import (
	"slices"
	"testing"

	"github.com/anuket-project/xtci/jenkins"
)

// under gives what is in a graph other names, and another owner, so that it is
// nobody else's in a Jenkins that others use. No campaign starts by itself.
func under(prefix string, g jenkins.Graph) jenkins.Graph {
	var all jenkins.Graph
	for _, j := range g.Jobs {
		j.Name, j.Description = prefix+j.Name, jenkins.Managed(prefix)
		j.Phases = slices.Clone(j.Phases)
		for i := range j.Phases {
			j.Phases[i].Jobs = slices.Clone(j.Phases[i].Jobs)
			for k := range j.Phases[i].Jobs {
				j.Phases[i].Jobs[k] = prefix + j.Phases[i].Jobs[k]
			}
		}
		if len(j.Timed) > 0 {
			j.Timed = []string{"@yearly"}
		}
		all.Jobs = append(all.Jobs, j)
	}
	for _, v := range g.Views {
		v.Name, v.Description = prefix+v.Name, jenkins.Managed(prefix)
		all.Views = append(all.Views, v)
	}
	return all
}

// Whatever the options of a site, a Jenkins that saved its jobs has no others
// than before.
func TestContractGraphsSurviveASave(t *testing.T) {
	t.Parallel()
	for name, g := range allGraphs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := newTarget(t)
			problems, err := target.Check(t.Context(), g.Requirements())
			if err != nil || len(problems) > 0 {
				t.Fatalf("%v, %v", problems, err)
			}
			want, err := jenkins.NewWanted(under(target.prefix, g), target.prefix)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := target.Apply(t.Context(), want, jenkins.ApplyOptions{}); err != nil {
				t.Fatal(err)
			}
			for _, document := range want.Jobs {
				target.save(document.Name)
			}
			changes, err := target.Diff(t.Context(), want)
			if err != nil {
				t.Fatal(err)
			}
			for _, change := range changes {
				if change.Action != jenkins.Keep {
					t.Errorf("%v\n%q", change, change.Lines)
				}
			}
		})
	}
}
