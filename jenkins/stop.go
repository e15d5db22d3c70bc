package jenkins

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

const (
	// stopTime is how long an aborted MultiJob may take to end: it waits 20 s
	// for its jobs.
	stopTime = 45 * time.Second
	// stopPoll is how often it is looked.
	stopPoll = 250 * time.Millisecond
)

// Stop aborts a build, and what a MultiJob started with it. MultiJob itself
// leaves some of that: jobs that wait in the queue begin all the same, and the
// job that runs in a sequential phase goes on. It returns when the build has
// ended; jobs may still be cleaning up.
func (c *Client) Stop(ctx context.Context, b Build) error {
	// Before the executors of those that are aborted are free for them.
	if err := c.cancelJobs(ctx, b); err != nil && !hasStatus(err, http.StatusForbidden) {
		return fmt.Errorf("stop the jobs of %s: %w", b, err)
	}
	if err := c.interrupt(ctx, b); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	for {
		info, err := c.build(ctx, b, multiJobTree)
		if err == nil {
			err = c.cancelJobs(ctx, b)
		}
		switch {
		case hasStatus(err, http.StatusNotFound):
			return nil // it was deleted meanwhile
		case err != nil && !transient(err):
			return fmt.Errorf("stop the jobs of %s: %w", b, err)
		case err == nil && !info.running():
			return c.stopJobs(ctx, b, info)
		}
		if err := pause(ctx, stopPoll); err != nil {
			return fmt.Errorf("stop %s: it was told to stop, and still runs: %w", b, err)
		}
	}
}

// interrupt aborts a build alone. It is not told twice: the second time would
// keep Jenkins from waiting for the processes that clean up.
func (c *Client) interrupt(ctx context.Context, b Build) error {
	_, err := c.requester.send(ctx, call{method: http.MethodPost, path: b.path() + "/stop", redirect: true})
	if err != nil {
		return fmt.Errorf("stop %s: %w", b, err)
	}
	return nil
}

// cancelJobs takes the jobs of a MultiJob's build out of the queue.
func (c *Client) cancelJobs(ctx context.Context, parent Build) error {
	var queue struct {
		Items []struct {
			ID      int
			Actions []struct {
				Causes []struct {
					UpstreamProject string
					UpstreamBuild   int
				}
			}
		}
	}
	if err := c.get(ctx, "/queue", "items[id,actions[causes[upstreamProject,upstreamBuild]]]", &queue); err != nil {
		return err
	}
	for _, item := range queue.Items {
		for _, action := range item.Actions {
			for _, cause := range action.Causes {
				if (Build{cause.UpstreamProject, cause.UpstreamBuild}) != parent {
					continue
				}
				if err := c.cancelItem(ctx, item.ID); err != nil && !hasStatus(err, http.StatusNotFound, http.StatusInternalServerError) {
					return err
				}
			}
		}
	}
	return nil
}

// stopJobs aborts what a MultiJob's build left running.
func (c *Client) stopJobs(ctx context.Context, parent Build, info buildInfo) error {
	var failed []error
	for _, sub := range info.SubBuilds {
		b := Build{sub.JobName, sub.BuildNumber}
		if sub.Abort || sub.BuildNumber == 0 {
			continue // it has been told
		}
		child, err := c.build(ctx, b, "building,inProgress")
		if err == nil && child.running() {
			err = c.interrupt(ctx, b)
		}
		if err != nil && !hasStatus(err, http.StatusNotFound) {
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("stop the jobs of %s: %w", parent, errors.Join(failed...))
	}
	return nil
}

// cancelItem takes an item out of the queue.
func (c *Client) cancelItem(ctx context.Context, id int) error {
	_, err := c.requester.send(ctx, call{
		method: http.MethodPost, path: "/queue/cancelItem", query: url.Values{"id": {fmt.Sprint(id)}}, contentType: formType, redirect: true,
	})
	return err
}
