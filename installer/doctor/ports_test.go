package doctor

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/internal/docker"
)

const procNetTCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 39051 1 0000000000000000 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 20481 1 0000000000000000 100 0 0 10 0
   2: 0100007F:1F90 0100007F:C0DE 01 00000000:00000000 02:00000A5B 00000000  1000        0 39052 2 0000000000000000 20 4 30 10 -1
`

const procNetTCP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:1F91 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 39053 1
   1: 0000000000000000FFFF00000100007F:1F92 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 39054 1
   2: 00000000000000000000000000000000:1F93 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 39055 1
`

func TestParseSockets(t *testing.T) {
	t.Parallel()
	got, err := parseSockets(strings.NewReader(procNetTCP))
	if err != nil {
		t.Fatal(err)
	}
	more, err := parseSockets(strings.NewReader(procNetTCP6))
	if err != nil {
		t.Fatal(err)
	}
	wanted := []socket{
		{netip.MustParseAddr("127.0.0.1"), 8080, 1000, 39051},
		{netip.MustParseAddr("0.0.0.0"), 22, 0, 20481},
		{netip.MustParseAddr("::1"), 8081, 0, 39053},
		{netip.MustParseAddr("127.0.0.1"), 8082, 0, 39054},
		{netip.MustParseAddr("::"), 8083, 0, 39055},
	}
	if diff := cmp.Diff(wanted, append(got, more...), cmp.AllowUnexported(socket{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("sockets (-want +got):\n%s", diff)
	}
}

func TestParseSocketsRefuses(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"0: 0100007F:1F90 0:0 0A 0:0 0:0 0 1000",
		"0: 0100007F 0:0 0A 0:0 0:0 0 1000 0 39051",
		"0: 0100007:1F90 0:0 0A 0:0 0:0 0 1000 0 39051",
		"0: 010000:1F90 0:0 0A 0:0 0:0 0 1000 0 39051",
		"0: 0100007F:11F90 0:0 0A 0:0 0:0 0 1000 0 39051",
		"0: 0100007F:1F90 0:0 0A 0:0 0:0 0 -1 0 39051",
		"0: 0100007F:1F90 0:0 0A 0:0 0:0 0 1000 0 x",
		strings.Repeat("x", 1<<17),
	} {
		if _, err := parseSockets(strings.NewReader("head\n" + line + "\n")); err == nil {
			t.Errorf("%.60q: no error", line)
		}
	}
}

func FuzzParseSockets(f *testing.F) {
	f.Add(procNetTCP)
	f.Add(procNetTCP6)
	f.Add("\n0: :0 0 0A 0 0 0 0 0 0")
	f.Fuzz(func(t *testing.T, text string) {
		sockets, err := parseSockets(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, s := range sockets {
			if !s.addr.IsValid() || s.addr.Is4In6() {
				t.Errorf("%q gives address %v", text, s.addr)
			}
		}
	})
}

func TestOverlap(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "127.0.0.2", false},
		{"127.0.0.1", "0.0.0.0", true},
		{"0.0.0.0", "192.0.2.1", true},
		{"127.0.0.1", "::", true},
		{"127.0.0.1", "::1", false},
		{"127.0.0.1", "::ffff:127.0.0.1", true},
	} {
		a, b := netip.MustParseAddr(test.a), netip.MustParseAddr(test.b)
		if overlap(a, b) != test.want || overlap(b, a) != test.want {
			t.Errorf("%s and %s: not %v", a, b, test.want)
		}
	}
}

// listen holds a port of this process until the test ends.
func listen(t *testing.T, network, address string) int {
	t.Helper()
	listener, err := net.Listen(network, address) //nolint:noctx // at once
	if err != nil {
		t.Skipf("cannot listen on %s: %v", address, err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().(*net.TCPAddr).Port
}

func TestPorts(t *testing.T) {
	t.Parallel()
	here := "process " + strconv.Itoa(os.Getpid())
	container := func(port int, ip, stack, status string) docker.ContainerState {
		return docker.ContainerState{
			Name: "some-jenkins", Image: "jenkins:x", Status: status, Labels: map[string]string{labelStack: stack},
			Ports: []docker.Port{{HostIP: ip, Host: port, Container: 8080}},
		}
	}
	held := listen(t, "tcp4", "127.0.0.1:0")
	everywhere := listen(t, "tcp", ":0")
	other := listen(t, "tcp4", "127.0.0.2:0")
	six := listen(t, "tcp6", "[::1]:0")
	// not held by anybody, unless somebody is very quick
	free := freePort(t)
	for _, test := range []struct {
		name      string
		port      int
		container *docker.ContainerState
		remote    bool
		proc      string
		status    Status
		parts     []string
	}{
		{name: "free", port: free, status: Pass, parts: []string{"is free"}},
		{name: "held by this process", port: held, status: Fail, parts: []string{here, "127.0.0.1:", "--set stack.jenkins.port=PORT"}},
		{name: "held at all addresses", port: everywhere, status: Fail, parts: []string{here}},
		{name: "held at another address", port: other, status: Pass},
		{name: "held at another address of IPv6", port: six, status: Pass},
		{name: "held by the stack's own container", port: held, container: new(container(held, "127.0.0.1", "xtci", "running")), status: Pass, parts: []string{"the stack's own container some-jenkins"}},
		{name: "held by another container", port: held, container: new(container(held, "", "other", "running")), status: Fail, parts: []string{"container some-jenkins (jenkins:x)"}},
		{name: "held by a container, without a process", port: free, container: new(container(free, "", "", "running")), status: Fail, parts: []string{"some-jenkins"}},
		{name: "a container that does not run", port: free, container: new(container(free, "", "", "exited")), status: Pass},
		{name: "a container at another address", port: free, container: new(container(free, "192.0.2.1", "", "running")), status: Pass},
		{name: "on another machine", port: held, remote: true, status: Skip, parts: []string{"another machine"}},
		{name: "without /proc, free", port: free, proc: "/no/such/proc", status: Pass},
		{name: "without /proc, held", port: held, proc: "/no/such/proc", status: Fail, parts: []string{"cannot be had"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			engine := newStandIn(t)
			if test.container != nil {
				engine.running = append(engine.running, *test.container)
			}
			if test.remote {
				engine.socket = ""
			}
			o := options(t, engine)
			o.Site.Stack.Jenkins.Port = test.port
			p := newProbe(t.Context(), o)
			if test.proc != "" {
				p.host.proc = test.proc
			}
			v := checkPort(t.Context(), p, sitePorts(o.Site)[0])
			want(t, Result{Check: Check{Name: "port"}, Status: v.status, Seen: v.seen, Advice: v.advice}, test.status, test.parts...)
		})
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func TestOnePortForTwo(t *testing.T) {
	t.Parallel()
	o := options(t, newStandIn(t))
	o.Site.Stack.Files.Port = o.Site.Stack.Jenkins.Port
	all := results(t, o, "ports")
	want(t, all["port-jenkins"], Fail, "to jenkins and to files")
	want(t, all["port-files"], Fail, "to files and to jenkins", "stack.files.port")
}

func TestSitePorts(t *testing.T) {
	t.Parallel()
	site := config.Default()
	site.Stack.Bind = "192.0.2.1"
	site.Stack.Registry.Enabled = true
	site.Stack.Minio.External.Endpoint = "http://minio.example"
	site.Stack.TestDB.Engine, site.Wiring = config.EngineOPNFV, config.WiringClassic
	wanted := []port{
		{"jenkins", "stack.jenkins.port", "192.0.2.1", 8080},
		{"testdb", "stack.testdb.port", "192.0.2.1", 8000},
		{"mongo", "", "192.0.2.1", 27017},
		{"files", "stack.files.port", "192.0.2.1", 8181},
		{"registry", "stack.registry.port", "127.0.0.1", 5000},
	}
	if diff := cmp.Diff(wanted, sitePorts(site), cmp.AllowUnexported(port{})); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
}

func TestBind(t *testing.T) {
	t.Parallel()
	addresses := []net.Addr{
		&net.IPNet{IP: net.IPv4(127, 0, 0, 1), Mask: net.CIDRMask(8, 32)}, &net.IPNet{IP: net.IPv4(192, 0, 2, 7), Mask: net.CIDRMask(24, 32)},
	}
	v := bindVerdict(netip.MustParseAddr("192.0.2.7"), addresses)
	want(t, Result{Status: v.status, Seen: v.seen, Advice: v.advice}, Pass)
	v = bindVerdict(netip.MustParseAddr("192.0.2.8"), addresses)
	want(t, Result{Status: v.status, Seen: v.seen, Advice: v.advice}, Fail, "127.0.0.1, 192.0.2.7", "0.0.0.0")
	for bind, status := range map[string]Status{"127.0.0.1": Pass, "0.0.0.0": Pass, "::": Pass, "203.0.113.77": Fail, "here": Fail} {
		o := options(t, newStandIn(t))
		o.Site.Stack.Bind = bind
		want(t, results(t, o, "bind")["bind"], status)
	}
}

func TestWho(t *testing.T) {
	t.Parallel()
	p := newProbe(t.Context(), options(t, newStandIn(t)))
	p.owners = func() map[uint64]process { return map[uint64]process{7: {4711, "java"}} }
	at := netip.MustParseAddr("127.0.0.1")
	if got := p.who(&socket{at, 8080, 1000, 7}); got != "java (process 4711), listening on 127.0.0.1:8080" {
		t.Error(got)
	}
	if got := p.who(&socket{at, 8080, 1000, 8}); !strings.Contains(got, "a process of user 1000, which only that user and root can see") {
		t.Error(got)
	}
	if _, ok := socketInode("pipe:[7]"); ok {
		t.Error("a pipe is a socket")
	}
}
