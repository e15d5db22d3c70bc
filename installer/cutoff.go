package installer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anuket-project/xtci/internal/docker"
)

// explain says what to do when the way up or down was cut off.
func explain(ctx context.Context, err error, way string) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return &interruptedError{way: way, cause: context.Cause(ctx)}
	case errors.Is(err, docker.ErrUnavailable):
		return fmt.Errorf("Docker went away on the way %s: %w\n"+ //nolint:staticcheck // a name
			"what to do: start it (sudo systemctl start docker), then run xtci %s again: it goes on from here", way, err, way)
	}
	return err
}

// An interruptedError is a way up or down that nobody wants any more.
type interruptedError struct {
	way   string
	cause error
}

func (e *interruptedError) Error() string {
	return fmt.Sprintf("on the way %s (xtci %s goes on from here)", e.way, e.way)
}

func (e *interruptedError) Unwrap() error { return e.cause }

// join is errors.Join, but says once that the engine went away.
func join(errs []error) error {
	var kept []error
	away := false
	for _, err := range errs {
		gone := errors.Is(err, docker.ErrUnavailable)
		if !gone || !away {
			kept = append(kept, err)
		}
		away = away || gone
	}
	return errors.Join(kept...)
}

// leftTime is how long the engine may take to end what a run that was cut off
// had asked for.
const leftTime = 10 * time.Second

// create makes a container. One of its name that was not there when the plan
// was made, and is the stack's, is what a run that was cut off had asked for
// and the engine was not done with: it goes.
func (x *execution) create(ctx context.Context, c docker.Container) (id string, err error) {
	waiting, cancel := context.WithTimeout(ctx, leftTime)
	defer cancel()
	for {
		id, err = x.Engine.Create(ctx, c)
		if !errors.Is(err, docker.ErrConflict) {
			return id, err
		}
		there, looked := x.Engine.Container(ctx, c.Name)
		switch {
		case looked == nil && (there.Labels[labelStack] != x.Stack.Name || there.Labels[labelPrefix] != x.Stack.Prefix):
			return "", fmt.Errorf("a container %s is there already and is not of this stack: give the stack another name (--set stack.name=NAME): %w", c.Name, err)
		case looked == nil:
			if err := removeContainer(ctx, x.Engine, there); err != nil {
				return "", err
			}
		case !errors.Is(looked, docker.ErrNotFound): // which has its name, but is not made yet
			return "", looked
		}
		select {
		case <-waiting.Done():
			return "", err
		case <-time.After(firstPause):
		}
	}
}
