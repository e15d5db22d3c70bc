package main

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/term"
	"github.com/anuket-project/xtci/testcases"
	"github.com/anuket-project/xtci/testcases/runner"
)

// A runView shows a campaign while it runs: on a board for people, or as
// events for programs.
type runView struct {
	board    *term.Board
	progress *term.Progress // instead of the board for a replay, which takes a moment
	events   *events
	plan     testcases.Plan
	expected map[string]time.Duration // of jobs, by name
	selected map[string]int           // specs that an e2e case selects, by job
	campaign term.Row
}

// campaignRow is the line of the campaign as a whole.
const campaignRow = "campaign"

func newRunView(a *app, plan testcases.Plan, expected map[string]time.Duration) *runView {
	return &runView{board: a.board(), events: a.events(), plan: plan, expected: expected, selected: map[string]int{}}
}

func newReplayView(a *app, plan testcases.Plan) *runView {
	v := &runView{board: term.NewBoard(io.Discard), events: a.events(), plan: plan, selected: map[string]int{}}
	if v.events == nil {
		v.progress = term.NewProgress(a.err)
	}
	return v
}

// Close ends it. It may be called more than once.
func (v *runView) Close() error {
	v.board.Close()
	if v.progress != nil {
		v.progress.Close()
	}
	return nil
}

// image shows an image that is got.
func (v *runView) image(ref, state string, done, total int64) {
	row := term.Row{Name: ref, State: state, Done: done, Total: total, Bytes: true}
	switch state {
	case runner.ImageHere:
		return
	case runner.ImagePulled:
		row.End = term.Good
	}
	v.board.Set(row)
	v.events.send(runEvent{Kind: eventImage, Image: ref, State: state, Done: done, Total: total})
}

// begin shows that the campaign begins.
func (v *runView) begin(catalog *testcases.Catalog, tag, where string) error {
	specs, err := catalog.Specs()
	if err != nil {
		return err
	}
	jobs := v.plan.Jobs()
	for _, job := range jobs {
		if job.Case.Focus == "" {
			continue
		}
		selection, err := testcases.NewSelection(job.Case)
		if err != nil {
			return err
		}
		v.selected[job.Name] = len(selection.Select(specs))
	}
	v.campaign = term.Row{
		Name: campaignRow, State: "running", Detail: tag, Total: int64(len(jobs)),
		Started: time.Now(), Expected: runner.ExpectedOf(v.plan, v.expected),
	}
	v.board.Set(v.campaign)
	v.events.send(runEvent{Kind: eventCampaign, BuildTag: tag, Results: where, Total: v.campaign.Total, Expected: v.campaign.Expected.Seconds()})
	return nil
}

// event shows a step of a job.
func (v *runView) event(event runner.Event) {
	name, state, expected := event.Job.Case.Name, string(event.State), v.expected[event.Job.Name]
	v.events.send(runEvent{
		Kind: eventCase, Case: name, Job: event.Job.Name, Build: event.Build, State: state, Again: event.Again, Detail: event.Detail,
		Elapsed: event.Elapsed.Seconds(), Expected: expected.Seconds(), Done: int64(event.Done), Total: int64(event.Total),
	})
	if v.progress != nil {
		if event.State == runner.StateRunning {
			v.progress.Begin(name)
		} else {
			v.progress.End(name, state, event.Detail, event.Done, event.Total, event.Elapsed)
		}
		return
	}
	row := term.Row{Name: name, State: state, Detail: event.Detail, Expected: expected}
	switch event.State {
	case runner.StatePassed:
		row.End = term.Good
	case runner.StateFailed, runner.StateNotRun:
		row.End = term.Bad
	}
	v.board.Set(row)
	if event.Again {
		v.board.Print(name + " is run again")
	}
	campaign := v.campaign
	if campaign.Done = int64(event.Done); campaign.Done == campaign.Total {
		campaign.End, campaign.State = term.Same, "ended"
	}
	v.board.Set(campaign)
}

// live shows how far a running e2e case is.
func (v *runView) live(job testcases.Job, live runner.Live) {
	selected, expected := v.selected[job.Name], v.expected[job.Name]
	v.board.Set(term.Row{
		Name: job.Case.Name, State: string(runner.StateRunning), Detail: fmt.Sprintf("%d passed, %d failed", live.Passed, live.Failed),
		Done: int64(live.Passed + live.Failed), Total: int64(selected), Expected: expected,
	})
	v.events.send(runEvent{Kind: eventProgress, Case: job.Case.Name, Job: job.Name, Passed: live.Passed, Failed: live.Failed, Selected: selected})
}

// waiting shows that a part of the toolchain does not answer a job.
func (v *runView) waiting(job testcases.Job, why error) {
	what := "the test DB does not answer, it is waited for: "
	switch {
	case errors.Is(why, docker.ErrUnavailable):
		what = "Docker does not answer, it is waited for: "
	case errors.Is(why, artifacts.ErrFull), errors.Is(why, syscall.ENOSPC):
		what = "there is no room for its files, it is waited for: "
	case errors.Is(why, artifacts.ErrAway):
		what = "the object store does not answer, it is waited for: "
	}
	v.board.Print(job.Case.Name + ": " + what + term.Plain(why.Error()))
	v.events.send(runEvent{Kind: eventWaiting, Case: job.Case.Name, Job: job.Name, Detail: what + why.Error()})
}

// stopping shows that an interrupt was understood.
func (v *runView) stopping(how string) {
	v.board.Print(how)
	v.events.send(runEvent{Kind: eventStopping, Detail: how})
}
