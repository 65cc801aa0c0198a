//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// asIn is a test that stands in TestBehaviour already: there must be one of
// that name.
func asIn(behaviour string) func(*testing.T) {
	return func(t *testing.T) {
		for _, table := range behaviours {
			for _, b := range table {
				if b.name == behaviour {
					return
				}
			}
		}
		t.Errorf("there is no behaviour %q", behaviour)
	}
}

// TestPeers are the bugs of other runners that devrun does not have. Each was
// seen by running one of them.
func TestPeers(t *testing.T) {
	for _, b := range []struct {
		name string
		test func(t *testing.T)
	}{
		{"a POST with a query keeps its body", testQueryAndBody},
		{"an answer may take longer than a start", testLongAnswer},
		{"a stream of events is not cut", testLongStream},
		{"each part of a page arrives when it is flushed", testParts},
		{"the app sees the Host that the client sent", testHost},
		{"a websocket's handshake reaches the app", asIn("websockets")},
		{"the compiler's words are on every page, however late it is opened", testLateTab},
		{"builds do not run side by side", asIn("a save during the build wins")},
		{"a file that is put back is not what was built", testPutBack},
		{"a tree that is moved in is a change", asIn("a tree that is moved in")},
		{"an app that drains for long has its port to itself", testLongDrain},
		{"no fixed wait between a save and its build", testNoFixedWait},
		{"no request is refused during a build", asIn("no request is refused or fails while the app changes")},
		{"a syntax error leaves the old app running", testSyntaxError},
		{"an app that ignores SIGTERM is replaced, and stopped by one Ctrl-C", asIn("an app that ignores SIGTERM is killed after its grace")},
		{"a new directory without code is no build", testEmptyDirectory},
		{"browsers may come and go while others are told to reload", testChurn},
	} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			b.test(t)
		})
	}
}

// Seen in other runners: the form values of the query were sent as the body.
func testQueryAndBody(t *testing.T) {
	r := newRig(t, "notify").start()
	for _, c := range []struct{ method, kind, body string }{
		{"POST", "application/json", `{"x":1}`},
		{"POST", "application/x-www-form-urlencoded", "c=d"},
		{"POST", "", ""},
		{"GET", "", ""},
	} {
		_, got, err := ask(c.method, r.url("/echo?a=b"), strings.NewReader(c.body), "Content-Type", c.kind)
		want := fmt.Sprintf("%s %q %q %q %d %x <nil>\n", c.method, "a=b", c.kind, fmt.Sprintf("127.0.0.1:%d", r.port), len(c.body), sha256.Sum256([]byte(c.body)))
		if err != nil || got != want {
			t.Errorf("%+v: %v\n got %s\nwant %s", c, err, got, want)
		}
	}
}

// Seen in other runners: the time that the app had to start, 5 s, bounded
// each answer, too.
func testLongAnswer(t *testing.T) {
	r := newRig(t, "notify").start()
	if status, body := r.get("/slow?ms=7000"); status != 200 || body != "slow v1\n" {
		t.Errorf("%d %q", status, body)
	}
}

func testLongStream(t *testing.T) {
	r := newRig(t, "notify").start()
	if status, body := r.get("/sse?ms=1000&n=8"); status != 200 || strings.Count(body, "data: ") != 8 {
		t.Errorf("%d %q", status, body)
	}
}

// Seen in other runners: pages were collected to the end before the first byte
// was sent. Here the app writes a part only when the client has said that it
// got the one before.
func testParts(t *testing.T) {
	r := newRig(t, "notify")
	r.replace("web/web.go", `log.SetFlags(0)`, `log.SetFlags(0)
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
	r.start()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", r.url("/parts"), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines, part := bufio.NewScanner(resp.Body), 0
	for lines.Scan() {
		if strings.Contains(lines.Text(), fmt.Sprintf("<p>part %d", part)) {
			part++
			r.get("/got")
		}
	}
	if part != 3 || lines.Err() != nil {
		t.Errorf("%d parts, %v", part, lines.Err())
	}
}

// Seen in other runners: the app got its own address as Host.
func testHost(t *testing.T) {
	r := newRig(t, "notify").start()
	for _, host := range []string{fmt.Sprintf("localhost:%d", r.port), "shop.localhost", "shop.example.test:1234"} {
		resp, err := r.raw("GET", "/echo", "Host", host)
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
	r := newRig(t, "notify").start()
	r.replace("main.go", `const version = "v1"`, `const version = nobody`)
	r.says(`^devrun: waiting for a save$`)
	for range 3 { // the first request after the failure, and later ones
		for _, path := range []string{"/", "/some/other?page=1"} {
			resp, body, err := ask("GET", r.url(path), nil, "Accept", "text/html")
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
	asIn("the same bytes, a touch and a revert")(t)
	// The same while the build of the two goes on, or is about to begin.
	r := newRig(t, "notify").start()
	web := r.read("web/web.go")
	for i := range 4 {
		r.setVersion(fmt.Sprintf("p%d", i))
		r.replace("web/web.go", `leaf = "l1"`, `leaf = "l2"`)
		if i%2 == 1 {
			r.says(fmt.Sprintf(`(?s)(devrun: .*?saved.*?built in.*?){%d}devrun: .*saved`, i))
		}
		r.write("web/web.go", web)
		r.served(fmt.Sprintf("p%d", i))
		r.answers("/leaf", "l1")
	}
}

// Seen in other runners: whatever was set, the new app was started 5 s after
// the old one was asked to stop, and found the port in use.
func testLongDrain(t *testing.T) {
	r := newRig(t, "notify")
	r.env = append(r.env, "DRAIN_MS=7000")
	r.start("--grace", "60s")
	pid := r.appPid()
	r.setVersion("v2")
	r.served("v2")
	if running(pid) {
		t.Error("both apps run")
	}
	if s := r.stderr.String() + r.stdout.String(); strings.Contains(s, "in use") || strings.Contains(s, "killing") || strings.Contains(s, "exited") {
		t.Error("the old app was not waited for")
	}
}

// Seen in other runners: a second of sleep before each build. What an edit
// takes beside its build is measured; the best of some edits, as the machine
// may be busy.
func testNoFixedWait(t *testing.T) {
	r := newRig(t, "notify").start()
	took := regexp.MustCompile(`devrun: built in (\d+\.\d+)s`)
	best := time.Hour
	for i := range 5 {
		v := fmt.Sprintf("f%d", i)
		began := time.Now()
		r.setVersion(v)
		r.served(v)
		beside := time.Since(began)
		all := took.FindAllStringSubmatch(r.stderr.String(), -1)
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
	r := newRig(t, "notify").start()
	pid := r.appPid()
	r.replace("main.go", "func main() {", "func main() {{")
	r.says(`^devrun: build failed`)
	r.says(fmt.Sprintf(`^devrun: generation 1 is still running \(pid %d\)$`, pid))
	if !running(pid) {
		t.Error("the old app is gone")
	}
	if status, body := r.get("/pid", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Mode", "cors"); status != 200 || strings.TrimSpace(body) != fmt.Sprint(pid) {
		t.Errorf("a script of its page gets %d %q", status, body)
	}
	r.replace("main.go", "func main() {{", "func main() {")
	r.served("v1")
}

// Seen in other runners: each new directory was a build, whatever was in it.
func testEmptyDirectory(t *testing.T) {
	r := newRig(t, "notify").start()
	before, pid := r.builds(), r.appPid()
	for _, d := range []string{"empty", "deep/empty", "web/empty", "static/empty"} {
		if err := os.MkdirAll(filepath.Join(r.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r.write("notes/readme.txt", "x")
	r.write("tools/gen/gen.go", "package main\n\nfunc main() {}\n")
	prepared := t.TempDir()
	if err := os.WriteFile(filepath.Join(prepared, "data.bin"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(prepared, filepath.Join(r.dir, "moved")); err != nil {
		t.Fatal(err)
	}
	r.write("web/web.go", r.read("web/web.go")) // comes after the directories
	if r.appPid() != pid {
		t.Error("a directory restarted the app")
	}
	if n := r.quiet(before, "v2"); n != 0 {
		t.Errorf("%d builds", n)
	}
}

// Seen in another runner, by reading: its list of browsers was read and changed
// at the same time. When the tests run with the race detector, so does devrun
// here.
func testChurn(t *testing.T) {
	r := newRig(t, "notify")
	r.env = append(r.env, "GORACE=atexit_sleep_ms=0 exitcode=66")
	if raced() {
		path := filepath.Join(t.TempDir(), "devrun")
		if out, err := exec.Command("go", "build", "-race", "-o", path, ".").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		r.change = func(c *exec.Cmd) { c.Path = path }
	}
	r.start()
	pid := r.cmd.Process.Pid
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var browsers sync.WaitGroup
	for i := range 16 {
		browsers.Go(func() {
			for ctx.Err() == nil {
				// Each leaves at once, or after an event or two.
				_ = r.events(ctx, func(n int) bool { return n < i%3 }, io.Discard)
			}
		})
	}
	stays := make(chan error, 1)
	var seen bytes.Buffer
	go func() {
		stays <- r.events(ctx, func(int) bool {
			return !strings.Contains(seen.String(), "the-last.css")
		}, &seen)
	}()
	for i := range 100 {
		r.write("static/app.css", fmt.Sprintf("p { color: rgb(%d, 0, 0); }\n", i))
		if i%25 == 0 {
			r.write("templates/page.html", fmt.Sprintf("<p>%d</p>\n", i))
			r.answers("/template", fmt.Sprintf("<p>%d</p>", i))
		}
	}
	r.write("static/the-last.css", "p {}\n")
	select {
	case err := <-stays:
		if err != nil {
			t.Errorf("the browser that stays: %v", err)
		}
	case <-time.After(patience):
		t.Errorf("the browser that stays was not told of the last save")
	}
	cancel()
	browsers.Wait()
	r.served("v1")
	r.cmd.Process.Signal(os.Interrupt)
	if code := r.exit(); code != 130 || strings.Contains(r.stderr.String(), "DATA RACE") {
		t.Errorf("devrun (pid %d) ended with %d", pid, code)
	}
}

// events reads devrun's events as a browser does, as long as more says so,
// which is told how many there were. It comes back when its stream ends.
func (r *rig) events(ctx context.Context, more func(n int) bool, to io.Writer) error {
	n := 0
	for first := true; first || more(n); first = false {
		req, err := http.NewRequestWithContext(ctx, "GET", r.url("/__devrun/events"), nil)
		if err != nil {
			return err
		}
		resp, err := (&http.Client{Transport: client.Transport}).Do(req)
		if err != nil {
			return err
		}
		for lines := bufio.NewScanner(resp.Body); more(n) && lines.Scan(); {
			fmt.Fprintln(to, lines.Text())
			if strings.HasPrefix(lines.Text(), "data: ") {
				n++
			}
		}
		resp.Body.Close()
	}
	return nil
}

// raced reports whether the tests run with the race detector.
func raced() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}
