package jenkins

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	// defaultPoll is how often a build is asked for.
	defaultPoll = 2 * time.Second
	// defaultAway is how long a Jenkins may be away: a restart from cold takes
	// a minute (spec/jenkins.md), that of a busy host longer.
	defaultAway = 15 * time.Minute
	// defaultLinger is how long jobs are waited for whose MultiJob has ended:
	// stopping a container takes its time.
	defaultLinger = time.Minute
	// goneTries is how often in a row Jenkins must say that a build is not
	// there.
	goneTries = 3
)

// FollowOptions say how a build is followed.
type FollowOptions struct {
	// Poll is how often Jenkins is asked, 2 s if zero.
	Poll time.Duration
	// Away is how long Jenkins may be away until it is given up, 15 min if
	// zero.
	Away time.Duration
	// Linger is how long jobs are waited for that still run when their
	// MultiJob has ended: 1 min if zero. An aborted one does not wait for its
	// jobs.
	Linger time.Duration
	// Tail is how many lines of a failed job's console are its reason: 10 if
	// zero.
	Tail int
}

func (o FollowOptions) withDefaults() FollowOptions {
	if o.Poll <= 0 {
		o.Poll = defaultPoll
	}
	if o.Away <= 0 {
		o.Away = defaultAway
	}
	if o.Linger <= 0 {
		o.Linger = defaultLinger
	}
	if o.Tail <= 0 {
		o.Tail = defaultTail
	}
	return o
}

// An EventKind is what has happened.
type EventKind string

// The kinds of events.
const (
	// BuildStarted is the build that is followed: it is told of first.
	BuildStarted EventKind = "build-started"
	// PhaseStarted is the first job of a phase of a MultiJob.
	PhaseStarted EventKind = "phase-started"
	// JobStarted and JobEnded are a job of a phase.
	JobStarted EventKind = "job-started"
	JobEnded   EventKind = "job-ended"
	// BuildEnded is the build that is followed: it is told of last.
	BuildEnded EventKind = "build-ended"
	// Lost is a Jenkins that does not answer, and Back one that does again.
	Lost EventKind = "lost"
	Back EventKind = "back"
)

// An Event is what has happened while a build is followed.
type Event struct {
	Kind  EventKind `json:"kind"`
	Phase string    `json:"phase,omitempty"`
	Run   Run       `json:"run"`
	// Why is why Jenkins is Lost.
	Why string `json:"why,omitempty"`
}

// A Run is a build as it is or was.
type Run struct {
	Build
	Phase string `json:"phase,omitempty"` // in which a MultiJob started it
	// Result is empty while it runs.
	Result string `json:"result,omitempty"`
	// Started is by the clock of this host.
	Started time.Time `json:"started"`
	// Elapsed is how long it took, or has taken yet.
	Elapsed time.Duration `json:"elapsed"`
	// Expected is how long it should take, by past builds: 0 if there are
	// none.
	Expected time.Duration `json:"expected,omitempty"`
	// Reason is the end of its console, when it did not succeed.
	Reason []string `json:"reason,omitempty"`
	// Params are what it was given.
	Params map[string]string `json:"params,omitempty"`
}

// Good says whether it ended well.
func (r Run) Good() bool { return r.Result == ResultSuccess }

// An Outcome is how a build ended that was followed.
type Outcome struct {
	Run
	// Jobs are those that a MultiJob started, in the order in which they were
	// seen.
	Jobs []Run `json:"jobs,omitempty"`
}

// Follow follows a build to its end, and tells of what happens as it does, from
// one goroutine. A Jenkins that restarts or cannot be reached is waited for. A
// build that Jenkins has lost with that is ErrGone.
//
// What ended before Follow was called is told of too, so a build can be
// followed at any time.
func (c *Client) Follow(ctx context.Context, b Build, o FollowOptions, emit func(Event)) (Outcome, error) {
	if emit == nil {
		emit = func(Event) {}
	}
	w := &watch{client: c, options: o.withDefaults(), emit: emit, top: Run{Build: b}, jobs: map[Build]*Run{}}
	for {
		ended, err := w.look(ctx)
		if err != nil {
			return w.outcome(), fmt.Errorf("follow %s: %w", b, err)
		}
		if ended {
			return w.outcome(), nil
		}
		if err := pause(ctx, w.options.Poll); err != nil {
			return w.outcome(), fmt.Errorf("follow %s: %w", b, err)
		}
	}
}

// A watch is a build that is being followed.
type watch struct {
	client  *Client
	options FollowOptions
	emit    func(Event)

	top    Run
	ended  time.Time // since when only jobs are waited for
	jobs   map[Build]*Run
	order  []Build
	phases []string
}

func (w *watch) outcome() Outcome {
	out := Outcome{Run: w.top}
	for _, b := range w.order {
		out.Jobs = append(out.Jobs, *w.jobs[b])
	}
	return out
}

// A buildInfo is what Jenkins says of a build. Times are milliseconds.
type buildInfo struct {
	Building          bool
	InProgress        *bool
	Result            string
	Timestamp         int64
	Duration          int64
	EstimatedDuration int64
	Actions           []action
	SubBuilds         []subBuild

	now time.Time // by Jenkins's clock
}

// A subBuild is one that a phase started.
type subBuild struct {
	JobName     string
	BuildNumber int
	PhaseName   string
	Result      string
	Abort       bool // it was aborted with its MultiJob, and may still run
}

func (b buildInfo) running() bool {
	if b.InProgress != nil {
		return *b.InProgress
	}
	return b.Building
}

const (
	buildTree    = "building,inProgress,result,timestamp,duration,estimatedDuration,actions[parameters[name,value]]"
	multiJobTree = buildTree + ",subBuilds[jobName,buildNumber,phaseName,result,abort]"
)

// build asks for a build.
func (c *Client) build(ctx context.Context, b Build, tree string) (buildInfo, error) {
	var info buildInfo
	request := call{method: http.MethodGet, path: b.path() + "/api/json", query: map[string][]string{"tree": {tree}}}
	a, err := c.requester.once(ctx, request)
	if err != nil {
		return info, err
	}
	if err := decode(request, a, &info); err != nil {
		return info, err
	}
	info.now = time.Now()
	if date, err := http.ParseTime(a.header.Get("Date")); err == nil {
		info.now = date
	}
	return info, nil
}

// update takes over what Jenkins says of a build.
func (r *Run) update(info buildInfo) {
	if r.Started.IsZero() {
		age := max(info.now.Sub(time.UnixMilli(info.Timestamp)), 0)
		r.Started = time.Now().Add(-age)
	}
	r.Elapsed = time.Since(r.Started)
	if info.EstimatedDuration > 0 {
		r.Expected = time.Duration(info.EstimatedDuration) * time.Millisecond
	}
	if given := params(info.Actions); len(given) > 0 {
		r.Params = given
	}
	if !info.running() {
		r.Result = info.Result
		r.Elapsed = time.Duration(info.Duration) * time.Millisecond
	}
}

// look asks for the build once, tells what is new, and says whether it has
// ended.
func (w *watch) look(ctx context.Context) (ended bool, err error) {
	var info buildInfo
	err = w.persist(ctx, func() (err error) {
		info, err = w.client.build(ctx, w.top.Build, multiJobTree)
		return err
	})
	if err != nil {
		return false, err
	}
	first := w.top.Started.IsZero()
	w.top.update(info)
	if first {
		started := w.top
		started.Result = ""
		w.emit(Event{Kind: BuildStarted, Run: started})
	}
	if !info.running() && w.ended.IsZero() {
		w.ended = time.Now()
	}
	pending := false
	for _, sub := range info.SubBuilds {
		running, err := w.lookAt(ctx, sub)
		if err != nil {
			return false, err
		}
		pending = pending || running
	}
	if info.running() || pending && !w.late() {
		return false, nil
	}
	if !w.top.Good() && !w.explained() {
		w.top.Reason = w.client.reason(ctx, w.top.Build, w.options.Tail)
	}
	w.emit(Event{Kind: BuildEnded, Run: w.top})
	return true, nil
}

// late says whether jobs that still run are waited for no longer.
func (w *watch) late() bool { return !w.ended.IsZero() && time.Since(w.ended) > w.options.Linger }

// explained says whether a job that failed says why the build did.
func (w *watch) explained() bool {
	for _, run := range w.jobs {
		if !run.Good() && len(run.Reason) > 0 {
			return true
		}
	}
	return false
}

// lookAt looks at a job of a phase, and says whether it still runs.
func (w *watch) lookAt(ctx context.Context, sub subBuild) (running bool, err error) {
	b := Build{sub.JobName, sub.BuildNumber}
	run, known := w.jobs[b]
	switch {
	case known && run.Result != "":
		return false, nil
	case known && sub.Result == "" && w.ended.IsZero():
		// The MultiJob itself looks every few seconds: no need to ask twice.
		run.Elapsed = time.Since(run.Started)
		return true, nil
	}
	info, err := w.askFor(ctx, sub)
	if err != nil {
		return false, err
	}
	if !known {
		run = &Run{Build: b, Phase: sub.PhaseName}
		w.jobs[b], w.order = run, append(w.order, b)
		w.phase(sub.PhaseName)
	}
	run.update(info)
	if !known {
		started := *run
		started.Result = ""
		w.emit(Event{Kind: JobStarted, Phase: run.Phase, Run: started})
	}
	if info.running() && !w.late() {
		return true, nil
	}
	switch {
	case info.running():
		run.Result, run.Reason = ResultUnknown, []string{"it still runs in Jenkins"}
	case run.Result == "":
		run.Result = ResultAborted // Jenkins was stopped below it
	}
	if run.Reason == nil && !run.Good() && b.Number > 0 {
		run.Reason = w.client.reason(ctx, b, w.options.Tail)
	}
	w.emit(Event{Kind: JobEnded, Phase: run.Phase, Run: *run})
	return false, nil
}

// askFor asks for a job of a phase. One that was taken out of the queue has no
// number, and one that was deleted is what the MultiJob says of it.
func (w *watch) askFor(ctx context.Context, sub subBuild) (info buildInfo, err error) {
	if sub.BuildNumber == 0 {
		return buildInfo{Result: ResultNotBuilt, now: time.Now(), Timestamp: time.Now().UnixMilli()}, nil
	}
	err = w.persist(ctx, func() (err error) {
		info, err = w.client.build(ctx, Build{sub.JobName, sub.BuildNumber}, buildTree)
		return err
	})
	if errors.Is(err, ErrGone) {
		return buildInfo{Result: sub.Result, now: time.Now(), Timestamp: time.Now().UnixMilli()}, nil
	}
	return info, err
}

// phase tells of a phase that was not seen yet.
func (w *watch) phase(name string) {
	for _, known := range w.phases {
		if known == name {
			return
		}
	}
	w.phases = append(w.phases, name)
	w.emit(Event{Kind: PhaseStarted, Phase: name})
}

// persist asks until there is an answer, as long as Jenkins may be away. A
// build or an item that Jenkins says is not there is ErrGone when it says so
// again and again: while it loads its jobs it may not know them yet.
func (w *watch) persist(ctx context.Context, ask func() error) error {
	var lost time.Time
	wait, gone := newBackOff(), 0
	wait.MaxInterval = max(w.options.Poll, wait.MaxInterval)
	for {
		err := ask()
		switch {
		case err == nil:
			if !lost.IsZero() {
				w.emit(Event{Kind: Back})
			}
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case hasStatus(err, http.StatusNotFound) || errors.Is(err, ErrGone):
			if gone++; gone >= goneTries {
				return ErrGone
			}
		case !transient(err):
			return err
		default:
			gone = 0
			if lost.IsZero() {
				lost = time.Now()
				w.emit(Event{Kind: Lost, Why: err.Error()})
			}
			if away := time.Since(lost); away > w.options.Away {
				return fmt.Errorf("no Jenkins for %s: %w", away.Round(time.Second), err)
			}
		}
		if err := pause(ctx, wait.NextBackOff()); err != nil {
			return err
		}
	}
}
