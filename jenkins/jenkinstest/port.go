package jenkinstest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// A port is a TCP port that stays ours while nobody listens on it, so that
// connections are refused as they are while Jenkins starts.
type port struct {
	address string
	holder  int // a socket that is bound and does not listen
}

// reserve binds an address.
func reserve(address string) (*port, error) {
	tcp, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return nil, err
	}
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	local := &unix.SockaddrInet4{Port: tcp.Port}
	copy(local.Addr[:], tcp.IP.To4())
	err = share(socket)
	if err == nil {
		err = unix.Bind(socket, local)
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(socket))
	}
	bound, err := unix.Getsockname(socket)
	inet, ok := bound.(*unix.SockaddrInet4)
	if err != nil || !ok {
		return nil, errors.Join(fmt.Errorf("the address of a socket: %T", bound), err, unix.Close(socket))
	}
	return &port{(&net.TCPAddr{IP: net.IP(inet.Addr[:]), Port: inet.Port}).String(), socket}, nil
}

// share lets the sockets of this process be bound to one port.
func share(socket int) error {
	return errors.Join(
		unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1),
	)
}

// listen accepts connections on the port.
func (p *port) listen(ctx context.Context) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var shared error
		err := raw.Control(func(fd uintptr) { shared = share(int(fd)) })
		return errors.Join(err, shared)
	}}
	return config.Listen(ctx, "tcp4", p.address)
}

// Close gives the port back.
func (p *port) Close() error { return unix.Close(p.holder) }
