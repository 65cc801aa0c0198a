//go:build linux

package e2e

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"devrun/devserver/suite"
)

// Tab is one page of the browser, what its console said and what it asked for.
type Tab struct {
	t   testing.TB
	ctx context.Context

	mu      sync.Mutex
	console []string
	asked   []string
}

// NewTab opens an address in a tab of its own, which is closed with the test.
func NewTab(t testing.TB, b context.Context, url string) *Tab {
	t.Helper()
	p := &Tab{t: t}
	ctx, closeTab := chromedp.NewContext(b, chromedp.WithListener(p.note))
	t.Cleanup(closeTab)
	p.ctx = ctx
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	within, cancel := context.WithTimeout(ctx, suite.Patience)
	defer cancel()
	if err := chromedp.Do(within, chromedp.Navigate(url)); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *Tab) note(ev any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch ev := ev.(type) {
	case *log.EventEntryAdded:
		p.console = append(p.console, fmt.Sprint(ev.Entry.Level, " ", ev.Entry.Text, " ", ev.Entry.URL))
	case *runtime.EventConsoleAPICalled:
		for _, a := range ev.Args {
			p.console = append(p.console, fmt.Sprint(ev.Type, " ", string(a.Value)))
		}
	case *runtime.EventExceptionThrown:
		p.console = append(p.console, "exception "+ev.ExceptionDetails.Text)
	case *network.EventRequestWillBeSent:
		p.asked = append(p.asked, ev.Request.URL)
	}
}

// Do runs a script in the page.
func (p *Tab) Do(script string) {
	p.t.Helper()
	if got := p.Eval("(() => {" + script + "; return 'done'})()"); got != "done" {
		p.t.Fatalf("%s: %s", script, got)
	}
}

// Eval returns what an expression of JavaScript is, as text; while the page
// is being replaced it is the error.
func (p *Tab) Eval(expr string) string {
	ctx, cancel := context.WithTimeout(p.ctx, suite.Patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[string]("String("+expr+")"))
	if err != nil {
		return err.Error()
	}
	return v
}

// Becomes waits until an expression's text matches a pattern.
func (p *Tab) Becomes(expr, want string) {
	p.t.Helper()
	re := regexp.MustCompile(want)
	suite.Until(p.t, expr+" is "+want, func() error {
		if got := p.Eval(expr); !re.MatchString(got) {
			return was{p, got}
		}
		return nil
	})
}

// was says what a page has instead of what it is to have.
type was struct {
	p   *Tab
	got string
}

func (w was) Error() string {
	return fmt.Sprintf("it is %q; console: %q; page: %s", w.got, w.p.Said(), w.p.Eval(pageNow))
}

// pageNow is where a page is, its text, and what its fields hold.
const pageNow = `location.href + "\n" + document.body.innerText + "\n" + [...document.querySelectorAll("input, textarea")].map((f) => f.name + "=" + f.value).join(" ")`

// Said is what the console has said so far.
func (p *Tab) Said() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.console)
}

// Asked are the addresses that the page has asked for so far.
func (p *Tab) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// styled says whether the page has its stylesheets, or will not get them.
const styled = `document.readyState !== "loading" && [...document.querySelectorAll("link[rel=stylesheet]")].every((l) => l.sheet || performance.getEntriesByName(l.href).length)`

// Act does what a person does: a click, a key. It waits for the stylesheets: a
// click before that misses what they move. What a page takes away before it was
// reached is looked for again in the page that comes.
func (p *Tab) Act(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, suite.Patience)
	defer cancel()
	for _, action := range actions {
		p.Becomes(styled, "^true$")
		err := chromedp.Do(ctx, action)
		for err != nil && strings.Contains(err.Error(), "Could not find node with given id") && ctx.Err() == nil {
			err = chromedp.Do(ctx, action)
		}
		if err != nil {
			p.t.Fatal(err)
		}
	}
}

// Type puts the focus on what a selector finds and types there.
func (p *Tab) Type(selector, text string) {
	p.t.Helper()
	p.Do(`document.querySelector(` + strconv.Quote(selector) + `).focus()`)
	p.Act(chromedp.KeyEvent(text))
}

// Enter presses that key, which writes nothing where the page prevents it.
func (p *Tab) Enter() {
	p.t.Helper()
	p.key(input.DispatchKeyEventParams{Type: "keyDown", Key: "Enter", Code: "Enter", Text: "\r", WindowsVirtualKeyCode: 13})
	p.key(input.DispatchKeyEventParams{Type: "keyUp", Key: "Enter", Code: "Enter", WindowsVirtualKeyCode: 13})
}

// Paste puts in what was copied, where the focus is.
func (p *Tab) Paste() {
	p.t.Helper()
	p.key(input.DispatchKeyEventParams{Type: "keyDown", Commands: []string{"paste"}})
}

func (p *Tab) key(event input.DispatchKeyEventParams) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, suite.Patience)
	defer cancel()
	if _, err := chromedp.Call(ctx, input.DispatchKeyEvent, event); err != nil {
		p.t.Fatal(err)
	}
}

// Shoot writes a picture of the page in a window of that size.
func (p *Tab) Shoot(path string, width, height int64) {
	p.t.Helper()
	p.Act(chromedp.EmulateViewport(width, height))
	ctx, cancel := context.WithTimeout(p.ctx, suite.Patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(path, png, 0o644)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// BodyText is the expression for what a person reads on the page.
const BodyText = `document.body.innerText`
