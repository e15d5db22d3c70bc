package report

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/internal/invisible"
	"github.com/anuket-project/xtci/testcases"
)

// These need no browser; report_browser_test.go looks at the page in one.

func TestPagePolicyAllowsOnlyItsStyle(t *testing.T) {
	t.Parallel()
	page := string(render(t, HTML, sample()))
	_, rest, _ := strings.Cut(page, "<style>")
	style, _, found := strings.Cut(rest, "</style>")
	if !found || len(style) < 1000 {
		t.Fatal("the page has no style")
	}
	sum := sha256.Sum256([]byte(style))
	want := `<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; style-src &#39;sha256-` +
		strings.ReplaceAll(base64.StdEncoding.EncodeToString(sum[:]), "+", "&#43;") +
		`&#39;; img-src data:; base-uri &#39;none&#39;; form-action &#39;none&#39;">`
	if !strings.Contains(page, want) {
		t.Errorf("the page has not %s", want)
	}
	if strings.Index(page, want) > strings.Index(page, "<style>") {
		t.Error("the policy comes after the style")
	}
}

func TestPageHoldsNothingThatRuns(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]*testcases.Assessment{"small": sample(), "large": large()} {
		page := string(render(t, HTML, a))
		for _, pattern := range []string{
			`(?i)<script`, `(?i)<(img|iframe|object|embed|form|base|link)\b`, `(?i)<[^>]*\sstyle=`, `(?i)<[^>]*\son[a-z]+=`,
			`(?i)href="(javascript|data|vbscript|file):`, `(?i)<[^>]*\ssrc=`, `ZgotmplZ`, `@import|url\(`,
		} {
			if found := regexp.MustCompile(pattern).FindString(page); found != "" {
				t.Errorf("%s: the page holds %q, which %s matches", name, found, pattern)
			}
		}
		for _, r := range page {
			if r != '\n' && r != '\t' && invisible.Is(r) {
				t.Errorf("%s: the page holds %U, which nobody sees", name, r)
				break
			}
		}
	}
}

func TestPageOfAllSpecsStaysSmall(t *testing.T) {
	t.Parallel()
	a := large()
	page := render(t, HTML, a)
	t.Logf("%d bytes", len(page))
	if len(page) > 3_000_000 {
		t.Errorf("the page has %d bytes, want under 3 MB", len(page))
	}
	if got := strings.Count(string(page), a.Specs[5000].Name+"\n"); got != 1 {
		t.Errorf("a spec that no case selects is listed %d times, want once", got)
	}
}

// A broken cluster fails everything with long reasons: the page stays small
// and says what it cut.
func TestPageCutsReasonsAndSaysSo(t *testing.T) {
	t.Parallel()
	a := sample()
	o := &a.Outcomes[1]
	for i := range 2000 {
		o.Checks = append(o.Checks, testcases.Check{Name: fmt.Sprintf("[sig-network] %d", i), Status: testcases.StatusFail, Reason: strings.Repeat("long ", 800)})
	}
	page := string(render(t, HTML, a))
	if len(page) > 4_000_000 {
		t.Errorf("the page has %d bytes", len(page))
	}
	if !strings.Contains(page, "Cut here; report.json and the evidence have all of it.") {
		t.Error("the page does not say that it cut reasons")
	}
}

func TestPageCutsEndlessListsAndSaysSo(t *testing.T) {
	t.Parallel()
	a := sample()
	for i := range maxRows + 7 {
		a.Outcomes[2].Missing = append(a.Outcomes[2].Missing, testcases.MissingCheck{Name: fmt.Sprint(i), Reason: "the log is cut"})
	}
	if page := string(render(t, HTML, a)); !strings.Contains(page, "7 more are not shown here; report.json has all of them.") {
		t.Error("the page does not say that it cut a list")
	}
}

func TestPageOfBrokenAssessments(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]*testcases.Assessment{
		"empty":         {},
		"no catalog":    {Outcomes: []testcases.Outcome{{Verdict: testcases.VerdictPass}}},
		"empty catalog": {Catalog: &testcases.Catalog{}},
	} {
		page := string(render(t, HTML, a))
		if !strings.Contains(page, "Not conformant") {
			t.Errorf("%s: an assessment without a verdict must not look good", name)
		}
	}
}

func TestWaiversAreShown(t *testing.T) {
	t.Parallel()
	a := sample()
	a.Verdict = testcases.ConformantWithWaivers
	page := string(render(t, HTML, a))
	summary, _, _ := strings.Cut(page, `<section id="mandatory"`)
	for _, want := range []string{"Conformant with waivers", "Waived by the reviewer", "SCTP is out of scope here", "Conflict"} {
		if !strings.Contains(summary, want) {
			t.Errorf("the summary does not say %q", want)
		}
	}
}

func TestSafeURL(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://example.org/a?b=c#d": "https://example.org/a?b=c#d",
		"http://example.org":          "http://example.org",
		"javascript:alert(1)":         "",
		"JavaScript://x/%0aalert(1)":  "",
		"data:text/html,x":            "",
		"//example.org/":              "",
		"/etc/passwd":                 "",
		"https://user:pw@example.org": "",
		"https:example.org":           "",
		" https://example.org":        "",
		"":                            "",
	} {
		if got := safeURL(address); got != want {
			t.Errorf("safeURL(%q) = %q, want %q", address, got, want)
		}
	}
}

func TestEvidenceLinks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		folder string
		source testcases.Source
		want   link
	}{
		{"tag/job-1/case", testcases.Source{File: "junit_01.xml", Line: 7}, link{"junit_01.xml, line 7", "./tag/job-1/case/junit_01.xml"}},
		{"", testcases.Source{File: "a.log"}, link{"a.log", "./a.log"}},
		{"javascript:alert(1)", testcases.Source{File: "a b%?#.log"}, link{"a b%?#.log", "./javascript:alert%281%29/a%20b%25%3F%23.log"}},
		{"tag", testcases.Source{File: "../x"}, link{"../x", ""}},
		{"..", testcases.Source{File: "x"}, link{"x", ""}},
		{"/etc", testcases.Source{File: "passwd"}, link{"passwd", ""}},
		{"tag", testcases.Source{}, link{}},
	} {
		if diff := cmp.Diff(tt.want, evidence(tt.folder, tt.source)); diff != "" {
			t.Errorf("evidence(%q, %v) (-want +got):\n%s", tt.folder, tt.source, diff)
		}
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for s, want := range map[float64]string{
		0: "", -1: "", math.Inf(1): "", 0.04: "0.0 s", 12.345: "12.3 s", 59.99: "60.0 s", 60: "1 min", 61.2: "1 min 1 s", 5825.25: "1 h 37 min", 7200: "2 h",
	} {
		if got := duration(s); got != want {
			t.Errorf("duration(%v) = %q, want %q", s, got, want)
		}
	}
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 7052: "7,052", 1234567: "1,234,567", -100: "-100", -1000: "-1,000"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestTicks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		got, want []float64
	}{
		{linearTicks(910), []float64{0, 200, 400, 600, 800, 1000}},
		{linearTicks(24252), []float64{0, 5000, 10000, 15000, 20000, 25000}},
		{linearTicks(1000), []float64{0, 200, 400, 600, 800, 1000}},
		{logarithmicTicks(span{138, 3000}), []float64{100, 200, 500, 1000, 2000, 5000}},
		{logarithmicTicks(span{138, 217872}), []float64{100, 1000, 10000, 100000, 500000}},
		{logarithmicTicks(span{100, 10000}), []float64{100, 200, 500, 1000, 2000, 5000, 10000}},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("ticks (-want +got):\n%s", diff)
		}
	}
}

func TestPlot(t *testing.T) {
	t.Parallel()
	p := newPlot(netperfChecks())
	if p == nil {
		t.Fatal("no plot")
	}
	if len(p.Series) != 5 || !p.Logarithmic || p.Unit != "Mbit/s" {
		t.Errorf("%d series, logarithmic %v, in %s; want 5, logarithmic, in Mbit/s", len(p.Series), p.Logarithmic, p.Unit)
	}
	if got := strings.Count(p.Series[3].Path, "M"); got != 4 {
		t.Errorf("a line with 3 gaps has %d parts, want 4", got)
	}
	if got := strings.Count(p.Series[2].Path, "M"); got != 2 {
		t.Errorf("a line with a value that is no number has %d parts, want 2", got)
	}
	if newPlot(nil) != nil || newPlot([]testcases.Check{{Figures: []testcases.Figure{{Name: "MSS 96", Value: 0}, {Name: "MSS 160", Value: 0}}}}) != nil {
		t.Error("a plot of nothing")
	}
}

func FuzzPlot(f *testing.F) {
	f.Add("MSS 96", 1.0, "MSS 1440", 24252.0)
	f.Add("MSS 96", math.Inf(1), "MSS 96", math.NaN())
	f.Add("MSS 1e300", 1e300, "MSS -5", 5e-324)
	coordinates := regexp.MustCompile(`^(M-?[0-9.]+ -?[0-9.]+|L-?[0-9.]+ -?[0-9.]+)*$`)
	f.Fuzz(func(t *testing.T, name1 string, value1 float64, name2 string, value2 float64) {
		checks := []testcases.Check{{Name: name1, Figures: []testcases.Figure{{Name: name1, Value: value1, Unit: name2}, {Name: name2, Value: value2}}}}
		newFigureTable(name1, checks)
		p := newPlot(checks)
		if p == nil {
			return
		}
		for _, s := range p.Series {
			if !coordinates.MatchString(s.Path) {
				t.Errorf("a path that is none: %q", s.Path)
			}
		}
		for _, tick := range append(p.X, p.Y...) {
			if strings.ContainsAny(tick.At, "NI") {
				t.Errorf("a tick at %q", tick.At)
			}
		}
	})
}

func BenchmarkHTML(b *testing.B) {
	a := large()
	for b.Loop() {
		render(b, HTML, a)
	}
}
