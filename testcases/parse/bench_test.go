package parse

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/anuket-project/xtci/internal/recording"
	"github.com/anuket-project/xtci/testcases"
)

// BenchmarkCampaign parses the raw results of a whole campaign: every case of
// the sample, 16 e2e suites of 2 MB of XML each among them. heap-MB is what is
// live when all of it is parsed.
func BenchmarkCampaign(b *testing.B) {
	catalog, err := testcases.Load("v1.23")
	if err != nil {
		b.Fatal(err)
	}
	sample, err := recording.Open("../testdata/sample")
	if err != nil {
		b.Fatal(err)
	}
	defer sample.Close()
	dir := unpack(b, sample)
	files := os.DirFS(dir)
	b.ReportAllocs()
	for b.Loop() {
		all := parseAll(b, catalog, files)
		b.StopTimer()
		runtime.GC()
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		b.ReportMetric(float64(memory.HeapAlloc)/(1<<20), "heap-MB")
		b.ReportMetric(float64(memory.Sys)/(1<<20), "sys-MB")
		runtime.KeepAlive(all)
		b.StartTimer()
	}
}

// unpack writes a recording to a folder, so that decompressing is not measured.
func unpack(b *testing.B, files fs.FS) string {
	b.Helper()
	dir := b.TempDir()
	var size int64
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		from, err := files.Open(name)
		if err != nil {
			return err
		}
		defer from.Close()
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			return err
		}
		to, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		defer to.Close()
		n, err := io.Copy(to, from)
		size += n
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	return dir
}

func parseAll(b *testing.B, catalog *testcases.Catalog, files fs.FS) []testcases.Evidence {
	b.Helper()
	var all []testcases.Evidence
	names := Names{}
	for i := range catalog.Cases {
		c := &catalog.Cases[i]
		folder, err := fs.Sub(files, c.Name)
		if err != nil {
			b.Fatal(err)
		}
		if !c.Default {
			continue
		}
		evidence, _ := Case(Input{Case: c, Files: folder, Names: names}) // some of the sample's evidence is unreadable on purpose
		all = append(all, evidence)
	}
	return all
}
