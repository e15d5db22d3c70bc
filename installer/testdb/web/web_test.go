package web

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/internal/invisible"
)

var update = flag.Bool("update", false, "write the golden files anew")

func handler(t testing.TB, s testdb.Store, o Options) http.Handler {
	t.Helper()
	h, err := New(s, o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func get(t testing.TB, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func archives(tag string) string {
	if tag == hostile {
		return "javascript:window.ran=1"
	}
	return "http://192.0.2.10:8181/" + url.PathEscape(tag) + ".zip"
}

// everyPage are the addresses of all pages that a sample has.
func everyPage(t testing.TB, s *memStore) map[string]string {
	t.Helper()
	return map[string]string{
		"home":              "/",
		"campaign-pass":     "/campaigns/G2K7M0Q4ZX1P",
		"campaign-fail":     "/campaigns/daily-v1.23-functest-12",
		"campaign-running":  "/campaigns/running",
		"campaign-hostile":  campaignURL(hostile),
		"result":            resultURL(s.idOf(t, "sig_network", "FAIL")),
		"result-hostile":    resultURL(hostileID(t, s)),
		"search":            "/search?build_tag=daily-v1.23-functest-12&criteria=FAIL",
		"search-hostile":    "/search?" + url.Values{"case": {hostile}, "build_tag": {hostile}, "pod": {hostile}}.Encode(),
		"search-faults":     "/search?" + url.Values{"case": {strings.Repeat("x", 2000)}, "criteria": {"<script>"}, "from": {hostile}, "to": {"2026-02-30"}, "page": {"x"}}.Encode(),
		"search-nothing":    "/search?pod=none",
		"openapi":           "/openapi",
		"not-found":         "/nothing/here",
		"result-not-found":  "/results/6b0400000000000000ffffff",
		"campaign-notfound": "/campaigns/" + url.PathEscape(hostile+"?"),
		"bad-page":          "/?page=0",
	}
}

func (s *memStore) idOf(t testing.TB, name, criteria string) string {
	t.Helper()
	for _, d := range s.documents[testdb.Results] {
		if s.fields[d.Key]["case_name"] == name && s.fields[d.Key]["criteria"] == criteria {
			return d.ID
		}
	}
	t.Fatalf("the sample has no %s that is %s", name, criteria)
	return ""
}

func TestGolden(t *testing.T) {
	t.Parallel()
	s := sample(t)
	h := handler(t, s, Options{ArchiveURL: archives})
	for name, path := range everyPage(t, s) {
		got := regexp.MustCompile(`style\.css\?v=[0-9a-f]{16}`).ReplaceAll(get(t, h, path).Body.Bytes(), []byte("style.css?v=DIGEST"))
		file := filepath.Join("testdata", name+".html")
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s differs from %s (-want +got); go test -update writes it anew:\n%s", path, file, diff)
		}
	}
}

// No page may hold anything that runs, links elsewhere than the web, or hides.
func TestPagesHoldNothingThatRuns(t *testing.T) {
	t.Parallel()
	s := sample(t)
	h := handler(t, s, Options{ArchiveURL: archives})
	for name, path := range everyPage(t, s) {
		page := get(t, h, path).Body.String()
		checkInert(t, name, page)
		if strings.Contains(name, "hostile") && name != "campaign-notfound" && !strings.Contains(page, "⟨U+202E⟩") {
			t.Errorf("%s: the hostile text is not on the page", name)
		}
	}
}

func checkInert(t *testing.T, name, page string) {
	t.Helper()
	tags := regexp.MustCompile(`="[^"]*"`).ReplaceAllString(page, "=")
	for _, check := range []struct{ text, pattern string }{
		{page, `(?i)href="\s*(javascript|vbscript|file|data:[^,])|href="(//|\\)|ZgotmplZ`},
		{tags, `(?i)<(script|img|iframe|object|embed|base|style)\b`},
		{tags, `(?i)<[^>]*\s(style|src|on[a-z]+)=`},
	} {
		if found := regexp.MustCompile(check.pattern).FindString(check.text); found != "" {
			t.Errorf("%s: the page holds %q, which %s matches", name, found, check.pattern)
		}
	}
	for _, r := range page {
		if r != '\n' && r != '\t' && invisible.Is(r) {
			t.Errorf("%s: the page holds %U, which nobody sees", name, r)
			break
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	s := sample(t)
	h := handler(t, s, Options{})
	paths := everyPage(t, s)
	paths["style"], paths["document"] = "/style.css", "/openapi.json"
	for name, path := range paths {
		header := get(t, h, path).Header()
		for key, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":  "nosniff",
			"Referrer-Policy":         "no-referrer",
		} {
			if got := header.Get(key); got != want {
				t.Errorf("%s: %s is %q, want %q", name, key, got, want)
			}
		}
		if header.Get("Content-Type") == "" {
			t.Errorf("%s has no Content-Type", name)
		}
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	h := handler(t, sample(t), Options{})
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/", 200},
		{"HEAD", "/", 200},
		{"POST", "/", 405},
		{"DELETE", "/results/6b0400000000000000000001", 405},
		{"GET", "/?page=2", 404},
		{"GET", "/?page=0", 400},
		{"GET", "/?page=x", 400},
		{"GET", "/?page=99999999999999999999", 400},
		{"GET", "/campaigns/running", 200},
		{"GET", "/campaigns/Running", 404},
		{"GET", "/campaigns/", 404},
		{"GET", "/campaigns/" + strings.Repeat("x", 5000), 404},
		{"GET", "/campaigns/%00", 404},
		{"GET", "/campaigns/%ff", 404},
		{"GET", "/results/6b0400000000000000000001", 200},
		{"GET", "/results/6B0400000000000000000001", 404},
		{"GET", "/results/x", 404},
		{"GET", "/results/6b04000000000000000000ff", 404},
		{"GET", "/search", 200},
		{"GET", "/search?page=0", 400},
		{"GET", "/search?page=100", 404},
		{"GET", "/search?case=%ff", 400},
		{"GET", "/search?case=%00", 400},
		{"GET", "/search?criteria=SKIP", 400},
		{"GET", "/search?from=yesterday", 400},
		{"GET", "/search?from=2026-11-23T18:30&to=2026-11-24", 200},
		{"GET", "/search?unknown=1", 200},
		{"GET", "/openapi", 200},
		{"GET", "/openapi.json", 200},
		{"GET", "/style.css?v=1", 200},
		{"GET", "/nothing", 404},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, nil))
		if w.Code != tt.want {
			t.Errorf("%s %.60s: %d, want %d", tt.method, tt.path, w.Code, tt.want)
		}
		if tt.want >= 400 && !strings.Contains(w.Body.String(), `<a href="/search">`) {
			t.Errorf("%s %.60s: the page about the error does not lead on", tt.method, tt.path)
		}
	}
}

func TestStoreThatFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fail error
		want int
		text string
	}{
		{errors.New("secret of the disk"), 500, "could not read its store"},
		{fmt.Errorf("find: %w", context.DeadlineExceeded), 503, "took too long"},
	} {
		h := handler(t, &memStore{fail: tt.fail}, Options{})
		for _, path := range []string{"/", "/campaigns/x", "/results/6b0400000000000000000001", "/search"} {
			w := get(t, h, path)
			if w.Code != tt.want || !strings.Contains(w.Body.String(), tt.text) {
				t.Errorf("%s: %d, want %d and a page that says %q", path, w.Code, tt.want, tt.text)
			}
			if strings.Contains(w.Body.String(), "secret") {
				t.Errorf("%s: the page shows what is for the log", path)
			}
		}
	}
}

// strip returns the text of a page: no tags, white space folded.
func strip(page string) string {
	return strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, " ")), " ")
}

// row returns the text of the first row of a table that holds a text.
func row(t *testing.T, page, holds string) string {
	t.Helper()
	for _, row := range strings.Split(page, "<tr") {
		if strings.Contains(row, holds) && strings.Contains(row, "<td") {
			row, _, _ = strings.Cut("<tr"+row, "</tr>")
			return strip(row)
		}
	}
	t.Fatalf("no row holds %q", holds)
	return ""
}

func TestHome(t *testing.T) {
	t.Parallel()
	page := get(t, handler(t, sample(t), Options{ArchiveURL: archives}), "/").Body.String()
	for tag, want := range map[string]string{
		"G2K7M0Q4ZX1P": "G2K7M0Q4ZX1P ✓ All 22 recorded PASS 22 0 0 2026-11-20 18:03:27 2026-11-21 01:46:25 7 h 42 min 24 Archive of G2K7M0Q4ZX1P",
		// The later FAIL of sig_auth, in small letters, counts.
		"daily-v1.23-functest-12": "daily-v1.23-functest-12 ✗ Not all recorded PASS 20 2 0 2026-11-21 18:03:27 2026-11-22 01:46:25 7 h 42 min 25 Archive of daily-v1.23-functest-12",
		"running":                 "running ◐ Records missing 19 0 3 2026-11-23 18:03:27 2026-11-23 23:57:37 5 h 54 min 21 Archive of running",
	} {
		if diff := cmp.Diff(want, row(t, page, ">"+tag+"<")); diff != "" {
			t.Errorf("row of %s (-want +got):\n%s", tag, diff)
		}
	}
	if strings.Index(page, ">running<") > strings.Index(page, ">G2K7M0Q4ZX1P<") {
		t.Error("the newest campaign is not the first")
	}
	if strings.Contains(page, "no_campaign") {
		t.Error("a result without build tag is listed as a campaign")
	}
	if page := get(t, handler(t, newMemStore(), Options{}), "/").Body.String(); !strings.Contains(page, "No campaign yet") {
		t.Error("an empty test DB does not say so")
	}
	for _, nowhere := range []func(string) string{nil, func(string) string { return "" }} {
		if page := get(t, handler(t, sample(t), Options{ArchiveURL: nowhere}), "/").Body.String(); strings.Contains(page, "Archive</th>") {
			t.Error("there is a column of archives though nobody knows where they are")
		}
	}
}

func TestHomePages(t *testing.T) {
	t.Parallel()
	s := newMemStore()
	for i := range 45 {
		s.push(t, posted{"build_tag": fmt.Sprintf("tag-%02d", i), "case_name": "sig_apps"})
	}
	h := handler(t, s, Options{})
	for page, want := range map[int][]string{
		1: {"tag-44", "tag-25", `href="/?page=2" rel="next"`},
		2: {"tag-24", "tag-05", `href="/?page=1" rel="prev"`, `href="/?page=3" rel="next"`},
		3: {"tag-04", "tag-00", `href="/?page=2" rel="prev"`},
	} {
		got := get(t, h, fmt.Sprintf("/?page=%d", page)).Body.String()
		for _, text := range want {
			if !strings.Contains(got, text) {
				t.Errorf("page %d lacks %s", page, text)
			}
		}
		if n := strings.Count(got, `href="/campaigns/`); n != min(perPage, 45-(page-1)*perPage) {
			t.Errorf("page %d lists %d campaigns", page, n)
		}
	}
	if strings.Contains(get(t, h, "/?page=3").Body.String(), `rel="next"`) {
		t.Error("the last page leads to another")
	}
}

func TestCampaign(t *testing.T) {
	t.Parallel()
	s := sample(t)
	h := handler(t, s, Options{ArchiveURL: archives})
	page := get(t, h, "/campaigns/daily-v1.23-functest-12").Body.String()
	for holds, want := range map[string]string{
		"<bdi>sig_network</bdi></a>": "sig_network smoke ✗ FAIL 2026-11-21 19:58:33 2026-11-21 20:18:37 20 min 4 s",
		"<bdi>k8s_quick</bdi></a>":   "k8s_quick healthcheck, not mandatory ✓ PASS 2026-11-21 18:03:27 2026-11-21 18:04:07 40 s",
		"smoke</span></th>\n<td><span class=\"badge fail\"><span class=\"symbol\" aria-hidden=\"true\">✗</span> <bdi>FAIL</bdi></span></td>\n<td class=\"when\" data-label=\"Started\"><bdi>2026-11-22 01:00:00": "sig_auth smoke ✗ FAIL 2026-11-22 01:00:00 2026-11-22 01:07:30 7 min 30 s",
		"earlier record": "sig_auth , earlier record ✓ PASS 2026-11-21 19:07:57 2026-11-21 19:23:10 15 min 13 s",
	} {
		if diff := cmp.Diff(want, row(t, page, holds)); diff != "" {
			t.Errorf("row with %s (-want +got):\n%s", holds, diff)
		}
	}
	for _, want := range []string{"Not all recorded PASS", "would not be conformant", `href="http://192.0.2.10:8181/daily-v1.23-functest-12.zip"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if at, order := 0, ""; true {
		for _, of := range catalog(t).Cases {
			next := strings.Index(page, "<bdi>"+of.Name+"</bdi>")
			if next < at {
				order += " " + of.Name
			}
			at = next
		}
		if order != "" {
			t.Errorf("cases that are not where the catalogue has them:%s", order)
		}
	}
	running := get(t, h, "/campaigns/running").Body.String()
	if diff := cmp.Diff("netperf benchmarking ∅ missing Nothing was recorded.", row(t, running, "<bdi>netperf</bdi>")); diff != "" {
		t.Errorf("row of a case that is missing (-want +got):\n%s", diff)
	}
	whole := get(t, h, "/campaigns/G2K7M0Q4ZX1P").Body.String()
	for _, want := range []string{"All 22 recorded PASS", "The archive&#39;s review decides", "All 22 mandatory cases of Anuket RC2 for v1.23 are recorded PASS."} {
		if !strings.Contains(whole, want) && !strings.Contains(strings.ReplaceAll(whole, "'", "&#39;"), want) {
			t.Errorf("the page of a whole campaign lacks %q", want)
		}
	}
	if strings.Contains(whole, "Other records") {
		t.Error("there are other records in a campaign of RC2's cases alone")
	}
	if other := get(t, h, campaignURL(hostile)).Body.String(); !strings.Contains(other, "Other records") {
		t.Error("a case that the catalogue does not have is not shown")
	}
}

// A campaign may have any number of records, of any size.
func TestCampaignOfTooManyRecords(t *testing.T) {
	t.Parallel()
	s := newMemStore()
	s.push(t, campaign(t, "many", 20, nil)...)
	for range maxRecords + 10 {
		s.push(t, posted{"build_tag": "many", "case_name": "sig_apps"})
	}
	h := handler(t, s, Options{})
	if got := row(t, get(t, h, "/").Body.String(), ">many<"); !strings.HasPrefix(got, "many ? Too many records to tell 1 0 ?") {
		t.Errorf("row: %s", got)
	}
	page := strip(get(t, h, "/campaigns/many").Body.String())
	if !strings.Contains(page, "Only the newest 500 records are shown here.") {
		t.Error("the page does not say that there are more")
	}
	for _, q := range s.asked {
		if q.Limit != maxRecords+1 {
			t.Errorf("a query has the limit %d", q.Limit)
		}
	}

	large := newMemStore()
	for range 12 {
		large.push(t, posted{"build_tag": "large", "case_name": "sig_apps", "details": strings.Repeat("x", 8<<20)})
	}
	if got := row(t, get(t, handler(t, large, Options{}), "/").Body.String(), ">large<"); !strings.HasPrefix(got, "large ? Too many records to tell") {
		t.Errorf("row of records that are large: %s", got)
	}
}

// Whatever a build tag is, the list leads to its page.
func TestBuildTagsAreFoundAgain(t *testing.T) {
	t.Parallel()
	for _, tag := range []string{"a/b", "a//b", "/", "..", ".", "a/../b", "%2F", "a b+c", "?x=1#y", "é", "\u202e", `\`, `"`, "a;b", "{tag}", "tag/"} {
		s := newMemStore()
		s.push(t, posted{"build_tag": tag, "case_name": "sig_apps"})
		server := httptest.NewServer(handler(t, s, Options{}))
		home := get(t, handler(t, s, Options{}), "/").Body.String()
		found := regexp.MustCompile(`<th scope="row"><a href="([^"]*)">`).FindStringSubmatch(home)
		if found == nil {
			t.Fatalf("%q is not linked", tag)
		}
		response, err := http.Get(server.URL + html.UnescapeString(found[1])) //nolint:noctx // a test
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("%q: %s leads to %s", tag, found[1], response.Status)
		}
		server.Close()
	}
	s := newMemStore()
	s.push(t, posted{"build_tag": "", "case_name": "sig_apps"})
	if page := get(t, handler(t, s, Options{}), "/").Body.String(); !strings.Contains(page, "no build tag") || strings.Contains(page, `href="/campaigns/`) {
		t.Error("the empty build tag has a page")
	}
}

func TestResult(t *testing.T) {
	t.Parallel()
	s := sample(t)
	h := handler(t, s, Options{ArchiveURL: archives})
	page := get(t, h, resultURL(s.idOf(t, "sig_network", "FAIL"))).Body.String()
	for _, want := range []string{
		`<a href="/campaigns/daily-v1.23-functest-12">`, `<dd><bdi>20 min 4 s</bdi></dd>`, `<dd><bdi>k8-nosdn-nofeature-noha</bdi></dd>`,
		`<a href="daily-v1.23-functest-12/sig_network/junit%2001.xml" rel="nofollow noreferrer">`,
		`<bdi>javascript:alert(1)</bdi> <span class="aside">no address of the web</span>`,
		"\n  &#34;text&#34;: &#34;café &lt;b&gt;&amp;amp;&lt;/b&gt;\\nline&#34;\n}</pre>",
		`<a href="http://192.0.2.10:8181/daily-v1.23-functest-12.zip">`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	bare := s.push(t, posted{"case_name": "x"})[0]
	page = get(t, h, resultURL(bare)).Body.String()
	for _, want := range []string{"The record links to no files.", "The record has no details.", "no build tag"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page of a bare record lacks %q", want)
		}
	}
	links := make([]string, maxLinks+3)
	large := s.push(t, posted{"case_name": "x", "details": posted{"a": strings.Repeat("x ", maxDetails), "links": links}})[0]
	page = get(t, h, resultURL(large)).Body.String()
	for _, want := range []string{"Only the beginning is shown here", "3 more are not shown here"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page of a large record lacks %q", want)
		}
	}
	if len(page) > 2*maxDetails {
		t.Errorf("the page of a large record has %d bytes", len(page))
	}
}

func TestLinksOf(t *testing.T) {
	t.Parallel()
	for details, want := range map[string][]link{
		`null`: nil, `7`: nil, `[]`: nil, `"x"`: nil, `{}`: nil, `{"links": "x"}`: nil, `{"links": null}`: nil, ``: nil,
		`{"links": ["http://a/b", 7, null]}`: {{"http://a/b", "http://a/b"}, {"7", "7"}, {"", ""}},
	} {
		got, left := (&site{}).linksOf([]byte(details))
		if diff := cmp.Diff(want, got); diff != "" || left != 0 {
			t.Errorf("linksOf(%s) leaves %d (-want +got):\n%s", details, left, diff)
		}
	}
}

func TestRelativeLinks(t *testing.T) {
	t.Parallel()
	files, err := url.Parse("http://192.0.2.10:8181/files/")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{options: Options{FilesURL: files}}
	got, _ := s.linksOf([]byte(`{"links": ["tag/job-1/a b.log", "/x", "https://example.org/y", "javascript:z"]}`))
	want := []link{
		{"tag/job-1/a b.log", "http://192.0.2.10:8181/files/tag/job-1/a%20b.log"},
		{"/x", "http://192.0.2.10:8181/x"},
		{"https://example.org/y", "https://example.org/y"},
		{"javascript:z", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	h := handler(t, newMemStore(), Options{})
	first := get(t, h, "/openapi.json")
	if first.Header().Get("Content-Type") != "application/json" || first.Body.String() != string(openAPI) {
		t.Error("/openapi.json is not the document")
	}
	r := httptest.NewRequest(http.MethodGet, "/openapi.json", nil)
	r.Header.Set("If-None-Match", first.Header().Get("Etag"))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusNotModified {
		t.Errorf("the same again: %d, want 304", w.Code)
	}
	if got := get(t, h, "/style.css").Header().Get("Content-Type"); got != "text/css; charset=utf-8" {
		t.Errorf("type of the style: %s", got)
	}
}
