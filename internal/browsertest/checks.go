package browsertest

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// CheckWidth checks that the page does not scroll sideways. Parts of the class
// scroll may.
func (tab *Tab) CheckWidth(t *testing.T, page string) {
	t.Helper()
	tab.WantNone(t, page+": these reach beyond the page, which scrolls sideways", `
		document.documentElement.scrollWidth <= innerWidth ? [] :
		[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll *"))
			.map(e => e.tagName + "." + e.className.toString() + ": " + e.textContent.slice(0, 60))`)
}

// CheckCut checks that nothing is cut off but what is meant to be.
func (tab *Tab) CheckCut(t *testing.T, page string) {
	t.Helper()
	tab.WantNone(t, page+": these are cut off", `
		[...document.querySelectorAll("main *:not(.visually-hidden, .visually-hidden *, thead, thead *, svg *, input, option, datalist)")]
			.filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX != "visible").map(e => e.outerHTML.slice(0, 200))`)
}

// CheckAccessibility checks what every page owes people who do not see it:
// language, headings, landmarks, names and references.
func (tab *Tab) CheckAccessibility(t *testing.T, page string) {
	t.Helper()
	if lang := Evaluate[string](t, tab, `document.documentElement.lang`); lang != "en" {
		t.Errorf("%s: language of the page: %q", page, lang)
	}
	tab.WantNone(t, page+": headings skip a level, or there is not one h1", `(() => {
		let level = 0, bad = [];
		for (const h of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
			const next = +h.tagName[1];
			if (next > level + 1) bad.push(h.tagName + " after h" + level + ": " + h.textContent);
			level = next;
		}
		return document.querySelectorAll("h1").length == 1 ? bad : bad.concat("h1");
	})()`)
	tab.WantNone(t, page+": landmarks that are missing", `["header", "nav[aria-label]", "main[id]", "footer", "a.skip[href='#" + document.querySelector("main")?.id + "']"].filter(s => !document.querySelector(s))`)
	tab.WantNone(t, page+": sections without a name", `
		[...document.querySelectorAll("section")].filter(e => !e.getAttribute("aria-label") && !document.getElementById(e.getAttribute("aria-labelledby"))?.textContent.trim()).map(e => e.outerHTML.slice(0, 200))`)
	tab.WantNone(t, page+": tables without caption or scoped headers", `
		[...document.querySelectorAll("table")].filter(e => !e.caption?.textContent.trim() || !e.querySelector("th[scope=col]") || !e.querySelector("tbody th[scope=row]"))
			.map(e => e.outerHTML.slice(0, 200))`)
	tab.WantNone(t, page+": fields without a label", `[...document.querySelectorAll("input, select")].filter(e => !e.labels[0]?.textContent.trim()).map(e => e.id)`)
	tab.WantNone(t, page+": badges without a word", `[...document.querySelectorAll(".badge")].filter(e => !/[a-z]{3}/i.test(e.textContent)).map(e => e.outerHTML)`)
	tab.WantNone(t, page+": references to ids that do not exist", `
		[...document.querySelectorAll("a[href^='#']")].map(e => e.getAttribute("href").slice(1))
			.concat([...document.querySelectorAll("[aria-labelledby], [aria-describedby]")].flatMap(e => ((e.getAttribute("aria-labelledby") || "") + " " + (e.getAttribute("aria-describedby") || "")).trim().split(" ")))
			.filter(id => !document.getElementById(id))`)
	tab.WantNone(t, page+": ids that are there twice", `
		[...document.querySelectorAll("[id]")].map(e => e.id).filter((id, i, all) => all.indexOf(id) != i)`)
}

// CheckRows checks that every row of every table has a header of its own.
func (tab *Tab) CheckRows(t *testing.T, page string) {
	t.Helper()
	tab.WantNone(t, page+": rows without a header", `
		[...document.querySelectorAll("table")].flatMap(e => [...e.tBodies[0].rows]).filter(r => !r.querySelector("th[scope=row]")).map(e => e.outerHTML.slice(0, 200))`)
}

// CheckSkip goes to the link that skips to the content: the keyboard's first
// stop, which shows when it is reached.
func (tab *Tab) CheckSkip(t *testing.T) {
	t.Helper()
	tab.Do(t, chromedp.KeyEvent(kb.Tab))
	if got := Evaluate[string](t, tab, `document.activeElement.className`); got != "skip" {
		t.Errorf("the first stop is %q, want the link that skips", got)
	}
	if top := Evaluate[float64](t, tab, `document.activeElement.getBoundingClientRect().top`); top < 0 {
		t.Error("the link that skips is not visible when it has the focus")
	}
}

// CheckNothingRan looks for traces of hostile text, whose scripts set
// window.ran. The page has none of the elements that no page of ours has, nor
// those of the selector unwanted.
func (tab *Tab) CheckNothingRan(t *testing.T, page, unwanted string) {
	t.Helper()
	if Evaluate[bool](t, tab, `"ran" in window`) {
		t.Errorf("%s: hostile text ran", page)
	}
	tab.WantNone(t, page+": elements and attributes that the templates do not make", fmt.Sprintf(`
		[...document.querySelectorAll("script, img, iframe, object, embed, base, [style], [src], " + %q)].map(e => e.outerHTML.slice(0, 200))
			.concat([...document.querySelectorAll("*")].flatMap(e => [...e.attributes].filter(a => a.name.startsWith("on")).map(a => a.name)))`, unwanted))
	tab.WantNone(t, page+": text that nobody sees", `
		document.documentElement.textContent.match(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g) || []`)
}

// CheckPolicy tries what hostile text would try, to show that the page's
// policy would stop it if the escaping did not. What the selector bold finds
// is bold only if the page's own style is let in.
func (tab *Tab) CheckPolicy(t *testing.T, bold string) {
	t.Helper()
	Evaluate[bool](t, tab, `(() => {
		const s = document.createElement("script");
		s.textContent = "window.ran = 2";
		document.body.append(s);
		document.body.setAttribute("style", "outline: 7px solid red");
		return true;
	})()`)
	if Evaluate[bool](t, tab, `"ran" in window`) {
		t.Error("the policy lets an inline script run")
	}
	if Evaluate[string](t, tab, `getComputedStyle(document.body).outlineStyle`) != "none" {
		t.Error("the policy lets an inline style in")
	}
	if Evaluate[string](t, tab, fmt.Sprintf(`getComputedStyle(document.querySelector(%q)).fontWeight`, bold)) != "600" {
		t.Error("the policy does not let the page's own style in")
	}
}

// CheckContrast computes WCAG's contrast of each visible text with what is
// behind it: 4.5 at least for text of normal size (1.4.3, level AA).
func (tab *Tab) CheckContrast(t *testing.T, page string) {
	t.Helper()
	tab.WantNone(t, page+": text of too little contrast", `(() => {
		const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
		const drawn = color => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); const d = canvas.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255]; };
		const known = new Map();
		const rgba = color => { if (!known.has(color)) known.set(color, drawn(color)); return known.get(color); };
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
