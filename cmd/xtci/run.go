package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/internal/recording"
	"github.com/anuket-project/xtci/testcases"
	"github.com/anuket-project/xtci/testcases/runner"
)

type runOptions struct {
	replay      string
	tag         string
	resume      bool
	scope       string
	via         string
	offline     bool
	tests, skip []string
	tier        string
	params      []string
	attach      bool
	retries     int
	noStack     bool
}

func newRunCmd(a *app) *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run [--via jenkins | --replay DIR]",
		Short: "Run a campaign",
		Long: `run goes through the plan of the site, phase by phase: each test case is a
container on this host's Docker. Of the stack (xtci up) it needs nothing but, when
it is up, uses its object store and test DB, so that results are where those of
Jenkins are. Without it, or with --no-stack, they stay under stack.prefix, and the
test DB runs within xtci, for the campaign's containers.

At the end the archive is made, whatever the outcome, and the verdict printed.

Ctrl-C once lets what runs go on to its end, and archives what there is; twice
stops that, too. Either way, and after a crash, --resume --tag TAG goes on: what was
done is not done again. With --retry-failed N, what did not pass is.

--tests, --skip, --tier and --scope run a part. A part is never conformant.

--via jenkins starts the campaign's job in Jenkins with a build tag of its own,
and follows its phases and jobs. Jenkins may restart meanwhile. At Ctrl-C it asks
whether to abort the campaign or to leave it running; --attach follows one again,
or one that somebody else started.

--replay feeds recorded results: DIR has a folder for each test case with the
files that its container left and, in record.json, what it pushed. A file X.gz
stands for X.

-o json prints what happens as it happens, one JSON object a line; the last is
the end, with the verdict (docs/run.md).

` + exitStatus,
		Example: `  xtci run
  xtci run --tests k8s_quick,k8s_smoke --set kubeconfig=$HOME/.kube/config
  xtci run --resume --tag 7QK2X9A4LM0Z --retry-failed 1
  xtci run --via jenkins -p DEPLOY_SCENARIO=k8-nosdn-nofeature-noha
  xtci run --via jenkins --attach
  xtci run --replay testcases/testdata/sample --tag EXAMPLE1 --set failure=continue`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runRun(cmd.Context(), a, o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.replay, "replay", "", "feed the recorded results in this `DIR`")
	flags.StringVar(&o.tag, "tag", "", "the campaign's build `TAG` (default: 12 random letters and digits)")
	flags.BoolVar(&o.resume, "resume", false, "go on with the campaign of that tag")
	flags.IntVar(&o.retries, "retry-failed", 0, "run cases that did not pass up to `N` times again; the archive keeps every attempt")
	flags.BoolVar(&o.noStack, "no-stack", false, "do without the stack's services, even if they are up")
	flags.StringSliceVar(&o.tests, "tests", nil, "run these `CASES` only")
	flags.StringSliceVar(&o.skip, "skip", nil, "leave these `CASES` out")
	flags.StringVar(&o.tier, "tier", "", "run the cases of this `TIER` only, such as smoke")
	flags.BoolVar(&o.offline, "offline", false, "pull no images: take those that are here; fetch no site either")
	flags.StringVar(&o.via, "via", "", "run it with another `ENGINE`: jenkins")
	flags.StringArrayVarP(&o.params, "param", "p", nil, "a parameter of the campaign in Jenkins: `KEY=VALUE` (may be repeated)")
	flags.BoolVar(&o.attach, "attach", false, "follow a campaign that runs in Jenkins already: that of --tag, or the one that runs")
	flags.StringVar(&o.scope, "scope", string(testcases.ScopeAll), "run cases of this `SCOPE` only: mandatory, optional or all")
	return cmd
}

func runRun(ctx context.Context, a *app, o runOptions) (err error) {
	site, err := a.site()
	if err != nil {
		return err
	}
	if a.fetched != nil && (o.replay != "" || o.via != "") {
		o.offline = false // it was for the site
	}
	if err := o.check(); err != nil {
		return usage(err)
	}
	if o.via == viaJenkins {
		return runJenkins(ctx, a, site, o)
	}
	if o.replay == "" {
		return runDocker(ctx, a, site, o)
	}
	return runReplay(ctx, a, site, o)
}

// runReplay runs a campaign out of recorded results.
func runReplay(ctx context.Context, a *app, site config.Site, o runOptions) (err error) {
	catalog, err := testcases.Load(site.Release)
	if err != nil {
		return usage(err)
	}
	recorded, err := recording.Open(o.replay)
	if err != nil {
		return usage(fmt.Errorf("open the recording: %w", err))
	}
	defer recorded.Close()
	plan, err := o.plan(site, catalog)
	if err != nil {
		return err
	}
	digest, err := site.Digest()
	if err != nil {
		return err
	}
	provenance := testcases.Provenance{Tool: toolName(), Engine: replayEngine, Release: site.Release, SiteDigest: digest, SiteSource: a.siteSource()}
	journal, err := openJournal(site, o, provenance)
	if err != nil {
		return err
	}
	defer journal.Close()
	if err := a.sameCampaign(journal, provenance); err != nil {
		return err
	}
	store, err := artifacts.OpenDirStore(site.Artifacts())
	if err != nil {
		return err
	}
	defer store.Close()
	results, err := a.startTestDB(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, results.Close()) }()

	if err := unused(ctx, store, results, journal); err != nil {
		return err
	}
	show := newReplayView(a, plan)
	if err := show.begin(catalog, journal.Tag, resultsFolder); err != nil {
		return err
	}
	summary, err := runner.Run(ctx, runner.Options{
		Plan:      plan,
		Executor:  runner.Replay{Recording: recorded},
		Files:     store,
		Index:     runner.Pushed(store.Index(journal.Tag), results, journal.Tag, site.Project, testProject),
		Journal:   journal,
		KeepGoing: site.Failure == config.FailureContinue,
		Events:    show.event,
	})
	_ = show.Close() // cannot fail
	if err != nil {
		return fmt.Errorf("%w\n%s", err, a.goOn(journal.Tag, o))
	}
	return a.replayed(show, journal.Tag, summary)
}

// replayEngine is what a provenance calls a replay.
const replayEngine = "replay of recorded results"

// replayed says how a replay ended. Its archive is made by publish, so that
// what is in the store can be looked at, and changed, before.
func (a *app) replayed(show *runView, tag string, summary runner.Summary) error {
	if err := a.printSummary(tag, summary); err != nil {
		return err
	}
	show.events.end(tag, summary, nil)
	if !a.json() {
		fmt.Fprintln(a.err, "make its archive with: xtci publish "+tag+a.siteFlags())
	}
	if !summary.Good() {
		return errNo
	}
	return nil
}

// selects says whether some cases are left out.
func (o runOptions) selects() bool {
	return o.scope != string(testcases.ScopeAll) || len(o.tests) > 0 || len(o.skip) > 0 || o.tier != ""
}

// plan is what the site wants run of its first tag, as far as the flags
// select it.
func (o runOptions) plan(site config.Site, catalog *testcases.Catalog) (testcases.Plan, error) {
	scope, err := testcases.ParseScope(o.scope)
	if err != nil {
		return testcases.Plan{}, usage(err)
	}
	for _, name := range slices.Concat(o.tests, o.skip) {
		if _, err := findCase(catalog, name); err != nil {
			return testcases.Plan{}, err
		}
	}
	if o.tier != "" {
		var tiers []string
		for _, phase := range catalog.Phases {
			tiers = append(tiers, phase.Name)
		}
		if !slices.Contains(tiers, o.tier) {
			return testcases.Plan{}, usage(fmt.Errorf("--tier %s: want one of %s", o.tier, strings.Join(tiers, ", ")))
		}
	}
	plan := testcases.Plans(site, catalog, scope)[0].Select(func(c *testcases.Case) bool {
		return (len(o.tests) == 0 || slices.Contains(o.tests, c.Name)) && (o.tier == "" || c.Tier == o.tier) && !slices.Contains(o.skip, c.Name)
	})
	if len(plan.Jobs()) == 0 {
		return plan, usage(errors.New("nothing to run: no test case is selected (xtci catalog lists them and their tiers)"))
	}
	return plan, nil
}

// viaJenkins has Jenkins run the campaign.
const viaJenkins = "jenkins"

// maxRetries is how often a case may be run again: who needs more has another
// problem.
const maxRetries = 10

// check refuses flags that do not go together.
func (o runOptions) check() error {
	switch {
	case o.via != "" && o.via != viaJenkins:
		return fmt.Errorf("--via %s: want jenkins", o.via)
	case o.via == "" && (o.attach || len(o.params) > 0):
		return errors.New("--attach and -p are for a campaign in Jenkins: give --via jenkins, too")
	case o.via != "" && (o.replay != "" || o.resume || o.offline || o.noStack || o.retries != 0 || o.selects()):
		return errors.New("--via jenkins runs the campaign as its jobs are: --replay, --resume, --retry-failed, --no-stack, --offline, --scope, --tests, --skip and --tier are not for it")
	case o.replay != "" && (o.offline || o.noStack || o.retries != 0):
		return errors.New("--replay starts no containers: --offline, --no-stack and --retry-failed are not for it")
	case o.retries < 0 || o.retries > maxRetries:
		return fmt.Errorf("--retry-failed %d: want 0 to %d", o.retries, maxRetries)
	case o.attach && len(o.params) > 0:
		return errors.New("--attach follows a campaign that was given its parameters: -p is not for it")
	}
	return nil
}

// openJournal begins the journal of a new campaign, or opens that of one to
// go on with.
func openJournal(site config.Site, o runOptions, provenance testcases.Provenance) (*runner.Journal, error) {
	if o.resume && o.tag == "" {
		return nil, usage(errors.New("--resume: name the campaign to go on with (--tag TAG)"))
	}
	tag := o.tag
	if tag == "" {
		tag = newTag()
	}
	if err := artifacts.CheckTag(tag); err != nil {
		return nil, usage(err)
	}
	journal, err := beginJournal(site, tag, o.resume, provenance)
	if errors.Is(err, runner.ErrExists) || errors.Is(err, runner.ErrRunning) {
		return nil, usage(err)
	}
	return journal, err
}

func beginJournal(site config.Site, tag string, resume bool, provenance testcases.Provenance) (*runner.Journal, error) {
	if resume {
		journal, err := runner.ResumeJournal(site.Campaigns(), tag)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, usage(fmt.Errorf("no campaign %s was begun under %s: run it without --resume", tag, site.Stack.Prefix))
		}
		return journal, err
	}
	return runner.NewJournal(site.Campaigns(), tag, provenance)
}

// newTag returns a build tag as Jenkins makes them: 12 random characters of
// [0-9A-Z] (spec/jobs.md).
func newTag() string { return strings.ToUpper(rand.Text()[:12]) }

// printSummary says, where somebody reads it, how the jobs of a campaign ended.
func (a *app) printSummary(tag string, summary runner.Summary) error {
	if a.json() {
		return nil // the last event says it
	}
	if summary.Stopped != "" {
		fmt.Fprintf(a.out, "stopped after the failed phase %s (--set failure=continue goes on)\n", summary.Stopped)
	}
	_, err := fmt.Fprintf(a.out, "campaign %s: %d passed, %d failed, %d not run\n", tag, summary.Passed, summary.Failed, summary.NotRun)
	return err
}

// testProject is the project that all cases of functest-kubernetes push for
// (spec/testapi-xtesting.md, d), for recordings that do not say.
const testProject = "functest"
