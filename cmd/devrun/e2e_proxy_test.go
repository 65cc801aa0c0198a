//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

var proxyBehaviours = []behaviour{
	{"requests arrive as they were sent", testFidelity},
	{"long answers and streams are not cut", testStreams},
	{"websockets", testWebsocket},
	{"a gigabyte passes through", testGigabyte},
	{"a request in flight when its process ends", testInFlight},
	{"a client that leaves while it is held", testHeldClientLeaves},
	{"the build takes too long", testHoldBound},
	{"devrun's own addresses are guarded", testGuarded},
}

func testFidelity(t *testing.T, mode string) {
	r := newRig(t, mode).start()
	var form bytes.Buffer
	mw := multipart.NewWriter(&form)
	part, err := mw.CreateFormFile("file", "big.bin")
	if err != nil {
		t.Fatal(err)
	}
	part.Write(bytes.Repeat([]byte("0123456789abcdef"), 5<<20/16))
	mw.Close()
	bodies := map[string]struct {
		kind string
		body []byte
	}{
		"none":       {"", nil},
		"json":       {"application/json", []byte(`{"x":1}`)},
		"urlencoded": {"application/x-www-form-urlencoded", []byte("x=1&y=%20+")},
		"multipart":  {mw.FormDataContentType(), form.Bytes()},
	}
	for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH"} {
		for _, query := range []string{"", "a=b", "a=b;c&%zz&d=%20+"} {
			for name, b := range bodies {
				for _, chunked := range []bool{false, true} {
					var body io.Reader = bytes.NewReader(b.body)
					if chunked {
						body = io.MultiReader(body) // of unknown length
					}
					url := r.url("/echo")
					if query != "" {
						url += "?" + query
					}
					_, got, err := ask(method, url, body, "Content-Type", b.kind)
					want := fmt.Sprintf("%s %q %q %q %d %x <nil>\n", method, query, b.kind, fmt.Sprintf("127.0.0.1:%d", r.port), len(b.body), sha256.Sum256(b.body))
					if err != nil || got != want {
						t.Errorf("%s ?%s %s chunked=%v: %v\n got %s\nwant %s", method, query, name, chunked, err, got, want)
					}
				}
			}
		}
	}
}

func testStreams(t *testing.T, mode string) {
	r := newRig(t, mode).start()
	slow := make(chan string, 1)
	go func() {
		_, body, err := ask("GET", r.url("/slow?ms=40000"), nil)
		slow <- fmt.Sprint(body, err)
	}()
	resp, err := http.Get(r.url("/sse?ms=1000&n=60"))
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
	resp2, err := http.Get(r.url("/sse?ms=100&n=100000"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp2.Body.Close()
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, resp2.Body)
		close(ended)
	}()
	r.setVersion("v2")
	r.served("v2")
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("a stream of the old app is still open")
	}
	if status, body := r.get("/sse?ms=1&n=2"); status != 200 || strings.Count(body, "data: ") != 2 {
		t.Errorf("opened again: %d %q", status, body)
	}
}

func testWebsocket(t *testing.T, mode string) {
	r := newRig(t, mode).start()
	silence := time.After(30 * time.Second)
	c, echoes := r.websocket()
	echoes()
	<-silence
	echoes()
	r.setVersion("v2")
	if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the socket did not end with its app: %v", err)
	}
	r.served("v2")
	_, echoes = r.websocket()
	echoes()
}

// websocket opens a websocket to the app; echoes sends a few frames and wants
// them back.
func (r *rig) websocket() (rest io.Reader, echoes func()) {
	t := r.t
	t.Helper()
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(2 * patience))
	fmt.Fprintf(c, "GET /ws HTTP/1.1\r\nHost: localhost:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4eA==\r\n\r\n", r.port)
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
	r := newRig(t, mode).start()
	const n = 1 << 30
	before := r.rss()
	resp, err := http.Get(r.url("/zeros?n=" + strconv.Itoa(n)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.Copy(io.Discard, resp.Body)
	if err != nil || got != n {
		t.Errorf("%d bytes, %v", got, err)
	}
	if grown := r.rss() - before; grown > 50<<20 {
		t.Errorf("devrun grew by %d MB", grown>>20)
	}
}

// rss is devrun's resident memory in bytes.
func (r *rig) rss() int {
	r.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", r.cmd.Process.Pid))
	if err != nil {
		r.t.Fatal(err)
	}
	var size, resident int
	if _, err := fmt.Sscan(string(b), &size, &resident); err != nil {
		r.t.Fatal(err)
	}
	return resident * os.Getpagesize()
}

func testInFlight(t *testing.T, mode string) {
	r := newRig(t, mode).start()
	type reply struct {
		status int
		body   string
		err    error
	}
	get, post := make(chan reply, 1), make(chan reply, 1)
	send := func(to chan reply, method, path string, body io.Reader) {
		resp, text, err := ask(method, r.url(path), body)
		if err != nil {
			to <- reply{err: err}
			return
		}
		to <- reply{resp.StatusCode, text, nil}
	}
	go send(get, "GET", "/slow?ms=20000", nil)
	started, w := io.Pipe()
	go send(post, "POST", "/echo", started)
	w.Write([]byte("the beginning")) // returns when it was read
	eventually(t, "both requests are in the app", func() error {
		if n := r.appConnections(); n < 2 {
			return fmt.Errorf("%d connections", n)
		}
		return nil
	})
	r.replace("main.go", `const version = "v1"`, `const version = "v2"`)
	r.replace("web/web.go", `time.Sleep(time.Duration(ms) * time.Millisecond)`, `_ = ms`)
	if g := <-get; g.err != nil || g.status != 200 || g.body != "slow v2\n" {
		t.Errorf("GET: %+v, want the new app's answer", g)
	}
	w.CloseWithError(io.EOF)
	if p := <-post; p.err == nil && (p.status != 502 || !strings.Contains(p.body, "restarted")) {
		t.Errorf("POST: %+v, want 502 or a cut connection: it must not be sent twice", p)
	}
}

// appConnections counts the established TCP connections of the app.
func (r *rig) appConnections() int {
	r.t.Helper()
	pid := 0
	for _, m := range strings.Split(r.stdout.String(), "\n") {
		fmt.Sscanf(m, "listening as %d", &pid)
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		r.t.Fatal(err)
	}
	sockets := map[string]bool{}
	for _, fd := range fds {
		if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, fd.Name())); err == nil {
			if inode, ok := strings.CutPrefix(to, "socket:["); ok {
				sockets[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	n := 0
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 9 && f[3] == "01" && sockets[f[9]] {
				n++
			}
		}
	}
	return n
}

func testHeldClientLeaves(t *testing.T, mode string) {
	r := newRig(t, mode)
	r.env = append(r.env, "STARTUP_MS=3000")
	r.start()
	r.setVersion("v2")
	r.says(`^devrun: main\.go saved$`)
	ctx, cancel := context.WithCancel(context.Background())
	for range 50 {
		go func() {
			req, err := http.NewRequestWithContext(ctx, "GET", r.url("/version"), nil)
			if err == nil {
				if resp, err := client.Do(req); err == nil {
					resp.Body.Close()
				}
			}
		}()
	}
	eventually(t, "50 requests are held", func() error {
		if n := r.openSockets(); n < 50 {
			return fmt.Errorf("%d sockets", n)
		}
		return nil
	})
	cancel()
	eventually(t, "their sockets are closed", func() error {
		if n := r.openSockets(); n > 20 {
			return fmt.Errorf("%d sockets", n)
		}
		return nil
	})
	r.served("v2")
}

// openSockets counts devrun's sockets.
func (r *rig) openSockets() int {
	r.t.Helper()
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.cmd.Process.Pid))
	if err != nil {
		r.t.Fatal(err)
	}
	n := 0
	for _, fd := range fds {
		if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", r.cmd.Process.Pid, fd.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

func testHoldBound(t *testing.T, mode string) {
	if testing.Short() {
		t.Skip("takes the 30 s that a request is held")
	}
	r := newRig(t, mode).start()
	r.replace("main.go", `time.Sleep(millis("STARTUP_MS"))`, `time.Sleep(40 * time.Second)`)
	r.says(`^devrun: main\.go saved$`)
	resp, body, err := ask("GET", r.url("/"), nil, "Accept", "text/html")
	if err != nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%v %v\n%s", err, resp, body)
	}
	r.setVersion("v3")
	r.replace("main.go", `time.Sleep(40 * time.Second)`, ``)
	r.served("v3")
}

func testGuarded(t *testing.T, mode string) {
	r := newRig(t, mode).start()
	for _, path := range []string{"/__devrun/reload.js", "/__devrun/page.css", "/__devrun/events"} {
		for _, h := range [][]string{
			{"Host", "evil.test"},
			{"Origin", "http://evil.test"},
			{"Sec-Fetch-Site", "cross-site"},
		} {
			resp, err := r.raw("GET", path, h...)
			if err != nil || resp.StatusCode != 403 {
				t.Errorf("GET %s with %v = %v %v", path, h, resp, err)
			}
		}
		if resp, err := r.raw("GET", path); err != nil || resp.StatusCode != 200 {
			t.Errorf("GET %s = %v %v", path, resp, err)
		}
	}
	// What shows source is guarded too.
	r.replace("main.go", `const version = "v1"`, `const version = secret`)
	r.says(`^devrun: build failed`)
	for _, host := range []string{"evil.test", "localhost.evil.test", ""} {
		resp, err := r.raw("GET", "/", "Host", host, "Accept", "text/html")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		if strings.Contains(string(body), "secret") || resp.StatusCode == 200 {
			t.Errorf("Host %q: %d\n%s", host, resp.StatusCode, body)
		}
	}
}

// raw sends a request with any Host and reads the head of the answer.
func (r *rig) raw(method, path string, header ...string) (*http.Response, error) {
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.port))
	if err != nil {
		return nil, err
	}
	r.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	host := fmt.Sprintf("localhost:%d", r.port)
	var rest strings.Builder
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			host = header[i+1]
		} else {
			fmt.Fprintf(&rest, "%s: %s\r\n", header[i], header[i+1])
		}
	}
	if _, err := fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n", method, path, host, rest.String()); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("no answer: %w", err)
	}
	return resp, err
}
