package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/internal/cluster"
	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/testcases"
	"github.com/anuket-project/xtci/testcases/runner"
)

// runDocker runs a campaign on Docker, without Jenkins.
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
	provenance.SiteSource = a.siteSource()
	journal, err := openJournal(site, o, provenance)
	if err != nil {
		return err
	}
	closers.add(journal.Close)
	if err := a.sameCampaign(journal, provenance); err != nil {
		return err
	}
	show := newRunView(a, plan, runner.Expected(site.Campaigns()))
	closers.add(show.Close)
	images, err := runner.Images(ctx, engine, plan, o.offline, show.image)
	if err != nil {
		return err
	}
	if err := journal.Declare(func(p *testcases.Provenance) { p.Images = bothImages(p.Images, images) }); err != nil {
		return err
	}
	results, where, err := a.resultsOf(ctx, engine, site, journal, o)
	if err != nil {
		return err
	}
	closers.add(results.Close)
	if err := registerCases(ctx, results.records, site, plan); err != nil {
		return err
	}
	folder, err := filepath.Abs(filepath.Join(site.Campaigns(), "results"))
	if err != nil {
		return err
	}
	if err := show.begin(catalog, journal.Tag, where); err != nil {
		return err
	}
	drain, restore := a.drain(show)
	defer restore()
	summary, err := runner.Run(ctx, runner.Options{
		Plan: plan, Files: results.files, Index: results.index, Journal: journal, Drain: drain, Retries: o.retries,
		Executor: &runner.Docker{
			Engine: engine, Records: results.records, Network: results.network, Pod: site.Project, Folder: folder,
			Services: results.services, Progress: show.live, Waiting: show.waiting,
		},
		KeepGoing: site.Failure == config.FailureContinue,
		Events:    show.event, Mends: worthWaiting, Waiting: show.waiting,
	})
	_ = show.Close() // cannot fail
	if err != nil && !errors.Is(err, runner.ErrDrained) {
		return fmt.Errorf("%w\n%s", err, a.goOn(journal.Tag, o))
	}
	return a.archiveRun(ctx, show, journal.Tag, o, results, summary, err)
}

// goOn says how a campaign goes on that was not run to its end, with the whole
// command: without the flags that it began with, another would go on.
func (a *app) goOn(tag string, o runOptions) string {
	var flags strings.Builder
	add := func(flag, value string) { flags.WriteString(" " + flag + " " + shellWord(value)) }
	if o.replay != "" {
		add("--replay", o.replay)
	}
	if o.scope != string(testcases.ScopeAll) {
		add("--scope", o.scope)
	}
	if o.tier != "" {
		add("--tier", o.tier)
	}
	if len(o.tests) > 0 {
		add("--tests", strings.Join(o.tests, ","))
	}
	if len(o.skip) > 0 {
		add("--skip", strings.Join(o.skip, ","))
	}
	if o.retries > 0 {
		add("--retry-failed", strconv.Itoa(o.retries))
	}
	if o.noStack {
		flags.WriteString(" --no-stack")
	}
	return fmt.Sprintf("campaign %s can go on: xtci run --resume --tag %s%s%s", tag, tag, &flags, a.siteFlags())
}

// archiveRun makes the archive of what ran, also of a campaign that was
// stopped between jobs, and answers with the verdict.
func (a *app) archiveRun(ctx context.Context, show *runView, tag string, o runOptions, from *results, summary runner.Summary, stopped error) error {
	if err := a.printSummary(tag, summary); err != nil {
		return err
	}
	made, err := from.publish(ctx)
	if err != nil {
		return fmt.Errorf("%w\nthe campaign is kept: xtci publish %s%s makes its archive", err, tag, a.siteFlags())
	}
	show.events.end(tag, summary, &made)
	if !a.json() {
		if err := a.printArchived(made); err != nil {
			return err
		}
	}
	switch {
	case stopped != nil:
		return fmt.Errorf("%w\n%s", stopped, a.goOn(tag, o))
	case !summary.Good() || made.Verdict != testcases.Conformant: // whatever the containers said
		return errNo
	}
	return nil
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
		Release: site.Release, SiteDigest: digest, KubernetesVersion: facts.Server.Version, Cluster: facts.UID,
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
func (a *app) drain(show *runView) (drain <-chan struct{}, restore func()) {
	draining := make(chan struct{})
	asked := false
	return draining, a.on(func() bool {
		if asked {
			return false
		}
		asked = true
		show.stopping("interrupted: what runs goes on to its end; interrupt again to stop it, too")
		close(draining)
		return true
	})
}
