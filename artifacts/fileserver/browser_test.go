package fileserver

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/internal/browsertest"
)

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
	for _, screen := range []browsertest.Screen{browsertest.Phone, browsertest.Desktop} {
		for _, scheme := range []string{"light", "dark"} {
			tab := browsertest.NewTab(t, browser, screen, scheme)
			for name, path := range pages {
				tab.Open(t, server.URL+path)
				tab.CheckWidth(t, screen.Name+" "+name)
				tab.CheckCut(t, screen.Name+" "+name)
				checkAccessibility(t, tab, name)
				checkNothingRan(t, tab, name)
				tab.CheckContrast(t, name+" "+scheme)
				tab.CheckConsole(t, name, "the server responded with a status of 4") // of a page about an error
				tab.Shoot(t, screen.Name+"-"+scheme+"-"+name+".png", chromedp.CaptureScreenshot())
			}
		}
	}
	t.Run("files", func(t *testing.T) {
		checkFiles(t, browsertest.NewTab(t, browser, browsertest.Desktop, "light"), server.URL)
	})
	t.Run("policy", func(t *testing.T) {
		tab := browsertest.NewTab(t, browser, browsertest.Desktop, "light")
		tab.Open(t, server.URL+"/")
		tab.CheckPolicy(t, "tbody th.folder")
	})
	t.Run("keyboard", func(t *testing.T) {
		checkKeyboard(t, browsertest.NewTab(t, browser, browsertest.Phone, "light"), server.URL)
	})
}

// checkFiles opens files of tests as pages: they show, and run nothing.
func checkFiles(t *testing.T, tab *browsertest.Tab, server string) {
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
		tab.Open(t, server+path)
		if !browsertest.Evaluate[bool](t, tab, want) {
			t.Errorf("%s: it is not shown", path)
		}
		if browsertest.Evaluate[bool](t, tab, `document.title == "ran" || "ran" in window`) {
			t.Errorf("%s: its script ran", path)
		}
		if origin := browsertest.Evaluate[string](t, tab, `self.origin`); origin != "null" {
			t.Errorf("%s: is of the origin %s", path, origin)
		}
		tab.Shoot(t, "file-"+filepath.Base(path)+".png", chromedp.CaptureScreenshot())
	}
}

// checkKeyboard goes from the top to a file and back by keys alone.
func checkKeyboard(t *testing.T, tab *browsertest.Tab, server string) {
	t.Helper()
	tab.Open(t, server+"/AB12CD34EF00/")
	tab.CheckSkip(t)
	tab.Do(t, chromedp.KeyEvent(kb.Enter))
	var stops []string
	for range 3 {
		tab.Do(t, chromedp.KeyEvent(kb.Tab))
		stops = append(stops, browsertest.Evaluate[string](t, tab, `document.activeElement.textContent.slice(0, 8)`))
	}
	if got := strings.Join(stops, " "); got != "Report Archive functest" {
		t.Errorf("after skipping, the stops are %q", got)
	}
	if browsertest.Evaluate[string](t, tab, `getComputedStyle(document.activeElement).outlineStyle`) == "none" {
		t.Error("the focus is not visible")
	}
	tab.Follow(t, chromedp.KeyEvent(kb.Enter))
	if got := browsertest.Evaluate[string](t, tab, `document.querySelector("h1").textContent`); !strings.HasPrefix(got, "functest-kubernetes-opnfv") {
		t.Errorf("it leads to %q", got)
	}
	tab.Do(t, chromedp.Focus(chromedp.CSS("nav li:nth-child(2) a")))
	tab.Follow(t, chromedp.KeyEvent(kb.Enter))
	if got := browsertest.Evaluate[string](t, tab, `location.pathname`); got != "/AB12CD34EF00/" {
		t.Errorf("up leads to %q", got)
	}
	tab.CheckConsole(t, "keyboard")
}

func checkAccessibility(t *testing.T, tab *browsertest.Tab, page string) {
	t.Helper()
	tab.CheckAccessibility(t, page)
	tab.CheckRows(t, page)
	tab.WantNone(t, page+": links without words, or with the words of another", `(() => {
		const seen = new Map(), bad = [];
		for (const a of document.querySelectorAll("main a")) {
			const words = a.textContent.trim();
			if (!words) bad.push(a.outerHTML);
			if (seen.has(words) && seen.get(words) != a.href) bad.push(words);
			seen.set(words, a.href);
		}
		return bad;
	})()`)
	tab.WantNone(t, page+": targets of less than 24 pixels beside another (WCAG 2.5.8)", `
		[...document.querySelectorAll(".top li, .archive a")].filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 24).map(e => e.outerHTML.slice(0, 100))`)
}

// checkNothingRan looks for traces of the hostile names.
func checkNothingRan(t *testing.T, tab *browsertest.Tab, page string) {
	t.Helper()
	tab.CheckNothingRan(t, page, "form")
	tab.WantNone(t, page+": links to neither the web nor the server", `[...document.querySelectorAll("a")].filter(e => e.origin != location.origin).map(e => e.outerHTML.slice(0, 200))`)
}
