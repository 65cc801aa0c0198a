//go:build linux

package failures

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
	"devrun/devserver/suite/chrome"
)

const (
	failureHeader = "X-Devrun-Failure"
	ownJSON       = "application/vnd.devrun+json"
)

// Who asks, and in what form devrun has something for him: for what the app has answered,
// "" where the app's answer is his, and for a panic that it has not.
var askers = []struct {
	name            string
	header          []string
	status, panicks string
}{
	{"a person", navigation, "text/html; charset=utf-8", "text/html; charset=utf-8"},
	{"a browser that does not say so", []string{"Accept", "text/html,*/*;q=0.8", "User-Agent", "Mozilla/5.0", "Accept-Language", "de"}, "text/html; charset=utf-8", "text/html; charset=utf-8"},
	{"a frame", []string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, "text/html; charset=utf-8", "text/html; charset=utf-8"},
	{"a service worker that passes on a navigation", []string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "empty"}, "text/html; charset=utf-8", "text/html; charset=utf-8"},
	{"curl", []string{"Accept", "*/*", "User-Agent", "curl/8.5.0"}, "", "text/plain; charset=utf-8"},
	{"a client that says nothing", nil, "", "text/plain; charset=utf-8"},
	{"fetch", []string{"Accept", "*/*", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin"}, "", "text/plain; charset=utf-8"},
	{"fetch of a page", []string{"Accept", "text/html, application/xhtml+xml", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, "", "text/plain; charset=utf-8"},
	{"htmx", []string{"Accept", "text/html, */*", "Hx-Request", "true"}, "", "text/plain; charset=utf-8"},
	{"an XMLHttpRequest", []string{"Accept", "text/html, */*; q=0.01", "X-Requested-With", "XMLHttpRequest"}, "", "text/plain; charset=utf-8"},
	{"an image", []string{"Accept", "image/avif,*/*;q=0.8", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, "", "text/plain; charset=utf-8"},
	{"an API client", []string{"Accept", "application/json"}, "", "application/json"},
	{"an API client with a type of its own", []string{"Accept", "application/vnd.api+json"}, "", "application/json"},
	{"who names devrun's JSON", []string{"Accept", ownJSON}, ownJSON, ownJSON},
	{"a script that names devrun's JSON", []string{"Accept", ownJSON, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, ownJSON, ownJSON},
	{"who names Markdown", []string{"Accept", "text/markdown"}, "text/markdown; charset=utf-8", "text/markdown; charset=utf-8"},
}

// given are requests for which the app has an answer, however odd.
var given = []string{
	"GET /json", "GET /text", "GET /bare", "GET /recovered", "GET /flushed", "GET /slow", "GET /unsaid", "GET /large", "GET /whole", "GET /loud",
	"GET /gzip", "GET /promised", "GET /early", "GET /copied", "GET /begun", "GET /again",
	"HEAD /text", "HEAD /promised", "HEAD /recovered", "HEAD /large", "POST /posted", "PUT /posted",
}

// got is an answer as its client sees it.
type got struct {
	status          int
	proto           string
	header, trailer http.Header
	length          int64
	encoding        []string
	body            string
	hints           []string
	failure         string // the header, which is in none of the others
}

// Same leaves out what is another at each request.
func (g got) String() string {
	g.failure = ""
	if len(g.body) > 200 {
		g.body = fmt.Sprintf("%q… %d %x", g.body[:100], len(g.body), []byte(g.body[len(g.body)-20:]))
	}
	return fmt.Sprintf("%+v", struct{ got }{g}.got.plain())
}

// plain has no methods.
func (g got) plain() any {
	type bare got
	return bare(g)
}

func (a app) get(request string, header ...string) (g got, err error) {
	method, path, _ := strings.Cut(request, " ")
	var body io.Reader
	if method == "POST" || method == "PUT" {
		body = strings.NewReader(strings.Repeat("much ", 200_000))
	}
	req, err := http.NewRequest(method, a.base+path, body)
	if err != nil {
		return g, err
	}
	req.Header.Set("Accept-Encoding", "identity") // the transport is to leave the body alone
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			g.hints = append(g.hints, fmt.Sprint(code, h))
			return nil
		},
	}))
	resp, err := a.client.Do(req)
	if err != nil {
		return g, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	g.status, g.proto, g.header, g.trailer = resp.StatusCode, resp.Proto, resp.Header, resp.Trailer
	g.length, g.encoding, g.body = resp.ContentLength, resp.TransferEncoding, string(b)
	if path != "/json" { // which has one of its own
		g.header.Del("Date")
	}
	if all := g.header[failureHeader]; len(all) == 1 {
		g.failure = all[0]
		g.header.Del(failureHeader)
	}
	return g, err
}

// app is one that somebody serves.
type app struct {
	base   string
	client *http.Client
}

// answering are the app under devrun and the same one alone.
func answering(t *testing.T, args ...string) (r *e2e.Rig, under, alone app) {
	t.Helper()
	r = e2e.NewOf(t, "notify", e2e.Path(t, own+"answers"))
	r.Launch(args...)
	p := e2e.NewOf(t, "notify", e2e.Path(t, own+"answers"))
	p.Env = append(p.Env, "APP_ENV=production")
	p.LaunchWith(func(c *exec.Cmd) {
		c.Env = slices.DeleteFunc(c.Env, func(e string) bool { return e == "APP_ENV=development" })
	})
	r.Served("v1")
	p.Served("v1")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: suite.Patience}
	return r, app{r.URL(""), client}, app{p.URL(""), client}
}

// overH2 is the same app over HTTP/2 without TLS, of which devrun passes on the bytes.
func (a app) overH2(t *testing.T) app {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return app{a.base, &http.Client{Transport: transport, Timeout: suite.Patience}}
}

var address = regexp.MustCompile(`^http://127\.0\.0\.1:\d+/failures/\w+$`)

// names checks that an answer names a failure that devrun has, with what it shows.
func (g got) names(t *testing.T, r *e2e.Rig, what string) (f failure) {
	t.Helper()
	if !address.MatchString(g.failure) || !strings.HasPrefix(g.failure, console(t, r)+"/") {
		t.Errorf("%s: %s is %q, the header %v", what, failureHeader, g.failure, g.header)
		return f
	}
	_, f, _, err := asked(e2e.Client, g.failure)
	if err != nil || !f.Values.Here && f.Values.Why == "" {
		t.Errorf("%s: %s: %v, %+v", what, g.failure, err, f)
	}
	return f
}

// What the app answers with a 5xx is what scripts and programs get, down to the last
// header, and it says where the failure is; a person, and who asks for it by name, has
// devrun's.
func TestAnswers(t *testing.T) {
	t.Parallel()
	r, under, alone := answering(t)
	warm(t, e2e.Client, r.URL("/panic"))

	for _, who := range askers {
		for path, says := range map[string]string{
			"/json": "the shop is closed", "/text": "no such table", "/gzip": "we are sorry",
			"/recovered": "nil pointer dereference", "/panic": "nil pointer dereference",
		} {
			what := who.name + " GET " + path
			g, err := under.get("GET "+path, who.header...)
			if err != nil {
				t.Errorf("%s: %v", what, err)
				continue
			}
			f := g.names(t, r, what)
			want := who.status
			if path == "/panic" {
				want = who.panicks
			}
			if want == "" {
				theirs, err := alone.get("GET "+path, who.header...)
				if err != nil || g.String() != theirs.String() {
					t.Errorf("%s: %v\nis   %v\nwant %v", what, err, g, theirs)
				}
				continue
			}
			if typ := g.header.Get("Content-Type"); typ != want {
				t.Errorf("%s: %s, want %s", what, typ, want)
			}
			if g.status < 500 || !strings.Contains(g.body, says) || !strings.Contains(f.Error, says) || g.header.Get("Set-Cookie") != "" {
				t.Errorf("%s: not %q, but %q: %v", what, says, f.Error, g)
			}
		}
	}
	for name, c := range map[string][2]app{"HTTP/1": {under, alone}, "HTTP/2": {under.overH2(t), alone.overH2(t)}} {
		for _, request := range given {
			g, err := c[0].get(request)
			if err != nil {
				t.Errorf("%s %s: %v", name, request, err)
				continue
			}
			theirs, err := c[1].get(request)
			if err != nil || g.String() != theirs.String() {
				t.Errorf("%s %s: %v\nis   %v\nwant %v", name, request, err, g, theirs)
			}
			f := g.names(t, r, name+" "+request)
			if f.Production == nil || f.Production.Status != theirs.status || !strings.HasPrefix(theirs.body, f.Production.Body) && !strings.HasSuffix(request, "/gzip") && !strings.HasPrefix(request, "HEAD") {
				t.Errorf("%s %s: recorded %+v", name, request, f.Production)
			}
			if f.Gone == "" {
				t.Errorf("%s %s: said to be parked", name, request)
			}
		}
	}
	// What is too much to keep back, or has been sent on, a person has of the app, too.
	for _, path := range []string{"/large", "/loud", "/flushed", "/unsaid"} {
		g, err := under.get("GET "+path, navigation...)
		theirs, err2 := alone.get("GET "+path, navigation...)
		if err != nil || err2 != nil || g.String() != theirs.String() {
			t.Errorf("a person %s: %v %v\nis   %v\nwant %v", path, err, err2, g, theirs)
		}
		g.names(t, r, "a person "+path)
	}
	// A panic after an answer of which nothing has gone out is one that nobody answers.
	for _, path := range []string{"/both", "/rethrown"} {
		g, err := under.get("GET " + path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if f := g.names(t, r, path); f.How != "panic" || f.Gone != "" || !strings.HasPrefix(g.header.Get("Content-Type"), "text/plain") || !strings.Contains(g.body, "nil pointer dereference") {
			t.Errorf("%s: %+v\n%v", path, f, g)
		}
	}
}

// An answer that comes bit by bit does so, with the address of its failure in its header.
func TestAnswersInPieces(t *testing.T) {
	t.Parallel()
	r, under, _ := answering(t)
	warm(t, e2e.Client, r.URL("/panic"))
	for name, a := range map[string]app{"HTTP/1": under, "HTTP/2": under.overH2(t)} {
		for _, path := range []string{"/flushed?wait=1", "/slow?wait=1"} {
			if a == under && path != "/flushed?wait=1" {
				continue // net/http sends half a chunk, for whose other half a proxy waits
			}
			resp, err := a.client.Get(a.base + path)
			if err != nil {
				t.Fatal(err)
			}
			body := bufio.NewReader(resp.Body)
			first, err := body.ReadString('f')
			if at := resp.Header.Get(failureHeader); err != nil || resp.StatusCode != 500 || !address.MatchString(at) {
				t.Errorf("%s %s: %v %q %s %v", name, path, err, first, resp.Status, resp.Header)
			}
			if _, err := e2e.Client.Get(r.URL("/more")); err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(body)
			if err != nil || !strings.HasSuffix(string(rest), "second\n") {
				t.Errorf("%s %s: %v %q", name, path, err, rest)
			}
			resp.Body.Close()
		}
	}
}

// Only devrun names a failure: what the app has in that header, or somebody behind it,
// is not passed on.
func TestForgedFailure(t *testing.T) {
	t.Parallel()
	r, under, _ := answering(t)
	warm(t, e2e.Client, r.URL("/panic"))
	own := console(t, r)
	for _, say := range []string{"http://evil.test/", own + "/failures/AAAAAAAAAAAA", own + "/failures/", own, "x"} {
		g, err := under.get("GET /forged", "X-Say", say)
		if err != nil || g.status != 200 || g.failure != "" || g.header.Get(failureHeader) != "" {
			t.Errorf("%q: %v %q %v", say, err, g.failure, g.header)
		}
		g, err = under.get("GET /forged?status=500", "X-Say", say)
		if err != nil || g.status != 500 || g.body != "forged\n" || g.failure == say {
			t.Errorf("%q with a 500: %v %v", say, err, g)
		}
		g.names(t, r, "forged "+say)
	}
}

// Who may not see devrun's pages, as one that comes under the name of another site, has
// the app's answer and is not told where they are.
func TestAnswersToStrangers(t *testing.T) {
	t.Parallel()
	r, under, alone := answering(t)
	warm(t, e2e.Client, r.URL("/panic"))
	theirs, err := alone.get("GET /json")
	if err != nil {
		t.Fatal(err)
	}
	resp, err := r.Raw("GET", "/json", "Host", "evil.test")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != theirs.status || string(body) != theirs.body || resp.Header.Get(failureHeader) != "" {
		t.Errorf("%v %s %v %q", err, resp.Status, resp.Header, body)
	}
	for _, path := range []string{"/json", "/panic"} {
		resp, err := r.Raw("GET", path, append([]string{"Host", "evil.test"}, navigation...)...)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 403 || resp.Header.Get(failureHeader) != "" || strings.Contains(string(body), "failures/") {
			t.Errorf("%s: %v %s %v %q", path, err, resp.Status, resp.Header, body)
		}
	}
	if g, err := under.get("GET /json"); err != nil || g.failure == "" {
		t.Errorf("%v %v", err, g)
	}
}

// Many fail at once, and each answer names its own failure.
func TestLongAnswersAtOnce(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	r, under, _ := answering(t)
	warm(t, e2e.Client, r.URL("/panic"))
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]string{}
	for i := range 4 {
		wg.Go(func() {
			for n := range 10 {
				path := fmt.Sprintf("/text?n=%d", 100*i+n)
				g, err := under.get("GET " + path)
				if err != nil || g.body != "no such table\n" {
					t.Errorf("%s: %v %v", path, err, g)
					continue
				}
				mu.Lock()
				seen[g.failure] = path
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != 40 {
		t.Errorf("%d addresses: %q", len(seen), slices.Collect(maps.Keys(seen)))
	}
	for at, path := range seen {
		_, body, err := ask(e2e.Client, at, "Accept", ownJSON)
		var f struct{ Request struct{ URI string } }
		if err == nil {
			err = json.Unmarshal([]byte(body), &f)
		}
		if err != nil || f.Request.URI != path {
			t.Errorf("%s is of %s, not %s: %v", at, f.Request.URI, path, err)
		}
	}
}

// In a browser the scripts of a page get what the app answers, and the person who goes on
// from there devrun's page.
func TestLongAnswersInABrowser(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	b := chrome.Start(t)
	r, _, _ := answering(t)
	warm(t, e2e.Client, r.URL("/panic"))
	at := regexp.QuoteMeta(console(t, r)) + `/failures/\w+`
	p := e2e.NewTab(t, b, r.URL("/page"))
	p.Becomes(`document.title`, `^Shop$`)
	for _, c := range []struct{ request, want string }{
		{`fetch("/json")`, `^502 application/problem\+json ` + at + ` \{"error":"the shop is closed"\}\n$`},
		{`fetch("/recovered", {method: "POST", body: "x", headers: {Accept: "text/html"}})`, `^500 application/json ` + at + ` \{"error":"internal"\}$`},
		{`fetch("/flushed")`, `^500 text/plain; charset=utf-8 ` + at + ` first\nsecond\n$`},
		{`fetch("/panic")`, `^500 text/plain; charset=utf-8 ` + at + ` .*nil pointer dereference`},
		{`fetch("/json", {headers: {Accept: "` + ownJSON + `"}})`, `^502 ` + regexp.QuoteMeta(ownJSON) + ` ` + at + ` \{`},
		{`new Promise((done) => {
			const x = new XMLHttpRequest();
			x.onload = () => done(new Response(x.responseText, {status: x.status, headers: {"Content-Type": x.getResponseHeader("Content-Type"), "` + failureHeader + `": x.getResponseHeader("` + failureHeader + `")}}));
			x.open("GET", "/text");
			x.send();
		})`, `^500 text/plain; charset=utf-8 ` + at + ` no such table\n$`},
	} {
		p.Do(`window.got = undefined; ` + c.request + `.then(async (r) => { window.got = [r.status, r.headers.get("Content-Type"), r.headers.get("` + failureHeader + `"), await r.text()].join(" "); })`)
		p.Becomes(`window.got`, c.want)
	}
	p.Do(`document.querySelector("button").click()`)
	p.Becomes(e2e.BodyText, `(?s)3 bytes, <nil>.*POST /posted.*`)
	p.Becomes(`self.origin`, `^null$`)

	p = e2e.NewTab(t, b, r.URL("/page"))
	p.Becomes(`document.title`, `^Shop$`)
	p.Do(`document.querySelector("a").click()`)
	p.Becomes(e2e.BodyText, `(?s)the shop is closed.*GET /json`)
	p.Becomes(`self.origin`, `^null$`)
}
