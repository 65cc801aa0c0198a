package reload

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdplog "github.com/chromedp/cdproto/log"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"devrun/devserver/suite"
)

// tab is a page of the browser that notes what its console says.
type tab struct {
	t     *testing.T
	ctx   context.Context
	close func()
	app   *app

	mu       sync.Mutex
	warnings []string
	errors   []string
	allowed  []string
	dialogs  int
}

func (a *app) open(path string) *tab {
	a.t.Helper()
	b := &tab{t: a.t, app: a}
	ctx, closeTab := chromedp.NewContext(browser, chromedp.WithListener(b.note))
	b.ctx = ctx
	b.close = closeTab
	a.t.Cleanup(func() {
		b.close()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, said := range b.errors {
			if !slices.ContainsFunc(b.allowed, func(text string) bool { return strings.Contains(said, text) }) {
				a.t.Errorf("the console says %q", said)
			}
		}
	})
	if _, err := chromedp.Call(ctx, cdplog.Enable, cdp.Empty{}); err != nil {
		a.t.Fatal(err)
	}
	b.goTo(a.server.URL + path)
	b.hears()
	return b
}

func (b *tab) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		var words []string
		for _, arg := range e.Args {
			words = append(words, string(arg.Value))
		}
		if text := strings.Join(words, " "); e.Type == runtime.ConsoleAPICalledTypeWarning {
			b.warnings = append(b.warnings, text)
		} else if e.Type == runtime.ConsoleAPICalledTypeError {
			b.errors = append(b.errors, text)
		}
	case *cdppage.EventJavascriptDialogOpening:
		b.dialogs++ // the first is refused, what comes then is accepted
		accept := cdppage.HandleJavaScriptDialogParams{Accept: b.dialogs > 1}
		go func() {
			if _, err := chromedp.Call(b.ctx, cdppage.HandleJavaScriptDialog, accept); err != nil {
				b.t.Error(err)
			}
		}()
	case *runtime.EventExceptionThrown:
		b.errors = append(b.errors, e.ExceptionDetails.Text)
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.EntryLevelError {
			b.errors = append(b.errors, e.Entry.Text)
		}
	}
}

// allow waits for an error that contains text, and lets all such errors be: how many
// there are, and when the last one is told, is the browser's.
func (b *tab) allow(text string) {
	b.t.Helper()
	suite.Until(b.t, "the console's error", func() error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if !slices.ContainsFunc(b.errors, func(said string) bool { return strings.Contains(said, text) }) {
			return fmt.Errorf("the console says nothing of %q: %q", text, b.errors)
		}
		return nil
	})
	b.allowed = append(b.allowed, text)
}

func (b *tab) goTo(url string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, suite.Patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		b.t.Fatal(err)
	}
}

// do runs script in the page.
func (b *tab) do(script string) {
	b.t.Helper()
	if _, err := b.eval("(() => {" + script + "})()"); err != nil {
		b.t.Fatal(err)
	}
}

// eval returns the value of expression as JSON, or the error: a page that is
// just being replaced has none.
func (b *tab) eval(expression string) (string, error) {
	ctx, cancel := context.WithTimeout(b.ctx, suite.Patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[[]byte]("("+expression+") ?? null"))
	return string(value), err
}

func (b *tab) wait(expression, want string) {
	b.t.Helper()
	suite.Until(b.t, "the expression's value", func() error {
		got, err := b.eval(expression)
		if err != nil || got != want {
			return fmt.Errorf("%s is %s, want %s (%v)", expression, got, want, err)
		}
		return nil
	})
}

// hears waits until the page has loaded and its script has run.
func (b *tab) hears() {
	b.t.Helper()
	b.wait(`document.readyState === 'complete' && !document.querySelector('script[data-devrun]') || !!window[Symbol.for('devrun')]`, "true")
}

// loaded waits for the request to have been made n times, and for the page of
// generation to stand.
func (b *tab) loaded(request string, n int, version string) {
	b.t.Helper()
	b.wait(`document.querySelector('script[data-devrun]').dataset.devrun`, `"`+version+`"`)
	b.wait(`document.readyState`, `"complete"`)
	if got := b.app.count(request); got != n {
		b.t.Errorf("%s: %d requests, want %d", request, got, n)
	}
}

// settled proves that each tab has acted on everything published so far: it
// has heard of an edit to a stylesheet that came after it.
func (a *app) settled(tabs ...*tab) {
	a.t.Helper()
	a.mu.Lock()
	a.edits++
	a.pages["/settled.css"] = page{body: fmt.Sprintf(":root { --settled: %d }", a.edits), header: map[string]string{"Content-Type": "text/css"}}
	want := fmt.Sprintf(`"%d true"`, a.edits)
	a.mu.Unlock()
	for _, b := range tabs {
		b.wait(`document.readyState`, `"complete"`)
	}
	const got = `getComputedStyle(document.documentElement).getPropertyValue('--settled') + ' ' +
		document.querySelector('link[href*="settled.css"]').href.includes('devrun=')`
	deaf := len(tabs)
	var again time.Time // a page that was just loading has not heard the first time
	suite.Until(a.t, "the page has settled", func() error {
		if now := time.Now(); now.After(again) {
			a.current().Publish(Event{Kind: CSS, Paths: []string{"settled.css"}})
			again = now.Add(300 * time.Millisecond)
		}
		for deaf > 0 {
			if heard, err := tabs[deaf-1].eval(got); heard != want {
				return fmt.Errorf("a tab does not hear: %s %v", heard, err)
			}
			deaf--
		}
		return nil
	})
}
