package console

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"devrun/devserver/suite"
	"devrun/devserver/suite/chrome"
)

// openBrowser returns a function that opens a tab.
func openBrowser(t *testing.T) (open func(t *testing.T, url string) *tab) {
	t.Helper()
	first := chrome.Start(t)
	return func(t *testing.T, url string) *tab {
		t.Helper()
		ctx, closeTab := chromedp.NewContext(first)
		t.Cleanup(closeTab)
		ctx, cancel := context.WithTimeout(ctx, 4*suite.Patience)
		t.Cleanup(cancel)
		b := &tab{t, ctx}
		if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
			t.Fatal(err)
		}
		return b
	}
}

type tab struct {
	t   *testing.T
	ctx context.Context
}

// until waits for an expression of JavaScript to have a value.
func (b *tab) until(expression, want string) {
	b.t.Helper()
	suite.Until(b.t, expression+" is "+want, func() error {
		got, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+expression+")"))
		if err == nil && got != want {
			err = fmt.Errorf("it is %q", got)
		}
		return err // a page that is just being left has no answer
	})
}

// do runs statements that await, and waits for what they return.
func (b *tab) do(statements, want string) {
	b.t.Helper()
	b.until(`(window.result = null, (async () => { `+statements+` })().then(r => result = String(r), e => result = e.name), 1)`, "1")
	b.until("result", want)
}

// TestBrowser is what browsers really send, and let pages have.
func TestBrowser(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) {
		c.Pages = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'")
			io.WriteString(w, `<!DOCTYPE html><title>devrun</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/__devrun/page.css"><script src="/__devrun/page.js"></script>`)
		})
		c.Assets = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/__devrun/page.js" {
				w.Header().Set("Content-Type", "text/javascript")
				io.WriteString(w, `window.ask = async (what, body, token) => {
					const r = await fetch('/api/' + what, { method: 'POST', credentials: 'omit', body: JSON.stringify(body),
						headers: { 'Content-Type': 'application/json', 'X-Devrun': '1', ...(token && { Authorization: 'Bearer ' + token }) } });
					return { status: r.status, ...await r.json() }; }`)
			}
		})
	})
	own := s.console.URL()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		wait := ""
		if r.URL.Path == "/failed" { // as devrun answers for a request that failed
			w.Header().Set("Content-Security-Policy", "sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox; connect-src "+own)
			w.WriteHeader(http.StatusInternalServerError)
			wait = own + "/wait/" + r.URL.RawQuery
		}
		fmt.Fprintf(w, `<!DOCTYPE html><title>app</title><link rel="icon" href="data:,"><a id="same" href="%s/failures/f1">open</a>
			<script>if (%q) fetch(%q, { mode: 'no-cors', cache: 'no-store', credentials: 'omit' }).then(() => document.title = 'told', () => document.title = 'refused')</script>`, own, wait, wait)
	}))
	defer app.Close()
	open := openBrowser(t)

	t.Run("the page asks", func(t *testing.T) {
		b := open(t, own+"/failures/f1")
		b.until("typeof window.ask", "function")
		b.do(`window.token = (await ask('unlock', { pin: '`+s.console.PIN()+`' })).token; return token.length`, "43")
		b.do(`return (await ask('eval', { failure: 'f1', frame: 0, src: 'honest(1)' }, token)).text`, local)
		b.do(`return (await ask('eval', { failure: 'f1', frame: 0, src: 'honest(1)' })).code`, "pin")
		b.do(`return (await fetch('/api/failures/f1/state', { headers: { 'X-Devrun': '1', Authorization: 'Bearer ' + token } })).status`, "200")
	})
	t.Run("pages wait", func(t *testing.T) {
		// More of them than connections to one place that a browser opens for one page.
		var waiting []*tab
		for range 7 {
			waiting = append(waiting, open(t, app.URL+"/failed?"+s.wait))
		}
		s.waiting(7)
		b := open(t, own+"/failures/f1")
		b.until("document.title", "devrun")
		s.console.Notify(2)
		for _, b := range waiting {
			b.until("document.title", "told")
		}
		open(t, app.URL+"/failed?nothing").until("document.title", "refused")
		s.console.waits.longest = time.Millisecond
		url := s.console.WaitURL("later", 2)
		open(t, app.URL+"/failed?"+url[len(own+"/wait/"):]).until("document.title", "refused")
	})
	t.Run("links", func(t *testing.T) {
		for _, path := range []string{"/", "/failed?nothing"} {
			b := open(t, app.URL+path)
			b.until("document.readyState", "complete")
			b.until(`(document.getElementById('same').click(), 1)`, "1")
			b.until("typeof window.ask + location.origin", "function"+own)
			b.do(`return (await ask('eval', { failure: 'f1', frame: 0, src: 'honest(1)' }, '`+s.token+`')).text`, local)
		}
	})
	t.Run("pages of the app attack", func(t *testing.T) {
		calls := s.calls.Load()
		for _, path := range []string{"/", "/failed?nothing"} {
			b := open(t, app.URL+path)
			b.until("document.readyState", "complete")
			const headers = `{ 'Content-Type': 'application/json', 'X-Devrun': '1', Authorization: 'Bearer ' + token }`
			body := `{"failure":"f1","frame":0,"src":"1"}`
			for _, attack := range []string{
				`fetch(own + '/api/eval', { method: 'POST', body, headers: ` + headers + ` })`,
				`fetch(own + '/api/eval', { method: 'POST', body, mode: 'no-cors', headers: ` + headers + ` })`,
				`fetch(own + '/api/eval', { method: 'POST', body, mode: 'no-cors', headers: { 'Content-Type': 'text/plain' } })`,
				`fetch(own + '/api/failures/f1/state', { headers: ` + headers + ` })`,
				`fetch(own + '/failures/f1')`, `fetch(own + '/failures/f1', { mode: 'no-cors' })`, `fetch(own + '/__devrun/page.js', { mode: 'no-cors' })`,
				`fetch(own + '/wait/` + s.wait + `')`,
				`new Promise((ok, no) => { const e = document.createElement('script'); e.src = own + '/__devrun/page.js'; e.onload = ok; e.onerror = () => no(new TypeError); document.head.append(e) })`,
			} {
				b.do(`const own = '`+own+`', token = '`+s.token+`', body = '`+body+`'; await `+attack+`; return 'passed'`, "TypeError")
			}
		}
		if n := s.calls.Load() - calls; n != 0 {
			t.Errorf("the backend was called %d times", n)
		}
	})
}
