package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"time"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/internal/cluster"
	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/term"
	"github.com/anuket-project/xtci/testcases"
	"github.com/anuket-project/xtci/testcases/runner"
)

// runDocker runs a campaign on Docker, without Jenkins and without a stack:
// the test DB runs within this process, on the gateway of the campaign's own
// network, where its containers reach it and others do not.
func runDocker(ctx context.Context, a *app, site config.Site, o runOptions) (err error) {
	catalog, err := testcases.Load(site.Release)
	if err != nil {
		return usage(err)
	}
	plan, err := o.plan(site, catalog)
	if err != nil {
		return err
	}
	facts, err := clusterFacts(ctx, site)
	if err != nil {
		return err
	}
	engine, err := a.dial(ctx)
	if err != nil {
		return err
	}
	var closers closing
	defer func() { err = errors.Join(err, closers.Close()) }()
	closers.add(engine.Close)
	lock, err := runner.LockCluster(facts.UID)
	if err != nil {
		return usage(err)
	}
	closers.add(lock.Close)
	provenance, err := dockerProvenance(ctx, engine, site, facts)
	if err != nil {
		return err
	}
	journal, err := openJournal(site, o, provenance)
	if err != nil {
		return err
	}
	closers.add(journal.Close)
	store, err := artifacts.OpenDirStore(site.Artifacts())
	if err != nil {
		return err
	}
	closers.add(store.Close)

	board := term.NewBoard(a.err)
	closers.add(func() error { board.Close(); return nil })
	images, err := runner.Images(ctx, engine, plan, o.offline, func(ref, state string, done, total int64) {
		if state == runner.ImageHere {
			return
		}
		board.Set(term.Row{Name: ref, State: state, Done: done, Total: total, Bytes: true, End: endOf(state)})
	})
	if err != nil {
		return err
	}
	if err := journal.Declare(func(p *testcases.Provenance) { p.Images = images }); err != nil {
		return err
	}
	network, err := runner.MakeNetwork(ctx, engine, journal.Tag)
	if err != nil {
		return err
	}
	closers.add(func() error { return runner.RemoveNetwork(context.WithoutCancel(ctx), engine, network) })
	results, err := a.serveResults(ctx, net.JoinHostPort(network.Gateway, "0"))
	if err != nil {
		return fmt.Errorf("serve results to the campaign's containers: %w", err)
	}
	closers.add(results.Close)
	if err := registerCases(ctx, results.Client, site, plan); err != nil {
		return err
	}
	folder, err := filepath.Abs(filepath.Join(site.Campaigns(), "results"))
	if err != nil {
		return err
	}
	show, err := newJobBoard(board, catalog, plan, runner.Expected(site.Campaigns()))
	if err != nil {
		return err
	}
	drain, restore := a.drain(board)
	defer restore()
	summary, err := runner.Run(ctx, runner.Options{
		Plan: plan, Files: store, Index: store.Index(journal.Tag), Journal: journal, Drain: drain,
		Executor: &runner.Docker{
			Engine: engine, Records: results, Network: network.Name, Pod: site.Project, Folder: folder,
			Services: runner.Services{TestDB: results.url, TestDBX: results.url}, Progress: show.progress,
		},
		KeepGoing: site.Failure == config.FailureContinue,
		Events:    show.event,
	})
	board.Close()
	if err != nil && !errors.Is(err, runner.ErrDrained) {
		return fmt.Errorf("%w\ncampaign %s can go on: run the same again with --tag %s --resume", err, journal.Tag, journal.Tag)
	}
	return a.archiveRun(ctx, site, journal, summary, err)
}

// archiveRun makes the archive of what ran, also of a campaign that was
// stopped between jobs, and answers with the verdict.
func (a *app) archiveRun(ctx context.Context, site config.Site, journal *runner.Journal, summary runner.Summary, stopped error) error {
	if err := journal.Close(); err != nil {
		return err
	}
	answer := a.printSummary(journal.Tag, summary, "")
	if answer != nil && !errors.Is(answer, errNo) {
		return answer
	}
	verdict, err := publishStored(ctx, a, site, journal.Tag)
	if err != nil {
		return fmt.Errorf("%w\nthe campaign is kept: xtci publish %s%s makes its archive", err, journal.Tag, a.siteFlags())
	}
	if stopped != nil {
		return fmt.Errorf("%w\ncampaign %s can go on: run the same again with --tag %s --resume", stopped, journal.Tag, journal.Tag)
	}
	if verdict != testcases.Conformant {
		answer = errNo // whatever the containers said
	}
	return answer
}

// closing closes what was opened, the last first.
type closing []func() error

func (c *closing) add(closer func() error) { *c = append(*c, closer) }

// Close closes all, and joins what went wrong.
func (c *closing) Close() error {
	var errs []error
	for _, closer := range slices.Backward(*c) {
		errs = append(errs, closer())
	}
	return errors.Join(errs...)
}

var _ io.Closer = (*closing)(nil)

// clusterFacts asks the cluster under test what it is.
func clusterFacts(ctx context.Context, site config.Site) (cluster.Facts, error) {
	sut, err := cluster.Open(site.Kubeconfig, cluster.Options{UserAgent: toolName()})
	if err != nil {
		return cluster.Facts{}, usage(err)
	}
	facts, err := sut.Facts(ctx)
	if err != nil {
		return cluster.Facts{}, fmt.Errorf("ask the cluster under test: %w (xtci doctor looks closer)", err)
	}
	return facts, nil
}

// dockerProvenance says where the campaign's results come from.
func dockerProvenance(ctx context.Context, engine *docker.Engine, site config.Site, facts cluster.Facts) (testcases.Provenance, error) {
	info, err := engine.Info(ctx)
	if err != nil {
		return testcases.Provenance{}, err
	}
	digest, err := site.Digest()
	if err != nil {
		return testcases.Provenance{}, err
	}
	provenance := testcases.Provenance{
		Tool: toolName(), Engine: fmt.Sprintf("Docker %s, %s, kernel %s", info.Version, info.OSName, info.Kernel),
		Release: site.Release, SiteDigest: digest, KubernetesVersion: facts.Server.Version,
	}
	for _, node := range facts.Nodes {
		provenance.Nodes = append(provenance.Nodes, fmt.Sprintf("%s (%s, kernel %s, %s)", node.Name, node.OSImage, node.Kernel, node.Runtime))
	}
	return provenance, nil
}

// registerCases makes what the campaign's containers push known to the test
// DB.
func registerCases(ctx context.Context, db *testdb.Client, site config.Site, plan testcases.Plan) error {
	cases := map[string][]string{}
	for _, job := range plan.Jobs() {
		cases[job.Case.Project] = append(cases[job.Case.Project], job.Case.Name)
	}
	for project, names := range cases {
		if err := db.Register(ctx, site.Project, project, names...); err != nil {
			return err
		}
	}
	return nil
}

// drain is closed at the first interrupt: what runs goes on to its end, and
// nothing more is begun. The next interrupt ends the command's context.
func (a *app) drain(board *term.Board) (drain <-chan struct{}, restore func()) {
	draining := make(chan struct{})
	asked := false
	return draining, a.on(func() bool {
		if asked {
			return false
		}
		asked = true
		board.Print("interrupted: what runs goes on to its end; interrupt again to stop it, too")
		close(draining)
		return true
	})
}

func endOf(state string) term.End {
	if state == runner.ImagePulled {
		return term.Good
	}
	return term.Running
}

// A jobBoard shows the jobs of a campaign on a board.
type jobBoard struct {
	board    *term.Board
	expected map[string]time.Duration
	selected map[string]int // specs that an e2e case selects
	campaign term.Row
}

const campaignRow = "campaign"

func newJobBoard(board *term.Board, catalog *testcases.Catalog, plan testcases.Plan, expected map[string]time.Duration) (*jobBoard, error) {
	b := &jobBoard{board: board, expected: expected, selected: map[string]int{}}
	specs, err := catalog.Specs()
	if err != nil {
		return nil, err
	}
	for _, job := range plan.Jobs() {
		if job.Case.Focus == "" {
			continue
		}
		selection, err := testcases.NewSelection(job.Case)
		if err != nil {
			return nil, err
		}
		b.selected[job.Name] = len(selection.Select(specs))
	}
	b.campaign = term.Row{
		Name: campaignRow, State: "running", Total: int64(len(plan.Jobs())),
		Started: time.Now(), Expected: runner.ExpectedOf(plan, expected),
	}
	board.Set(b.campaign)
	return b, nil
}

// event shows a step of a job.
func (b *jobBoard) event(event runner.Event) {
	row := term.Row{Name: event.Job.Case.Name, State: string(event.State), Detail: event.Detail, Expected: b.expected[event.Job.Name]}
	switch event.State {
	case runner.StatePassed:
		row.End = term.Good
	case runner.StateFailed, runner.StateNotRun:
		row.End = term.Bad
	}
	b.board.Set(row)
	campaign := b.campaign
	if campaign.Done = int64(event.Done); campaign.Done == campaign.Total {
		campaign.End, campaign.State = term.Same, "ended"
	}
	b.board.Set(campaign)
}

// progress shows how far a running e2e case is.
func (b *jobBoard) progress(job testcases.Job, live runner.Live) {
	b.board.Set(term.Row{
		Name: job.Case.Name, State: string(runner.StateRunning), Detail: fmt.Sprintf("%d passed, %d failed", live.Passed, live.Failed),
		Done: int64(live.Passed + live.Failed), Total: int64(b.selected[job.Name]), Expected: b.expected[job.Name],
	})
}
