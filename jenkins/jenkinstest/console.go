package jenkinstest

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// maxConsole is how much of a build's console is kept.
const maxConsole = 16 << 20

// A console is the log of a build: its raw bytes, with hidden notes in them.
type console struct {
	mu   sync.Mutex
	raw  []byte
	done bool
}

// Write adds what a process prints. After the end nothing is added any more.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.done && len(c.raw)+len(p) <= maxConsole {
		c.raw = append(c.raw, p...)
	}
	return len(p), nil
}

func (c *console) printf(format string, args ...any) { fmt.Fprintf(c, format, args...) }

// finish says that nothing will be added.
func (c *console) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done = true
}

// A hidden note stands before what it is about, such as a link. It is in the
// raw bytes, which are counted, and not in what is sent.
var hiddenNote = regexp.MustCompile("\x1b\\[8mha:[A-Za-z0-9+/=]*\x1b\\[0m")

// userNote stands before the name of who started a build.
func userNote() string { return "\x1b[8mha:" + strings.Repeat("AB4/", 64) + "==\x1b[0m" }

// text returns the log as it is read by people, with LF.
func (c *console) text() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return hiddenNote.ReplaceAll(c.raw, nil)
}

// progressive returns what comes after start raw bytes, with CRLF, where the
// next part starts, and whether more may come. A start beyond the end is 0.
func (c *console) progressive(start int64) (text []byte, next int64, more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := int64(len(c.raw))
	if start < 0 || start > size {
		start = 0
	}
	text = hiddenNote.ReplaceAll(c.raw[start:], nil)
	text = bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	return text, size, !c.done
}
