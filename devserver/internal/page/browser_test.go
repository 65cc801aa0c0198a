package page

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"devrun/devserver/internal/fault"
	"devrun/devserver/suite"
	"devrun/devserver/suite/chrome"
)

// tab is a page in a real browser.
type tab struct {
	t      *testing.T
	ctx    context.Context
	origin string
	also   string // another origin that may be asked

	mu     sync.Mutex
	faults []string // console errors, broken policy, requests to elsewhere
}

// newTab serves the pages to a tab.
func newTab(t *testing.T, pages map[string]http.Handler) *tab {
	t.Helper()
	browser := chrome.Start(t)
	mux := http.NewServeMux()
	mux.Handle("/__devrun/", Assets())
	for path, h := range pages {
		mux.Handle(path, h)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)

	b := &tab{t: t, origin: server.URL}
	ctx, closeTab := chromedp.NewContext(browser, chromedp.WithListener(b.note))
	t.Cleanup(closeTab)
	ctx, cancel := context.WithTimeout(ctx, 4*suite.Patience)
	t.Cleanup(cancel)
	b.ctx = ctx
	if _, err := chromedp.Call(ctx, cdplog.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *tab) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.faults = append(b.faults, fmt.Sprint("console: ", e.Args))
	case *cdplog.EventEntryAdded:
		// The page itself has the status 500, which the browser logs as an error; the
		// console is refused on purpose.
		path, _ := strings.CutPrefix(e.Entry.URL, b.origin)
		if !strings.Contains(e.Entry.Text, "the server responded with a status of 50") && !strings.HasPrefix(path, "/api/") && path != "/missing" {
			b.faults = append(b.faults, "log: "+e.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; !strings.HasPrefix(u, b.origin+"/") && !(b.also != "" && strings.HasPrefix(u, b.also+"/")) && !strings.HasPrefix(u, "data:image/svg+xml,") {
			b.faults = append(b.faults, "request to "+u)
		}
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// open shows a page; what it copies and which editor links it follows is then in
// the lists copied and opened.
func (b *tab) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.origin+path), chromedp.WaitReady(".toast"))
	b.eval(`(() => {
		window.copied = []; window.opened = [];
		Object.defineProperty(navigator, 'clipboard', { value: { writeText: async (text) => { copied.push(text); } } });
		addEventListener('click', (e) => { const a = e.target.closest('a[href*="://"]'); if (a) { e.preventDefault(); opened.push(a.getAttribute('href')); } });
		return 'ready';
	})()`)
}

// eval returns the value of a JavaScript expression as text.
func (b *tab) eval(expression string) string {
	b.t.Helper()
	out, err := b.ask(expression)
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return out
}

func (b *tab) ask(expression string) (string, error) {
	return chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+expression+")"))
}

func (b *tab) press(keys string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys))
}

// until waits for an expression to have a value.
func (b *tab) until(expression, want string) {
	b.t.Helper()
	suite.Until(b.t, expression+" is "+want, func() error {
		got, err := b.ask(expression)
		if err == nil && got != want {
			err = fmt.Errorf("it is %q", got)
		}
		return err // a page that is just being left has no answer
	})
}

func (b *tab) faulty() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.faults)
}

func (b *tab) clean() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults {
		b.t.Error(f)
	}
}

const currentRow = `document.querySelector('.fr[aria-current]').getAttribute('href') + ' ' + document.querySelector('.on').id`

func TestBrowser(t *testing.T) {
	app := testApp(t)
	write(t, filepath.Join(app.Root, "main.go"), appSource+"\n// "+strings.Repeat("a long line ", 40)+"\n")
	app.Snippet = func(string) string { return "" }
	p := New(app)
	build := failedBuild(app)
	for i := range 20 {
		build.Diagnostics = append(build.Diagnostics, fault.Diagnostic{File: filepath.Join(app.Root, "main.go"), Rel: "main.go", Line: 9, Col: i + 1, Message: fmt.Sprintf("undefined: %s%d", strings.Repeat("long", 60), i)})
	}
	crash, crashApp := kept(t, "wrapped")
	deadlock, _ := kept(t, "allwaiting")
	hostile := hostilePages(app, strings.Join(payloads, " "))
	b := newTab(t, map[string]http.Handler{
		"/build": p.BuildFailed(build, nil), "/crash": New(crashApp).Crashed(crash, ""), "/many": New(crashApp).Crashed(deadlock, ""),
		"/exit":          p.Crashed(fault.Crash{Exit: fault.Exit{Code: 1}}, ""),
		"/hostile/build": hostile["build"], "/hostile/crash": hostile["crash"],
	})

	t.Run("build", func(t *testing.T) {
		b.t = t
		b.open("/build")
		b.until(currentRow, "#e1 e1")
		b.press("j")
		b.until(currentRow, "#e2 e2")
		b.press("j")
		b.press("j")
		b.press("k")
		b.until(currentRow, "#e3 e3")
		b.press("k")
		b.press("k")
		b.press("k")
		b.until(currentRow, "#e1 e1")
		b.press("e")
		b.until("opened.join()", "vscode://file"+filepath.ToSlash(app.Root)+"/main.go:5:2")
		b.press("c")
		b.until("copied.length", "1")
		if got := b.eval("copied[0]"); !strings.HasPrefix(got, "## build failed: 22 errors\n\n    main.go:5:2: undefined: usre\n") {
			t.Errorf("copied %q", got)
		}
		b.until("document.querySelector('.toast').textContent", "Copied as Markdown")
		b.do(chromedp.Click(`#e1 [data-copy]`))
		b.until("copied[1]", "main.go:5:2")
		b.press("?")
		b.until("document.querySelector('#help').open", "true")
		b.press("j")
		b.until(currentRow, "#e1 e1")
		b.do(chromedp.Click(`#help [data-close]`))
		b.until("document.querySelector('#help').open", "false")

		// The caret row stands below the token.
		b.until(`(() => {
			const mark = document.querySelector('#e1 u'), row = document.querySelector('#e1 .at'), range = document.createRange();
			const text = row.firstChild, at = text.data.indexOf('^');
			range.setStart(text, at); range.setEnd(text, text.data.lastIndexOf('^') + 1);
			const a = mark.getBoundingClientRect(), b = range.getBoundingClientRect();
			return Math.abs(a.left - b.left) < 1 && Math.abs(a.right - b.right) < 1 && b.top >= a.top + 5;
		})()`, "true")
	})

	t.Run("rebuilding", func(t *testing.T) {
		b.t = t
		b.open("/build")
		strip := "document.querySelector('.strip').offsetHeight > 0"
		b.until(strip, "false")
		b.eval("document.documentElement.setAttribute('data-devrun-building', '')")
		b.until(strip, "true")
		b.until("document.querySelector('.dot').getAttribute('aria-label')", "rebuilding")
		b.eval("document.documentElement.removeAttribute('data-devrun-building')")
		b.until(strip, "false")
		b.until("document.querySelector('.dot').getAttribute('aria-label')", "build failed")
	})

	t.Run("crash", func(t *testing.T) {
		b.t = t
		b.open("/crash")
		shown := `[...document.querySelectorAll('.panel')].filter((p) => p.offsetParent).length`
		b.until(shown, "1")
		before := b.eval(currentRow)
		b.press("j")
		after := b.eval(currentRow)
		if before == after {
			t.Errorf("j stays at %s", before)
		}
		b.until(shown, "1")
		b.press("k")
		b.until(currentRow, before)
		b.press("n")
		b.until("document.querySelector('.rail .fold').open + document.querySelector('#all span').textContent", "trueApp frames only")
		b.press("n")
		b.until("document.querySelector('.rail .fold').open", "false")
		b.press("c")
		b.until("copied.join().slice(0, 8)", "## crash")
		b.do(chromedp.Click(`[data-copy-from]`))
		b.until("copied[1].slice(0, 6)", "panic:")
	})

	t.Run("colour scheme", func(t *testing.T) {
		b.t = t
		b.open("/exit")
		bg := "getComputedStyle(document.body).backgroundColor"
		b.do(chromedp.Click("#theme"))
		b.until(bg, "rgb(252, 252, 253)")
		b.do(chromedp.Click("#theme"))
		b.until(bg, "rgb(21, 22, 26)")
		b.open("/crash") // kept
		b.until(bg+" + document.querySelector('#theme').textContent", "rgb(21, 22, 26)Dark")
		b.do(chromedp.Click("#theme"))
		b.until("document.documentElement.hasAttribute('data-theme')", "false")
	})

	t.Run("width", func(t *testing.T) {
		b.t = t
		for _, path := range []string{"/build", "/crash", "/many", "/exit", "/hostile/build", "/hostile/crash"} {
			b.open(path)
			b.eval("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
			for _, width := range []int64{320, 390, 768, 1024, 1440} {
				b.do(chromedp.EmulateViewport(width, 800))
				if got := b.eval("document.documentElement.scrollWidth"); got != fmt.Sprint(width) {
					t.Errorf("%s is %s px wide in %d", path, got, width)
				}
			}
		}
	})
	b.t = t
	b.clean()

	t.Run("policy", func(t *testing.T) {
		b.t = t
		// What clean looks for is noticed when it happens.
		b.open("/build")
		b.eval("document.body.insertAdjacentHTML('beforeend', '<img src=\"http://evil.test/x.png\">')")
		suite.Until(t, "an image from elsewhere is noticed", func() error {
			if b.faulty() == 0 {
				return errors.New("it is not")
			}
			return nil
		})
	})
}
