package jenkins

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/bndr/gojenkins"
)

// Requirements are what a Jenkins must have.
type Requirements struct {
	Plugins []Requirement
	// MultiJobs says that campaigns run: a MultiJob takes an executor itself.
	MultiJobs bool
}

// Requirements returns what the graph needs.
func (g Graph) Requirements() Requirements {
	return Requirements{
		Plugins:   g.Plugins(),
		MultiJobs: slices.ContainsFunc(g.Jobs, func(j Job) bool { return j.Kind == KindMultiJob }),
	}
}

// A Problem is what keeps jobs from working.
type Problem struct {
	// What is wrong, and what needs it to be right.
	What string `json:"what"`
	// Advice says what to do.
	Advice string `json:"advice,omitempty"`
}

func (p Problem) String() string {
	if p.Advice == "" {
		return p.What
	}
	return p.What + ": " + p.Advice
}

// Check says what keeps a Jenkins from running jobs: permissions that the user
// lacks, plugins that are missing or switched off, each with what needs it. A
// missing plugin must be asked for: Jenkins takes jobs that need it, and drops
// what it does not know when the job is next saved (spec/jenkins.md).
//
// The error is for a Jenkins that cannot be asked: it is not there, still
// starting, none at all, or refuses the password.
func (c *Client) Check(ctx context.Context, need Requirements) ([]Problem, error) {
	var root struct{ Mode string }
	a, err := c.requester.getJSON(ctx, "", url.Values{"tree": {"mode"}}, &root)
	if err == nil && a.header.Get("X-Jenkins") == "" {
		err = fmt.Errorf("%w: the answer has no header X-Jenkins (is the prefix right?)", ErrNotJenkins)
	}
	if err != nil {
		return nil, fmt.Errorf("ask Jenkins at %s: %w", c.URL(), err)
	}
	var problems []Problem
	for _, check := range []func(context.Context, Requirements) ([]Problem, error){c.checkPermissions, c.checkPlugins, c.checkExecutors} {
		found, err := check(ctx, need)
		if err != nil {
			return problems, fmt.Errorf("ask Jenkins at %s: %w", c.URL(), err)
		}
		problems = append(problems, found...)
	}
	return problems, nil
}

// checkPermissions asks whether the user may create jobs, by a request that
// creates none: without a name it is bad for who may, and forbidden for who
// may not.
func (c *Client) checkPermissions(ctx context.Context, _ Requirements) ([]Problem, error) {
	_, err := c.requester.send(ctx, call{method: http.MethodPost, path: "/createItem", contentType: xmlType})
	switch {
	case hasStatus(err, http.StatusBadRequest):
		return nil, nil
	case hasStatus(err, http.StatusForbidden):
		refused, _ := errors.AsType[*StatusError](err)
		who := "the user " + c.requester.user
		if c.requester.user == "" {
			who = "nobody is logged in, who"
		}
		return []Problem{{
			What:   fmt.Sprintf("%s may not create jobs (%s)", who, refused.Message),
			Advice: "log in with a user who has Job/Create, Job/Configure, Job/Read, Job/Build and Job/Cancel",
		}}, nil
	case err == nil:
		return nil, errors.New("POST /createItem: Jenkins took a job that has no name")
	}
	return nil, err
}

// checkPlugins asks for the plugins that are needed.
func (c *Client) checkPlugins(ctx context.Context, need Requirements) ([]Problem, error) {
	if len(need.Plugins) == 0 {
		return nil, nil
	}
	plugins, err := c.jenkins.GetPlugins(ctx, 1)
	if hasStatus(err, http.StatusForbidden, http.StatusNotFound) {
		return []Problem{{
			What:   "which plugins there are cannot be asked for: " + err.Error(),
			Advice: "use a user with Overall/Administer or Overall/SystemRead",
		}}, nil
	}
	if err != nil {
		return nil, err
	}
	var problems []Problem
	for _, n := range need.Plugins {
		i := slices.IndexFunc(plugins.Raw.Plugins, func(p gojenkins.Plugin) bool { return p.ShortName == n.Plugin })
		switch {
		case i < 0:
			problems = append(problems, Problem{
				What:   fmt.Sprintf("the plugin %s is missing, needed by %s", n.Plugin, n.NeededBy),
				Advice: "install it in Manage Jenkins, Plugins",
			})
		case !plugins.Raw.Plugins[i].Enabled || !plugins.Raw.Plugins[i].Active:
			problems = append(problems, Problem{
				What:   fmt.Sprintf("the plugin %s is switched off or could not be loaded, needed by %s", n.Plugin, n.NeededBy),
				Advice: "switch it on in Manage Jenkins, Plugins, and restart Jenkins",
			})
		}
	}
	return problems, nil
}

// checkExecutors wants two: with one, a MultiJob waits for its jobs for ever,
// and they wait for its executor.
func (c *Client) checkExecutors(ctx context.Context, need Requirements) ([]Problem, error) {
	if !need.MultiJobs {
		return nil, nil
	}
	var computers struct{ TotalExecutors int }
	if err := c.get(ctx, "/computer", "totalExecutors", &computers); err != nil {
		return nil, err
	}
	if computers.TotalExecutors >= 2 {
		return nil, nil
	}
	return []Problem{{
		What:   fmt.Sprintf("Jenkins has %d executors, and a campaign takes one itself: its jobs would wait for ever", computers.TotalExecutors),
		Advice: "set at least 2 in Manage Jenkins, Nodes, Built-In Node",
	}}, nil
}
