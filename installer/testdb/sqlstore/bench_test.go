package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/installer/testdb/sqlstore"
)

// The benchmarks run on a database of a million results. It is made once (it
// takes a minute or two, and 1.5 GB) and kept in the folder for temporary files,
// under a name that has the version of the schema and of what is in it.
const (
	stored      = 1_000_000
	benchSchema = 1
	benchData   = 1
	clients     = 32
)

// benchResult is the nth result of a lab: campaigns of 24 cases, on 20 pods,
// over four years.
func benchResult(n int) testdb.Document {
	const cases = 24
	campaign := n / cases
	date := time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * 2 * time.Minute)
	criteria := "PASS"
	if n%17 == 0 {
		criteria = "FAIL"
	}
	name := fmt.Sprintf("case_%d", n%cases)
	tag := benchTag(campaign)
	var links []string
	for _, file := range []string{"e2e.log", "junit_01.xml", "repositories.yml", "functest-kubernetes.log"} {
		links = append(links, fmt.Sprintf("http://192.0.2.10:8181/%s/functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-%s-run-%d/%s/%s", tag, name, n, name, file))
	}
	return result(n, map[string]any{
		"pod_name": fmt.Sprintf("pod-%d", campaign%20), "project_name": "functest", "case_name": name, "build_tag": tag,
		"version": fmt.Sprintf("v1.%d", 20+campaign%6), "installer": "unknown", "scenario": fmt.Sprintf("k8-nosdn-nofeature-%d", campaign%3),
		"criteria": criteria, "start_date": date.Format(time.DateTime), "stop_date": date.Add(time.Minute).Format(time.DateTime),
		"details": map[string]any{"passed": n % 400, "failed": 0, "links": links},
	})
}

func benchTag(campaign int) string {
	return fmt.Sprintf("jenkins-functest-kubernetes-daily-%d", campaign)
}

// million returns the path of the database of a million results.
func million(b *testing.B) string {
	b.Helper()
	path := filepath.Join(os.TempDir(), fmt.Sprintf("xtci-bench-%d-v%d.%d.db", stored, benchSchema, benchData))
	if _, err := os.Stat(path); err == nil {
		return path
	} else if !errors.Is(err, fs.ErrNotExist) {
		b.Fatal(err)
	}
	b.Logf("making %s", path)
	dir, err := os.MkdirTemp(filepath.Dir(path), "xtci-bench")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	part := filepath.Join(dir, "part.db")
	s, err := sqlstore.Open(b.Context(), part)
	if err != nil {
		b.Fatal(err)
	}
	insertMany(b, s, 0, stored, 256)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	if err := os.Rename(part, path); err != nil {
		b.Fatal(err)
	}
	return path
}

// insertMany inserts results from several goroutines, about in their order.
func insertMany(b *testing.B, s *sqlstore.Store, first, n, clients int) {
	b.Helper()
	var next atomic.Int64
	next.Store(int64(first))
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			for i := int(next.Add(1) - 1); i < first+n; i = int(next.Add(1) - 1) {
				if err := s.Insert(b.Context(), testdb.Results, benchResult(i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

// BenchmarkInsert measures durable inserts of 32 clients into a copy.
func BenchmarkInsert(b *testing.B) {
	path := filepath.Join(b.TempDir(), "copy.db")
	copyFile(b, million(b), path)
	s := open(b, path)
	first := stored
	for b.Loop() {
		const n = 10_000
		began := time.Now()
		insertMany(b, s, first, n, clients)
		first += n
		b.ReportMetric(n/time.Since(began).Seconds(), "inserts/s")
		reportMemory(b)
	}
}

// BenchmarkInsertWhileReading is the same beside a client that reads pages
// and one that scans everything, slowly. It tells the size of the log.
func BenchmarkInsertWhileReading(b *testing.B) {
	path := filepath.Join(b.TempDir(), "copy.db")
	copyFile(b, million(b), path)
	s := open(b, path)
	ctx, cancel := context.WithCancel(b.Context())
	var readers sync.WaitGroup
	for _, q := range []testdb.Query{
		{Newest: true, Limit: 20, Filters: []testdb.Filter{{Path: "case_name", Value: "case_3"}}},
		{Filters: []testdb.Filter{{Path: "details.k", Value: "none"}}},
	} {
		readers.Go(func() {
			for ctx.Err() == nil {
				for _, err := range s.Find(ctx, testdb.Results, q) {
					if err != nil && !errors.Is(err, context.Canceled) {
						b.Error(err)
					}
				}
			}
		})
	}
	first := stored
	for b.Loop() {
		const n = 10_000
		began := time.Now()
		insertMany(b, s, first, n, clients)
		first += n
		b.ReportMetric(n/time.Since(began).Seconds(), "inserts/s")
	}
	cancel()
	readers.Wait()
	log, err := os.Stat(path + "-wal")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(log.Size())/(1<<20), "MiB-log")
	reportMemory(b)
}

// BenchmarkFind measures pages of 20, as the server asks for them: one query
// and its count.
func BenchmarkFind(b *testing.B) {
	s := open(b, million(b))
	campaign := func(random *rand.Rand) string { return benchTag(random.IntN(stored / 24)) }
	one := func(path string, value func(*rand.Rand) string) func(*rand.Rand) testdb.Query {
		return func(random *rand.Rand) testdb.Query {
			return testdb.Query{Filters: []testdb.Filter{{Path: path, Value: value(random)}}}
		}
	}
	from := func(days int) func(*rand.Rand) testdb.Query {
		return func(random *rand.Rand) testdb.Query {
			begin := time.Date(2022, 1, 1, random.IntN(24), 0, 0, 0, time.UTC).AddDate(0, 0, random.IntN(1300))
			first, last := begin.Format(time.DateTime), begin.AddDate(0, 0, days).Format(time.DateTime)
			return testdb.Query{From: &first, To: &last}
		}
	}
	benches := []struct {
		name  string
		query func(*rand.Rand) testdb.Query
	}{
		{"newest", func(*rand.Rand) testdb.Query { return testdb.Query{} }},
		{"build_tag", one("build_tag", campaign)},
		{"pod_name", one("pod_name", func(r *rand.Rand) string { return fmt.Sprintf("pod-%d", r.IntN(20)) })},
		{"project_name", one("project_name", func(*rand.Rand) string { return "functest" })},
		{"case_name", one("case_name", func(r *rand.Rand) string { return fmt.Sprintf("case_%d", r.IntN(24)) })},
		{"version", one("version", func(r *rand.Rand) string { return fmt.Sprintf("v1.%d", 20+r.IntN(6)) })},
		{"installer", one("installer", func(*rand.Rand) string { return "unknown" })},
		{"scenario", one("scenario", func(r *rand.Rand) string { return fmt.Sprintf("k8-nosdn-nofeature-%d", r.IntN(3)) })},
		{"criteria", one("criteria", func(r *rand.Rand) string { return []string{"PASS", "FAIL"}[r.IntN(2)] })},
		{"start_date", one("start_date", func(r *rand.Rand) string {
			return time.Date(2022, 1, 1, 0, 2*r.IntN(stored), 0, 0, time.UTC).Format(time.DateTime)
		})},
		{"one_day", from(1)},
		{"one_year", from(365)},
		{"project_and_case", func(r *rand.Rand) testdb.Query {
			return testdb.Query{Filters: []testdb.Filter{{Path: "project_name", Value: "functest"}, {Path: "case_name", Value: fmt.Sprintf("case_%d", r.IntN(24))}}}
		}},
		{"page_1000_of_project", func(*rand.Rand) testdb.Query {
			return testdb.Query{Offset: 20_000, Filters: []testdb.Filter{{Path: "project_name", Value: "functest"}}}
		}},
	}
	for _, bench := range benches {
		b.Run(bench.name, func(b *testing.B) {
			random := rand.New(rand.NewPCG(1, 2))
			var finds, counts []time.Duration
			for b.Loop() {
				q := bench.query(random)
				q.Newest, q.Limit = true, 20
				began := time.Now()
				for _, err := range s.Find(b.Context(), testdb.Results, q) {
					if err != nil {
						b.Fatal(err)
					}
				}
				finds = append(finds, time.Since(began))
				began = time.Now()
				if _, err := s.Count(b.Context(), testdb.Results, q); err != nil {
					b.Fatal(err)
				}
				counts = append(counts, time.Since(began))
			}
			reportTimes(b, "find", finds)
			reportTimes(b, "count", counts)
		})
	}
	reportMemory(b)
}

// BenchmarkScan measures a filter for a field without an index: it reads all.
func BenchmarkScan(b *testing.B) {
	s := open(b, million(b))
	for b.Loop() {
		began := time.Now()
		for _, err := range s.Find(b.Context(), testdb.Results, testdb.Query{Filters: []testdb.Filter{{Path: "details.k", Value: "none"}}}) {
			if err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(stored/time.Since(began).Seconds(), "results/s")
	}
	reportMemory(b)
}

func BenchmarkOpen(b *testing.B) {
	path := million(b)
	var times []time.Duration
	for b.Loop() {
		began := time.Now()
		s, err := sqlstore.Open(b.Context(), path)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Campaigns(b.Context(), testdb.CampaignQuery{Limit: 20}); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(began))
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	reportTimes(b, "open", times)
}

// reportTimes reports the median and the 99th percentile.
func reportTimes(b *testing.B, what string, times []time.Duration) {
	b.Helper()
	slices.Sort(times)
	at := func(percent int) float64 { return times[(len(times)-1)*percent/100].Seconds() * 1000 }
	b.ReportMetric(at(50), what+"-p50-ms")
	b.ReportMetric(at(99), what+"-p99-ms")
}

// reportMemory reports the memory of the process: SQLite's is not Go's heap.
func reportMemory(b *testing.B) {
	b.Helper()
	runtime.GC()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return // only Linux tells
	}
	for line := range strings.Lines(string(status)) {
		var kib float64
		if n, err := fmt.Sscanf(line, "VmRSS: %f kB", &kib); err == nil && n == 1 {
			b.ReportMetric(kib/1024, "MiB-memory")
		}
	}
}

func copyFile(b *testing.B, from, to string) {
	b.Helper()
	source, err := os.Open(from)
	if err != nil {
		b.Fatal(err)
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	_, err = io.Copy(target, source)
	if err := errors.Join(err, target.Close()); err != nil {
		b.Fatal(err)
	}
}
