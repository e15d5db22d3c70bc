package fetch

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const siteText = "project: lab\nrelease: v1.33\n"

// testCache is an empty cache that believes in the test servers.
func testCache(t testing.TB, environ ...string) *Cache {
	t.Helper()
	return &Cache{
		Dir: filepath.Join(t.TempDir(), "sites"), Environ: append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, environ...),
		TLS: &tls.Config{InsecureSkipVerify: true}, // httptest's own certificate; that others are refused is tested without it
	}
}

func source(t testing.TB, text string) Source {
	t.Helper()
	s, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func read(t testing.TB, c Copy) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.Dir, c.File))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// files are all files under a folder of the cache but its entry.
func files(t testing.TB, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != entryName {
			names = append(names, name)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return names
}

func serve(t testing.TB, text string) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, text) }))
	t.Cleanup(s.Close)
	return s
}

func TestAFileIsGotAndKept(t *testing.T) {
	t.Parallel()
	server := serve(t, siteText)
	cache := testCache(t)
	where := source(t, server.URL+"/labs/xtci.yaml?checksum="+digest(siteText))
	if _, err := cache.Kept(where); !errors.Is(err, ErrNotCached) {
		t.Fatalf("kept before it was got: %v", err)
	}
	got, err := cache.Get(t.Context(), where, Want{})
	if err != nil {
		t.Fatal(err)
	}
	if read(t, got) != siteText || got.Digest != "sha256:"+digest(siteText) || got.File != "xtci.yaml" || got.Source != server.URL+"/labs/xtci.yaml" || got.Commit != "" {
		t.Errorf("got %+v", got)
	}
	server.Close()
	kept, err := cache.Kept(where)
	if err != nil {
		t.Fatal(err)
	}
	if read(t, kept) != siteText || kept.Digest != got.Digest || !kept.Time.Equal(got.Time) {
		t.Errorf("kept %+v, got %+v", kept, got)
	}
	if info, err := os.Stat(filepath.Join(kept.Dir, kept.File)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("it can be read by others: %v, %v", info.Mode(), err)
	}
	if _, err := cache.Get(t.Context(), where, Want{}); err == nil || errors.Is(err, ErrUnfit) {
		t.Errorf("got from a server that is gone: %v", err)
	}
	if _, err := cache.Kept(where); err != nil {
		t.Errorf("a failure costs the copy: %v", err)
	}
}

func TestTheNewestCopyIsKept(t *testing.T) {
	t.Parallel()
	text := "one"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, text) }))
	defer server.Close()
	cache, where := testCache(t), source(t, server.URL+"/x.tar.gz")
	for _, text = range []string{"one", "two", "one"} {
		got, err := cache.Get(t.Context(), where, Want{})
		if err != nil {
			t.Fatal(err)
		}
		kept, err := cache.Kept(where)
		if err != nil || read(t, kept) != text || kept.Dir != got.Dir {
			t.Fatalf("%s: kept %+v, %v", text, kept, err)
		}
	}
	// What is long out of date goes.
	long := time.Now().Add(-2 * oldCopy)
	for _, name := range files(t, cache.Dir) {
		if err := os.Chtimes(filepath.Dir(name), long, long); err != nil {
			t.Fatal(err)
		}
	}
	debris := filepath.Join(cache.Dir, workName+"1")
	if err := os.MkdirAll(debris, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(debris, long, long); err != nil {
		t.Fatal(err)
	}
	if _, err := cache.Get(t.Context(), where, Want{}); err != nil {
		t.Fatal(err)
	}
	if left := files(t, cache.Dir); len(left) != 1 {
		t.Errorf("left are %q", left)
	}
	if _, err := os.Stat(debris); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what somebody left who was killed is still there: %v", err)
	}
}

func TestHostileServers(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, siteText) }))
	t.Cleanup(plain.Close)
	var loop *httptest.Server
	loop = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, loop.URL+"/again", http.StatusFound)
	}))
	t.Cleanup(loop.Close)
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		query   string
		unfit   bool
		want    string
	}{
		"large": {handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1048577")
			_, _ = w.Write(make([]byte, 1<<20+1))
		}, unfit: true, want: "larger than 1 MiB"},
		"large, and its size is not said": {handler: func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, unfit: true, want: "larger than 1 MiB"},
		"broken off": {handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("project: lab\n"))
		}, want: "EOF"},
		"redirect to http":     {handler: http.RedirectHandler(plain.URL+"/x.yaml?token=hunter2", http.StatusFound).ServeHTTP, want: "from https to http"},
		"redirect without end": {handler: http.RedirectHandler(loop.URL, http.StatusFound).ServeHTTP, want: "more than 5 times"},
		"redirect to a file": {handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		}, want: "to file://"},
		"X-Terraform-Get": {handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Terraform-Get", "file:///etc")
			w.WriteHeader(http.StatusNotFound)
		}, want: "404 Not Found"},
		"wrong checksum": {handler: plain.Config.Handler.ServeHTTP, query: "?checksum=" + sum, unfit: true, want: "its digest is sha256:" + digest(siteText)},
		"web page": {handler: func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "\n\n<!DOCTYPE html><title>Log in</title>")
		}, unfit: true, want: "web page"},
		"not there":              {handler: http.NotFound, want: "404 Not Found: there is no such file"},
		"not for everybody":      {handler: func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, query: "?token=hunter2", want: "401 Unauthorized"},
		"a part of it":           {handler: func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusPartialContent) }, want: "206 Partial Content"},
		"nothing":                {handler: func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) }, want: "204 No Content"},
		"hangs up":               {handler: func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, want: "EOF"},
		"redirect without where": {handler: func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusFound) }, want: "302 Found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewTLSServer(test.handler)
			t.Cleanup(server.Close)
			cache := testCache(t)
			_, err := cache.Get(t.Context(), source(t, strings.Replace(server.URL, "https://", "https://me:hunter2@", 1)+"/x.yaml"+test.query), Want{})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q in it", err, test.want)
			}
			if errors.Is(err, ErrUnfit) != test.unfit {
				t.Errorf("%v: unfit: %v", err, !test.unfit)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error has the password: %v", err)
			}
			if left := files(t, cache.Dir); len(left) > 0 {
				t.Errorf("left are %q", left)
			}
		})
	}
}

func TestCertificatesAreChecked(t *testing.T) {
	t.Parallel()
	cache := testCache(t)
	cache.TLS = nil
	if _, err := cache.Get(t.Context(), source(t, serve(t, siteText).URL+"/x.yaml"), Want{}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got from a server that nobody vouches for: %v", err)
	}
}

func TestRedirectsAreFollowed(t *testing.T) {
	t.Parallel()
	target := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Referer") != "" || r.Header.Get("Authorization") != "" {
			t.Errorf("another host is told %v", r.Header)
		}
		fmt.Fprint(w, siteText)
	}))
	defer target.Close()
	other := strings.Replace(target.URL, "127.0.0.1", "localhost", 1)
	server := httptest.NewServer(http.RedirectHandler(other+"/y.yaml", http.StatusMovedPermanently))
	defer server.Close()
	got, err := testCache(t).Get(t.Context(), source(t, strings.Replace(server.URL, "://", "://me:hunter2@", 1)+"/x.yaml?token=hunter2"), Want{})
	if err != nil || read(t, got) != siteText {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestArchivesStayPacked(t *testing.T) {
	t.Parallel()
	packed := "\x1f\x8b\x08\x00\x00\x00\x00\x00"
	for _, name := range []string{"x.tar.gz", "x.zip", "x.gz", "x.tar", "..%2Fx.yaml", "%2e%2e", "-rf", strings.Repeat("x", 300)} {
		got, err := testCache(t).Get(t.Context(), source(t, serve(t, packed).URL+"/"+name), Want{})
		if err != nil || read(t, got) != packed {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestLimitsCanBeOthers(t *testing.T) {
	t.Parallel()
	server := serve(t, strings.Repeat("x", 3<<20))
	if _, err := testCache(t).Get(t.Context(), source(t, server.URL+"/image.tar"), Want{MaxBytes: 3 << 20}); err != nil {
		t.Error(err)
	}
	if _, err := testCache(t).Get(t.Context(), source(t, server.URL+"/image.tar"), Want{MaxBytes: 3<<20 - 1}); !errors.Is(err, ErrUnfit) {
		t.Errorf("one byte too much is taken: %v", err)
	}
}

// slow begins an answer, says so, and never ends it.
func slow(t testing.TB) (*httptest.Server, <-chan struct{}) {
	t.Helper()
	begun := make(chan struct{}, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "project:")
		w.(http.Flusher).Flush()
		begun <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	return s, begun
}

func TestASlowServerIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	server, _ := slow(t)
	cache := testCache(t)
	_, err := cache.Get(t.Context(), source(t, server.URL+"/x.yaml"), Want{Timeout: 200 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "no complete answer within 200ms") || errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestInterruptedNothingIsKept(t *testing.T) {
	t.Parallel()
	server, begun := slow(t)
	cache := testCache(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := cache.Get(ctx, source(t, server.URL+"/x.yaml"), Want{})
		ended <- err
	}()
	<-begun
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if left := files(t, cache.Dir); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
}

// gets, in the environment, has this program get a source into a folder and
// end, so that it can be killed meanwhile.
const gets = "XTCI_TEST_FETCH_GETS"

func TestMain(m *testing.M) {
	if where, dir, ok := strings.Cut(os.Getenv(gets), " "); ok {
		s, err := Parse(where)
		if err == nil {
			_, err = (&Cache{Dir: dir}).Get(context.Background(), s, Want{})
		}
		fmt.Fprintln(os.Stderr, err)
		return
	}
	m.Run()
}

func TestKilledNothingIsKept(t *testing.T) {
	t.Parallel()
	server, begun := slow(t)
	cache := testCache(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), gets+"="+server.URL+"/x.yaml "+cache.Dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-begun
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("it was not killed")
	}
	if _, err := cache.Kept(source(t, server.URL+"/x.yaml")); !errors.Is(err, ErrNotCached) {
		t.Errorf("kept: %v", err)
	}
	for _, name := range files(t, cache.Dir) {
		if !strings.Contains(name, string(filepath.Separator)+workName) {
			t.Errorf("left is %s", name)
		}
	}
}

func TestSeveralAtOnce(t *testing.T) {
	t.Parallel()
	server := serve(t, siteText)
	cache, where := testCache(t), source(t, server.URL+"/x.yaml")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			got, err := cache.Get(t.Context(), where, Want{})
			if err != nil {
				t.Error(err)
				return
			}
			if read(t, got) != siteText {
				t.Error("it is something else")
			}
			if _, err := cache.Kept(where); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if left := files(t, cache.Dir); len(left) != 1 {
		t.Errorf("left are %q", left)
	}
}

func TestASpoiledCopyIsNotTaken(t *testing.T) {
	t.Parallel()
	server := serve(t, siteText)
	for name, spoil := range map[string]func(Copy) error{
		"changed": func(c Copy) error { return os.WriteFile(filepath.Join(c.Dir, c.File), []byte("project: evil"), 0o600) },
		"another file": func(c Copy) error {
			return os.WriteFile(filepath.Join(c.Dir, "group_vars"), nil, 0o600)
		},
		"a link": func(c Copy) error {
			name := filepath.Join(c.Dir, c.File)
			return errors.Join(os.Rename(name, c.Dir+".yaml"), os.Symlink(c.Dir+".yaml", name))
		},
		"gone": func(c Copy) error { return os.RemoveAll(c.Dir) },
		"no entry": func(c Copy) error {
			return os.WriteFile(filepath.Join(filepath.Dir(c.Dir), entryName), []byte("{"), 0o600)
		},
		"half entry": func(c Copy) error {
			return os.WriteFile(filepath.Join(filepath.Dir(c.Dir), entryName), []byte(`{"version":"../.."}`), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cache, where := testCache(t), source(t, server.URL+"/x.yaml")
			got, err := cache.Get(t.Context(), where, Want{})
			if err != nil {
				t.Fatal(err)
			}
			if err := spoil(got); err != nil {
				t.Fatal(err)
			}
			if _, err := cache.Kept(where); !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), "get it anew") {
				t.Errorf("%v", err)
			}
			again, err := cache.Get(t.Context(), where, Want{})
			if err != nil {
				t.Fatal(err)
			}
			if kept, err := cache.Kept(where); err != nil || kept.Dir != again.Dir || read(t, kept) != siteText {
				t.Errorf("it was not made anew: %+v, %v", kept, err)
			}
		})
	}
	cache, where := testCache(t), server.URL+"/x.yaml"
	if _, err := cache.Get(t.Context(), source(t, where), Want{}); err != nil {
		t.Fatal(err)
	}
	if _, err := cache.Kept(source(t, where+"?checksum="+sum)); !errors.Is(err, ErrUnfit) {
		t.Errorf("a copy with another digest is taken: %v", err)
	}
}

func TestProxiesOfTheEnvironment(t *testing.T) {
	t.Parallel()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "by way of a proxy: "+r.URL.Host) }))
	defer proxy.Close()
	got, err := testCache(t, "http_proxy="+proxy.URL).Get(t.Context(), source(t, "http://lab.invalid/x.yaml"), Want{})
	if err != nil || read(t, got) != "by way of a proxy: lab.invalid" {
		t.Errorf("%+v, %v", got, err)
	}
}
