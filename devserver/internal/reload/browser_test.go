package reload

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"devrun/devserver/suite"
	"devrun/devserver/suite/chrome"
)

// browser is the one of the test binary, nil without Chromium; every test has tabs and an
// origin of its own.
var browser context.Context

func TestMain(m *testing.M) { os.Exit(withBrowser(m.Run)) }

func withBrowser(run func() int) int {
	b, stop, err := chrome.Open()
	switch {
	case errors.Is(err, chrome.ErrNone):
		return run()
	case err != nil:
		log.Fatal(err)
	}
	defer stop()
	browser = b
	return run()
}

// app is a web app with devrun's routes in front, and counts what browsers do.
type app struct {
	t      *testing.T
	server *httptest.Server

	mu      sync.Mutex
	hub     *Hub
	pages   map[string]page
	loads   map[string]int // "METHOD path" -> requests
	streams map[*http.Request]context.CancelFunc
	most    int  // streams open at once
	asleep  bool // streams get no answer
	edits   int  // of settled.css
}

// page is one resource of the app.
type page struct {
	body   string
	header map[string]string
	frozen string // the tag that stands in a page which a cache would answer
	handle http.HandlerFunc
}

const form = `<!DOCTYPE html><html><head><title>app</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/a.css"><link rel="stylesheet" href="/settled.css"></head>
<body><p id="p">text</p><input id="in"><div style="height:5000px"></div></body></html>`

func newApp(t *testing.T) *app {
	t.Helper()
	if browser == nil {
		t.Skip(chrome.ErrNone)
	}
	a := &app{t: t, hub: New("r1"), loads: map[string]int{}, streams: map[*http.Request]context.CancelFunc{}, pages: map[string]page{
		"/":            {body: form},
		"/settled.css": {header: map[string]string{"Content-Type": "text/css"}},
		"/a.css":       css("p { color: rgb(1, 1, 1) }"),
	}}
	a.hub.Serving(1)
	a.hub.Publish(Event{Kind: Reload, Generation: 1})
	a.server = httptest.NewServer(a)
	t.Cleanup(func() {
		a.current().Close()
		a.server.CloseClientConnections()
		a.server.Close()
	})
	return a
}

func (a *app) current() *Hub {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.hub
}

func (a *app) set(path string, p page) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pages[path] = p
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	hub, asleep := a.hub, a.asleep
	p, ok := a.pages[r.URL.Path]
	a.loads[r.Method+" "+r.URL.Path]++
	if r.URL.Path == root+"events" && !asleep {
		ctx, cancel := context.WithCancel(r.Context())
		r = r.WithContext(ctx)
		a.streams[r] = cancel
		a.most = max(a.most, len(a.streams))
		defer func() {
			a.mu.Lock()
			defer a.mu.Unlock()
			delete(a.streams, r)
		}()
	}
	a.mu.Unlock()
	if r.Header.Get("Sec-Fetch-Dest") == "document" {
		defer hub.Asked()()
	}
	switch {
	case strings.HasPrefix(r.URL.Path, root) && asleep:
		panic(http.ErrAbortHandler) // what a network that is gone looks like
	case strings.HasPrefix(r.URL.Path, root):
		hub.Handler().ServeHTTP(w, r)
	case !ok:
		http.NotFound(w, r)
	case p.handle != nil:
		p.handle(w, r)
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		for name, value := range p.header {
			w.Header().Set(name, value)
		}
		tag := p.frozen
		if tag == "" {
			tag = hub.Snippet(r.Method, "n0nce")
		}
		fmt.Fprint(w, strings.Replace(p.body, "</head>", tag+"</head>", 1))
	}
}

// swap does what a build does: a new process answers, then browsers are told.
func (a *app) swap(generation int, assets ...string) {
	a.current().Serving(generation)
	a.current().Publish(Event{Kind: Reload, Generation: generation, Paths: assets})
}

func (a *app) count(request string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.loads[request]
}

// connected waits until n streams are open and clients are known to the hub.
func (a *app) connected(n int) {
	a.t.Helper()
	suite.Until(a.t, "the streams", func() error {
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(a.streams) != n || a.hub.count() != n {
			return fmt.Errorf("%d streams, want %d", len(a.streams), n)
		}
		return nil
	})
}

// sleep cuts every stream and lets none be opened until wake.
func (a *app) sleep() {
	a.mu.Lock()
	a.asleep = true
	for _, cut := range a.streams {
		cut()
	}
	a.mu.Unlock()
	a.connected(0)
}

func (a *app) wake() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asleep = false
}
