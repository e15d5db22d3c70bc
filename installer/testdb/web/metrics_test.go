package web

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/installer/testdb"
)

// A metric is a family of samples as Prometheus reads it.
type metric struct {
	kind, help string
	samples    map[string]float64 // by name and labels, as they are written
}

var (
	metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	labelPair  = regexp.MustCompile(`^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)`)
)

// readMetrics reads the text exposition format 0.0.4, and is stricter than
// Prometheus: each family has help and type before its samples and is there
// once, no sample is there twice, histograms add up.
func readMetrics(text string) (map[string]*metric, error) {
	families := map[string]*metric{}
	name := ""
	if !strings.HasSuffix(text, "\n") {
		return nil, errors.New("the last line has no end")
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "# HELP "):
			var help string
			name, help, _ = strings.Cut(strings.TrimPrefix(line, "# HELP "), " ")
			if families[name] != nil || !metricName.MatchString(name) || help == "" {
				return nil, fmt.Errorf("bad help: %s", line)
			}
			families[name] = &metric{help: help, samples: map[string]float64{}}
		case strings.HasPrefix(line, "# TYPE "):
			of, kind, _ := strings.Cut(strings.TrimPrefix(line, "# TYPE "), " ")
			if of != name || families[of] == nil || families[of].kind != "" || !slices.Contains([]string{"counter", "gauge", "histogram"}, kind) {
				return nil, fmt.Errorf("bad type: %s", line)
			}
			families[of].kind = kind
		default:
			if err := readSample(line, name, families[name]); err != nil {
				return nil, fmt.Errorf("%w: %s", err, line)
			}
		}
	}
	for name, family := range families {
		if family.kind == "histogram" {
			if err := checkHistogram(name, family); err != nil {
				return nil, err
			}
		}
	}
	return families, nil
}

func readSample(line, name string, family *metric) error {
	if family == nil || family.kind == "" {
		return errors.New("a sample without help and type")
	}
	space := strings.LastIndexByte(line, ' ')
	if space < 0 {
		return errors.New("no value")
	}
	key := line[:space]
	value, err := strconv.ParseFloat(line[space+1:], 64)
	if err != nil {
		return err
	}
	own, labels, labelled := strings.Cut(key, "{")
	if family.kind == "histogram" {
		own = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(own, "_bucket"), "_sum"), "_count")
	}
	if own != name {
		return errors.New("a sample of another metric")
	}
	if family.kind != "gauge" && value < 0 {
		return errors.New("it counts down")
	}
	if labelled {
		labels, closed := strings.CutSuffix(labels, "}")
		if !closed || labels == "" {
			return errors.New("bad labels")
		}
		for labels != "" {
			pair := labelPair.FindString(labels)
			if pair == "" {
				return errors.New("bad labels")
			}
			labels = labels[len(pair):]
		}
	}
	if _, ok := family.samples[key]; ok {
		return errors.New("a sample that is there twice")
	}
	family.samples[key] = value
	return nil
}

// checkHistogram wants buckets that rise up to the count.
func checkHistogram(name string, family *metric) error {
	buckets := map[string]map[float64]float64{}
	for key, value := range family.samples {
		if rest, ok := strings.CutPrefix(key, name+"_bucket{"); ok {
			i := strings.LastIndex(rest, `,le="`)
			le, err := strconv.ParseFloat(strings.TrimSuffix(rest[i+5:], `"}`), 64)
			if err != nil {
				return err
			}
			if buckets[rest[:i]] == nil {
				buckets[rest[:i]] = map[float64]float64{}
			}
			buckets[rest[:i]][le] = value
		}
	}
	for labels, of := range buckets {
		bounds := make([]float64, 0, len(of))
		for le := range of {
			bounds = append(bounds, le)
		}
		slices.Sort(bounds)
		last := 0.0
		for _, le := range bounds {
			if of[le] < last {
				return fmt.Errorf("%s{%s}: the buckets fall", name, labels)
			}
			last = of[le]
		}
		count, ok := family.samples[name+"_count{"+labels+"}"]
		_, summed := family.samples[name+"_sum{"+labels+"}"]
		if !ok || !summed || bounds[len(bounds)-1] != math.Inf(1) || last != count {
			return fmt.Errorf("%s{%s}: the last bucket is not all, or there is no sum or count", name, labels)
		}
	}
	return nil
}

func scrape(t testing.TB, m *Metrics) map[string]*metric {
	t.Helper()
	w := get(t, m, "/metrics")
	if got := w.Header().Get("Content-Type"); got != "text/plain; version=0.0.4; charset=utf-8" {
		t.Errorf("type: %s", got)
	}
	families, err := readMetrics(w.Body.String())
	if err != nil {
		t.Fatalf("%v\n%s", err, w.Body)
	}
	return families
}

func TestReadMetricsIsStrict(t *testing.T) {
	t.Parallel()
	const head = "# HELP a b\n# TYPE a counter\n"
	for _, text := range []string{
		"", "a 1\n", head + "a 1", head + "a x\n", head + "b 1\n", head + "a 1\na 1\n", head + "a{} 1\n", head + "a{x=\"\\t\"} 1\n",
		head + "a{x=\"\"\"} 1\n", head + "a -1\n", head + head, "# HELP a b\n# TYPE a strange\n",
		"# HELP h b\n# TYPE h histogram\nh_bucket{x=\"\",le=\"1\"} 2\nh_bucket{x=\"\",le=\"+Inf\"} 1\nh_sum{x=\"\"} 1\nh_count{x=\"\"} 1\n",
		"# HELP h b\n# TYPE h histogram\nh_bucket{x=\"\",le=\"+Inf\"} 1\nh_sum{x=\"\"} 1\nh_count{x=\"\"} 2\n",
	} {
		if _, err := readMetrics(text); err == nil {
			t.Errorf("taken: %q", text)
		}
	}
}

func TestMetricsOfRequests(t *testing.T) {
	t.Parallel()
	s := sample(t)
	m := NewMetrics(`v1 "x"\` + "\n\xff")
	mux := http.NewServeMux()
	mux.Handle("/", handler(t, s, Options{}))
	mux.Handle("GET /api/v1/results", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusForbidden)
		w.WriteHeader(http.StatusOK)
	}))
	mux.Handle("/silent", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	mux.Handle("/cut", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	h := m.Wrap(mux)
	for _, path := range []string{"/", "/campaigns/running", "/campaigns/none", "/campaigns/" + strings.Repeat("x", 500), "/nothing", "/other", "/api/v1/results", "/silent"} {
		get(t, h, path)
	}
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("MADEUP", "/", nil))
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the middleware swallowed a panic")
			}
		}()
		get(t, h, "/cut")
	}()
	families := scrape(t, m)
	want := map[string]float64{
		`xtci_testdb_http_requests_total{route="/",method="GET",code="404"}`:                2,
		`xtci_testdb_http_requests_total{route="/{$}",method="GET",code="200"}`:             1,
		`xtci_testdb_http_requests_total{route="/{$}",method="other",code="405"}`:           1,
		`xtci_testdb_http_requests_total{route="/campaigns/{tag}",method="GET",code="200"}`: 1,
		`xtci_testdb_http_requests_total{route="/campaigns/{tag}",method="GET",code="404"}`: 2,
		`xtci_testdb_http_requests_total{route="/api/v1/results",method="GET",code="403"}`:  1,
		`xtci_testdb_http_requests_total{route="/silent",method="GET",code="200"}`:          1,
		`xtci_testdb_http_requests_total{route="/cut",method="GET",code="0"}`:               1,
	}
	if diff := cmp.Diff(want, families["xtci_testdb_http_requests_total"].samples); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if got := families["xtci_testdb_http_request_duration_seconds"].samples[`xtci_testdb_http_request_duration_seconds_count{route="/campaigns/{tag}",method="GET"}`]; got != 3 {
		t.Errorf("the histogram counts %v requests, want 3", got)
	}
	for key, value := range families["xtci_build_info"].samples {
		if !strings.HasPrefix(key, `xtci_build_info{version="v1 \"x\"\\\n`+"\uFFFD"+`",goversion="go`) || value != 1 {
			t.Errorf("%s %v", key, value)
		}
	}
}

// The server of the API routes by itself: its patterns must be seen.
func TestMetricsOfTheServer(t *testing.T) {
	t.Parallel()
	m := NewMetrics("v1")
	s := sample(t)
	routes := map[string]http.Handler{"/metrics": m}
	for _, pattern := range Patterns() {
		routes[pattern] = handler(t, s, Options{})
	}
	h := m.Wrap(testdb.NewServer(s, testdb.Options{Routes: routes}))
	for _, path := range []string{"/api/v1/pods/a", "/api/v1/pods/b", "/api/v1/results", "/metrics", "/campaigns/running", "/campaigns/x", "/"} {
		get(t, h, path)
	}
	for name, path := range everyPage(t, s) {
		alone, mounted := get(t, handler(t, s, Options{}), path), get(t, testdb.NewServer(s, testdb.Options{Routes: routes}), path)
		if name != "not-found" && alone.Body.String() != mounted.Body.String() {
			t.Errorf("%s is another page in the server", path)
		}
	}
	want := map[string]float64{
		`xtci_testdb_http_requests_total{route="/api/v1/pods/{name}",method="GET",code="404"}`: 2,
		`xtci_testdb_http_requests_total{route="/api/v1/results",method="GET",code="200"}`:     1,
		`xtci_testdb_http_requests_total{route="/metrics",method="GET",code="200"}`:            1,
		`xtci_testdb_http_requests_total{route="/campaigns/{tag}",method="GET",code="200"}`:    1,
		`xtci_testdb_http_requests_total{route="/campaigns/{tag}",method="GET",code="404"}`:    1,
		`xtci_testdb_http_requests_total{route="/{$}",method="GET",code="200"}`:                1,
	}
	if diff := cmp.Diff(want, scrape(t, m)["xtci_testdb_http_requests_total"].samples); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	m := NewMetrics("v1")
	for _, took := range []time.Duration{0, time.Millisecond, 1100 * time.Microsecond, time.Second, time.Minute} {
		m.Observe(&http.Request{Method: http.MethodGet, Pattern: "GET /x"}, 200, took)
	}
	got := scrape(t, m)["xtci_testdb_http_request_duration_seconds"].samples
	for le, want := range map[string]float64{"0.001": 2, "0.0025": 3, "0.5": 3, "1": 4, "10": 4, "+Inf": 5} {
		if got := got[`xtci_testdb_http_request_duration_seconds_bucket{route="/x",method="GET",le="`+le+`"}`]; got != want {
			t.Errorf("bucket %s has %v, want %v", le, got, want)
		}
	}
	if sum := got[`xtci_testdb_http_request_duration_seconds_sum{route="/x",method="GET"}`]; math.Abs(sum-61.0021) > 1e-9 {
		t.Errorf("sum %v", sum)
	}
}

func TestMetricsOfTheStore(t *testing.T) {
	t.Parallel()
	m, inner := NewMetrics("v1"), newMemStore()
	s := m.Store(inner)
	ctx := context.Background()
	insert := func(c testdb.Collection, key string) error {
		return s.Insert(ctx, c, testdb.Document{ID: key, Key: key, Body: []byte("{}")})
	}
	for _, key := range []string{"a", "b", "a"} { // the last one exists
		_ = insert(testdb.Results, key)
	}
	if err := insert(testdb.Pods, "p"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(ctx, testdb.Pods, "none"); !errors.Is(err, testdb.ErrNotFound) {
		t.Errorf("the store's own error does not come through: %v", err)
	}
	found := 0
	for _, err := range s.Find(ctx, testdb.Results, testdb.Query{}) {
		if err != nil {
			t.Error(err)
		}
		found++
	}
	if found != 2 {
		t.Errorf("found %d, want 2", found)
	}
	inner.fail = context.Canceled // nobody waits: no failure
	_ = s.Ping(ctx)
	inner.fail = errors.New("broken")
	_ = insert(testdb.Results, "c")
	_, _ = s.Get(ctx, testdb.Results, "a")
	_ = s.Replace(ctx, testdb.Pods, "p", testdb.Document{})
	_ = s.Delete(ctx, testdb.Pods, "p")
	for _, err := range s.Find(ctx, testdb.Results, testdb.Query{}) {
		if err == nil {
			t.Error("the store's own error does not come through")
		}
	}
	_, _ = s.Count(ctx, testdb.Results, testdb.Query{})
	_, _ = s.Campaigns(ctx, testdb.CampaignQuery{})
	_ = s.Backup(ctx, "file")
	_ = s.AddToken(ctx, "n", nil)
	_, _ = s.HasToken(ctx, nil)
	_ = s.Ping(ctx)
	families := scrape(t, m)
	if diff := cmp.Diff(map[string]float64{
		`xtci_testdb_results_stored_total{collection="results"}`:       2,
		`xtci_testdb_results_stored_total{collection="deployresults"}`: 0,
	}, families["xtci_testdb_results_stored_total"].samples); diff != "" {
		t.Errorf("results stored (-want +got):\n%s", diff)
	}
	want := map[string]float64{}
	for _, operation := range []string{"insert", "get", "replace", "delete", "find", "count", "campaigns", "backup", "ping"} {
		want[`xtci_testdb_store_errors_total{operation="`+operation+`"}`] = 1
	}
	want[`xtci_testdb_store_errors_total{operation="token"}`] = 2
	if diff := cmp.Diff(want, families["xtci_testdb_store_errors_total"].samples); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func TestMetricsFromManyClients(t *testing.T) {
	t.Parallel()
	m := NewMetrics("v1")
	h := m.Wrap(http.NewServeMux())
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for range 100 {
				get(t, h, "/x")
				get(t, m, "/metrics")
			}
		})
	}
	clients.Wait()
	if got := scrape(t, m)["xtci_testdb_http_requests_total"].samples[`xtci_testdb_http_requests_total{route="none",method="GET",code="404"}`]; got != 800 {
		t.Errorf("%v requests, want 800", got)
	}
}
