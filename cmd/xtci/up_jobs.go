package main

import (
	"context"
	"fmt"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/internal/term"
	"github.com/anuket-project/xtci/jenkins"
	"github.com/anuket-project/xtci/testcases"
)

// jobsRow is the board's row of the jobs in Jenkins.
const jobsRow = "jobs"

// A registration is what became of the jobs of the site's campaigns.
type registration struct {
	jobs, written int
	leftOver      []string // that the site does not want
	campaigns     []string // pages to build at
}

// registerJobs gives Jenkins the jobs of the sites' campaigns.
func (a *app) registerJobs(ctx context.Context, sites []config.Site, board *term.Board) (*registration, error) {
	board.Set(term.Row{Name: jobsRow, State: "comparing"})
	want, changes, done, err := a.applyJobs(ctx, sites, jobsApplyOptions{progress: func(n, total int) {
		board.Set(term.Row{Name: jobsRow, State: "writing", Done: int64(n), Total: int64(total)})
	}})
	if err != nil {
		board.Set(term.Row{Name: jobsRow, State: "failed", End: term.Bad})
		return nil, fmt.Errorf("the stack is up, but its jobs are not registered: %w", err)
	}
	r := &registration{jobs: len(want.Jobs), written: done}
	if done > 0 {
		board.Set(term.Row{Name: jobsRow, State: "written", End: term.Good})
	} else {
		board.Set(term.Row{Name: jobsRow, State: "unchanged", End: term.Same})
	}
	for _, change := range changes {
		if change.Action == jenkins.Remove {
			r.leftOver = append(r.leftOver, change.Kind+" "+change.Name)
		}
	}
	outside, err := sites[0].Outside()
	if err != nil {
		return nil, err
	}
	for _, site := range sites {
		catalog, err := testcases.Load(site.Release)
		if err != nil {
			return nil, usage(err)
		}
		for _, plan := range testcases.Plans(site, catalog, testcases.ScopeAll) {
			r.campaigns = append(r.campaigns, outside.Jenkins+"/job/"+plan.Campaign+"/")
		}
	}
	return r, nil
}
