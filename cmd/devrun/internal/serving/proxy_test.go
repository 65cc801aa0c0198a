//go:build linux

// Package serving tests what devrun does between its start and its end besides
// building: requests on their way to the app, and the app's process.
package serving

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

func TestMain(m *testing.M) { e2e.Main(m) }

func TestServing(t *testing.T) { slices.Concat(requests, processes, secure).Run(t, "notify") }

func TestLongServing(t *testing.T) {
	suite.Long(t)
	slices.Concat(longRequests, longProcesses).Run(t, "notify")
}

var (
	requests = e2e.Behaviours{
		{"websockets", testWebsocket},
		{"streams and long polls of an app that drains", testStreamsDrain},
		{"requests arrive as they were sent", testFidelity},
		{"a request in flight when its process ends", testInFlight},
		{"devrun's own addresses are guarded", testGuarded},
	}
	longRequests = e2e.Behaviours{
		{"the build takes too long", testHoldBound},
		{"a websocket that is silent for long", testSilentWebsocket},
		{"long answers and streams are not cut", testStreams},
		{"a gigabyte passes through", testGigabyte},
		{"a client that leaves while it is held", testHeldClientLeaves},
	}
)

func testFidelity(t *testing.T, mode string) {
	r := e2e.New(t, mode).Start()
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
					url := r.URL("/echo")
					if query != "" {
						url += "?" + query
					}
					_, got, err := e2e.Ask(method, url, body, "Content-Type", b.kind)
					want := fmt.Sprintf("%s %q %q %q %d %x <nil>\n", method, query, b.kind, fmt.Sprintf("127.0.0.1:%d", r.Port), len(b.body), sha256.Sum256(b.body))
					if err != nil || got != want {
						t.Errorf("%s ?%s %s chunked=%v: %v\n got %s\nwant %s", method, query, name, chunked, err, got, want)
					}
				}
			}
		}
	}
}

// A GET is answered by the new app, a POST is not sent twice.
func testInFlight(t *testing.T, mode string) {
	r := e2e.New(t, mode).Start()
	type reply struct {
		status int
		body   string
		err    error
	}
	get, post := make(chan reply, 1), make(chan reply, 1)
	send := func(to chan reply, method, path string, body io.Reader) {
		resp, text, err := e2e.Ask(method, r.URL(path), body)
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
	suite.Until(t, "both requests are in the app", func() error {
		if n := appConnections(r); n < 2 {
			return fmt.Errorf("%d connections", n)
		}
		return nil
	})
	r.Replace("main.go", `const version = "v1"`, `const version = "v2"`)
	r.Replace("web/web.go", `time.Sleep(time.Duration(ms) * time.Millisecond)`, `_ = ms`)
	if g := <-get; g.err != nil || g.status != 200 || g.body != "slow v2\n" {
		t.Errorf("GET: %+v, want the new app's answer", g)
	}
	w.CloseWithError(io.EOF)
	if p := <-post; p.err == nil && (p.status != 502 || !strings.Contains(p.body, "restarted")) {
		t.Errorf("POST: %+v, want 502 or a cut connection: it must not be sent twice", p)
	}
}

// appConnections counts the established TCP connections of the app.
func appConnections(r *e2e.Rig) int {
	r.T.Helper()
	pid := 0
	for _, m := range strings.Split(r.Stdout.String(), "\n") {
		fmt.Sscanf(m, "listening as %d", &pid)
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		r.T.Fatal(err)
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

// Nothing is left of its request.
func testHeldClientLeaves(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	r.Env = append(r.Env, "STARTUP_MS=3000")
	r.Start()
	r.SetVersion("v2")
	r.Says(`^devrun: main\.go saved$`)
	ctx, cancel := context.WithCancel(context.Background())
	for range 50 {
		go func() {
			req, err := http.NewRequestWithContext(ctx, "GET", r.URL("/version"), nil)
			if err == nil {
				if resp, err := e2e.Client.Do(req); err == nil {
					resp.Body.Close()
				}
			}
		}()
	}
	suite.Until(t, "50 requests are held", func() error {
		if n := openSockets(r); n < 50 {
			return fmt.Errorf("%d sockets", n)
		}
		return nil
	})
	cancel()
	suite.Until(t, "their sockets are closed", func() error {
		if n := openSockets(r); n > 20 {
			return fmt.Errorf("%d sockets", n)
		}
		return nil
	})
	r.Served("v2")
}

// openSockets counts devrun's sockets.
func openSockets(r *e2e.Rig) int {
	r.T.Helper()
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.Cmd.Process.Pid))
	if err != nil {
		r.T.Fatal(err)
	}
	n := 0
	for _, fd := range fds {
		if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", r.Cmd.Process.Pid, fd.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// Who waits is told to come again.
func testHoldBound(t *testing.T, mode string) {
	r := e2e.New(t, mode).Start()
	r.Replace("main.go", `time.Sleep(millis("STARTUP_MS"))`, `time.Sleep(40 * time.Second)`)
	r.Says(`^devrun: main\.go saved$`)
	resp, body, err := e2e.Ask("GET", r.URL("/"), nil, "Accept", "text/html")
	if err != nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%v %v\n%s", err, resp, body)
	}
	r.SetVersion("v3")
	r.Replace("main.go", `time.Sleep(40 * time.Second)`, ``)
	r.Served("v3")
}

// They are refused to other hosts, origins and sites, and so is every page with
// source.
func testGuarded(t *testing.T, mode string) {
	r := e2e.New(t, mode).Start()
	for _, path := range []string{"/__devrun/reload.js", "/__devrun/page.css", "/__devrun/events"} {
		for _, h := range [][]string{
			{"Host", "evil.test"},
			{"Origin", "http://evil.test"},
			{"Sec-Fetch-Site", "cross-site"},
		} {
			resp, err := r.Raw("GET", path, h...)
			if err != nil || resp.StatusCode != 403 {
				t.Errorf("GET %s with %v = %v %v", path, h, resp, err)
			}
		}
		if resp, err := r.Raw("GET", path); err != nil || resp.StatusCode != 200 {
			t.Errorf("GET %s = %v %v", path, resp, err)
		}
	}
	// What shows source is guarded too.
	r.Replace("main.go", `const version = "v1"`, `const version = secret`)
	r.Says(`^devrun: build failed`)
	for _, host := range []string{"evil.test", "localhost.evil.test", ""} {
		resp, err := r.Raw("GET", "/", "Host", host, "Accept", "text/html")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		if strings.Contains(string(body), "secret") || resp.StatusCode == 200 {
			t.Errorf("Host %q: %d\n%s", host, resp.StatusCode, body)
		}
	}
}
