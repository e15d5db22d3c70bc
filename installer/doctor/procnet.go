package doctor

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A socket is one that listens.
type socket struct {
	addr  netip.Addr
	port  uint16
	uid   uint32
	inode uint64
}

// maxSockets is how many sockets are looked at.
const maxSockets = 1 << 20

// listening are the TCP sockets of this host that listen.
func listening(proc string) ([]socket, error) {
	var all []socket
	for _, name := range []string{"tcp", "tcp6"} {
		f, err := os.Open(filepath.Join(proc, "net", name))
		if errors.Is(err, fs.ErrNotExist) && name == "tcp6" {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, err
		}
		sockets, err := parseSockets(f)
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", f.Name(), err)
		}
		all = append(all, sockets...)
	}
	return all, nil
}

// The columns of /proc/net/tcp (proc_pid_net(5)).
const (
	columnLocal = 1
	columnState = 3
	columnUID   = 7
	columnInode = 9

	stateListen = "0A"
)

// parseSockets reads /proc/net/tcp or tcp6, of which it returns the sockets
// that listen.
func parseSockets(r io.Reader) ([]socket, error) {
	var all []socket
	lines := bufio.NewScanner(r)
	for n := 0; lines.Scan(); n++ {
		if n == 0 {
			continue // the names of the columns
		}
		if n > maxSockets {
			return nil, fmt.Errorf("more than %d sockets", maxSockets)
		}
		fields := strings.Fields(lines.Text())
		if len(fields) <= columnState || fields[columnState] != stateListen {
			continue
		}
		s, err := parseSocket(fields)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		all = append(all, s)
	}
	return all, lines.Err()
}

func parseSocket(fields []string) (socket, error) {
	if len(fields) <= columnInode {
		return socket{}, fmt.Errorf("%d columns, want %d at least", len(fields), columnInode+1)
	}
	address, number, ok := strings.Cut(fields[columnLocal], ":")
	if !ok {
		return socket{}, fmt.Errorf("%q is no address and port", fields[columnLocal])
	}
	var s socket
	var err error
	if s.addr, err = parseHexAddress(address); err != nil {
		return socket{}, err
	}
	port, err := strconv.ParseUint(number, 16, 16)
	if err != nil {
		return socket{}, fmt.Errorf("port %q: %w", number, err)
	}
	s.port = uint16(port)
	uid, err := strconv.ParseUint(fields[columnUID], 10, 32)
	if err != nil {
		return socket{}, fmt.Errorf("user %q: %w", fields[columnUID], err)
	}
	s.uid = uint32(uid)
	if s.inode, err = strconv.ParseUint(fields[columnInode], 10, 64); err != nil {
		return socket{}, fmt.Errorf("inode %q: %w", fields[columnInode], err)
	}
	return s, nil
}

// parseHexAddress reads an address as the kernel prints it: words of 32 bits
// in the machine's own order of bytes.
func parseHexAddress(text string) (netip.Addr, error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.Addr{}, fmt.Errorf("%q is no address", text)
	}
	for word := raw; len(word) > 0; word = word[4:] {
		binary.NativeEndian.PutUint32(word, binary.BigEndian.Uint32(word))
	}
	addr, _ := netip.AddrFromSlice(raw)
	return addr.Unmap(), nil
}
