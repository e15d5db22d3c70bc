package fileserver

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/internal/miniotest"
)

// dirStore is a store in a folder.
func dirStore(t testing.TB) *artifacts.DirStore {
	t.Helper()
	store, err := artifacts.OpenDirStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// bucket is a store in a bucket of its own.
func bucket(t testing.TB, server *miniotest.Server) *artifacts.S3Store {
	t.Helper()
	_, store := namedBucket(t, server)
	return store
}

func namedBucket(t testing.TB, server *miniotest.Server) (name string, store *artifacts.S3Store) {
	t.Helper()
	name = "bucket-" + strings.ToLower(rand.Text())
	store, err := artifacts.OpenS3Store(artifacts.S3Options{
		Endpoint: server.Endpoint, Bucket: name,
		Credentials: artifacts.Credentials{AccessKey: server.AccessKey, SecretKey: server.SecretKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	if err := store.CreateBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	return name, store
}

type fullStore interface {
	artifacts.Store
	Ping(context.Context) error
}

// onEveryStore runs a test on a folder and on a bucket.
func onEveryStore(t *testing.T, test func(*testing.T, fullStore)) {
	t.Helper()
	t.Run("folder", func(t *testing.T) { test(t, dirStore(t)) })
	t.Run("bucket", func(t *testing.T) { test(t, bucket(t, miniotest.Start(t))) })
}

func put(t testing.TB, store artifacts.Store, key, content string) {
	t.Helper()
	if err := store.Put(t.Context(), key, strings.NewReader(content)); err != nil {
		t.Fatal(err)
	}
}

// serve serves a store until the test ends, and returns its address.
func serve(t testing.TB, store Store, log io.Writer) string {
	t.Helper()
	if log == nil {
		log = t.Output()
	}
	s, err := New(store, Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return server.URL
}

type reply struct {
	status int
	header http.Header
	body   string
}

// get makes one request, to a path as it is, with headers given as name and
// value. It follows no redirect.
func get(t testing.TB, server, method, path string, headers ...string) reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, server+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return reply{answer.StatusCode, answer.Header, string(body)}
}

// zipOf makes a zip.
func zipOf(t testing.TB, files map[string]string) string {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, content := range files {
		f, err := w.Create(name)
		if err == nil {
			_, err = io.WriteString(f, content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

const (
	job    = "AB12CD34EF00/functest-kubernetes-opnfv-functest-kubernetes-healthcheck-v1.23-k8s_quick-1"
	text   = "text/plain; charset=utf-8"
	html   = "text/html; charset=utf-8"
	report = "<!doctype html><title>Report</title><h1>Conformant</h1>"
)

// sample is a campaign with an archive, and another without.
func sample(t testing.TB, store artifacts.Store) {
	t.Helper()
	for key, content := range map[string]string{
		job + "/functest-kubernetes.log":       "0123456789",
		job + "/k8s_quick/e2e.log":             "e2e",
		job + "/k8s_quick/junit_01.xml":        "<testsuite/>",
		job + "/k8s_quick/page.html":           `<script>top.ran = 1; document.title = "ran"</script><p>page`,
		job + "/k8s_quick/subunit_stream":      "\x00\x01",
		job + "/k8s_quick/größe 1+2%20&?#.txt": "odd",
		job + "/k8s_quick/<b>bold<b>.txt":      "bold",
		job + "/k8s_quick/%2e%2e":              "dots",
		job + "/k8s_quick/javascript:alert(1)": "name",
		"ZZ12CD34EF99/job-1/file":              "running",
		"AB12CD34EF00.json":                    `{"results":[]}`,
		"AB12CD34EF00.zip":                     zipOf(t, map[string]string{"report.html": report, "report.json": "{}", job + "/x.log": "log"}),
		"BADARCHIVE.zip":                       "no zip at all",
		"CLASSIC0123.zip":                      zipOf(t, map[string]string{"CLASSIC0123.json": "{}"}),
		"readme.txt":                           "of no campaign",
		"folder/of/others/a.txt":               "a",
	} {
		put(t, store, key, content)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(t *testing.T, store fullStore) {
		sample(t, store)
		server := serve(t, store, nil)
		const browser = "text/html,application/xhtml+xml,*/*;q=0.8"
		for _, test := range []struct {
			name, method, path string
			headers            []string
			status             int
			kind               string
			body               string // what the body is, or, with dots, has in it
		}{
			{"a log", "GET", "/" + job + "/functest-kubernetes.log", nil, 200, text, "0123456789"},
			{"HEAD", "HEAD", "/" + job + "/functest-kubernetes.log", nil, 200, text, ""},
			{"a range", "GET", "/" + job + "/functest-kubernetes.log", []string{"Range", "bytes=2-4"}, 206, text, "234"},
			{"the end", "GET", "/" + job + "/functest-kubernetes.log", []string{"Range", "bytes=-3"}, 206, text, "789"},
			{"from a place on", "GET", "/" + job + "/functest-kubernetes.log", []string{"Range", "bytes=8-"}, 206, text, "89"},
			{"a range that is not there", "GET", "/" + job + "/functest-kubernetes.log", []string{"Range", "bytes=100-"}, 416, text, "..range.."},
			{"no known type", "GET", "/" + job + "/k8s_quick/subunit_stream", nil, 200, "application/octet-stream", "\x00\x01"},
			{"HTML of a test", "GET", "/" + job + "/k8s_quick/page.html", nil, 200, html, "..<p>page"},
			{"an odd name", "GET", "/" + job + "/k8s_quick/gr%C3%B6%C3%9Fe%201+2%2520&%3F%23.txt", nil, 200, text, "odd"},
			{"tags in a name", "GET", "/" + job + "/k8s_quick/%3Cb%3Ebold%3Cb%3E.txt", nil, 200, text, "bold"},
			{"a name of escaped dots", "GET", "/" + job + "/k8s_quick/%252e%252e", nil, 200, "application/octet-stream", "dots"},
			{"the archive", "HEAD", "/AB12CD34EF00.zip", nil, 200, "application/zip", ""},
			{"the report in it", "GET", "/AB12CD34EF00.zip/report.html", nil, 200, html, report},
			{"another file in it", "GET", "/AB12CD34EF00.zip/" + job + "/x.log", nil, 200, text, "log"},
			{"HEAD of the report", "HEAD", "/AB12CD34EF00.zip/report.html", nil, 200, html, ""},
			{"no such file in it", "GET", "/AB12CD34EF00.zip/nothing", nil, 404, text, "..no such file.."},
			{"an archive without a report", "GET", "/CLASSIC0123.zip/report.html", nil, 404, text, "..xtci report makes it.."},
			{"no zip", "GET", "/BADARCHIVE.zip/report.html", nil, 422, text, "..not a zip.."},
			{"no such archive", "GET", "/NOTTHERE01.zip/report.html", nil, 404, text, "..no such file.."},
			{"a file that is no folder", "GET", "/readme.txt/", nil, 404, text, "..no such file.."},
			{"the top", "GET", "/", nil, 200, html, `..<a href="./AB12CD34EF00.zip/report.html">..`},
			{"the top for programs", "GET", "/", []string{"Accept", "application/json"}, 200, jsonType, `.."name": "AB12CD34EF00.zip"..`},
			{"a folder", "GET", "/" + job + "/k8s_quick/", nil, 200, html, `..href="./%3Cb%3Ebold%3Cb%3E.txt"><bdi>&lt;b&gt;bold&lt;b&gt;.txt<..`},
			{"a folder's odd names", "GET", "/" + job + "/k8s_quick/", nil, 200, html, `..href="./javascript:alert%281%29"..`},
			{"a campaign", "GET", "/AB12CD34EF00/", nil, 200, html, `..<a href="../AB12CD34EF00.zip/report.html">Report</a>..`},
			{"no such folder", "GET", "/nosuch/", nil, 404, text, "..no such file.."},
			{"missing", "GET", "/nosuch.zip", nil, 404, text, "..no such file.."},
			{"missing, in a browser", "GET", "/nosuch.zip", []string{"Accept", browser}, 404, html, "..<h1..There is no such file.."},
			{"missing, for programs", "GET", "/nosuch.zip", []string{"Accept", "application/json"}, 404, jsonType, `.."code":404..`},
			{"well", "GET", "/healthz", nil, 200, jsonType, `{"status": "ok"}` + "\n"},
			{"POST", "POST", "/AB12CD34EF00.zip", nil, 405, text, "..GET and HEAD.."},
			{"PUT", "PUT", "/new", nil, 405, text, "..GET and HEAD.."},
			{"DELETE", "DELETE", "/AB12CD34EF00.zip", nil, 405, text, "..GET and HEAD.."},
			{"OPTIONS", "OPTIONS", "/AB12CD34EF00.zip", nil, 405, text, "..GET and HEAD.."},
			{"up", "GET", "/../../etc/passwd", nil, 404, text, "..no such file.."},
			{"up, escaped", "GET", "/%2e%2e/%2e%2e/etc/passwd", nil, 404, text, "..no such file.."},
			{"up, escaped slashes", "GET", "/..%2f..%2fetc%2fpasswd", nil, 404, text, "..no such file.."},
			{"up within", "GET", "/AB12CD34EF00/../readme.txt", nil, 404, text, "..no such file.."},
			{"two slashes", "GET", "//readme.txt", nil, 404, text, "..no such file.."},
			{"two slashes and a host", "GET", "//evil.example/..", nil, 404, text, "..no such file.."},
			{"NUL", "GET", "/a%00b", nil, 404, text, "..no such file.."},
			{"a new line", "GET", "/a%0d%0aSet-Cookie:x", nil, 404, text, "..no such file.."},
			{"no UTF-8", "GET", "/%ff%fe", nil, 404, text, "..no such file.."},
			{"a long name", "GET", "/" + strings.Repeat("a", 5000), nil, 404, text, "..no such file.."},
			{"up in an archive", "GET", "/AB12CD34EF00.zip/../readme.txt", nil, 404, text, "..no such file.."},
		} {
			got := get(t, server, test.method, test.path, test.headers...)
			if got.status != test.status || got.header.Get("Content-Type") != test.kind {
				t.Errorf("%s: %d %s, want %d %s", test.name, got.status, got.header.Get("Content-Type"), test.status, test.kind)
			}
			pattern := regexp.QuoteMeta(test.body)
			if !strings.Contains(test.path, "..") || strings.HasPrefix(test.body, "..") {
				pattern = strings.ReplaceAll(pattern, `\.\.`, "(?s:.*)")
			}
			if !regexp.MustCompile("^" + pattern + "$").MatchString(got.body) {
				t.Errorf("%s: body %.2000q, want %q", test.name, got.body, test.body)
			}
			checkHeaders(t, test.name, got)
		}
	})
}

// checkHeaders checks what every answer has.
func checkHeaders(t *testing.T, name string, got reply) {
	t.Helper()
	if got.header.Get("X-Content-Type-Options") != "nosniff" || got.header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%s: headers %v", name, got.header)
	}
	policy := got.header.Get("Content-Security-Policy")
	if kind := got.header.Get("Content-Type"); kind != "" && kind != jsonType && (!strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "script")) {
		t.Errorf("%s: policy %q", name, policy)
	}
	if strings.Contains(got.header.Get("Set-Cookie"), "x") {
		t.Errorf("%s: a header was smuggled in", name)
	}
}

func TestPoliciesOfFiles(t *testing.T) {
	t.Parallel()
	store := dirStore(t)
	sample(t, store)
	server := serve(t, store, nil)
	for p, want := range map[string]string{
		"/" + job + "/k8s_quick/page.html": "sandbox; default-src 'none'", "/" + job + "/k8s_quick/junit_01.xml": "sandbox; default-src 'none'",
		"/AB12CD34EF00.zip/report.html": "sandbox allow-downloads; default-src 'none'", "/AB12CD34EF00.zip/report.json": "sandbox; default-src 'none'",
		"/AB12CD34EF00.zip": "sandbox; default-src 'none'", "/": "default-src 'none'; style-src 'sha256-",
	} {
		if got := get(t, server, "GET", p).header.Get("Content-Security-Policy"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: policy %q, want %q", p, got, want)
		}
	}
	if got := get(t, server, "HEAD", "/AB12CD34EF00.zip").header.Get("Content-Disposition"); got != "attachment; filename=AB12CD34EF00.zip" {
		t.Errorf("an archive is %q", got)
	}
}

func TestFolderWithoutSlash(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(t *testing.T, store fullStore) {
		sample(t, store)
		put(t, store, "odd/a:b &?/file", "x")
		server := serve(t, store, nil)
		for p, want := range map[string]string{
			"/AB12CD34EF00": "./AB12CD34EF00/", "/" + job: "./" + path.Base(job) + "/", "/odd/a:b%20&%3F": "./a:b%20&%3F/", "/folder/of": "./of/",
		} {
			got := get(t, server, "GET", p)
			if got.status != http.StatusMovedPermanently || got.header.Get("Location") != want {
				t.Errorf("%s: %d to %q, want %q", p, got.status, got.header.Get("Location"), want)
			}
			dir := p[:strings.LastIndexByte(p, '/')+1]
			if again := get(t, server, "GET", dir+strings.TrimPrefix(want, "./")); again.status != http.StatusOK {
				t.Errorf("%s: leads to %d", p, again.status)
			}
		}
		if got := get(t, server, "GET", "/AB12CD34EF00.zip/"); got.status != http.StatusFound || got.header.Get("Location") != "./report.html" {
			t.Errorf("an archive's folder: %d to %q", got.status, got.header.Get("Location"))
		}
	})
}

func TestConditionalRequests(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(t *testing.T, store fullStore) {
		sample(t, store)
		server := serve(t, store, nil)
		for _, p := range []string{"/" + job + "/functest-kubernetes.log", "/AB12CD34EF00.zip/report.html"} {
			first := get(t, server, "GET", p)
			etag := first.header.Get("Etag")
			if !regexp.MustCompile(`^"[0-9a-z-]+"$`).MatchString(etag) || first.header.Get("Last-Modified") == "" {
				t.Errorf("%s: Etag %s, Last-Modified %s", p, etag, first.header.Get("Last-Modified"))
			}
			for _, condition := range []string{etag, `"other", ` + etag, "W/" + etag, "*"} {
				if got := get(t, server, "GET", p, "If-None-Match", condition); got.status != http.StatusNotModified || got.body != "" {
					t.Errorf("%s: If-None-Match %s: %d", p, condition, got.status)
				}
			}
			if got := get(t, server, "GET", p, "If-None-Match", `"other"`); got.status != http.StatusOK {
				t.Errorf("%s: another Etag: %d", p, got.status)
			}
		}
		log := "/" + job + "/functest-kubernetes.log"
		first := get(t, server, "GET", log)
		if got := get(t, server, "GET", log, "If-Modified-Since", first.header.Get("Last-Modified")); got.status != http.StatusNotModified {
			t.Errorf("If-Modified-Since: %d", got.status)
		}
		if got := get(t, server, "GET", log, "Range", "bytes=0-1", "If-Range", first.header.Get("Etag")); got.status != http.StatusPartialContent {
			t.Errorf("If-Range: %d", got.status)
		}
		put(t, store, strings.TrimPrefix(log, "/"), "another")
		if got := get(t, server, "GET", log, "If-None-Match", first.header.Get("Etag")); got.status != http.StatusOK || got.body != "another" {
			t.Errorf("after it was replaced: %d %q", got.status, got.body)
		}
		if got := get(t, server, "GET", log, "Range", "bytes=0-1", "If-Range", first.header.Get("Etag")); got.status != http.StatusOK {
			t.Errorf("If-Range after it was replaced: %d", got.status)
		}
	})
}

func TestListingForPrograms(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range perPage + 3 {
		names = append(names, fmt.Sprintf("%05d.log", i))
	}
	t.Run("folder", func(t *testing.T) {
		store := dirStore(t)
		for _, name := range names {
			put(t, store, "f/"+name, "x")
		}
		checkListing(t, store)
	})
	t.Run("bucket", func(t *testing.T) {
		minio := miniotest.Start(t)
		name, store := namedBucket(t, minio)
		put(t, store, "f/"+names[0], "x")
		minio.Copy(t, name, "f/"+names[0], names[1:])
		checkListing(t, store)
	})
}

func checkListing(t *testing.T, store fullStore) {
	t.Helper()
	put(t, store, "f/sub/file", "x")
	server := serve(t, store, nil)
	type listing struct {
		Folder  string
		Entries []struct {
			Name, Type, Modified, ETag, URL string
			Size                            *int64
		}
		Next string
	}
	var names []string
	for next, pages := "", 0; pages == 0 || next != "" && pages < 5; pages++ {
		got := get(t, server, "GET", "/f/"+next, "Accept", "application/json")
		var l listing
		if err := json.Unmarshal([]byte(got.body), &l); err != nil || l.Folder != "f/" {
			t.Fatalf("%v: %.200s", err, got.body)
		}
		for _, e := range l.Entries {
			names = append(names, e.Name)
			switch e.Type {
			case "file":
				if _, err := time.Parse(time.RFC3339, e.Modified); err != nil || e.Size == nil || *e.Size != 1 || e.ETag == "" || e.URL != "./"+e.Name {
					t.Fatalf("%+v", e)
				}
			case "folder":
				if e.URL != "./sub/" || e.Size != nil {
					t.Errorf("%+v", e)
				}
			}
		}
		next = l.Next
	}
	if len(names) != perPage+4 || names[0] != "00000.log" || names[perPage+3] != "sub" {
		t.Errorf("%d names, %v ...", len(names), names[:1])
	}
	page := get(t, server, "GET", "/f/")
	if !strings.Contains(page.body, `<a href="?after=00999.log" rel="next">`) {
		t.Error("the first page does not lead to the next")
	}
	if second := get(t, server, "GET", "/f/?after=00999.log"); !strings.Contains(second.body, "./01000.log") || !strings.Contains(second.body, "From the beginning") {
		t.Error("the second page")
	}
}

func TestTopIsTheNewestFirst(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(t *testing.T, store fullStore) {
		server := serve(t, store, nil)
		if got := get(t, server, "GET", "/"); got.status != http.StatusOK || !strings.Contains(got.body, "No campaign yet") {
			t.Errorf("an empty store: %d", got.status)
		}
		if got := get(t, server, "GET", "/", "Accept", "application/json"); got.status != http.StatusOK || !strings.Contains(got.body, `"entries": []`) {
			t.Errorf("an empty store: %d %s", got.status, got.body)
		}
		second := time.NewTicker(1100 * time.Millisecond) // times have seconds
		defer second.Stop()
		for _, key := range []string{"MIDDLE000/job-1/case/file", "FIRST0000/job-1/a", "ZULU00000.zip", "ALPHA0000.zip"} {
			put(t, store, key, zipOf(t, nil))
			<-second.C
		}
		put(t, store, "short/file", "x")
		got := get(t, server, "GET", "/")
		tags := regexp.MustCompile(`<th scope="row"[^>]*>(?:<a href="[^"]*">)?<bdi>(\w+)`).FindAllStringSubmatch(got.body, -1)
		var names []string
		for _, m := range tags {
			names = append(names, m[1])
		}
		if diff := cmp.Diff([]string{"ALPHA0000", "ZULU00000", "FIRST0000", "MIDDLE000", "short"}, names); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if !strings.Contains(got.body, "No archive yet") || !strings.Contains(got.body, "4 campaigns, the newest first") {
			t.Error("what is said of them")
		}
	})
}

// A brokenStore is a stand-in whose reading fails, or panics.
type brokenStore struct {
	Store
	fail   error
	panics bool
}

func (b brokenStore) Open(ctx context.Context, key string) (artifacts.Object, error) {
	if b.panics {
		panic("sesame")
	}
	if key == "half" {
		object, err := b.Store.Open(ctx, "file")
		return brokenObject{object}, err
	}
	return nil, b.fail
}

func (b brokenStore) List(context.Context, string, string, int) ([]artifacts.Entry, bool, error) {
	return nil, false, b.fail
}
func (b brokenStore) Ping(context.Context) error { return b.fail }

type brokenObject struct{ artifacts.Object }

func (b brokenObject) Read(p []byte) (int, error) {
	n, err := b.Object.Read(p[:min(len(p), 1000)])
	if n == 0 {
		return 0, errors.New("sesame")
	}
	return n, err
}

func (b brokenObject) Entry() artifacts.Entry {
	e := b.Object.Entry()
	e.Size *= 2
	return e
}

func (b brokenObject) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekEnd {
		return b.Entry().Size, nil
	}
	return b.Object.Seek(offset, whence)
}

func TestFailuresStayInTheLog(t *testing.T) {
	t.Parallel()
	dir := dirStore(t)
	put(t, dir, "file", strings.Repeat("x", 100_000))
	for _, test := range []struct {
		name   string
		store  brokenStore
		path   string
		status int
	}{
		{"a file", brokenStore{fail: errors.New("sesame")}, "/file", http.StatusBadGateway},
		{"a folder", brokenStore{fail: errors.New("sesame")}, "/folder/", http.StatusBadGateway},
		{"the top", brokenStore{fail: errors.New("sesame")}, "/", http.StatusBadGateway},
		{"too slow", brokenStore{fail: fmt.Errorf("sesame: %w", context.DeadlineExceeded)}, "/", http.StatusServiceUnavailable},
		{"health", brokenStore{fail: errors.New("sesame")}, "/healthz", http.StatusServiceUnavailable},
		{"a panic", brokenStore{panics: true}, "/file", http.StatusBadGateway},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			got := get(t, serve(t, test.store, &log), "GET", test.path)
			if got.status != test.status || strings.Contains(got.body, "sesame") || strings.Contains(got.body, "goroutine") {
				t.Errorf("%d %s", got.status, got.body)
			}
			if !strings.Contains(log.String(), "sesame") {
				t.Errorf("log %q", log.String())
			}
		})
	}
	t.Run("in the middle", func(t *testing.T) {
		t.Parallel()
		server := serve(t, brokenStore{Store: dir}, io.Discard)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server+"/half", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if n, err := io.Copy(io.Discard, answer.Body); err == nil {
			t.Errorf("half of a file, %d bytes, looks like the whole", n)
		}
	})
}

// A slowStore is a stand-in whose reading waits until it is let go.
type slowStore struct {
	Store
	begun, wait chan struct{}
}

func (s slowStore) Ping(ctx context.Context) error {
	close(s.begun)
	<-s.wait
	return nil
}

func TestServeStops(t *testing.T) {
	t.Parallel()
	store := slowStore{begun: make(chan struct{}), wait: make(chan struct{})}
	s, err := New(store, Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	answered := make(chan reply, 1)
	go func() { answered <- get(t, "http://"+l.Addr().String(), "GET", "/healthz") }()
	<-store.begun
	stop() // with a request under way, which is answered
	close(store.wait)
	if got := <-answered; got.status != http.StatusOK {
		t.Errorf("%d %s", got.status, got.body)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("it still listens")
	}
	if err := s.Serve(t.Context(), l); err == nil {
		t.Error("served on a closed listener")
	}
}

func TestHeadersAreLimited(t *testing.T) {
	t.Parallel()
	s, err := New(dirStore(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	if got := get(t, "http://"+l.Addr().String(), "GET", "/", "X-Long", strings.Repeat("x", 2*maxHeader)); got.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a long header: %d", got.status)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
