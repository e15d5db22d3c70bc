package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/config"
	xterm "github.com/anuket-project/xtci/internal/term"
	"github.com/anuket-project/xtci/jenkins"
	"github.com/anuket-project/xtci/testcases"
)

// tagParameter is the campaign's parameter that is its build tag
// (spec/jobs.md).
const tagParameter = "build_tag"

// runJenkins runs a campaign in Jenkins, or follows one that runs there.
func runJenkins(ctx context.Context, a *app, site config.Site, o runOptions) error {
	catalog, err := testcases.Load(site.Release)
	if err != nil {
		return usage(err)
	}
	client, err := a.jenkinsClient(site)
	if err != nil {
		return err
	}
	defer client.Close()
	if !o.attach && o.tag != "" {
		if err := unusedInStack(ctx, site, o.tag); err != nil {
			return err
		}
	}
	campaign := testcases.Plans(site, catalog, testcases.ScopeAll)[0].Campaign
	f := &following{app: a, client: client, job: campaign, board: a.board(), events: a.events()}
	defer f.board.Close()
	if err := f.begin(ctx, o, newCampaignTag(site.Release, time.Now())); err != nil {
		return err
	}
	outcome, err := f.toItsEnd(ctx)
	f.board.Close()
	if err != nil {
		return err
	}
	return f.printEnd(ctx, site, outcome)
}

// unusedInStack refuses a build tag of which there are results already, or that
// xtci ran a campaign with. A stack that does not answer is for the campaign
// to find out.
func unusedInStack(ctx context.Context, site config.Site, tag string) error {
	journal := filepath.Join(site.Campaigns(), tag+".json")
	if _, err := os.Stat(journal); err == nil {
		return takenError(tag, journal)
	}
	source, err := sourceOfSite(site)
	if err != nil || source == nil {
		return err
	}
	var what string
	if source.reached(ctx) == nil {
		what, err = artifacts.Taken(ctx, source.store, source.records, tag)
	}
	if err = errors.Join(err, source.Close()); err == nil && what != "" {
		err = takenError(tag, what)
	}
	return err
}

func (a *app) jenkinsClient(site config.Site) (*jenkins.Client, error) {
	endpoints, err := site.Outside()
	if err != nil {
		return nil, err
	}
	if endpoints.Jenkins == "" {
		return nil, usage(errors.New("the site has no Jenkins: stack.jenkins.enabled is false"))
	}
	return jenkins.New(jenkins.ClientOptions{URL: endpoints.Jenkins, User: site.Stack.Jenkins.User, Password: site.Stack.Jenkins.Password, Log: a.log})
}

// withoutJenkins says what to do when nothing listens where Jenkins should.
func (a *app) withoutJenkins(err error) error {
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return fmt.Errorf("%w (no Jenkins is there: xtci up%s brings it up)", err, a.siteFlags())
}

// newCampaignTag is a build tag that a person can read and sort, of the
// characters that Jenkins takes (spec/jenkins.md): v1_23-20261123-221530-K7Q2.
func newCampaignTag(release string, now time.Time) string {
	readable := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, release)
	return readable + "-" + now.UTC().Format("20060102-150405") + "-" + newTag()[:4]
}

// A following is one build of a campaign that is being followed.
type following struct {
	app    *app
	client *jenkins.Client
	job    string
	build  jenkins.Build
	tag    string
	board  *xterm.Board
	events *events
}

// begin starts a build of the campaign, or finds the one to attach to.
func (f *following) begin(ctx context.Context, o runOptions, fresh string) error {
	if o.attach {
		return f.attach(ctx, o.tag)
	}
	if f.tag = o.tag; f.tag == "" {
		f.tag = fresh
	}
	if !jenkins.ValidTag(f.tag) {
		return usage(fmt.Errorf("--tag %s: Jenkins takes at least 8 letters, digits, commas, dashes and underscores", f.tag))
	}
	params := map[string]string{}
	for _, pair := range o.params {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return usage(fmt.Errorf("-p %s: want KEY=VALUE", pair))
		}
		if strings.EqualFold(name, tagParameter) {
			return usage(fmt.Errorf("-p %s: the build tag is given by --tag", pair))
		}
		params[name] = value
	}
	params[tagParameter] = f.tag
	queued, err := f.client.Trigger(ctx, f.job, params)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return f.app.withoutJenkins(err)
	}
	if err != nil {
		return fmt.Errorf("%w (xtci jobs diff says whether the jobs are as the site wants them)", err)
	}
	f.board.Set(xterm.Row{Name: f.job, State: "queued", Detail: f.tag})
	f.build, err = f.client.Await(ctx, queued, jenkins.FollowOptions{}, func(why string) {
		f.board.Set(xterm.Row{Name: f.job, State: "queued", Detail: why})
	})
	return err
}

// attach finds the build with that tag, or the one that runs.
func (f *following) attach(ctx context.Context, tag string) (err error) {
	f.tag = tag
	if tag != "" {
		f.build, err = f.client.Find(ctx, f.job, tagParameter, tag)
	} else {
		f.build, err = f.client.Find(ctx, f.job, "", "")
	}
	return f.app.withoutJenkins(err)
}

// toItsEnd follows the build. At an interrupt it asks whether to abort it.
func (f *following) toItsEnd(ctx context.Context) (jenkins.Outcome, error) {
	ctx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	restore := f.app.on(func() bool {
		if !f.app.confirmAbort(ctx, f.board) {
			leave(errLeft)
			return true
		}
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if err := f.client.Stop(stopping, f.build); err != nil {
			leave(fmt.Errorf("abort %s: %w", f.build, err))
		}
		return true // its end is still followed
	})
	defer restore()
	outcome, err := f.client.Follow(ctx, f.build, jenkins.FollowOptions{}, f.show)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		if errors.Is(cause, errLeft) {
			return outcome, fmt.Errorf("%w: the campaign runs on in Jenkins: follow it with xtci run --via jenkins --attach --tag %s%s",
				context.Canceled, f.tag, f.app.siteFlags())
		}
		return outcome, cause
	}
	if tag := tagOf(outcome.Params); tag != "" {
		f.tag = tag
	}
	return outcome, err
}

var errLeft = errors.New("left running")

// tagOf is the build tag that a build was given.
func tagOf(params map[string]string) string {
	for name, value := range params {
		if strings.EqualFold(name, tagParameter) {
			return value
		}
	}
	return ""
}

// askPoll is how often it is looked whether a question was answered.
const askPoll = 200 * time.Millisecond

// confirmAbort asks, on a terminal, whether a campaign that runs in Jenkins
// is to be aborted. Elsewhere, and at another interrupt, it is left running.
func (a *app) confirmAbort(ctx context.Context, board *xterm.Board) bool {
	in, ok := a.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return false
	}
	board.Print("abort the campaign in Jenkins, too? type abort, or press return (or Ctrl-C again) to leave it running")
	for ctx.Err() == nil {
		select {
		case <-a.signals:
			return false
		default:
		}
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(in.Fd()), Events: unix.POLLIN}}, int(askPoll.Milliseconds()))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return false
		}
		if ready > 0 {
			answer, err := bufio.NewReader(in).ReadString('\n')
			return err == nil && strings.TrimSpace(answer) == "abort"
		}
	}
	return false
}

// show shows one event of the build.
func (f *following) show(event jenkins.Event) {
	run := event.Run
	row := xterm.Row{Name: run.Job, State: "running", Detail: event.Phase, Started: run.Started, Expected: run.Expected}
	f.send(event)
	switch event.Kind {
	case jenkins.BuildStarted, jenkins.JobStarted:
		f.board.Set(row)
	case jenkins.JobEnded, jenkins.BuildEnded:
		row.State, row.End = strings.ToLower(run.Result), xterm.Good
		if !run.Good() {
			row.End = xterm.Bad
		}
		f.board.Set(row)
		for _, line := range run.Reason {
			f.board.Print("    " + line)
		}
	case jenkins.PhaseStarted:
		f.board.Print(event.Phase + ":")
	case jenkins.Lost:
		f.board.Print("Jenkins does not answer, it is waited for: " + event.Why)
	case jenkins.Back:
		f.board.Print("Jenkins answers again")
	}
}

// send writes one event of the build for programs.
func (f *following) send(event jenkins.Event) {
	run := event.Run
	line := runEvent{Kind: eventCase, Job: run.Job, Phase: event.Phase, State: "running", Expected: run.Expected.Seconds()}
	switch event.Kind {
	case jenkins.BuildStarted:
		line = runEvent{Kind: eventCampaign, BuildTag: f.tag, Results: viaJenkins, Job: run.Job, Expected: run.Expected.Seconds()}
	case jenkins.PhaseStarted:
		line = runEvent{Kind: eventPhase, Phase: event.Phase}
	case jenkins.JobEnded:
		line.State, line.Detail = strings.ToLower(run.Result), strings.Join(run.Reason, "\n")
	case jenkins.BuildEnded:
		return // there is more to say of its end
	case jenkins.Lost:
		line = runEvent{Kind: eventWaiting, Detail: "Jenkins does not answer, it is waited for: " + event.Why}
	case jenkins.Back:
		line = runEvent{Kind: eventBack, Detail: "Jenkins answers again"}
	}
	f.events.send(line)
}

// printEnd says how a campaign ended: the verdict, and where its archive is.
func (f *following) printEnd(ctx context.Context, site config.Site, outcome jenkins.Outcome) error {
	verdict, link, err := archivedVerdict(ctx, site, f.tag)
	if err != nil {
		fmt.Fprintf(f.app.err, "the campaign's archive cannot be read: %s\n", xterm.PlainLines(err.Error()))
	}
	var jobs endedJobs
	for _, job := range outcome.Jobs {
		if job.Good() {
			jobs.Passed++
		} else {
			jobs.Failed++
		}
	}
	f.events.send(runEvent{Kind: eventEnd, BuildTag: f.tag, campaignEnd: &campaignEnd{
		Jobs: jobs, Result: outcome.Result, archived: &archived{Verdict: testcases.CampaignVerdict(verdict.Verdict), Reasons: verdict.Reasons, Archive: link},
	}})
	if !f.app.json() {
		var text strings.Builder
		fmt.Fprintf(&text, "campaign %s: %s, %d of %s succeeded\n", f.tag, outcome.Result, jobs.Passed, count(len(outcome.Jobs), "job"))
		if link != "" {
			fmt.Fprintf(&text, "verdict: %s\n", verdict.Verdict)
			for _, reason := range verdict.Reasons {
				fmt.Fprintf(&text, "  %s\n", xterm.Plain(reason))
			}
			fmt.Fprintf(&text, "archive: %s\n", link)
		}
		if _, err := fmt.Fprint(f.app.out, text.String()); err != nil {
			return err
		}
	}
	if !outcome.Good() || verdict.Verdict != string(testcases.Conformant) { // what nobody judged is not conformant
		return errNo
	}
	return nil
}

// A verdict is what the report in an archive says.
type verdict struct {
	Verdict string   `json:"verdict"`
	Reasons []string `json:"reasons"`
}

// noReport is said of an archive that has no report in it.
const noReport = "not in the archive: xtci review ZIP tells"

// maxReport is the largest report.json that is read: that of the sample has
// 6 MB.
const maxReport = 256 << 20

// archivedVerdict reads the verdict in a campaign's archive, and says where
// that is downloaded. It takes the archive's word: who doubts it reviews it.
func archivedVerdict(ctx context.Context, site config.Site, tag string) (v verdict, link string, err error) {
	source, err := sourceOfSite(site)
	if err != nil || source == nil {
		return v, "", err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	archive, err := source.store.Open(ctx, artifacts.ArchiveName(tag))
	if err != nil {
		return v, "", err
	}
	defer archive.Close()
	link = source.files + "/" + artifacts.ArchiveName(tag)
	document, _, err := artifacts.OpenMember(archive, archive.Entry().Size, artifacts.ReportJSON)
	if errors.Is(err, fs.ErrNotExist) { // zip_campaign made it (archive.by: container)
		return verdict{Verdict: noReport}, link, nil
	}
	if err != nil {
		return v, link, err
	}
	defer document.Close()
	if err := json.NewDecoder(io.LimitReader(document, maxReport)).Decode(&v); err != nil {
		return v, link, fmt.Errorf("%s of the archive: %w", artifacts.ReportJSON, err)
	}
	return v, link, nil
}
