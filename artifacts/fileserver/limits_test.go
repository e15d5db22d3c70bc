package fileserver

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/internal/miniotest"
)

// watchMemory looks at the heap until the function is called, which returns
// by how much it was larger at most.
func watchMemory(t *testing.T) func() uint64 {
	t.Helper()
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	runtime.GC()
	before, peak := heap(), uint64(0)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				peak = max(peak, heap())
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-done
		return peak - min(peak, before)
	}
}

// Names that no tool of ours stores, but others may.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := artifacts.OpenDirStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	names := []string{
		"<script>ran=1<", `"><img src=x onerror=ran=1>`, "a\nb", "a\r\nSet-Cookie: x", "\x1b[31mred", "evil\u202egnp.exe", "zero\u200bwidth",
		"javascript:ran=1", "data:text,html", "%2e%2e", "...", "~", " blank ", "?after=x", "#fragment", `back\slash`, "'quote'", "{{.Style}}",
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, "folder", name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	server := serve(t, store, nil)
	for _, folder := range []string{"/folder/", "/"} {
		page := get(t, server, "GET", folder)
		for _, bad := range []string{"<script", "<img", "\nSet-Cookie", "\x1b", "\u202e", "\u200b", `href="javascript`, `href="data:t`, "a\nb"} {
			if strings.Contains(page.body, bad) {
				t.Errorf("%s shows %q raw", folder, bad)
			}
		}
		for _, name := range names {
			link := `href="` + strings.ReplaceAll(strings.ReplaceAll(reference(name), "&", "&amp;"), "'", "&#39;") + `"`
			if !strings.Contains(page.body, link) {
				t.Errorf("%s does not lead to %q by %s", folder, name, link)
			}
			got := get(t, server, "GET", folder+strings.TrimPrefix(reference(name), "./"))
			if got.status != http.StatusOK || got.body != name {
				t.Errorf("%q: %d %q", name, got.status, got.body)
			}
			if len(got.header.Values("Set-Cookie")) > 0 {
				t.Errorf("%q: a header was smuggled in", name)
			}
		}
	}
}

func TestHugeFolder(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: 10,000 objects")
	}
	const all, limit = 10_000, 16 << 20
	minio := miniotest.Start(t)
	name, store := namedBucket(t, minio)
	put(t, store, "huge/first.log", "x")
	var names []string
	for i := range all - 1 {
		names = append(names, fmt.Sprintf("a-file-of-a-test-with-a-long-name-%05d.log", i))
	}
	minio.Copy(t, name, "huge/first.log", names)
	server := serve(t, store, nil)
	peak := watchMemory(t)
	began := time.Now()
	got := get(t, server, "GET", "/huge/")
	took := time.Since(began)
	if got.status != http.StatusOK || strings.Count(got.body, `<th scope="row">`) != perPage {
		t.Errorf("%d, %d rows", got.status, strings.Count(got.body, `<th scope="row">`))
	}
	t.Logf("a page of 10,000 in %v", took)
	if used := peak(); used > limit {
		t.Errorf("%d MiB of memory for a page", used>>20)
	}
	pages := 0
	for next := "/huge/"; next != "" && pages < 20; pages++ {
		_, after, ok := strings.Cut(get(t, server, "GET", next).body, `<a href="?after=`)
		after, _, _ = strings.Cut(after, `"`)
		if next = ""; ok {
			next = "/huge/?after=" + after
		}
	}
	if pages != all/perPage {
		t.Errorf("%d pages", pages)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestLargeFileInBoundedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: 1 GB")
	}
	store := bucket(t, miniotest.Start(t))
	const size, limit = 1 << 30, 16 << 20
	if err := store.Put(t.Context(), "LARGE0001.zip", io.LimitReader(zeros{}, size)); err != nil {
		t.Fatal(err)
	}
	server := serve(t, store, nil)
	peak := watchMemory(t)
	for _, test := range []struct {
		ranges string
		want   int64
	}{{"bytes=0-", size}, {"bytes=1000000000-", size - 1_000_000_000}, {"bytes=5-4", 0}, {"bytes=536870912-536870921", 10}} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server+"/LARGE0001.zip", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Range", test.ranges)
		began := time.Now()
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if test.want > 0 && (err != nil || n != test.want || answer.StatusCode != http.StatusPartialContent) {
			t.Errorf("%s: %d, %d bytes, %v", test.ranges, answer.StatusCode, n, err)
		}
		t.Logf("%s: %d bytes in %v", test.ranges, n, time.Since(began))
	}
	// a client that goes away
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/LARGE0001.zip", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.CopyN(io.Discard, answer.Body, 1<<20)
	cancel()
	answer.Body.Close()
	if err != nil {
		t.Error(err)
	}
	if used := peak(); used > limit {
		t.Errorf("%d MiB of memory", used>>20)
	}
}

// Archives that are bombs, or lie.
func TestHostileArchives(t *testing.T) {
	t.Parallel()
	store := dirStore(t)
	good := zipOf(t, map[string]string{"report.html": strings.Repeat("x", 1000), "../up": "x"})
	many := map[string]string{}
	for i := range 60_000 {
		many[fmt.Sprintf("%080d", i)] = ""
	}
	flipped := []byte(good)
	flipped[strings.Index(good, "report.html")+len("report.html")+2] ^= 0xff
	for key, content := range map[string]string{
		"CUTOFF000.zip": good[:len(good)-10], "EMPTY0000.zip": "", "HUGEDIR00.zip": zipOf(t, many), "GOOD00000.zip": good, "FLIPPED00.zip": string(flipped),
	} {
		put(t, store, key, content)
	}
	server := serve(t, store, io.Discard)
	for p, want := range map[string]int{
		"/CUTOFF000.zip/report.html": 422, "/EMPTY0000.zip/report.html": 422, "/HUGEDIR00.zip/report.html": 422,
		"/GOOD00000.zip/report.html": 200, "/GOOD00000.zip/../up": 404, "/GOOD00000.zip/%2e%2e/up": 404, "/GOOD00000.zip/": 302,
	} {
		if got := get(t, server, "GET", p); got.status != want {
			t.Errorf("%s: %d %s, want %d", p, got.status, got.body, want)
		}
	}
	// what does not unpack to what the directory says is cut
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server+"/FLIPPED00.zip/report.html", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err == nil {
		defer answer.Body.Close()
		if _, err = io.ReadAll(answer.Body); err == nil && answer.StatusCode == http.StatusOK {
			t.Error("a damaged file looks whole")
		}
	}
}
