package testdb_test

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/installer/testdb"
)

// A difference is an exchange that our server answers otherwise than the old
// one, on purpose. docs/testdb.md tells users.
type difference struct {
	// exchange names it as exchange.name does.
	exchange, reason string
	// status is ours.
	status int
	// message is ours, if it is refused.
	message string
	// edit are texts of the recorded answer and what stands there in ours.
	edit []string
	// text is our whole answer; "*" is any id or date in it.
	text string
	// undo is a path to delete, for what follows to be as it was recorded.
	undo string
}

const (
	noLiterals = "text that reads as a Python literal stays text"
	exactNames = "names are compared exactly, not as regular expressions"
	badRequest = "what a client does wrong is 400, not 500"
	whereWrong = "the message says what is wrong"
	noPortal   = "there is no AngularJS portal, and no login of the Linux Foundation"
	anyDetails = "any JSON is stored"
)

// differences are all there are.
func differences() []difference {
	return []difference{
		{exchange: "01 auth signin", reason: noPortal, status: 404, message: "Not Found"},
		{exchange: "01 auth signout", reason: noPortal, status: 404, message: "Not Found"},
		{exchange: "01 UI config", reason: noPortal, status: 404, message: "Not Found"},

		{exchange: "02 create, body not JSON", reason: whereWrong, status: 400, message: "Bad Format [No JSON object could be decoded: unexpected end of JSON input]"},
		{exchange: "02 create, body is a list", reason: badRequest, status: 400, message: "Bad Format [the body must be a JSON object]"},
		{exchange: "02 create, body is a non-empty list", reason: badRequest, status: 400, message: "Bad Format [the body must be a JSON object]"},
		{exchange: "02 duplicate, other case", reason: exactNames, status: 200, text: `{"href": "http://127.0.0.1:18000/api/v1/pods/FUNCTEST-kubernetes"}`, undo: "/api/v1/pods/FUNCTEST-kubernetes"},
		{exchange: `02 a word of an existing name (regex \b...\b)`, reason: exactNames, status: 200, text: `{"href": "http://127.0.0.1:18000/api/v1/pods/functest"}`, undo: "/api/v1/pods/functest"},
		{exchange: "02 name with a regex metacharacter", reason: exactNames, status: 200, text: `{"href": "http://127.0.0.1:18000/api/v1/pods/a%28b"}`, undo: "/api/v1/pods/a%28b"},
		{exchange: "02 non-ASCII name", reason: "names may hold any character", status: 200, text: `{"href": "http://127.0.0.1:18000/api/v1/pods/caf%C3%A9"}`, undo: "/api/v1/pods/caf%C3%A9"},
		{exchange: "02 list", reason: noLiterals + "; a name that is a number is its text", status: 200, edit: []string{`"name": 12`, `"name": "12"`}},
		{exchange: "02 list, other query args are ignored", reason: noLiterals + "; a name that is a number is its text", status: 200, edit: []string{`"name": 12`, `"name": "12"`}},
		{exchange: "02 list by name is an unanchored case-insensitive regex", reason: exactNames, status: 200, text: `{"pods": []}`},
		{exchange: "02 list by name, bad regex", reason: exactNames, status: 200, text: `{"pods": []}`},

		{exchange: "03 list by name (regex)", reason: exactNames, status: 200, text: `{"projects": []}`},
		{exchange: "03 update, unknown field", reason: badRequest, status: 400, message: "Bad Format [u'foo' is no field of projects]"},

		{exchange: "04 list", reason: noLiterals, status: 200, edit: []string{`"criteria": 100`, `"criteria": "100"`}},
		{exchange: "04 list by name", reason: exactNames, status: 200, text: `{"testcases": []}`},
		{exchange: "04 rename", reason: noLiterals, status: 200, edit: []string{`"criteria": 90`, `"criteria": "90"`}},

		{exchange: "05 criteria missing", reason: badRequest, status: 400, message: "criteria must be in ['PASS', 'FAIL']"},
		{exchange: "05 criteria null", reason: badRequest, status: 400, message: "criteria must be in ['PASS', 'FAIL']"},
		{exchange: "05 criteria a number", reason: badRequest, status: 400, message: "criteria must be in ['PASS', 'FAIL']"},
		{exchange: "05 read back lit", reason: noLiterals, status: 200, edit: []string{`"scenario": 7`, `"scenario": "007"`, `"version": 1.1`, `"version": "1.10"`, `"details": {"a": 1}`, `"details": "{'a': 1}"`}},
		{exchange: "05 get one, id that is not an ObjectId", reason: "a bad id is 404", status: 404, message: "Could Not Found results [{'_id': u'abc'}]"},

		{exchange: "06 numeric version", reason: noLiterals + " and is found again", status: 200, edit: []string{"", "1.10"}},

		{exchange: "07 criteria missing", reason: badRequest, status: 400, message: "criteria must be in ['PASS', 'FAIL']"},
		{exchange: "07 get one, bad id", reason: "a bad id is 404", status: 404, message: "Could Not Found deployresults [{'_id': u'abc'}]"},

		{exchange: "10 read back", reason: noLiterals, status: 200, edit: []string{`"details": 12`, `"details": "12"`}},
		{exchange: "10 read back (2)", reason: noLiterals, status: 200, edit: []string{`"details": 1.1`, `"details": "1.10"`}},
		{exchange: "10 read back (3)", reason: noLiterals, status: 200, edit: []string{`"details": true`, `"details": "True"`}},
		{exchange: "10 read back (5)", reason: noLiterals, status: 200, edit: []string{`"details": [1, 2]`, `"details": "[1,2]"`}},
		{exchange: "10 read back (6)", reason: noLiterals, status: 200, edit: []string{`"(1, 2)"`, `"(1,2)"`}},
		{exchange: "10 read back (7)", reason: noLiterals, status: 200, edit: []string{`"details": {}`, `"details": "{}"`}},
		{exchange: "10 read back (8)", reason: noLiterals, status: 200, edit: []string{`"details": 16`, `"details": "0x10"`}},
		{exchange: "10 read back (11)", reason: noLiterals, status: 200, edit: []string{`"details": 1000.0`, `"details": "1e3"`}},
		{exchange: "10 read back (12)", reason: noLiterals, status: 200, edit: []string{`"details": 7`, `"details": "007"`}},
		{exchange: "10 read back (13)", reason: noLiterals, status: 200, edit: []string{`"q"`, `"'q'"`}},
		{exchange: "10 read back (14)", reason: "numbers of any size stay numbers", status: 200, edit: []string{`"12345678901234567890"`, `12345678901234567890`}},
		{exchange: "10 read back (15)", reason: "numbers of any size stay numbers", status: 200, edit: []string{`"5000000000"`, `5000000000`}},
		{exchange: `10 details = [null, "None", "3", ["4"], 5000000000]`, reason: anyDetails, status: 200, text: `{"href": "http://127.0.0.1:18000/api/v1/pods/lit"}`},
		{exchange: "10 read back (18)", reason: anyDetails, status: 200, text: `{"role": "", "name": "lit", "creator": "", "details": [null, "None", "3", ["4"], 5000000000], "mode": "", "_id": "*", "creation_date": "*"}`},
		{exchange: "10 get it back by name", reason: noLiterals + " and is found again", status: 200, text: `{"role": "", "name": "34", "creator": "", "details": "", "mode": "", "_id": "*", "creation_date": "*"}`},
		{exchange: "10 create it again", reason: noLiterals + " and is unique", status: 403, message: "pods [{'name': u'34'}] Already Exists"},
		{exchange: "10 list", reason: noLiterals + " and is found again", status: 200, text: `{"pods": [{"role": "", "name": "34", "creator": "", "details": "", "mode": "", "_id": "*", "creation_date": "*"}]}`},
	}
}

// recordedHost is the address of the server that was recorded.
const recordedHost = "127.0.0.1:18000"

// replayAll repeats every recorded exchange in order on one server and
// compares what it answers with what the old server did.
func replayAll(t *testing.T, store testdb.Store) {
	r := newReplay(t, store)
	for _, file := range []string{
		"01-versions-profile.txt", "02-pods.txt", "03-projects.txt", "04-cases.txt",
		"05-results-post.txt", "06-results-get.txt", "07-deployresults.txt", "10-literals.txt",
	} {
		if strings.HasPrefix(file, "06") {
			r.seed(t)
		}
		for _, e := range readTranscript(t, file) {
			r.replay(t, e)
		}
	}
	for _, d := range differences() {
		if !r.used[d.exchange] {
			t.Errorf("no exchange %q differs as the table says", d.exchange)
		}
	}
}

// A replay is a server and what it has in common with the recorded one.
type replay struct {
	base        string
	client      *http.Client
	now         *clock
	differences map[string]difference
	used        map[string]bool
	// ours are our ids by the recorded ones.
	ours map[string]string
}

func newReplay(t *testing.T, store testdb.Store) *replay {
	t.Helper()
	now := &clock{}
	now.set(time.Date(2026, 11, 23, 17, 55, 45, 0, time.UTC))
	server := testdb.NewServer(store, testdb.Options{Clock: now.read})
	r := &replay{
		base: "http://" + listen(t, server), client: &http.Client{CheckRedirect: noRedirect}, now: now,
		differences: map[string]difference{}, used: map[string]bool{}, ours: map[string]string{},
	}
	t.Cleanup(r.client.CloseIdleConnections)
	for _, d := range differences() {
		if _, twice := r.differences[d.exchange]; twice || d.reason == "" {
			t.Errorf("the difference %q is there twice or has no reason", d.exchange)
		}
		r.differences[d.exchange] = d
	}
	return r
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// listen serves on a port of its own until the test ends, and returns the
// address.
func listen(t *testing.T, server *testdb.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the server did not stop cleanly: %v", err)
		}
	})
	return l.Addr().String()
}

// seed stores what was stored before the lists were recorded: 45 results of
// one build tag, and one result for each kind of date of another.
func (r *replay) seed(t *testing.T) {
	t.Helper()
	post := func(format string, args ...any) {
		t.Helper()
		body := fmt.Sprintf(`{"pod_name": "functest-kubernetes", "project_name": "functest", "case_name": "k8s_smoke", `+format+`}`, args...)
		if status, text, _ := r.send(t, exchange{method: "POST", target: "/api/v1/results", body: body, header: http.Header{"Content-Type": {"application/json"}}}); status != 200 {
			t.Fatalf("POST %s: %d %s", body, status, text)
		}
	}
	for n := 1; n <= 45; n++ {
		post(`"criteria": "PASS", "build_tag": "seed", "version": "v%d", "installer": "unknown", "scenario": "os-nosdn-nofeature-noha", `+
			`"start_date": "2026-01-%02d 10:00:00", "stop_date": "2026-01-02 00:00:00", "details": {"k": "d%d"}`, n, n%28+1, n)
	}
	for _, date := range []struct{ version, start string }{
		{"now-1h", `"2026-11-23 16:55:55.000000"`},
		{"now-3d", `"2026-11-20 17:55:55.000000"`},
		{"now+3d", `"2026-11-26 17:55:55.000000"`},
		{"null", `null`},
		{"empty", `""`},
		{"none", `"None"`},
		{"day", `"2026-11-20"`},
	} {
		post(`"criteria": "FAIL", "build_tag": "dt", "version": "%s", "start_date": %s`, date.version, date.start)
	}
}

// replay repeats one exchange.
func (r *replay) replay(t *testing.T, e exchange) {
	t.Helper()
	if date, err := http.ParseTime(e.answered.Get("Date")); err == nil {
		r.now.set(date)
	}
	if strings.HasPrefix(e.body, `{"name": "lit"`) { // deleted each time, which was not recorded
		r.send(t, exchange{method: "DELETE", target: "/api/v1/pods/lit"})
	}
	d, differs := r.differences[e.name]
	want := e
	if differs {
		r.used[e.name] = true
		want = d.want(t, e)
		if want.status == e.status && want.text == e.text && want.versions == e.versions {
			t.Errorf("%s: the table names a difference that is none", e.name)
		}
	}
	status, text, header := r.send(t, e)
	if status != want.status {
		t.Errorf("%s\n%s %s %s\nstatus %d, want %d\n%s", e.name, e.method, e.target, e.body, status, want.status, text)
		return
	}
	r.compareHeaders(t, want, header, text)
	switch {
	case want.short:
		r.compareShort(t, want, text)
	case strings.HasPrefix(want.text, "{"):
		r.compareJSON(t, want, text, differs)
	default:
		if diff := cmp.Diff(want.text, text); diff != "" {
			t.Errorf("%s: body (-want +got):\n%s", e.name, diff)
		}
		r.acceptJSON(t, e, want)
	}
	if d.undo != "" {
		if status, text, _ := r.send(t, exchange{method: "DELETE", target: d.undo}); status != 200 {
			t.Errorf("DELETE %s: %d %s", d.undo, status, text)
		}
	}
}

// want is what our server answers.
func (d difference) want(t *testing.T, e exchange) exchange {
	t.Helper()
	e.status = d.status
	e.answered = http.Header{"Content-Type": {"application/json"}}
	if e.method == "GET" && d.status == 200 {
		e.answered.Set("Etag", "any")
	}
	switch {
	case d.message != "":
		e.text = fmt.Sprintf("<html><title>%[1]d: %[2]s</title><body>%[1]d: %[2]s</body></html>", d.status, d.message)
		e.answered.Set("Content-Type", "text/html; charset=UTF-8")
	case e.short:
		e.versions, e.count, e.pagination = "1.10", 1, `{"current_page": 1, "total_pages": 1}`
		if !slices.Equal(d.edit, []string{"", "1.10"}) {
			t.Fatalf("%s: the only shortened answer that differs finds one result", e.name)
		}
	case d.text != "":
		e.text = d.text
	default:
		for pair := range slices.Chunk(d.edit, 2) {
			if !strings.Contains(e.text, pair[0]) {
				t.Errorf("%s: the recorded answer has no %s", e.name, pair[0])
			}
			e.text = strings.ReplaceAll(e.text, pair[0], pair[1])
		}
	}
	return e
}

// send sends a request as it was recorded, with our ids in its path.
func (r *replay) send(t *testing.T, e exchange) (status int, text string, header http.Header) {
	t.Helper()
	target := e.target
	for recorded, ours := range r.ours {
		target = strings.ReplaceAll(target, recorded, ours)
	}
	request, err := http.NewRequestWithContext(t.Context(), e.method, r.base+target, strings.NewReader(e.body))
	if err != nil {
		t.Fatal(err)
	}
	request.Host = recordedHost
	for key, values := range e.header {
		if request.Header[key] = values; key == "Host" {
			request.Host = values[0]
		}
	}
	answer, err := r.client.Do(request)
	if err != nil {
		t.Fatalf("%s: %v", e.name, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("%s: %v", e.name, err)
	}
	return answer.StatusCode, string(body), answer.Header
}

// compareHeaders compares the headers that clients of an API see.
func (r *replay) compareHeaders(t *testing.T, want exchange, header http.Header, text string) {
	t.Helper()
	if want.answered.Get("Content-Type") == "" && want.status != 304 {
		return // it was not recorded
	}
	if got := header.Get("Content-Type"); got != want.answered.Get("Content-Type") {
		t.Errorf("%s: content type %q, want %q", want.name, got, want.answered.Get("Content-Type"))
	}
	wantTag := ""
	if want.answered.Get("Etag") != "" {
		sum := sha1.Sum([]byte(text))
		wantTag = `"` + hex.EncodeToString(sum[:]) + `"`
		if want.status == 304 || text == want.text && want.answered.Get("Etag") != "any" {
			wantTag = want.answered.Get("Etag")
		}
	}
	if got := header.Get("Etag"); got != wantTag {
		t.Errorf("%s: Etag %s, want %s", want.name, got, wantTag)
	}
	for key := range header {
		if strings.HasPrefix(key, "Access-Control-") {
			t.Errorf("%s: the header %s must not be there", want.name, key)
		}
	}
}

// compareJSON compares values, and how they are written by their length.
func (r *replay) compareJSON(t *testing.T, want exchange, text string, differs bool) {
	t.Helper()
	if !differs && len(text) != len(want.text) {
		t.Errorf("%s: %d bytes, want %d\n%s\n%s", want.name, len(text), len(want.text), text, want.text)
	}
	wantValue, gotValue := decode(t, want.name, want.text), decode(t, want.name, text)
	r.learn(wantValue, gotValue)
	if diff := cmp.Diff(r.translate(wantValue, gotValue), gotValue); diff != "" {
		t.Errorf("%s: answer (-want +got):\n%s", want.name, diff)
	}
}

func decode(t *testing.T, name, text string) (value any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%s: %v: %s", name, err, text)
	}
	return value
}

var (
	objectID = regexp.MustCompile(`\b[0-9a-f]{24}\b`)
	dateTime = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$`)
)

// learn notes which id of ours stands where an unknown one was recorded.
func (r *replay) learn(want, got any) {
	switch want := want.(type) {
	case map[string]any:
		got, _ := got.(map[string]any)
		for key := range want {
			r.learn(want[key], got[key])
		}
	case []any:
		got, _ := got.([]any)
		for i := range min(len(want), len(got)) {
			r.learn(want[i], got[i])
		}
	case string:
		got, _ := got.(string)
		recorded, ours := objectID.FindString(want), objectID.FindString(got)
		if recorded == "" || ours == "" || r.ours[recorded] != "" {
			return
		}
		for _, known := range r.ours {
			if known == ours {
				return
			}
		}
		r.ours[recorded] = ours
	}
}

// translate puts our ids, and our dates of creation, into a recorded value.
func (r *replay) translate(want, got any) any {
	switch want := want.(type) {
	case map[string]any:
		got, _ := got.(map[string]any)
		translated := map[string]any{}
		for key, value := range want {
			translated[key] = r.translate(value, got[key])
			if text, _ := got[key].(string); key == "creation_date" && dateTime.MatchString(text) {
				translated[key] = text
			}
			if text, _ := got[key].(string); key == "_id" && value == "*" && objectID.MatchString(text) {
				translated[key] = text
			}
		}
		return translated
	case []any:
		got, _ := got.([]any)
		translated := make([]any, len(want))
		for i, value := range want {
			var other any
			if i < len(got) {
				other = got[i]
			}
			translated[i] = r.translate(value, other)
		}
		return translated
	case string:
		if recorded := objectID.FindString(want); r.ours[recorded] != "" {
			return strings.Replace(want, recorded, r.ours[recorded], 1)
		}
	}
	return want
}

// compareShort compares what is left of a shortened answer.
func (r *replay) compareShort(t *testing.T, want exchange, text string) {
	t.Helper()
	var got struct {
		Pagination json.RawMessage
		Results    []struct{ Version *string }
	}
	keys := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &keys); err != nil {
		t.Fatal(err)
	}
	var names, versions []string
	for key := range keys {
		names = append(names, "'"+key+"'")
	}
	slices.Sort(names)
	for _, result := range got.Results {
		if result.Version != nil {
			versions = append(versions, *result.Version)
		}
	}
	if got.Pagination == nil {
		got.Pagination = json.RawMessage("null")
	}
	gotShort := fmt.Sprintf("%d [%s] %s %s", len(got.Results), strings.Join(names, ", "), got.Pagination, strings.Join(versions, " "))
	wantShort := fmt.Sprintf("%d %s %s %s", want.count, want.keys, want.pagination, want.versions)
	if diff := cmp.Diff(wantShort, gotShort); diff != "" {
		t.Errorf("%s: GET %s (-want +got):\n%s", want.name, want.target, diff)
	}
}

// acceptJSON repeats a refused request as a client that accepts JSON: the
// message must be the same.
func (r *replay) acceptJSON(t *testing.T, e, want exchange) {
	t.Helper()
	if want.status < 400 {
		return
	}
	e.header = e.header.Clone()
	e.header.Set("Accept", "application/json")
	status, text, header := r.send(t, e)
	if e.method == "HEAD" {
		return
	}
	_, message, _ := strings.Cut(strings.TrimSuffix(want.text, "</title>"), ": ")
	message, _, _ = strings.Cut(message, "</title>")
	value := map[string]any{"error": message, "code": json.Number(fmt.Sprint(want.status))}
	if diff := cmp.Diff(any(value), decode(t, e.name, text)); status != want.status || header.Get("Content-Type") != "application/json" || diff != "" {
		t.Errorf("%s: as JSON: %d %s (-want +got):\n%s", e.name, status, header.Get("Content-Type"), diff)
	}
}

// A clock is a time that a test sets.
type clock struct{ now atomic.Pointer[time.Time] }

func (c *clock) set(now time.Time) { c.now.Store(&now) }

func (c *clock) read() time.Time { return *c.now.Load() }
