package web

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/installer/testdb"
)

func TestSearch(t *testing.T) {
	t.Parallel()
	s := sample(t)
	h := handler(t, s, Options{})
	for query, want := range map[string]string{
		"":                      "73 results",
		"case=sig_network":      "3 results",
		"case=%20sig_network+":  "3 results",
		"case=sig_net":          "Nothing found",
		"case=&build_tag=&pod=": "73 results",
		"build_tag=running":     "21 results",
		"build_tag=daily-v1.23-functest-12&criteria=FAIL":    "1 result",
		"pod=functest-kubernetes&case=k8s_vims":              "2 results",
		"from=2026-11-23":                                    "23 results",
		"from=2026-11-22+01:00:00&to=2026-11-22+01:00:01":    "1 result",
		"to=2026-11-20":                                      "Nothing found",
		"from=2026-11-23T12:00&to=2026-11-23T12:01":          "1 result",
		"build_tag=running&from=2026-11-23&to=2026-11-23+18": "Please correct:",
	} {
		page := get(t, h, "/search?"+query).Body.String()
		if got := strip(page); !strings.Contains(got, " "+want+" ") {
			_, found, _ := strings.Cut(got, "Start again")
			t.Errorf("%s: want %q, got %.60s", query, want, found)
		}
	}
}

// The newest result is the first, and pages keep the question.
func TestSearchPages(t *testing.T) {
	t.Parallel()
	s := newMemStore()
	var want []string
	for range 45 {
		want = append(s.push(t, posted{"case_name": "a&b", "build_tag": "x"}), want...)
		s.push(t, posted{"case_name": "other", "build_tag": "x"})
	}
	h := handler(t, s, Options{})
	address, got := "/search?case=a%26b&build_tag=x&pod=", []string(nil)
	for page := 1; address != ""; page++ {
		body := get(t, h, address).Body.String()
		for _, match := range regexp.MustCompile(`href="/results/([0-9a-f]+)"`).FindAllStringSubmatch(body, -1) {
			got = append(got, match[1])
		}
		address = ""
		if next := regexp.MustCompile(`href="([^"]*)" rel="next"`).FindStringSubmatch(body); next != nil {
			address = html.UnescapeString(next[1])
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results of all pages (-want +got):\n%s", diff)
	}
}

func TestStartDate(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "2026-11-23": "2026-11-23", "2026-11-23 18:30": "2026-11-23 18:30", "2026-11-23T18:30:05": "2026-11-23 18:30:05",
	} {
		if got, ok := startDate(in); got != want || !ok {
			t.Errorf("startDate(%q) = %q, %v", in, got, ok)
		}
	}
	for _, in := range []string{"yesterday", "2026-13-01", "2026-02-30", "2026-11-23 25:00", "2026-11-23 18", "23.11.2026", "2026-11-23Z", "2026-11-23\n"} {
		if got, ok := startDate(in); ok {
			t.Errorf("startDate(%q) = %q", in, got)
		}
	}
}

// Whatever is asked, the store gets a question that it can take, and the
// answer is a page with nothing in it that runs.
func FuzzSearch(f *testing.F) {
	f.Add("case=sig_network&build_tag=running&pod=p&criteria=PASS&from=2026-11-23&to=2026-11-24+18:30&page=2")
	f.Add(url.Values{"case": {hostile}, "pod": {hostile}, "from": {hostile}, "page": {hostile}}.Encode())
	f.Add("page=1&page=2&case=%ff&pod=%00&;&%zz")
	s := sample(f)
	h := handler(f, s, Options{})
	f.Fuzz(func(t *testing.T, query string) {
		s.asked = nil
		r := httptest.NewRequest(http.MethodGet, "/search", nil)
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest && w.Code != http.StatusNotFound {
			t.Errorf("status %d", w.Code)
		}
		checkInert(t, query, w.Body.String())
		for _, q := range s.asked {
			checkQuery(t, q)
		}
	})
}

func checkQuery(t *testing.T, q testdb.Query) {
	t.Helper()
	if q.Limit != perPage || q.Offset < 0 || !q.Newest {
		t.Errorf("limit %d, offset %d, newest %v", q.Limit, q.Offset, q.Newest)
	}
	for _, filter := range q.Filters {
		if filter.Value == "" || !searchable(filter.Value) {
			t.Errorf("a condition of %q", filter.Value)
		}
	}
	for _, bound := range []*string{q.From, q.To} {
		if bound != nil && !dateForm.MatchString(*bound) {
			t.Errorf("a bound of %q", *bound)
		}
	}
}
