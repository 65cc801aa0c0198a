package reload

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

const (
	shadow   = `document.querySelector('devrun-bar')?.shadowRoot`
	question = shadow + `?.querySelector('p').textContent`
)

// posting is a page whose form is answered by itself, under a policy that allows the
// page's own files and nothing else.
var posting = page{
	body: strings.Replace(form, "<body>", `<body><form id="f" method="post" action="/post#x"></form>`, 1),
	header: map[string]string{"Content-Security-Policy": "default-src 'self'; img-src data:; style-src-attr 'none'; " +
		"require-trusted-types-for 'script'; trusted-types 'none'"},
}

// What answers a form gets its stylesheets like any page, and asks before a save sends
// the form again.
func TestAnswerToAForm(t *testing.T) {
	a := newApp(t)
	posting := posting
	posting.body = strings.Replace(posting.body, `<div style="height:5000px"></div>`, strings.Repeat("<p>line</p>", 500), 1)
	a.set("/post", posting)
	b := a.open("/post")
	b.do(`f.submit()`)
	b.wait(`location.hash + document.querySelector('script[data-devrun]').dataset.posted`, `"#x"`)
	b.hears()
	b.allow("TrustedScriptURL") // of the shared worker: the page has a stream of its own
	a.settled(b)                // a stylesheet was exchanged
	b.wait(question, "null")
	b.do(`scrollTo({top: 1234, behavior: 'instant'})`)
	asks := func(want string) {
		t.Helper()
		b.wait(question, `"`+want+` It answered a form: send the form again?"`)
		b.wait(`getComputedStyle(`+shadow+`.querySelector('div')).position`, `"fixed"`)
		if n := a.count("POST /post"); n != 1 {
			t.Errorf("the form was sent %d times", n)
		}
	}
	press := func(keys ...string) {
		t.Helper()
		for _, key := range keys {
			if err := chromedp.Do(b.ctx, chromedp.KeyEvent(key)); err != nil {
				t.Fatal(err)
			}
		}
	}
	const newer = "There is a newer version of this page."
	a.swap(2)
	asks(newer)
	a.settled(b)
	b.do(shadow + `.querySelector('button:last-of-type').click()`)
	b.wait(question, "null")
	a.current().Publish(Event{Kind: Failed, Generation: 3})
	asks("The newest version of this page fails.")
	a.swap(4)
	asks(newer)
	b.wait(`document.querySelectorAll('devrun-bar').length`, "1")
	b.do(shadow + `.querySelector('button').focus()`)
	press("\u001b")
	b.wait(question, "null")
	a.swap(5)
	asks(newer)
	b.do(shadow + `.querySelector('button').focus()`)
	press("\r")
	b.wait(`document.querySelector('script[data-devrun]').dataset.devrun`, `"r1.5"`)
	b.wait(`location.hash + scrollY`, `"#x1234"`)
	a.settled(b)
	b.wait(question, "null")
	if n := a.count("POST /post"); n != 2 {
		t.Errorf("the form was sent %d times", n)
	}
}

// A page that is reached from the answer to a form is a page like any other, also at the
// same address: it is never loaded old, and keeps its fragment.
func TestPageAfterAForm(t *testing.T) {
	for name, path := range map[string]string{"another page": "/kept#x", "the same address": "/post#x"} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t)
			posting := posting
			posting.header = map[string]string{"Cache-Control": "max-age=3600"}
			a.set("/post", posting)
			a.set("/kept", page{body: form, header: posting.header})
			b := a.open("/post")
			a.settled(b)
			const version, posted = `document.querySelector('script[data-devrun]')?.dataset.devrun`, `document.querySelector('script[data-posted]') != null`
			b.do(`f.submit()`)
			b.wait(posted, "true")
			b.hears()
			b.goTo(a.server.URL + "/") // or else /post#x is a place in the page that is there
			b.hears()
			b.do(`location.href = '` + path + `'`)
			b.wait(`location.pathname + location.hash`, `"`+path+`"`)
			b.wait(posted, "false")
			b.hears()
			for generation := 2; generation <= 3; generation++ {
				a.swap(generation)
				b.wait(version, fmt.Sprintf(`"r1.%d"`, generation))
				a.settled(b)
				b.wait(`location.pathname + location.hash`, `"`+path+`"`)
			}
			if n := a.count("POST /post"); n != 1 {
				t.Errorf("the form was sent %d times", n)
			}
		})
	}
}
