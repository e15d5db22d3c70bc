package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

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
	return a.serveResults(ctx, "127.0.0.1:0", netip.MustParsePrefix("127.0.0.0/8"))
}

// serveResults serves the toolchain's test DB on an address, to who is in a
// network.
func (a *app) serveResults(ctx context.Context, address string, to netip.Prefix) (_ *localTestDB, err error) {
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
	listener = netListener{listener, to}
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

// A netListener takes connections of one network and of this host alone:
// containers of other networks reach this one's gateway, too.
type netListener struct {
	net.Listener
	from netip.Prefix
}

// Accept implements net.Listener.
func (l netListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.takes(conn.RemoteAddr()) {
			return conn, nil
		}
		_ = conn.Close() // nobody is told why
	}
}

func (l netListener) takes(peer net.Addr) bool {
	address, err := netip.ParseAddrPort(peer.String())
	if err != nil {
		return false
	}
	if l.from.Contains(address.Addr().Unmap()) {
		return true
	}
	own, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(own, func(a net.Addr) bool {
		prefix, err := netip.ParsePrefix(a.String())
		return err == nil && prefix.Addr() == address.Addr().Unmap()
	})
}
