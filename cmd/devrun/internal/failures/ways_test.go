//go:build linux

package failures

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// way is a request that fails, and what its failure shows.
type way struct {
	path, mark string // of the line in ways.go
	how        string // where nothing but net/http recovers
	says       string // in the message
	why        string // in the sentence that is proved, "" for none
	vars       map[string]string
}

// panics are in all apps, each time in a handler of the framework's own form.
var panics = []way{
	{"/ways/nil", "NIL", "panic", "nil pointer dereference", "u is nil", map[string]string{
		"id": "17", "tags": `len 2 cap 2 ["go", "winter"]`, "byName": `len 1 {"susan": 3}`, "u": "nil"}},
	{"/ways/index", "INDEX", "panic", "index out of range [6] with length 3", "at is 6", map[string]string{
		"scores": "len 3 cap 3 [1.5, 2.25, 4]", "at": "6", "label": `"ababab"`}},
	{"/ways/assertion/7", "ASSERTION", "panic", "missing method String", "", map[string]string{
		"id": "7", "value": `main.user{ID: 7, Name: "susan", Tags: nil}`, "wanted": "[true, false]", "count": "200"}},
	{"/ways/chain/-5", "CHAIN", "panic", "show profile: select -5: no such user", "", map[string]string{
		"id": "-5", "limit": "{Low: 1, High: 99}", "err": `&main.queryError{Query: "select -5", Err: &errors.errorString{s: "no such user"}}`}},
	{"/ways/nested", "NESTED", "panic", "cleaning up 2 [first]", "", map[string]string{
		"step": `"first"`, "left": "2", "again": `["first"]`, "done": "len 3 cap 3 [1, 2, 3]"}},
}

var explicit = way{"/ways/status", "STATUS", "status", "no such table: users", "", map[string]string{
	"table": `"users"`, "tries": "3", "pending": `len 1 {4: "four"}`}}

// templateError is that of a template with that name.
func templateError(name string) way {
	err := fmt.Sprintf(`template.ExecError{Name: %q, Err: &errors.errorString{s: %.19q…}}`, name, "template: "+name+":1:23")
	return way{"/ways/template/9", "TEMPLATE", "status", "can't evaluate field Missing", "wrote this response; err was not nil", map[string]string{
		"id": "9", "u": `{ID: 9, Name: "ada", Tags: len 1 cap 1 ["x"]}`, "title": `"Profile"`, "width": "80", "err": err}}
}

// ways are those of the app on net/http alone.
var ways = append(panics[:len(panics):len(panics)], templateError("page"), explicit,
	way{"/ways/nilmap", "NILMAP", "panic", "assignment to entry in nil map", "seen is a nil map", map[string]string{
		"seen": "nil", "page": `"visit"`, "hits": "1099511627776"}},
	way{"/ways/division", "DIVISION", "panic", "integer divide by zero", "parts is 0", map[string]string{
		"total": "12", "parts": "0", "unit": "120"}},
)

// testWays fails in each way of the app on net/http alone.
func testWays(t *testing.T, client *http.Client, base, source, recovered string) {
	t.Helper()
	for _, w := range ways {
		w.test(t, client, base, source, recovered)
	}
}

// test looks at the answers for people and programs. Whoever recovers from a
// panic makes it that kind of failure.
func (w way) test(t *testing.T, client *http.Client, base, source, recovered string) {
	t.Helper()
	mark := line(t, source, w.mark)
	status, f, _, err := asked(client, base+w.path)
	if err != nil {
		t.Error(err)
		return
	}
	how := w.how
	if how == "panic" {
		how = recovered
	}
	root := f.root()
	if status < 500 || f.How != how || !strings.Contains(f.Error, w.says) || !f.Values.Here {
		t.Errorf("%s: %d, %s %q, values %+v", w.path, status, f.How, f.Error, f.Values)
	}
	if root.Rel != "ways.go" || root.Line != mark {
		t.Errorf("%s: at %s:%d, want line %d", w.path, root.Rel, root.Line, mark)
	}
	for name, want := range w.vars {
		if got := root.of(name); got != want {
			t.Errorf("%s: %s is %s, want %s", w.path, name, got, want)
		}
	}
	if w.why != "" && !strings.Contains(f.Why, w.why) {
		t.Errorf("%s: why %q, want %s", w.path, f.Why, w.why)
	}
	switch w.mark {
	case "CHAIN":
		if c := f.Chain; c == nil || c.Type != "*fmt.wrapError" || len(c.Causes) != 1 || c.Causes[0].Type != "*main.queryError" || c.Causes[0].Causes[0].Text != "no such user" {
			t.Errorf("chain %+v", f.Chain)
		}
	case "NESTED":
		if len(f.Panics) != 1 || f.Panics[0].Text != "step first0.5" {
			t.Errorf("panics before: %+v", f.Panics)
		}
		first := f.frame("main.nested")
		if first.Line != line(t, source, "FIRST") || first.of("ratio") != "0.5" {
			t.Errorf("the first panic is at %d, ratio is %s", first.Line, first.of("ratio"))
		}
	}
	if how != "panic" && f.Production != nil {
		status = f.Production.Status // a 5xx may come too late
	}
	w.testText(t, client, base+w.path, status, mark, how == "panic")
}

// testText looks at the page as text, which has fewer lines than a terminal. A plain
// client gets it where the app has no answer, else that and where the page is.
func (w way) testText(t *testing.T, client *http.Client, url string, status, mark int, unanswered bool) {
	t.Helper()
	resp, text, err := ask(client, url)
	if err != nil {
		t.Error(err)
		return
	}
	at := resp.Header.Get(failureHeader)
	if resp.StatusCode != status || at == "" || strings.Contains(text, "ways.go:") != unanswered {
		t.Errorf("%s for a plain client: %d %s\n%s", w.path, resp.StatusCode, resp.Header, text)
	}
	if !unanswered {
		if resp, text, err = ask(client, at); err != nil {
			t.Error(err)
			return
		}
	}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("%s as text: %s", w.path, resp.Header)
	}
	for _, want := range []string{w.says, w.why, fmt.Sprintf("ways.go:%d\n", mark)} {
		if !strings.Contains(text, want) {
			t.Errorf("%s as text has no %q:\n%s", w.path, want, text)
		}
	}
	shown := 0
	for name, want := range w.vars {
		if strings.Contains(text, "\n      "+name+" ") && strings.Contains(text, " = "+want+"\n") {
			shown++
		}
	}
	if shown < 3 {
		t.Errorf("%s as text shows %d of the variables:\n%s", w.path, shown, text)
	}
	if n := strings.Count(text, "\n"); n > 40 {
		t.Errorf("%s as text has %d lines", w.path, n)
	}
}

// frame is the innermost call of a function.
func (f failure) frame(name string) frame {
	for _, fr := range f.Frames {
		if fr.Func == name {
			return fr
		}
	}
	return frame{}
}

// Each way to fail, by a panic, a template or a 5xx, has the page of its point of
// failure, with its variables.
func TestWays(t *testing.T) {
	t.Parallel()
	r := plain(t).Start()
	warm(t, e2e.Client, r.URL("/ways/nil"))
	testWays(t, e2e.Client, r.URL(""), filepath.Join(r.Dir, "ways.go"), "panic")

	// http.TimeoutHandler runs a handler on a goroutine of its own, and panics
	// again on the first with what it has recovered there.
	lost{"/ways/within", http.StatusInternalServerError, "panic", "nil pointer dereference", "", noCalls}.test(r)
	lost{"/ways/timeout", http.StatusServiceUnavailable, "status", "too slow", "", noCalls}.test(r)
}

// Over TLS and HTTP/2 each way to fail has its page, too.
func TestLongWaysTLS(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	r := plain(t)
	cert, key := suite.Certificate(t)
	r.Env = append(r.Env, "CERT="+cert, "CERT_KEY="+key)
	r.Launch()
	base := fmt.Sprintf("https://127.0.0.1:%d", r.Port)
	client := &http.Client{Timeout: suite.Patience, Transport: &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	t.Cleanup(client.CloseIdleConnections)
	suite.Until(t, "the app answers over HTTP/2", func() error {
		resp, body, err := ask(client, base+"/version")
		if err == nil && (resp.ProtoMajor != 2 || body != "v1\n") {
			err = errors.New(resp.Proto + " " + body)
		}
		return err
	})
	warm(t, client, base+"/ways/nil")
	testWays(t, client, base, filepath.Join(r.Dir, "ways.go"), "panic")
	if _, f, _, err := asked(client, base+"/ways/nil"); err != nil || f.Request == nil || f.Request.Proto != "HTTP/2.0" {
		t.Errorf("%+v, %v", f.Request, err)
	}
	// The connection has served all that failed, and serves on.
	if resp, body, err := ask(client, base+"/ok"); err != nil || resp.StatusCode != 200 || !strings.HasPrefix(body, "ok ") {
		t.Errorf("%v %q", err, body)
	}
}
