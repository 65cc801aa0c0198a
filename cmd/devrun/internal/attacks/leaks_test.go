//go:build linux

package attacks

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite/chrome"
)

// All secrets of the app have this in them, in the clear or as base64, but for
// the key of AWS, whose form is its mark.
var secretMarks = []string{"hunter2-", "aHVudGVyMi", "AKIAHUNTER2", "c00kie", "s3cr3t-bearer", "pa55-in-the-query"}

// No form of a page has a secret of the request or of a variable in it.
func redaction(t *testing.T, s *site) {
	header := []string{
		"Authorization", "Bearer s3cr3t-bearer-17", "Cookie", "session=c00kie-value-1", "X-Api-Key", "hunter2-header", "X-Auth-Token", "hunter2-xauth", "Proxy-Authorization", "Basic s3cr3t-bearer",
		"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "none",
	}
	const path = "/secrets?token=pa55-in-the-query&api_key=hunter2-query&colour=green"
	check := func(what, body string) {
		t.Helper()
		if !strings.Contains(body, "main.secrets") && !strings.Contains(body, "secrets") {
			t.Errorf("%s is no page of the failure:\n%.1000s", what, body)
		}
		for _, mark := range secretMarks {
			if i := strings.Index(body, mark); i >= 0 {
				t.Errorf("%s shows %q", what, body[max(0, i-80):min(len(body), i+60)])
			}
		}
	}
	for _, accept := range []string{"text/html", "application/json", "text/markdown", "text/plain"} {
		_, body, err := e2e.Ask("GET", s.URL(path), nil, append(header, "Accept", accept)...)
		if err != nil {
			t.Fatal(err)
		}
		check(accept, body)
		if accept != "text/markdown" && !strings.Contains(body, "redacted") {
			t.Errorf("%s does not say that something is left out", accept)
		}
		for _, address := range []string{"/failures/" + s.newest(t), "/"} {
			_, body, err := e2e.Ask("GET", s.own+address, nil, "Accept", accept)
			if err != nil {
				t.Fatal(err)
			}
			check("on its own address "+accept, body)
		}
	}
	f := fails(t, s.Rig, path)
	for _, name := range []string{"password", "clientSecret", "accessToken", "signingKey", "authHeader", "credentials", "signature", "dsn", "session", "private", "address", "jwt", "aws", "pem", "appSecret"} {
		if v := f.of(t, "main.secrets", name); !v.Redacted && !strings.Contains(v.Text, "redacted") {
			t.Errorf("%s is %+v", name, v)
		}
	}
	if text := fmt.Sprintf("%+v", f.of(t, "main.secrets", "user")); !strings.Contains(text, "susan") || !strings.Contains(text, "red") {
		t.Errorf("what is no secret is left out as well: %s", text)
	}
	for _, line := range strings.Split(s.Stderr.String(), "\n") {
		if strings.Contains(line, "http: panic serving") {
			continue // the app's own line, as net/http prints it, is the app's
		}
		for _, mark := range secretMarks {
			if strings.Contains(line, mark) {
				t.Errorf("the terminal shows %s", line)
			}
		}
	}
	// Who is trusted gets it, one at a time.
	s.failure = f
	status, a, err := s.ask("reveal", map[string]any{"failure": f.ID, "frame": f.frame("main.secrets"), "path": []int{f.variable("main.secrets", "password")}})
	if err != nil || status != 200 || !strings.Contains(a.Text, "hunter2-pass") {
		t.Errorf("after the PIN: %d %+v %v", status, a, err)
	}
	s.fresh(t)
}

// What is copied from a page has no headers, cookies and variables in it, and the
// page loads nothing from elsewhere.
func copied(t *testing.T, s *site) {
	_, markdown, err := e2e.Ask("GET", s.URL("/fail?q=visible-query"), nil, "Accept", "text/markdown", "Cookie", "plain=visible-cookie", "X-Custom", "visible-header", "User-Agent", "visible-agent")
	if err != nil || !strings.Contains(markdown, "failed on purpose") {
		t.Fatal(err, markdown)
	}
	for _, bad := range []string{"visible-cookie", "visible-header", "visible-agent", localValue, "APP_SECRET"} {
		if strings.Contains(markdown, bad) {
			t.Errorf("what is copied has %s:\n%s", bad, markdown)
		}
	}
	for as, page := range s.shown(t, "/fail") {
		if strings.HasSuffix(as, "html") {
			s.inert(t, as, page) // looks at the links as well: none leads to another host
		}
	}
	p := e2e.NewTab(t, chrome.Whole(t), s.URL("/fail"))
	p.Becomes(e2e.BodyText, "failed on purpose")
	for _, asked := range p.Asked() {
		if !strings.HasPrefix(asked, s.URL("/")) && !strings.HasPrefix(asked, s.own) && !strings.HasPrefix(asked, "data:") {
			t.Errorf("the page asks for %s", asked)
		}
	}
	s.fresh(t)
}

// Nothing in an address becomes a header or leads elsewhere.
func injectHeaders(t *testing.T, s *site) {
	const crlf = "%0d%0aSet-Cookie:%20x=1%0d%0aLocation:%20//evil.test"
	for _, path := range []string{"/" + crlf, "/fail?next=" + crlf, "/says?text=" + crlf, "/header?text=" + crlf, "/fail?location=//evil.test", "/__devrun/" + crlf, "/__devrun/page.js?location=//evil.test"} {
		for _, a := range s.sendApp(t, s.get(path, fmt.Sprint("Host: localhost:", s.Port))) {
			if at := a.Header.Get("Location"); a.Header.Get("Set-Cookie") != "" || at != "" && !strings.HasPrefix(at, "/%250d") { // as the app's own router cleans it
				t.Errorf("%s: %v", path, a.Header)
			}
		}
	}
	for _, path := range []string{"/" + crlf, "/failures/" + crlf, "/wait/" + crlf, "//evil.test", "//evil.test/..", "/failures//evil.test", `/\evil.test`, "/failures", "/api/redirect?location=//evil.test"} {
		s.refused(t, nothing, s.get(path))
	}
	for _, path := range []string{"/api/unlock?next=" + crlf, "/api/eval?location=//evil.test"} {
		s.refused(t, nothing, s.post(path, `{}`))
	}
	s.fresh(t)
}

// No page of devrun can be framed, opened by name, or read by another page.
func embed(t *testing.T, s *site) {
	guarded := func(what string, h http.Header, csp ...string) {
		t.Helper()
		for name, want := range map[string]string{"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin"} {
			if got := h.Values(name); len(got) != 1 || got[0] != want {
				t.Errorf("%s: %s is %q", what, name, got)
			}
		}
		for _, want := range csp {
			if !strings.Contains(h.Get("Content-Security-Policy"), want) {
				t.Errorf("%s: the policy has no %q: %q", what, want, h.Get("Content-Security-Policy"))
			}
		}
		for name := range h {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s has %s", what, name)
			}
		}
	}
	for _, path := range append(s.readable(), "/nothing", "/api/eval") {
		for _, a := range s.send(t, s.get(path)) {
			guarded(path, a.Header, "default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'")
			if got := a.Header.Get("Cross-Origin-Opener-Policy"); got != "same-origin" {
				t.Errorf("%s: Cross-Origin-Opener-Policy is %q", path, got)
			}
			if !strings.HasPrefix(path, "/__devrun/") && a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: Cache-Control is %q", path, a.Header.Get("Cache-Control"))
			}
		}
	}
	for _, accept := range []string{"text/html", "application/json", "text/plain"} {
		resp, _, err := e2e.Ask("GET", s.URL("/fail"), nil, "Accept", accept)
		if err != nil {
			t.Fatal(err)
		}
		// The sandbox makes an origin of its own of the page, which cannot be opened by name.
		guarded("the page as "+accept, resp.Header, "sandbox ", "default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'")
	}
	for _, base := range []string{s.own, s.URL("")} {
		for _, script := range []string{"/__devrun/page.js", "/__devrun/failure.js", "/__devrun/reload.js", "/__devrun/worker.js"} {
			resp, body, err := e2e.Ask("GET", base+script, nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != 200 {
				continue // each origin has the scripts that its pages need
			}
			if resp.Header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
				t.Errorf("%s%s may be embedded", base, script)
			}
			for _, bad := range []string{s.token, s.pin, s.ID, s.Dir, localValue} {
				if strings.Contains(body, bad) {
					t.Errorf("%s%s has %s in it", base, script, bad)
				}
			}
		}
	}
	for _, path := range []string{"/fail", "/__devrun/reload.js", "/__devrun/events"} {
		text := s.get(path, fmt.Sprint("Host: localhost:", s.Port), "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe")
		answers := s.sendApp(t, text)
		for _, a := range answers {
			if strings.Contains(a.body, localValue) || a.Header.Get("X-Frame-Options") != "DENY" {
				t.Errorf("%s in a frame: %d %v", path, a.StatusCode, a.Header)
			}
		}
	}
	s.fresh(t)
}

// No other origin hears devrun's streams, and what an honest one hears names no file.
func crossStreams(t *testing.T, s *site) {
	upgrade := []string{"+Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol: " + s.token}
	for _, origin := range []string{"https://evil.test", "null", "http://10.0.0.9", "http://127.0.0.1:9", s.own} {
		for _, path := range []string{"/__devrun/events", "/__devrun/worker.js"} {
			for _, changes := range [][]string{{"Accept: text/event-stream"}, upgrade} {
				text := s.get(path, append([]string{fmt.Sprint("Host: localhost:", s.Port), "Origin: " + origin, "-Sec-Fetch-Site"}, changes...)...)
				s.unmoved(t, forbidden, text, s.sendApp(t, text))
			}
		}
	}
	for _, path := range append(s.readable(), "/api/eval", "/api/events", "/ws") {
		for _, origin := range []string{"https://evil.test", "null", "http://10.0.0.9"} {
			s.refused(t, []int{403, 405}, s.get(path, append([]string{"Origin: " + origin}, upgrade...)...))
		}
	}
	s.refused(t, []int{403}, s.get("/api/failures/"+s.ID+"/state", append([]string{"Sec-Fetch-Mode: websocket"}, upgrade...)...))

	// What an honest stream says: that something is new, and nothing of what.
	req, err := http.NewRequest("GET", s.URL("/__devrun/events"), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := e2e.Client.Do(req)
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	defer resp.Body.Close()
	s.restart(t)
	shape := regexp.MustCompile(`^(|retry: \d+|: ping|data: \{[\w":.,{}\[\]-]*\})$`)
	data := 0
	for lines := bufio.NewScanner(resp.Body); data < 2 && lines.Scan(); {
		line := lines.Text()
		if !shape.MatchString(line) || strings.Contains(line, ".go") || strings.Contains(line, "app/") {
			t.Errorf("a stream says %q", line)
		}
		if strings.HasPrefix(line, "data: ") {
			data++
		}
	}
	if data < 2 {
		t.Error("the stream has said nothing")
	}
}

// A browser that follows every link ahead of time changes nothing.
func prefetch(t *testing.T, s *site) {
	shown := strings.Count(s.Stderr.String(), "console PIN")
	purpose := []string{"Purpose: prefetch", "Sec-Purpose: prefetch;prerender", "X-Moz: prefetch"}
	links := map[string]bool{}
	for _, path := range []string{"/", "/failures/" + s.ID} {
		for _, a := range s.send(t, s.get(path, purpose...)) {
			if a.Header.Get("X-Robots-Tag") != "noindex" {
				t.Errorf("%s may be indexed", path)
			}
			root, err := html.Parse(strings.NewReader(a.body))
			if err != nil {
				t.Fatal(err)
			}
			base, err := url.Parse(s.own + path)
			if err != nil {
				t.Fatal(err)
			}
			for n := range root.Descendants() {
				for _, attr := range n.Attr {
					if attr.Key == "href" || attr.Key == "src" || attr.Key == "action" {
						if u, err := base.Parse(attr.Val); err == nil && strings.HasPrefix(u.Scheme, "http") {
							u.Fragment = ""
							links[u.String()] = true
						}
					}
				}
			}
		}
	}
	if len(links) < 4 {
		t.Errorf("the pages have only the links %v", links)
	}
	before := len(s.listed(t))
	for link := range links {
		for range 2 {
			if _, _, err := e2e.Ask("GET", link, nil, "Sec-Purpose", "prefetch", "Purpose", "prefetch", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "none", "Sec-Fetch-User", "?1"); err != nil {
				t.Errorf("%s: %v", link, err)
			}
		}
	}
	if now := len(s.listed(t)); now != before || strings.Count(s.Stderr.String(), "console PIN") != shown {
		t.Errorf("the links have had an effect: %d failures, %d before", now, before)
	}
}

// logs: no log and no request that the app sees has a token or an expression in it,
// and the PIN is only where devrun shows it. This comes last, when all attacks have
// left there what they do.
func logs(t *testing.T, s *site) {
	if status, a, err := s.eval(`local + "never-in-a-log"`); err != nil || status != 200 || !strings.Contains(a.Text, "never-in-a-log") {
		t.Fatalf("%d %+v %v", status, a, err)
	}
	_, seen := s.Get("/seen")
	var all []string
	if err := json.Unmarshal([]byte(seen), &all); err != nil || len(all) == 0 {
		t.Fatal(err, seen)
	}
	digits := strings.ReplaceAll(s.pin, "-", "")
	for what, text := range map[string]string{"devrun says": s.Written.String(), "the app was asked": seen} {
		for _, secret := range []string{s.token, digits, "never-in-a-log", "effects.Add", localValue, "Bearer "} {
			if strings.Contains(text, secret) {
				t.Errorf("%s %s", what, secret)
			}
		}
	}
	for _, asked := range all {
		if _, referer, _ := strings.Cut(asked, " from "); strings.HasPrefix(referer, s.own) {
			t.Errorf("the app learns where the console is: %s", asked)
		}
	}
	for _, line := range strings.Split(s.Stderr.String(), "\n") {
		if strings.Contains(line, s.pin) && !strings.Contains(line, "console PIN "+s.pin) {
			t.Errorf("the PIN is in the line %s", line)
		}
	}
}

// discard reads a body to its end.
func discard(resp *http.Response) error {
	_, err := io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return err
}
