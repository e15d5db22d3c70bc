package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/internal/recording"
	"github.com/anuket-project/xtci/internal/term"
	"github.com/anuket-project/xtci/testcases"
	"github.com/anuket-project/xtci/testcases/runner"
)

type runOptions struct {
	replay string
	tag    string
	resume bool
	scope  string
}

func newRunCmd(a *app) *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run --replay DIR [--tag TAG [--resume]]",
		Short: "Run a campaign",
		Long: `run goes through the plan of the site's release, phase by phase. Files go to the
store under stack.prefix, records to the campaign's index there.

--replay feeds recorded results: DIR has a folder for each test case with the
files that its container left and, in record.json, what it pushed. A file X.gz
stands for X.

An interrupted campaign goes on with --resume: what was done is not done again.

` + exitStatus,
		Example: `  xtci run --replay testcases/testdata/sample --tag EXAMPLE1 --set failure=continue
  xtci run --replay testcases/testdata/sample --tag EXAMPLE1 --resume`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runRun(cmd.Context(), a, o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.replay, "replay", "", "feed the recorded results in this `DIR`")
	flags.StringVar(&o.tag, "tag", "", "the campaign's build `TAG` (default: 12 random letters and digits)")
	flags.BoolVar(&o.resume, "resume", false, "go on with the campaign of that tag")
	flags.StringVar(&o.scope, "scope", string(testcases.ScopeAll), "which cases to run: mandatory, optional or all")
	return cmd
}

func runRun(ctx context.Context, a *app, o runOptions) error {
	site, err := a.site()
	if err != nil {
		return err
	}
	if o.replay == "" {
		return usage(errors.New("nothing to run: name a folder with recorded results (--replay DIR)"))
	}
	scope, err := testcases.ParseScope(o.scope)
	if err != nil {
		return usage(err)
	}
	catalog, err := testcases.Load(site.Release)
	if err != nil {
		return usage(err)
	}
	recorded, err := recording.Open(o.replay)
	if err != nil {
		return usage(fmt.Errorf("open the recording: %w", err))
	}
	defer recorded.Close()
	journal, err := openJournal(site, o)
	if err != nil {
		return err
	}
	defer journal.Close()
	store, err := artifacts.OpenDirStore(site.Artifacts())
	if err != nil {
		return err
	}
	defer store.Close()

	progress := term.NewProgress(a.err)
	summary, err := runner.Run(ctx, runner.Options{
		Plan:      testcases.NewPlan(catalog, site.Project, scope),
		Executor:  runner.Replay{Recording: recorded},
		Files:     store,
		Index:     store.Index(journal.Tag),
		Journal:   journal,
		KeepGoing: site.Failure == config.FailureContinue,
		Events:    func(event runner.Event) { show(progress, event) },
	})
	progress.Close()
	if err != nil {
		return fmt.Errorf("%w\ncampaign %s can go on: run the same again with --tag %s --resume", err, journal.Tag, journal.Tag)
	}
	return a.printSummary(journal.Tag, summary)
}

// openJournal begins the journal of a new campaign, or opens that of one to
// go on with.
func openJournal(site config.Site, o runOptions) (*runner.Journal, error) {
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
	journal, err := beginJournal(site, tag, o.resume)
	if errors.Is(err, runner.ErrExists) || errors.Is(err, runner.ErrRunning) {
		return nil, usage(err)
	}
	return journal, err
}

func beginJournal(site config.Site, tag string, resume bool) (*runner.Journal, error) {
	if resume {
		journal, err := runner.ResumeJournal(site.Campaigns(), tag)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, usage(fmt.Errorf("no campaign %s was begun under %s: run it without --resume", tag, site.Stack.Prefix))
		}
		return journal, err
	}
	digest, err := site.Digest()
	if err != nil {
		return nil, err
	}
	return runner.NewJournal(site.Campaigns(), tag, testcases.Provenance{
		Tool: toolName(), Engine: "replay of recorded results", Release: site.Release, SiteDigest: digest,
	})
}

// newTag returns a build tag as Jenkins makes them: 12 random characters of
// [0-9A-Z] (spec/jobs.md).
func newTag() string { return strings.ToUpper(rand.Text()[:12]) }

func show(progress *term.Progress, event runner.Event) {
	name := event.Job.Case.Name
	if event.State == runner.StateRunning {
		progress.Begin(name)
		return
	}
	progress.End(name, string(event.State), event.Detail, event.Done, event.Total, event.Elapsed)
}

func (a *app) printSummary(tag string, summary runner.Summary) error {
	if a.json() {
		if err := a.printJSON(map[string]any{
			"build_tag": tag, "passed": summary.Passed, "failed": summary.Failed, "not_run": summary.NotRun, "stopped": summary.Stopped,
		}); err != nil {
			return err
		}
	} else {
		if summary.Stopped != "" {
			fmt.Fprintf(a.out, "stopped after the failed phase %s (--set failure=continue goes on)\n", summary.Stopped)
		}
		_, err := fmt.Fprintf(a.out, "campaign %s: %d passed, %d failed, %d not run\n", tag, summary.Passed, summary.Failed, summary.NotRun)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.err, "make its archive with: xtci publish %s%s\n", tag, a.siteFlags())
	}
	if !summary.Good() {
		return errNo
	}
	return nil
}
