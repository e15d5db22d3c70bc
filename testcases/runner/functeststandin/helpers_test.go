package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/installer/testdb/sqlstore"
	"github.com/anuket-project/xtci/internal/miniotest"
	"github.com/anuket-project/xtci/testcases"
	"github.com/anuket-project/xtci/testcases/runner/functeststandin/layout"
)

const (
	testTag = "FX"
	fileURL = "http://198.51.100.7:8181"
)

// imageFiles are those of all images, by tier.
var imageFiles = sync.OnceValues(func() (map[string]map[string]string, error) {
	all := map[string]map[string]string{}
	for _, tier := range layout.Tiers() {
		files, err := layout.Files("../../testdata/sample", tier)
		if err != nil {
			return nil, err
		}
		all[tier] = files
	}
	return all, nil
})

// newRoot is a folder with what the images of tiers hold, and a kubeconfig.
func newRoot(t *testing.T, tiers ...string) string {
	t.Helper()
	root := t.TempDir()
	images, err := imageFiles()
	if err != nil {
		t.Fatal(err)
	}
	for _, tier := range tiers {
		for name, from := range images[tier] {
			content, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(root, name), string(content))
		}
	}
	writeFile(t, filepath.Join(root, kubeconfig), "kind: Config\n")
	return root
}

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// call runs the program as a command line would.
func call(t *testing.T, root string, env []string, args ...string) (console string, status int) {
	t.Helper()
	var out, failed bytes.Buffer
	status = run(args, append(slices.Clone(env), ownPrefix+"ROOT="+root), &out, &failed)
	if failed.Len() > 0 {
		t.Logf("stderr of %q: %s", args, &failed)
	}
	return out.String(), status
}

// A lab is what containers push and publish to.
type lab struct {
	db    *testdb.Client
	dbURL string
	env   []string // that a container gets of it, without what is special to a job
	minio *miniotest.Server

	mu sync.Mutex
	// posted are the bodies that the DB got, stored the requests to MinIO.
	posted []string
	stored []string
}

// newLab starts a test DB and a MinIO, and makes all cases known.
func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{minio: miniotest.Start(t)}
	store, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "results.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	api := testdb.NewServer(store, testdb.Options{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/results") {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			l.note(&l.posted, string(body))
		}
		api.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	l.dbURL = server.URL + "/api/v1/results"
	if l.db, err = testdb.NewClient(l.dbURL, testdb.ClientOptions{}); err != nil {
		t.Fatal(err)
	}
	catalog, err := testcases.Load(release)
	if err != nil {
		t.Fatal(err)
	}
	for i := range catalog.Cases {
		if err := l.db.Register(t.Context(), "functest-kubernetes", "functest", catalog.Cases[i].Name); err != nil {
			t.Fatal(err)
		}
	}
	l.env = []string{
		"DEPLOY_SCENARIO=k8-nosdn-nofeature-noha", "BUILD_TAG=" + testTag, "NODE_NAME=functest-kubernetes",
		"TEST_DB_URL=" + l.dbURL, "TEST_DB_EXT_URL=http://198.51.100.7:8000/api/v1/results",
		"S3_ENDPOINT_URL=" + l.watched(t), "AWS_ACCESS_KEY_ID=" + l.minio.AccessKey, "AWS_SECRET_ACCESS_KEY=" + l.minio.SecretKey.Reveal(),
	}
	return l
}

func (l *lab) note(list *[]string, what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*list = append(*list, what)
}

// watched is a proxy in front of MinIO, which keeps what is asked for.
func (l *lab) watched(t *testing.T) string {
	t.Helper()
	target, err := url.Parse(l.minio.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // it is signed
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		what := r.Method + " " + r.URL.RequestURI()
		for _, name := range []string{"Content-Type", "Content-MD5", "Expect", "X-Amz-Content-SHA256"} {
			if value := r.Header.Get(name); value != "" {
				what += "\n" + name + ": " + value
			}
		}
		l.note(&l.stored, what)
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// job is the environment of one job, as the jobs of Xtesting CI have it.
func (l *lab) job(name string, more ...string) []string {
	folder := "/" + testTag + "/" + name
	return append(append(slices.Clone(l.env), "S3_DST_URL=s3://xtesting"+folder, "HTTP_DST_URL="+fileURL+folder), more...)
}

var (
	times    = regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - `)
	frames   = regexp.MustCompile(`(?m)^ +(File ".*|\.\.\.|\^+)\n`)
	recordID = regexp.MustCompile(`[0-9a-f]{24}`)
	duration = regexp.MustCompile(`\| {6}\d\d:\d\d {7}\|`) // on a busy machine not 00:00
)

// plainConsole is a console without what differs from run to run. Links are
// sorted: files come in the order of the disk.
func plainConsole(console string) string {
	console = duration.ReplaceAllString(console, "|      00:00       |")
	console = recordID.ReplaceAllString(frames.ReplaceAllString(times.ReplaceAllString(console, "TIME - "), ""), "ID")
	lines := strings.Split(strings.TrimSpace(console), "\n")
	for i := 0; i < len(lines); i++ {
		end := i
		for end < len(lines) && strings.HasPrefix(lines[end], fileURL) {
			end++
		}
		slices.Sort(lines[i:end])
		i = max(i, end)
	}
	return strings.Join(lines, "\n")
}

// section is one of a transcript, between the command and the exit status,
// and that status.
func section(t *testing.T, file, title string) (console, status string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(raw), "\n### "+title+"\n")
	if !found {
		t.Fatalf("%s has no section %q", file, title)
	}
	_, rest, _ = strings.Cut(rest, "\n") // the command
	console, rest, _ = strings.Cut(rest, "\nexit status: ")
	status, _, _ = strings.Cut(rest, "\n")
	return console, status
}
