package jenkinstest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A Server is a Jenkins controller for tests.
type Server struct {
	// URL is its address with the prefix, without a slash at the end.
	URL string

	o      Options
	keeper *keeper
	saver  saver
	port   *port

	ready    atomic.Bool  // false: 503
	cut      atomic.Int64 // how many requests get no answer
	requests requestLog
	running  sync.WaitGroup // builds
	starts   sync.WaitGroup // a start that is under way
	quit     chan struct{}  // closed by Close

	mu         sync.Mutex
	http       *http.Server
	serving    chan struct{} // closed when http is down
	bootID     string
	closed     bool
	stopping   bool // nothing is started
	quieting   bool // nothing is started, but what is asked is queued
	jobs       map[string]*job
	views      map[string]*view
	items      map[int]*item
	down       chan struct{} // closed when this boot ends
	queue      []*item
	lastItem   int
	executors  []bool
	workspaces map[string]bool
}

// New starts a server for a test, and stops it when the test ends.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Home == "" {
		o.Home = t.TempDir()
	}
	s, err := Start(o)
	if err != nil {
		t.Fatalf("start a stand-in for Jenkins: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// Start starts a server. With nothing to wait for it is ready at once.
func Start(o Options) (*Server, error) {
	o = o.withDefaults()
	if o.Home == "" {
		return nil, errors.New("JENKINS_HOME is not said")
	}
	port, err := reserve(o.Addr)
	if err != nil {
		return nil, fmt.Errorf("reserve %s: %w", o.Addr, err)
	}
	s := &Server{
		URL: "http://" + port.address + o.Prefix, o: o, port: port,
		keeper: newKeeper(o.Users, o.Auth), saver: saver{o.Plugins},
		jobs: map[string]*job{}, views: map[string]*view{}, items: map[int]*item{}, workspaces: map[string]bool{},
		quit: make(chan struct{}),
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, port.Close())
	}
	if err := s.start(o.Refused, o.NotReady); err != nil {
		return nil, errors.Join(err, port.Close())
	}
	return s, nil
}

// start boots: connections are refused, then answered with 503, then Jenkins
// is there. It returns when there is nothing to wait for, or else at once.
func (s *Server) start(refused, notReady time.Duration) error {
	if refused <= 0 {
		if err := s.listen(); err != nil {
			return err
		}
	}
	if refused <= 0 && notReady <= 0 {
		s.boot()
		return nil
	}
	s.starts.Go(func() {
		if refused > 0 && (!s.pass(refused) || s.listen() != nil) {
			return
		}
		if s.pass(notReady) {
			s.boot()
		}
	})
	return nil
}

// pass lets time pass, and says whether the server is still wanted.
func (s *Server) pass(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.quit:
		return false
	}
}

// boot makes Jenkins ready. Sessions and crumbs of before are gone, and what
// waited in the queue goes on.
func (s *Server) boot() {
	s.keeper.boot()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.bootID, s.stopping, s.quieting = randomHex(16), false, false
	maps.DeleteFunc(s.items, func(_ int, i *item) bool { return i.state == left }) // only what waits is kept
	s.executors, s.down = make([]bool, s.o.Executors), make(chan struct{})
	s.ready.Store(true)
	s.maintain()
}

// listen starts to accept connections.
func (s *Server) listen() error {
	listener, err := s.port.listen(context.Background())
	if err != nil {
		return err
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	serving := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.Join(net.ErrClosed, listener.Close())
	}
	s.http, s.serving = server, serving
	go func() {
		defer close(serving)
		_ = server.Serve(listener) // until it is closed
	}()
	return nil
}

// Close aborts what runs and stops the server.
func (s *Server) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	s.mu.Unlock()
	close(s.quit)
	s.halt()
	s.starts.Wait()
	_ = s.port.Close() // nothing can be done about it
}

// halt stops Jenkins: connections are cut, running builds aborted. What waits
// in the queue stays.
func (s *Server) halt() {
	s.ready.Store(false)
	s.mu.Lock()
	if !s.stopping && s.down != nil {
		close(s.down)
	}
	s.stopping = true
	for _, j := range s.jobs {
		if b := j.running(); b != nil {
			b.abort("", aborted)
		}
	}
	server, serving := s.http, s.serving
	s.http = nil
	s.mu.Unlock()
	if server != nil {
		_ = server.Close() // its connections are cut: that is wanted
		<-serving
	}
	s.running.Wait()
}

// Restart stops Jenkins as docker restart does, and starts it again: refused
// and notReady are how long it refuses connections, and then answers 503. It
// returns when Jenkins is ready again.
func (s *Server) Restart(refused, notReady time.Duration) error {
	s.starts.Wait()
	s.halt()
	if err := s.start(max(refused, time.Millisecond), notReady); err != nil {
		return err
	}
	s.starts.Wait()
	return nil
}

// Forget removes the newest build of a job, as a controller that was killed
// may have lost it. It says whether there was one that had ended.
func (s *Server) Forget(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.job(name)
	if j == nil || len(j.builds) == 0 || !j.builds[len(j.builds)-1].ended() {
		return false
	}
	b := j.builds[len(j.builds)-1]
	j.builds = j.builds[:len(j.builds)-1]
	_ = os.RemoveAll(s.buildDir(b)) // at worst it comes back
	return true
}

// Cut drops the connections of the next n requests instead of answering them.
func (s *Server) Cut(n int) { s.cut.Store(int64(n)) }

// CloseConnections cuts all connections as they are, in the middle of answers
// too.
func (s *Server) CloseConnections() {
	s.mu.Lock()
	server, serving := s.http, s.serving
	s.mu.Unlock()
	if server == nil {
		return
	}
	_ = server.Close() // its connections are cut: that is wanted
	<-serving
	_ = s.listen() // the port is reserved
}

// Save makes Jenkins save a job, as it does when somebody presses Save: what
// no plugin knows is gone then.
func (s *Server) Save(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.job(name)
	if j == nil {
		return fmt.Errorf("no job %s", name)
	}
	return s.save(j)
}

// Token returns a new API token of a user.
func (s *Server) Token(user string) string { return s.keeper.newToken(user) }

// job returns a job by its name: case does not matter. The caller has the lock.
func (s *Server) job(name string) *job { return s.jobs[strings.ToLower(name)] }

func (s *Server) sortedJobs() []*job {
	var all []*job
	for _, j := range s.jobs {
		all = append(all, j)
	}
	slices.SortFunc(all, func(a, b *job) int { return strings.Compare(a.name, b.name) })
	return all
}

// A Request is one that was answered.
type Request struct {
	Method, Path string
	Code         int
}

// A requestLog keeps what was asked.
type requestLog struct {
	mu  sync.Mutex
	all []Request
}

// maxRequests is how many are kept.
const maxRequests = 100_000

func (l *requestLog) add(r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) < maxRequests {
		l.all = append(l.all, r)
	}
}

// Requests returns what was asked since the last call, and forgets it.
func (s *Server) Requests() []Request {
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	all := s.requests.all
	s.requests.all = nil
	return all
}
