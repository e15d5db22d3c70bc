package dockertest

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/anuket-project/xtci/internal/docker"
)

// A Gate is a socket of its own in front of the engine of this machine. It can
// be shut, which to who uses it looks like a daemon that stopped: connections
// are cut, and then there is no socket. The engine behind it goes on, so that
// others are not disturbed. It knows HTTP alone: no attach and no exec.
type Gate struct {
	t      testing.TB
	socket string
	proxy  *httputil.ReverseProxy

	mu       sync.Mutex
	server   *http.Server // nil while it is shut
	served   chan struct{}
	requests []string
	shutAt   int // the request at which it shuts; -1 for none
	when     When
	running  sync.WaitGroup // of requests with the engine
}

// When says at which moment of a request a gate shuts.
type When string

// Moments of a request.
const (
	BeforeTheRequest When = "before the request" // the engine never hears of it
	BeforeTheAnswer  When = "before the answer"  // the engine has done it, and nobody knows
)

// StartGate returns a gate that is open.
func StartGate(t testing.TB, engine *docker.Engine) *Gate {
	t.Helper()
	folder, err := os.MkdirTemp("", "xtci-gate-") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", engine.SocketPath())
	}}
	t.Cleanup(transport.CloseIdleConnections)
	g := &Gate{t: t, socket: filepath.Join(folder, "docker.sock"), shutAt: -1}
	g.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: "docker"})
			r.Out.Host = r.In.Host
		},
		Transport:     transport,
		FlushInterval: -1,                                                                              // progress is told while it is made
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, //nolint:forbidigo // as net/http cuts a connection
	}
	g.Open()
	t.Cleanup(g.Shut)
	return g
}

// Host is the gate's address, for DOCKER_HOST.
func (g *Gate) Host() string { return "unix://" + g.socket }

// Connect connects to the engine through the gate, which must be open.
func (g *Gate) Connect() *docker.Engine {
	g.t.Helper()
	engine, err := docker.Connect(g.t.Context(), docker.Options{Host: g.Host()})
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = engine.Close() })
	return engine
}

// Open lets requests through again, and forgets those that were. What the
// engine had begun when the gate was shut is done by then.
func (g *Gate) Open() {
	g.t.Helper()
	g.mu.Lock()
	if g.server == nil {
		g.mu.Unlock()
		g.running.Wait()
		g.mu.Lock()
	}
	defer g.mu.Unlock()
	g.requests, g.shutAt = nil, -1
	if g.server != nil {
		return
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "unix", g.socket)
	if err != nil {
		g.t.Fatal(err)
	}
	server, served := &http.Server{Handler: http.HandlerFunc(g.serve)}, make(chan struct{}) //nolint:gosec // it serves a test
	go func() {
		defer close(served)
		_ = server.Serve(listener) // until it is shut
	}()
	g.server, g.served = server, served
}

// Shut cuts all connections and lets no new ones in.
func (g *Gate) Shut() {
	g.mu.Lock()
	server, served := g.server, g.served
	g.server = nil
	g.mu.Unlock()
	if server == nil {
		return
	}
	_ = server.Close() // of connections that are cut
	<-served
}

// ShutAt has the gate shut at the nth request from now, counted from 0.
func (g *Gate) ShutAt(n int, when When) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shutAt, g.when = len(g.requests)+n, when
}

// Requests are those since the gate was opened: METHOD /path.
func (g *Gate) Requests() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.requests...)
}

// IsOpen says whether it has not shut.
func (g *Gate) IsOpen() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.server != nil
}

func (g *Gate) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet { // what the engine does, it does to its end, whoever still listens
		r = r.WithContext(context.WithoutCancel(r.Context()))
		if r.ContentLength >= 0 { // and has heard it whole, or nothing of it
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
	}
	g.mu.Lock()
	g.running.Add(1)
	defer g.running.Done()
	at := len(g.requests)
	g.requests = append(g.requests, r.Method+" "+r.URL.Path)
	now := at == g.shutAt
	when := g.when
	g.mu.Unlock()
	if now && when == BeforeTheAnswer {
		g.proxy.ServeHTTP(&nowhere{header: http.Header{}}, r)
	}
	if now {
		g.Shut()
		panic(http.ErrAbortHandler) //nolint:forbidigo // as net/http cuts a connection
	}
	g.proxy.ServeHTTP(w, r)
}

// nowhere is where an answer goes that nobody gets.
type nowhere struct{ header http.Header }

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n *nowhere) WriteHeader(int)             {}

var _ http.ResponseWriter = (*nowhere)(nil)
