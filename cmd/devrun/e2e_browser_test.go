//go:build linux

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser starts Debian's Chromium with a fresh profile; its tabs are made by
// newTab. Without Chromium the test is skipped, unless DEVRUN_REQUIRE_CHROMIUM
// is set.
func browser(t testing.TB) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("DEVRUN_REQUIRE_CHROMIUM") != "" {
			t.Fatal("chromium is required and not on this machine")
		}
		t.Skip("NOT TESTED: what the browser shows needs chromium, which is not on this machine")
	}
	alloc, stop := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.WSURLReadTimeout(patience),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	t.Cleanup(stop)
	ctx, closeBrowser := chromedp.NewContext(alloc)
	t.Cleanup(closeBrowser)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// tab is one page of the browser and what its console said.
type tab struct {
	t   testing.TB
	ctx context.Context

	mu      sync.Mutex
	console []string
}

func newTab(t testing.TB, b context.Context, url string) *tab {
	t.Helper()
	p := &tab{t: t}
	ctx, closeTab := chromedp.NewContext(b, chromedp.WithListener(p.note))
	t.Cleanup(closeTab)
	p.ctx = ctx
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := chromedp.Do(within, chromedp.Navigate(url)); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *tab) note(ev any) {
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
	}
}

// do runs a script in the page.
func (p *tab) do(script string) {
	p.t.Helper()
	if got := p.eval("(() => {" + script + "; return 'done'})()"); got != "done" {
		p.t.Fatalf("%s: %s", script, got)
	}
}

// eval returns what an expression of JavaScript is, as text; while the page
// is being replaced it is the error.
func (p *tab) eval(expr string) string {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[string]("String("+expr+")"))
	if err != nil {
		return err.Error()
	}
	return v
}

func (p *tab) becomes(expr, want string) {
	p.t.Helper()
	re := regexp.MustCompile(want)
	deadline := time.Now().Add(patience)
	for {
		got := p.eval(expr)
		if re.MatchString(got) {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s is %q, not %s; console: %q", expr, got, want, p.said())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (p *tab) said() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.console)
}

const bodyText = `document.body.innerText`

func TestBrowser(t *testing.T) {
	b := browser(t)
	t.Run("a save is on the screen", func(t *testing.T) {
		r := newRig(t, "notify").start()
		p := newTab(t, b, r.url("/"))
		p.becomes(bodyText, "^v1 ")
		p.do(`scrollTo(0, 1234); window.mark = 1`)
		r.setVersion("v2")
		p.becomes(bodyText, "^v2 ")
		p.becomes(`scrollY`, "^1234$")
		if got := p.eval(`typeof window.mark`); got != "undefined" {
			t.Error("the page was changed without a reload")
		}
		if said := p.said(); len(said) > 0 {
			t.Errorf("the console says %q", said)
		}
	})
	t.Run("a stylesheet is swapped in place", func(t *testing.T) {
		r := newRig(t, "notify").start()
		p := newTab(t, b, r.url("/"))
		p.becomes(`getComputedStyle(document.getElementById("version")).color`, `rgb\(1, 1, 1\)`)
		pid := r.appPid()
		p.do(`window.mark = 1`)
		r.write("static/app.css", "p { color: rgb(7, 7, 7); }")
		p.becomes(`getComputedStyle(document.getElementById("version")).color`, `rgb\(7, 7, 7\)`)
		if got := p.eval(`window.mark`); got != "1" {
			t.Error("the page was reloaded")
		}
		if r.appPid() != pid {
			t.Error("the app was restarted")
		}
	})
	t.Run("a broken build is a page that goes by itself", func(t *testing.T) {
		r := newRig(t, "notify").start()
		p := newTab(t, b, r.url("/"))
		p.becomes(bodyText, "^v1 ")
		r.replace("main.go", `const version = "v1"`, `const version = undefined1`)
		p.becomes(bodyText, "undefined: undefined1")
		another := newTab(t, b, r.url("/anywhere"))
		another.becomes(bodyText, "undefined: undefined1")
		r.replace("main.go", `undefined1`, `undefined2`)
		p.becomes(bodyText, "undefined: undefined2")
		r.replace("main.go", `undefined2`, `"v3"`)
		p.becomes(bodyText, "^v3 ")
		another.becomes(bodyText, "404")
		for _, line := range slices.Concat(p.said(), another.said()) {
			if !strings.Contains(line, "the server responded with a status of") {
				t.Errorf("the console says %s", line)
			}
		}
	})
	t.Run("a crash is a page that goes by itself", func(t *testing.T) {
		r := newRig(t, "notify").start()
		p := newTab(t, b, r.url("/"))
		p.becomes(bodyText, "^v1 ")
		go ask("GET", r.url("/crash"), nil)
		p.becomes(bodyText, "assignment to entry in nil map")
		r.setVersion("v2")
		p.becomes(bodyText, "^v2 ")
	})
	t.Run("twelve tabs, each reloaded once", func(t *testing.T) {
		r := newRig(t, "notify").start()
		const loads = `sessionStorage.n = +(sessionStorage.n || 0) + 1`
		var tabs []*tab
		for range 12 {
			p := newTab(t, b, r.url("/"))
			p.becomes(bodyText, "^v1 ")
			tabs = append(tabs, p)
		}
		for i, v := range []string{"v2", "v3"} {
			for _, p := range tabs {
				p.do(`window.mark = ` + fmt.Sprint(i))
			}
			r.setVersion(v)
			for _, p := range tabs {
				p.becomes(bodyText, "^"+v+" ")
				p.do(loads)
			}
		}
		// A last look: none was reloaded again after its first look.
		for _, p := range tabs {
			p.do(`window.mark = "last"`)
		}
		if status, _ := r.get("/version"); status != http.StatusOK {
			t.Error("the app does not answer")
		}
		for i, p := range tabs {
			if got := p.eval(`window.mark + " " + sessionStorage.n`); got != "last 2" {
				t.Errorf("tab %d: %s", i, got)
			}
		}
	})
	t.Run("devrun is started again on the same port", func(t *testing.T) {
		r := newRig(t, "notify").start()
		p := newTab(t, b, r.url("/"))
		p.becomes(bodyText, "^v1 ")
		r.cmd.Process.Signal(os.Interrupt)
		r.exit()
		r.setVersion("v2")
		again := newRig(t, "notify")
		again.dir, again.port = r.dir, r.port
		again.launch()
		p.becomes(bodyText, "^v2 ")
	})
	t.Run("a strict policy", func(t *testing.T) {
		r := newRig(t, "notify").start()
		for policy, reloads := range map[string]bool{
			"script-src 'self'":                         true,
			"default-src 'self'":                        true,
			"script-src 'nonce-abc'; worker-src 'self'": true,
			"script-src 'none'":                         false,
			"default-src 'none'":                        false,
		} {
			p := newTab(t, b, r.url("/csp?policy="+strings.NewReplacer(" ", "%20", "'", "%27", ";", "%3B").Replace(policy)))
			p.becomes(bodyText, "strict")
			if got := p.eval(`document.scripts.length`); (got == "1") != reloads {
				t.Errorf("%s: %s scripts", policy, got)
			}
			if said := p.said(); len(said) > 0 {
				t.Errorf("%s: the console says %q", policy, said)
			}
		}
		r.says(`^devrun: no live reload on /csp`)
	})
}
