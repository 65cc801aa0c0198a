//go:build linux

package attacks

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// crowd opens n connections to addr and says the same on each, then nothing.
func crowd(t *testing.T, addr string, n int, text string) []net.Conn {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if most := int(limit.Cur) - 500; n > most {
		t.Logf("NOT TESTED: %d connections at once; this process may have %d files", n, limit.Cur)
		n = most
	}
	conns := make([]net.Conn, n)
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 50 {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				c, err := net.DialTimeout("tcp", addr, suite.Patience)
				if err != nil {
					t.Errorf("connection %d: %v", i, err)
					return
				}
				conns[i] = c
				io.WriteString(c, text) // who is too many may be refused at once
			}
		})
	}
	wg.Wait()
	t.Cleanup(func() { leave(conns) })
	return conns
}

func leave(conns []net.Conn) {
	for _, c := range conns {
		if c != nil {
			c.Close()
		}
	}
}

// settles waits until devrun has no more files open than that.
func (s *site) settles(t *testing.T, most int) {
	t.Helper()
	suite.Until(t, fmt.Sprintf("devrun has at most %d files open", most), func() error {
		if n := files(t, s.Cmd.Process.Pid); n > most {
			return fmt.Errorf("it has %d", n)
		}
		return nil
	})
}

// Five thousand streams keep nobody out, are bounded, and leave nothing behind.
func manyStreams(t *testing.T, s *site) {
	const room = 30 // what comes and goes meanwhile
	before := files(t, s.Cmd.Process.Pid)
	conns := crowd(t, fmt.Sprint("127.0.0.1:", s.Port), 5000, s.get("/__devrun/events", fmt.Sprint("Host: localhost:", s.Port), "Accept: text/event-stream"))
	served(t, s.Rig)
	s.settles(t, before+1000+room) // the hub's limit
	s.honest(t)
	leave(conns)
	s.settles(t, before+room)

	resp, page, err := e2e.Ask("GET", s.URL("/fail"), nil, "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
	wait := regexp.MustCompile(`data-wait="[^"]*(/wait/[\w-]+)"`).FindStringSubmatch(page)
	if err != nil || wait == nil {
		t.Fatalf("no page waits: %v %v", resp, err)
	}
	conns = crowd(t, strings.TrimPrefix(s.own, "http://"), 1000, s.get(wait[1]))
	s.settles(t, before+400+room) // the console's limit
	s.fresh(t)
	s.honest(t)
	leave(conns)
	s.settles(t, before+room)
}

// Connections that say too little are ended, or keep nobody out. On devrun's own
// address a request has five seconds. The app's address gives a minute, for people
// who type requests into a terminal: there it is shown that those who wait keep
// nobody out.
func slowConnections(t *testing.T, s *site) {
	const room = 30
	own := strings.TrimPrefix(s.own, "http://")
	eval := s.questions()["/api/eval"]
	before := files(t, s.Cmd.Process.Pid)
	heads := crowd(t, own, 250, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
	bodies := crowd(t, own, 125, s.post("/api/eval", "{", fmt.Sprint("Content-Length: ", len(eval))))
	unlocks := crowd(t, own, 125, s.post("/api/unlock", "{", "Content-Length: 20"))
	app := crowd(t, fmt.Sprint("127.0.0.1:", s.Port), 500, fmt.Sprintf("GET /ok HTTP/1.1\r\nHost: localhost:%d\r\nX-Slow: ", s.Port))
	s.honest(t)
	s.streams(t)
	ended := time.Now().Add(suite.Patience)
	for _, c := range append(append(heads, bodies...), unlocks...) {
		c.SetReadDeadline(ended)
		if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Fatalf("a slow connection is kept: %v", err)
		}
	}
	leave(app)
	s.settles(t, before+room)
	large := []int{431, 413, 414, 0}
	s.refused(t, large, s.get("/", "X-Large: "+strings.Repeat("x", 2<<20)), s.post("/api/eval", eval, "X-Large: "+strings.Repeat("x", 2<<20)), s.get("/failures/"+strings.Repeat("f", 2<<20)),
		s.post("/api/eval", "{", fmt.Sprint("Content-Length: ", 1<<30)), s.post("/api/unlock", "{", fmt.Sprint("Content-Length: ", 1<<30)))
	text := s.get("/__devrun/page.js", fmt.Sprint("Host: localhost:", s.Port), "X-Large: "+strings.Repeat("x", 2<<20))
	s.unmoved(t, large, "a header of 2 MB for the app", s.sendApp(t, text))
	s.streams(t)
}

// streams shows that what the app sends in parts arrives in parts.
func (s *site) streams(t *testing.T) {
	t.Helper()
	resp, err := e2e.Client.Get(s.URL("/slow"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	first := make([]byte, 7)
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "part 0\n" {
		t.Fatalf("%q %v", first, err)
	}
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "part 1\npart 2\n" {
		t.Errorf("%q %v", rest, err)
	}
}

// Malformed, oversized and simultaneous questions are refused, bounded or told to
// wait.
func abuseEval(t *testing.T, s *site) {
	for _, frame := range []string{`-1`, `1000000000`, `10000`, `"0x1"`, `0x1`, `1.5`, `1e9`, `99999999999999999999999`, `null`, `true`, `[0]`} {
		s.refused(t, []int{400}, s.post("/api/eval", fmt.Sprintf(`{"failure":%q,"frame":%s,"src":"effects.Add(1)"}`, s.ID, frame)))
	}
	q := func(src string) string { return fmt.Sprintf(`{"failure":%q,"frame":0,"src":"%s"}`, s.ID, src) }
	s.refused(t, []int{413}, s.post("/api/eval", q(strings.Repeat("1", 1<<20))), s.post("/api/eval", q(strings.Repeat("1", 17<<10))))
	s.refused(t, []int{400}, s.post("/api/eval", q("effects.Add(1)\x00")), s.post("/api/eval", q(`effects.Add(1)\u0000`)), s.post("/api/eval", q("1")+q("effects.Add(1)")), s.post("/api/eval", "["+q("1")+"]"), s.post("/api/eval", "null"))
	s.refused(t, []int{404}, s.post("/api/eval", `{"failure":"NOSUCHFAILURE","frame":0,"src":"1"}`))

	// A result is shown up to a bound.
	body, err := json.Marshal(map[string]any{"failure": s.ID, "frame": s.frame("main.fail"), "src": "huge(1 << 28)"})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range s.send(t, s.post("/api/eval", string(body))) {
		if a.StatusCode != 200 || len(a.body) > 1<<20 {
			t.Errorf("a large result is %d with %d bytes", a.StatusCode, len(a.body))
		}
	}

	// Of many at once some are answered, and the others told to wait.
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}, Timeout: suite.Patience}
	defer client.CloseIdleConnections()
	var answered, busy, next atomic.Int64
	var wg sync.WaitGroup
	src, err := json.Marshal(map[string]any{"failure": s.ID, "frame": s.frame("main.fail"), "src": "count"})
	if err != nil {
		t.Fatal(err)
	}
	const many = 10_000
	for range 100 {
		wg.Go(func() {
			for next.Add(1) <= many {
				req, err := http.NewRequest("POST", s.own+"/api/eval", strings.NewReader(string(src)))
				if err != nil {
					t.Error(err)
					return
				}
				for name, value := range map[string]string{"Content-Type": "application/json", "X-Devrun": "1", "Origin": s.own, "Authorization": "Bearer " + s.token} {
					req.Header.Set(name, value)
				}
				resp, err := client.Do(req)
				if err == nil {
					err = discard(resp)
				}
				switch {
				case err != nil:
					t.Error(err)
					return
				case resp.StatusCode == 200:
					answered.Add(1)
				case resp.StatusCode == 429:
					busy.Add(1)
				default:
					t.Errorf("one of many is answered with %s", resp.Status)
				}
			}
		})
	}
	wg.Wait()
	if answered.Load() == 0 || answered.Load()+busy.Load() != many {
		t.Errorf("%d were evaluated and %d told to wait", answered.Load(), busy.Load())
	}
	s.honest(t)

	// What does not end is left behind, and the app goes on.
	if status, a, err := s.eval("forever()"); err != nil || status != 200 || !strings.Contains(a.Error, "still running") {
		t.Errorf("what does not end: %d %+v %v", status, a, err)
	}
	s.honest(t)
	old := s.failure
	pid := s.AppPid()
	s.eval("os.Exit(0)") // its answer is lost with the process
	e2e.Gone(t, pid)
	s.crashed(t, "exit")
	if status, a, err := s.eval("1"); err != nil || status != 410 || !strings.Contains(a.Error, "ended") {
		t.Errorf("of a process that has ended: %d %+v %v", status, a, err)
	}
	s.Types("r")
	s.Served("v1")
	s.again(t)
	fresh := s.failure
	s.failure = old
	if status, a, err := s.eval("1"); err != nil || status != 410 || a.Code != "gone" {
		t.Errorf("of a process before this one: %d %+v %v", status, a, err)
	}
	s.failure = fresh
}

// No more requests are held than were asked for. A page that stays open is a request
// that was answered: what could be held is the goroutine, of which forty are kept
// here, and the failure, of which fifty are. Of panics at once no more wait for their
// page than that; the others end as they do without devrun, with a connection that is
// cut, and it is said so.
func hold(t *testing.T, s *site) {
	open := crowd(t, fmt.Sprint("127.0.0.1:", s.Port), 20, s.get("/fail", fmt.Sprint("Host: localhost:", s.Port), "Connection: keep-alive")) // nobody reads the answers
	stop := e2e.Hammer(s.URL("/ok"), 20*time.Millisecond)
	var wg sync.WaitGroup
	var pages, cut atomic.Int64
	for range 100 {
		wg.Go(func() {
			switch resp, body, err := e2e.Ask("GET", s.URL("/fail"), nil); {
			case err != nil:
				t.Error(err)
			case resp.StatusCode == 500 && strings.Contains(body, "failed on purpose"):
				pages.Add(1)
			case resp.StatusCode == 502 && body == "the app closed the connection without an answer\n":
				cut.Add(1)
			default:
				t.Errorf("%s %.300s", resp.Status, body)
			}
		})
	}
	wg.Wait()
	if t.Logf("%d pages, %d connections cut", pages.Load(), cut.Load()); pages.Load() == 0 {
		t.Error("nobody got a page")
	}
	if n, failed := stop(); n == 0 || len(failed) > 0 {
		t.Errorf("meanwhile %d of %d requests failed: %q", len(failed), n, failed)
	}
	leave(open)
	suite.Until(t, "old failures are let go", func() error {
		all, parked := s.listed(t), 0
		for _, f := range all {
			if f.Gone == "" {
				parked++
			}
		}
		if len(all) > 50 || parked > 40 {
			return fmt.Errorf("%d are kept, %d of them parked", len(all), parked)
		}
		return nil
	})
	s.fresh(t)
}
