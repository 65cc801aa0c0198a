//go:build linux

// Package saves tests what becomes of a save: one build and one process, however
// the files were written.
package saves

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

func TestMain(m *testing.M) { e2e.Main(m) }

func TestSaves(t *testing.T) { t.Parallel(); slices.Concat(detected, handled).Run(t, "notify") }

func TestLongSaves(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	slices.Concat(longDetected, longHandled).Run(t, "notify")
	slices.Concat(longDetected, detected).Run(t, "poll")
}

// detected are the saves that differ in how they are heard of.
var (
	detected = e2e.Behaviours{
		{"the same bytes, a touch and a revert", testNoChange},
		{"delete and rename", testDeleteRename},
	}
	longDetected = e2e.Behaviours{
		{"git checkout", testCheckout},
		{"every editor's way to save", testAtomicSaves},
		{"a storm of saves ends in the last one", testSaveStorm},
		{"a save during the build wins", testSaveDuringBuild},
		{"a tree that is moved in", testNewTree},
	}
)

// handled is what follows a save, however it is heard of.
var (
	handled = e2e.Behaviours{
		{"no request is refused or fails while the app changes", testZeroRefused},
		{"an edit is one build and one process", testEdit},
		{"a broken build shows a page and the old app lives", testBrokenBuild},
		{"a template is a restart without a build", testTemplate},
	}
	longHandled = e2e.Behaviours{
		{"what the app writes itself", testOwnWrites},
		{"what a program of the app's writes at each start", testOthersWrites},
	}
)

func testEdit(t *testing.T, mode string) {
	r := e2e.New(t, mode).Start()
	if n := r.Builds(); n != 1 {
		t.Errorf("%d builds at the start", n)
	}
	for _, v := range []string{"v2", "v3", "v4"} {
		before, builds := r.AppPid(), r.Builds()
		r.SetVersion(v)
		r.Served(v)
		if after := r.AppPid(); after == before {
			t.Errorf("%s is served by the old process", v)
		}
		e2e.Gone(t, before)
		if n := r.Builds() - builds; n != 1 {
			t.Errorf("%s took %d builds", v, n)
		}
	}
	r.Says(`^devrun: main\.go saved$`)
	r.Says(`^devrun: built in \d+\.\d\ds$`)
	r.Says(fmt.Sprintf(`^devrun: serving http://localhost:%d \(pid %d\)$`, r.Port, r.AppPid()))
	// The address is also there under its other names.
	for _, host := range []string{"localhost", "127.0.0.1"} {
		if _, body, err := e2e.Ask("GET", fmt.Sprintf("http://%s:%d/version", host, r.Port), nil); err != nil || body != "v4\n" {
			t.Errorf("%s: %q %v", host, body, err)
		}
	}
}

func testZeroRefused(t *testing.T, mode string) {
	r := e2e.New(t, mode).Start()
	stop := e2e.Hammer(r.URL("/version"), 10*time.Millisecond)
	for i := range 5 {
		v := fmt.Sprintf("w%d", i)
		r.SetVersion(v)
		r.Served(v)
	}
	n, failed := stop()
	if len(failed) > 0 {
		t.Errorf("%d of %d requests failed, the first with %s", len(failed), n, failed[0])
	}
	if n < 50 {
		t.Errorf("only %d requests", n)
	}
}

func testBrokenBuild(t *testing.T, mode string) {
	r := e2e.New(t, mode).Start()
	pid := r.AppPid()
	r.Replace("main.go", `const version = "v1"`, `const version = undefined + "<script>"`)
	r.Says(`^devrun: build failed`)
	suite.Until(t, "the page is shown", func() error {
		resp, body, err := e2e.Ask("GET", r.URL("/"), nil, "Accept", "text/html")
		if err != nil {
			return err
		}
		if resp.StatusCode != 500 || !strings.Contains(body, "main.go:21") || !strings.Contains(body, "undefined") {
			return fmt.Errorf("%d\n%s", resp.StatusCode, body)
		}
		if strings.Contains(body, "<script>&") || strings.Contains(body, "\"<script>") {
			t.Fatalf("source text is not escaped:\n%s", body)
		}
		if resp.Header.Get("Content-Security-Policy") == "" {
			t.Error("the page has no policy")
		}
		return nil
	})
	resp, body, err := e2e.Ask("GET", r.URL("/nowhere"), nil, "Accept", "application/json")
	if err != nil || resp.StatusCode != 500 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") || !strings.Contains(body, `main.go`) {
		t.Errorf("JSON: %v %v\n%s", err, resp.Status, body)
	}
	if status, body := r.Get("/version"); status != 500 || !strings.Contains(body, "main.go:21") || strings.Contains(body, "<p") {
		t.Errorf("text: %d\n%s", status, body)
	}
	// What the page of the running app asks for itself still goes to it.
	if status, body := r.Get("/pid", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Mode", "cors"); status != 200 || strings.TrimSpace(body) != fmt.Sprint(pid) {
		t.Errorf("a script's request: %d %q, want the old process %d", status, body, pid)
	}
	if !e2e.Running(pid) {
		t.Error("the old app is gone")
	}
	r.Says(`^  main\.go:21:\d+ +\S`)
	r.Says(fmt.Sprintf(`^devrun: generation 1 is still running \(pid %d\)$`, pid))
	r.Says(`^devrun: waiting for a save$`)
	lists(r, `main\.go saved, \d+ ms \(watch \d+ ms · build \d+ ms\): failed, generation \d+, \d+ errors? in 1 file`)
	r.Replace("main.go", `undefined + "<script>"`, `"v2"`)
	r.Served("v2")
	e2e.Gone(t, pid)
}

// lists checks that a line of the overview is a save like this.
func lists(r *e2e.Rig, pattern string) {
	r.T.Helper()
	if body := r.Overview("text/plain"); !regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d  ` + pattern + `$`).MatchString(body) {
		r.T.Errorf("no line of the overview is %s:\n%s", pattern, body)
	}
}

// None of them is a build, and a file that is put back is what it was.
func testNoChange(t *testing.T, mode string) {
	r := e2e.New(t, mode).Start()
	r.SetVersion("v2") // from here on the watcher has seen the files
	r.Served("v2")
	before := r.Builds()
	r.Write("main.go", r.Read("main.go"))
	now := time.Now()
	if err := os.Chtimes(filepath.Join(r.Dir, "web/web.go"), now, now); err != nil {
		t.Fatal(err)
	}
	if n := r.Quiet(before, "v3"); n != 0 {
		t.Errorf("the same bytes and a touch: %d builds", n)
	}
	// Two files change and one is put back: the app is what is on disk.
	web := r.Read("web/web.go")
	r.SetVersion("v4")
	r.Replace("web/web.go", `leaf = "l1"`, `leaf = "l2"`)
	r.Answers("/leaf", "l2")
	r.Write("web/web.go", web)
	r.Answers("/leaf", "l1")
	r.Served("v4")
}

func testTemplate(t *testing.T, mode string) {
	r := e2e.New(t, mode).Start()
	before, pid := r.Builds(), r.AppPid()
	r.Write("templates/page.html", "<p>t2</p>\n")
	r.Answers("/template", "<p>t2</p>")
	r.Says(`^devrun: templates/page\.html saved, restarting without a build$`)
	if n := r.Builds() - before; n != 0 {
		t.Errorf("%d builds", n)
	}
	e2e.Gone(t, pid)
	// A stylesheet touches nothing but the browser.
	pid = r.AppPid()
	r.Write("static/app.css", "p { color: rgb(2, 2, 2); }\n")
	r.Says(`^devrun: static/app\.css saved, stylesheet swapped$`)
	if r.AppPid() != pid {
		t.Error("a stylesheet restarted the app")
	}
	var status *http.Response
	lists(r, `static/app\.css saved, \d+ ms \(watch \d+ ms\): stylesheet`)
	lists(r, `templates/page\.html saved, \d+ ms \(watch \d+ ms · stop \d+ ms · start \d+ ms · ready \d+ ms\): restart, generation 2`)
	status, body, err := e2e.Ask("GET", r.URL("/static/app.css"), nil)
	if err != nil || status.StatusCode != 200 || !strings.Contains(body, "2, 2, 2") {
		t.Errorf("the stylesheet is %q %v", body, err)
	}
}

func testSaveStorm(t *testing.T, mode string) {
	r := e2e.New(t, mode).Start()
	before := r.Builds()
	watch := watchProcesses(r)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := range 50 {
		<-tick.C
		r.SetVersion(fmt.Sprintf("s%d", i+2))
	}
	r.Served("s51")
	if n := r.Builds() - before; n > 3 {
		t.Errorf("%d builds", n)
	}
	apps, builds := watch()
	if apps > 1 {
		t.Errorf("%d apps at once", apps)
	}
	if builds > 1 {
		t.Errorf("%d builds at once", builds)
	}
}

func testSaveDuringBuild(t *testing.T, mode string) {
	r := e2e.New(t, mode).Start()
	watch := watchProcesses(r)
	// The build is made long by code that takes the compiler a while.
	r.Write("slow.go", e2e.SlowSource(0))
	for i := range 8 {
		suite.Until(t, "a build is under way", func() error {
			names := e2e.Children(r.Cmd.Process.Pid)
			for _, tool := range []string{"go build", "compile", "link"} { // the compiler is go's or devrun's own
				if slices.Contains(names, tool) {
					return nil
				}
			}
			return fmt.Errorf("children: %q", names)
		})
		r.Write("slow.go", e2e.SlowSource(i+1))
		r.SetVersion(fmt.Sprintf("d%d", i))
	}
	r.Served("d7")
	if _, body := r.Get("/version"); body != "d7\n" {
		t.Errorf("an older version is back: %q", body)
	}
	if apps, builds := watch(); apps > 1 || builds > 1 {
		t.Errorf("%d apps and %d builds at once", apps, builds)
	}
	if n := r.Builds(); n > 4 {
		t.Errorf("%d builds were finished", n)
	}
}

// watchProcesses looks at devrun's children until the returned function is
// called, which says how many apps and how many go commands there were at the
// most at one time.
func watchProcesses(r *e2e.Rig) func() (apps, builds int) {
	stop := make(chan struct{})
	done := make(chan [2]int)
	go func() {
		var most [2]int
		for {
			select {
			case <-stop:
				done <- most
				return
			case <-time.After(5 * time.Millisecond):
			}
			var now [2]int
			for _, name := range e2e.Children(r.Cmd.Process.Pid) {
				switch name {
				case "app":
					now[0]++
				case "go build":
					now[1]++
				}
			}
			most[0], most[1] = max(most[0], now[0]), max(most[1], now[1])
		}
	}()
	return func() (int, int) {
		close(stop)
		m := <-done
		return m[0], m[1]
	}
}
