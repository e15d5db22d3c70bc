package report

import (
	"context"
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/internal/browsertest"
	"github.com/anuket-project/xtci/testcases"
)

var shots = flag.String("shots", "", "folder to write screenshots of the page to")

// screens are the two widths that the page is made for.
var screens = []struct {
	name          string
	width, height int64
}{
	{"phone", 360, 800},
	{"desktop", 1280, 900},
}

func TestPageInBrowser(t *testing.T) {
	browser := browsertest.Start(t)
	for _, screen := range screens {
		t.Run(screen.name, func(t *testing.T) {
			tab := open(t, browser, sample(), screen.width, screen.height, "light")
			checkLayout(t, tab)
			checkAccessibility(t, tab)
			checkNothingRan(t, tab)
			checkPolicy(t, tab)
			checkFilter(t, tab)
			tab.checkConsole(t)
		})
	}
	t.Run("links", func(t *testing.T) {
		checkLinks(t, open(t, browser, sample(), 1280, 900, "light"))
	})
	t.Run("everything unfolded", func(t *testing.T) {
		tab := open(t, browser, sample(), 360, 800, "dark")
		evaluate[bool](t, tab, `document.querySelectorAll("details").forEach(d => d.open = true), true`)
		checkLayout(t, tab)
	})
	t.Run("contrast", func(t *testing.T) {
		for _, scheme := range []string{"light", "dark"} {
			checkContrast(t, open(t, browser, sample(), 1280, 900, scheme), scheme)
		}
	})
	t.Run("all specs", func(t *testing.T) {
		tab := open(t, browser, large(), 1280, 900, "light")
		t.Logf("a page of 7,052 specs is complete after %.0f ms", evaluate[float64](t, tab,
			`performance.getEntriesByType("navigation")[0].loadEventEnd`))
		if got := evaluate[int](t, tab, `document.querySelectorAll("#skips ul.names > li").length`); got != 7052 {
			t.Errorf("the page lists %d specs, want each of the 7,052 once", got)
		}
		tab.checkConsole(t)
		checkLayout(t, open(t, browser, large(), 360, 800, "light"))
	})
	t.Run("paper", func(t *testing.T) {
		tab := open(t, browser, sample(), 1280, 900, "dark")
		checkPaper(t, tab)
	})
	if *shots != "" {
		takeShots(t, browser)
	}
}

// A tab shows one report and keeps what it writes to the console.
type tab struct {
	ctx      context.Context
	mu       sync.Mutex
	messages []string
}

func open(t *testing.T, browser context.Context, a *testcases.Assessment, width, height int64, scheme string) *tab {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(file, render(t, HTML, a), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(browser)
	ctx, cancelTimeout := context.WithTimeout(ctx, time.Minute)
	tab := &tab{ctx: ctx}
	messages := chromedp.Console(ctx)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for m, err := range messages {
			if err != nil {
				return
			}
			tab.mu.Lock()
			tab.messages = append(tab.messages, m.String())
			tab.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		cancelTimeout()
		cancel()
		<-read
	})
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	}); err != nil {
		t.Fatal(err)
	}
	address := url.URL{Scheme: "file", Path: file}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, height), chromedp.Navigate(address.String())); err != nil {
		t.Fatalf("open the page: %v", err)
	}
	return tab
}

func evaluate[T any](t *testing.T, tab *tab, expression string) T {
	t.Helper()
	v, err := chromedp.Run(tab.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("evaluate %s: %v", expression, err)
	}
	return v
}

// wantNone checks that an expression finds nothing to complain about.
func wantNone(t *testing.T, tab *tab, what, expression string) {
	t.Helper()
	if found := evaluate[[]string](t, tab, expression); len(found) > 0 {
		t.Errorf("%s:\n%s", what, strings.Join(found, "\n"))
	}
}

// checkConsole fails on whatever the page wrote: errors, and violations of its
// policy, which hostile text would cause.
func (tab *tab) checkConsole(t *testing.T) {
	t.Helper()
	tab.mu.Lock()
	defer tab.mu.Unlock()
	for _, m := range tab.messages {
		t.Errorf("console: %s", m)
	}
}

func checkLayout(t *testing.T, tab *tab) {
	t.Helper()
	wantNone(t, tab, "these reach beyond the page, which scrolls sideways", `
		document.documentElement.scrollWidth <= innerWidth ? [] :
		[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll *"))
			.map(e => e.tagName + "." + e.className.toString() + ": " + e.textContent.slice(0, 60))`)
}

func checkAccessibility(t *testing.T, tab *tab) {
	t.Helper()
	wantNone(t, tab, "headings skip a level", `(() => {
		let level = 0, bad = [];
		for (const h of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
			const next = +h.tagName[1];
			if (next > level + 1) bad.push(h.tagName + " after h" + level + ": " + h.textContent);
			level = next;
		}
		return bad;
	})()`)
	wantNone(t, tab, "images without a name", `
		[...document.querySelectorAll("img, svg")].filter(e => e.getAttribute("aria-hidden") != "true").filter(e =>
			e.getAttribute("role") != "img" || !(e.getAttribute("aria-labelledby") || "").split(" ").every(id => document.getElementById(id)?.textContent.trim()))
			.map(e => e.outerHTML.slice(0, 200))`)
	wantNone(t, tab, "tables without caption or scoped headers", `
		[...document.querySelectorAll("table")].filter(e => !e.caption?.textContent.trim() || !e.querySelector("th[scope=col]") || !e.querySelector("tbody th[scope=row]"))
			.map(e => e.outerHTML.slice(0, 200))`)
	wantNone(t, tab, "inputs without a label", `[...document.querySelectorAll("input")].filter(e => !e.labels[0]?.textContent.trim()).map(e => e.id)`)
	wantNone(t, tab, "what scrolls sideways and the keyboard does not reach", `
		[...document.querySelectorAll(".scroll")].filter(e => e.tabIndex != 0 || !e.getAttribute("aria-label") || e.getAttribute("role") != "region").map(e => e.outerHTML.slice(0, 200))`)
	wantNone(t, tab, "references to ids that do not exist", `
		[...document.querySelectorAll("a[href^='#']")].map(e => e.getAttribute("href").slice(1))
			.concat([...document.querySelectorAll("[aria-labelledby]")].flatMap(e => e.getAttribute("aria-labelledby").split(" ")))
			.filter(id => !document.getElementById(id))`)
	wantNone(t, tab, "ids that are there twice", `
		[...document.querySelectorAll("[id]")].map(e => e.id).filter((id, i, all) => all.indexOf(id) != i)`)
	wantNone(t, tab, "landmarks that are missing", `["header", "nav[aria-label]", "main", "footer", "a.skip[href='#report']"].filter(s => !document.querySelector(s))`)
	wantNone(t, tab, "badges without a word", `[...document.querySelectorAll(".badge")].filter(e => !/[a-z]{3}/i.test(e.textContent)).map(e => e.outerHTML)`)
	if lang := evaluate[string](t, tab, `document.documentElement.lang`); lang != "en" {
		t.Errorf("language of the page: %q", lang)
	}
}

// checkNothingRan looks for traces of the hostile text: in the sample it is in
// every place that a result file reaches.
func checkNothingRan(t *testing.T, tab *tab) {
	t.Helper()
	if evaluate[bool](t, tab, `"ran" in window`) {
		t.Error("hostile text ran")
	}
	wantNone(t, tab, "elements and attributes that the templates do not make", `
		[...document.querySelectorAll("script, img, iframe, object, embed, form, base, [style], [onerror], [onclick], [src]")].map(e => e.outerHTML.slice(0, 200))
			.concat([...document.querySelectorAll("*")].flatMap(e => [...e.attributes].filter(a => a.name.startsWith("on")).map(a => a.name)))`)
	wantNone(t, tab, "text that nobody sees", `
		document.documentElement.textContent.match(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g) || []`)
	if !evaluate[bool](t, tab, `document.body.textContent.includes("<script>window.ran=1</script>") && document.body.textContent.includes("⟨U+202E⟩")`) {
		t.Error("hostile text is not shown as text")
	}
}

// checkPolicy tries what hostile text would try, to show that the policy
// would stop it if the escaping did not.
func checkPolicy(t *testing.T, tab *tab) {
	t.Helper()
	evaluate[bool](t, tab, `(() => {
		const s = document.createElement("script");
		s.textContent = "window.ran = 2";
		document.body.append(s);
		s.remove();
		return true;
	})()`)
	if evaluate[bool](t, tab, `"ran" in window`) {
		t.Error("the policy lets an inline script run")
	}
	if evaluate[string](t, tab, `getComputedStyle(document.querySelector(".badge")).fontWeight`) != "600" {
		t.Error("the policy does not let the page's own style in")
	}
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.messages = nil // the violation that was just provoked
}

// checkFilter filters the cases with the keyboard alone.
func checkFilter(t *testing.T, tab *tab) {
	t.Helper()
	visible := `[...document.querySelectorAll(".cases tbody")].filter(e => e.offsetParent !== null).map(e => e.id)`
	if got := evaluate[[]string](t, tab, visible); len(got) != 9 {
		t.Errorf("without a filter the page shows %v, want all 9 cases", got)
	}
	if err := chromedp.Do(tab.ctx, chromedp.Focus(chromedp.ID("show-all")), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.ArrowRight)); err != nil {
		t.Fatal(err)
	}
	if got := evaluate[string](t, tab, `document.activeElement.id`); got != "show-fail" {
		t.Fatalf("the arrow keys lead to %q, want show-fail", got)
	}
	want := []string{"case-kube_hunter", "case-xrally_kubernetes"}
	if diff := cmp.Diff(want, evaluate[[]string](t, tab, visible)); diff != "" {
		t.Errorf("cases shown by the filter for failures (-want +got):\n%s", diff)
	}
	if evaluate[string](t, tab, `getComputedStyle(document.querySelector("#show-fail + span")).outlineStyle`) == "none" {
		t.Error("the focus is not visible on the filter")
	}
}

func checkLinks(t *testing.T, tab *tab) {
	t.Helper()
	wantNone(t, tab, "links to neither the web, the archive nor the page", `
		[...document.querySelectorAll("a")].map(e => e.getAttribute("href")).filter(h => !/^(https?:\/\/[a-z]|\.\/[^/]|#[\w-]+$)/.test(h) || h.includes("/../"))`)
	want := []string{"./G2K7M0Q4ZX1P/functest-kubernetes-opnfv-functest-kubernetes-v1.23-sig_network-run-12/sig_network/junit%2001%23%3F.xml", "junit 01#?.xml, line 4711"}
	got := evaluate[[]string](t, tab, `(a => [a.getAttribute("href"), a.textContent])([...document.querySelectorAll("#failures-sig_network .problem a")].find(a => a.textContent.includes("4711")))`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("link from a failure to its evidence (-want +got):\n%s", diff)
	}
	if got := evaluate[string](t, tab, `document.querySelector("#case-sig_network a[href^=http]").href`); got != rc2+"#network-testing" {
		t.Errorf("link from case to requirement: %s", got)
	}
}

// checkContrast computes WCAG's contrast of each visible text with what is
// behind it: 4.5 at least for text of normal size (1.4.3, level AA).
func checkContrast(t *testing.T, tab *tab, scheme string) {
	t.Helper()
	wantNone(t, tab, "text of too little contrast in "+scheme, `(() => {
		const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
		const rgba = color => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); const d = canvas.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255]; };
		const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
		const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
		const behind = e => { const layers = []; for (; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor)); return layers.reverse().reduce((below, l) => over(l, below), [255, 255, 255, 1]); };
		const bad = new Set();
		const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
		while (walker.nextNode()) {
			const e = walker.currentNode.parentElement;
			if (!walker.currentNode.data.trim() || !e.checkVisibility() || e.closest("summary")?.matches(":not(:first-child)")) continue;
			const style = getComputedStyle(e), ground = behind(e);
			const [a, b] = [light(over(rgba(e.closest("svg") ? style.fill : style.color), ground)), light(ground)];
			const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
			if (ratio < 4.5) bad.add(ratio.toFixed(2) + " " + e.tagName + "." + (e.getAttribute("class") || "") + " in ." + (e.parentElement.getAttribute("class") || ""));
		}
		return [...bad];
	})()`)
}

// checkPaper prints the page, also with a filter on: on paper nothing that
// failed may be folded or filtered away.
func checkPaper(t *testing.T, tab *tab) {
	t.Helper()
	evaluate[bool](t, tab, `document.getElementById("show-pass").checked = true`)
	wantNone(t, tab, "failures that are folded", `[...document.querySelectorAll("#failures details:not([open])")].map(e => e.outerHTML.slice(0, 200))`)
	pdf, err := chromedp.Run(tab.ctx, chromedp.PrintToPDF(chromedp.PDFPaper(chromedp.PaperA4), chromedp.PDFPrintBackground()))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(pdf), "%PDF-") {
		t.Error("printing gives no PDF")
	}
	if *shots != "" {
		saveShot(t, "paper.pdf", pdf)
	}
	if _, err := chromedp.Call(tab.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"}); err != nil {
		t.Fatal(err)
	}
	if *shots != "" {
		if err := chromedp.Do(tab.ctx, chromedp.EmulateViewport(794, 1123)); err != nil {
			t.Fatal(err)
		}
		saveSections(t, tab, "paper")
	}
	wantNone(t, tab, "cases that are not printed", `[...document.querySelectorAll(".cases tbody")].filter(e => e.offsetParent === null).map(e => e.id)`)
	wantNone(t, tab, "folded facts that are not printed", `[...document.querySelectorAll("#mandatory dl.facts dt")].filter(e => !e.checkVisibility({contentVisibilityAuto: true})).map(e => e.textContent)`)
}

// takeShots is for people who change the page: go test -run Browser -shots DIR.
func takeShots(t *testing.T, browser context.Context) {
	t.Helper()
	for _, screen := range screens {
		for _, scheme := range []string{"light", "dark"} {
			tab := open(t, browser, sample(), screen.width, screen.height, scheme)
			top, err := chromedp.Run(tab.ctx, chromedp.CaptureScreenshot())
			if err != nil {
				t.Fatal(err)
			}
			saveShot(t, screen.name+"-"+scheme+"-top.png", top)
			saveSections(t, tab, screen.name+"-"+scheme)
		}
	}
}

func saveSections(t *testing.T, tab *tab, prefix string) {
	t.Helper()
	for _, section := range evaluate[[]string](t, tab, `[...document.querySelectorAll("main > section")].map(e => e.id)`) {
		shot, err := chromedp.Run(tab.ctx, chromedp.Screenshot(chromedp.ID(section)))
		if err != nil {
			t.Fatal(err)
		}
		saveShot(t, prefix+"-"+section+".png", shot)
	}
}

func saveShot(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(*shots, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*shots, name), content, 0o644); err != nil {
		t.Fatal(err)
	}
}
