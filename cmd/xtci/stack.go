package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/installer"
	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/term"
	"github.com/anuket-project/xtci/testcases"
)

// dial connects to the Docker Engine that the environment names.
func (a *app) dial(ctx context.Context) (*docker.Engine, error) {
	return docker.Connect(ctx, docker.Options{Environ: a.environ})
}

// stack is what the site wants, on an engine.
func (a *app) stack(site config.Site, engine *docker.Engine) (*installer.Stack, error) {
	own, err := a.ownImage()
	if err != nil {
		return nil, err
	}
	catalog, err := testcases.Load(site.Release)
	if err != nil {
		return nil, usage(err)
	}
	cases := installer.Cases{}
	for i := range catalog.Cases {
		c := &catalog.Cases[i]
		cases[c.Project] = append(cases[c.Project], c.Name)
	}
	stack, err := installer.NewStack(site, installer.Host{
		Version: toolVersion(), Own: own, Socket: engine.SocketPath(), Environ: a.environ,
		UID: os.Getuid(), GID: os.Getgid(),
	}, cases)
	return stack, refused(err)
}

// A cachedImage is xtci's own image, once it has been asked for: to read the
// whole binary takes a moment.
type cachedImage struct {
	once  sync.Once
	image installer.OwnImage
	err   error
}

// ownImage is xtci's own image, of the binary that runs.
func (a *app) ownImage() (installer.OwnImage, error) {
	a.own.once.Do(func() {
		binary, err := os.Executable()
		if err != nil {
			a.own.err = fmt.Errorf("find xtci's own binary: %w", err)
			return
		}
		a.own.image, a.own.err = installer.NewOwnImage(binary)
	})
	return a.own.image, a.own.err
}

// refused marks what must not be done as it was asked for as wrong use.
func refused(err error) error {
	if _, ok := errors.AsType[*installer.RefusedError](err); ok {
		return usage(err)
	}
	return err
}

// boardOf shows the steps of services on a board.
func boardOf(board *term.Board) func(installer.Event) {
	return func(event installer.Event) {
		row := term.Row{Name: event.Service, State: string(event.State), Detail: event.Detail, Done: event.Done, Total: event.Total, Bytes: true}
		switch event.State {
		case installer.StateMaking:
			row.State, row.Detail = "making", "image "+event.Detail
		case installer.StateWaiting:
			row.State, row.Detail = "waiting", "for "+event.Detail
		case installer.StateHealthy:
			row.End, row.Detail = term.Good, "" // where it is is printed at the end, for all
		case installer.StateRemoved:
			row.End = term.Good
		case installer.StateUnchanged:
			row.End, row.Detail = term.Same, ""
		case installer.StateFailed, installer.StateInterrupted:
			row.End = term.Bad
		}
		board.Set(row)
	}
}
