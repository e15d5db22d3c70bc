package testdb_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// An exchange is a request and the answer that was recorded of it.
type exchange struct {
	// name is the file's number, the title, and which of that title it is if
	// not the first: "10 read back (2)".
	name string

	method, target string
	header         http.Header // of the request
	body           string

	status   int
	answered http.Header
	text     string
	// count, pagination and versions are what a shortened answer keeps.
	short      bool
	count      int
	keys       string
	pagination string
	versions   string
}

// readTranscript reads a file of exchanges: "### title", request lines that
// start with ">", the answer as it was on the wire, or shortened.
func readTranscript(t *testing.T, file string) []exchange {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "transcripts", file))
	if err != nil {
		t.Fatal(err)
	}
	var exchanges []exchange
	seen := map[string]int{}
	for _, block := range strings.Split("\n"+string(raw), "\n### ")[1:] {
		title, rest, _ := strings.Cut(block, "\n")
		e, err := readExchange(rest)
		if err != nil {
			t.Fatalf("%s: %s: %v", file, title, err)
		}
		e.name = file[:2] + " " + title
		if seen[title]++; seen[title] > 1 {
			e.name += fmt.Sprintf(" (%d)", seen[title])
		}
		exchanges = append(exchanges, e)
	}
	if len(exchanges) == 0 {
		t.Fatalf("%s has no exchanges", file)
	}
	return exchanges
}

func readExchange(block string) (e exchange, err error) {
	e.header, e.answered = http.Header{}, http.Header{}
	lines := strings.Split(strings.TrimRight(block, "\n"), "\n")
	for len(lines) > 0 && strings.HasPrefix(lines[0], "> ") {
		if err := e.readRequestLine(lines[0][2:]); err != nil {
			return e, err
		}
		lines = lines[1:]
	}
	if len(lines) == 0 {
		return e, fmt.Errorf("no answer")
	}
	status := strings.Fields(lines[0])
	if len(status) < 2 || status[0] != "HTTP/1.1" {
		return e, fmt.Errorf("no status line: %q", lines[0])
	}
	if e.status, err = strconv.Atoi(status[1]); err != nil {
		return e, err
	}
	return e, e.readAnswer(lines[1:])
}

func (e *exchange) readRequestLine(line string) error {
	switch {
	case strings.HasPrefix(line, "body: "):
		e.body = line[len("body: "):]
		if e.header.Get("Content-Type") == "" {
			e.header.Set("Content-Type", "application/json")
		}
	case line == "curl args: NOCT":
		e.header.Del("Content-Type")
	case line == "curl args: -I":
	case strings.HasPrefix(line, "curl args: -H "):
		for field := range strings.SplitSeq(line[len("curl args: -H "):], " -H ") {
			key, value, _ := strings.Cut(field, ": ")
			e.header.Set(key, value)
		}
	default:
		method, target, ok := strings.Cut(line, " /")
		if !ok || e.method != "" {
			return fmt.Errorf("cannot read the line %q of a request", line)
		}
		e.method, e.target = method, "/"+target
	}
	return nil
}

var (
	headerLine = regexp.MustCompile(`^[A-Za-z-]+: `)
	countLine  = regexp.MustCompile(`^count=(\d+) keys=(\[.*?\]) pagination=(.*)$`)
)

func (e *exchange) readAnswer(lines []string) (err error) {
	if len(lines) == 2 {
		if m := countLine.FindStringSubmatch(lines[0]); m != nil {
			e.short = true
			e.keys, e.pagination = m[2], m[3]
			e.versions = strings.TrimPrefix(lines[1], "version, in order: ")
			e.count, err = strconv.Atoi(m[1])
			return err
		}
	}
	for len(lines) > 0 && headerLine.MatchString(lines[0]) {
		key, value, _ := strings.Cut(lines[0], ": ")
		e.answered.Set(key, value)
		lines = lines[1:]
	}
	if len(lines) > 0 && lines[0] == "" {
		lines = lines[1:]
	}
	e.text = strings.Join(lines, "\n")
	if length := e.answered.Get("Content-Length"); length == strconv.Itoa(len(e.text)+1) {
		e.text += "\n"
	}
	return nil
}

// A wireExchange is a request, byte for byte, and what came back.
type wireExchange struct{ request, answer string }

// readWire reads a recording of a connection: ">>>>" and what was sent,
// "<<<<" and what was received, all as it was.
func readWire(t *testing.T, file string) []wireExchange {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "transcripts", file))
	if err != nil {
		t.Fatal(err)
	}
	var exchanges []wireExchange
	for _, block := range strings.Split("\n"+string(raw), "\n>>>>\n")[1:] {
		request, answer, ok := strings.Cut(block, "\n<<<<\n")
		if !ok {
			t.Fatalf("%s: a request without an answer", file)
		}
		exchanges = append(exchanges, wireExchange{wholeMessage(t, request), wholeMessage(t, answer)})
	}
	if len(exchanges) == 0 {
		t.Fatalf("%s has no exchanges", file)
	}
	return exchanges
}

var contentLength = regexp.MustCompile(`(?m)^Content-Length: (\d+)\r$`)

// wholeMessage cuts off what the recording has behind a message. Where paths
// in a body were shortened after the recording, its length is put right.
func wholeMessage(t *testing.T, recorded string) string {
	t.Helper()
	head, body, ok := strings.Cut(recorded, "\r\n\r\n")
	if !ok {
		t.Fatalf("a message without an end of its head: %.100s", recorded)
	}
	length := 0
	if m := contentLength.FindStringSubmatch(head + "\r\n"); m != nil {
		var err error
		if length, err = strconv.Atoi(m[1]); err != nil {
			t.Fatal(err)
		}
	}
	if len(body) < length {
		length = len(body)
		head = contentLength.ReplaceAllString(head+"\r\n", fmt.Sprintf("Content-Length: %d\r", length))
		head = strings.TrimSuffix(head, "\r\n")
	}
	return head + "\r\n\r\n" + body[:length]
}
