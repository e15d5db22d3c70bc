package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/anuket-project/xtci/installer/testdb"
)

// buckets are the upper bounds of the histogram of request times, in seconds.
func buckets() []float64 {
	return []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

// Metrics counts requests and what is stored, for Prometheus, in its text
// exposition format, version 0.0.4. Labels have few values: a request is
// counted under the pattern of its route, never under its path. It is safe
// for concurrent use.
type Metrics struct {
	version string

	mu          sync.Mutex
	requests    map[requestKey]uint64
	times       map[routeKey]*histogram
	stored      map[testdb.Collection]uint64
	storeErrors map[string]uint64
}

type (
	routeKey   struct{ route, method string }
	requestKey struct {
		routeKey
		code int
	}
	histogram struct {
		counts []uint64 // by bucket; the last is beyond all bounds
		sum    float64
		count  uint64
	}
)

// NewMetrics returns metrics of that version of the program.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		version:  version,
		requests: map[requestKey]uint64{}, times: map[routeKey]*histogram{},
		// What can be counted is there from the start, as 0, so that rates
		// have something to begin with.
		stored:      map[testdb.Collection]uint64{testdb.Results: 0, testdb.DeployResults: 0},
		storeErrors: map[string]uint64{},
	}
	for _, operation := range []string{"insert", "get", "replace", "delete", "find", "count", "campaigns", "backup", "token", "ping"} {
		m.storeErrors[operation] = 0
	}
	return m
}

// Wrap counts the requests of a handler that routes with http.ServeMux.
func (m *Metrics) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		s := &statusWriter{ResponseWriter: w}
		returned := false
		defer func() {
			if returned && s.status == 0 {
				s.status = http.StatusOK // net/http sends it
			}
			m.Observe(r, s.status, time.Since(started))
		}()
		next.ServeHTTP(s, r)
		returned = true
	})
}

// Observe counts one request that was answered, by r.Pattern, which
// http.ServeMux has set. A status of 0 is an answer that was cut off. It is
// for servers that watch their requests themselves; others use Wrap.
func (m *Metrics) Observe(r *http.Request, status int, took time.Duration) {
	key := routeKey{routeOf(r.Pattern), methodOf(r.Method)}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests[requestKey{key, status}]++
	h := m.times[key]
	if h == nil {
		h = &histogram{counts: make([]uint64, len(buckets())+1)}
		m.times[key] = h
	}
	h.add(took.Seconds())
}

func (h *histogram) add(seconds float64) {
	i, _ := slices.BinarySearch(buckets(), seconds)
	h.counts[i]++
	h.sum += seconds
	h.count++
}

// routeOf is the path of a route's pattern, without its method.
func routeOf(pattern string) string {
	if _, path, ok := strings.Cut(pattern, " "); ok {
		pattern = strings.TrimSpace(path)
	}
	if pattern == "" {
		return "none"
	}
	return pattern
}

// methodOf is a method of the API or of browsers, or "other": clients can
// make up any.
func methodOf(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch:
		return method
	}
	return "other"
}

// A statusWriter remembers the status of an answer, 0 before it has begun.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController find the writer underneath.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// ServeHTTP answers with all metrics.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	page := m.expose()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(page)))
	_, _ = w.Write(page) // the client has gone
}

// expose writes all metrics.
func (m *Metrics) expose() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	var e exposition
	e.family("xtci_build_info", "gauge", "The program that runs; the value is always 1.")
	e.sample("xtci_build_info", "1", "version", m.version, "goversion", runtime.Version())
	e.family("xtci_testdb_http_requests_total", "counter", "Requests that were answered, by route; code 0 is an answer that was cut off.")
	for _, key := range sortedBy(m.requests, func(k requestKey) string { return k.route + "\x00" + k.method + "\x00" + strconv.Itoa(k.code) }) {
		e.sample("xtci_testdb_http_requests_total", integer(m.requests[key]), "route", key.route, "method", key.method, "code", strconv.Itoa(key.code))
	}
	e.family("xtci_testdb_http_request_duration_seconds", "histogram", "How long requests took until they were answered, by route.")
	for _, key := range sortedBy(m.times, func(k routeKey) string { return k.route + "\x00" + k.method }) {
		e.histogram("xtci_testdb_http_request_duration_seconds", m.times[key], "route", key.route, "method", key.method)
	}
	e.family("xtci_testdb_results_stored_total", "counter", "Results that were stored since the start.")
	for _, collection := range sortedBy(m.stored, func(c testdb.Collection) string { return string(c) }) {
		e.sample("xtci_testdb_results_stored_total", integer(m.stored[collection]), "collection", string(collection))
	}
	e.family("xtci_testdb_store_errors_total", "counter", "Operations in which the store failed since the start.")
	for _, operation := range sortedKeys(m.storeErrors) {
		e.sample("xtci_testdb_store_errors_total", integer(m.storeErrors[operation]), "operation", operation)
	}
	return e.out.Bytes()
}

// sortedBy returns the keys of a map, sorted by a text of each.
func sortedBy[K comparable, V any](m map[K]V, by func(K) string) []K {
	keys := make([]K, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b K) int { return strings.Compare(by(a), by(b)) })
	return keys
}

func integer(n uint64) string { return strconv.FormatUint(n, 10) }

func float(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// An exposition is metrics in Prometheus' text format.
type exposition struct{ out bytes.Buffer }

// family begins a metric. Its help is the program's own: there is nothing in
// it to escape.
func (e *exposition) family(name, kind, help string) {
	fmt.Fprintf(&e.out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// sample writes a value with its labels, names and values in turn.
func (e *exposition) sample(name, value string, labels ...string) {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	e.out.WriteString(name)
	for i := 0; i+1 < len(labels); i += 2 {
		separator := byte(',')
		if i == 0 {
			separator = '{'
		}
		e.out.WriteByte(separator)
		e.out.WriteString(labels[i] + `="` + escape.Replace(strings.ToValidUTF8(labels[i+1], "\uFFFD")) + `"`)
	}
	if len(labels) > 0 {
		e.out.WriteByte('}')
	}
	e.out.WriteString(" " + value + "\n")
}

func (e *exposition) histogram(name string, h *histogram, labels ...string) {
	bucket := func(bound string, count uint64) {
		e.sample(name+"_bucket", integer(count), append(slices.Clone(labels), "le", bound)...)
	}
	count := uint64(0)
	for i, bound := range buckets() {
		count += h.counts[i]
		bucket(float(bound), count)
	}
	bucket("+Inf", h.count)
	e.sample(name+"_sum", float(h.sum), labels...)
	e.sample(name+"_count", integer(h.count), labels...)
}

// Store counts what another store stores, and how often it fails. That
// something is not there, or there already, is no failure; nor is it that
// nobody waits for the answer any more.
func (m *Metrics) Store(s testdb.Store) testdb.Store { return &countedStore{s, m} }

type countedStore struct {
	testdb.Store
	metrics *Metrics
}

func (s *countedStore) note(operation string, err error) error {
	if err != nil && !errors.Is(err, testdb.ErrNotFound) && !errors.Is(err, testdb.ErrExists) && !errors.Is(err, context.Canceled) {
		s.metrics.mu.Lock()
		s.metrics.storeErrors[operation]++
		s.metrics.mu.Unlock()
	}
	return err
}

func (s *countedStore) Insert(ctx context.Context, c testdb.Collection, d testdb.Document) error {
	err := s.Store.Insert(ctx, c, d)
	if err == nil && (c == testdb.Results || c == testdb.DeployResults) {
		s.metrics.mu.Lock()
		s.metrics.stored[c]++
		s.metrics.mu.Unlock()
	}
	return s.note("insert", err)
}

func (s *countedStore) Get(ctx context.Context, c testdb.Collection, key string) (testdb.Document, error) {
	d, err := s.Store.Get(ctx, c, key)
	return d, s.note("get", err)
}

func (s *countedStore) Replace(ctx context.Context, c testdb.Collection, key string, d testdb.Document) error {
	return s.note("replace", s.Store.Replace(ctx, c, key, d))
}

func (s *countedStore) Delete(ctx context.Context, c testdb.Collection, key string) error {
	return s.note("delete", s.Store.Delete(ctx, c, key))
}

func (s *countedStore) Find(ctx context.Context, c testdb.Collection, q testdb.Query) iter.Seq2[testdb.Document, error] {
	return func(yield func(testdb.Document, error) bool) {
		for d, err := range s.Store.Find(ctx, c, q) {
			if !yield(d, s.note("find", err)) {
				return
			}
		}
	}
}

func (s *countedStore) Count(ctx context.Context, c testdb.Collection, q testdb.Query) (int, error) {
	n, err := s.Store.Count(ctx, c, q)
	return n, s.note("count", err)
}

func (s *countedStore) Campaigns(ctx context.Context, q testdb.CampaignQuery) ([]testdb.CampaignRow, error) {
	rows, err := s.Store.Campaigns(ctx, q)
	return rows, s.note("campaigns", err)
}

func (s *countedStore) Backup(ctx context.Context, file string) error {
	return s.note("backup", s.Store.Backup(ctx, file))
}

func (s *countedStore) AddToken(ctx context.Context, name string, hash []byte) error {
	return s.note("token", s.Store.AddToken(ctx, name, hash))
}

func (s *countedStore) HasToken(ctx context.Context, hash []byte) (bool, error) {
	known, err := s.Store.HasToken(ctx, hash)
	return known, s.note("token", err)
}

func (s *countedStore) Ping(ctx context.Context) error {
	return s.note("ping", s.Store.Ping(ctx))
}
