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

	xterm "golang.org/x/term"
)

// A Progress shows steps as they begin and end: on a terminal the running
// ones stand at the bottom and are replaced; elsewhere each end is a line.
type Progress struct {
	mu      sync.Mutex
	w       io.Writer
	live    bool
	width   int
	running []string
	drawn   bool
}

// NewProgress returns a progress on w, live if w is a terminal.
func NewProgress(w io.Writer) *Progress {
	p := &Progress{w: w}
	if file, ok := w.(*os.File); ok && xterm.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb" {
		p.live = true
		if width, _, err := xterm.GetSize(int(file.Fd())); err == nil {
			p.width = width
		}
	}
	return p
}

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

// draw writes the running steps as one line without an end.
func (p *Progress) draw() {
	if !p.live || len(p.running) == 0 {
		return
	}
	p.erase()
	line := "running: " + Plain(strings.Join(p.running, ", "))
	if p.width > 1 && len(line) >= p.width {
		line = line[:p.width-1]
	}
	fmt.Fprint(p.w, line)
	p.drawn = true
}

func (p *Progress) erase() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = false
	}
}

// Plain makes a text from outside safe to print: one line, and no control
// characters, which could rewrite the screen.
func Plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
			return '\uFFFD'
		}
		return r
	}, text)
}
