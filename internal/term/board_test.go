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
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A terminal is a stand-in for one: what a screen of that size shows of what
// was written to it. It fails the test when a line wraps, or on anything that
// a board does not need.
type terminal struct {
	t             *testing.T
	width, height int
	gone          []string // scrolled off
	lines         [][]rune
	row, column   int
	writes        int
	mu            sync.Mutex
}

func newTerminal(t *testing.T, width, height int) *terminal {
	t.Helper()
	return &terminal{t: t, width: width, height: height, lines: make([][]rune, 1)}
}

func (s *terminal) size() (int, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.width, s.height
}

func (s *terminal) resize(width, height int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.width, s.height = width, height
}

func (s *terminal) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	text := string(p)
	for text != "" {
		if rest, ok := strings.CutPrefix(text, "\x1b["); ok {
			text = s.control(rest)
			continue
		}
		r := []rune(text)[0]
		text = text[len(string(r)):]
		s.put(r)
	}
	return len(p), nil
}

func (s *terminal) put(r rune) {
	switch {
	case r == '\r':
		s.column = 0
	case r == '\n':
		s.column, s.row = 0, s.row+1
		if s.row == len(s.lines) {
			s.lines = append(s.lines, nil)
		}
		for len(s.lines) > s.height {
			s.gone, s.lines, s.row = append(s.gone, string(s.lines[0])), s.lines[1:], s.row-1
		}
	case r < ' ':
		s.t.Errorf("control character %q", r)
	default:
		if s.column >= s.width {
			s.t.Errorf("line %q wraps before %q", string(s.lines[s.row]), r)
			return
		}
		line := s.lines[s.row]
		for len(line) <= s.column {
			line = append(line, ' ')
		}
		line[s.column] = r
		s.lines[s.row], s.column = line, s.column+columnsOfRune(r)
	}
}

// control does what an escape sequence says and returns what follows it.
func (s *terminal) control(text string) string {
	end := strings.IndexFunc(text, func(r rune) bool { return r >= '@' && r <= '~' })
	if end < 0 {
		s.t.Errorf("escape sequence without an end: %q", text)
		return ""
	}
	n := 1
	_, _ = fmt.Sscan(text[:end], &n)
	switch text[end] {
	case 'A':
		s.row = max(s.row-n, 0)
	case 'K':
		s.lines[s.row] = s.lines[s.row][:min(s.column, len(s.lines[s.row]))]
	case 'J':
		s.lines[s.row] = s.lines[s.row][:min(s.column, len(s.lines[s.row]))]
		s.lines = s.lines[:s.row+1]
	case 'm':
	default:
		s.t.Errorf("escape sequence %q", text[:end+1])
	}
	return text[end+1:]
}

// shows is the whole screen, without the empty line of the cursor.
func (s *terminal) shows() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, line := range s.lines {
		lines = append(lines, string(line))
	}
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// written is how often something was written.
func (s *terminal) written() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

func (s *terminal) want(lines ...string) {
	s.t.Helper()
	if diff := cmp.Diff(lines, s.shows()); diff != "" {
		s.t.Errorf("screen (-want +got):\n%s", diff)
	}
}

func TestBoardElsewhereIsPlainLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		b := NewBoard(&out)
		b.Set(Row{Name: "minio", State: "pulling", Total: 100, Bytes: true})
		for i := range int64(100) {
			b.Set(Row{Name: "minio", State: "pulling", Done: i, Total: 100, Bytes: true})
		}
		b.Print("a \x1b[2Jline")
		<-time.After(2 * time.Second)
		b.Set(Row{Name: "minio", State: "healthy", Detail: "http://127.0.0.1:9000", End: Good})
		b.Set(Row{Name: "minio", State: "healthy", Detail: "http://127.0.0.1:9000", End: Good})
		b.Set(Row{Name: "jen\nkins", State: "exited\x1b[2J", Detail: "two\nlines", End: Bad})
		b.Set(Row{Name: "files", State: "unchanged", End: Same})
		b.Close()
		b.Set(Row{Name: "late", State: "unheard"})
		b.Print("the end")
		want := `..      minio: pulling
a ` + "\uFFFD" + `[2Jline
ok      minio: healthy, 2.0s: http://127.0.0.1:9000
failed  jen kins: exited` + "\uFFFD" + `[2J, 0.0s: two lines
same    files: unchanged
the end
`
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("output (-want +got):\n%s", diff)
		}
	})
}

func TestBoardInAFileIsPlainLines(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	b := NewBoard(file)
	b.Set(Row{Name: "a", State: "starting"})
	b.Close()
	content, err := os.ReadFile(file.Name())
	if err != nil || string(content) != "..      a: starting\n" {
		t.Errorf("got %q, %v", content, err)
	}
}

func TestBoardOnATerminal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		screen := newTerminal(t, 90, 24)
		b := newLiveBoard(screen, look{colours: true, marks: true}, screen.size)
		b.Set(Row{Name: "minio", State: "pulling", Total: 120e6, Bytes: true})
		screen.want("• minio pulling  0.0s  ────────────────────────      0 B of 120.0 MB")
		<-time.After(1040 * time.Millisecond)
		b.Set(Row{Name: "minio", State: "pulling", Done: 60e6, Total: 120e6, Bytes: true, Expected: 90 * time.Second})
		b.Set(Row{Name: "jenkins", State: "starting", Detail: "503 Service Unavailable"})
		screen.want(
			"• minio   pulling   1.0s of about 1m30s  ━━━━━━━━━━━━────────────  60.0 MB of 120.0 MB",
			"• jenkins starting  0.0s  503 Service Unavailable",
		)
		<-time.After(2 * time.Second) // nobody sets anything, and time goes by
		if got := screen.shows()[1]; got != "• jenkins starting  2.0s  503 Service Unavailable" {
			t.Errorf("after 2 s: %q", got)
		}
		b.Print("a line above")
		b.Set(Row{Name: "minio", State: "healthy", End: Good})
		b.Set(Row{Name: "files", State: "unchanged", End: Same})
		b.Set(Row{Name: "jenkins", State: "exited", Detail: "exit 1\x1b[2J", End: Bad})
		b.Print("another")
		<-time.After(time.Minute)
		want := []string{
			"a line above",
			"another",
			"✓ minio   healthy    3.0s",
			"✗ jenkins exited     2.0s  exit 1\uFFFD[2J",
			"= files   unchanged  0.0s",
		}
		screen.want(want...)
		b.Close()
		screen.want(want...)
		b.Close()
		b.Set(Row{Name: "late"})
		screen.want(want...)
	})
}

func TestBoardKeepsAnOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		screen := newTerminal(t, 60, 24)
		b := newLiveBoard(screen, look{marks: true}, screen.size)
		b.Order("minio", "testdb", "jenkins")
		for _, name := range []string{"files", "jenkins", "minio", "registry", "testdb"} {
			b.Set(Row{Name: name, State: "starting"})
		}
		screen.want(
			"• minio    starting  0.0s",
			"• testdb   starting  0.0s",
			"• jenkins  starting  0.0s",
			"• files    starting  0.0s",
			"• registry starting  0.0s",
		)
		b.Close()
	})
}

func TestBoardLeavesOutDetailsWithoutRoom(t *testing.T) {
	t.Parallel()
	rows := []boardRow{{Row: Row{Name: "minio", State: "pulling", Done: 1e6, Total: 2e6, Bytes: true, Detail: "quay.io/minio/minio:RELEASE"}}}
	for width, want := range map[int]string{
		100: "• minio pulling  0.0s  ━━━━━━━━━━━━──────────── 1.0 MB of 2.0 MB  quay.io/minio/minio:RELEASE",
		88:  "• minio pulling  0.0s  ━━━━━━━━━━━━──────────── 1.0 MB of 2.0 MB  quay.io/minio/minio:R…",
		80:  "• minio pulling  0.0s  ━━━━━━━━━━━━──────────── 1.0 MB of 2.0 MB",
	} {
		if diff := cmp.Diff([]string{want}, (look{marks: true}).lines(rows, width, 1, time.Time{})); diff != "" {
			t.Errorf("%d columns (-want +got):\n%s", width, diff)
		}
	}
}

func TestBoardIsDrawnTenTimesASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		screen := newTerminal(t, 80, 24)
		b := newLiveBoard(screen, look{}, screen.size)
		for i := range int64(1000) {
			b.Set(Row{Name: "image", State: "pulling", Done: i, Total: 1000, Bytes: true})
			<-time.After(time.Millisecond)
		}
		if drawn := screen.written(); drawn > 12 {
			t.Errorf("drawn %d times in a second", drawn)
		}
		b.Set(Row{Name: "image", State: "pulled", End: Good})
		before := screen.written()
		<-time.After(time.Hour)
		if drawn := screen.written() - before; drawn > 1 {
			t.Errorf("drawn %d times while nothing ran", drawn)
		}
		b.Close()
		screen.want("ok     image pulled   1.0s") // as wide as pulling was
	})
}

func TestBoardWithMoreRowsThanTheScreen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		screen := newTerminal(t, 80, 6)
		b := newLiveBoard(screen, look{}, screen.size)
		b.Print("above")
		for i := range 10 {
			b.Set(Row{Name: fmt.Sprint("case", i), State: "running"})
		}
		b.Set(Row{Name: "case0", State: "passed", End: Good})
		b.Set(Row{Name: "case2", State: "failed", End: Bad})
		screen.want(
			"..     case1 running  0.0s",
			"..     case3 running  0.0s",
			"..     case4 running  0.0s",
			"..     case5 running  0.0s",
			"and 6 more",
		)
		for i := range 9 {
			b.Set(Row{Name: fmt.Sprint("case", i), State: "passed", End: Good})
		}
		b.Set(Row{Name: "case2", State: "failed", End: Bad})
		screen.want(
			"failed case2 failed   0.0s",
			"ok     case7 passed   0.0s",
			"ok     case8 passed   0.0s",
			"..     case9 running  0.0s",
			"and 6 more",
		)
		b.Close()
		all := append(screen.gone, screen.shows()...)
		if len(all) != 11 || all[0] != "above" || all[1] != "ok     case0 passed   0.0s" || all[10] != "..     case9 running  0.0s" {
			t.Errorf("at the end:\n%s", strings.Join(all, "\n"))
		}
	})
}

func TestBoardFitsAnyWindow(t *testing.T) {
	t.Parallel()
	rows := []boardRow{
		{Row: Row{Name: "größe", State: "läuft", Detail: strings.Repeat("日本🙂✓☃", 30)}},
		{Row: Row{Name: strings.Repeat("long", 30), State: strings.Repeat("state", 30), Done: 1 << 62, Total: 1<<63 - 1, Bytes: true}},
		{Row: Row{Name: "b", State: "pulling", Done: 7, Total: 3, Expected: 1000 * time.Hour}},
		{Row: Row{Name: "c", Done: -1, Total: -1, Bytes: true, End: Good}},
		{Row: Row{Name: "d", Done: 5, Bytes: true}},
	}
	for _, l := range []look{{}, {marks: true}} {
		for width := -1; width < 130; width++ {
			for height := -1; height < 8; height++ {
				lines := l.lines(rows, width, height, time.Unix(0, 0))
				if len(lines) > max(height, 0) {
					t.Errorf("%dx%d: %d lines", width, height, len(lines))
				}
				for _, line := range lines {
					if columnsOf(line) > max(width, 0) || line != Plain(line) {
						t.Errorf("%dx%d: %q", width, height, line)
					}
				}
			}
		}
	}
}

func TestBoardInAWindowThatChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		screen := newTerminal(t, 60, 10)
		b := newLiveBoard(screen, look{}, screen.size)
		for _, name := range []string{"a", "b", "c", "d"} {
			b.Set(Row{Name: name, State: "starting", Detail: strings.Repeat("x", 100)})
		}
		screen.resize(20, 3)
		<-time.After(time.Second)
		if got := screen.shows(); len(got) > 3 || got[len(got)-1] != "and 3 more" {
			t.Errorf("after the window became smaller: %q", got)
		}
		screen.resize(60, 10)
		<-time.After(time.Second)
		b.Close()
	})
}

func TestBoardOfManyAtOnce(t *testing.T) {
	t.Parallel()
	screen := newTerminal(t, 60, 30)
	b := newLiveBoard(screen, look{colours: true, marks: true}, screen.size)
	var group sync.WaitGroup
	for i := range 20 {
		name := fmt.Sprintf("case%02d", i)
		group.Go(func() {
			for done := range int64(50) {
				b.Set(Row{Name: name, State: "running", Done: done, Total: 50})
			}
			b.Print("end of " + name)
			b.Set(Row{Name: name, State: "passed", End: Good})
		})
	}
	group.Wait()
	b.Close()
	if all := append(screen.gone, screen.shows()...); len(all) != 40 {
		t.Errorf("%d lines:\n%s", len(all), strings.Join(all, "\n"))
	}
}

func TestBoardSurvivesABrokenTerminal(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	r.Close()
	b := newLiveBoard(w, look{}, func() (int, int) { return 0, 0 })
	b.Set(Row{Name: "a"})
	b.Print("b")
	b.Close()
}

func TestSizesAndTimesForPeople(t *testing.T) {
	t.Parallel()
	for bytes, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_949: "999.9 kB", 999_950: "1.0 MB", 45_240_000: "45.2 MB", 3e9: "3.0 GB", 1<<63 - 1: "9.2 EB",
	} {
		if got := Size(bytes); got != want {
			t.Errorf("%d: got %q, want %q", bytes, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		-time.Second: "0.0s", 2100 * time.Millisecond: "2.1s", 59_940 * time.Millisecond: "59.9s", 59_960 * time.Millisecond: "1m00s",
		245 * time.Second: "4m05s", time.Hour - time.Millisecond: "1h00m", 187 * time.Minute: "3h07m",
	} {
		if got := duration(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

func TestMarksNeedUTF8(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		env  map[string]string
		want bool
	}{
		{nil, false},
		{map[string]string{"LANG": "C.UTF-8"}, true},
		{map[string]string{"LANG": "en_US.utf8"}, true},
		{map[string]string{"LANG": "en_US.UTF-8", "LC_ALL": "C"}, false},
		{map[string]string{"LANG": "C", "LC_CTYPE": "de_DE.UTF-8"}, true},
	} {
		if got := utf8Locale(func(name string) string { return test.env[name] }); got != test.want {
			t.Errorf("%v: got %v", test.env, got)
		}
	}
}

// Names of jobs begin alike: their ends are what is shown.
func TestLongNamesShowTheirEnds(t *testing.T) {
	t.Parallel()
	const name = "functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-sig_node-run"
	for _, test := range []struct {
		name  string
		width int
		want  string
	}{
		{name, 26, "…" + name[len(name)-25:]},
		{"minio", 26, "minio"},
		{"minio", 5, "minio"},
		{"größe", 3, "…ße"},
		{"a\xff\xfe", 2, "…\xfe"},
		{"ab", 1, "…"},
		{"ab", 0, ""},
	} {
		if got := (look{marks: true}).cutStart(test.name, test.width); got != test.want {
			t.Errorf("%q in %d columns: %q, want %q", test.name, test.width, got, test.want)
		}
	}
}
