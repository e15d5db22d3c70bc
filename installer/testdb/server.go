package testdb

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anuket-project/xtci/internal/httpserve"
)

// Options are what a server does beyond the old one, and what it is given.
// Their zero value is the old server's behaviour.
type Options struct {
	// PerPage lets clients ask for pages of up to 1,000 results: per_page=N.
	PerPage bool
	// Tokens demands an X-Auth-Token that the store knows of who writes.
	Tokens bool
	// Origins are the web origins that may use the API from a browser, such
	// as https://dashboard.example; "*" is any.
	Origins []string
	// Health adds GET /healthz.
	Health bool
	// Routes adds handlers by pattern of http.ServeMux, such as "GET /metrics".
	Routes map[string]http.Handler
	// Observe is told of every request that was answered. The pattern of its
	// route is in r.Pattern.
	Observe func(r *http.Request, status int, took time.Duration)
	// Clock is the server's time, local as the old server wrote it; nil is
	// time.Now.
	Clock func() time.Time
	// Logger gets what goes wrong, and at level debug every request; nil
	// drops it.
	Logger *slog.Logger
}

// A Server answers TestAPI's requests out of a store.
type Server struct {
	store   Store
	options Options
	ids     *objectIDs
	mux     *http.ServeMux
	log     *slog.Logger

	// tied keeps what others refer to: who adds something under a pod,
	// project or case reads, who changes or removes one writes.
	tied sync.RWMutex
}

// NewServer returns a server of a store, which remains the caller's to close.
func NewServer(store Store, o Options) *Server {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{store: store, options: o, ids: newObjectIDs(o.Clock), mux: http.NewServeMux(), log: o.Logger}
	s.routes()
	return s
}

// methods are the handlers of one path by method. Every other method is
// refused, HEAD and OPTIONS too, as the old server does.
type methods map[string]func(http.ResponseWriter, *http.Request) error

// routes registers every path of the API (spec/testapi-xtesting.md, a.2).
func (s *Server) routes() {
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	const api = "/api/v1"
	for path, m := range map[string]methods{
		"/versions":      {get: constant(`{"versions": [{"version": "v1.0", "description": "basics"}]}`)},
		api + "/profile": {get: constant(`{"fullname": "anonymous lf", "user": "anonymous", "groups": ["opnfv-testapi-users"], "email": "anonymous@linuxfoundation.com"}`)},

		api + "/pods":                            {get: s.listNamed(Pods), post: s.createNamed(Pods)},
		api + "/pods/{name}":                     {get: s.getNamed(Pods), del: s.deleteNamed(Pods)},
		api + "/projects":                        {get: s.listNamed(Projects), post: s.createNamed(Projects)},
		api + "/projects/{name}":                 {get: s.getNamed(Projects), put: s.updateNamed(Projects), del: s.deleteNamed(Projects)},
		api + "/projects/{project}/cases":        {get: s.listNamed(TestCases), post: s.createCase},
		api + "/projects/{project}/cases/{name}": {get: s.getNamed(TestCases), put: s.updateNamed(TestCases), del: s.deleteNamed(TestCases)},

		api + "/results":            {get: s.listResults(Results), post: s.createResult},
		api + "/results/{id}":       {get: s.getByID(Results)},
		api + "/deployresults":      {get: s.listResults(DeployResults), post: s.createDeployResult},
		api + "/deployresults/{id}": {get: s.getByID(DeployResults)},

		api + "/scenarios":        {get: s.listScenarios, post: s.createNamed(Scenarios)},
		api + "/scenarios/{name}": {get: s.getNamed(Scenarios), put: s.updateNamed(Scenarios), del: s.deleteNamed(Scenarios)},

		api + "/scenarios/{name}/scores":           {post: s.onProject(addScore)},
		api + "/scenarios/{name}/trust_indicators": {post: s.onProject(addTrustIndicator)},
		api + "/scenarios/{name}/customs":          {post: s.onProject(addCustoms), put: s.onProject(setCustoms), del: s.onProject(deleteCustoms)},
		api + "/scenarios/{name}/projects":         {post: s.onVersion(addProjects), put: s.onVersion(setProjects), del: s.onVersion(deleteProjects)},
		api + "/scenarios/{name}/owner":            {put: s.onVersion(setOwner)},
		api + "/scenarios/{name}/versions":         {post: s.onInstaller(addVersions), put: s.onInstaller(setVersions), del: s.onInstaller(deleteVersions)},
		api + "/scenarios/{name}/installers":       {post: s.onScenario(addInstallers), put: s.onScenario(setInstallers), del: s.onScenario(deleteInstallers)},

		"/": {}, // whatever is nothing else
	} {
		s.mux.Handle(path, s.dispatch(m))
	}
	if s.options.Health {
		s.mux.Handle("/healthz", s.dispatch(methods{get: s.health}))
	}
	for pattern, handler := range s.options.Routes {
		s.mux.Handle(pattern, handler)
	}
}

// dispatch chooses the handler by method and answers with what went wrong.
func (s *Server) dispatch(m methods) http.Handler {
	var allowed []string
	for method := range m {
		allowed = append(allowed, method)
	}
	slices.Sort(allowed)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := fail(http.StatusNotFound, "Not Found")
		if handler, ok := m[r.Method]; ok {
			err = s.authorize(r)
			if err == nil {
				err = handler(w, r)
			}
		} else if len(m) > 0 {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			err = fail(http.StatusMethodNotAllowed, "Method Not Allowed")
		}
		if err != nil {
			s.refuse(w, r, err)
		}
	})
}

// authorize demands a known token of who writes, if the server does at all.
func (s *Server) authorize(r *http.Request) error {
	if !s.options.Tokens || r.Method == http.MethodGet {
		return nil
	}
	token := r.Header.Get("X-Auth-Token")
	if token == "" {
		return fail(http.StatusUnauthorized, "No Authentication Header")
	}
	known, err := s.store.HasToken(r.Context(), TokenHash(token))
	if err != nil {
		return fmt.Errorf("look up a token: %w", err)
	}
	if !known {
		return fail(http.StatusForbidden, "Invalid Token")
	}
	return nil
}

// TokenHash is what a store keeps of a token. Tokens are long and random, so
// that a plain SHA-256 is enough.
func TokenHash(token string) []byte {
	hash := sha256.Sum256([]byte(token))
	return hash[:]
}

// refuse answers with an error, or cuts the connection when the answer has
// begun already, so that nobody takes a part for the whole.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	f := failureOf(err)
	level := slog.LevelInfo
	if f.code >= http.StatusInternalServerError && r.Context().Err() == nil {
		level = slog.LevelError
	}
	s.log.Log(r.Context(), level, "request refused", "method", r.Method, "path", r.URL.Path, "status", f.code, "error", err)
	if answer, ok := w.(*answer); ok && answer.status != 0 {
		abort()
	}
	extendWrite(w)
	writeFailure(w, r, f)
}

// abort cuts the connection of the request that is being served.
func abort() {
	panic(http.ErrAbortHandler) //nolint:forbidigo // net/http has no other way; it catches this one itself
}

// constant answers with a fixed body.
func constant(body string) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		return writeJSON(w, r, []byte(body))
	}
}

// healthTime is how long the store may take to say that it is well.
const healthTime = 5 * time.Second

func (s *Server) health(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), healthTime)
	defer cancel()
	if err := s.store.Ping(ctx); err != nil {
		s.log.Error("the store is not well", "error", err)
		w.Header().Set("Content-Type", jsonType)
		w.WriteHeader(http.StatusServiceUnavailable)
		_, err := io.WriteString(w, `{"status": "unavailable"}`)
		return err
	}
	return writeJSON(w, r, []byte(`{"status": "ok"}`))
}

// ServeHTTP answers one request. No panic of a handler reaches the client.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	a := &answer{ResponseWriter: w}
	defer func() {
		if p := recover(); p != nil {
			s.recovered(a, r, p)
		}
		took := time.Since(started)
		s.log.Debug("request", "method", r.Method, "path", r.URL.Path, "status", a.status, "took", took)
		if s.options.Observe != nil {
			s.options.Observe(r, a.status, took)
		}
	}()
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if s.allowOrigin(a, r) {
		s.mux.ServeHTTP(a, r)
	}
}

// recovered answers for a handler that panicked.
func (s *Server) recovered(a *answer, r *http.Request, p any) {
	if p != http.ErrAbortHandler { //nolint:errorlint // it is never wrapped
		s.log.Error("handler panicked", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
	}
	if a.status != 0 || p == http.ErrAbortHandler { //nolint:errorlint // it is never wrapped
		abort()
	}
	writeFailure(a, r, failureOf(errors.New("panic")))
}

// allowOrigin adds what browsers of the allowed origins need, and answers
// what they ask before a request. It says whether there is more to answer.
func (s *Server) allowOrigin(w http.ResponseWriter, r *http.Request) bool {
	if len(s.options.Origins) == 0 {
		return true
	}
	header := w.Header()
	header.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" || !slices.Contains(s.options.Origins, origin) && !slices.Contains(s.options.Origins, "*") {
		return true
	}
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Expose-Headers", "Etag")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return true
	}
	header.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE")
	header.Set("Access-Control-Allow-Headers", "Content-Type, If-None-Match, X-Auth-Token")
	header.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return false
}

// answer remembers the status of an answer, 0 before it has begun.
type answer struct {
	http.ResponseWriter
	status int
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController find the writer underneath.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Limits of every connection. A client that is slower loses it.
const (
	headerTime = 10 * time.Second
	readTime   = 60 * time.Second
	writeTime  = 60 * time.Second
	idleTime   = 2 * time.Minute
	maxHeader  = 64 << 10
)

// Serve answers requests until ctx ends, then lets those that are under way
// finish, 10 s at most. It closes the listener.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		WriteTimeout:      readTime + writeTime, // it runs from the header's end, so over the reading of the body
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	return httpserve.Until(ctx, server, l, "the test DB", "requests")
}
