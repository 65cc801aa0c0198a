package reload

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"devrun/devserver/suite"
)

// stream is a client that reads the event stream as it comes.
type stream struct {
	t    *testing.T
	conn net.Conn
	body *bufio.Reader
}

func listen(t *testing.T, addr string) *stream {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(suite.Patience))
	fmt.Fprintf(conn, "GET /__devrun/events HTTP/1.1\r\nHost: %s\r\n\r\n", addr)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	return &stream{t, conn, bufio.NewReader(resp.Body)}
}

// line returns the next line that is not empty; an end of the stream is io.EOF.
func (s *stream) line() (string, error) {
	for {
		line, err := s.body.ReadString('\n')
		if line = strings.TrimSpace(line); line != "" || err != nil {
			return line, err
		}
	}
}

// next returns the next message.
func (s *stream) next() message {
	s.t.Helper()
	for {
		line, err := s.line()
		if err != nil {
			s.t.Fatal(err)
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			var m message
			if err := json.Unmarshal([]byte(data), &m); err != nil {
				s.t.Fatal(err)
			}
			return m
		}
	}
}

func (h *Hub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.clients)
}

func serve(t *testing.T, h *Hub) (addr string) {
	t.Helper()
	server := httptest.NewServer(h.Handler())
	t.Cleanup(func() {
		h.Close()
		server.Close() // waits for every stream
	})
	return server.Listener.Addr().String()
}

func TestStreamTellsWhatHappens(t *testing.T) {
	h := New("r1")
	addr := serve(t, h)
	h.Serving(3)
	s := listen(t, addr)
	if line, err := s.line(); line != "retry: 200" {
		t.Fatalf("the stream begins with %q, %v", line, err)
	}
	// Serving is no news: nobody reloads before the new process answers.
	if m := s.next(); m.Kind != hello || m.state != (state{Run: "r1"}) {
		t.Fatalf("first message %+v", m)
	}
	steps := []struct {
		event   Event
		want    state
		paths   []string
		snippet string
	}{
		{Event{Reload, 3, nil}, state{Run: "r1", Generation: 3}, nil, "r1.3"},
		{Event{CSS, 3, []string{"/home/x/b.css", "web/a.css"}}, state{"r1", 3, 0, 1, false}, []string{"a.css", "b.css"}, "r1.3"},
		{Event{Building, 4, nil}, state{"r1", 3, 0, 1, true}, nil, "r1.3"},
		{Event{Failed, 4, nil}, state{"r1", 4, 0, 1, false}, nil, "r1.4"},
		{Event{Reload, 5, []string{"/home/x/app.js"}}, state{"r1", 5, 0, 1, false}, []string{"app.js"}, "r1.5"},
		{Event{Reload, 5, []string{"app.js"}}, state{"r1", 5, 1, 1, false}, []string{"app.js"}, "r1.5.1"},
		{Event{Reload, 0, []string{"app.js"}}, state{"r1", 5, 2, 1, false}, []string{"app.js"}, "r1.5.2"},
		{Event{Failed, 5, nil}, state{"r1", 5, 3, 1, false}, nil, "r1.5.3"},
		{Event{Reload, 6, nil}, state{"r1", 6, 0, 1, false}, nil, "r1.6"},
	}
	for _, step := range steps {
		h.Publish(step.event)
		m := s.next()
		if m.Kind != step.event.Kind || m.state != step.want || !slices.Equal(m.Paths, step.paths) {
			t.Errorf("after %+v: %+v", step.event, m)
		}
		if tag := h.Snippet("GET", ""); !strings.Contains(tag, `data-devrun="`+step.snippet+`"`) {
			t.Errorf("after %+v: %s", step.event, tag)
		}
	}
	h.Serving(7)
	h.Serving(6)
	if tag := h.Snippet("GET", ""); !strings.Contains(tag, `"r1.7"`) {
		t.Errorf("pages of the process that takes over say %s", tag)
	}
	h.Publish(Event{Kind: Reload})
	if m := s.next(); m.Generation != 7 || m.Revision != 1 {
		t.Errorf("an asset of generation 7, which was not published, was edited: %+v", m)
	}
	late := listen(t, addr)
	if m := late.next(); m.Kind != hello || m.Generation != 7 || m.Revision != 1 {
		t.Errorf("a late client hears %+v", m)
	}
}

func TestSnippetIsWellFormedAndEscaped(t *testing.T) {
	h := New(`r"><b>&'`)
	h.Serving(4)
	for method, nonce := range map[string]string{"GET": "", "HEAD": "abc+/=", "POST": `"><script>&'`} {
		tag := h.Snippet(method, nonce)
		d := xml.NewDecoder(strings.NewReader(tag))
		token, err := d.Token()
		if err != nil {
			t.Fatalf("%s: %v", tag, err)
		}
		got := map[string]string{}
		for _, a := range token.(xml.StartElement).Attr {
			got[a.Name.Local] = a.Value
		}
		if got["data-devrun"] != `r"><b>&'.4` || got["nonce"] != nonce || got["src"] != "/__devrun/reload.js" {
			t.Errorf("%s: %v", tag, got)
		}
		if _, has := got["data-posted"]; has != (method == "POST") {
			t.Errorf("%s: %s", method, tag)
		}
		if _, has := got["nonce"]; has != (nonce != "") {
			t.Errorf("nonce in %s", tag)
		}
		if token, err = d.Token(); err != nil || token.(xml.EndElement).Name.Local != "script" {
			t.Errorf("%s: %v %v", tag, token, err)
		}
		if _, err = d.Token(); err != io.EOF {
			t.Errorf("%s goes on: %v", tag, err)
		}
	}
}

func TestScripts(t *testing.T) {
	addr := serve(t, New("r1"))
	for _, name := range []string{"reload.js", "worker.js"} {
		resp, err := http.Get("http://" + addr + "/__devrun/" + name)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		for header, want := range map[string]string{
			"Content-Type": "text/javascript; charset=utf-8", "Cache-Control": "no-cache",
			"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := resp.Header.Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
		again, err := http.NewRequest("GET", resp.Request.URL.String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		again.Header.Set("If-None-Match", resp.Header.Get("ETag"))
		if resp, err = http.DefaultClient.Do(again); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotModified {
			t.Errorf("%s again: %s", name, resp.Status)
		}
	}
	for _, path := range []string{"/", "/__devrun/", "//__devrun/events", "/__devrun/events/", "/__devrun/Events", "/__devrun/../__devrun/events", "/events"} {
		r := httptest.NewRequest("GET", "http://"+addr, nil)
		r.URL.Path = path
		w := httptest.NewRecorder()
		New("r1").Handler().ServeHTTP(w, r)
		if w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	resp, err := http.Head("http://" + addr + "/__devrun/events")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("HEAD of the stream: %s", resp.Status)
	}
}

func TestMailboxHoldsTheNewestOnly(t *testing.T) {
	css := func(paths ...string) Event { return Event{CSS, 1, paths} }
	page := func(kind Kind, paths ...string) Event { return Event{kind, 1, paths} }
	tests := []struct {
		name   string
		events []Event
		want   string
	}{
		{"nothing", nil, ""},
		{"one", []Event{page(Reload, "x/a.js")}, "reload[a.js]"},
		{"reload beats css", []Event{css("a.css"), page(Reload), css("b.css")}, "reload[a.css b.css]"},
		{"failed, then mended", []Event{page(Failed, "a.js"), page(Building), page(Reload, "b.js")}, "reload[a.js b.js]"},
		{"newest wins", []Event{page(Reload), page(Failed)}, "failed[]"},
		{"stylesheets gather", []Event{css("b.css"), css("a.css"), css("b.css")}, "css[a.css b.css]"},
		{"all stylesheets", []Event{css("b.css"), css(), css("a.css")}, "css[]"},
		{"building after css", []Event{page(Building), css("a.css")}, "css[a.css] building[]"},
		{"building after reload", []Event{page(Reload), page(Building)}, "reload[] building[]"},
	}
	for _, test := range tests {
		for _, first := range []bool{false, true} {
			n := news{hello: first}
			for _, e := range test.events {
				n.add(e)
			}
			var got []string
			for _, m := range n.messages(state{}, names{"old.js": true}) {
				got = append(got, fmt.Sprintf("%s%s", m.Kind, m.Paths))
			}
			want := test.want
			if first {
				// What happens to the page, hello says as well.
				for want != "" && !strings.HasPrefix(want, "css") && !strings.HasPrefix(want, "building") {
					_, want, _ = strings.Cut(want, "]")
					want = strings.TrimSpace(want)
				}
				want = strings.TrimSpace("hello[old.js] " + want)
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s: %v, want %s", test.name, got, want)
			}
		}
	}
}

// A page is pending until the browser has had the time to go where its answer is.
func TestPending(t *testing.T) {
	h := New("r1")
	addr := serve(t, h)
	pending := func() bool {
		resp, err := http.Head("http://" + addr + "/__devrun/pending")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNoContent {
			t.Fatalf("status %d", resp.StatusCode)
		}
		return resp.StatusCode == http.StatusOK
	}
	if pending() {
		t.Error("a page is pending that nobody asked for")
	}
	first, second := h.Asked(), h.Asked()
	first()
	start := time.Now()
	second()
	if !pending() && time.Since(start) < arriving {
		t.Error("a page is where the browser cannot be yet")
	}
	suite.Until(t, "the page is there", func() error {
		if pending() {
			return errors.New("it is pending")
		}
		return nil
	})
	if took := time.Since(start); took < arriving {
		t.Errorf("the browser has %v to get there", took)
	}
	defer h.Asked()()
	if !pending() {
		t.Error("a page that was asked for is not pending")
	}
}
