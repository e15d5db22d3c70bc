package web

import (
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/internal/browsertest"
)

func TestPagesInBrowser(t *testing.T) {
	browser := browsertest.Start(t)
	s := sample(t)
	server := httptest.NewServer(handler(t, s, Options{ArchiveURL: archives}))
	t.Cleanup(server.Close)
	for _, screen := range []browsertest.Screen{browsertest.Phone, browsertest.Desktop} {
		for _, scheme := range []string{"light", "dark"} {
			tab := browsertest.NewTab(t, browser, screen, scheme)
			for name, path := range everyPage(t, s) {
				tab.Open(t, server.URL+path)
				tab.CheckWidth(t, name)
				tab.CheckCut(t, name)
				checkAccessibility(t, tab, name)
				checkNothingRan(t, tab, name)
				tab.CheckContrast(t, name+" "+scheme)
				tab.CheckConsole(t, name, "the server responded with a status of 40") // of a page about an error
				tab.Shoot(t, screen.Name+"-"+scheme+"-"+name+".png", chromedp.FullScreenshot(100))
				unfold(t, tab)
				tab.CheckWidth(t, name+", unfolded")
				tab.CheckCut(t, name+", unfolded")
			}
		}
	}
	t.Run("policy", func(t *testing.T) {
		tab := browsertest.NewTab(t, browser, browsertest.Desktop, "light")
		tab.Open(t, server.URL+"/")
		tab.CheckPolicy(t, ".badge")
	})
	t.Run("keyboard", func(t *testing.T) {
		checkKeyboard(t, browsertest.NewTab(t, browser, browsertest.Phone, "light"), server.URL)
	})
}

func unfold(t *testing.T, tab *browsertest.Tab) {
	t.Helper()
	browsertest.Evaluate[bool](t, tab, `document.querySelectorAll("details").forEach(d => d.open = true), true`)
}

func checkAccessibility(t *testing.T, tab *browsertest.Tab, page string) {
	t.Helper()
	tab.CheckAccessibility(t, page)
	tab.CheckRows(t, page)
	tab.WantNone(t, page+": images that are neither named nor hidden", `[...document.querySelectorAll("img, svg:not([aria-hidden=true])")].map(e => e.outerHTML.slice(0, 200))`)
	tab.WantNone(t, page+": links without words, or with the words of another", `(() => {
		const seen = new Map(), bad = [];
		for (const a of document.querySelectorAll("td[data-label=Archive] a")) {
			const words = a.textContent.trim();
			if (!words) bad.push(a.outerHTML);
			if (seen.has(words) && seen.get(words) != a.href) bad.push(words);
			seen.set(words, a.href);
		}
		return bad;
	})()`)
	tab.WantNone(t, page+": targets of less than 24 pixels beside another (WCAG 2.5.8)", `
		[...document.querySelectorAll("nav a, button, input, select, summary")].filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 24).map(e => e.outerHTML.slice(0, 100))`)
}

// checkNothingRan looks for traces of the hostile text.
func checkNothingRan(t *testing.T, tab *browsertest.Tab, page string) {
	t.Helper()
	tab.CheckNothingRan(t, page, "style")
	tab.WantNone(t, page+": links to neither the web nor the server", `[...document.querySelectorAll("a")].filter(e => !/^https?:$/.test(e.protocol)).map(e => e.outerHTML.slice(0, 200))`)
}

// checkKeyboard finds a failure and goes to it with the keyboard alone.
func checkKeyboard(t *testing.T, tab *browsertest.Tab, server string) {
	t.Helper()
	tab.Open(t, server+"/")
	tab.CheckSkip(t)
	tab.Do(t, chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(kb.Tab))
	if got := browsertest.Evaluate[string](t, tab, `document.activeElement.closest("main th") ? "row" : document.activeElement.outerHTML`); got != "row" {
		t.Errorf("after skipping the first stop is %s, want the first campaign", got)
	}

	tab.Open(t, server+"/search")
	tab.Do(t, chromedp.Focus(chromedp.ID("build_tag")), chromedp.KeyEvent("daily-v1.23-functest-12"), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab))
	if got := browsertest.Evaluate[string](t, tab, `document.activeElement.id`); got != "criteria" {
		t.Fatalf("two fields after the build tag is %q, want criteria", got)
	}
	if browsertest.Evaluate[string](t, tab, `getComputedStyle(document.activeElement).outlineStyle`) == "none" {
		t.Error("the focus is not visible on the form")
	}
	tab.Do(t, chromedp.KeyEvent("F"), chromedp.KeyEvent(kb.Tab))
	tab.Follow(t, chromedp.KeyEvent(kb.Enter))
	if diff := cmp.Diff("?case=&build_tag=daily-v1.23-functest-12&pod=&criteria=FAIL&from=&to=", browsertest.Evaluate[string](t, tab, `location.search`)); diff != "" {
		t.Errorf("the question (-want +got):\n%s", diff)
	}
	if got := browsertest.Evaluate[[]string](t, tab, `[...document.querySelectorAll("tbody th")].map(e => e.textContent)`); len(got) != 1 || got[0] != "sig_network" {
		t.Errorf("found %v, want sig_network", got)
	}

	tab.Open(t, server+"/openapi#createResult")
	tab.Do(t, chromedp.Focus(chromedp.CSS("#createResult > summary")), chromedp.KeyEvent(kb.Enter))
	if !browsertest.Evaluate[bool](t, tab, `document.querySelector("#createResult").open`) {
		t.Error("the keyboard does not unfold an operation")
	}
	tab.CheckConsole(t, "keyboard")
}
