package main

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
)

func TestConnectionsOfOtherNetworksAreNotTaken(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	only := netListener{listener, netip.MustParsePrefix("127.1.0.0/16")}
	dial := func(from string) net.Conn {
		t.Helper()
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		conn, err := dialer.DialContext(t.Context(), "tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	other, own := dial("127.2.0.9"), dial("127.1.0.9")
	taken, err := only.Accept()
	if err != nil || taken.RemoteAddr().String() != own.LocalAddr().String() {
		t.Fatalf("taken: %v, %v", taken, err)
	}
	if _, err := other.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the other connection: %v", err)
	}
}
