package fileserver

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/anuket-project/xtci/artifacts"
)

// A Store is what a server reads: a bucket or a folder.
type Store interface {
	Open(ctx context.Context, key string) (artifacts.Object, error)
	List(ctx context.Context, folder, after string, limit int) (entries []artifacts.Entry, more bool, err error)
	// Ping says whether the store can be read at all.
	Ping(ctx context.Context) error
}

// Options are what a server is given. Their zero value works.
type Options struct {
	// Logger gets what goes wrong, and at level debug every request; nil
	// drops it.
	Logger *slog.Logger
}

const (
	// pageTime is how long the store may take for a listing.
	pageTime = 20 * time.Second
	// healthTime is how long the store may take to say that it is well.
	healthTime = 5 * time.Second
	// membersAtOnce is how many files inside of archives are read at once:
	// each holds the directory of its archive.
	membersAtOnce = 16
	// listingsAtOnce is how many folders are listed at once.
	listingsAtOnce = 8
)

//go:embed page
var pageFiles embed.FS

// A Server answers requests out of a store.
type Server struct {
	store    Store
	log      *slog.Logger
	pages    *template.Template
	style    template.CSS
	policy   string // of the server's own pages
	members  chan struct{}
	listings chan struct{}
	begun    begunCache
}

// New returns a server of a store.
func New(store Store, o Options) (*Server, error) {
	s := &Server{
		store: store, log: o.Logger,
		members: make(chan struct{}, membersAtOnce), listings: make(chan struct{}, listingsAtOnce),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	style, err := pageFiles.ReadFile("page/style.css")
	if err != nil {
		return nil, fmt.Errorf("read the style of the pages: %w", err)
	}
	s.style = template.CSS(style)
	s.policy = pagePolicy(style)
	if s.pages, err = template.New("").ParseFS(pageFiles, "page/*.html"); err != nil {
		return nil, fmt.Errorf("parse the pages: %w", err)
	}
	return s, nil
}

// healthPath says whether the server and its store are well.
const healthPath = "/healthz"

// ServeHTTP answers one request. No panic of a handler reaches the client.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	a := &answer{ResponseWriter: w, control: http.NewResponseController(w)}
	defer func() {
		if p := recover(); p != nil {
			defer s.recovered(a, r, p)
		}
		s.log.Debug("request", "method", r.Method, "path", r.URL.Path, "status", a.status, "bytes", a.n, "took", time.Since(started))
	}()
	header := a.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-cache") // to ask each time, and be told 304
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		s.refuse(a, r, &refusal{code: http.StatusMethodNotAllowed, title: "Files can only be read", text: "This server answers GET and HEAD."})
		return
	}
	if r.URL.Path == healthPath {
		s.health(a, r)
		return
	}
	if err := s.answer(a, r); err != nil {
		s.refuse(a, r, err)
	}
}

// answer finds out what a path is: a folder, a file, or a file in an archive.
func (s *Server) answer(w *answer, r *http.Request) error {
	key, ok := strings.CutPrefix(r.URL.Path, "/")
	if !ok {
		return fs.ErrNotExist // OPTIONS *, and what proxies are asked for
	}
	folder, isFolder := strings.CutSuffix(key, "/")
	switch {
	case key == "":
		return s.folder(w, r, ".")
	case isFolder:
		err := s.folder(w, r, folder)
		if errors.Is(err, fs.ErrNotExist) && strings.HasSuffix(folder, archiveExt) {
			return s.archiveFolder(w, r, folder, err)
		}
		return err
	}
	object, err := s.store.Open(r.Context(), key)
	switch {
	case err == nil:
		return s.file(w, r, object)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if archive, name, ok := strings.Cut(key, archiveExt+"/"); ok {
		return s.member(w, r, archive+archiveExt, name)
	}
	if _, _, err := s.store.List(r.Context(), key, "", 1); err != nil {
		return err
	}
	// as net/http and s3www have it; "./" keeps a colon from making a scheme
	w.Header().Set("Location", "./"+escape(key[strings.LastIndexByte(key, '/')+1:])+"/")
	w.WriteHeader(http.StatusMovedPermanently)
	return nil
}

func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), healthTime)
	defer cancel()
	w.Header().Set("Content-Type", jsonType)
	w.Header().Set("Cache-Control", "no-store")
	body := `{"status": "ok"}` + "\n"
	if err := s.store.Ping(ctx); err != nil {
		s.log.Error("the store is not well", "error", err)
		body = `{"status": "unavailable"}` + "\n"
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write([]byte(body)) // the client has gone
}

// recovered answers for a handler that panicked.
func (s *Server) recovered(a *answer, r *http.Request, p any) {
	if p != http.ErrAbortHandler { //nolint:errorlint // it is never wrapped
		s.log.Error("handler panicked", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
	}
	if a.status != 0 || p == http.ErrAbortHandler { //nolint:errorlint // it is never wrapped
		abort()
	}
	s.refuse(a, r, errors.New("panic"))
}

// abort cuts the connection of the request that is being served, so that
// nobody takes a part for the whole.
func abort() {
	panic(http.ErrAbortHandler) //nolint:forbidigo // net/http has no other way; it catches this one itself
}

// An answer remembers what was answered, and gives the client some time for
// each part of it: a file takes as long as it takes, as long as it moves.
type answer struct {
	http.ResponseWriter
	control *http.ResponseController
	status  int
	n       int64
	gone    bool // the client does not read any more
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.extend()
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	a.extend()
	n, err := a.ResponseWriter.Write(b)
	a.n += int64(n)
	a.gone = a.gone || err != nil
	return n, err
}

// Unwrap lets http.ResponseController find the writer underneath.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) extend() {
	_ = a.control.SetWriteDeadline(time.Now().Add(writeTime)) // a recorder of tests has none
}

// limit waits for one of the places that there are for a kind of work, and
// returns what gives it back.
func limit(ctx context.Context, places chan struct{}) (release func(), err error) {
	select {
	case places <- struct{}{}:
		return sync.OnceFunc(func() { <-places }), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
