package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// serveTestDB runs xtci serve testdb until the test ends, and returns its
// address and a function that stops it and gives the exit code.
func serveTestDB(t *testing.T, args ...string) (address string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	stderr, pipe := io.Pipe()
	code := make(chan int, 1)
	go func() {
		a := &app{out: io.Discard, err: pipe}
		code <- a.main(ctx, append([]string{"serve", "testdb", "--listen", "127.0.0.1:0"}, args...))
		pipe.Close()
	}()
	line, err := bufio.NewReader(stderr).ReadString('\n')
	if err != nil {
		cancel()
		t.Fatalf("no address: %q, %v, exit %d", line, err, <-code)
	}
	go io.Copy(io.Discard, stderr) //nolint:errcheck // ends with the command
	stopped := -1
	stop = func() int {
		if stopped < 0 {
			cancel()
			stopped = <-code
		}
		return stopped
	}
	t.Cleanup(func() { stop() })
	return strings.TrimSpace(strings.TrimPrefix(line, "test DB: ")), stop
}

// call makes one request and returns status and body.
func call(t *testing.T, method, url, token, body string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("X-Auth-Token", token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// runOnce runs another command and returns its exit code and output.
func runOnce(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	a := &app{out: &out, err: &out}
	return a.main(t.Context(), args), out.String()
}

func TestServeTestDBKeepsResultsOverARestart(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "results.db")
	address, stop := serveTestDB(t, "--db", db)
	for path, body := range map[string]string{"pods": `{"name": "pod"}`, "projects": `{"name": "functest"}`} {
		if code, text := call(t, http.MethodPost, address+"api/v1/"+path, "", body); code != http.StatusOK {
			t.Fatalf("%s: %d %s", path, code, text)
		}
	}
	if code, text := call(t, http.MethodPost, address+"api/v1/projects/functest/cases", "", `{"name": "netperf"}`); code != http.StatusOK {
		t.Fatalf("case: %d %s", code, text)
	}
	result := `{"pod_name": "pod", "project_name": "functest", "case_name": "netperf", "criteria": "PASS", "build_tag": "0001"}`
	if code, text := call(t, http.MethodPost, address+"api/v1/results", "", result); code != http.StatusOK {
		t.Fatalf("result: %d %s", code, text)
	}
	// a copy, an export and its import, while it is served
	for _, args := range [][]string{
		{"testdb", "backup", db + ".copy", "--db", db},
		{"testdb", "export", "--db", db + ".copy"},
	} {
		if code, text := runOnce(t, args...); code != exitGood || args[1] == "export" && !strings.Contains(text, `"build_tag": "0001"`) {
			t.Errorf("%v: exit %d, %s", args, code, text)
		}
	}
	if code := stop(); code != exitGood {
		t.Errorf("stopped with exit code %d", code)
	}

	again, _ := serveTestDB(t, "--db", db)
	if code, text := call(t, http.MethodGet, again+"api/v1/results?build_tag=0001", "", ""); code != http.StatusOK || !strings.Contains(text, `"case_name": "netperf"`) {
		t.Errorf("after the restart: %d %s", code, text)
	}
	if code, text := call(t, http.MethodGet, again+"campaigns/0001", "", ""); code != http.StatusOK || !strings.Contains(text, "netperf") {
		t.Errorf("page: %d %.200s", code, text)
	}
}

// What the old server does not have is off unless a flag asks for it.
func TestServeTestDBOptions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plain, _ := serveTestDB(t, "--db", filepath.Join(dir, "plain.db"))
	db := filepath.Join(dir, "with.db")
	with, _ := serveTestDB(t, "--db", db, "--with", "health,metrics,per-page", "--tokens", "--cors", "https://dashboard.example")
	for _, path := range []string{"healthz", "metrics"} {
		if code, _ := call(t, http.MethodGet, plain+path, "", ""); code != http.StatusNotFound {
			t.Errorf("%s without --with: %d", path, code)
		}
		if code, _ := call(t, http.MethodGet, with+path, "", ""); code != http.StatusOK {
			t.Errorf("%s with --with: %d", path, code)
		}
	}
	if code, _ := call(t, http.MethodPost, with+"api/v1/pods", "", `{"name": "pod"}`); code != http.StatusUnauthorized {
		t.Errorf("without a token: %d", code)
	}
	exit, token := runOnce(t, "testdb", "token", "jenkins", "--db", db)
	if exit != exitGood {
		t.Fatalf("token: %s", token)
	}
	if code, text := call(t, http.MethodPost, with+"api/v1/pods", strings.TrimSpace(token), `{"name": "pod"}`); code != http.StatusOK {
		t.Errorf("with the token: %d %s", code, text)
	}
	if exit, text := runOnce(t, "serve", "testdb", "--with", "everything"); exit != exitUsage || !strings.Contains(text, "per-page") {
		t.Errorf("--with everything: exit %d, %s", exit, text)
	}
}
