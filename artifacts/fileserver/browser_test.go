package fileserver

import (
	"context"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/internal/browsertest"
)

var shots = flag.String("shots", "", "folder to write screenshots of the pages to")

// screens are the two widths that the pages are made for.
var screens = []struct {
	name          string
	width, height int64
}{
	{"phone", 360, 800},
	{"desktop", 1280, 900},
}

// hostile are names that would do something, if they were not escaped.
var hostile = []string{"<script>ran=1<", `"><img src=x onerror=ran=1>`, "javascript:ran=1", "evil\u202egnp.exe", "a\nb", "{{.Style}}", strings.Repeat("long", 60)}

// showcase is a store with something of everything.
func showcase(t *testing.T) *artifacts.DirStore {
	t.Helper()
	dir := t.TempDir()
	store, err := artifacts.OpenDirStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	sample(t, store)
	for i, suite := range []string{"healthcheck-v1.23-k8s_smoke", "smoke-v1.23-sig_api_machinery", "smoke-v1.23-sig_network", "security-v1.23-kube_bench_master", "benchmarking-v1.23-xrally_kubernetes_full"} {
		put(t, store, fmt.Sprintf("AB12CD34EF00/functest-kubernetes-opnfv-functest-kubernetes-%s-%d/functest-kubernetes.log", suite, i+2), "log")
	}
	put(t, store, job+"/functest-kubernetes.debug.log", strings.Repeat("debug\n", 40_000))
	put(t, store, job+"/k8s_quick/netperf.svg", `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><script>top.ran = 1; document.title = "ran"</script><rect width="40" height="40" fill="teal"/></svg>`)
	put(t, store, job+"/k8s_quick/style.xml", `<?xml version="1.0"?><r><h:script xmlns:h="http://www.w3.org/1999/xhtml">document.title = "ran"</h:script></r>`)
	for i := range 120 {
		tag := fmt.Sprintf("daily-v1_23-functest-%03d", i)
		put(t, store, tag+".zip", strings.Repeat("x", 1+i*i*100))
		put(t, store, tag+"/job-1/file", "x")
		at := time.Now().Add(-time.Duration(i) * 23 * time.Hour)
		if err := os.Chtimes(filepath.Join(dir, tag+".zip"), at, at); err != nil {
			t.Fatal(err)
		}
	}
	for i := range perPage + 10 {
		put(t, store, fmt.Sprintf("many/%04d.log", i), "x")
	}
	for _, folder := range []string{"", "hostile"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range hostile {
			if err := os.WriteFile(filepath.Join(dir, folder, name), []byte("x"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return store
}

func TestPagesInBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a browser")
	}
	browser := browsertest.Start(t)
	s, err := New(showcase(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	pages := map[string]string{
		"home": "/", "home-2": "/?page=2", "campaign": "/AB12CD34EF00/", "job": "/" + job + "/", "case": "/" + job + "/k8s_quick/",
		"hostile": "/hostile/", "many": "/many/", "many-2": "/many/?after=0999.log", "nothing": "/many/?after=z", "missing": "/nosuch", "no-report": "/CLASSIC0123.zip/report.html", "no-zip": "/BADARCHIVE.zip/report.html",
	}
	for _, screen := range screens {
		for _, scheme := range []string{"light", "dark"} {
			tab := openTab(t, browser, screen.width, screen.height, scheme)
			for name, path := range pages {
				tab.open(t, server.URL+path)
				checkLayout(t, tab, screen.name+" "+name)
				checkAccessibility(t, tab, name)
				checkNothingRan(t, tab, name)
				checkContrast(t, tab, name+" "+scheme)
				tab.checkConsole(t, name)
				if *shots != "" {
					tab.shoot(t, screen.name+"-"+scheme+"-"+name)
				}
			}
		}
	}
	t.Run("files", func(t *testing.T) {
		checkFiles(t, openTab(t, browser, 1280, 900, "light"), server.URL)
	})
	t.Run("policy", func(t *testing.T) {
		checkPolicy(t, openTab(t, browser, 1280, 900, "light"), server.URL)
	})
	t.Run("keyboard", func(t *testing.T) {
		checkKeyboard(t, openTab(t, browser, 360, 800, "light"), server.URL)
	})
}

// checkFiles opens files of tests as pages: they show, and run nothing.
func checkFiles(t *testing.T, tab *tab, server string) {
	t.Helper()
	for path, want := range map[string]string{
		"/" + job + "/k8s_quick/page.html":              `document.querySelector("p").textContent == "page"`,
		"/" + job + "/k8s_quick/netperf.svg":            `document.querySelector("rect").getAttribute("fill") == "teal"`,
		"/" + job + "/k8s_quick/style.xml":              `document.documentElement.textContent.includes("document.title")`,
		"/" + job + "/functest-kubernetes.log":          `document.body.textContent == "0123456789"`,
		"/AB12CD34EF00.zip/report.html":                 `document.querySelector("h1").textContent == "Conformant"`,
		"/AB12CD34EF00.zip/" + job + "/x.log":           `document.body.textContent == "log"`,
		"/" + job + "/k8s_quick/%3Cb%3Ebold%3Cb%3E.txt": `document.body.textContent == "bold"`,
	} {
		tab.open(t, server+path)
		if !evaluate[bool](t, tab, want) {
			t.Errorf("%s: it is not shown", path)
		}
		if evaluate[bool](t, tab, `document.title == "ran" || "ran" in window`) {
			t.Errorf("%s: its script ran", path)
		}
		if origin := evaluate[string](t, tab, `self.origin`); origin != "null" {
			t.Errorf("%s: is of the origin %s", path, origin)
		}
		if *shots != "" {
			tab.shoot(t, "file-"+filepath.Base(path))
		}
	}
}

// checkPolicy tries what hostile text would try, to show that the policy
// would stop it if the escaping did not.
func checkPolicy(t *testing.T, tab *tab, server string) {
	t.Helper()
	tab.open(t, server+"/")
	evaluate[bool](t, tab, `(() => {
		const s = document.createElement("script");
		s.textContent = "window.ran = 2";
		document.body.append(s);
		document.body.setAttribute("style", "outline: 7px solid red");
		return true;
	})()`)
	if evaluate[bool](t, tab, `"ran" in window`) {
		t.Error("the policy lets an inline script run")
	}
	if evaluate[string](t, tab, `getComputedStyle(document.body).outlineStyle`) != "none" {
		t.Error("the policy lets an inline style in")
	}
	if evaluate[string](t, tab, `getComputedStyle(document.querySelector("tbody th.folder")).fontWeight`) != "600" {
		t.Error("the policy does not let the page's own style in")
	}
}

// checkKeyboard goes from the top to a file and back by keys alone.
func checkKeyboard(t *testing.T, tab *tab, server string) {
	t.Helper()
	tab.open(t, server+"/AB12CD34EF00/")
	tab.do(t, chromedp.KeyEvent(kb.Tab))
	if got := evaluate[string](t, tab, `document.activeElement.className`); got != "skip" {
		t.Errorf("the first stop is %q, want the link that skips", got)
	}
	if top := evaluate[float64](t, tab, `document.activeElement.getBoundingClientRect().top`); top < 0 {
		t.Error("the link that skips is not visible when it has the focus")
	}
	tab.do(t, chromedp.KeyEvent(kb.Enter))
	var stops []string
	for range 3 {
		tab.do(t, chromedp.KeyEvent(kb.Tab))
		stops = append(stops, evaluate[string](t, tab, `document.activeElement.textContent.slice(0, 8)`))
	}
	if got := strings.Join(stops, " "); got != "Report Archive functest" {
		t.Errorf("after skipping, the stops are %q", got)
	}
	if evaluate[string](t, tab, `getComputedStyle(document.activeElement).outlineStyle`) == "none" {
		t.Error("the focus is not visible")
	}
	if _, err := chromedp.RunResponse(tab.ctx, chromedp.KeyEvent(kb.Enter)); err != nil {
		t.Fatal(err)
	}
	if got := evaluate[string](t, tab, `document.querySelector("h1").textContent`); !strings.HasPrefix(got, "functest-kubernetes-opnfv") {
		t.Errorf("it leads to %q", got)
	}
	tab.do(t, chromedp.Focus(chromedp.CSS("nav li:nth-child(2) a")))
	if _, err := chromedp.RunResponse(tab.ctx, chromedp.KeyEvent(kb.Enter)); err != nil {
		t.Fatal(err)
	}
	if got := evaluate[string](t, tab, `location.pathname`); got != "/AB12CD34EF00/" {
		t.Errorf("up leads to %q", got)
	}
	tab.checkConsole(t, "keyboard")
}

// A tab shows pages and keeps what they write to the console.
type tab struct {
	ctx      context.Context
	mu       sync.Mutex
	messages []string
}

func openTab(t *testing.T, browser context.Context, width, height int64, scheme string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	ctx, cancelTimeout := context.WithTimeout(ctx, 2*time.Minute)
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
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, height)); err != nil {
		t.Fatal(err)
	}
	return tab
}

func (tab *tab) open(t *testing.T, address string) {
	t.Helper()
	if err := chromedp.Do(tab.ctx, chromedp.Navigate(address)); err != nil {
		t.Fatalf("open %s: %v", address, err)
	}
}

func (tab *tab) do(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(tab.ctx, actions...); err != nil {
		t.Fatal(err)
	}
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

// checkConsole fails on whatever a page wrote: errors, and violations of its
// policy, which hostile text would cause. Browsers note there, too, that a
// page about an error came with the status of one.
func (tab *tab) checkConsole(t *testing.T, page string) {
	t.Helper()
	tab.mu.Lock()
	defer tab.mu.Unlock()
	for _, m := range tab.messages {
		if !strings.Contains(m, "the server responded with a status of 4") {
			t.Errorf("%s: console: %s", page, m)
		}
	}
	tab.messages = nil
}

func checkLayout(t *testing.T, tab *tab, page string) {
	t.Helper()
	wantNone(t, tab, page+": these reach beyond the page, which scrolls sideways", `
		document.documentElement.scrollWidth <= innerWidth ? [] :
		[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1)
			.map(e => e.tagName + "." + e.className.toString() + ": " + e.textContent.slice(0, 60))`)
	wantNone(t, tab, page+": these are cut off", `
		[...document.querySelectorAll("main *:not(.visually-hidden, .visually-hidden *, thead, thead *)")]
			.filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX != "visible").map(e => e.outerHTML.slice(0, 200))`)
}

func checkAccessibility(t *testing.T, tab *tab, page string) {
	t.Helper()
	wantNone(t, tab, page+": headings skip a level, or there is not one h1", `(() => {
		let level = 0, bad = [];
		for (const h of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
			const next = +h.tagName[1];
			if (next > level + 1) bad.push(h.tagName + " after h" + level + ": " + h.textContent);
			level = next;
		}
		return document.querySelectorAll("h1").length == 1 ? bad : bad.concat("h1");
	})()`)
	wantNone(t, tab, page+": tables without caption or scoped headers", `
		[...document.querySelectorAll("table")].filter(e => !e.caption?.textContent.trim() || !e.querySelector("th[scope=col]") || [...e.tBodies[0].rows].some(r => !r.querySelector("th[scope=row]")))
			.map(e => e.outerHTML.slice(0, 200))`)
	wantNone(t, tab, page+": links without words, or with the words of another", `(() => {
		const seen = new Map(), bad = [];
		for (const a of document.querySelectorAll("main a")) {
			const words = a.textContent.trim();
			if (!words) bad.push(a.outerHTML);
			if (seen.has(words) && seen.get(words) != a.href) bad.push(words);
			seen.set(words, a.href);
		}
		return bad;
	})()`)
	wantNone(t, tab, page+": references to ids that do not exist", `
		[...document.querySelectorAll("a[href^='#']")].map(e => e.getAttribute("href").slice(1))
			.concat([...document.querySelectorAll("[aria-labelledby]")].map(e => e.getAttribute("aria-labelledby")))
			.filter(id => !document.getElementById(id))`)
	wantNone(t, tab, page+": landmarks that are missing", `["header", "nav[aria-label]", "main", "footer", "a.skip[href='#content']"].filter(s => !document.querySelector(s))`)
	wantNone(t, tab, page+": sections without a name", `
		[...document.querySelectorAll("section")].filter(e => !e.getAttribute("aria-label") && !document.getElementById(e.getAttribute("aria-labelledby"))?.textContent.trim()).map(e => e.outerHTML.slice(0, 200))`)
	wantNone(t, tab, page+": targets of less than 24 pixels beside another (WCAG 2.5.8)", `
		[...document.querySelectorAll(".top li, .archive a")].filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 24).map(e => e.outerHTML.slice(0, 100))`)
	if lang := evaluate[string](t, tab, `document.documentElement.lang`); lang != "en" {
		t.Errorf("%s: language of the page: %q", page, lang)
	}
}

// checkNothingRan looks for traces of the hostile names.
func checkNothingRan(t *testing.T, tab *tab, page string) {
	t.Helper()
	if evaluate[bool](t, tab, `"ran" in window`) {
		t.Errorf("%s: a hostile name ran", page)
	}
	wantNone(t, tab, page+": elements and attributes that the templates do not make", `
		[...document.querySelectorAll("script, img, iframe, object, embed, base, form, [style], [src]")].map(e => e.outerHTML.slice(0, 200))
			.concat([...document.querySelectorAll("*")].flatMap(e => [...e.attributes].filter(a => a.name.startsWith("on")).map(a => a.name)))`)
	wantNone(t, tab, page+": links to neither the web nor the server", `[...document.querySelectorAll("a")].filter(e => e.origin != location.origin).map(e => e.outerHTML.slice(0, 200))`)
	wantNone(t, tab, page+": text that nobody sees", `
		document.documentElement.textContent.match(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g) || []`)
}

// checkContrast computes WCAG's contrast of each visible text with what is
// behind it: 4.5 at least for text of normal size (1.4.3, level AA).
func checkContrast(t *testing.T, tab *tab, page string) {
	t.Helper()
	wantNone(t, tab, page+": text of too little contrast", `(() => {
		const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
		const rgba = color => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); const d = canvas.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255]; };
		const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
		const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
		const behind = e => { const layers = []; for (; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor)); return layers.reverse().reduce((below, l) => over(l, below), [255, 255, 255, 1]); };
		const bad = new Set();
		const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
		for (let n = 0; walker.nextNode() && n < 2000; n++) {
			const e = walker.currentNode.parentElement;
			if (!walker.currentNode.data.trim() || !e.checkVisibility()) continue;
			const style = getComputedStyle(e), ground = behind(e);
			const [a, b] = [light(over(rgba(style.color), ground)), light(ground)];
			const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
			if (ratio < 4.5) bad.add(ratio.toFixed(2) + " " + e.tagName + "." + (e.getAttribute("class") || "") + " in ." + (e.parentElement.getAttribute("class") || ""));
		}
		return [...bad];
	})()`)
}

// shoot is for people who change the pages: go test -run Browser -shots DIR.
func (tab *tab) shoot(t *testing.T, name string) {
	t.Helper()
	shot, err := chromedp.Run(tab.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(*shots, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*shots, name+".png"), shot, 0o644); err != nil {
		t.Fatal(err)
	}
}
