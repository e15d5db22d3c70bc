package testdb_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anuket-project/xtci/installer/testdb"
)

// A pipeListener accepts connections that never leave the process, so that a
// test can let hours pass on them.
type pipeListener struct {
	accepted chan net.Conn
	closed   chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case connection := <-l.accepted:
		return connection, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	close(l.closed)
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// dial connects a client, or fails when the listener is closed.
func (l *pipeListener) dial() (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.accepted <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// serving is a server that runs in a bubble of its own time.
type serving struct {
	*pipeListener
	server *testdb.Server
	store  *memStore
	stop   context.CancelFunc
	done   chan error
}

// serve starts a server. A test stops it with stop and waits for done.
func serve(t *testing.T) *serving {
	t.Helper()
	s := &serving{pipeListener: &pipeListener{make(chan net.Conn), make(chan struct{})}, done: make(chan error, 1)}
	s.server, s.store = newServer(t, testdb.Options{})
	var ctx context.Context
	ctx, s.stop = context.WithCancel(t.Context())
	go func() { s.done <- s.server.Serve(ctx, s.pipeListener) }()
	return s
}

// end stops the server and wants no error.
func (s *serving) end(t *testing.T) {
	t.Helper()
	s.stop()
	if err := <-s.done; err != nil {
		t.Errorf("stop: %v", err)
	}
}

// connect dials and closes the connection when the test ends.
func (s *serving) connect(t *testing.T) net.Conn {
	t.Helper()
	connection, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return connection
}

func send(t *testing.T, connection net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(connection, text); err != nil {
		t.Fatalf("send: %v", err)
	}
}

// TestSlowClients: none holds its connection for longer than it may.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	const post = "POST /api/v1/results HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
	for _, test := range []struct {
		name   string
		act    func(t *testing.T, s *serving, connection net.Conn)
		within time.Duration
		answer string
	}{
		{
			name: "says nothing", within: 10 * time.Second,
			act: func(*testing.T, *serving, net.Conn) {},
		},
		{
			name: "sends its header byte by byte", within: 10 * time.Second,
			act: func(_ *testing.T, _ *serving, connection net.Conn) {
				go func() {
					for range time.Tick(time.Second) {
						if _, err := io.WriteString(connection, "G"); err != nil {
							return
						}
					}
				}()
			},
		},
		{
			name: "stops in its body", within: 61 * time.Second, answer: "408 Request Timeout",
			act: func(t *testing.T, _ *serving, connection net.Conn) { send(t, connection, post+`{"pod_`) },
		},
		{
			name: "sends nothing more", within: 2 * time.Minute, answer: "200 OK",
			act: func(t *testing.T, _ *serving, connection net.Conn) {
				send(t, connection, "GET /versions HTTP/1.1\r\nHost: h\r\n\r\n")
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := serve(t)
				connection := s.connect(t)
				started := time.Now()
				test.act(t, s, connection)
				answer, err := io.ReadAll(connection)
				if took := time.Since(started); err != nil || took > test.within {
					t.Errorf("closed after %s, want %s: %v", took, test.within, err)
				}
				if !strings.Contains(string(answer), test.answer) {
					t.Errorf("answer %s, want %s", answer, test.answer)
				}
				s.end(t)
				<-time.After(2 * time.Second) // the client that goes on notices
			})
		})
	}
}

// TestSlowReader: who does not read its answer loses the connection, and the
// store is not read on.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		for range 6 {
			must(t, s.server, "POST", "/api/v1/results", result(`, "details": "`+strings.Repeat("x", 1<<20)+`"`))
		}
		connection := s.connect(t)
		send(t, connection, "GET /api/v1/results?page=0 HTTP/1.1\r\nHost: h\r\n\r\n")
		<-time.After(61 * time.Second)
		synctest.Wait()
		answer, err := io.ReadAll(connection)
		if len(answer) > 1<<20 {
			t.Errorf("%d bytes came after the time of a write: %v", len(answer), err)
		}
		s.end(t)
	})
}

// TestSlowReaderHoldsNobodyUp: who changes something large and does not read
// the answer keeps no result from being stored meanwhile.
func TestSlowReaderHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		connection := s.connect(t)
		body := `{"name": "functest", "description": "` + strings.Repeat("x", 1<<20) + `"}`
		send(t, connection, fmt.Sprintf("PUT /api/v1/projects/functest HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
		synctest.Wait()
		started := time.Now()
		must(t, s.server, "POST", "/api/v1/results", result(""))
		refused(t, ask(t, s.server, "DELETE", "/api/v1/pods/pod", ""), http.StatusUnauthorized, "associated")
		if took := time.Since(started); took != 0 {
			t.Errorf("others waited %s", took)
		}
		connection.Close()
		s.end(t)
	})
}

func TestHugeHeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		connection := s.connect(t)
		go func() { // it does not get all of it off
			_, _ = io.WriteString(connection, "GET /versions HTTP/1.1\r\nHost: h\r\nX: "+strings.Repeat("x", 1<<20))
		}()
		answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("status %s, want 431", answer.Status)
		}
		connection.Close()
		s.end(t)
	})
}

func TestCutConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		body := result("")
		connection := s.connect(t)
		send(t, connection, fmt.Sprintf("POST /api/v1/results HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:len(body)-1]))
		connection.Close()
		synctest.Wait()
		if list := must(t, s.server, "GET", "/api/v1/results?page=0", ""); list != `{"results": []}` {
			t.Errorf("half a result was stored: %s", list)
		}
		s.end(t)
	})
}

// TestCleanStop: what is under way is answered, nothing new is taken.
func TestCleanStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		arrived, goOn := make(chan struct{}), make(chan struct{})
		s.store.before = func(context.Context) error {
			close(arrived)
			<-goOn
			return nil
		}
		idle, busy := s.connect(t), s.connect(t)
		body := result("")
		send(t, busy, fmt.Sprintf("POST /api/v1/results HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
		<-arrived
		s.stop()
		synctest.Wait()
		select {
		case err := <-s.done:
			t.Fatalf("it stopped while a request was under way: %v", err)
		default:
		}
		if _, err := s.dial(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a new connection: %v", err)
		}
		close(goOn)
		answer, err := http.ReadResponse(bufio.NewReader(busy), nil)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("status %s of what was under way", answer.Status)
		}
		if err := <-s.done; err != nil {
			t.Errorf("stop: %v", err)
		}
		if _, err := idle.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("an idle connection after the stop: %v", err)
		}
	})
}

// TestStopDoesNotWaitForEver: after 10 s what still runs is cut.
func TestStopDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		arrived, goOn := make(chan struct{}), make(chan struct{})
		s.store.before = func(context.Context) error {
			close(arrived)
			<-goOn
			return errors.New("too late")
		}
		body := result("")
		busy := s.connect(t)
		send(t, busy, fmt.Sprintf("POST /api/v1/results HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
		<-arrived
		started := time.Now()
		s.stop()
		err := <-s.done
		if took := time.Since(started); !errors.Is(err, context.DeadlineExceeded) || took != 10*time.Second {
			t.Errorf("stopped after %s: %v", took, err)
		}
		close(goOn)
	})
}

func TestServeOnAClosedListener(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := testdb.NewServer(newMemStore(), testdb.Options{}).Serve(t.Context(), l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("serve on a closed listener: %v", err)
	}
}
