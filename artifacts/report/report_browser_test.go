package report

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/internal/browsertest"
	"github.com/anuket-project/xtci/testcases"
)

func TestPageInBrowser(t *testing.T) {
	browser := browsertest.Start(t)
	for _, screen := range []browsertest.Screen{browsertest.Phone, browsertest.Desktop} {
		t.Run(screen.Name, func(t *testing.T) {
			tab := open(t, browser, sample(), screen, "light")
			tab.CheckWidth(t, "report")
			checkAccessibility(t, tab)
			checkNothingRan(t, tab)
			checkFilter(t, tab)
			tab.CheckConsole(t, "report")
			tab.CheckPolicy(t, ".badge")
		})
	}
	t.Run("links", func(t *testing.T) {
		checkLinks(t, open(t, browser, sample(), browsertest.Desktop, "light"))
	})
	t.Run("everything unfolded", func(t *testing.T) {
		tab := open(t, browser, sample(), browsertest.Phone, "dark")
		browsertest.Evaluate[bool](t, tab, `document.querySelectorAll("details").forEach(d => d.open = true), true`)
		tab.CheckWidth(t, "report")
	})
	t.Run("contrast", func(t *testing.T) {
		for _, scheme := range []string{"light", "dark"} {
			open(t, browser, sample(), browsertest.Desktop, scheme).CheckContrast(t, scheme)
		}
	})
	t.Run("all specs", func(t *testing.T) {
		tab := open(t, browser, large(), browsertest.Desktop, "light")
		t.Logf("a page of 7,052 specs is complete after %.0f ms", browsertest.Evaluate[float64](t, tab,
			`performance.getEntriesByType("navigation")[0].loadEventEnd`))
		if got := browsertest.Evaluate[int](t, tab, `document.querySelectorAll("#skips ul.names > li").length`); got != 7052 {
			t.Errorf("the page lists %d specs, want each of the 7,052 once", got)
		}
		tab.CheckConsole(t, "report")
		open(t, browser, large(), browsertest.Phone, "light").CheckWidth(t, "report")
	})
	t.Run("paper", func(t *testing.T) {
		tab := open(t, browser, sample(), browsertest.Desktop, "dark")
		checkPaper(t, tab)
	})
	if browsertest.Shooting() {
		takeShots(t, browser)
	}
}

// open shows the report of an assessment.
func open(t *testing.T, browser context.Context, a *testcases.Assessment, screen browsertest.Screen, scheme string) *browsertest.Tab {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(file, render(t, HTML, a), 0o600); err != nil {
		t.Fatal(err)
	}
	tab := browsertest.NewTab(t, browser, screen, scheme)
	address := url.URL{Scheme: "file", Path: file}
	tab.Open(t, address.String())
	return tab
}

func checkAccessibility(t *testing.T, tab *browsertest.Tab) {
	t.Helper()
	tab.CheckAccessibility(t, "report")
	tab.WantNone(t, "images without a name", `
		[...document.querySelectorAll("img, svg")].filter(e => e.getAttribute("aria-hidden") != "true").filter(e =>
			e.getAttribute("role") != "img" || !(e.getAttribute("aria-labelledby") || "").split(" ").every(id => document.getElementById(id)?.textContent.trim()))
			.map(e => e.outerHTML.slice(0, 200))`)
	tab.WantNone(t, "what scrolls sideways and the keyboard does not reach", `
		[...document.querySelectorAll(".scroll")].filter(e => e.tabIndex != 0 || !e.getAttribute("aria-label") || e.getAttribute("role") != "region").map(e => e.outerHTML.slice(0, 200))`)
}

// checkNothingRan looks for traces of the hostile text: in the sample it is in
// every place that a result file reaches.
func checkNothingRan(t *testing.T, tab *browsertest.Tab) {
	t.Helper()
	tab.CheckNothingRan(t, "report", "form")
	if !browsertest.Evaluate[bool](t, tab, `document.body.textContent.includes("<script>window.ran=1</script>") && document.body.textContent.includes("⟨U+202E⟩")`) {
		t.Error("hostile text is not shown as text")
	}
}

// checkFilter filters the cases with the keyboard alone.
func checkFilter(t *testing.T, tab *browsertest.Tab) {
	t.Helper()
	visible := `[...document.querySelectorAll(".cases tbody")].filter(e => e.offsetParent !== null).map(e => e.id)`
	if got := browsertest.Evaluate[[]string](t, tab, visible); len(got) != 9 {
		t.Errorf("without a filter the page shows %v, want all 9 cases", got)
	}
	tab.Do(t, chromedp.Focus(chromedp.ID("show-all")), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.ArrowRight))
	if got := browsertest.Evaluate[string](t, tab, `document.activeElement.id`); got != "show-fail" {
		t.Fatalf("the arrow keys lead to %q, want show-fail", got)
	}
	want := []string{"case-kube_hunter", "case-xrally_kubernetes"}
	if diff := cmp.Diff(want, browsertest.Evaluate[[]string](t, tab, visible)); diff != "" {
		t.Errorf("cases shown by the filter for failures (-want +got):\n%s", diff)
	}
	if browsertest.Evaluate[string](t, tab, `getComputedStyle(document.querySelector("#show-fail + span")).outlineStyle`) == "none" {
		t.Error("the focus is not visible on the filter")
	}
}

func checkLinks(t *testing.T, tab *browsertest.Tab) {
	t.Helper()
	tab.WantNone(t, "links to neither the web, the archive nor the page", `
		[...document.querySelectorAll("a")].map(e => e.getAttribute("href")).filter(h => !/^(https?:\/\/[a-z]|\.\/[^/]|#[\w-]+$)/.test(h) || h.includes("/../"))`)
	want := []string{"./G2K7M0Q4ZX1P/functest-kubernetes-opnfv-functest-kubernetes-v1.23-sig_network-run-12/sig_network/junit%2001%23%3F.xml", "junit 01#?.xml, line 4711"}
	got := browsertest.Evaluate[[]string](t, tab, `(a => [a.getAttribute("href"), a.textContent])([...document.querySelectorAll("#failures-sig_network .problem a")].find(a => a.textContent.includes("4711")))`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("link from a failure to its evidence (-want +got):\n%s", diff)
	}
	if got := browsertest.Evaluate[string](t, tab, `document.querySelector("#case-sig_network a[href^=http]").href`); got != rc2+"#network-testing" {
		t.Errorf("link from case to requirement: %s", got)
	}
}

// checkPaper prints the page, also with a filter on: on paper nothing that
// failed may be folded or filtered away.
func checkPaper(t *testing.T, tab *browsertest.Tab) {
	t.Helper()
	browsertest.Evaluate[bool](t, tab, `document.getElementById("show-pass").checked = true`)
	tab.WantNone(t, "failures that are folded", `[...document.querySelectorAll("#failures details:not([open])")].map(e => e.outerHTML.slice(0, 200))`)
	pdf, err := chromedp.Run(tab.Context, chromedp.PrintToPDF(chromedp.PDFPaper(chromedp.PaperA4), chromedp.PDFPrintBackground()))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(pdf), "%PDF-") {
		t.Error("printing gives no PDF")
	}
	browsertest.SaveShot(t, "paper.pdf", pdf)
	if _, err := chromedp.Call(tab.Context, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"}); err != nil {
		t.Fatal(err)
	}
	if browsertest.Shooting() {
		tab.Do(t, chromedp.EmulateViewport(794, 1123))
		saveSections(t, tab, "paper")
	}
	tab.WantNone(t, "cases that are not printed", `[...document.querySelectorAll(".cases tbody")].filter(e => e.offsetParent === null).map(e => e.id)`)
	tab.WantNone(t, "folded facts that are not printed", `[...document.querySelectorAll("#mandatory dl.facts dt")].filter(e => !e.checkVisibility({contentVisibilityAuto: true})).map(e => e.textContent)`)
}

// takeShots is for people who change the page: go test -run Browser -shots DIR.
func takeShots(t *testing.T, browser context.Context) {
	t.Helper()
	for _, screen := range []browsertest.Screen{browsertest.Phone, browsertest.Desktop} {
		for _, scheme := range []string{"light", "dark"} {
			tab := open(t, browser, sample(), screen, scheme)
			tab.Shoot(t, screen.Name+"-"+scheme+"-top.png", chromedp.CaptureScreenshot())
			saveSections(t, tab, screen.Name+"-"+scheme)
		}
	}
}

func saveSections(t *testing.T, tab *browsertest.Tab, prefix string) {
	t.Helper()
	for _, section := range browsertest.Evaluate[[]string](t, tab, `[...document.querySelectorAll("main > section")].map(e => e.id)`) {
		tab.Shoot(t, prefix+"-"+section+".png", chromedp.Screenshot(chromedp.ID(section)))
	}
}
