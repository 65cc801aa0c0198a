//go:build linux

// Package peers tests for the bugs of other runners.
package peers

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

func TestMain(m *testing.M) { e2e.Main(m) }

// asIn is a test that stands in a package beside this one already: there must
// be a behaviour of that name.
func asIn(pkg, behaviour string) func(*testing.T) {
	return func(t *testing.T) {
		files, err := filepath.Glob(filepath.Join("..", pkg, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), fmt.Sprintf("\t{%q, test", behaviour)) {
				return
			}
		}
		t.Errorf("package %s has no behaviour %q", pkg, behaviour)
	}
}

// TestPeers and TestLongPeers are the bugs of other runners that devrun does not have.
// Each was seen by running one of them.
func TestPeers(t *testing.T) { peers.Run(t) }

func TestLongPeers(t *testing.T) { suite.Long(t); longPeers.Run(t) }

var (
	peers = e2e.Cases{
		{"a websocket's handshake reaches the app", asIn("serving", "websockets")},
		{"builds do not run side by side", asIn("saves", "a save during the build wins")},
		{"a tree that is moved in is a change", asIn("saves", "a tree that is moved in")},
		{"no request is refused during a build", asIn("saves", "no request is refused or fails while the app changes")},
		{"an app that ignores SIGTERM is replaced, and stopped by one Ctrl-C", asIn("serving", "an app that ignores SIGTERM is killed after its grace")},
		{"each part of a page arrives when it is flushed", testParts},
	}
	longPeers = e2e.Cases{
		{"a POST with a query keeps its body", testQueryAndBody},
		{"an answer may take longer than a start", testLongAnswer},
		{"a stream of events is not cut", testLongStream},
		{"the app sees the Host that the client sent", testHost},
		{"the compiler's words are on every page, however late it is opened", testLateTab},
		{"a file that is put back is not what was built", testPutBack},
		{"an app that drains for long has its port to itself", testLongDrain},
		{"no fixed wait between a save and its build", testNoFixedWait},
		{"a syntax error leaves the old app running", testSyntaxError},
		{"a new directory without code is no build", testEmptyDirectory},
		{"browsers may come and go while others are told to reload", testChurn},
	}
)

// Seen in other runners: the form values of the query were sent as the body.
func testQueryAndBody(t *testing.T) {
	r := e2e.New(t, "notify").Start()
	for _, c := range []struct{ method, kind, body string }{
		{"POST", "application/json", `{"x":1}`},
		{"POST", "application/x-www-form-urlencoded", "c=d"},
		{"POST", "", ""},
		{"GET", "", ""},
	} {
		_, got, err := e2e.Ask(c.method, r.URL("/echo?a=b"), strings.NewReader(c.body), "Content-Type", c.kind)
		want := fmt.Sprintf("%s %q %q %q %d %x <nil>\n", c.method, "a=b", c.kind, fmt.Sprintf("127.0.0.1:%d", r.Port), len(c.body), sha256.Sum256([]byte(c.body)))
		if err != nil || got != want {
			t.Errorf("%+v: %v\n got %s\nwant %s", c, err, got, want)
		}
	}
}

// Seen in other runners: the time that the app had to start, 5 s, bounded
// each answer, too.
func testLongAnswer(t *testing.T) {
	r := e2e.New(t, "notify").Start()
	if status, body := r.Get("/slow?ms=7000"); status != 200 || body != "slow v1\n" {
		t.Errorf("%d %q", status, body)
	}
}

func testLongStream(t *testing.T) {
	r := e2e.New(t, "notify").Start()
	if status, body := r.Get("/sse?ms=1000&n=8"); status != 200 || strings.Count(body, "data: ") != 8 {
		t.Errorf("%d %q", status, body)
	}
}

// Seen in other runners: pages were collected to the end before the first byte
// was sent. Here the app writes a part only when the client has said that it
// got the one before.
func testParts(t *testing.T) {
	r := e2e.New(t, "notify")
	r.Replace("web/web.go", `log.SetFlags(0)`, `log.SetFlags(0)
	got := make(chan bool)
	mux.HandleFunc("GET /got", func(w http.ResponseWriter, r *http.Request) { got <- true })
	mux.HandleFunc("GET /parts", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintln(w, "<!doctype html><html><head></head><body>")
		for i := range 3 {
			fmt.Fprintf(w, "<p>part %d\n", i)
			w.(http.Flusher).Flush()
			<-got
		}
		fmt.Fprintln(w, "</body></html>")
	})`)
	r.Start()
	ctx, cancel := context.WithTimeout(context.Background(), suite.Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", r.URL("/parts"), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := e2e.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines, part := bufio.NewScanner(resp.Body), 0
	for lines.Scan() {
		if strings.Contains(lines.Text(), fmt.Sprintf("<p>part %d", part)) {
			part++
			r.Get("/got")
		}
	}
	if part != 3 || lines.Err() != nil {
		t.Errorf("%d parts, %v", part, lines.Err())
	}
}

// Seen in other runners: the app got its own address as Host.
func testHost(t *testing.T) {
	r := e2e.New(t, "notify").Start()
	for _, host := range []string{fmt.Sprintf("localhost:%d", r.Port), "shop.localhost", "shop.example.test:1234"} {
		resp, err := r.Raw("GET", "/echo", "Host", host)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || !strings.HasPrefix(string(body), fmt.Sprintf(`GET "" "" %q `, host)) {
			t.Errorf("Host %s: %s %v", host, body, err)
		}
	}
}

// Seen in other runners: the page said "exit status 1" without the compiler's
// words, and only in tabs that were open when the build failed.
func testLateTab(t *testing.T) {
	r := e2e.New(t, "notify").Start()
	r.Replace("main.go", `const version = "v1"`, `const version = nobody`)
	r.Says(`^devrun: waiting for a save$`)
	for range 3 { // the first request after the failure, and later ones
		for _, path := range []string{"/", "/some/other?page=1"} {
			resp, body, err := e2e.Ask("GET", r.URL(path), nil, "Accept", "text/html")
			if err != nil || resp.StatusCode != 500 || !strings.Contains(body, "main.go:21") || !strings.Contains(body, "undefined: nobody") {
				t.Fatalf("GET %s: %v %v\n%s", path, err, resp, body)
			}
			if !strings.Contains(body, "/__devrun/reload.js") {
				t.Errorf("the page does not learn of the next build:\n%s", body)
			}
		}
	}
}

// Seen in other runners: two files were saved, one was put back while nobody
// took note, and the binary stayed that of the two.
func testPutBack(t *testing.T) {
	asIn("saves", "the same bytes, a touch and a revert")(t)
	// The same while the build of the two goes on, or is about to begin.
	r := e2e.New(t, "notify").Start()
	web := r.Read("web/web.go")
	for i := range 4 {
		r.SetVersion(fmt.Sprintf("p%d", i))
		r.Replace("web/web.go", `leaf = "l1"`, `leaf = "l2"`)
		if i%2 == 1 {
			r.Says(fmt.Sprintf(`(?s)(devrun: .*?saved.*?built in.*?){%d}devrun: .*saved`, i))
		}
		r.Write("web/web.go", web)
		r.Served(fmt.Sprintf("p%d", i))
		r.Answers("/leaf", "l1")
	}
}

// Seen in other runners: whatever was set, the new app was started 5 s after
// the old one was asked to stop, and found the port in use.
func testLongDrain(t *testing.T) {
	r := e2e.New(t, "notify")
	r.Env = append(r.Env, "DRAIN_MS=7000")
	r.Start("--grace", "60s")
	pid := r.AppPid()
	r.SetVersion("v2")
	r.Served("v2")
	if e2e.Running(pid) {
		t.Error("both apps run")
	}
	if s := r.Stderr.String() + r.Stdout.String(); strings.Contains(s, "in use") || strings.Contains(s, "killing") || strings.Contains(s, "exited") {
		t.Error("the old app was not waited for")
	}
}

// Seen in other runners: a second of sleep before each build. What an edit
// takes beside its build is measured; the best of some edits, as the machine
// may be busy.
func testNoFixedWait(t *testing.T) {
	r := e2e.New(t, "notify").Start()
	took := regexp.MustCompile(`devrun: built in (\d+\.\d+)s`)
	best := time.Hour
	for i := range 5 {
		v := fmt.Sprintf("f%d", i)
		began := time.Now()
		r.SetVersion(v)
		r.Served(v)
		beside := time.Since(began)
		all := took.FindAllStringSubmatch(r.Stderr.String(), -1)
		seconds, err := strconv.ParseFloat(all[len(all)-1][1], 64)
		if err != nil {
			t.Fatal(err)
		}
		best = min(best, beside-time.Duration(seconds*float64(time.Second)))
	}
	if best > 500*time.Millisecond {
		t.Errorf("an edit takes %v more than its build", best)
	}
}

// Seen in other runners: the app was stopped before the build, so that a syntax
// error left nothing.
func testSyntaxError(t *testing.T) {
	r := e2e.New(t, "notify").Start()
	pid := r.AppPid()
	r.Replace("main.go", "func main() {", "func main() {{")
	r.Says(`^devrun: build failed`)
	r.Says(fmt.Sprintf(`^devrun: generation 1 is still running \(pid %d\)$`, pid))
	if !e2e.Running(pid) {
		t.Error("the old app is gone")
	}
	if status, body := r.Get("/pid", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Mode", "cors"); status != 200 || strings.TrimSpace(body) != fmt.Sprint(pid) {
		t.Errorf("a script of its page gets %d %q", status, body)
	}
	r.Replace("main.go", "func main() {{", "func main() {")
	r.Served("v1")
}

// Seen in other runners: each new directory was a build, whatever was in it.
func testEmptyDirectory(t *testing.T) {
	r := e2e.New(t, "notify").Start()
	before, pid := r.Builds(), r.AppPid()
	for _, d := range []string{"empty", "deep/empty", "web/empty", "static/empty"} {
		if err := os.MkdirAll(filepath.Join(r.Dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r.Write("notes/readme.txt", "x")
	r.Write("tools/gen/gen.go", "package main\n\nfunc main() {}\n")
	prepared := t.TempDir()
	if err := os.WriteFile(filepath.Join(prepared, "data.bin"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(prepared, filepath.Join(r.Dir, "moved")); err != nil {
		t.Fatal(err)
	}
	r.Write("web/web_test.go", "package web\n") // comes after the directories, and is no part of the app
	if r.AppPid() != pid {
		t.Error("a directory restarted the app")
	}
	if n := r.Quiet(before, "v2"); n != 0 {
		t.Errorf("%d builds", n)
	}
}
