package jenkins

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

const (
	// defaultTail is how many lines of a console are a reason.
	defaultTail = 10
	// tailBytes is how much of a console's end is kept to find them in.
	tailBytes = 64 << 10
	// maxConsole is how much of a console is read for its end.
	maxConsole = 256 << 20
	// maxLine is how much of a line is quoted.
	maxLine = 400
)

// A LogPart is what a console has had since it was last asked for.
type LogPart struct {
	Text string
	// Next is where the next part starts. It is a count of bytes that differs
	// from the length of Text: hidden notes are in it.
	Next int64
	// More says that the build has not ended.
	More bool
}

// Log returns a part of a build's console. Start is the Next of the part
// before, or 0.
func (c *Client) Log(ctx context.Context, b Build, start int64) (LogPart, error) {
	a, err := c.requester.send(ctx, call{
		method: http.MethodGet, path: b.path() + "/logText/progressiveText", query: url.Values{"start": {strconv.FormatInt(start, 10)}},
	})
	if err != nil {
		return LogPart{}, fmt.Errorf("read the console of %s: %w", b, err)
	}
	next, err := strconv.ParseInt(a.header.Get("X-Text-Size"), 10, 64)
	if err != nil {
		return LogPart{}, fmt.Errorf("read the console of %s: its size is %.40q", b, a.header.Get("X-Text-Size"))
	}
	part := LogPart{Text: strings.ReplaceAll(string(a.body), "\r\n", "\n"), Next: next, More: a.header.Get("X-More-Data") == "true"}
	if next < start { // beyond its end Jenkins sends all of it again: it is another console
		return part, fmt.Errorf("read the console of %s: %w: it is shorter than it was", b, ErrGone)
	}
	if next == start {
		part.Text = ""
	}
	return part, nil
}

// Tail returns the last lines of a build's console. However long it is, little
// of it is kept.
func (c *Client) Tail(ctx context.Context, b Build, lines int) ([]string, error) {
	var end tail
	_, err := c.requester.send(ctx, call{
		method: http.MethodGet, path: b.path() + "/consoleText",
		sink: func(body io.Reader) error {
			end = tail{}
			_, err := io.Copy(&end, bufio.NewReader(io.LimitReader(body, maxConsole)))
			return err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("read the console of %s: %w", b, err)
	}
	return lastLines(string(end.bytes), lines, func(string) bool { return true }), nil
}

// A tail keeps the last bytes that were written to it.
type tail struct{ bytes []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.bytes = append(t.bytes, p...)
	if len(t.bytes) > 2*tailBytes {
		t.bytes = append([]byte(nil), t.bytes[len(t.bytes)-tailBytes:]...)
	}
	return len(p), nil
}

// reason returns why a build failed: the end of its console without what
// Jenkins says of every build that fails. If it cannot be had, it says so.
func (c *Client) reason(ctx context.Context, b Build, lines int) []string {
	end, err := c.Tail(ctx, b, 10*lines)
	switch {
	case errors.Is(err, context.Canceled):
		return nil
	case err != nil:
		return []string{"(" + err.Error() + ")"}
	}
	if said := lastLines(strings.Join(end, "\n"), lines, tells); len(said) > 0 {
		return said
	}
	return lastLines(strings.Join(end, "\n"), lines, func(string) bool { return true })
}

var (
	// escapes are those that colour terminals, and Jenkins's hidden notes.
	escapes = regexp.MustCompile("\x1b\\[8mha:[^\x1b]*\x1b\\[0m|\x1b\\[[0-9;?]*[A-Za-z]")
	// routine is what Jenkins writes into consoles whatever happens.
	routine = regexp.MustCompile(`^(Finished: [A-Z_]+|Build step '.*' marked build as failure|Running as SYSTEM|\[EnvInject\] - .*|Started by .*|originally caused by:|Sending e-?mails? to: .*|Email was triggered for: .*|No emails were triggered\.|Notifying upstream projects of job completion|java\.lang\.NullPointerException: .*"killCondition" is null.*)$`)
)

func tells(line string) bool { return !routine.MatchString(strings.TrimSpace(line)) }

// lastLines returns the last lines of a text that are wanted and not empty.
func lastLines(text string, n int, wanted func(string) bool) []string {
	var lines []string
	for line := range strings.SplitSeq(escapes.ReplaceAllString(text, ""), "\n") {
		line = strings.TrimRight(strings.ToValidUTF8(line, "�"), " \t\r")
		if at := strings.LastIndexByte(line, '\r'); at >= 0 { // a progress bar: its last state
			line = line[at+1:]
		}
		if line == "" || !wanted(line) {
			continue
		}
		if len(line) > maxLine {
			line = strings.ToValidUTF8(line[:maxLine], "") + "…"
		}
		lines = append(lines, line)
	}
	return lines[max(0, len(lines)-n):]
}
