//go:build linux

package serving

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

func testStreams(t *testing.T, mode string) {
	r := e2e.New(t, mode).Start()
	slow := make(chan string, 1)
	go func() {
		_, body, err := e2e.Ask("GET", r.URL("/slow?ms=40000"), nil)
		slow <- fmt.Sprint(body, err)
	}()
	resp, err := http.Get(r.URL("/sse?ms=1000&n=60"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	n := 0
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "data: ") {
			n++
		}
	}
	if n != 60 || lines.Err() != nil {
		t.Errorf("%d events, %v", n, lines.Err())
	}
	if got := <-slow; got != "slow v1\n<nil>" {
		t.Errorf("the slow answer: %q", got)
	}
	// A stream that is open ends when its app does, and can be opened again.
	resp2, err := http.Get(r.URL("/sse?ms=100&n=100000"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp2.Body.Close()
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, resp2.Body)
		close(ended)
	}()
	r.SetVersion("v2")
	r.Served("v2")
	select {
	case <-ended:
	case <-time.After(suite.Patience):
		t.Error("a stream of the old app is still open")
	}
	if status, body := r.Get("/sse?ms=1&n=2"); status != 200 || strings.Count(body, "data: ") != 2 {
		t.Errorf("opened again: %d %q", status, body)
	}
}

// They are ended, so that the app's graceful shutdown comes to its end, and long polls
// are answered by the new app.
func testStreamsDrain(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	r.Env = append(r.Env, "DRAIN_MS=1")
	r.Start("--grace", "30s")
	const each = 4
	polled := make(chan string, each)
	open := func(until string) (streams []io.Reader) {
		t.Helper()
		for range each {
			for _, query := range []string{"", "&type=application/x-ndjson"} {
				resp, err := http.Get(r.URL("/sse?ms=100&n=100000" + query))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { resp.Body.Close() })
				streams = append(streams, resp.Body)
			}
			socket, echoes := websocket(r)
			echoes()
			streams = append(streams, socket)
			go func() {
				_, body, err := e2e.Ask("GET", r.URL("/poll?until="+until), nil)
				polled <- fmt.Sprint(body, err)
			}()
		}
		suite.Until(t, "the long polls are in the app", func() error {
			if n := appConnections(r); n < 4*each {
				return fmt.Errorf("%d connections", n)
			}
			return nil
		})
		return streams
	}
	drained := func(times int) {
		t.Helper()
		if n := strings.Count(r.Stdout.String(), "drained <nil>"); n != times {
			t.Errorf("%d apps were drained, want %d", n, times)
		}
		if s := r.Stderr.String(); strings.Contains(s, "killing it") {
			t.Errorf("an app was killed:\n%s", s)
		} else if strings.Contains(s, "/poll") {
			t.Errorf("what the old app said to nobody is a failure:\n%s", s)
		}
	}
	streams := open("v2")
	r.SetVersion("v2")
	r.Served("v2")
	drained(1)
	for _, s := range streams {
		io.Copy(io.Discard, s) // one that goes on fails the test by its time-out
	}
	for range each {
		if got := <-polled; got != "polled v2\n<nil>" {
			t.Errorf("a long poll got %q", got)
		}
	}
	open("v3")
	r.Cmd.Process.Signal(os.Interrupt)
	r.Exit()
	drained(2)
}

// One works through devrun, and ends with its app and not before.
func testWebsocket(t *testing.T, mode string) { websockets(t, mode, 0) }

// It stays open.
func testSilentWebsocket(t *testing.T, mode string) { websockets(t, mode, 30*time.Second) }

// websockets opens one and is silent on it for a while: it ends with its app and not
// before.
func websockets(t *testing.T, mode string, silence time.Duration) {
	r := e2e.New(t, mode).Start()
	c, echoes := websocket(r)
	echoes()
	<-time.After(silence)
	echoes()
	r.SetVersion("v2")
	if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the socket did not end with its app: %v", err)
	}
	r.Served("v2")
	_, echoes = websocket(r)
	echoes()
}

// websocket opens a websocket to the app; echoes sends a few frames and wants
// them back.
func websocket(r *e2e.Rig) (rest io.Reader, echoes func()) {
	t := r.T
	t.Helper()
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.Port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(2 * suite.Patience))
	fmt.Fprintf(c, "GET /ws HTTP/1.1\r\nHost: localhost:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4eA==\r\n\r\n", r.Port)
	br := bufio.NewReader(c)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatalf("%v %v", resp, err)
	}
	frame := append([]byte{0x82, 0x84, 1, 2, 3, 4}, []byte("\x00\xffab")...)
	return br, func() {
		t.Helper()
		for range 3 {
			if _, err := c.Write(frame); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(frame))
			if _, err := io.ReadFull(br, got); err != nil || !bytes.Equal(got, frame) {
				t.Fatalf("%q %v", got, err)
			}
		}
	}
}

func testGigabyte(t *testing.T, mode string) {
	r := e2e.New(t, mode).Start()
	const n = 1 << 30
	before := rss(r)
	resp, err := http.Get(r.URL("/zeros?n=" + strconv.Itoa(n)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.Copy(io.Discard, resp.Body)
	if err != nil || got != n {
		t.Errorf("%d bytes, %v", got, err)
	}
	if grown := rss(r) - before; grown > 50<<20 {
		t.Errorf("devrun grew by %d MB", grown>>20)
	}
}

// rss is devrun's resident memory in bytes.
func rss(r *e2e.Rig) int {
	r.T.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", r.Cmd.Process.Pid))
	if err != nil {
		r.T.Fatal(err)
	}
	var size, resident int
	if _, err := fmt.Sscan(string(b), &size, &resident); err != nil {
		r.T.Fatal(err)
	}
	return resident * os.Getpagesize()
}
