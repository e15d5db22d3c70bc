package testdb_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/installer/testdb"
)

// ask sends a request to a handler, with headers as "Key: value".
func ask(t *testing.T, handler http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for _, header := range headers {
		key, value, _ := strings.Cut(header, ": ")
		request.Header.Set(key, value)
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	return answer
}

// must is ask that wants 200.
func must(t *testing.T, handler http.Handler, method, target, body string) string {
	t.Helper()
	answer := ask(t, handler, method, target, body)
	if answer.Code != http.StatusOK {
		t.Fatalf("%s %s %.200s: %d %s", method, target, body, answer.Code, answer.Body)
	}
	return answer.Body.String()
}

// refused wants a status and, in the body, a message.
func refused(t *testing.T, answer *httptest.ResponseRecorder, status int, message string) {
	t.Helper()
	if answer.Code != status || !strings.Contains(answer.Body.String(), message) {
		t.Errorf("%d %.300s, want %d %s", answer.Code, answer.Body, status, message)
	}
}

// newServer returns a server that knows a pod, a project and a case.
func newServer(t *testing.T, o testdb.Options) (*testdb.Server, *memStore) {
	t.Helper()
	store := newMemStore()
	know(t, testdb.NewServer(store, testdb.Options{}))
	return testdb.NewServer(store, o), store
}

// know makes a pod, a project and a case known to a server.
func know(t *testing.T, server *testdb.Server) {
	t.Helper()
	must(t, server, "POST", "/api/v1/pods", `{"name": "pod"}`)
	must(t, server, "POST", "/api/v1/projects", `{"name": "functest"}`)
	must(t, server, "POST", "/api/v1/projects/functest/cases", `{"name": "k8s_smoke"}`)
}

// result is the body of a POST with more fields than the required ones.
func result(more string) string {
	return `{"pod_name": "pod", "project_name": "functest", "case_name": "k8s_smoke", "criteria": "PASS"` + more + `}`
}

func testNames(t *testing.T, store testdb.Store) {
	server := testdb.NewServer(store, testdb.Options{})
	know(t, server)
	for _, name := range []string{"12", "1.10", "a b", "a/b", "é😀", `"<script>`, "50%", "a?b#c", "...", "it's", "a\tb"} {
		body, err := json.Marshal(map[string]string{"name": name})
		if err != nil {
			t.Fatal(err)
		}
		var created struct{ Href string }
		if err := json.Unmarshal([]byte(must(t, server, "POST", "/api/v1/pods", string(body))), &created); err != nil {
			t.Fatal(err)
		}
		var pod struct{ Name string }
		if err := json.Unmarshal([]byte(must(t, server, "GET", created.Href, "")), &pod); err != nil || pod.Name != name {
			t.Errorf("%s holds %q: %v", created.Href, pod.Name, err)
		}
		refused(t, ask(t, server, "POST", "/api/v1/pods", string(body)), http.StatusForbidden, "Already Exists")
		must(t, server, "DELETE", created.Href, "")
	}
	for body, message := range map[string]string{
		`{"name": {"a": 1}}`:  "name must be a text",
		`{"name": ".."}`:      "name must not be .., which no path can name",
		`{"name": true}`:      "name must be a text",
		`{"name": "a\u0000"}`: "name must not hold the character NUL",
		`{"name": "` + strings.Repeat("x", 1025) + `"}`: "name must not be longer than 1024 bytes",
	} {
		refused(t, ask(t, server, "POST", "/api/v1/pods", body), http.StatusBadRequest, message)
	}
	for _, path := range []string{"a%00b", strings.Repeat("x", 1025)} {
		refused(t, ask(t, server, "GET", "/api/v1/pods/"+path, ""), http.StatusNotFound, "Could Not Found pods")
		refused(t, ask(t, server, "GET", "/api/v1/projects/"+path+"/cases/c", ""), http.StatusNotFound, "Could Not Found testcases")
		if list := must(t, server, "GET", "/api/v1/pods?name="+path, ""); list != `{"pods": []}` {
			t.Errorf("the pods named %.20s: %s", path, list)
		}
	}
}

func TestErrorsAreEscaped(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t, testdb.Options{})
	answer := ask(t, server, "GET", "/api/v1/pods/%3Cscript%3E&amp;", "")
	want := `<html><title>404: Could Not Found pods [{'name': u'&lt;script>&amp;amp;'}]</title>` +
		`<body>404: Could Not Found pods [{'name': u'&lt;script>&amp;amp;'}]</body></html>`
	if answer.Body.String() != want {
		t.Errorf("got  %s\nwant %s", answer.Body, want)
	}
	answer = ask(t, server, "GET", "/api/v1/pods/%22%3Cé", "", "Accept: text/html, Application/JSON;q=0.5")
	if want := `{"error": "Could Not Found pods [{'name': u'\"<\\xe9'}]", "code": 404}`; answer.Body.String() != want {
		t.Errorf("got  %s\nwant %s", answer.Body, want)
	}
}

func testFoundBy(t *testing.T, store testdb.Store) {
	server := testdb.NewServer(store, testdb.Options{})
	know(t, server)
	must(t, server, "POST", "/api/v1/results", result(`, "build_tag": 34, "version": 1.10, "scenario": "007", "stop_date": 5`))
	for _, query := range []string{"build_tag=34", "version=1.10", "scenario=007", "build_tag=34&version=1.10&page=0"} {
		list := must(t, server, "GET", "/api/v1/results?"+query, "")
		if want := `"build_tag": "34", "version": "1.10"`; !strings.Contains(list, want) || !strings.Contains(list, `"stop_date": 5`) {
			t.Errorf("%s: %s, want %s", query, list, want)
		}
	}
	refused(t, ask(t, server, "POST", "/api/v1/results", result(`, "build_tag": "`+strings.Repeat("x", 1025)+`"`)),
		http.StatusBadRequest, "build_tag must not be longer than 1024 bytes")
}

func testAnyDetails(t *testing.T, store testdb.Store) {
	server := testdb.NewServer(store, testdb.Options{})
	know(t, server)
	for _, details := range []string{
		`{"ok": {"127.0.0.1": 2}, "$set": {"a.b": [[1], [null]]}, "": "", "\u0000": "\ud800"}`,
		`"text"`, `12345678901234567890.5`, `[]`, `null`, `false`, strings.Repeat("[", 499) + strings.Repeat("]", 499),
	} {
		var created struct{ Href string }
		if err := json.Unmarshal([]byte(must(t, server, "POST", "/api/v1/results", result(`, "details": `+details))), &created); err != nil {
			t.Fatal(err)
		}
		if got := must(t, server, "GET", created.Href, ""); !strings.HasSuffix(got, `"details": `+details+`}`) {
			t.Errorf("details %s came back in %s", details, got)
		}
	}
	must(t, server, "POST", "/api/v1/results", result(`, "build_tag": "nan", "details": [NaN, -Infinity]`))
	if got := must(t, server, "GET", "/api/v1/results?build_tag=nan", ""); !strings.Contains(got, `"details": ["NaN", "-Infinity"]`) {
		t.Errorf("numbers that are none: %s", got)
	}
}

func testNumbers(t *testing.T, store testdb.Store) {
	server := testdb.NewServer(store, testdb.Options{})
	know(t, server)
	for n := range 45 {
		must(t, server, "POST", "/api/v1/deployresults", fmt.Sprintf(
			`{"pod_name": "pod", "installer": "i", "scenario": "s", "criteria": "pass", "build_id": %d, "job_name": "j%d"}`, n%2, n))
	}
	var page struct {
		Pagination    map[string]int
		DeployResults []struct {
			JobName string `json:"job_name"`
		}
	}
	if err := json.Unmarshal([]byte(must(t, server, "GET", "/api/v1/deployresults?build_id=1&page=2&last=21&descend=no", "")), &page); err != nil {
		t.Fatal(err)
	}
	if page.Pagination["total_pages"] != 2 || len(page.DeployResults) != 1 || page.DeployResults[0].JobName != "j41" {
		t.Errorf("the second page of build 1: %+v", page)
	}
}

func testUpdates(t *testing.T, store testdb.Store) {
	server := testdb.NewServer(store, testdb.Options{})
	know(t, server)
	const path = "/api/v1/projects/functest/cases/k8s_smoke"
	refused(t, ask(t, server, "PUT", path, `{"creation_date": "x"}`), http.StatusBadRequest, "creation_date cannot be changed")
	refused(t, ask(t, server, "PUT", path, `{"name": ["x"]}`), http.StatusBadRequest, "name must be a text")
	refused(t, ask(t, server, "PUT", path, `{"project_name": "other"}`), http.StatusForbidden, "Could Not Found projects [{'name': u'other'}]")
	refused(t, ask(t, server, "PUT", path, must(t, server, "GET", path, "")), http.StatusForbidden, "Nothing to update")
	must(t, server, "PUT", path, `{"run": {"a": 1, "b": 2}, "tier": null}`)
	refused(t, ask(t, server, "PUT", path, `{"run": {"b": 2, "a": 1}}`), http.StatusForbidden, "Nothing to update")
	must(t, server, "POST", "/api/v1/projects", `{"name": "other"}`)
	must(t, server, "PUT", path, `{"project_name": "other"}`)
	must(t, server, "GET", "/api/v1/projects/other/cases/k8s_smoke", "")
	refused(t, ask(t, server, "GET", path, ""), http.StatusNotFound, "Could Not Found testcases")
}

func TestPerPage(t *testing.T) {
	t.Parallel()
	server, store := newServer(t, testdb.Options{PerPage: true})
	for n := range 25 {
		must(t, server, "POST", "/api/v1/results", result(fmt.Sprintf(`, "version": "v%d"`, n)))
	}
	count := func(handler http.Handler, query string) string {
		t.Helper()
		var page struct {
			Pagination map[string]int
			Results    []json.RawMessage
		}
		if err := json.Unmarshal([]byte(must(t, handler, "GET", "/api/v1/results"+query, "")), &page); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%d of %d", len(page.Results), page.Pagination["total_pages"])
	}
	got := []string{count(server, ""), count(server, "?per_page=10&page=3"), count(server, "?per_page=1000"), count(testdb.NewServer(store, testdb.Options{}), "?per_page=10")}
	if diff := cmp.Diff([]string{"20 of 2", "5 of 3", "25 of 1", "0 of 0"}, got); diff != "" {
		t.Errorf("results of pages (-want +got):\n%s", diff)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	server, store := newServer(t, testdb.Options{Tokens: true})
	if err := store.AddToken(t.Context(), "lab", testdb.TokenHash("secret")); err != nil {
		t.Fatal(err)
	}
	for _, write := range [][2]string{
		{"POST", "/api/v1/results"},
		{"POST", "/api/v1/pods"},
		{"PUT", "/api/v1/projects/functest"},
		{"DELETE", "/api/v1/pods/pod"},
		{"POST", "/api/v1/scenarios/s/installers"},
	} {
		refused(t, ask(t, server, write[0], write[1], result("")), http.StatusUnauthorized, "No Authentication Header")
		refused(t, ask(t, server, write[0], write[1], result(""), "X-Auth-Token: other"), http.StatusForbidden, "Invalid Token")
	}
	if answer := ask(t, server, "POST", "/api/v1/results", result(""), "X-Auth-Token: secret"); answer.Code != http.StatusOK {
		t.Errorf("with a token: %d %s", answer.Code, answer.Body)
	}
	must(t, server, "GET", "/api/v1/results", "")
	refused(t, ask(t, server, "PATCH", "/api/v1/results", ""), http.StatusMethodNotAllowed, "Method Not Allowed")
}

func TestCORS(t *testing.T) {
	t.Parallel()
	const origin = "https://dashboard.example"
	server, _ := newServer(t, testdb.Options{Origins: []string{origin}})
	answer := ask(t, server, "GET", "/versions", "", "Origin: "+origin)
	if got := answer.Header().Get("Access-Control-Allow-Origin"); got != origin || answer.Header().Get("Vary") != "Origin" {
		t.Errorf("allowed origin %q, vary %q", got, answer.Header().Get("Vary"))
	}
	answer = ask(t, server, "OPTIONS", "/api/v1/results", "", "Origin: "+origin, "Access-Control-Request-Method: POST")
	if answer.Code != http.StatusNoContent || !strings.Contains(answer.Header().Get("Access-Control-Allow-Headers"), "X-Auth-Token") {
		t.Errorf("asked before a request: %d %v", answer.Code, answer.Header())
	}
	for _, headers := range [][]string{{"Origin: https://other.example"}, {"Origin: null"}, {}} {
		answer := ask(t, server, "OPTIONS", "/api/v1/results", "", append(headers, "Access-Control-Request-Method: POST")...)
		refused(t, answer, http.StatusMethodNotAllowed, "Method Not Allowed")
		if got := answer.Header().Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%v: allowed origin %q", headers, got)
		}
	}
}

func TestHealthAndRoutes(t *testing.T) {
	t.Parallel()
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "page") })
	var observed []string
	server, store := newServer(t, testdb.Options{
		Health: true,
		Routes: map[string]http.Handler{"GET /{$}": page},
		Observe: func(r *http.Request, status int, _ time.Duration) {
			observed = append(observed, fmt.Sprint(r.Pattern, " ", status))
		},
	})
	if got := must(t, server, "GET", "/healthz", ""); got != `{"status": "ok"}` {
		t.Errorf("healthy: %s", got)
	}
	store.ping = errors.New("database is locked")
	refused(t, ask(t, server, "GET", "/healthz", ""), http.StatusServiceUnavailable, `{"status": "unavailable"}`)
	if got := must(t, server, "GET", "/", ""); got != "page" {
		t.Errorf("the page: %s", got)
	}
	plain, _ := newServer(t, testdb.Options{})
	refused(t, ask(t, plain, "GET", "/healthz", ""), http.StatusNotFound, "Not Found")
	refused(t, ask(t, plain, "GET", "/", ""), http.StatusNotFound, "Not Found")
	if diff := cmp.Diff([]string{"/healthz 200", "/healthz 503", "GET /{$} 200"}, observed); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	server, store := newServer(t, testdb.Options{})
	store.before = func(context.Context) error { return fmt.Errorf("write page 7: %w", testdb.ErrFull) }
	refused(t, ask(t, server, "POST", "/api/v1/results", result("")), http.StatusInsufficientStorage, "The disk of the test DB is full: nothing was stored")
	store.before = nil
	must(t, server, "POST", "/api/v1/results", result(""))
}

func TestErrorsOfTheStoreStayInTheLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	server, store := newServer(t, testdb.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	store.before = func(context.Context) error { return errors.New("secret detail") }
	answer := ask(t, server, "POST", "/api/v1/results", result(""))
	refused(t, answer, http.StatusInternalServerError, "<html><title>500: Internal Server Error</title>")
	if strings.Contains(answer.Body.String(), "secret") || !strings.Contains(log.String(), "secret detail") {
		t.Errorf("answer %s\nlog %s", answer.Body, &log)
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	server, store := newServer(t, testdb.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	store.before = func(context.Context) error { panic("boom") }
	refused(t, ask(t, server, "POST", "/api/v1/results", result("")), http.StatusInternalServerError, "500: Internal Server Error")
	if !strings.Contains(log.String(), "boom") || !strings.Contains(log.String(), "server_test.go") {
		t.Errorf("the log does not say where it panicked: %s", &log)
	}
	store.before = nil
	must(t, server, "POST", "/api/v1/results", result("")) // nothing stays locked
	must(t, server, "PUT", "/api/v1/projects/functest", `{"name": "functest", "description": "d"}`)
}

func TestBodies(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t, testdb.Options{})
	large := result(`, "details": "` + strings.Repeat("x", 16<<20-200) + `"`)
	must(t, server, "POST", "/api/v1/results", large+strings.Repeat(" ", 16<<20-len(large)))
	refused(t, ask(t, server, "POST", "/api/v1/results", large+strings.Repeat(" ", 16<<20-len(large)+1)),
		http.StatusRequestEntityTooLarge, "The body must not be larger than 16777216 bytes")

	request := httptest.NewRequestWithContext(t.Context(), "POST", "/api/v1/results", struct{ *strings.Reader }{strings.NewReader(large + strings.Repeat(" ", 1024))})
	request.ContentLength = -1 // chunked
	request.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	server.ServeHTTP(answer, request)
	refused(t, answer, http.StatusRequestEntityTooLarge, "The body must not be larger than 16777216 bytes")

	for body, message := range map[string]string{
		`"text"`: "Bad Format [the body must be a JSON object]",
		"\xff":   "Bad Format [it is not UTF-8]",
		` null `: "No Body",
		`{"a": ` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}`: "nests deeper than 500 levels",
	} {
		refused(t, ask(t, server, "POST", "/api/v1/results", body), http.StatusBadRequest, message)
	}
}

func TestLongListsAreStreamed(t *testing.T) {
	t.Parallel()
	server, store := newServer(t, testdb.Options{})
	details := strings.Repeat("x", 1<<20)
	for n := range 9 {
		must(t, server, "POST", "/api/v1/results", result(fmt.Sprintf(`, "version": "%d", "details": "%s"`, n, details)))
	}
	answer := ask(t, server, "GET", "/api/v1/results?page=0", "")
	var list struct{ Results []struct{ Version string } }
	if err := json.Unmarshal(answer.Body.Bytes(), &list); err != nil || len(list.Results) != 9 || list.Results[8].Version != "8" {
		t.Errorf("a list of %d results: %v", len(list.Results), err)
	}
	if answer.Header().Get("Etag") != "" || answer.Header().Get("Content-Type") != "application/json" {
		t.Errorf("headers of a long list: %v", answer.Header())
	}
	must(t, server, "POST", "/api/v1/results", result(""))

	// What breaks in the middle must not look whole.
	base := "http://" + listen(t, server)
	left := 7
	store.found = func() error {
		if left--; left < 0 {
			return errors.New("disk gone")
		}
		return nil
	}
	got, err := http.Get(base + "/api/v1/results?page=0") //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if _, err := bytes.NewBuffer(nil).ReadFrom(got.Body); err == nil {
		t.Error("a list that broke was read to its end")
	}
}

func TestTiedWhileResultsArrive(t *testing.T) {
	t.Parallel()
	server, store := newServer(t, testdb.Options{})
	arrived, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	store.before = func(context.Context) error {
		once.Do(func() { close(arrived); <-goOn })
		return nil
	}
	var group sync.WaitGroup
	group.Go(func() { must(t, server, "POST", "/api/v1/results", result("")) })
	<-arrived // its pod was found, it is not stored yet
	group.Go(func() {
		refused(t, ask(t, server, "DELETE", "/api/v1/pods/pod", ""), http.StatusUnauthorized, "associated with other resources")
	})
	close(goOn)
	group.Wait()
}

func TestConcurrentPosts(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t, testdb.Options{})
	base := "http://" + listen(t, server)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	const clients, each = 16, 20
	hrefs := make([][]string, clients)
	var group sync.WaitGroup
	for n := range clients {
		group.Go(func() {
			for range each {
				answer, err := client.Post(base+"/api/v1/results", "application/json", strings.NewReader(result(`, "build_tag": "many"`))) //nolint:noctx // a test
				if err != nil {
					t.Error(err)
					return
				}
				var created struct{ Href string }
				if err := json.NewDecoder(answer.Body).Decode(&created); err != nil || answer.StatusCode != http.StatusOK {
					t.Errorf("%d: %v", answer.StatusCode, err)
				}
				answer.Body.Close()
				hrefs[n] = append(hrefs[n], created.Href)
			}
		})
	}
	group.Wait()
	seen := map[string]bool{}
	for _, list := range hrefs {
		for _, href := range list {
			seen[href] = true
		}
	}
	if len(seen) != clients*each {
		t.Errorf("%d ids of %d results", len(seen), clients*each)
	}
	for href := range seen {
		must(t, server, "GET", href, "")
	}
}

func TestClientThatGoesDoesNotLoseItsResult(t *testing.T) {
	t.Parallel()
	server, store := newServer(t, testdb.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	store.before = func(ctx context.Context) error {
		cancel() // the client goes
		return ctx.Err()
	}
	request := httptest.NewRequestWithContext(ctx, "POST", "/api/v1/results", strings.NewReader(result(`, "build_tag": "gone"`)))
	request.Header.Set("Content-Type", "application/json")
	server.ServeHTTP(httptest.NewRecorder(), request)
	if got := must(t, server, "GET", "/api/v1/results?build_tag=gone", ""); !strings.Contains(got, `"gone"`) {
		t.Errorf("the result is lost: %s", got)
	}
}
