package console

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"devrun/devserver/suite"
)

func TestQuestions(t *testing.T) {
	s := newSite(t)
	for path, body := range bodies {
		if path == "/api/unlock" {
			continue
		}
		for _, changes := range [][]string{
			nil, {"-Sec-Fetch-Site", "-Sec-Fetch-Mode", "-Sec-Fetch-Dest"}, {"Sec-Fetch-Mode: same-origin"},
			{"Host: localhost:PORT", "Origin: http://localhost:PORT"}, {"Host: [::1]:PORT", "Origin: http://[::1]:PORT"},
			{"X-Forwarded-For: 192.0.2.7", "X-Forwarded-Host: evil.test"},
		} {
			resp, body := s.send(s.post(path, body, changes...))
			if resp.StatusCode != 200 {
				t.Errorf("%s %q: %d %s", path, changes, resp.StatusCode, body)
			}
			checkHeaders(t, resp.Header)
		}
	}
	for _, path := range gets {
		for _, changes := range [][]string{nil, {"Host: localhost:PORT"}} {
			resp, body := s.send(s.get(path, changes...))
			if resp.StatusCode != 200 || body != pageText && !strings.Contains(body, local) {
				t.Errorf("%s: %d %s", path, resp.StatusCode, body)
			}
			checkHeaders(t, resp.Header)
		}
	}
	for path, want := range map[string]string{`[]`: `[]`, `[0,12,"a.b"]`: `["0" "12" "a.b"]`, ` [ "\u00e4" , 3 ] `: `["ä" "3"]`} {
		if resp, body := s.send(s.post("/api/reveal", `{"failure":"f1","frame":0,"path":`+path+`}`)); resp.StatusCode != 200 || s.path.Load() != want {
			t.Errorf("path %s: %d %s, asked for %v", path, resp.StatusCode, body, s.path.Load())
		}
	}
	eval := func(failure string, frame int, src string) string {
		return s.post("/api/eval", fmt.Sprintf(`{"failure":%q,"frame":%d,"src":%q}`, failure, frame, src))
	}
	for _, row := range []struct {
		request      string
		status       int
		code, reason string
	}{
		{eval("nothing", 0, "1"), 404, "unknown", "no such failure"},
		{eval("gone", 0, "1"), 410, "gone", "the process has ended"},
		{eval(failure, 4, "1"), 400, "refused", "no such frame"},
		{eval(failure, 0, "wrong"), 422, "failed", "undefined: wrong"},
		{eval(failure, 0, "panic"), 422, "failed", "devrun itself failed"},
		{eval(failure, 0, "late"), 504, "failed", "deadline"},
		{eval(failure, 0, "huge"), 500, "failed", "too large"},
		{eval(failure, 0, "func"), 500, "failed", "unsupported type"},
		{s.post("/api/more", `{"failure":"f1","frame":0,"path":[0],"from":-1}`), 400, "refused", "from is not the number"},
		{s.post("/api/more", `{"failure":"f1","frame":0,"path":[0],"from":1.5}`), 400, "refused", "not what is asked for"},
		{s.post("/api/more", `{"failure":"f1","frame":0,"path":[0]}`), 400, "refused", "lacks a part"},
		{s.post("/api/more", `{"failure":"f1","frame":4,"path":[0],"from":0}`), 400, "refused", "no such frame"},
		{s.post("/api/field", `{"failure":"f1","frame":0,"part":"form","path":[0]}`), 400, "refused", "one too many"},
		{s.post("/api/field", `{"failure":"f1","part":"../x","path":[0]}`), 400, "refused", "no such part"},
		{s.post("/api/field", `{"failure":"nothing","part":"form","path":[0]}`), 404, "unknown", "no such failure"},
		{s.get("/api/failures/nothing/state"), 404, "unknown", "no such failure"},
		{s.post("/api/release", `{"failure":"gone"}`), 410, "gone", "the process has ended"},
	} {
		resp, body := s.send(row.request)
		if resp.StatusCode != row.status || !strings.Contains(body, `"code":"`+row.code+`"`) || !strings.Contains(body, row.reason) {
			t.Errorf("%d %s, want %d %s %s", resp.StatusCode, body, row.status, row.code, row.reason)
		}
	}
	s.honest()
}

// A link on a page that failed, on the app's address, leads here.
func TestLinksLeadHere(t *testing.T) {
	s := newSite(t)
	for _, site := range []string{"cross-site", "same-site", "same-origin", "none"} {
		for _, path := range []string{"/", "/failures/", "/failures/f1"} {
			resp, body := s.send(s.get(path, "Sec-Fetch-Site: "+site, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "-X-Devrun", "-Authorization"))
			if resp.StatusCode != 200 || body != pageText {
				t.Errorf("%s from %s: %d %s", path, site, resp.StatusCode, body)
			}
		}
	}
	// Attack 63: a link may be followed before anybody clicks on it.
	s.send(s.get("/failures/f1", "Purpose: prefetch", "Sec-Purpose: prefetch;prerender", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "-X-Devrun"))
	if s.calls.Load() != 0 || s.asked.Load() != 0 {
		t.Errorf("%d calls, asked for %d times", s.calls.Load(), s.asked.Load())
	}
}

// Attack 23: who is not on this machine stays out, whatever the headers say.
func TestRemotePeers(t *testing.T) {
	s := newSite(t)
	s.honest()
	spoof := []string{"X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "Forwarded: for=127.0.0.1", "True-Client-IP: 127.0.0.1", "Connection: close, X-Forwarded-For"}
	rows := append(s.everywhere(23, "remote", []int{403}, spoof...), attack{23, "remote wait", s.get("/wait/"+s.wait, spoof...), []int{403}})
	calls, shown := s.calls.Load(), s.shown.Load()
	s.remote.Store(true)
	for _, a := range rows {
		for _, got := range s.exchange(a.request, 2) {
			if got.StatusCode != 403 {
				t.Errorf("%s: %d %s", a.name, got.StatusCode, got.body)
			}
			s.bare(got)
		}
	}
	if s.calls.Load() != calls || s.shown.Load() != shown {
		t.Errorf("%d calls, %d pages", s.calls.Load()-calls, s.shown.Load()-shown)
	}
	s.remote.Store(false)
	s.honest()
}

// Attack 58: many evaluations at once, and one that does not end.
func TestOneAtATime(t *testing.T) {
	s := newSite(t)
	hold := func(failure string) <-chan answer {
		out := make(chan answer, 1)
		go func() {
			for _, a := range s.exchange(s.post("/api/eval", `{"failure":"`+failure+`","frame":0,"src":"hold"}`), 1) {
				out <- a
			}
			close(out)
		}()
		return out
	}
	eval := func(failure string) (int, string) {
		resp, body := s.send(s.post("/api/eval", `{"failure":"`+failure+`","frame":0,"src":"1"}`))
		return resp.StatusCode, body
	}
	running := []<-chan answer{hold(failure)}
	<-s.held
	for range 50 {
		if status, body := eval(failure); status != 429 || !strings.Contains(body, `"code":"busy"`) {
			t.Fatalf("a second evaluation: %d %s", status, body)
		}
	}
	if status, body := eval("other"); status != 200 {
		t.Errorf("one of another failure: %d %s", status, body)
	}
	for i := range maxEvals - 1 {
		running = append(running, hold(fmt.Sprint("other", i)))
		<-s.held
	}
	if status, _ := eval("other"); status != 429 {
		t.Errorf("one more than may run: %d", status)
	}
	// What only reads goes on, and so does what ends a failure.
	for _, path := range []string{"/api/complete", "/api/reveal", "/api/release"} {
		if resp, body := s.send(s.post(path, bodies[path])); resp.StatusCode != 200 {
			t.Errorf("%s meanwhile: %d %s", path, resp.StatusCode, body)
		}
	}
	close(s.let)
	for _, r := range running {
		if a := <-r; a.Response == nil || a.StatusCode != 200 || !strings.Contains(a.body, "done") {
			t.Errorf("one that was running: %+v", a)
		}
	}
	s.honest()
}

func TestWhoLeavesEndsTheEvaluation(t *testing.T) {
	s := newSite(t)
	conn := s.dial()
	io.WriteString(conn, s.post("/api/eval", `{"failure":"f1","frame":0,"src":"hold"}`))
	<-s.held
	conn.Close()
	suite.Until(t, "the next call is answered", func() error {
		resp, body := s.send(s.post("/api/eval", bodies["/api/eval"]))
		if resp.StatusCode != 200 {
			return fmt.Errorf("the next: %d %s", resp.StatusCode, body)
		}
		return nil
	})
}

// Attack 48: connections that say nothing, or too little to be a request.
func TestLongSlowConnections(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	s := newSite(t)
	s.honest()
	starts := []string{"", "G", "GET / HTTP/1.1\r\nHost: ", strings.TrimSuffix(s.post("/api/eval", bodies["/api/eval"]), "}"), strings.TrimSuffix(s.post("/api/unlock", bodies["/api/unlock"], "-Authorization"), "}")}
	var open []net.Conn
	for i := range 600 {
		conn := s.dial()
		defer conn.Close()
		io.WriteString(conn, starts[i%len(starts)])
		open = append(open, conn)
		if i%100 == 99 {
			s.honest()
		}
	}
	s.console.conns.mu.Lock()
	n := len(s.console.conns.open)
	s.console.conns.mu.Unlock()
	if n > maxConns {
		t.Errorf("%d connections, at most %d", n, maxConns)
	}
	s.honest()
	if left := s.console.pin.left(); left != maxAttempts {
		t.Errorf("half a request took an attempt: %d left", left)
	}
	// All of them end by themselves, those with half a body too.
	for i, conn := range open {
		if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("connection %d (%.20q): %v", i, starts[i%len(starts)], err)
		}
	}
	s.honest()
}

func TestBusyConnectionsStay(t *testing.T) {
	s := newSite(t)
	s.console.conns.mu.Lock()
	s.console.conns.limit = 4
	s.console.conns.mu.Unlock()
	held := s.hold(s.wait)
	s.waiting(1)
	for range 20 {
		defer s.dial().Close()
	}
	s.honest()
	s.waiting(1)
	s.console.Notify(2)
	checkWait(t, <-held, 204)
}
