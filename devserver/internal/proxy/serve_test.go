package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"devrun/devserver/suite"
)

func TestToPage(t *testing.T) {
	for _, c := range []struct {
		header string
		want   bool
	}{
		{"", true},
		{"Accept: */*", true},
		{"Sec-Fetch-Dest: document", true},
		{"Sec-Fetch-Dest: iframe", true},
		{"Sec-Fetch-Dest: frame", true},
		{"Sec-Fetch-Dest: embed", true},
		{"Sec-Fetch-Dest: object", true},
		{"Sec-Fetch-Dest: script", false},
		{"Sec-Fetch-Dest: style", false},
		{"Sec-Fetch-Dest: image", false},
		{"Sec-Fetch-Dest: font", false},
		{"Sec-Fetch-Dest: worker", false},
		{"Sec-Fetch-Dest: manifest", false},
		{"Sec-Fetch-Dest: empty", false},
		{"Sec-Fetch-Dest: empty|Sec-Fetch-Mode: cors", false},
		{"Sec-Fetch-Dest: empty|Sec-Fetch-Mode: navigate", true},
		{"Sec-Fetch-Dest: empty|Accept: application/json", true},
		{"Sec-Fetch-Dest: empty|Accept: text/plain, Application/JSON;q=0.5", true},
		{"Sec-Fetch-Dest: empty|Accept: application/json5", false},
		{"Sec-Fetch-Dest: websocket|Connection: Upgrade|Upgrade: websocket", false},
		{"Connection: Upgrade|Upgrade: websocket", false},
	} {
		if got := toPage(request("GET", c.header)); got != c.want {
			t.Errorf("%s: %v", c.header, got)
		}
	}
}

func TestWantsPage(t *testing.T) {
	for _, c := range []struct {
		method, header string
		want           bool
	}{
		{"GET", "Accept: text/html", true},
		{"HEAD", "Accept: text/html,application/xhtml+xml;q=0.9", true},
		{"POST", "Accept: text/html", true},
		{"POST", "Sec-Fetch-Dest: document", true},
		{"POST", "Accept: */*", false},
		{"POST", "Sec-Fetch-Dest: empty|Accept: text/html", false},
		{"POST", "Accept: text/html|HX-Request: true", false},
		{"PUT", "Accept: text/html", false},
		{"GET", "", false},
		{"GET", "Accept: */*", false},
		{"GET", "Sec-Fetch-Dest: document", true},
		{"GET", "Sec-Fetch-Dest: iframe", true},
		{"GET", "Sec-Fetch-Dest: empty|Accept: text/html", false},
		{"GET", "Sec-Fetch-Dest: empty|Sec-Fetch-Mode: navigate", true},
		{"GET", "Sec-Fetch-Dest: empty|Sec-Fetch-Mode: same-origin|Accept: text/html", false},
		{"GET", "Sec-Fetch-Dest: object|Sec-Fetch-Mode: navigate|Accept: text/html", false},
		{"GET", "Sec-Fetch-Dest: object|Accept: text/html", false},
		{"GET", "Accept: text/html|HX-Request: true", false},
		{"GET", "Accept: text/html|X-Requested-With: XMLHttpRequest", false},
		{"GET", "Accept: text/html|Turbo-Frame: f", false},
		{"GET", "Accept: text/html|X-Up-Version: 3", false},
		{"GET", "Accept: text/html|Datastar-Request: true", false},
		{"GET", "Accept: text/html|X-PJAX: true", false},
		{"GET", "Accept: text/html|Range: bytes=0-", false},
	} {
		if got := WantsPage(request(c.method, c.header)); got != c.want {
			t.Errorf("%s %s: %v", c.method, c.header, got)
		}
	}
}

func request(method, header string) *http.Request {
	r := must(http.NewRequest(method, "http://x/", nil))
	for h := range strings.SplitSeq(header, "|") {
		if name, value, ok := strings.Cut(h, ": "); ok {
			r.Header.Add(name, value)
		}
	}
	return r
}

// seen is an app that notes what it is asked.
type seen struct {
	mu   sync.Mutex
	uris []string
}

func (s *seen) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uris = append(s.uris, r.Method+" "+r.RequestURI)
	fmt.Fprint(w, "app")
}

func (s *seen) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	uris := s.uris
	s.uris = nil
	return uris
}

func TestInternalPaths(t *testing.T) {
	var a seen
	f := front(t, Options{Internal: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "devrun %s|", r.URL.Path)
	})})
	f.Forward(app(t, a.serve))
	for target, want := range map[string]string{
		"/__devrun":                      "/__devrun",
		"/__devrun/":                     "/__devrun/",
		"/__devrun?x=/../":               "/__devrun",
		"/__devrun/reload.js":            "/__devrun/reload.js",
		"//__devrun/x":                   "/__devrun/x",
		"/__devrun//x":                   "/__devrun/x",
		"/./__devrun/x":                  "/__devrun/x",
		"/x/../__devrun/x":               "/__devrun/x",
		"/../../__devrun/x":              "/__devrun/x",
		"/%5F%5Fdevrun/x":                "/__devrun/x",
		"/__dev%72un/x":                  "/__devrun/x",
		"/%2e%2e/__devrun/x":             "/__devrun/x",
		"/x/%2E%2e/__devrun/x":           "/__devrun/x",
		"/__devrun%2Fx":                  "/__devrun/x",
		"/x%2f..%2f__devrun%2fx/":        "/__devrun/x/",
		"http://elsewhere/__devrun/x":    "/__devrun/x",
		"http://elsewhere/a/../__devrun": "/__devrun",
	} {
		for _, method := range []string{"GET", "POST", "CONNECT", "odd"} {
			if method == "CONNECT" && !strings.HasPrefix(target, "/") {
				continue
			}
			got := answerOf(t, f.Addrs()[0], []byte(method+" "+target+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
			if uris := a.take(); len(uris) > 0 || !strings.Contains(got, "devrun "+want+"|") {
				t.Errorf("%s %s: the app saw %q, the answer is %q", method, target, uris, got)
			}
		}
	}
	for _, target := range []string{
		"/__devrunx", "/x/__devrun", "/__DEVRUN/x", "/__devrun./x", "/x/..;/__devrun/x", "/%255F%255Fdevrun/x", "/_devrun", "/__devrun\\x", "/?/__devrun/",
	} {
		answerOf(t, f.Addrs()[0], []byte("GET "+target+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
		if uris := a.take(); len(uris) != 1 || uris[0] != "GET "+target {
			t.Errorf("%s: the app saw %q", target, uris)
		}
	}
	// While held and while another answers, too.
	f.Hold()
	if _, body := get(t, client(t), f.url()+"/__devrun/x"); body != "devrun /__devrun/x|" {
		t.Errorf("held: %q", body)
	}
	f.Answer(http.NotFoundHandler(), "")
	if _, body := get(t, client(t), f.url()+"/__devrun/x"); body != "devrun /__devrun/x|" {
		t.Errorf("answering: %q", body)
	}
}

// A ServeMux is redirected to where it wants to be, once.
func TestInternalMux(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/__devrun/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "root") })
	f := front(t, Options{Internal: mux})
	c := client(t)
	c.CheckRedirect = nil
	if code, body := get(t, c, f.url()+"/__devrun"); code != 200 || body != "root" {
		t.Errorf("got %d %q", code, body)
	}
}

// Whatever the app is asked, devrun was asked in the same words.
func TestSmuggling(t *testing.T) {
	var a seen
	var inside seen
	f := front(t, Options{Internal: http.HandlerFunc(inside.serve)})
	f.Forward(app(t, a.serve))
	const next = "POST /__devrun/eval HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
	for _, c := range []struct {
		name, raw string
		status    string // of the first answer
		app       string // what it saw
		inside    bool   // whether the second request was devrun's
	}{
		{"CL and TE", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + next, "200", "POST /a", true},
		{"two CL", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde" + next, "400", "", false},
		{"TE list", "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + next, "501", "", false},
		{"TE twice", "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + next, "501", "", false},
		{"TE space", "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + next, "400", "", false},
		{"bare CR", "POST /a HTTP/1.1\r\nHost: x\r\nX-A: b\rc\r\n\r\n" + next, "400", "", false},
		{"CL plus", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nabcde" + next, "400", "", false},
		{"CL negative", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n" + next, "400", "", false},
		{"no host", "GET /a HTTP/1.1\r\n\r\n" + next, "400", "", false},
		{"chunk extension", "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;ext=\"x\"\r\na\r\n0\r\n\r\n" + next, "200", "POST /a", true},
		{"bare LF", "GET /a HTTP/1.1\nHost: x\n\n" + next, "200", "GET /a", true},
		{"declined upgrade", "GET /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + next, "200", "GET /a", true},
		{"body that is a request", fmt.Sprintf("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(next), next), "200", "POST /a", false},
		{"opaque", "GET http:__devrun/eval HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "400", "", false},
		{"two spaces", "GET  /a HTTP/1.1\r\nHost: x\r\n\r\n", "400", "", false},
		{"line in a target", "GET /a\r\nX: y HTTP/1.1\r\nHost: x\r\n\r\n", "400", "", false},
	} {
		got := answerOf(t, f.Addrs()[0], []byte(c.raw))
		if _, status, _ := strings.Cut(got, " "); !strings.HasPrefix(status, c.status) {
			t.Errorf("%s: answered %q", c.name, got)
		}
		if saw := strings.Join(a.take(), ","); saw != c.app {
			t.Errorf("%s: the app saw %q", c.name, saw)
		}
		if saw := strings.Join(inside.take(), ","); (saw == "POST /__devrun/eval") != c.inside || !c.inside && saw != "" {
			t.Errorf("%s: devrun saw %q", c.name, saw)
		}
	}
}

func TestHeaderLimits(t *testing.T) {
	var a seen
	f := front(t, Options{})
	f.Forward(app(t, a.serve))
	got := answerOf(t, f.Addrs()[0], []byte("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Big: "+strings.Repeat("x", http.DefaultMaxHeaderBytes/2)+"\r\n\r\n"))
	if !strings.HasPrefix(got, "HTTP/1.1 200") || len(a.take()) != 1 {
		t.Errorf("half a megabyte: %.100q", got)
	}
	if f.server.ReadHeaderTimeout <= 0 || f.server.WriteTimeout != 0 || f.server.ReadTimeout != 0 {
		t.Error("a header must be bounded in time, and nothing else")
	}
}

// A page counts as asked for from the request until its answer begins, whatever becomes
// of it, and nothing else does.
func TestAsked(t *testing.T) {
	var asked, begun atomic.Int32
	f := front(t, Options{
		Snippet: func(_, _ string) string { return tag },
		Asked: func() func() {
			asked.Add(1)
			return func() { begun.Add(1) }
		},
	})
	counts := func(wantAsked, wantBegun int32) {
		t.Helper()
		suite.Until(t, "the page is asked for, and its answer begins", func() error {
			if a, b := asked.Load(), begun.Load(); a != wantAsked || b != wantBegun {
				return fmt.Errorf("%d are asked for, of which %d begin", a, b)
			}
			return nil
		})
	}
	answer, end := make(chan bool), make(chan bool)
	addr := app(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/slow" {
			panic(http.ErrAbortHandler)
		}
		<-answer
		http.NewResponseController(w).Flush()
		<-end
	})
	c := client(t)
	done := make(chan bool)
	go func() {
		defer close(done)
		get(t, c, f.url()+"/slow", "Sec-Fetch-Dest: document")
	}()
	counts(1, 0) // it is held
	f.Forward(addr)
	answer <- true
	counts(1, 1)
	get(t, c, f.url()+"/lost", "Sec-Fetch-Dest: document")
	counts(2, 2)
	get(t, c, f.url()+"/lost", "Sec-Fetch-Dest: image")
	close(end)
	<-done
	counts(2, 2)
}
