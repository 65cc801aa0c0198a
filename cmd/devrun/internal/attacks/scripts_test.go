//go:build linux

package attacks

import (
	"fmt"
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite/chrome"
)

// learnsNothing is for what a script of the app got of the page of a failure.
func (s *site) learnsNothing(t *testing.T, text string) {
	t.Helper()
	if !strings.Contains(text, "failed on purpose") {
		t.Errorf("it is not the page: %.300s", text)
	}
	for _, secret := range []string{localValue, s.token, s.pin} {
		if strings.Contains(text, secret) {
			t.Errorf("the script learns %q", secret)
		}
	}
}

// What is loaded ahead of a navigation has no variables in it. A service worker reads
// what the browser loads ahead for a navigation.
func preloaded(t *testing.T, s *site) {
	p := e2e.NewTab(t, chrome.Whole(t), s.URL("/worker"))
	p.Becomes("document.title", "^ready$")
	p.Do("location = '/fail'")
	p.Becomes("document.body.innerText", "failed on purpose")
	p.Do("location = '/worker'")
	p.Becomes("document.title", "^ready$")
	p.Do("taken().then(text => { window.got = text })")
	p.Becomes("typeof got", "string")
	s.learnsNothing(t, p.Eval("got"))
}

// A script cannot get at the variables by making its request too long to be
// recognised. A script fills up its own request, so that what tells of it finds no
// room in the copy that devrun gets.
func pushedOut(t *testing.T, s *site) {
	metadata := []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}
	for what, more := range map[string][]string{
		"cookies": {"+Cookie: a=" + strings.Repeat("x", 20_000)},
		"accept":  {"Accept: text/html, " + strings.Repeat("x", 20_000)},
		"headers": nil,
	} {
		if more == nil {
			for i := range 300 {
				more = append(more, fmt.Sprintf("+A-%d: x", i))
			}
		}
		for _, a := range s.sendApp(t, s.get("/fail", append(more, metadata...)...)) {
			if s.learnsNothing(t, a.body); a.StatusCode != 500 {
				t.Errorf("%s: status %d", what, a.StatusCode)
			}
		}
	}
}

// Over plain HTTP and --host a script sees no variables. To an address that it does
// not trust a browser sends nothing of what it is loading.
func untrusted(t *testing.T, s *site) {
	host := outside(t)
	w := s.wide(t)
	p := e2e.NewTab(t, chrome.Whole(t), fmt.Sprintf("http://%s:%d/ok", host, w.Port))
	for _, options := range []string{"{}", "{headers: {Accept: 'application/json'}}", "{cache: 'no-store', referrerPolicy: 'no-referrer', headers: {'Accept-Language': '', 'User-Agent': 'curl/8'}}"} {
		p.Do("window.got = undefined; fetch('/fail', " + options + ").then(r => r.text()).then(text => { window.got = text })")
		p.Becomes("typeof got", "string")
		w.learnsNothing(t, p.Eval("got"))
	}
}
