package jenkins

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Results of builds, as Jenkins has them.
const (
	ResultSuccess  = "SUCCESS"
	ResultUnstable = "UNSTABLE"
	ResultFailure  = "FAILURE"
	ResultAborted  = "ABORTED"
	ResultNotBuilt = "NOT_BUILT"
	// ResultUnknown is of a job that still ran when it was waited for no
	// longer. Jenkins does not have it.
	ResultUnknown = "UNKNOWN"
)

// A Queued is a build that was asked for and waits for its turn.
type Queued struct {
	Job    string            `json:"job"`
	ID     int               `json:"id"` // in the queue
	Params map[string]string `json:"params,omitempty"`
}

// A Build is a build of a job.
type Build struct {
	Job    string `json:"job"`
	Number int    `json:"number"`
}

func (b Build) String() string { return fmt.Sprintf("%s #%d", b.Job, b.Number) }

func (b Build) path() string { return fmt.Sprintf("%s/%d", jobPath(b.Job), b.Number) }

// BuildURL returns the page of a build.
func (c *Client) BuildURL(b Build) string {
	u := *c.requester.base
	u.Path += b.path() + "/"
	return u.String()
}

// ValidTag is what the random-string parameter, build_tag, accepts: a build
// with anything else fails (spec/jenkins.md).
func ValidTag(tag string) bool { return validTag.MatchString(tag) }

var validTag = regexp.MustCompile(`^[a-zA-Z0-9_,-]{8,}$`)

// A ParameterInfo is a parameter that a job has.
type ParameterInfo struct {
	Name    string `json:"name"`
	Type    string `json:"type"` // such as StringParameterDefinition
	Default string `json:"default,omitempty"`
}

// A jobInfo is what a trigger must know of a job.
type jobInfo struct {
	Buildable bool
	Property  []struct {
		ParameterDefinitions []struct {
			Name                  string
			Type                  string
			DefaultParameterValue struct{ Value any }
		}
	}
}

func (i jobInfo) parameters() []ParameterInfo {
	var list []ParameterInfo
	for _, property := range i.Property {
		for _, d := range property.ParameterDefinitions {
			p := ParameterInfo{Name: d.Name, Type: d.Type}
			if d.DefaultParameterValue.Value != nil && d.Type != randomType {
				p.Default = fmt.Sprint(d.DefaultParameterValue.Value)
			}
			list = append(list, p)
		}
	}
	return list
}

const (
	randomType = "RandomStringParameterDefinition"
	jobTree    = "buildable,property[parameterDefinitions[name,type,defaultParameterValue[value]]]"
)

// Parameters returns those of a job. Of a random one there is no default.
func (c *Client) Parameters(ctx context.Context, job string) ([]ParameterInfo, error) {
	var info jobInfo
	if err := c.get(ctx, jobPath(job), jobTree, &info); err != nil {
		return nil, fmt.Errorf("ask for the parameters of %s: %w", job, err)
	}
	return info.parameters(), nil
}

// Trigger asks for a build of a job. It is refused here when Jenkins would
// pass over a parameter that the job does not have, or fail the build for a
// tag that is none. If the answer is lost, the build is looked for by its
// random-string parameter, which nobody else's has.
func (c *Client) Trigger(ctx context.Context, job string, params map[string]string) (Queued, error) {
	var info jobInfo
	if err := c.get(ctx, jobPath(job), jobTree, &info); err != nil {
		if hasStatus(err, http.StatusNotFound) {
			err = fmt.Errorf("there is no such job, or it is not shown to this user (xtci jobs apply makes it): %w", err)
		}
		return Queued{}, fmt.Errorf("start %s: %w", job, err)
	}
	if err := info.accepts(params); err != nil {
		return Queued{}, fmt.Errorf("start %s: %w", job, err)
	}
	request := call{method: http.MethodPost, path: jobPath(job) + "/build", query: url.Values{"delay": {"0sec"}}, contentType: formType}
	if len(info.parameters()) > 0 {
		form := url.Values{}
		for name, value := range params {
			form.Set(name, value)
		}
		request.path, request.body = jobPath(job)+"/buildWithParameters", []byte(form.Encode())
	}
	queued := Queued{Job: job, Params: params}
	a, err := c.requester.send(ctx, request)
	if err != nil {
		if found, ok := c.recover(ctx, info, queued, err); ok {
			return found, nil
		}
		return Queued{}, fmt.Errorf("start %s: %w", job, err)
	}
	id, ok := itemOf(a.header.Get("Location"))
	if !ok {
		return Queued{}, fmt.Errorf("start %s: Jenkins answered %d, and not where in the queue it is", job, a.code)
	}
	queued.ID = id
	return queued, nil
}

// accepts says whether a job takes these parameters.
func (i jobInfo) accepts(params map[string]string) error {
	if !i.Buildable {
		return errors.New("the job is disabled")
	}
	known := i.parameters()
	for _, name := range slices.Sorted(maps.Keys(params)) {
		at := slices.IndexFunc(known, func(p ParameterInfo) bool { return p.Name == name })
		if at < 0 {
			var names []string
			for _, p := range known {
				names = append(names, p.Name)
			}
			return fmt.Errorf("it has no parameter %s (it has %s)", name, strings.Join(names, ", "))
		}
		if known[at].Type == randomType && !ValidTag(params[name]) {
			return fmt.Errorf("%s=%.40q is no tag: at least 8 letters, digits, commas, dashes and underscores", name, params[name])
		}
	}
	return nil
}

// recover looks for a build whose trigger got no answer.
func (c *Client) recover(ctx context.Context, info jobInfo, asked Queued, failed error) (Queued, bool) {
	if !transient(failed) || ctx.Err() != nil {
		return Queued{}, false
	}
	for _, p := range info.parameters() {
		tag, given := asked.Params[p.Name]
		if p.Type != randomType || !given {
			continue
		}
		if found, err := c.findQueued(ctx, asked.Job, p.Name, tag); err == nil {
			found.Params = asked.Params
			return found, true
		}
	}
	return Queued{}, false
}

// An action of a build or a queue item.
type action struct {
	Parameters []struct {
		Name  string
		Value any
	}
	Causes []struct{ ShortDescription string }
}

// params are the parameters in actions.
func params(actions []action) map[string]string {
	found := map[string]string{}
	for _, a := range actions {
		for _, p := range a.Parameters {
			if p.Value != nil {
				found[p.Name] = fmt.Sprint(p.Value)
			}
		}
	}
	return found
}

// findQueued looks for the queue item of a build with a parameter: in the
// queue, and in the builds that were made of it.
func (c *Client) findQueued(ctx context.Context, job, name, value string) (Queued, error) {
	var queue struct {
		Items []struct {
			ID      int
			Task    struct{ Name string }
			Actions []action
		}
	}
	if err := c.get(ctx, "/queue", "items[id,task[name],actions[parameters[name,value]]]", &queue); err != nil {
		return Queued{}, err
	}
	for _, item := range queue.Items {
		if item.Task.Name == job && params(item.Actions)[name] == value {
			return Queued{Job: job, ID: item.ID}, nil
		}
	}
	builds, err := c.recent(ctx, job)
	if err != nil {
		return Queued{}, err
	}
	for _, b := range builds {
		if params(b.Actions)[name] == value {
			return Queued{Job: job, ID: b.QueueID}, nil
		}
	}
	return Queued{}, ErrGone
}

// A recentBuild is one of a job's newest builds.
type recentBuild struct {
	Number     int
	QueueID    int
	InProgress *bool
	Building   bool
	Actions    []action
}

// running says whether it has not really ended.
func (b recentBuild) running() bool {
	if b.InProgress != nil {
		return *b.InProgress
	}
	return b.Building
}

// recent returns the newest builds of a job, the newest first.
func (c *Client) recent(ctx context.Context, job string) ([]recentBuild, error) {
	var info struct{ Builds []recentBuild }
	err := c.get(ctx, jobPath(job), "builds[number,queueId,building,inProgress,actions[parameters[name,value]]]{0,50}", &info)
	return info.Builds, err
}

// Find returns the newest build of a job with a parameter, such as build_tag;
// without a name, the newest that runs. It is ErrGone when there is none.
func (c *Client) Find(ctx context.Context, job, name, value string) (Build, error) {
	builds, err := c.recent(ctx, job)
	if err != nil {
		return Build{}, fmt.Errorf("look for a build of %s: %w", job, err)
	}
	for _, b := range builds {
		if name == "" && b.running() || name != "" && params(b.Actions)[name] == value {
			return Build{job, b.Number}, nil
		}
	}
	if name == "" {
		return Build{}, fmt.Errorf("no build of %s is running: %w", job, ErrGone)
	}
	return Build{}, fmt.Errorf("no build of %s has %s=%s: %w", job, name, value, ErrGone)
}

// An itemInfo is an item of the queue.
type itemInfo struct {
	Class      string `json:"_class"`
	Why        string
	Cancelled  bool
	Executable *struct{ Number int }
}

const itemTree = "why,cancelled,executable[number]"

// item asks for an item of the queue. One that Jenkins has forgotten, as it
// does some minutes after it became a build, is looked for among the builds.
func (c *Client) item(ctx context.Context, q Queued) (itemInfo, error) {
	var info itemInfo
	err := c.get(ctx, fmt.Sprintf("/queue/item/%d", q.ID), itemTree, &info)
	if !hasStatus(err, http.StatusNotFound) {
		return info, err
	}
	builds, err := c.recent(ctx, q.Job)
	if err != nil {
		return itemInfo{}, err
	}
	for _, b := range builds {
		if b.QueueID == q.ID {
			return itemInfo{Executable: &struct{ Number int }{b.Number}}, nil
		}
	}
	return itemInfo{}, ErrGone
}

// Await waits until a build begins. Waiting is told why it does not yet,
// whenever that changes; it may be nil. It survives a Jenkins that is away, as
// Follow does.
func (c *Client) Await(ctx context.Context, q Queued, o FollowOptions, waiting func(why string)) (Build, error) {
	o = o.withDefaults()
	w := &watch{client: c, options: o, emit: func(Event) {}}
	last := ""
	for {
		var info itemInfo
		err := w.persist(ctx, func() (err error) {
			info, err = c.item(ctx, q)
			return err
		})
		switch {
		case err != nil:
			return Build{}, fmt.Errorf("wait for %s in the queue: %w", q.Job, err)
		case info.Executable != nil:
			return Build{q.Job, info.Executable.Number}, nil
		case info.Cancelled:
			return Build{}, fmt.Errorf("wait for %s in the queue: %w", q.Job, ErrCancelled)
		}
		if why := reasonOf(info.Why); why != last && waiting != nil {
			last = why
			waiting(info.Why)
		}
		if err := pause(ctx, o.Poll); err != nil {
			return Build{}, fmt.Errorf("wait for %s in the queue: %w", q.Job, err)
		}
	}
}

var countdown = regexp.MustCompile(`[0-9.]+ (ms|sec|min|hr|days?)( [0-9]+ (sec|min|hr))?`)

// reasonOf is why an item waits, without the times in it, which always change.
func reasonOf(why string) string { return countdown.ReplaceAllString(why, "…") }

// pause waits, or until the context is done.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Cancel takes a build that waits out of the queue. If it has begun meanwhile,
// it is stopped.
func (c *Client) Cancel(ctx context.Context, q Queued) error {
	err := c.cancelItem(ctx, q.ID)
	if !hasStatus(err, http.StatusNotFound, http.StatusInternalServerError) {
		if err != nil {
			err = fmt.Errorf("take %s out of the queue: %w", q.Job, err)
		}
		return err
	}
	info, err := c.item(ctx, q)
	switch {
	case err != nil:
		return fmt.Errorf("take %s out of the queue: %w", q.Job, err)
	case info.Executable != nil:
		return c.Stop(ctx, Build{q.Job, info.Executable.Number})
	}
	return nil
}
