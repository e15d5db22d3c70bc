package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/internal/miniotest"
	"github.com/anuket-project/xtci/testcases"
)

const benchTag = "BENCHMARK001"

// BenchmarkPublish is xtci publish as a process of its own, from its start to
// its end: it collects a campaign from a test DB and a real MinIO on the same
// machine, and puts its archive there. MB/s are of what is packed; peak-MB is
// the most memory that the process had, cpu-s what it and not MinIO computed.
func BenchmarkPublish(b *testing.B) {
	for _, size := range []struct {
		name  string
		bytes int64
		peak  float64 // MB at most
	}{{"1GB", 1_000_000_000, 128}, {"10GB", 10_000_000_000, 128}} {
		b.Run(size.name+" in 240 objects", func(b *testing.B) {
			environ := pushLogs(b, 10, size.bytes/240, size.bytes > 1_000_000_000)
			prefix := b.TempDir()
			b.SetBytes(size.bytes)
			for b.Loop() {
				var out, stderr bytes.Buffer
				cmd := exec.CommandContext(b.Context(), os.Args[0], "publish", benchTag, "--set", "stack.prefix="+prefix, "--wait", "0s")
				cmd.Args[0] = "xtci" // by which the test binary knows that it is xtci
				cmd.Env, cmd.Stdout, cmd.Stderr = environ, &out, &stderr
				if err := cmd.Run(); err != nil || !strings.Contains(out.String(), "All data were successfully published:") {
					b.Fatalf("%v\n%s%s", err, out.String(), stderr.String())
				}
				usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
				if !ok {
					b.Fatal("no usage")
				}
				peak := float64(usage.Maxrss) / 1000
				b.ReportMetric(peak, "peak-MB")
				b.ReportMetric((cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), "cpu-s")
				if peak > size.peak {
					b.Errorf("%.0f MB of memory, want %.0f at most", peak, size.peak)
				}
			}
		})
	}
}

// pushLogs puts a campaign of logs into a real MinIO, that many in each of 24
// runs, and returns the environment of who publishes it. With copies, logs of
// one run hold the same.
func pushLogs(b *testing.B, perRun int, size int64, copies bool) []string {
	b.Helper()
	catalog, err := testcases.Load("v1.23")
	if err != nil {
		b.Fatal(err)
	}
	minio := miniotest.Start(b)
	store, err := artifacts.OpenS3Store(artifacts.S3Options{Endpoint: minio.Endpoint, Bucket: "xtesting", Credentials: artifacts.Credentials{AccessKey: minio.AccessKey, SecretKey: minio.SecretKey}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	if err := store.CreateBucket(b.Context()); err != nil {
		b.Fatal(err)
	}
	var records []testcases.Record
	for i := range catalog.Cases {
		c := &catalog.Cases[i]
		if !c.Default {
			continue
		}
		folder := path.Join(benchTag, testcases.JobName("functest-kubernetes", c)+"-1", c.Name)
		var names, links []string
		for k := range perRun {
			names = append(names, fmt.Sprintf("pod-%03d.log", k))
			links = append(links, "http://198.51.100.7:8181/"+path.Join(folder, names[k]))
		}
		for k, name := range names {
			if k > 0 && copies {
				minio.Copy(b, "xtesting", path.Join(folder, names[0]), names[1:])
				break
			}
			log := &logReader{random: rand.New(rand.NewPCG(uint64(i), uint64(k)))}
			if err := store.Put(b.Context(), path.Join(folder, name), io.LimitReader(log, size)); err != nil {
				b.Fatal(err)
			}
		}
		details, err := json.Marshal(map[string]any{"links": links})
		if err != nil {
			b.Fatal(err)
		}
		records = append(records, testcases.Record{ID: fmt.Sprintf("%024x", i), BuildTag: benchTag, CaseName: c.Name, ProjectName: "functest", PodName: "lab", Criteria: testcases.CriteriaPass, Details: details})
	}
	testDB := httptest.NewServer(recordPages(records))
	b.Cleanup(testDB.Close)
	return []string{
		"S3_ENDPOINT_URL=" + minio.Endpoint, "S3_DST_URL=s3://xtesting", "HTTP_DST_URL=http://files.example",
		"AWS_ACCESS_KEY_ID=" + minio.AccessKey, "AWS_SECRET_ACCESS_KEY=" + minio.SecretKey.Reveal(), "TEST_DB_URL=" + testDB.URL + "/api/v1/results",
	}
}

// recordPages stands in for a test DB: it answers with pages of 20 records.
func recordPages(records []testcases.Record) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const perPage = 20
		page, err := strconv.Atoi(r.URL.Query().Get("page"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"pagination": map[string]int{"current_page": page, "total_pages": (len(records) + perPage - 1) / perPage},
			"results":    records[(page-1)*perPage : min(page*perPage, len(records))],
		})
	})
}

// A logReader gives lines as e2e tests log them, different from each other.
type logReader struct {
	random *rand.Rand
	rest   []byte
}

func (l *logReader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(l.rest) == 0 {
			at := fmt.Sprintf("Jan  6 12:%02d:%02d.%03d: INFO: ", l.random.IntN(60), l.random.IntN(60), l.random.IntN(1000))
			l.rest = fmt.Appendf(l.rest[:0], `%[1]sWaiting up to 5m0s for pod "pod-%[2]x" in namespace "e2e-%[3]d" to be "Succeeded or Failed"
%[1]sPod "pod-projected-%[2]x": Phase="Pending", Reason="", readiness=false. Elapsed: %[4]dms
STEP: Creating a kubernetes client
STEP: Building a namespace api object, basename projected-%[3]d
STEP: Waiting for a default service account to be provisioned in namespace
[AfterEach] [sig-storage] Projected secret k8s.io/kubernetes/test/e2e/framework/framework.go:%[5]d
`, at, l.random.Uint64(), l.random.IntN(9999), l.random.IntN(90_000), l.random.IntN(900))
		}
		k := copy(p[n:], l.rest)
		n, l.rest = n+k, l.rest[k:]
	}
	return n, nil
}
