package main

import (
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// serves DIR serves a folder at $URL until the script ends, and the git
// repositories in it at $URL/git/. serves nothing more makes the server that
// was at $URL hang up.
func serves(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: serves DIR")
	}
	dir := ts.MkAbs(args[0])
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(dir)))
	mux.HandleFunc("/gone/", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if program, err := exec.Command("git", "--exec-path").Output(); err == nil {
		mux.Handle("/git/", &cgi.Handler{
			Path: filepath.Join(strings.TrimSpace(string(program)), "git-http-backend"), Root: "/git",
			Env: []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1"},
		})
	}
	server := httptest.NewServer(mux)
	ts.Defer(server.Close)
	ts.Setenv("URL", server.URL)
}
