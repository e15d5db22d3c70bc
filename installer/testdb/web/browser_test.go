package web

import (
	"context"
	"flag"
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
	"github.com/google/go-cmp/cmp"

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

func TestPagesInBrowser(t *testing.T) {
	browser := browsertest.Start(t)
	s := sample(t)
	server := httptest.NewServer(handler(t, s, Options{ArchiveURL: archives}))
	t.Cleanup(server.Close)
	for _, screen := range screens {
		for _, scheme := range []string{"light", "dark"} {
			tab := openTab(t, browser, screen.width, screen.height, scheme)
			for name, path := range everyPage(t, s) {
				tab.open(t, server.URL+path)
				checkLayout(t, tab, name)
				checkAccessibility(t, tab, name)
				checkNothingRan(t, tab, name)
				checkContrast(t, tab, name+" "+scheme)
				tab.checkConsole(t, name)
				if *shots != "" {
					tab.shoot(t, screen.name+"-"+scheme+"-"+name)
				}
				unfold(t, tab)
				checkLayout(t, tab, name+", unfolded")
			}
		}
	}
	t.Run("policy", func(t *testing.T) {
		checkPolicy(t, openTab(t, browser, 1280, 900, "light"), server.URL)
	})
	t.Run("keyboard", func(t *testing.T) {
		checkKeyboard(t, openTab(t, browser, 360, 800, "light"), server.URL)
	})
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
		if !strings.Contains(m, "the server responded with a status of 40") {
			t.Errorf("%s: console: %s", page, m)
		}
	}
	tab.messages = nil
}

func unfold(t *testing.T, tab *tab) {
	t.Helper()
	evaluate[bool](t, tab, `document.querySelectorAll("details").forEach(d => d.open = true), true`)
}

func checkLayout(t *testing.T, tab *tab, page string) {
	t.Helper()
	wantNone(t, tab, page+": these reach beyond the page, which scrolls sideways", `
		document.documentElement.scrollWidth <= innerWidth ? [] :
		[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1)
			.map(e => e.tagName + "." + e.className.toString() + ": " + e.textContent.slice(0, 60))`)
	wantNone(t, tab, page+": these are cut off", `
		[...document.querySelectorAll("main *:not(.visually-hidden, .visually-hidden *, thead, thead *, svg *, input, option, datalist)")]
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
	wantNone(t, tab, page+": images that are neither named nor hidden", `[...document.querySelectorAll("img, svg:not([aria-hidden=true])")].map(e => e.outerHTML.slice(0, 200))`)
	wantNone(t, tab, page+": tables without caption or scoped headers", `
		[...document.querySelectorAll("table")].filter(e => !e.caption?.textContent.trim() || !e.querySelector("th[scope=col]") || [...e.tBodies[0].rows].some(r => !r.querySelector("th[scope=row]")))
			.map(e => e.outerHTML.slice(0, 200))`)
	wantNone(t, tab, page+": fields without a label", `[...document.querySelectorAll("input, select")].filter(e => !e.labels[0]?.textContent.trim()).map(e => e.id)`)
	wantNone(t, tab, page+": links without words, or with the words of another", `(() => {
		const seen = new Map(), bad = [];
		for (const a of document.querySelectorAll("td[data-label=Archive] a")) {
			const words = a.textContent.trim();
			if (!words) bad.push(a.outerHTML);
			if (seen.has(words) && seen.get(words) != a.href) bad.push(words);
			seen.set(words, a.href);
		}
		return bad;
	})()`)
	wantNone(t, tab, page+": references to ids that do not exist", `
		[...document.querySelectorAll("a[href^='#']")].map(e => e.getAttribute("href").slice(1))
			.concat([...document.querySelectorAll("[aria-labelledby], [aria-describedby]")].flatMap(e => ((e.getAttribute("aria-labelledby") || "") + " " + (e.getAttribute("aria-describedby") || "")).trim().split(" ")))
			.filter(id => !document.getElementById(id))`)
	wantNone(t, tab, page+": ids that are there twice", `
		[...document.querySelectorAll("[id]")].map(e => e.id).filter((id, i, all) => all.indexOf(id) != i)`)
	wantNone(t, tab, page+": landmarks that are missing", `["header", "nav[aria-label]", "main", "footer", "a.skip[href='#content']"].filter(s => !document.querySelector(s))`)
	wantNone(t, tab, page+": sections without a name", `
		[...document.querySelectorAll("section")].filter(e => !e.getAttribute("aria-label") && !document.getElementById(e.getAttribute("aria-labelledby"))?.textContent.trim()).map(e => e.outerHTML.slice(0, 200))`)
	wantNone(t, tab, page+": badges without a word", `[...document.querySelectorAll(".badge")].filter(e => !/[a-z]{3}/i.test(e.textContent)).map(e => e.outerHTML)`)
	wantNone(t, tab, page+": targets of less than 24 pixels beside another (WCAG 2.5.8)", `
		[...document.querySelectorAll("nav a, button, input, select, summary")].filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 24).map(e => e.outerHTML.slice(0, 100))`)
	if lang := evaluate[string](t, tab, `document.documentElement.lang`); lang != "en" {
		t.Errorf("%s: language of the page: %q", page, lang)
	}
}

// checkNothingRan looks for traces of the hostile text.
func checkNothingRan(t *testing.T, tab *tab, page string) {
	t.Helper()
	if evaluate[bool](t, tab, `"ran" in window`) {
		t.Errorf("%s: hostile text ran", page)
	}
	wantNone(t, tab, page+": elements and attributes that the templates do not make", `
		[...document.querySelectorAll("script, img, iframe, object, embed, base, style, [style], [src]")].map(e => e.outerHTML.slice(0, 200))
			.concat([...document.querySelectorAll("*")].flatMap(e => [...e.attributes].filter(a => a.name.startsWith("on")).map(a => a.name)))`)
	wantNone(t, tab, page+": links to neither the web nor the server", `[...document.querySelectorAll("a")].filter(e => !/^https?:$/.test(e.protocol)).map(e => e.outerHTML.slice(0, 200))`)
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
		while (walker.nextNode()) {
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
	if evaluate[string](t, tab, `getComputedStyle(document.querySelector(".badge")).fontWeight`) != "600" {
		t.Error("the policy does not let the page's own style in")
	}
}

// checkKeyboard finds a failure and goes to it with the keyboard alone.
func checkKeyboard(t *testing.T, tab *tab, server string) {
	t.Helper()
	tab.open(t, server+"/")
	tab.do(t, chromedp.KeyEvent(kb.Tab))
	if got := evaluate[string](t, tab, `document.activeElement.className`); got != "skip" {
		t.Errorf("the first stop is %q, want the link that skips", got)
	}
	if top := evaluate[float64](t, tab, `document.activeElement.getBoundingClientRect().top`); top < 0 {
		t.Error("the link that skips is not visible when it has the focus")
	}
	tab.do(t, chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(kb.Tab))
	if got := evaluate[string](t, tab, `document.activeElement.closest("main th") ? "row" : document.activeElement.outerHTML`); got != "row" {
		t.Errorf("after skipping the first stop is %s, want the first campaign", got)
	}

	tab.open(t, server+"/search")
	tab.do(t, chromedp.Focus(chromedp.ID("build_tag")), chromedp.KeyEvent("daily-v1.23-functest-12"), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab))
	if got := evaluate[string](t, tab, `document.activeElement.id`); got != "criteria" {
		t.Fatalf("two fields after the build tag is %q, want criteria", got)
	}
	if evaluate[string](t, tab, `getComputedStyle(document.activeElement).outlineStyle`) == "none" {
		t.Error("the focus is not visible on the form")
	}
	tab.do(t, chromedp.KeyEvent("F"), chromedp.KeyEvent(kb.Tab))
	if _, err := chromedp.RunResponse(tab.ctx, chromedp.KeyEvent(kb.Enter)); err != nil {
		t.Fatalf("send the form: %v", err)
	}
	if diff := cmp.Diff("?case=&build_tag=daily-v1.23-functest-12&pod=&criteria=FAIL&from=&to=", evaluate[string](t, tab, `location.search`)); diff != "" {
		t.Errorf("the question (-want +got):\n%s", diff)
	}
	if got := evaluate[[]string](t, tab, `[...document.querySelectorAll("tbody th")].map(e => e.textContent)`); len(got) != 1 || got[0] != "sig_network" {
		t.Errorf("found %v, want sig_network", got)
	}

	tab.open(t, server+"/openapi#createResult")
	tab.do(t, chromedp.Focus(chromedp.CSS("#createResult > summary")), chromedp.KeyEvent(kb.Enter))
	if !evaluate[bool](t, tab, `document.querySelector("#createResult").open`) {
		t.Error("the keyboard does not unfold an operation")
	}
	tab.checkConsole(t, "keyboard")
}

// shoot is for people who change the pages: go test -run Browser -shots DIR.
func (tab *tab) shoot(t *testing.T, name string) {
	t.Helper()
	shot, err := chromedp.Run(tab.ctx, chromedp.FullScreenshot(100))
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
