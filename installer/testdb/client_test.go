package testdb_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/testcases"
)

func newClient(t *testing.T, base string, o testdb.ClientOptions) *testdb.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	o.Transport = transport
	client, err := testdb.NewClient(base+"/api/v1/results", o)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// TestClient pushes the results of a campaign to the server and reads them.
func TestClient(t *testing.T) {
	t.Parallel()
	server := testdb.NewServer(newMemStore(), testdb.Options{})
	client := newClient(t, "http://"+listen(t, server), testdb.ClientOptions{})
	for range 2 { // the second time changes nothing
		if err := client.Register(t.Context(), "pod", "a project/x", "first", "second"); err != nil {
			t.Fatal(err)
		}
	}
	start := "2026-11-23 18:07:39"
	var want []testcases.Record
	for n := range 45 {
		record := testcases.Record{
			BuildTag: "AB&12", CaseName: "first", Criteria: testcases.CriteriaPass, PodName: "pod", ProjectName: "a project/x",
			StartDate: &start, Details: json.RawMessage(fmt.Sprintf(`{"n": %d}`, n)),
		}
		id, err := client.Post(t.Context(), record)
		if err != nil {
			t.Fatal(err)
		}
		record.ID = id
		want = append(want, record)
	}
	got := collect(t, client, "AB&12")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if got := collect(t, client, "other"); got != nil {
		t.Errorf("results of another tag: %v", got)
	}
	for _, err := range client.Results(t.Context(), "AB&12") {
		if err != nil {
			t.Error(err)
		}
		break // and no harm is done
	}
	_, err := client.Post(t.Context(), testcases.Record{CaseName: "third", Criteria: "PASS", PodName: "pod", ProjectName: "a project/x"})
	if want := "push the result of third: POST /api/v1/results: 403 Forbidden: Could Not Found testcases [{'project_name': u'a project/x', 'name': u'third'}]"; err == nil || err.Error() != want {
		t.Errorf("error %v\nwant  %s", err, want)
	}
}

func collect(t *testing.T, client *testdb.Client, tag string) (records []testcases.Record) {
	t.Helper()
	for record, err := range client.Results(t.Context(), tag) {
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, record)
	}
	return records
}

func TestClientSendsItsTokenToWrite(t *testing.T) {
	t.Parallel()
	server, store := newServer(t, testdb.Options{Tokens: true})
	if err := store.AddToken(t.Context(), "lab", testdb.TokenHash("secret")); err != nil {
		t.Fatal(err)
	}
	base := "http://" + listen(t, server)
	record := testcases.Record{CaseName: "k8s_smoke", Criteria: "FAIL", PodName: "pod", ProjectName: "functest"}
	if _, err := newClient(t, base, testdb.ClientOptions{Token: "secret"}).Post(t.Context(), record); err != nil {
		t.Error(err)
	}
	_, err := newClient(t, base, testdb.ClientOptions{Token: "wrong-secret"}).Post(t.Context(), record)
	var refused *testdb.StatusError
	if !errors.As(err, &refused) || refused.Code != http.StatusForbidden || strings.Contains(err.Error(), "secret") {
		t.Errorf("with a wrong token: %v", err)
	}
}

// TestClientAgainstOddServers: no answer harms, and errors say what came.
func TestClientAgainstOddServers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		err     string
	}{
		{
			name: "the old server's errors",
			handler: func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusInternalServerError)
				fmt.Fprint(w, "<html>500</html>")
			},
			err: "GET /api/v1/results: 500 Internal Server Error: <html>500</html>",
		},
		{
			name:    "a login page",
			handler: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
			err:     `the answer "<html>" is not what a TestAPI sends`,
		},
		{
			name: "a redirect",
			handler: func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
			},
			err: "302 Found",
		},
		{
			name:    "an endless error",
			handler: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway); endless(w) },
			err:     "502 Bad Gateway: {\"x\":",
		},
		{
			name:    "an endless answer",
			handler: func(w http.ResponseWriter, _ *http.Request) { endless(w) },
			err:     "the answer is larger than 67108864 bytes",
		},
		{
			name: "a cut answer",
			handler: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "100")
				fmt.Fprint(w, `{"results": [`)
			},
			err: "read the answer: unexpected EOF",
		},
		{
			name: "a result that is none",
			handler: func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(w, `{"results": [{"_id": "0123456789abcdef01234567"}]}`)
			},
			err: `the result "0123456789abcdef01234567": project_name must be a text`,
		},
		{
			name:    "results that are none",
			handler: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"results": [3]}`) },
			err:     `the result "3" is no object`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(test.handler)
			defer server.Close()
			client := newClient(t, server.URL, testdb.ClientOptions{})
			for _, err := range client.Results(t.Context(), "secret-tag") {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %.200v\nwant  %s", err, test.err)
				}
				if err != nil && len(err.Error()) > 70<<10 {
					t.Errorf("an error of %d bytes", len(err.Error()))
				}
			}
		})
	}
}

func endless(w http.ResponseWriter) {
	part := []byte(`{"x":` + strings.Repeat(" ", 1<<16))
	for {
		if _, err := w.Write(part); err != nil {
			return
		}
	}
}

// TestClientReadsTheLiteralsOfTheOldServer: what it made numbers of is text
// again.
func TestClientReadsTheLiteralsOfTheOldServer(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"pagination": {"current_page": 1, "total_pages": 1}, "results": [{"project_name": "functest", "scenario": 7, `+
			`"stop_date": 12345, "case_name": "k8s_smoke", "build_tag": 34, "version": 1.1, "pod_name": 12, "criteria": "PASS", `+
			`"installer": null, "_id": "6b047e27e1a8195eb668bb00", "start_date": null, "details": {"a": 1}}]}`)
	}))
	defer server.Close()
	text := func(s string) *string { return &s }
	want := []testcases.Record{{
		ID: "6b047e27e1a8195eb668bb00", BuildTag: "34", CaseName: "k8s_smoke", Criteria: "PASS", Details: json.RawMessage(`{"a": 1}`),
		PodName: "12", ProjectName: "functest", Scenario: text("7"), StopDate: text("12345"), Version: text("1.1"),
	}}
	if diff := cmp.Diff(want, collect(t, newClient(t, server.URL, testdb.ClientOptions{}), "34")); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

func TestClientStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	client := newClient(t, server.URL, testdb.ClientOptions{})
	for _, err := range client.Results(ctx, "tag") {
		if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("error %v", err)
		}
	}
}

func TestNewClient(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"http://192.0.2.1:8000/api/v1/results":       "",
		"https://proxy.example/test/api/v1/results/": "",
		"http://u:secret@192.0.2.1/api/v1":           "the URL of the test DB is http://u:xxxxx@192.0.2.1/api/v1, want http://HOST:PORT/api/v1/results",
		"file:///tmp/results":                        "want http://HOST:PORT/api/v1/results",
		"http://u:secret@h:port/api/v1/results":      "the URL of the test DB: invalid port",
		"":                                           "want http://HOST:PORT/api/v1/results",
	} {
		_, err := testdb.NewClient(url, testdb.ClientOptions{})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: %v, want %s", url, err, want)
		}
	}
}
