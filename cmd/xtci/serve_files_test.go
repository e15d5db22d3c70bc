package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/internal/miniotest"
)

// serveFiles runs xtci serve files until the test ends, and returns its
// address, what it says before, and a function that stops it and gives the
// exit code.
func serveFiles(t *testing.T, args ...string) (address, said string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	stderr, pipe := io.Pipe()
	code := make(chan int, 1)
	go func() {
		a := &app{out: io.Discard, err: pipe}
		code <- a.main(ctx, append([]string{"serve", "files", "--listen", "127.0.0.1:0"}, args...))
		pipe.Close()
	}()
	lines := bufio.NewReader(stderr)
	for address == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			cancel()
			t.Fatalf("no address: %s%s, %v, exit %d", said, line, err, <-code)
		}
		var found bool
		if address, found = strings.CutPrefix(strings.TrimSpace(line), "files: "); !found {
			address = ""
			said += line
		}
	}
	go io.Copy(io.Discard, lines) //nolint:errcheck // ends with the command
	stopped := -1
	stop = func() int {
		if stopped < 0 {
			cancel()
			stopped = <-code
		}
		return stopped
	}
	t.Cleanup(func() { stop() })
	return address, said, stop
}

func TestServeFilesOfAFolder(t *testing.T) {
	t.Parallel()
	prefix := t.TempDir()
	file := filepath.Join(prefix, "artifacts", "TAG00000", "job-1", "a.log")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("log"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"of the site": {"--set", "stack.prefix=" + prefix}, "of a flag": {"--dir", filepath.Join(prefix, "artifacts")},
	} {
		address, said, stop := serveFiles(t, args...)
		if code, text := call(t, http.MethodGet, address+"TAG00000/job-1/a.log", "", ""); code != http.StatusOK || text != "log" {
			t.Errorf("%s: %d %s", name, code, text)
		}
		if code, text := call(t, http.MethodGet, address+"healthz", "", ""); code != http.StatusOK {
			t.Errorf("%s: %d %s", name, code, text)
		}
		if said != "" {
			t.Errorf("%s: said %q", name, said)
		}
		if code := stop(); code != exitGood {
			t.Errorf("%s: stopped with exit code %d", name, code)
		}
	}
}

func TestServeFilesOfABucket(t *testing.T) {
	t.Parallel()
	minio := miniotest.Start(t)
	key := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(key, fmt.Appendf(nil, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", minio.AccessKey, minio.SecretKey.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	bucket := "bucket-" + strings.ToLower(rand.Text())
	// the bucket is made later, as when everything starts at once
	address, said, _ := serveFiles(t, "--endpoint", minio.Endpoint, "--bucket", bucket, "--credentials", key)
	if !strings.Contains(said, "there is no such bucket") || strings.Contains(said, minio.SecretKey.Reveal()) {
		t.Errorf("said %q", said)
	}
	if code, text := call(t, http.MethodGet, address+"healthz", "", ""); code != http.StatusServiceUnavailable {
		t.Errorf("without a bucket: %d %s", code, text)
	}
	store, err := artifacts.OpenS3Store(artifacts.S3Options{Endpoint: minio.Endpoint, Bucket: bucket, Credentials: artifacts.Credentials{AccessKey: minio.AccessKey, SecretKey: minio.SecretKey}})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.CreateBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := store.Put(t.Context(), "TAG00000/job-1/a.log", strings.NewReader("log")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"healthz": `"ok"`, "TAG00000/job-1/a.log": "log", "": "TAG00000", "TAG00000/job-1/": "a.log"} {
		if code, text := call(t, http.MethodGet, address+path, "", ""); code != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%q: %d %.300s", path, code, text)
		}
	}
}

func TestServeFilesWrongUse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--dir", "x", "--endpoint", "http://h"}, "name one of them"},
		{[]string{"--bucket", "x"}, "go with --endpoint"},
		{[]string{"--credentials", "x"}, "go with --endpoint"},
		{[]string{"--endpoint", "minio:9000"}, "want http://HOST:PORT"},
		{[]string{"--endpoint", "http://user:sesame@minio:9000"}, "credentials file"},
		{[]string{"--endpoint", "http://h", "--credentials", filepath.Join(t.TempDir(), "none")}, "read the credentials"},
		{[]string{"argument"}, "takes no arguments"},
	} {
		exit, text := runOnce(t, append([]string{"serve", "files", "--listen", "127.0.0.1:0"}, test.args...)...)
		if exit != exitUsage || !strings.Contains(text, test.want) || strings.Contains(text, "sesame") {
			t.Errorf("%v: exit %d, %s", test.args, exit, text)
		}
	}
	if exit, text := runOnce(t, "serve", "files", "--dir", t.TempDir(), "--listen", "127.0.0.1:1000000"); exit != exitOutside || !strings.Contains(text, "listen on") {
		t.Errorf("a port that is none: exit %d, %s", exit, text)
	}
	if exit, text := runOnce(t, "serve", "files", "--help"); exit != exitGood || !strings.Contains(text, "EXIT STATUS") || !strings.Contains(text, "Examples:") {
		t.Errorf("help: exit %d, %s", exit, text)
	}
}
