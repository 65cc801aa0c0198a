package reload

import (
	"fmt"
	"strings"
	"testing"

	"devrun/devserver/suite"
)

func TestPageReloadsOnceForEachSwap(t *testing.T) {
	a := newApp(t)
	b := a.open("/")
	a.settled(b)
	for generation := 2; generation <= 5; generation++ {
		a.swap(generation)
		b.loaded("GET /", generation, fmt.Sprintf("r1.%d", generation))
	}
	a.current().Publish(Event{Kind: Failed, Generation: 6})
	b.loaded("GET /", 6, "r1.6")
	a.current().Publish(Event{Kind: Failed, Generation: 6}) // it died
	b.loaded("GET /", 7, "r1.6.1")
	a.settled(b)
	if n := a.count("GET /"); n != 7 {
		t.Errorf("%d loads", n)
	}
}

func TestHeldPageDoesNotReload(t *testing.T) {
	a := newApp(t)
	a.current().Serving(2) // the new process gets the held request, then the news are out
	b := a.open("/")
	a.swap(2)
	a.settled(b)
	if n := a.count("GET /"); n != 1 {
		t.Errorf("%d loads", n)
	}
}

func TestScrollIsKept(t *testing.T) {
	a := newApp(t)
	late := strings.Replace(form, `<div style="height:5000px"></div>`,
		`<style>html { scroll-behavior: smooth }</style><div id="d"></div><script>history.scrollRestoration = 'manual'; addEventListener('load', () => setTimeout(() => d.style.height = '5000px', 100))</script>`, 1)
	a.set("/late", page{body: late}) // as an app that renders by script and manages its own scrolling
	for i, path := range []string{"/", "/late"} {
		b := a.open(path)
		b.wait(`document.documentElement.scrollHeight > 5000`, "true")
		a.settled(b)
		b.do(`scrollTo({top: 1234, behavior: 'instant'})`)
		b.wait(`scrollY`, "1234")
		a.swap(i + 2)
		b.loaded("GET "+path, 2, fmt.Sprintf("r1.%d", i+2))
		b.wait(`scrollY`, "1234")
		b.wait(`sessionStorage.getItem('devrun.scroll')`, "null")
	}

	// The place outlives the page that says that the build failed.
	b := a.open("/")
	a.settled(b)
	b.do(`scrollTo({top: 1234, behavior: 'instant'})`)
	a.set("/", page{body: `<html data-devrun-page><head><link rel="icon" href="data:,"><link rel="stylesheet" href="/settled.css"></head><body>build failed</body></html>`})
	a.current().Publish(Event{Kind: Failed, Generation: 10})
	b.wait(`document.body.textContent`, `"build failed"`)
	a.settled(b)
	a.set("/", page{body: form})
	a.swap(11)
	b.wait(`scrollY`, "1234")
}

func TestLongTwelveTabsShareOneStream(t *testing.T) {
	suite.Long(t)
	a := newApp(t)
	const n = 12
	var tabs []*tab
	for range n {
		tabs = append(tabs, a.open("/"))
	}
	a.settled(tabs...)
	a.connected(1)
	a.mu.Lock()
	most := a.most
	a.mu.Unlock()
	if most != 1 {
		t.Errorf("%d streams were open at once", most)
	}
	a.swap(2)
	for _, b := range tabs {
		b.wait(`document.querySelector('script[data-devrun]').dataset.devrun`, `"r1.2"`)
	}
	a.settled(tabs...)
	if loads := a.count("GET /"); loads != 2*n {
		t.Errorf("%d loads by %d tabs", loads, n)
	}
	a.connected(1)

	// Pages that go away are forgotten: the last one takes the stream along.
	for _, b := range tabs {
		b.close()
	}
	a.connected(0)
}

func TestLongTabThatSleptCatchesUp(t *testing.T) {
	suite.Long(t)
	a := newApp(t)
	b := a.open("/")
	a.settled(b)
	a.sleep()
	a.swap(2)
	a.swap(3)
	a.wake()
	b.loaded("GET /", 2, "r1.3")
	a.settled(b)

	// It missed no page, but a stylesheet.
	b.do(`window.marker = 1`)
	a.sleep()
	a.set("/a.css", page{body: "p { color: rgb(7, 7, 7) }", header: map[string]string{"Content-Type": "text/css"}})
	a.current().Publish(Event{Kind: CSS, Paths: []string{"a.css"}})
	a.wake()
	b.wait(`getComputedStyle(p).color`, `"rgb(7, 7, 7)"`)
	b.wait(`marker`, "1")

	// From the back/forward cache, whether or not this browser keeps one now. The
	// other tab's worker has heard the news long before.
	a.set("/c", page{body: form})
	c := a.open("/c")
	b.do(`dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))`)
	a.swap(4)
	c.loaded("GET /c", 2, "r1.4")
	a.settled(c)
	b.wait(`document.querySelector('script[data-devrun]').dataset.devrun`, `"r1.3"`)
	b.do(`dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))`)
	b.loaded("GET /", 3, "r1.4")
	b.goTo(a.server.URL + "/?other")
	a.swap(5)
	b.wait(`document.querySelector('script[data-devrun]').dataset.devrun`, `"r1.5"`)
	b.do(`history.back()`)
	b.wait(`location.search + document.querySelector('script[data-devrun]').dataset.devrun`, `"r1.5"`)
}

func TestRestartedDevrunTakesItsPagesOver(t *testing.T) {
	a := newApp(t)
	b := a.open("/")
	a.settled(b)
	a.sleep()
	a.mu.Lock()
	a.hub.Close()
	a.hub = New("r2")
	a.mu.Unlock()
	a.wake()
	b.loaded("GET /", 2, "r2.0")
	a.swap(1)
	b.loaded("GET /", 3, "r2.1")
	a.settled(b)
	a.connected(1)
}

func TestPageWithAnOldTagDoesNotLoop(t *testing.T) {
	a := newApp(t)
	a.set("/", page{body: form, frozen: a.current().Snippet("GET", "")})
	b := a.open("/")
	a.settled(b)
	for generation := 2; generation <= 4; generation++ {
		a.swap(generation)
		suite.Until(t, "the page is loaded", func() error {
			if n := a.count("GET /"); n != generation {
				return fmt.Errorf("%d loads, want %d", n, generation)
			}
			return nil
		})
		b.hears()
		a.connected(1)
	}
	b.do(`window.marker = 1`)
	a.sleep()
	a.wake()
	a.connected(1)
	a.settled(b) // stylesheets it exchanges all the same
	b.wait(`marker`, "1")
	if n := a.count("GET /"); n != 4 {
		t.Errorf("%d loads", n)
	}
}

func TestContentSecurityPolicy(t *testing.T) {
	a := newApp(t)
	const base = "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src data:; "
	for path, policy := range map[string]string{
		"/nonce":   base + "script-src 'nonce-n0nce'; worker-src 'self'",
		"/worker":  base + "script-src 'self'; worker-src 'self'; connect-src 'none'",
		"/alone":   base + "script-src 'self'; worker-src 'none'; connect-src 'self'",
		"/nothing": base + "script-src 'self'; worker-src 'none'; connect-src 'none'",
	} {
		a.set(path, page{body: form, header: map[string]string{"Content-Security-Policy": policy}})
	}
	generation := 1
	for _, path := range []string{"/nonce", "/worker", "/alone"} {
		b := a.open(path)
		a.connected(1)
		generation++
		a.swap(generation)
		b.loaded("GET "+path, 2, fmt.Sprintf("r1.%d", generation))
		a.connected(1)
		if path == "/alone" {
			b.allow("worker")
		}
		b.close()
		a.connected(0)
	}
	b := a.open("/nothing")
	suite.Until(t, "the console warns", func() error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.warnings) != 1 || !strings.Contains(b.warnings[0], "no live reload on this page") || !strings.Contains(b.warnings[0], "connect-src") {
			return fmt.Errorf("the console warns %q", b.warnings)
		}
		return nil
	})
	b.allow("Content Security Policy")
}

func TestBuildingShowsOnOwnPagesOnly(t *testing.T) {
	a := newApp(t)
	a.set("/own", page{body: strings.Replace(form, "<html>", `<html data-devrun-page>`, 1)})
	own, other := a.open("/own"), a.open("/")
	a.settled(own)
	a.settled(other)
	const building = `document.documentElement.hasAttribute('data-devrun-building')`
	a.current().Publish(Event{Kind: Building, Generation: 2})
	own.wait(building, "true")
	a.settled(other)
	other.wait(building, "false")
	a.swap(2)
	own.loaded("GET /own", 2, "r1.2")
	own.wait(building, "false")
}
