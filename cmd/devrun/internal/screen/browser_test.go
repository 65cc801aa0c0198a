//go:build linux

package screen

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
	"devrun/devserver/suite/chrome"
)

// TestBrowser: a save is on the screen with its scroll position kept, a stylesheet is
// swapped in place, and the page of a broken build or of a crash goes by itself; over TLS,
// too.
func TestBrowser(t *testing.T) {
	b := chrome.Start(t)
	r := e2e.New(t, "notify").Start()
	t.Run("a save is on the screen", func(t *testing.T) {
		p := e2e.NewTab(t, b, r.URL("/"))
		p.Becomes(e2e.BodyText, "^v1 ")
		p.Do(`scrollTo(0, 1234); window.mark = 1`)
		r.SetVersion("v2")
		p.Becomes(e2e.BodyText, "^v2 ")
		p.Becomes(`scrollY`, "^1234$")
		if got := p.Eval(`typeof window.mark`); got != "undefined" {
			t.Error("the page was changed without a reload")
		}
		if said := p.Said(); len(said) > 0 {
			t.Errorf("the console says %q", said)
		}
	})
	t.Run("the page of a first build goes by itself", func(t *testing.T) {
		r := e2e.New(t, "notify")
		port := suite.FreePort(t)
		r.Write("broken.go", "package main\n\nvar broken = undefined\n")
		r.Launch("--addr", fmt.Sprint(":", port))
		r.Says(fmt.Sprintf(`^devrun: error page http://localhost:%d$`, port))
		p := e2e.NewTab(t, b, fmt.Sprintf("http://localhost:%d/", port))
		p.Becomes(e2e.BodyText, "undefined: undefined")
		r.Remove("broken.go")
		p.Becomes(e2e.BodyText, "^v1 ")
	})
	t.Run("a stylesheet is swapped in place", func(t *testing.T) {
		p := e2e.NewTab(t, b, r.URL("/"))
		p.Becomes(`getComputedStyle(document.getElementById("version")).color`, `rgb\(1, 1, 1\)`)
		pid := r.AppPid()
		p.Do(`window.mark = 1`)
		r.Write("static/app.css", "p { color: rgb(7, 7, 7); }")
		p.Becomes(`getComputedStyle(document.getElementById("version")).color`, `rgb\(7, 7, 7\)`)
		if got := p.Eval(`window.mark`); got != "1" {
			t.Error("the page was reloaded")
		}
		if r.AppPid() != pid {
			t.Error("the app was restarted")
		}
	})
	t.Run("a broken build is a page that goes by itself", func(t *testing.T) {
		p := e2e.NewTab(t, b, r.URL("/"))
		p.Becomes(e2e.BodyText, "^v2 ")
		r.Replace("main.go", `const version = "v2"`, `const version = undefined1`)
		p.Becomes(e2e.BodyText, "undefined: undefined1")
		another := e2e.NewTab(t, b, r.URL("/anywhere"))
		another.Becomes(e2e.BodyText, "undefined: undefined1")
		r.Replace("main.go", `undefined1`, `undefined2`)
		p.Becomes(e2e.BodyText, "undefined: undefined2")
		r.Replace("main.go", `undefined2`, `"v3"`)
		p.Becomes(e2e.BodyText, "^v3 ")
		another.Becomes(e2e.BodyText, "404")
		for _, line := range slices.Concat(p.Said(), another.Said()) {
			if !strings.Contains(line, "the server responded with a status of") {
				t.Errorf("the console says %s", line)
			}
		}
	})
	t.Run("a crash is a page that goes by itself", func(t *testing.T) {
		p := e2e.NewTab(t, b, r.URL("/"))
		p.Becomes(e2e.BodyText, "^v3 ")
		go e2e.Ask("GET", r.URL("/crash"), nil)
		p.Becomes(e2e.BodyText, "assignment to entry in nil map")
		r.SetVersion("v4")
		p.Becomes(e2e.BodyText, "^v4 ")
	})
	t.Run("all of that over TLS", func(t *testing.T) {
		r := e2e.New(t, "notify")
		cert, key := suite.Certificate(t)
		r.Env = append(r.Env, "CERT="+cert, "CERT_KEY="+key)
		r.Launch()
		r.Says(`^devrun: serving https://`)
		p := e2e.NewTab(t, b, fmt.Sprintf("https://localhost:%d/", r.Port))
		p.Becomes(e2e.BodyText, "^v1 ")
		if got := p.Eval(`performance.getEntriesByType("navigation")[0].nextHopProtocol`); got != "h2" {
			t.Errorf("the page came by %s", got)
		}
		r.SetVersion("v2")
		p.Becomes(e2e.BodyText, "^v2 ")
		r.Write("static/app.css", "p { color: rgb(7, 7, 7); }")
		p.Becomes(`getComputedStyle(document.getElementById("version")).color`, `rgb\(7, 7, 7\)`)
		r.Replace("main.go", `const version = "v2"`, `const version = undefined1`)
		p.Becomes(e2e.BodyText, "undefined: undefined1")
		r.Replace("main.go", `undefined1`, `"v3"`)
		p.Becomes(e2e.BodyText, "^v3 ")
		p.Do(`fetch("/crash").catch(() => {})`)
		p.Becomes(e2e.BodyText, "assignment to entry in nil map")
		r.SetVersion("v4")
		p.Becomes(e2e.BodyText, "^v4 ")
	})
}

// Twelve tabs are reloaded once each, a tab finds a devrun that was started again,
// and a strict policy of the app is kept to.
func TestLongBrowser(t *testing.T) {
	suite.Long(t)
	b := chrome.Start(t)
	t.Run("twelve tabs, each reloaded once", func(t *testing.T) {
		r := e2e.New(t, "notify").Start()
		const loads = `sessionStorage.n = +(sessionStorage.n || 0) + 1`
		var tabs []*e2e.Tab
		for range 12 {
			p := e2e.NewTab(t, b, r.URL("/"))
			p.Becomes(e2e.BodyText, "^v1 ")
			tabs = append(tabs, p)
		}
		for i, v := range []string{"v2", "v3"} {
			for _, p := range tabs {
				p.Do(`window.mark = ` + fmt.Sprint(i))
			}
			r.SetVersion(v)
			for _, p := range tabs {
				p.Becomes(e2e.BodyText, "^"+v+" ")
				p.Do(loads)
			}
		}
		// A last look: none was reloaded again after its first look.
		for _, p := range tabs {
			p.Do(`window.mark = "last"`)
		}
		if status, _ := r.Get("/version"); status != http.StatusOK {
			t.Error("the app does not answer")
		}
		for i, p := range tabs {
			if got := p.Eval(`window.mark + " " + sessionStorage.n`); got != "last 2" {
				t.Errorf("tab %d: %s", i, got)
			}
		}
	})
	t.Run("devrun is started again on the same port", func(t *testing.T) {
		r := e2e.New(t, "notify").Start()
		p := e2e.NewTab(t, b, r.URL("/"))
		p.Becomes(e2e.BodyText, "^v1 ")
		r.Cmd.Process.Signal(os.Interrupt)
		r.Exit()
		r.SetVersion("v2")
		again := e2e.New(t, "notify")
		again.Dir, again.Port = r.Dir, r.Port
		again.Launch()
		p.Becomes(e2e.BodyText, "^v2 ")
	})
	t.Run("a strict policy", func(t *testing.T) {
		r := e2e.New(t, "notify").Start()
		for policy, reloads := range map[string]bool{
			"script-src 'self'":                         true,
			"default-src 'self'":                        true,
			"script-src 'nonce-abc'; worker-src 'self'": true,
			"script-src 'none'":                         false,
			"default-src 'none'":                        false,
		} {
			p := e2e.NewTab(t, b, r.URL("/csp?policy="+strings.NewReplacer(" ", "%20", "'", "%27", ";", "%3B").Replace(policy)))
			p.Becomes(e2e.BodyText, "strict")
			if got := p.Eval(`document.scripts.length`); (got == "1") != reloads {
				t.Errorf("%s: %s scripts", policy, got)
			}
			if said := p.Said(); len(said) > 0 {
				t.Errorf("%s: the console says %q", policy, said)
			}
		}
		r.Says(`^devrun: no live reload on /csp`)
	})
}
