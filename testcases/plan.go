package testcases

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// A Plan is what a campaign runs, ready for any engine: phases one after the
// other, the jobs of a phase one after the other or side by side.
type Plan struct {
	Release string      `json:"release"`
	Phases  []PlanPhase `json:"phases"`
}

// A PlanPhase is one container's jobs.
type PlanPhase struct {
	Name       string `json:"name"` // the container, as in spec/jobs.md
	Sequential bool   `json:"sequential"`
	Jobs       []Job  `json:"jobs"`
}

// A Job is one run of one case.
type Job struct {
	Name string `json:"name"`
	Case *Case  `json:"-"`
}

// Scope says which cases are looked at.
type Scope string

// Scopes. Optional cases never change the verdict on a campaign.
const (
	ScopeAll       Scope = "all"
	ScopeMandatory Scope = "mandatory"
	ScopeOptional  Scope = "optional"
)

// ParseScope reads the name of a scope.
func ParseScope(name string) (Scope, error) {
	scope := Scope(name)
	if !slices.Contains([]Scope{ScopeAll, ScopeMandatory, ScopeOptional}, scope) {
		return "", fmt.Errorf("scope %q: want mandatory, optional or all", name)
	}
	return scope, nil
}

// Has says whether the scope includes a case.
func (s Scope) Has(c *Case) bool {
	return s == ScopeAll || c.Mandatory == (s == ScopeMandatory)
}

// NewPlan plans the cases that run by default, of the scope, in the order of
// the catalogue, with the job names that Xtesting CI gives them.
func NewPlan(catalog *Catalog, project string, scope Scope) Plan {
	plan := Plan{Release: catalog.Release}
	for _, phase := range catalog.Phases {
		planned := PlanPhase{Name: phase.Container, Sequential: phase.Execution == ExecutionSequential}
		for i := range catalog.Cases {
			c := &catalog.Cases[i]
			if c.Tier == phase.Name && c.Default && scope.Has(c) {
				planned.Jobs = append(planned.Jobs, Job{Name: JobName(project, c), Case: c})
			}
		}
		if len(planned.Jobs) > 0 {
			plan.Phases = append(plan.Phases, planned)
		}
	}
	return plan
}

// Jobs are all jobs of the plan in order.
func (p Plan) Jobs() []Job {
	var jobs []Job
	for _, phase := range p.Phases {
		jobs = append(jobs, phase.Jobs...)
	}
	return jobs
}

// JobName is the name of the job that runs a case: the project, the
// container with its repository and tag, and the case (spec/jobs.md, naming
// rules).
func JobName(project string, c *Case) string {
	repository, image := path.Split(c.Container)
	repository = strings.NewReplacer(".", "_", "/", "-").Replace(repository)
	return project + "-" + repository + strings.Replace(image, ":", "-", 1) + "-" + c.Name
}
