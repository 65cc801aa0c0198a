package console

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"devrun/devserver/suite"
)

// stranger is how a page of opaque origin waits.
var stranger = []string{"-Authorization", "-X-Devrun", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Origin: null"}

func (s *site) waiting(n int) {
	s.t.Helper()
	suite.Until(s.t, "requests that wait", func() error {
		s.console.waits.mu.Lock()
		defer s.console.waits.mu.Unlock()
		if have := len(s.console.waits.waiting); have != n {
			return fmt.Errorf("%d wait, want %d", have, n)
		}
		return nil
	})
}

// hold asks to wait; the answer comes on the channel.
func (s *site) hold(token string) <-chan answer {
	out := make(chan answer, 1)
	go func() {
		for _, a := range s.exchange(s.get("/wait/"+token, stranger...), 1) {
			out <- a
		}
		close(out)
	}()
	return out
}

func checkWait(t *testing.T, a answer, status int) {
	t.Helper()
	corp := "same-origin" // for a page of another origin that is an error, not an answer
	if status == 204 {
		corp = "cross-origin"
		if a.body != "" {
			t.Errorf("the answer says %q", a.body)
		}
	}
	if a.Response == nil || a.StatusCode != status || a.Header.Get("Cross-Origin-Resource-Policy") != corp || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("answer %+v, want %d and %s", a, status, corp)
	}
	for name := range a.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("the answer has %s", name)
		}
	}
}

func TestWait(t *testing.T) {
	s := newSite(t)
	if url := s.console.WaitURL(failure, 2); url != "http://"+s.addr+"/wait/"+s.wait {
		t.Errorf("the same failure waits at %s, before at %s", url, s.wait)
	}
	url := s.console.WaitURL("other", 2)
	newer := url[strings.LastIndex(url, "/")+1:]
	first, second := s.hold(s.wait), s.hold(newer)
	s.waiting(2)
	s.console.Notify(1) // what they have
	s.console.Notify(0)
	s.waiting(2)
	s.console.Notify(2)
	checkWait(t, <-first, 204)
	s.waiting(1)
	s.console.Notify(3)
	checkWait(t, <-second, 204)
	checkWait(t, <-s.hold(newer), 204) // who comes late is told at once
	for _, token := range []string{"nothing", failure, s.token, strings.Repeat("A", 43), s.wait[:42]} {
		checkWait(t, <-s.hold(token), 404)
	}
	if s.calls.Load() != 0 || s.shown.Load() != 0 {
		t.Errorf("%d calls, %d pages", s.calls.Load(), s.shown.Load())
	}
}

// TestWaitBroken: a page hears that the newest save does not compile, and when
// that is over, however often and at whatever time it asks.
func TestWaitBroken(t *testing.T) {
	s := newSite(t)
	checkWait(t, <-s.hold(s.wait+"/whole"), 204)
	told := s.hold(s.wait + "/broken")
	s.waiting(1)
	s.console.Broken(false)
	s.console.Notify(1)
	s.waiting(1)
	s.console.Broken(true)
	checkWait(t, <-told, 204)
	checkWait(t, <-s.hold(s.wait+"/broken"), 204)
	over := s.hold(s.wait + "/whole")
	s.waiting(1)
	s.console.Broken(true) // again
	s.waiting(1)
	s.console.Broken(false)
	checkWait(t, <-over, 204)
	checkWait(t, <-s.hold("nothing/broken"), 404)
	for _, path := range []string{s.wait + "/other", s.wait + "/broken/", s.wait + "/broken/whole"} {
		checkWait(t, <-s.hold(path), 403)
	}
}

func TestWaitEnds(t *testing.T) {
	s := newSite(t)
	conn := s.dial()
	io.WriteString(conn, s.get("/wait/"+s.wait, stranger...))
	s.waiting(1)
	conn.Close()
	s.waiting(0)

	s.console.waits.longest = time.Millisecond
	checkWait(t, <-s.hold(s.wait), 503)
	s.waiting(0)
}

func TestWaitsAreForgotten(t *testing.T) {
	w := newWaits()
	tokens := map[string]bool{}
	first := w.token("first", 1)
	for i := range maxWaits {
		tokens[w.token(fmt.Sprint(i), 1)] = true
	}
	if len(tokens) != maxWaits || len(w.tokens) != maxWaits || len(w.failures) != maxWaits {
		t.Errorf("%d tokens, %d and %d kept", len(tokens), len(w.tokens), len(w.failures))
	}
	if w.join(first, newer) != nil {
		t.Error("the oldest token is kept")
	}
}

// Attack 47: streams without end that nobody reads.
func TestWaitExhaustion(t *testing.T) {
	s := newSite(t)
	s.honest()
	const more = 100
	var held []net.Conn
	before := s.accepted.Load()
	for range maxWaiting + more {
		conn := s.dial()
		defer conn.Close()
		io.WriteString(conn, s.get("/wait/"+s.wait, stranger...))
		held = append(held, conn)
	}
	// The oldest are let go, whichever the server saw first.
	suite.Until(t, "connections that are left", func() error {
		s.console.conns.mu.Lock()
		defer s.console.conns.mu.Unlock()
		if n, all := len(s.console.conns.open), s.accepted.Load()-before; n != maxWaiting || all != maxWaiting+more {
			return fmt.Errorf("%d connections of %d", n, all)
		}
		return nil
	})
	s.waiting(maxWaiting)
	s.honest()
	s.console.Notify(2)
	s.waiting(0)
	told, let := 0, 0
	for _, conn := range held {
		b, _ := io.ReadAll(conn)
		switch {
		case strings.HasPrefix(string(b), "HTTP/1.1 204"):
			told++
		case strings.HasPrefix(string(b), "HTTP/1.1 503"):
			let++
		}
	}
	if told != maxWaiting || let != more {
		t.Errorf("%d told and %d let go, want %d and %d", told, let, maxWaiting, more)
	}
	s.honest()
}

func TestCloseWhileAllIsUnderWay(t *testing.T) {
	s := newSite(t)
	wait := s.hold(s.wait)
	s.waiting(1)
	eval := make(chan []answer, 1)
	go func() { eval <- s.exchange(s.post("/api/eval", `{"failure":"f1","frame":0,"src":"hold"}`), 1) }()
	<-s.held
	idle := s.dial()
	defer idle.Close()
	if err := s.console.Close(); err != nil {
		t.Error(err)
	}
	<-wait
	<-eval
	if _, err := net.Dial("tcp", s.addr); err == nil {
		t.Error("it still listens")
	}
	// goleak, at the end, sees what is left behind.
	if _, err := http.Get(s.console.URL()); err == nil {
		t.Error("it still answers")
	}
}
