package term

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	xterm "golang.org/x/term"
)

// An End says whether something goes on, and if not, how it ended.
type End int

// How things end.
const (
	Running End = iota
	Good        // done
	Bad         // failed
	Same        // there was nothing to do
)

// A Row is one of the things that a Board shows.
type Row struct {
	Name   string // what it is; a row with the same name replaces it
	State  string // a word or two, such as starting
	Detail string
	// Done of Total are bytes, if Bytes is set, or a count. With a Total of
	// 0 there is no bar.
	Done, Total int64
	Bytes       bool
	Started     time.Time     // zero is when the row was first set
	Expected    time.Duration // how long it usually takes; 0 is not known
	End         End
}

// A Board shows several things at once that change until they end, a line
// each. On a terminal it stands at the bottom and is drawn over; elsewhere
// each change of a state, and each end, is a line. It may be used by several
// goroutines. Close ends it.
type Board struct {
	mu      sync.Mutex
	w       io.Writer
	look    look
	size    func() (width, height int) // of the terminal; nil when w is none
	rows    []boardRow                 // as Order says, then in the order of their first Set
	order   map[string]int             // by name, from 1
	drawn   int                        // lines of the board on the terminal
	changed bool                       // since it was drawn
	closed  bool
	stop    chan struct{}
	stopped chan struct{} // closed when the board's goroutine has ended
}

// boardRow is a row, when it ended, and the columns of its widest state.
type boardRow struct {
	Row
	ended time.Time
	wide  int
}

// redraw is how often a board is drawn at most for the sake of what counts
// up: bytes and seconds.
const redraw = 100 * time.Millisecond

// defaultHeight is what a terminal has that does not say.
const defaultHeight = 24

// NewBoard returns a board on w, live if w is a terminal.
func NewBoard(w io.Writer) *Board {
	file, ok := w.(*os.File)
	if !ok || !xterm.IsTerminal(int(file.Fd())) || os.Getenv("TERM") == "dumb" {
		return &Board{w: w}
	}
	look := look{colours: os.Getenv("NO_COLOR") == "", marks: utf8Locale(os.Getenv)}
	return newLiveBoard(w, look, func() (int, int) { // asked each time: windows change their size
		width, height, err := xterm.GetSize(int(file.Fd()))
		if err != nil || width < 1 || height < 1 {
			return defaultWidth, defaultHeight
		}
		return width, height
	})
}

// CutLines shortens lines that would not fit on w, if that is a terminal: the
// columns of a table stay below each other.
func CutLines(w io.Writer, text string) string {
	file, ok := w.(*os.File)
	if !ok || !xterm.IsTerminal(int(file.Fd())) {
		return text
	}
	width, _, err := xterm.GetSize(int(file.Fd()))
	if err != nil || width < 1 {
		return text
	}
	return look{marks: utf8Locale(os.Getenv)}.cutLines(text, width)
}

// utf8Locale says whether the environment asks for UTF-8.
func utf8Locale(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} { // the first that is set decides (POSIX)
		if value := strings.ToLower(getenv(name)); value != "" {
			return strings.Contains(value, "utf-8") || strings.Contains(value, "utf8")
		}
	}
	return false
}

// newLiveBoard returns a board on a terminal of that size.
func newLiveBoard(w io.Writer, look look, size func() (width, height int)) *Board {
	b := &Board{w: w, look: look, size: size, stop: make(chan struct{}), stopped: make(chan struct{})}
	go b.run()
	return b
}

// run draws the board anew as time goes by, until Close.
func (b *Board) run() {
	defer close(b.stopped)
	ticker := time.NewTicker(redraw)
	defer ticker.Stop()
	for {
		select {
		case <-b.stop:
			return
		case <-ticker.C:
			b.mu.Lock()
			if b.changed || b.running() {
				b.draw()
			}
			b.mu.Unlock()
		}
	}
}

func (b *Board) running() bool {
	for _, row := range b.rows {
		if row.End == Running {
			return true
		}
	}
	return false
}

// Set adds a row, or replaces the one of its name. After Close it does
// nothing.
func (b *Board) Set(row Row) {
	row.State, row.Detail = Plain(row.State), Plain(row.Detail)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	now := time.Now()
	at := b.find(row.Name)
	if at < 0 {
		at = b.place(row.Name)
		b.rows = slices.Insert(b.rows, at, boardRow{Row: Row{Started: now, End: -1}})
	}
	before := b.rows[at]
	if row.Started.IsZero() {
		row.Started = before.Started
	}
	next := boardRow{Row: row, ended: now, wide: max(before.wide, columnsOf(row.State))}
	if row.End != Running && before.End == row.End {
		next.ended = before.ended
	}
	b.rows[at] = next
	b.changed = true
	if row.State == before.State && row.End == before.End {
		return // the next tick shows what counts up
	}
	if b.size == nil {
		fmt.Fprintln(b.w, next.plain())
		return
	}
	b.draw()
}

func (b *Board) find(name string) int {
	for i := range b.rows {
		if b.rows[i].Name == name {
			return i
		}
	}
	return -1
}

// Order says in which order rows of these names are shown, whichever comes
// first. It is called before any Set.
func (b *Board) Order(names ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.order = map[string]int{}
	for i, name := range names {
		b.order[name] = i + 1
	}
}

// place is where a row of that name comes. Those without an order are last.
func (b *Board) place(name string) int {
	if at := b.order[name]; at > 0 {
		for i := range b.rows {
			if other := b.order[b.rows[i].Name]; other == 0 || other > at {
				return i
			}
		}
	}
	return len(b.rows)
}

// Print writes a line above the board.
func (b *Board) Print(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.size == nil || b.closed {
		fmt.Fprintln(b.w, Plain(line))
		return
	}
	b.draw(Plain(line))
}

// Close leaves the rows as they are now on the terminal, and waits until
// nothing more is written.
func (b *Board) Close() {
	b.mu.Lock()
	if b.closed || b.size == nil {
		b.closed = true
		b.mu.Unlock()
		return
	}
	b.closed = true
	// all of them, even if they are more than the screen has: nothing is
	// drawn over any more
	width, _ := b.size()
	b.draw(b.look.lines(b.rows, width-1, len(b.rows), time.Now())...)
	b.mu.Unlock()
	close(b.stop)
	<-b.stopped
}

// draw writes lines above the board, and the board over itself. It is one
// write, so that no half of it is seen.
func (b *Board) draw(above ...string) {
	width, height := b.size()
	var board []string
	if !b.closed {
		// the last column stays free, since terminals differ in what they do
		// after it, and the last line is the cursor's
		board = b.look.lines(b.rows, width-1, height-1, time.Now())
	}
	var out strings.Builder
	out.WriteByte('\r')
	if b.drawn > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", min(b.drawn, height-1))
	}
	for _, line := range append(above, board...) {
		out.WriteString(line + "\x1b[K\n")
	}
	out.WriteString("\x1b[J")
	_, _ = io.WriteString(b.w, out.String())
	b.drawn, b.changed = len(board), false
}
