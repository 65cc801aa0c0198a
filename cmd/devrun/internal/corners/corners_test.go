//go:build linux

// Package corners tests what goes wrong only where two things meet.
package corners

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

func TestMain(m *testing.M) { e2e.Main(m) }

func TestCorners(t *testing.T) { corners.Run(t, "notify") }

func TestLongCorners(t *testing.T) { suite.Long(t); longCorners.Run(t, "notify") }

var (
	corners = e2e.Behaviours{
		{"what an app keeps beside its binary", testBeside},
		{"a cache that somebody else can write", testForeignCache},
	}
	longCorners = e2e.Behaviours{
		{"an app that dies in C", testDiesInC},
		{"an app that tries its port before it uses it", testTriesPort},
		{"a typo in the package clause", testPackageClause},
		{"an app that opens many files before it listens", testOpensMany},
		{"a broken .env saved together with a source", testEnvAndSource},
		{"an app without the hook, twice", testWithoutHook},
		{"code that links only because nothing calls it", testNotToBeKept},
		{"a save that breaks the build while the old app is stopping", testBrokenWhileStopping},
		{"a build that fails when the old app has stopped", testBrokenWhenStopped},
		{"a person in a hurry", testHurry},
		{"Control-C while the go command waits for the network", testStopDuringList},
	}
)

// The error is the user's, with its place, and the next save mends it. The hook's own
// file stands in the same package: the go command names it when the user's file says
// it is another one, and the hook is not to blame.
func testPackageClause(t *testing.T, mode string) {
	r := e2e.New(t, mode).Start()
	for _, v := range []string{"v2", "v3"} {
		r.Replace("main.go", "package main", "package mai")
		r.Says(`(?s)` + strings.Repeat(`devrun: build failed.*`, len(v)-1))
		r.SetVersion(v)
		r.Replace("main.go", "package mai", "package main")
		r.Served(v)
	}
	if s := r.Stderr.String(); strings.Contains(s, "building without") || strings.Contains(s, "zz_devrun") {
		t.Error("the hook is blamed or shown")
	}
}

// Three thousand of them hold up neither the start nor a save.
func testOpensMany(t *testing.T, mode string) {
	const n = 3000
	r := e2e.New(t, mode)
	dir := t.TempDir()
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)+".html"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.Env = append(r.Env, "OPEN_FIRST="+strconv.Itoa(n), "OPEN_IN="+dir)
	r.Start()
	for i := range 4 {
		v := fmt.Sprintf("o%d", i)
		r.SetVersion(v)
		r.Served(v)
	}
}

// A port that is opened, closed and opened again is served like any other.
func testTriesPort(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	r.Env = append(r.Env, "TRY_PORT=1")
	r.Start()
	for _, v := range []string{"v2", "v3"} {
		r.SetVersion(v)
		r.Served(v)
	}
}

// The source is built, and the app keeps the values that it had.
func testEnvAndSource(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	r.Write(".env", "GREETING=hello\n")
	r.Start()
	// Both appear in one step.
	prepared := t.TempDir()
	if err := os.WriteFile(filepath.Join(prepared, "main.go"), []byte(r.Source("v2")), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(prepared, ".env"), []byte("GREETING=\"hi\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".env", "main.go"} {
		if err := os.Rename(filepath.Join(prepared, name), filepath.Join(r.Dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	r.Says(`^devrun: \.env line 1: `)
	r.Served("v2")
	r.Answers("/env/GREETING", `"hello" true`)
	r.Write(".env", "GREETING=hi\n")
	r.Answers("/env/GREETING", `"hi" true`)
	r.Served("v2")
}

// Where the user has a file with the hook's name, the app is built without the hook,
// has its own port, and devrun serves it on another one.
func testWithoutHook(t *testing.T, mode string) {
	first := e2e.New(t, mode)
	port := first.Port
	first.Write("zz_devrun.go", "package main\n")
	for _, r := range []*e2e.Rig{first, e2e.New(t, mode)} {
		r.Dir, r.Port, r.Env = first.Dir, port, first.Env
		r.Launch()
		line := r.Says(`^devrun: serving http://localhost:\d+`)
		own := r.Port
		fmt.Sscanf(line, "devrun: serving http://localhost:%d", &r.Port)
		if r.Port == own {
			t.Errorf("devrun has the app's port")
		}
		r.Served("v1")
		if _, body, err := e2e.Ask("GET", fmt.Sprintf("http://127.0.0.1:%d/version", own), nil); err != nil || body != "v1\n" {
			t.Errorf("the app's own port: %q %v", body, err)
		}
		r.SetVersion("v2")
		r.Served("v2")
		r.SetVersion("v1")
		r.Served("v1")
		r.Says(`building without devrun's hook, so the app keeps its port`)
		r.Cmd.Process.Signal(os.Interrupt)
		r.Exit()
	}
}

// It is built, with the hook, although the console wants functions linked in that
// nothing calls. Where that does not link the app is built without them, and is so
// from then on.
func testNotToBeKept(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	r.Write("lib.s", "")
	r.Write("lib.go", "package main\n\nfunc nowhere()\n\nfunc unused() { nowhere() }\n")
	r.Start()
	const notice = `console calls are limited to functions that the app itself uses`
	r.Says(notice)
	r.SetVersion("v2")
	r.Served("v2")
	if s := r.Stderr.String(); strings.Count(s, notice) != 1 || strings.Contains(s, "building without") || strings.Contains(s, "build failed") {
		t.Error("it is said again, or something else is lost")
	}
}

// The newest binary that was built is started, and the page says what is broken.
func testBrokenWhileStopping(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	r.Env = append(r.Env, "DRAIN_MS=4000")
	r.Start("--grace", "20s")
	old := r.AppPid()
	r.SetVersion("v2")
	r.Says(`(?s)devrun: built in.*devrun: built in`) // the old app is draining
	r.Write("broken.go", "package main\n\nvar x int = \"no number\"\n")
	r.Says(`^devrun: build failed`)
	e2e.Gone(t, old)
	// What was built last is there for the requests of pages that are open.
	suite.Until(t, "the newest binary runs", func() error {
		resp, body, err := e2e.Ask("GET", r.URL("/version"), nil, "Sec-Fetch-Dest", "empty")
		if err != nil {
			return err
		}
		if resp.StatusCode != 200 || body != "v2\n" {
			return fmt.Errorf("%d %q", resp.StatusCode, body)
		}
		return nil
	})
	if status, body := r.Get("/version"); status != 500 || !strings.Contains(body, "broken.go:3") {
		t.Errorf("the page: %d %s", status, body)
	}
	if err := os.Remove(filepath.Join(r.Dir, "broken.go")); err != nil {
		t.Fatal(err)
	}
	r.Served("v2")
}

// It made room for a binary that the save has taken back: that is the newest there is.
func testBrokenWhenStopped(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	r.Env = append(r.Env, "DRAIN_MS=1000")
	r.Start("--grace", "20s")
	old := r.AppPid()
	r.SetVersion("v2")
	r.Says(`(?s)devrun: built in.*devrun: built in`) // the old app is draining
	// What is wrong with main is said when web has been compiled.
	for i := range 4 {
		r.Write(fmt.Sprintf("web/slow%d.go", i), strings.NewReplacer("package main", "package web", "func slow", fmt.Sprintf("func slow%d_", i)).Replace(e2e.SlowSource(i)))
	}
	r.Write("broken.go", "package main\n\nvar x int = \"no number\"\n")
	e2e.Gone(t, old)
	if strings.Contains(r.Stderr.String(), "devrun: build failed") {
		t.Fatal("the build has failed before the app had stopped, which is another case")
	}
	r.Says(`^devrun: build failed`)
	suite.Until(t, "the newest binary runs", func() error {
		resp, body, err := e2e.Ask("GET", r.URL("/version"), nil, "Sec-Fetch-Dest", "empty")
		if err != nil {
			return err
		}
		if resp.StatusCode != 200 || body != "v2\n" {
			return fmt.Errorf("%d %q", resp.StatusCode, body)
		}
		return nil
	})
	r.Says(`^devrun: generation 2 is still running \(pid \d+\)$`)
	if err := os.Remove(filepath.Join(r.Dir, "broken.go")); err != nil {
		t.Fatal(err)
	}
	r.Served("v2")
}

// devrun does not wait for it.
func testStopDuringList(t *testing.T, mode string) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	r := e2e.New(t, mode)
	r.Env = append(r.Env, "GOPROXY=http://"+silent.Addr().String(), "GOFLAGS=-mod=mod", "GONOSUMDB=*", "GOMODCACHE="+t.TempDir())
	r.Start()
	r.Write("go.mod", r.Read("go.mod")+"\nrequire example.test/nowhere v1.0.0\n")
	r.Replace("main.go", `"example.test/app/web"`, "\"example.test/app/web\"\n\t_ \"example.test/nowhere\"")
	c, err := silent.Accept() // the go command asks
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	start := time.Now()
	r.Cmd.Process.Signal(os.Interrupt)
	if code := r.Exit(); code != 130 {
		t.Errorf("exit status %d", code)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("it took %v", d)
	}
}

// testDiesInC: a signal that C code gets is told as one and not as a panic, though
// its report ends with more lines of goroutines and registers than are kept of a log.
func testDiesInC(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	r.Write("web/inc.go", `package web

// static void poke(int *p) { *p = 1; }
import "C"

import (
	"net/http"
	"unsafe"
)

func inC(mux *http.ServeMux) {
	for range 100 {
		go func() { select {} }()
	}
	mux.HandleFunc("/poke", func(http.ResponseWriter, *http.Request) { C.poke((*C.int)(unsafe.Pointer(uintptr(8)))) })
}
`)
	r.Replace("web/web.go", "mux := http.NewServeMux()", "mux := http.NewServeMux()\n\tinC(mux)")
	r.Start()
	go e2e.Ask("GET", r.URL("/poke"), nil) // its answer is cut off
	r.Says(`^devrun: app crashed, exit status 2 `)
	suite.Until(t, "the page of the crash", func() error {
		resp, body, err := e2e.Ask("GET", r.URL("/"), nil, "Accept", "text/plain")
		if err != nil {
			return err
		}
		for _, want := range []string{"SIGSEGV: segmentation violation", "web/inc.go:15", "GET /poke"} {
			if resp.StatusCode != 500 || !strings.Contains(body, want) {
				return fmt.Errorf("%d, without %s\n%s", resp.StatusCode, want, body)
			}
		}
		return nil
	})
}

// testHurry: somebody who saves again as soon as the last save is served is not taken
// for the app, though it reads the file at each start.
func testHurry(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	r.Write("read.go", `package main

import (
	"fmt"
	"os"
)

func init() {
	text, err := os.ReadFile("templates/page.html")
	fmt.Println("read", string(text), err)
}
`)
	r.Start()
	for i := range 5 {
		pid := r.AppPid()
		r.Write("templates/page.html", fmt.Sprint("number ", i))
		suite.Until(t, "the app restarts and reads it", func() error {
			if out := r.Stdout.String(); r.AppPid() == pid || !strings.Contains(out, fmt.Sprintf("read number %d <nil>", i)) {
				return fmt.Errorf("it has read %q", out)
			}
			return nil
		})
	}
}
