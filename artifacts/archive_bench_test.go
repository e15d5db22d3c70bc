package artifacts

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/fstest"
	"time"

	"github.com/anuket-project/xtci/testcases"
)

// logFS is a campaign of one run with log-like files that are made while
// they are read, of any size.
type logFS struct {
	fstest.MapFS
	files int
	size  int64
}

const benchTag = "BENCHMARK"

func newLogFS(files int, size int64) logFS {
	f := logFS{MapFS: fstest.MapFS{IndexName(benchTag): {Data: []byte(`{"results":[]}`)}}, files: files, size: size}
	for i := range files {
		f.MapFS[fmt.Sprintf("%s/job-1/%04d.log", benchTag, i)] = &fstest.MapFile{}
	}
	return f
}

func (f logFS) Open(name string) (fs.File, error) {
	file, err := f.MapFS.Open(name)
	if err != nil || len(name) < 4 || name[len(name)-4:] != ".log" {
		return file, err
	}
	return &logFile{File: file, left: f.size, random: rand.New(rand.NewPCG(1, uint64(len(name))))}, nil
}

// logFile gives lines as e2e.log has them, different from each other.
type logFile struct {
	fs.File
	left   int64
	random *rand.Rand
	rest   []byte
	at     time.Duration
}

func (f *logFile) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > f.left {
		p = p[:f.left]
	}
	n := 0
	for n < len(p) {
		if len(f.rest) == 0 {
			f.rest = f.block()
		}
		k := copy(p[n:], f.rest)
		n, f.rest = n+k, f.rest[k:]
	}
	f.left -= int64(n)
	return n, nil
}

// block is a few lines with numbers and times that change.
func (f *logFile) block() []byte {
	f.at += time.Duration(f.random.IntN(1e9))
	return fmt.Appendf(make([]byte, 0, 4096), `Jan  6 12:%02d:%02d.%03d: INFO: Waiting up to 5m0s for pod "pod-%x" in namespace "e2e-%d" to be "Succeeded or Failed"
Jan  6 12:%02d:%02d.%03d: INFO: Pod "pod-projected-%x": Phase="Pending", Reason="", readiness=false. Elapsed: %v
STEP: Creating a kubernetes client
STEP: Building a namespace api object, basename projected-%d
STEP: Waiting for a default service account to be provisioned in namespace
[AfterEach] [sig-storage] Projected secret k8s.io/kubernetes/test/e2e/framework/framework.go:%d
E0106 11:32:53.%06d      22 progress.go:119] Failed to post progress update to http://localhost:8099/progress: dial tcp [::1]:8099: connect: connection refused
`, f.random.IntN(60), f.random.IntN(60), f.random.IntN(1000), f.random.Uint64(), f.random.IntN(9999),
		f.random.IntN(60), f.random.IntN(60), f.random.IntN(1000), f.random.Uint64(), f.at, f.random.IntN(9999), f.random.IntN(900), f.random.IntN(1e6))
}

func benchKey(tb testing.TB) *Key {
	tb.Helper()
	key, err := OpenKey(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// BenchmarkWriteArchive packs log-like files: MB/s are of what goes in, peak-MB
// is the most memory that was had from the system. The large campaign, of 10
// GB, shows that memory does not grow.
func BenchmarkWriteArchive(b *testing.B) {
	for _, size := range []struct {
		name  string
		files int
		bytes int64
	}{{"256MB", 8, 32 << 20}, {"10GB", 40, 256 << 20}} {
		b.Run(size.name, func(b *testing.B) {
			campaign, err := OpenCampaign(newLogFS(size.files, size.bytes), benchTag)
			if err != nil {
				b.Fatal(err)
			}
			key := benchKey(b)
			b.SetBytes(int64(size.files) * size.bytes)
			for b.Loop() {
				packed := &peakDigest{digest: newDigest()}
				if err := campaign.WriteArchive(context.Background(), packed, nil, testcases.NotConformant, key); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(int64(size.files)*size.bytes)/float64(packed.n), "x-smaller")
				b.ReportMetric(float64(packed.peak)/(1<<20), "peak-MB")
			}
		})
	}
}

// A peakDigest looks at the memory in use now and then while it is written to.
type peakDigest struct {
	*digest
	next int64
	peak uint64
}

func (p *peakDigest) Write(b []byte) (int, error) {
	if p.n >= p.next {
		p.next = p.n + 1<<20
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		p.peak = max(p.peak, memory.Sys-memory.HeapReleased)
	}
	return p.digest.Write(b)
}
