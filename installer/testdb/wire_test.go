package testdb_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/installer/testdb"
)

// replayWire sends what the real client sent, byte for byte, on one
// connection, and compares what comes back. Two answers differ: FerretDB
// refused the eighth case's dotted keys, so that the list lacked it.
func replayWire(t *testing.T, store testdb.Store) {
	r := newReplay(t, store)
	r.register(t, "xtesting", "xtesting", "first", "second", "third", "fourth", "fifth", "sixth", "eighth")
	connection, err := net.Dial("tcp", strings.TrimPrefix(r.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	received := bufio.NewReader(connection)
	exchanges := readWire(t, "22-db-wire-x094.txt")
	for n, e := range exchanges {
		if _, err := io.WriteString(connection, e.request); err != nil {
			t.Fatal(err)
		}
		head, body := readAnswer(t, received)
		wantHead, wantBody, _ := strings.Cut(e.answer, "\r\n\r\n")
		switch n {
		case len(exchanges) - 2: // the dotted keys
			wantHead = strings.Replace(wantHead, "500 Internal Server Error", "200 OK", 1)
			if !strings.HasPrefix(body, `{"href": "http://127.0.0.1:18100/api/v1/results/`) {
				t.Errorf("the result with dotted keys: %s", body)
			}
		case len(exchanges) - 1: // the list, which has that result
			compareList(t, r, wantBody, body)
		default:
			compareHead(t, wantHead, head)
			r.compareJSON(t, exchange{name: fmt.Sprintf("22, %d", n+1), text: wantBody}, body, false)
		}
		if status, want := firstLine(head), firstLine(wantHead); status != want {
			t.Errorf("exchange %d: %s, want %s\n%s", n+1, status, want, body)
		}
	}
}

func firstLine(head string) string {
	line, _, _ := strings.Cut(head, "\r\n")
	return line
}

// readAnswer reads one answer off a connection.
func readAnswer(t *testing.T, r *bufio.Reader) (head, body string) {
	t.Helper()
	length := -1
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("read an answer: %v", err)
		}
		if line == "\r\n" {
			break
		}
		if value, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				t.Fatal(err)
			}
		}
		head += line
	}
	if length < 0 {
		t.Fatalf("an answer without a length:\n%s", head)
	}
	read := make([]byte, length)
	if _, err := io.ReadFull(r, read); err != nil {
		t.Fatalf("read a body: %v", err)
	}
	return head, string(read)
}

// compareHead wants the lines that matter as they were recorded.
func compareHead(t *testing.T, want, got string) {
	t.Helper()
	for line := range strings.SplitSeq(want, "\r\n") {
		if strings.HasPrefix(line, "Date: ") || strings.HasPrefix(line, "Server: ") {
			continue
		}
		if !strings.Contains(got, line+"\r\n") {
			t.Errorf("the answer lacks the line %q:\n%s", line, got)
		}
	}
}

// compareList compares the recorded list with ours without its first result.
func compareList(t *testing.T, r *replay, want, got string) {
	t.Helper()
	wantValue, gotValue := decode(t, "22 list", want), decode(t, "22 list", got)
	list := gotValue.(map[string]any)
	results := list["results"].([]any)
	first := results[0].(map[string]any)
	ok, _ := first["details"].(map[string]any)["ok"].(map[string]any)
	if first["case_name"] != "eighth" || fmt.Sprint(ok["127.0.0.1"]) != "2" {
		t.Errorf("the newest result is not the eighth case with its dotted keys: %v", first)
	}
	list["results"] = results[1:]
	if diff := cmp.Diff(r.translate(wantValue, gotValue), gotValue); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
}

// register makes a pod, a project and cases known, as a deployment does.
func (r *replay) register(t *testing.T, pod, project string, cases ...string) {
	t.Helper()
	create := func(path, name string) {
		t.Helper()
		body := fmt.Sprintf(`{"name": %q}`, name)
		header := http.Header{"Content-Type": {"application/json"}}
		if status, text, _ := r.send(t, exchange{method: "POST", target: path, body: body, header: header}); status != 200 {
			t.Fatalf("POST %s %s: %d %s", path, body, status, text)
		}
	}
	create("/api/v1/pods", pod)
	create("/api/v1/projects", project)
	for _, name := range cases {
		create("/api/v1/projects/"+project+"/cases", name)
	}
}
