package fileserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
)

// A refusal is what is told instead of what was asked for.
type refusal struct {
	code        int
	title, text string
}

func (f *refusal) Error() string { return f.title + ": " + f.text }

// refusalOf turns any error into what a client is told. What is not meant for
// clients stays in the log.
func refusalOf(err error) *refusal {
	var told *refusal
	switch {
	case errors.As(err, &told):
		return told
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid):
		return &refusal{http.StatusNotFound, "There is no such file", "The address may have been cut or mistyped, or the file is not there yet."}
	case errors.Is(err, context.DeadlineExceeded):
		return &refusal{http.StatusServiceUnavailable, "That took too long", "The store is busy. Try again."}
	}
	return &refusal{http.StatusBadGateway, "The store could not be read", "The log of the file server says why. Nothing is lost by this."}
}

// refuse answers with an error: a page for browsers, JSON for programs that
// ask for it, and a line of text for all others. It cuts the connection when
// the answer has begun.
func (s *Server) refuse(w *answer, r *http.Request, err error) {
	if w.status != 0 {
		s.cut(w, r, err)
	}
	f := refusalOf(err)
	if f.code >= http.StatusInternalServerError && r.Context().Err() == nil {
		s.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "status", f.code, "error", err)
	}
	header := w.Header()
	for _, name := range []string{"Etag", "Content-Disposition", "Content-Length", "Last-Modified"} {
		header.Del(name)
	}
	switch {
	case accepts(r, jsonType):
		body, _ := json.Marshal(map[string]any{"error": f.title + ". " + f.text, "code": f.code}) // texts and numbers always can be
		s.write(w, r, f.code, jsonType, append(body, '\n'))
	case accepts(r, "text/html"):
		if err := s.page(w, r, f.code, "problem.html", view{Title: f.title, Crumbs: []crumb{{Name: "Files", URL: "/"}}, Content: problemPage{f.code, f.title, f.text}}); err != nil {
			s.log.Error("a page could not be made", "error", err)
			http.Error(w, f.title, f.code)
		}
	default:
		header.Set("Content-Security-Policy", sandbox)
		s.write(w, r, f.code, "text/plain; charset=utf-8", fmt.Appendf(nil, "%d %s. %s\n", f.code, strings.ToLower(f.title[:1])+f.title[1:], f.text))
	}
}

// cut ends an answer that has begun and cannot be finished.
func (s *Server) cut(w *answer, r *http.Request, err error) {
	if !w.gone && r.Context().Err() == nil {
		s.log.Error("an answer was cut", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	abort()
}

type problemPage struct {
	Code        int
	Title, Text string
}

const jsonType = "application/json"

// accepts says whether a client asks for a type by name; */* does not.
func accepts(r *http.Request, kind string) bool {
	return strings.Contains(strings.ToLower(strings.Join(r.Header.Values("Accept"), ",")), kind)
}

// write answers with a body.
func (s *Server) write(w http.ResponseWriter, r *http.Request, code int, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client has gone
	}
}
