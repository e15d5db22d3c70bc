package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/internal/invisible"
	"github.com/anuket-project/xtci/testcases"
)

// Options are what pages are given. Their zero value works.
type Options struct {
	// Catalog says which cases are mandatory; nil is that of v1.23.
	Catalog *testcases.Catalog
	// ArchiveURL returns where the archive of a build tag is, on the web or
	// on this server; nil or "" is nowhere.
	ArchiveURL func(buildTag string) string
	// FilesURL is what relative links of results are relative to, such as
	// https://files.example/; nil is the page they are on.
	FilesURL *url.URL
	// Logger gets what goes wrong; nil drops it.
	Logger *slog.Logger
}

const (
	// defaultRelease is the release of the catalogue that is used.
	defaultRelease = "v1.23"
	// pageTime is how long the store may take for one page.
	pageTime = 10 * time.Second
	// policy forbids a page everything but its style sheet, the empty icon
	// that keeps browsers from asking for another, and its form.
	policy = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

//go:embed page
var pageFiles embed.FS

//go:embed openapi.json
var openAPI []byte

// site answers with pages.
type site struct {
	store   testdb.Store
	options Options
	log     *slog.Logger
	style   []byte
	pages   map[string]*template.Template
	api     apiPage
}

// New returns the handler of all paths for people: /, /campaigns/TAG,
// /results/ID, /search, /openapi and /openapi.json. It answers every other
// path with a page that says so.
func New(store testdb.Store, o Options) (http.Handler, error) {
	s := &site{store: store, options: o, log: o.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if s.options.Catalog == nil {
		if s.options.Catalog, err = testcases.Load(defaultRelease); err != nil {
			return nil, err
		}
	}
	if s.style, err = pageFiles.ReadFile("page/style.css"); err != nil {
		return nil, fmt.Errorf("read the style of the pages: %w", err)
	}
	if s.pages, err = parsePages(); err != nil {
		return nil, fmt.Errorf("parse the pages: %w", err)
	}
	if s.api, err = newAPIPage(openAPI); err != nil {
		return nil, fmt.Errorf("read the description of the API: %w", err)
	}
	return s.routes(), nil
}

// Patterns of http.ServeMux for what New's handler shows.
const (
	homePattern     = "/{$}"
	campaignPattern = "/campaigns/{tag}"
	resultPattern   = "/results/{id}"
	searchPattern   = "/search"
	apiPattern      = "/openapi"
	apiFilePattern  = "/openapi.json"
	stylePattern    = "/style.css"
)

// Patterns are all patterns of http.ServeMux that New's handler has a page
// for, to mount it beside others.
func Patterns() []string {
	return []string{homePattern, campaignPattern, resultPattern, searchPattern, apiPattern, apiFilePattern, stylePattern}
}

func (s *site) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(homePattern, s.page(s.home))
	mux.Handle(campaignPattern, s.page(s.campaign))
	mux.Handle(resultPattern, s.page(s.result))
	mux.Handle(searchPattern, s.page(s.search))
	mux.Handle(apiPattern, s.page(s.showAPI))
	mux.Handle(apiFilePattern, s.file(openAPI, "application/json"))
	mux.Handle(stylePattern, s.file(s.style, "text/css; charset=utf-8"))
	mux.Handle("/", s.page(func(*http.Request) (view, error) { return view{}, errNoPage }))
	return mux
}

// parsePages reads the templates: each page is the frame with a content.
func parsePages() (map[string]*template.Template, error) {
	frame, err := template.New("frame.html").Funcs(template.FuncMap{
		"n":        thousands,
		"plural":   plural,
		"campaign": func(tag any) string { return campaignURL(fmt.Sprint(tag)) }, // a string or a text
		"result":   resultURL,
	}).ParseFS(pageFiles, "page/frame.html", "page/parts.html")
	if err != nil {
		return nil, err
	}
	pages := map[string]*template.Template{}
	for _, name := range []string{"home", "campaign", "result", "search", "openapi", "problem"} {
		page, err := frame.Clone()
		if err != nil {
			return nil, err
		}
		if pages[name], err = page.ParseFS(pageFiles, "page/"+name+".html"); err != nil {
			return nil, err
		}
	}
	return pages, nil
}

// A view is one page to be shown.
type view struct {
	// page names the template.
	page  string
	Title string
	// Content is what the template shows.
	Content any
	// code is the status of the answer; 0 is 200.
	code int
	// Style is the address of the style sheet.
	Style string
}

// Here says which entry of the navigation the page is.
func (v view) Here(page string) bool { return v.page == page }

// page makes a handler of what makes a view.
func (s *site) page(show func(*http.Request) (view, error)) http.Handler {
	return s.guard(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), pageTime)
		defer cancel()
		v, err := show(r.WithContext(ctx))
		if err != nil {
			if r.Context().Err() != nil {
				return // nobody waits for it
			}
			v = s.problem(r, err)
		}
		s.write(w, r, v)
	})
}

// guard sets the headers of all answers, and refuses methods that change.
func (s *site) guard(answer http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cache-Control", "no-cache")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			header.Set("Allow", "GET, HEAD")
			s.write(w, r, s.problem(r, errMethod))
			return
		}
		answer(w, r)
	})
}

// write answers with a view.
func (s *site) write(w http.ResponseWriter, r *http.Request, v view) {
	v.Style = "/style.css?v=" + digest(s.style)[:16]
	var page bytes.Buffer
	if err := s.pages[v.page].Execute(&page, v); err != nil {
		s.log.Error("a page could not be made", "path", r.URL.Path, "error", err)
		http.Error(w, "The page could not be made; the log of the test DB says why.", http.StatusInternalServerError)
		return
	}
	if v.code == 0 {
		v.code = http.StatusOK
	}
	body := invisible.Spell(page.Bytes())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(v.code)
	_, _ = w.Write(body) // the client has gone
}

// file makes a handler of a file, which browsers keep as long as it is the
// same.
func (s *site) file(content []byte, kind string) http.Handler {
	tag := `"` + digest(content) + `"`
	return s.guard(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Etag", tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	})
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// A refusal is what a person is told instead of the page asked for.
type refusal struct {
	code        int
	title, text string
}

func (f *refusal) Error() string { return f.title + ": " + f.text }

// Refusals that have nothing to name.
var (
	errNoPage error = &refusal{http.StatusNotFound, "There is no such page", "The address may have been cut or mistyped."}
	errMethod error = &refusal{http.StatusMethodNotAllowed, "Pages can only be read", "What changes the test DB is its REST API, under /api/v1."}
)

func refuse(code int, title, text string) error { return &refusal{code, title, text} }

// problem is the page about an error. What is not meant for readers goes to
// the log.
func (s *site) problem(r *http.Request, err error) view {
	var told *refusal
	switch {
	case errors.As(err, &told):
	case errors.Is(err, context.DeadlineExceeded):
		s.log.Warn("a page took too long", "path", r.URL.Path, "error", err)
		told = &refusal{http.StatusServiceUnavailable, "That took too long", "The test DB is busy, or there is too much to look through. Try again, or search for less."}
	default:
		s.log.Error("a page could not be made", "path", r.URL.Path, "error", err)
		told = &refusal{http.StatusInternalServerError, "The test DB could not read its store", "Its log says why. Nothing that was stored is lost by this."}
	}
	return view{
		page: "problem", code: told.code, Title: told.title,
		Content: struct {
			Code        int
			Title, Text string
		}{told.code, told.title, told.text},
	}
}
