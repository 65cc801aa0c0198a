package reload

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"devrun/devserver/suite"
)

func TestReloadLeavesAFollowedLinkAlone(t *testing.T) {
	a := newApp(t)
	release, arrived := make(chan struct{}), make(chan struct{}, 1)
	a.set("/held", page{handle: func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		arrived <- struct{}{}
		<-release
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<html><head><link rel="icon" href="data:,">%s</head><body>got %s</body></html>`, a.current().Snippet("GET", ""), body)
	}})
	a.set("/", page{body: strings.Replace(form, "<body>", `<body><form id="f" method="post" action="/held"><input name="v" value="1"></form>`, 1)})
	b := a.open("/")
	a.settled(b)
	b.do(`f.submit()`)
	<-arrived
	a.swap(2, "a.css")
	suite.Until(t, "the page prepares to reload", func() error {
		if n := a.count("GET /a.css"); n != 2 {
			return fmt.Errorf("the page does not prepare to reload: %d requests for its asset", n)
		}
		return nil
	})
	suite.Until(t, "the page waits", func() error {
		if n := a.count("HEAD /__devrun/pending"); n < 3 {
			return fmt.Errorf("it has asked %d times whether its form is answered", n)
		}
		return nil
	})
	close(release)
	b.wait(`document.body.textContent`, `"got v=1"`)
	if n := a.count("GET /"); n != 1 {
		t.Errorf("the page was reloaded under the form: %d loads", n)
	}
}

// A link to where devrun does not see the request gets some seconds.
func TestReloadLeavesALinkElsewhereAlone(t *testing.T) {
	a := newApp(t)
	release := make(chan struct{})
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-release
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, `<html><head><link rel="icon" href="data:,"></head><body>elsewhere</body></html>`)
	}))
	defer other.Close()
	a.set("/waits", page{})
	b := a.open("/")
	a.settled(b)
	b.do(waits + `location.href = '` + other.URL + `'`)
	a.swap(2)
	suite.Until(t, "the page waits", func() error {
		if a.count("GET /waits") == 0 {
			return fmt.Errorf("it does not")
		}
		return nil
	})
	close(release)
	b.wait(`document.body.textContent`, `"elsewhere"`)
	if n := a.count("GET /"); n != 1 {
		t.Errorf("the page was reloaded under the link: %d loads", n)
	}
}

// waits makes the page say so when it sets out to wait for long.
const waits = `const set = setTimeout; window.setTimeout = (f, time) => { if (time > 1000) fetch('/waits'); return set(f, time) };`

// A navigation that has come to nothing, as a download does, delays no reload.
func TestReloadAfterANavigationThatLeadsNowhere(t *testing.T) {
	a := newApp(t)
	a.set("/export.csv", page{header: map[string]string{"Content-Disposition": "attachment"}})
	a.set("/empty", page{handle: func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) }})
	a.set("/", page{body: strings.Replace(form, "<body>", `<body><a id="download" href="/export.csv">x</a> <a id="empty" href="/empty">x</a>
		<a id="mail" href="mailto:a@b.test">x</a> <a id="leave" href="/other">x</a>
		<script>addEventListener('beforeunload', e => { if (document.getElementById('in').value) e.preventDefault() })</script>`, 1)})
	b := a.open("/")
	for i, c := range []struct{ id, request string }{
		{"download", "GET /export.csv"},
		{"empty", "GET /empty"},
		{"mail", ""},
		{"leave", ""}, // which the user does not want after all
	} {
		a.settled(b)
		b.do(waits)
		if c.id == "leave" {
			if err := chromedp.Do(b.ctx, chromedp.SendKeys(chromedp.CSS("#in"), "typed")); err != nil {
				t.Fatal(err)
			}
		}
		b.do(`window.left = 0; addEventListener('beforeunload', () => left++)`)
		if err := chromedp.Do(b.ctx, chromedp.Click("#"+c.id)); err != nil {
			t.Fatal(err)
		}
		b.wait(`left`, "1")
		suite.Until(t, "the navigation comes to nothing", func() error {
			if c.request != "" && a.count(c.request) == 0 {
				return fmt.Errorf("no %s", c.request)
			}
			return nil
		})
		a.swap(i + 2)
		b.loaded("GET /", i+2, fmt.Sprintf("r1.%d", i+2))
	}
	if n := a.count("GET /waits"); n != 0 {
		t.Errorf("the page waited %d times", n)
	}
}
