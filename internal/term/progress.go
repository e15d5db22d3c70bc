// Package term is what a person sees on a terminal: progress while something
// runs. What runs tells facts; how they look is decided here.
package term

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	xterm "golang.org/x/term"

	"github.com/anuket-project/xtci/internal/invisible"
)

// A Progress shows steps as they begin and end: on a terminal the running
// ones stand at the bottom and are replaced; elsewhere each end is a line.
type Progress struct {
	mu      sync.Mutex
	w       io.Writer
	width   func() int // columns of the terminal; nil when w is none
	running []string
	drawn   bool
}

// NewProgress returns a progress on w, live if w is a terminal.
func NewProgress(w io.Writer) *Progress {
	file, ok := w.(*os.File)
	if !ok || !xterm.IsTerminal(int(file.Fd())) || os.Getenv("TERM") == "dumb" {
		return &Progress{w: w}
	}
	return newLive(w, func() int { // asked each time: windows change their size
		width, _, err := xterm.GetSize(int(file.Fd()))
		if err != nil || width < 1 {
			return defaultWidth
		}
		return width
	})
}

const defaultWidth = 80

// newLive returns a progress on a terminal of that width.
func newLive(w io.Writer, width func() int) *Progress { return &Progress{w: w, width: width} }

// Begin says that a step began.
func (p *Progress) Begin(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = append(p.running, name)
	p.draw()
}

// End says how a step ended: a short word, and a detail or nothing.
func (p *Progress) End(name, word, detail string, done, total int, elapsed time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, running := range p.running {
		if running == name {
			p.running = append(p.running[:i], p.running[i+1:]...)
			break
		}
	}
	p.erase()
	line := fmt.Sprintf("[%*d/%d] %-7s %s", len(fmt.Sprint(total)), done, total, word, name)
	if elapsed >= time.Second {
		line += " " + elapsed.Round(time.Second).String()
	}
	if detail != "" {
		line += ": " + detail
	}
	fmt.Fprintln(p.w, Plain(line))
	p.draw()
}

// Close removes what stands at the bottom.
func (p *Progress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}

// draw writes the running steps as one line without an end, which must not
// wrap: what wrapped could not be erased.
func (p *Progress) draw() {
	if p.width == nil || len(p.running) == 0 {
		return
	}
	p.erase()
	fmt.Fprint(p.w, fit(p.running, p.width()-1))
	p.drawn = true
}

// fit is a line of at most width columns on what runs: as many names as there
// is room for, and how many more.
func fit(running []string, width int) string {
	line := "running:"
	if len(running) > 1 {
		line = fmt.Sprintf("running %d:", len(running))
	}
	for i, name := range running {
		next, more := line+" "+Plain(name), ""
		if i > 0 {
			next = line + ", " + Plain(name)
		}
		if left := len(running) - i - 1; left > 0 {
			more = fmt.Sprintf(" and %d more", left)
		}
		if utf8.RuneCountInString(next+more) > width {
			line = fmt.Sprintf("%s and %d more", line, len(running)-i)
			if i == 0 {
				line = fmt.Sprintf("running %d", len(running))
			}
			break
		}
		line = next
	}
	if short := []rune(line); len(short) > width {
		return string(short[:max(width, 0)])
	}
	return line
}

func (p *Progress) erase() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = false
	}
}

// Plain makes a text from outside safe to print: one line, and no control
// characters, which could rewrite the screen, nor those that turn the
// direction of text, which make it look like another.
func Plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case invisible.Is(r):
			return utf8.RuneError
		}
		return r
	}, text)
}

// Escape makes a JSON text safe to print: what nobody sees is written as JSON
// escapes it. It means the same.
func Escape(text string) string {
	var out strings.Builder
	for _, r := range text {
		if r == '\n' || !invisible.Is(r) {
			out.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&out, "\\u%04x", unit)
		}
	}
	return out.String()
}

// PlainLines is Plain for a text of several lines.
func PlainLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = Plain(line)
	}
	return strings.Join(lines, "\n")
}
