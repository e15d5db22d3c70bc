package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// Wait waits until a container's process ends, and says how. It may be called
// before the container is started, and after it ended. A container that is
// removed meanwhile is ErrNotFound if nobody saw how it ended.
func (e *Engine) Wait(ctx context.Context, id string) (Exit, error) {
	exit, err := e.wait(ctx, id)
	if err != nil {
		return Exit{}, wrap(err, "wait for container %s", id)
	}
	return exit, nil
}

func (e *Engine) wait(ctx context.Context, id string) (Exit, error) {
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	// Registered first, looked at after: an end in between is seen by one of
	// both. The request is with the engine when the call returns.
	ended, failed := e.api.ContainerWait(waiting, id, container.WaitConditionNextExit)
	select {
	case err := <-failed:
		return Exit{}, err
	default:
	}
	state, err := e.Container(ctx, id)
	if err != nil || over(state) {
		cancel()
		select { // the library's goroutine hands over what it has, then ends
		case <-ended:
		case <-failed: //nolint:errcheck // of a question that nobody asks any more
		}
		return Exit{Code: state.ExitCode, OOMKilled: state.OOMKilled, Error: state.Error}, err
	}
	select {
	case err := <-failed:
		return Exit{}, err
	case answer := <-ended:
		exit := Exit{Code: int(answer.StatusCode)}
		if answer.Error != nil {
			exit.Error = answer.Error.Message
		}
		state, err := e.Container(ctx, id)
		switch {
		case errors.Is(err, ErrNotFound):
			return exit, nil // removed since
		case err != nil:
			return Exit{}, err
		}
		exit.OOMKilled = state.OOMKilled
		return exit, nil
	}
}

// over says that a container's process has ended, or could not be started.
func over(s ContainerState) bool {
	return s.Status == "exited" || s.Status == "dead" || s.Status == "created" && s.Error != ""
}

// Logs writes what a container wrote. With Follow it goes on until the
// container's process ends, or the context does, which is an error.
func (e *Engine) Logs(ctx context.Context, id string, opts LogOptions) error {
	ask := container.LogsOptions{
		ShowStdout: opts.Stdout != nil, ShowStderr: opts.Stderr != nil,
		Follow: opts.Follow, Timestamps: opts.Times, Tail: "all",
	}
	if opts.Tail > 0 {
		ask.Tail = strconv.Itoa(opts.Tail)
	}
	if !opts.Since.IsZero() {
		ask.Since = opts.Since.UTC().Format(time.RFC3339Nano)
	}
	if !ask.ShowStdout && !ask.ShowStderr {
		return nil
	}
	stream, err := e.api.ContainerLogs(ctx, id, ask)
	if err != nil {
		return wrap(err, "read the log of container %s", id)
	}
	defer stream.Close()
	stdout, stderr := &sink{to: opts.Stdout}, &sink{to: opts.Stderr}
	_, err = stdcopy.StdCopy(stdout, stderr, stream)
	if own := cmp.Or(stdout.err, stderr.err); own != nil {
		return fmt.Errorf("write the log of container %s: %w", id, own)
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return wrap(err, "read the log of container %s", id)
}
