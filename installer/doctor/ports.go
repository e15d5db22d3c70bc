package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// labelStack is on all containers of a stack.
const labelStack = "io.xtci.stack"

// checkBind looks whether ports can be published at the address that is
// asked for.
func checkBind(_ context.Context, p *probe) verdict {
	bind, err := netip.ParseAddr(p.Site.Stack.Bind)
	if err != nil {
		return fail("set stack.bind to an IP address of this host", "%v", err)
	}
	if bind.IsLoopback() {
		return pass("ports are published on %s, for this host alone", bind)
	}
	if bind.IsUnspecified() {
		return pass("ports are published on all addresses of this host")
	}
	if engine, err := p.engine(); err == nil && remote(engine) {
		return skip("Docker runs on another machine, whose addresses are not seen from here")
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return skip("this host's addresses cannot be told: %v", err)
	}
	return bindVerdict(bind, addresses)
}

func bindVerdict(bind netip.Addr, addresses []net.Addr) verdict {
	var have []string
	for _, address := range addresses {
		prefix, err := netip.ParsePrefix(address.String())
		if err != nil {
			continue
		}
		if prefix.Addr().Unmap() == bind.Unmap() {
			return pass("ports are published on %s, which is an address of this host", bind)
		}
		have = append(have, prefix.Addr().String())
	}
	return fail("set stack.bind to one of this host's, or to 0.0.0.0", "%s is no address of this host, which has %s", bind, strings.Join(have, ", "))
}

// checkPort looks whether a port is free, or the stack's own already.
func checkPort(_ context.Context, p *probe, wanted port) verdict {
	bind, err := netip.ParseAddr(wanted.address)
	if err != nil {
		return skip("%s", needsError{"bind"}.Error())
	}
	for _, other := range sitePorts(p.Site) {
		if other.service != wanted.service && other.number == wanted.number {
			return fail(wanted.otherPort(), "the site gives port %d to %s and to %s", wanted.number, wanted.service, other.service)
		}
	}
	if v, held := p.heldByContainer(wanted, bind); held {
		return v
	}
	engine, err := p.engine()
	if err == nil && remote(engine) {
		return skip("no container holds port %d; Docker runs on another machine, the rest of which is not seen from here", wanted.number)
	}
	sockets, err := listening(p.host.proc)
	if err != nil {
		return p.tryPort(wanted, err)
	}
	var holder *socket
	for i := range sockets {
		s := &sockets[i]
		if int(s.port) != wanted.number || !overlap(bind, s.addr) {
			continue
		}
		// A socket of IPv6 holds the port for IPv4 too, unless it was told
		// not to, which is not seen.
		if s.addr.Is6() && bind.Is4() && canListen(wanted) == nil {
			continue
		}
		holder = s
		break
	}
	if holder == nil {
		return pass("port %d is free", wanted.number)
	}
	return fail(wanted.otherPort(), "port %d is taken by %s", wanted.number, p.who(holder))
}

func (w port) otherPort() string {
	if w.key == "" {
		return "end what holds it"
	}
	return fmt.Sprintf("end what holds it, or choose another (--set %s=PORT)", w.key)
}

// heldByContainer finds the container that has the port published.
func (p *probe) heldByContainer(wanted port, bind netip.Addr) (verdict, bool) {
	containers, err := p.containers()
	if err != nil {
		return verdict{}, false // the check docker says so
	}
	for i := range containers {
		c := &containers[i]
		if !c.Running() {
			continue
		}
		for _, published := range c.Ports {
			if published.Host != wanted.number {
				continue
			}
			if at, err := netip.ParseAddr(published.HostIP); err == nil && !overlap(bind, at) {
				continue
			}
			if c.Labels[labelStack] == p.Site.Stack.Name {
				return pass("port %d is held by the stack's own container %s", wanted.number, c.Name), true
			}
			return fail(wanted.otherPort(), "port %d is taken by container %s (%s)", wanted.number, c.Name, c.Image), true
		}
	}
	return verdict{}, false
}

// tryPort listens, where the kernel does not tell who does.
func (p *probe) tryPort(wanted port, why error) verdict {
	if err := canListen(wanted); err != nil {
		if errors.Is(err, os.ErrPermission) {
			return skip("who listens on port %d cannot be told: %v", wanted.number, why)
		}
		return fail(wanted.otherPort(), "port %d cannot be had: %v", wanted.number, err)
	}
	return pass("port %d is free", wanted.number)
}

func canListen(wanted port) error {
	listener, err := net.Listen("tcp", net.JoinHostPort(wanted.address, strconv.Itoa(wanted.number))) //nolint:noctx // at once
	if err != nil {
		return err
	}
	return listener.Close()
}

// overlap says whether listening at one address keeps others from the other.
func overlap(a, b netip.Addr) bool {
	a, b = a.Unmap(), b.Unmap()
	return a == b || a.IsUnspecified() || b.IsUnspecified()
}

// who names the process that listens.
func (p *probe) who(s *socket) string {
	if owner, ok := p.owners()[s.inode]; ok {
		return fmt.Sprintf("%s (process %d), listening on %s", owner.name, owner.id, netip.AddrPortFrom(s.addr, s.port))
	}
	return fmt.Sprintf("a process of user %d, which only that user and root can see, listening on %s", s.uid, netip.AddrPortFrom(s.addr, s.port))
}

// A process holds sockets.
type process struct {
	id   int
	name string
}

// socketOwners finds which process holds which socket, by inode, as far as
// this user may see.
func socketOwners(ctx context.Context, proc string) map[uint64]process {
	owners := map[uint64]process{}
	entries, err := os.ReadDir(proc)
	if err != nil {
		return owners
	}
	for _, entry := range entries {
		id, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if ctx.Err() != nil {
			return owners
		}
		folder := filepath.Join(proc, entry.Name())
		files, err := os.ReadDir(filepath.Join(folder, "fd"))
		if err != nil {
			continue // another user's, or gone
		}
		for _, file := range files {
			target, err := os.Readlink(filepath.Join(folder, "fd", file.Name()))
			if err != nil {
				continue
			}
			if inode, ok := socketInode(target); ok {
				if _, known := owners[inode]; !known {
					owners[inode] = process{id, commandName(folder)}
				}
			}
		}
	}
	return owners
}

// socketInode reads socket:[12345].
func socketInode(target string) (uint64, bool) {
	text, ok := strings.CutPrefix(target, "socket:[")
	if !ok {
		return 0, false
	}
	inode, err := strconv.ParseUint(strings.TrimSuffix(text, "]"), 10, 64)
	return inode, err == nil
}

// commandName is the name of a process, without arguments: those may hold
// secrets.
func commandName(folder string) string {
	raw, err := os.ReadFile(filepath.Join(folder, "comm"))
	if err != nil {
		return "a process"
	}
	return strings.TrimSpace(string(raw))
}
