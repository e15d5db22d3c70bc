package httpserve

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// service runs a server whose only answer waits for release.
type service struct {
	stop    context.CancelFunc
	entered chan struct{}
	release chan struct{}
	ended   chan error
	address string
}

func start(t *testing.T, grace time.Duration) *service {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	s := &service{stop: stop, entered: make(chan struct{}), release: make(chan struct{}), ended: make(chan error, 1), address: l.Addr().String()}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(s.entered)
		select {
		case <-s.release:
			io.WriteString(w, "whole") //nolint:errcheck // the client sees it
		case <-r.Context().Done():
		}
	})}
	go func() { s.ended <- until(ctx, server, l, "tests", "calls", grace) }()
	t.Cleanup(stop)
	return s
}

// call asks for the answer, and returns once the server is at it.
func (s *service) call(t *testing.T) <-chan string {
	t.Helper()
	answer := make(chan string, 1)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.address, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			answer <- "cut"
			return
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			answer <- "cut"
			return
		}
		answer <- string(body)
	}()
	<-s.entered
	return answer
}

func TestRequestUnderWayFinishes(t *testing.T) {
	t.Parallel()
	s := start(t, time.Minute)
	answer := s.call(t)
	s.stop()
	for { // the stop is under way once nobody else is let in
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			break
		}
		conn.Close()
	}
	close(s.release)
	if got := <-answer; got != "whole" {
		t.Errorf("got %q, want the whole answer", got)
	}
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
}

func TestRequestThatTakesTooLongIsCut(t *testing.T) {
	t.Parallel()
	s := start(t, time.Millisecond)
	answer := s.call(t)
	s.stop()
	err := <-s.ended
	if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "calls were cut that still ran 1ms after the stop: ") {
		t.Errorf("error %v", err)
	}
	if got := <-answer; got != "cut" {
		t.Errorf("got %q, want none", got)
	}
}

func TestListenerThatIsClosed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	err = Until(t.Context(), &http.Server{ReadHeaderTimeout: time.Minute}, l, "tests", "calls")
	if !errors.Is(err, net.ErrClosed) || !strings.HasPrefix(err.Error(), "serve tests on "+l.Addr().String()+": ") {
		t.Errorf("error %v", err)
	}
}
