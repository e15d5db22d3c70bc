package term

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestProgressElsewhereIsPlainLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := NewProgress(&out)
	p.Begin("first")
	p.Begin("second")
	p.End("second", "passed", "", 1, 10, 90*time.Second)
	p.End("first", "not run", "no such image\x1b[2J\nmore", 2, 10, 10*time.Millisecond)
	p.End("third", "passed", "done earlier", 10, 10, 0)
	p.Close()
	want := "[ 1/10] passed  second 1m30s\n[ 2/10] not run first: no such image\uFFFD[2J more\n[10/10] passed  third: done earlier\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

func TestProgressInAFileIsPlainLines(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p := NewProgress(file)
	p.Begin("a")
	p.End("a", "passed", "", 1, 1, 0)
	p.Close()
	content, err := os.ReadFile(file.Name())
	if err != nil || string(content) != "[1/1] passed  a\n" {
		t.Errorf("got %q, %v", content, err)
	}
}

// screen is what a terminal of one line at the bottom shows: what is above,
// and the line that is drawn over.
func screen(t *testing.T, written string) (above []string, bottom string) {
	t.Helper()
	for written != "" {
		if rest, ok := strings.CutPrefix(written, "\r\x1b[K"); ok {
			bottom, written = "", rest
			continue
		}
		r, size := utf8.DecodeRuneInString(written)
		switch {
		case r == '\n':
			above, bottom = append(above, bottom), ""
		case r < ' ':
			t.Fatalf("control character %q", r)
		default:
			bottom += string(r)
		}
		written = written[size:]
	}
	return above, bottom
}

func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	width := 40
	p := newLive(&out, func() int { return width })
	shows := func(bottom string, above ...string) {
		t.Helper()
		gotAbove, gotBottom := screen(t, out.String())
		if diff := cmp.Diff(append(above, bottom), append(gotAbove, gotBottom)); diff != "" {
			t.Errorf("screen (-want +got):\n%s", diff)
		}
	}
	p.Begin("k8s_quick")
	shows("running: k8s_quick")
	p.Begin("k8s_smoke")
	shows("running 2: k8s_quick, k8s_smoke")
	p.Begin("kube_hunter")
	shows("running 3: k8s_quick and 2 more")
	p.End("k8s_quick", "passed", "", 1, 3, 0)
	shows("running 2: k8s_smoke, kube_hunter", "[1/3] passed  k8s_quick")
	width = 16 // the window was made smaller
	p.Begin("a\x1b[Hb")
	shows("running 3", "[1/3] passed  k8s_quick")
	p.Close()
	shows("", "[1/3] passed  k8s_quick")
	p.Close()
	p.End("never begun", "failed", "", 2, 3, 0)
	_, bottom := screen(t, out.String())
	if bottom != "running 3" {
		t.Errorf("an end of something else changed what runs: %q", bottom)
	}
}

func TestWhatRunsFitsIntoTheLine(t *testing.T) {
	t.Parallel()
	names := []string{"größe", "xrally_kubernetes_full", "\x1b[2J", "kube_bench_master", "netperf"}
	for width := -1; width < 100; width++ {
		for n := 1; n <= len(names); n++ {
			line := fit(names[:n], width)
			if utf8.RuneCountInString(line) > max(width, 0) || line != Plain(line) {
				t.Errorf("width %d, %d names: %q", width, n, line)
			}
		}
	}
	if got := fit(names, 200); got != "running 5: größe, xrally_kubernetes_full, \uFFFD[2J, kube_bench_master, netperf" {
		t.Errorf("got %q", got)
	}
}

func TestProgressOfManyAtOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newLive(&out, func() int { return 30 })
	var group sync.WaitGroup
	for i := range 20 {
		name := fmt.Sprintf("case%02d", i)
		p.Begin(name)
		group.Go(func() { p.End(name, "passed", "", i+1, 20, 0) })
	}
	group.Wait()
	p.Close()
	if above, bottom := screen(t, out.String()); len(above) != 20 || bottom != "" {
		t.Errorf("%d lines, and %q", len(above), bottom)
	}
}

func TestProgressSurvivesABrokenTerminal(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	r.Close()
	p := newLive(w, func() int { return 80 })
	p.Begin("a")
	p.End("a", "passed", "", 1, 1, 0)
	p.Close()
}

func TestPlain(t *testing.T) {
	t.Parallel()
	const bad = "\uFFFD"
	for _, test := range []struct{ text, want string }{
		{"", ""},
		{"[sig-apps] größe 日本 🙂", "[sig-apps] größe 日本 🙂"},
		{"two\nlines\tand a tab", "two lines and a tab"},
		{"a\r\x1b[31mb\x07\x00\x7f", "a" + bad + bad + "[31mb" + bad + bad + bad},
		{"\u009b2J\u0085", bad + "2J" + bad},
		{"\u202eexe.txt\u202c \u2066x\u2069 \u200e\u200f\u061c", bad + "exe.txt" + bad + " " + bad + "x" + bad + " " + bad + bad + bad},
		{"a\u2028b\u2029c", "a" + bad + "b" + bad + "c"},
		{"not \xff UTF-8 \xc3", "not " + bad + " UTF-8 " + bad},
	} {
		if got := Plain(test.text); got != test.want {
			t.Errorf("%q: got %q, want %q", test.text, got, test.want)
		}
	}
	if got := PlainLines("a\x1b\nb\n"); got != "a"+bad+"\nb\n" {
		t.Errorf("lines: %q", got)
	}
}
