package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/anuket-project/xtci/installer/testdb"
)

// A localTestDB is the test DB within this process, for a campaign without a
// stack. It listens on loopback while the campaign runs, and keeps results
// where the stack's does.
type localTestDB struct {
	*testdb.Client
	url  string // .../api/v1/results
	stop func() error
}

func (a *app) startTestDB(ctx context.Context) (*localTestDB, error) {
	return a.serveResults(ctx, "127.0.0.1:0")
}

// serveResults serves the toolchain's test DB on an address.
func (a *app) serveResults(ctx context.Context, address string) (_ *localTestDB, err error) {
	store, err := a.openTestDB(ctx, "")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, store.Close())
		}
	}()
	server, err := newTestDB(a, store, serveTestDBOptions{})
	if err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for the test DB: %w", err)
	}
	url := "http://" + listener.Addr().String() + "/api/v1/results"
	client, err := testdb.NewClient(url, testdb.ClientOptions{})
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	a.log.Info("the test DB runs within this process", "url", "http://"+listener.Addr().String()+"/")
	// It outlives an interrupt: what ran is still to be kept.
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(serving, listener) }()
	return &localTestDB{Client: client, url: url, stop: func() error {
		cancel()
		return errors.Join(<-ended, store.Close())
	}}, nil
}

// Close stops the server when the requests in flight are done.
func (l *localTestDB) Close() error { return l.stop() }
