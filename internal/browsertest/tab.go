package browsertest

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

var shots = flag.String("shots", "", "folder to write screenshots of the pages to")

// A Screen is what a page is shown on.
type Screen struct {
	Name          string
	width, height int64
}

// The two screens that pages are made for.
var (
	Phone   = Screen{"phone", 360, 800}
	Desktop = Screen{"desktop", 1280, 900}
)

// A Tab shows pages and keeps what they write to the console.
type Tab struct {
	// Context is what chromedp's functions act on the tab by.
	Context  context.Context //nolint:containedctx // it is the tab: chromedp knows it by that alone
	mu       sync.Mutex
	messages []string
}

// NewTab opens a tab, until the test ends, for somebody who prefers a colour
// scheme: "light" or "dark".
func NewTab(t *testing.T, browser context.Context, screen Screen, scheme string) *Tab { //nolint:revive // t comes first in tests
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	ctx, cancelTimeout := context.WithTimeout(ctx, 2*time.Minute)
	tab := &Tab{Context: ctx}
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
	tab.Do(t, chromedp.EmulateViewport(screen.width, screen.height))
	return tab
}

// Open shows the page at an address.
func (tab *Tab) Open(t *testing.T, address string) {
	t.Helper()
	if err := chromedp.Do(tab.Context, chromedp.Navigate(address)); err != nil {
		t.Fatalf("open %s: %v", address, err)
	}
}

// Do acts on the page.
func (tab *Tab) Do(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(tab.Context, actions...); err != nil {
		t.Fatal(err)
	}
}

// Follow acts on the page and waits for the page that this leads to.
func (tab *Tab) Follow(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if _, err := chromedp.RunResponse(tab.Context, actions...); err != nil {
		t.Fatalf("go to the next page: %v", err)
	}
}

// Evaluate returns what an expression is in the page.
func Evaluate[T any](t *testing.T, tab *Tab, expression string) T {
	t.Helper()
	v, err := chromedp.Run(tab.Context, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("evaluate %s: %v", expression, err)
	}
	return v
}

// WantNone checks that an expression finds nothing to complain about.
func (tab *Tab) WantNone(t *testing.T, what, expression string) {
	t.Helper()
	if found := Evaluate[[]string](t, tab, expression); len(found) > 0 {
		t.Errorf("%s:\n%s", what, strings.Join(found, "\n"))
	}
}

// CheckConsole fails on whatever a page wrote since the last check: errors,
// and violations of its policy, which hostile text would cause. Messages that
// hold one of expected may be there.
func (tab *Tab) CheckConsole(t *testing.T, page string, expected ...string) {
	t.Helper()
	for _, m := range tab.console() {
		if !holdsOne(m, expected) {
			t.Errorf("%s: console: %s", page, m)
		}
	}
}

func holdsOne(s string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}

// console returns what pages wrote since it was called last.
func (tab *Tab) console() []string {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	messages := tab.messages
	tab.messages = nil
	return messages
}

// Shooting says whether people want pictures: go test -run Browser -shots DIR.
func Shooting() bool { return *shots != "" }

// Shoot takes a picture of the page for people who change it, if they want.
func (tab *Tab) Shoot(t *testing.T, name string, picture chromedp.Action[[]byte]) {
	t.Helper()
	if !Shooting() {
		return
	}
	content, err := chromedp.Run(tab.Context, picture)
	if err != nil {
		t.Fatal(err)
	}
	SaveShot(t, name, content)
}

// SaveShot keeps a picture for people, if they want.
func SaveShot(t *testing.T, name string, content []byte) {
	t.Helper()
	if !Shooting() {
		return
	}
	if err := os.MkdirAll(*shots, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*shots, name), content, 0o644); err != nil {
		t.Fatal(err)
	}
}
