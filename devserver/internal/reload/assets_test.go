package reload

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"devrun/devserver/suite"
)

// css is a stylesheet that browsers keep.
func css(body string) page {
	return page{body: body, header: map[string]string{"Content-Type": "text/css", "Cache-Control": "max-age=3600"}}
}

func TestStylesheetIsExchangedInPlace(t *testing.T) {
	a := newApp(t)
	a.set("/imported.css", css("p { font-size: 11px }"))
	a.set("/nested.css", css("p { margin-top: 1px }"))
	a.set("/b.css", css(`@import "/imported.css"; p { border: 0 }`))
	a.set("/", page{body: strings.Replace(form, "</head>", `<link rel="stylesheet" href="/b.css?v=1&x=%20"><style>@import "/nested.css";</style></head>`, 1)})
	b := a.open("/")
	a.settled(b)
	const color = `getComputedStyle(p).color`
	b.wait(color, `"rgb(1, 1, 1)"`)
	b.do(`window.marker = 1; window.flashes = 0; window.look = () => {
		if (getComputedStyle(p).color === 'rgb(0, 0, 0)') flashes++; requestAnimationFrame(look) }; look()`)
	if err := chromedp.Do(b.ctx, chromedp.SendKeys(chromedp.CSS("#in"), "typed")); err != nil {
		t.Fatal(err)
	}
	b.do(`scrollTo(0, 500)`)
	for i := 2; i <= 4; i++ {
		a.set("/a.css", css(fmt.Sprintf("p { color: rgb(%d, 1, 1) }", i)))
		a.current().Publish(Event{Kind: CSS, Paths: []string{"/x/y/a.css"}})
		b.wait(color, fmt.Sprintf(`"rgb(%d, 1, 1)"`, i))
		b.wait(`document.querySelectorAll('link[href*="a.css"]').length`, "1")
	}
	b.wait(`scrollY`, "500")
	if n := a.count("GET /b.css"); n != 1 {
		t.Errorf("an unrelated stylesheet was fetched %d times", n)
	}
	a.set("/imported.css", css("p { font-size: 22px }"))
	a.current().Publish(Event{Kind: CSS, Paths: []string{"imported.css"}})
	b.wait(`getComputedStyle(p).fontSize`, `"22px"`)
	a.set("/nested.css", css("p { margin-top: 2px }"))
	a.current().Publish(Event{Kind: CSS, Paths: []string{"nested.css"}})
	b.wait(`getComputedStyle(p).marginTop`, `"2px"`)
	b.wait(`document.querySelectorAll('style').length`, "1")
	a.set("/a.css", css("p { color: rgb(9, 1, 1) }"))
	a.current().Publish(Event{Kind: CSS})
	b.wait(color, `"rgb(9, 1, 1)"`)
	b.wait(`[...document.querySelectorAll('link[href*="b.css"]')].map(l => l.href.replace(/.*b.css|\d{5,}/g, '')).join()`, `"?v=1&x=%20&devrun="`)

	// A stylesheet that is broken off leaves the old one in use.
	a.set("/a.css", page{handle: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/css")
		w.WriteHeader(http.StatusInternalServerError)
	}})
	a.current().Publish(Event{Kind: CSS, Paths: []string{"a.css"}})
	b.allow("500")
	b.wait(`document.querySelectorAll('link[href*="a.css"]').length`, "1")
	b.wait(color, `"rgb(9, 1, 1)"`)

	b.wait(`[marker, flashes, document.getElementById('in').value].join()`, `"1,0,typed"`)
	if n := a.count("GET /"); n != 1 {
		t.Errorf("the page was loaded %d times", n)
	}
}

// Of two edits of imported stylesheets the second waits for its file while the first
// exchanges what imports it: no stylesheet is lost over that, nor one of the edits.
func TestStylesheetsAtOnce(t *testing.T) {
	a := newApp(t)
	const imports = `@import "/first.css"; @import "/second.css"; p { border: 0 }`
	a.set("/first.css", css("p { font-size: 11px }"))
	a.set("/second.css", css("p { margin-top: 1px }"))
	a.set("/b.css", css(imports))
	a.set("/", page{body: strings.Replace(form, "</head>", `<link rel="stylesheet" href="/b.css"></head>`, 1)})
	b := a.open("/")
	a.settled(b)

	asked, answer := make(chan bool, 1), make(chan bool)
	a.set("/second.css", page{handle: func(w http.ResponseWriter, r *http.Request) {
		select {
		case asked <- true:
			<-answer
		default:
		}
		w.Header().Set("Content-Type", "text/css")
		io.WriteString(w, "p { margin-top: 2px }")
	}})
	a.current().Publish(Event{Kind: CSS, Paths: []string{"second.css"}})
	<-asked
	a.set("/b.css", css(strings.Replace(imports, `@import "/second.css";`, "", 1))) // which would wait as well
	a.set("/first.css", css("p { font-size: 22px }"))
	a.current().Publish(Event{Kind: CSS, Paths: []string{"first.css"}})
	const links = `document.querySelectorAll('link[href*="b.css"]').length`
	b.wait(`getComputedStyle(p).fontSize`, `"22px"`)
	b.wait(links, "1")
	a.set("/b.css", css(imports))
	close(answer)
	b.wait(`getComputedStyle(p).marginTop`, `"2px"`)
	b.wait(`getComputedStyle(p).fontSize`, `"22px"`)
	b.wait(links, "1")
}

// A stylesheet that was exchanged does not come back old out of the browser's cache
// when the page is loaded again.
func TestSavedStylesheetStays(t *testing.T) {
	a := newApp(t)
	b := a.open("/")
	a.settled(b)
	const color = `getComputedStyle(p).color`
	for i := 2; i <= 3; i++ {
		before := a.count("GET /a.css")
		a.set("/a.css", css(fmt.Sprintf("p { color: rgb(%d, 1, 1) }", i)))
		a.current().Publish(Event{Kind: CSS, Paths: []string{"a.css"}})
		want := fmt.Sprintf(`"rgb(%d, 1, 1)"`, i)
		b.wait(color, want)
		suite.Until(t, "the stylesheet is asked for twice", func() error { // for the page and for the cache
			if n := a.count("GET /a.css") - before; n != 2 {
				return fmt.Errorf("the stylesheet was asked for %d times", n)
			}
			return nil
		})
		a.settled(b)
	}
	loads := a.count("GET /")
	b.goTo(a.server.URL + "/")
	suite.Until(t, "the page is loaded again", func() error {
		if n := a.count("GET /"); n != loads+1 {
			return fmt.Errorf("the page was loaded %d times", n)
		}
		return nil
	})
	b.hears()
	b.wait(color, `"rgb(3, 1, 1)"`)
	b.wait(`document.querySelector('link[href*="a.css"]').href.includes('devrun=')`, "false")
}

// TestLongStylesheetLatency measures what a user waits for, with one tab.
func TestLongStylesheetLatency(t *testing.T) {
	suite.Long(t)
	a := newApp(t)
	heard := make(chan time.Time, 1)
	a.set("/heard", page{handle: func(w http.ResponseWriter, r *http.Request) { heard <- time.Now() }})
	b := a.open("/")
	a.settled(b)
	// The page says so when the new rules apply.
	b.do(`new MutationObserver(changes => {
		if (changes.some(c => [...c.removedNodes].some(n => n.localName === 'link'))) fetch('/heard')
	}).observe(document.head, { childList: true })`)
	var took []time.Duration
	for range 20 {
		start := time.Now()
		a.current().Publish(Event{Kind: CSS, Paths: []string{"a.css"}})
		select {
		case at := <-heard:
			took = append(took, at.Sub(start))
		case <-time.After(suite.Patience):
			t.Fatal("the page does not exchange its stylesheet")
		}
	}
	slices.Sort(took)
	t.Logf("stylesheet published to applied in the page and reported back: median %v, worst %v", took[10], took[19])
}

func TestReloadFetchesChangedAssetsAnew(t *testing.T) {
	a := newApp(t)
	script := func(n int) page {
		return page{body: fmt.Sprintf("window.version = %d", n), header: map[string]string{"Content-Type": "text/javascript", "Cache-Control": "max-age=3600"}}
	}
	a.set("/js/app.js", script(1))
	a.set("/js/other.js", script(0))
	a.set("/", page{body: strings.Replace(form, "</head>", `<script src="/js/other.js"></script><script src="/js/app.js?x"></script></head>`, 1)})
	b := a.open("/")
	a.settled(b)
	b.wait(`version`, "1")
	for i := 2; i <= 3; i++ {
		a.set("/js/app.js", script(i))
		a.swap(1, "/home/me/js/app.js") // an edited asset makes no new generation
		b.loaded("GET /", i, fmt.Sprintf("r1.1.%d", i-1))
		b.wait(`version`, fmt.Sprint(i))
	}
	if n := a.count("GET /js/other.js"); n != 1 {
		t.Errorf("an asset that did not change was fetched %d times", n)
	}
}
