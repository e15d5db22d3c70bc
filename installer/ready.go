package installer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/anuket-project/xtci/internal/docker"
)

const (
	probeTime  = 5 * time.Second // for one question whether a service is ready
	firstPause = 20 * time.Millisecond
	longPause  = 500 * time.Millisecond
	// maxRestarts of a container that dies at its start, after which waiting
	// is given up.
	maxRestarts = 3
)

// waitReady asks a service whether it is ready until it is, its container has
// died, or its time is over. The container's id is "" for a service that
// somebody else runs; restarts are those that it had before.
func (x *execution) waitReady(ctx context.Context, service *Service, id string, restarts int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, service.Timeout, errTimeout)
	defer cancel()
	started := time.Now()
	var last error
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		probe, done := context.WithTimeout(ctx, probeTime)
		err := service.Ready(probe)
		done()
		if err == nil {
			return nil
		}
		if context.Cause(ctx) == nil || last == nil {
			last = err // and not that the time was over
		}
		if permanent(err) {
			return err
		}
		if id != "" && ctx.Err() == nil {
			if err := x.alive(ctx, id, restarts); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), errTimeout) {
				return fmt.Errorf("not healthy after %s: %w", time.Since(started).Round(time.Second), last)
			}
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

var errTimeout = errors.New("its time is over")

// permanent says whether waiting does not help.
func permanent(err error) bool {
	var p interface{ Permanent() bool }
	return errors.As(err, &p) && p.Permanent()
}

// alive returns an error when a container has died and is not coming back.
func (x *execution) alive(ctx context.Context, id string, restarts int) error {
	container, err := x.Engine.Container(ctx, id)
	switch {
	case errors.Is(err, docker.ErrNotFound):
		return errors.New("its container was removed while it started")
	case err != nil:
		return err
	case container.Status == "exited" || container.Status == "dead" || container.Restarts >= restarts+maxRestarts:
		how := fmt.Sprintf("exit code %d", container.ExitCode)
		if container.OOMKilled {
			how = "it needs more memory than its limit: raise stack." + container.Labels[labelService] + ".memory"
		}
		if container.Error != "" {
			how += ", " + container.Error
		}
		return fmt.Errorf("its container died at its start (%s)", how)
	}
	return nil
}

// A ServiceError is a service that did not come up.
type ServiceError struct {
	Service string
	Err     error
	// Log is the end of its container's log.
	Log []string
}

func (e *ServiceError) Error() string {
	text := e.Service + ": " + e.Err.Error()
	if len(e.Log) > 0 {
		text += "\nthe end of its log:\n  " + strings.Join(e.Log, "\n  ")
	}
	return text
}

func (e *ServiceError) Unwrap() error { return e.Err }

// logTail is how many lines of a log an error has.
const logTail = 20

// fail makes an error of what happened to a service, with the end of its log
// where there is one.
func (x *execution) fail(ctx context.Context, service *Service, id string, err error) error {
	if errors.Is(err, docker.ErrNoSpace) {
		err = fmt.Errorf("%w\nwhat to do: make room on the disk of Docker (docker system df shows what is on it), then run xtci up again", err)
	}
	failed := &ServiceError{Service: service.Name, Err: err}
	if id == "" || errors.Is(err, docker.ErrUnavailable) || ctx.Err() != nil {
		return failed
	}
	reading, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTime)
	defer cancel()
	var log strings.Builder
	if err := x.Engine.Logs(reading, id, docker.LogOptions{Tail: logTail, Stdout: &log, Stderr: &log}); err == nil && log.Len() > 0 {
		failed.Log = strings.Split(strings.TrimRight(log.String(), "\n"), "\n")
	}
	return failed
}
