package hook

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"devrun/devserver/internal/wire"
	"devrun/devserver/suite"
)

// answered is what a client got.
type answered struct {
	res  *http.Response
	body string
	err  error
}

// ask sends a request and does not wait for the answer.
func (p *process) ask(c *http.Client, method, url string, body io.Reader) <-chan answered {
	p.t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("X-Client", "test")
	done := make(chan answered, 1)
	go func() {
		var a answered
		if a.res, a.err = c.Do(req); a.err == nil {
			var b []byte
			b, a.err = io.ReadAll(a.res.Body)
			a.res.Body.Close()
			a.body = string(b)
		}
		done <- a
	}()
	return done
}

func (p *process) say(m wire.Message) {
	p.t.Helper()
	if err := wire.Write(p.channel, m); err != nil {
		p.t.Fatal(err)
	}
}

const shown = "<h1>devrun's page</h1>"

// show answers a failure as devrun does.
func (p *process) show(id string) {
	p.t.Helper()
	p.say(wire.Message{Kind: wire.Answer, ID: id, Response: &wire.Response{
		Status: 500, Body: []byte(shown),
		Header: []wire.Field{{Name: "Content-Type", Values: []string{"text/html"}}, {Name: "X-Devrun", Values: []string{"1", "2"}}},
	}})
}

func (p *process) failure() *wire.Failure {
	p.t.Helper()
	m := p.next(wire.Failed)
	if m.Failure == nil || m.ID == "" || m.Failure.ID != m.ID {
		p.t.Fatalf("message %+v", m)
	}
	return m.Failure
}

func (p *process) wait(done <-chan answered) answered {
	p.t.Helper()
	select {
	case a := <-done:
		return a
	case <-time.After(suite.Patience):
		p.t.Fatal("no answer")
	}
	panic("unreachable")
}

// page waits for an answer that must be devrun's.
func (p *process) page(done <-chan answered) {
	p.t.Helper()
	a := p.wait(done)
	if a.err != nil {
		p.t.Fatalf("%v instead of devrun's answer", a.err)
	}
	if a.res.StatusCode != 500 || a.body != shown {
		p.t.Fatalf("answer %+v instead of devrun's", a)
	}
	equal(p.t, "header", fmt.Sprint(a.res.Header["X-Devrun"], a.res.Header["Content-Type"], a.res.Header["X-App"]), "[1 2] [text/html] []")
	equal(p.t, "length", a.res.ContentLength, int64(len(shown)))
}

// gone waits until the goroutines of these failures have gone on, in any order.
func (p *process) gone(ids ...string) {
	p.t.Helper()
	left := map[string]bool{}
	for _, id := range ids {
		left[id] = true
	}
	for len(left) > 0 {
		select {
		case m := <-p.released:
			if !left[m.ID] {
				p.t.Errorf("released %q, want one of %v", m.ID, left)
			}
			delete(left, m.ID)
		case <-time.After(suite.Patience):
			p.t.Fatalf("not released: %v", left)
		}
	}
}

// line returns the place of a comment in a test app.
func line(t *testing.T, app, mark string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + app + "/main.go")
	if err != nil {
		t.Fatal(err)
	}
	before, _, ok := bytes.Cut(text, []byte("// "+mark+"\n"))
	if !ok {
		t.Fatalf("no line %s", mark)
	}
	return fmt.Sprintf("main.go:%d", 1+bytes.Count(before, []byte("\n")))
}

// at is where a failure's innermost call of the app's own is.
func at(f *wire.Failure) string {
	for _, c := range f.Frames {
		if strings.HasPrefix(c.Func, "main.") {
			return fmt.Sprintf("%s:%d", c.File[strings.LastIndexByte(c.File, '/')+1:], c.Line)
		}
	}
	return "nowhere"
}

// failing is an app that serves HTTP/1.
func failing(t *testing.T, env []string, args ...string) (p *process, url string) {
	t.Helper()
	p = run(t, shared(t, "faults"), env, append(args, "127.0.0.1:0")...)
	return p, "http://" + p.serving().Addr
}

// secure is an app that serves HTTP/2, with a client.
func secure(t *testing.T) (p *process, url string, c *http.Client) {
	t.Helper()
	cert, key := suite.Certificate(t)
	p = run(t, shared(t, "faults"), nil, "-cert", cert, "-key", key, "127.0.0.1:0")
	p.next(wire.Hello)
	p.next(wire.Listening)
	url = "https://" + p.next(wire.Serving).Addr
	c = &http.Client{Timeout: suite.Patience, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true,
	}}
	t.Cleanup(c.CloseIdleConnections)
	return p, url, c
}

const nilText = "runtime error: invalid memory address or nil pointer dereference"

// Where one goroutine too many is parked the oldest failure's goes, though it was answered
// last.
func TestOldestGoes(t *testing.T) {
	p, url := failing(t, nil)
	first := p.ask(&client, "GET", url+"/nil", nil)
	oldest := p.failure().ID
	var others []string
	for range wire.DefaultPark {
		done := p.ask(&client, "GET", url+"/nil", nil)
		id := p.failure().ID
		p.show(id)
		p.page(done)
		others = append(others, id)
	}
	p.show(oldest)
	p.page(first)
	p.gone(oldest)
	p.say(wire.Message{Kind: wire.Release})
	p.gone(others...)
}

// Each way to fail, on HTTP/1 and HTTP/2.
func TestFailures(t *testing.T) {
	cases := []struct {
		method, path string
		how          wire.Failure // what of it has to be equal
		at           string       // mark of the line
		status       int          // what production would send
		body         string
		page         bool // devrun's answer can go out
		parks        bool
	}{
		{"GET", "/nil", wire.Failure{How: "panic", Type: "runtime.errorString", Text: nilText}, "LOOKUP", 0, "", true, true},
		{"HEAD", "/nil", wire.Failure{How: "panic", Type: "runtime.errorString", Text: nilText}, "LOOKUP", 0, "", true, true},
		{"GET", "/custom", wire.Failure{How: "panic", Type: "main.code", Text: "main.code(7)"}, "", 0, "", true, true},
		{"GET", "/nested", wire.Failure{How: "panic", Type: "string", Text: "second"}, "FIRST", 0, "", true, true},
		{"GET", "/repanic", wire.Failure{How: "panic", Text: nilText}, "LOOKUP", 0, "", true, true},
		{"GET", "/recovered", wire.Failure{How: "recovered", Text: nilText}, "LOOKUP", 500, "sorry: " + nilText + "\n", true, true},
		{"GET", "/silent", wire.Failure{How: "recovered", Text: nilText}, "LOOKUP", 500, "", true, true},
		{"GET", "/again", wire.Failure{How: "recovered", Text: nilText}, "LOOKUP", 500, "", true, true},
		{"GET", "/unwound", wire.Failure{How: "status", Text: nilText}, "UNWOUND", 500, nilText + "\n", true, false},
		{"GET", "/error", wire.Failure{How: "status", Text: "no such table: users"}, "ERROR", 500, "no such table: users\n", true, false},
		{"HEAD", "/error", wire.Failure{How: "status", Text: "no such table: users"}, "ERROR", 500, "no such table: users\n", true, false},
		{"GET", "/bare", wire.Failure{How: "status"}, "BARE", 503, "", true, false},
		{"GET", "/template", wire.Failure{How: "status"}, "TEMPLATE", 200, "<h1>susan</h1>template: page:1:20", true, false},
		{"GET", "/partial", wire.Failure{How: "panic", Text: nilText}, "LOOKUP", 0, "", true, true},
		{"GET", "/started", wire.Failure{How: "panic", Text: nilText}, "LOOKUP", 200, "xxxx", false, true},
		{"GET", "/flushed", wire.Failure{How: "panic", Text: nilText}, "LOOKUP", 200, "data: 1\n\n", false, true},
		{"GET", "/late", wire.Failure{How: "status"}, "", 200, "data: 1\n\ntoo late\n", false, false},
		{"GET", "/elsewhere", wire.Failure{How: "status", Text: "elsewhere"}, "ELSEWHERE", 500, "elsewhere\n", true, false},
	}
	p1, url1 := failing(t, []string{"GODEBUG=tracebacklabels=1"}) // as devrun starts it
	p2, url2, client2 := secure(t)
	for _, server := range []struct {
		name   string
		p      *process
		url    string
		client *http.Client
	}{{"HTTP/1", p1, url1, &client}, {"HTTP/2", p2, url2, client2}} {
		p := server.p
		var ids []string
		for _, c := range cases {
			t.Run(server.name+" "+c.method+c.path, func(t *testing.T) {
				p.t = t
				done := p.ask(server.client, c.method, server.url+c.path, nil)
				f := p.failure()
				equal(t, "how", f.How, c.how.How)
				if c.how.Type != "" {
					equal(t, "type", f.Type, c.how.Type)
				}
				if c.how.Text != "" {
					equal(t, "text", f.Text, c.how.Text)
				}
				if c.at != "" {
					equal(t, "place", at(f), line(t, "faults", c.at))
				}
				equal(t, "returned", f.Returned, c.how.Returned)
				equal(t, "started", f.Response.Started, !c.page)
				equal(t, "request", f.Request.Method+" "+f.Request.URI, c.method+" "+c.path)
				if f.Moved || f.Hijacked || f.Goroutine == 0 && !f.Returned {
					t.Errorf("moved %t, hijacked %t, goroutine %d", f.Moved, f.Hijacked, f.Goroutine)
				}
				if by := f.CreatedBy; (by != nil) != (c.path == "/elsewhere") || by != nil && (!strings.HasPrefix(by.Func, "main.main.func") || by.Line == 0) {
					t.Errorf("created by %+v", by)
				}
				for _, call := range f.Frames {
					if strings.Contains(call.Func, "zz_devrun") || call.PC == 0 || call.File == "" {
						t.Errorf("frame %+v", call)
					}
				}
				whole := f.Response
				if f.How == "status" {
					if !f.Returned {
						p.say(wire.Message{Kind: wire.Proceed, ID: f.ID})
					}
					m := p.next(wire.Finished)
					equal(t, "id", m.ID, f.ID)
					whole = *m.Response
				}
				equal(t, "status", whole.Status, c.status)
				if !strings.HasPrefix(string(whole.Body), c.body) || c.body == "" && len(whole.Body) > 0 {
					t.Errorf("body %q, want %q", whole.Body, c.body)
				}
				if c.page {
					p.show(f.ID)
					if c.method == "HEAD" {
						a := p.wait(done)
						equal(t, "head", fmt.Sprint(a.err, a.res.StatusCode, a.res.ContentLength, a.body), fmt.Sprint(nil, 500, len(shown), ""))
					} else {
						p.page(done)
					}
				} else if a := p.wait(done); f.How == "panic" && a.err == nil || a.res != nil && a.res.StatusCode != 200 {
					t.Errorf("answer %+v", a)
				}
				if c.parks {
					ids = append(ids, f.ID)
				}
				equal(t, "after it", fetch(t, server.client, server.url+"/ok")[:3], "ok ")
			})
		}
		p.t = t
		p.gone(ids[:len(ids)-wire.DefaultPark]...) // the newest stay
		p.say(wire.Message{Kind: wire.Release})
		p.gone(ids[len(ids)-wire.DefaultPark:]...)
		p.kill()
		if n := strings.Count(p.out.String(), "panic serving"); n != 8 {
			t.Errorf("%d lines about panics, want 8:\n%s", n, &p.out)
		}
		if s := p.out.String(); strings.Contains(s, "devrun") {
			t.Errorf("the output speaks of the hook:\n%s", &p.out)
		}
	}
}
