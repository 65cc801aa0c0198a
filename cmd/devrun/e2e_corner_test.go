//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What goes wrong only where two things meet.
var cornerBehaviours = []behaviour{
	{"a typo in the package clause", testPackageClause},
	{"an app that opens many files before it listens", testOpensMany},
	{"an app that tries its port before it uses it", testTriesPort},
	{"a broken .env saved together with a source", testEnvAndSource},
	{"an app without the hook, twice", testWithoutHook},
	{"a save that breaks the build while the old app is stopping", testBrokenWhileStopping},
	{"Control-C while the go command waits for the network", testStopDuringList},
}

// The hook's own file stands in the same package: the go command names it when
// the user's file says it is another one, and the hook is not to blame.
func testPackageClause(t *testing.T, mode string) {
	r := newRig(t, mode).start()
	for _, v := range []string{"v2", "v3"} {
		r.replace("main.go", "package main", "package mai")
		r.says(`(?s)` + strings.Repeat(`devrun: build failed.*`, len(v)-1))
		r.setVersion(v)
		r.replace("main.go", "package mai", "package main")
		r.served(v)
	}
	if s := r.stderr.String(); strings.Contains(s, "built as it is") || strings.Contains(s, "zz_devrun") {
		t.Error("the hook is blamed or shown")
	}
}

func testOpensMany(t *testing.T, mode string) {
	const n = 3000
	r := newRig(t, mode)
	dir := t.TempDir()
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)+".html"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.env = append(r.env, "OPEN_FIRST="+strconv.Itoa(n), "OPEN_IN="+dir)
	r.start()
	for i := range 4 {
		v := fmt.Sprintf("o%d", i)
		r.setVersion(v)
		r.served(v)
	}
}

func testTriesPort(t *testing.T, mode string) {
	r := newRig(t, mode)
	r.env = append(r.env, "TRY_PORT=1")
	r.start()
	for _, v := range []string{"v2", "v3"} {
		r.setVersion(v)
		r.served(v)
	}
}

func testEnvAndSource(t *testing.T, mode string) {
	r := newRig(t, mode)
	r.write(".env", "GREETING=hello\n")
	r.start()
	// Both appear in one step.
	prepared := t.TempDir()
	if err := os.WriteFile(filepath.Join(prepared, "main.go"), []byte(r.source("v2")), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(prepared, ".env"), []byte("GREETING=\"hi\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".env", "main.go"} {
		if err := os.Rename(filepath.Join(prepared, name), filepath.Join(r.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	r.says(`^devrun: \.env line 1: `)
	r.served("v2")
	r.answers("/env/GREETING", `"hello" true`)
	r.write(".env", "GREETING=hi\n")
	r.answers("/env/GREETING", `"hi" true`)
	r.served("v2")
}

// A file of the user's that has the hook's name: there is no hook then, the
// app has its own port, and devrun serves it on another one.
func testWithoutHook(t *testing.T, mode string) {
	dir := ""
	port := freePort(t)
	cache := ownCache(t)
	for range 2 {
		r := newRig(t, mode)
		if dir == "" {
			dir = r.dir
			r.write("zz_devrun.go", "package main\n")
		}
		r.dir, r.port = dir, port
		r.env = append(r.env, cache...)
		r.launch()
		line := r.says(`^devrun: serving http://localhost:\d+`)
		own := r.port
		fmt.Sscanf(line, "devrun: serving http://localhost:%d", &r.port)
		if r.port == own {
			t.Errorf("devrun has the app's port")
		}
		r.served("v1")
		if _, body, err := ask("GET", fmt.Sprintf("http://127.0.0.1:%d/version", own), nil); err != nil || body != "v1\n" {
			t.Errorf("the app's own port: %q %v", body, err)
		}
		r.setVersion("v2")
		r.served("v2")
		r.setVersion("v1")
		r.served("v1")
		r.says(`the app is built as it is and keeps its port`)
		r.cmd.Process.Signal(os.Interrupt)
		r.exit()
	}
}

func testBrokenWhileStopping(t *testing.T, mode string) {
	r := newRig(t, mode)
	r.env = append(r.env, "DRAIN_MS=4000")
	r.start("--grace", "20s")
	old := r.appPid()
	r.setVersion("v2")
	r.says(`(?s)devrun: built in.*devrun: built in`) // the old app is draining
	r.write("broken.go", "package main\n\nvar x int = \"no number\"\n")
	r.says(`^devrun: build failed`)
	gone(t, old)
	// What was built last is there for the requests of pages that are open.
	eventually(t, "the newest binary runs", func() error {
		resp, body, err := ask("GET", r.url("/version"), nil, "Sec-Fetch-Dest", "empty")
		if err != nil {
			return err
		}
		if resp.StatusCode != 200 || body != "v2\n" {
			return fmt.Errorf("%d %q", resp.StatusCode, body)
		}
		return nil
	})
	if status, body := r.get("/version"); status != 500 || !strings.Contains(body, "broken.go:3") {
		t.Errorf("the page: %d %s", status, body)
	}
	if err := os.Remove(filepath.Join(r.dir, "broken.go")); err != nil {
		t.Fatal(err)
	}
	r.served("v2")
}

func testStopDuringList(t *testing.T, mode string) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	r := newRig(t, mode)
	r.env = append(r.env, "GOPROXY=http://"+silent.Addr().String(), "GOFLAGS=-mod=mod", "GONOSUMDB=*", "GOMODCACHE="+t.TempDir())
	r.start()
	r.write("go.mod", r.read("go.mod")+"\nrequire example.test/nowhere v1.0.0\n")
	r.replace("main.go", `"example.test/app/web"`, "\"example.test/app/web\"\n\t_ \"example.test/nowhere\"")
	c, err := silent.Accept() // the go command asks
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	start := time.Now()
	r.cmd.Process.Signal(os.Interrupt)
	if code := r.exit(); code != 130 {
		t.Errorf("exit status %d", code)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("it took %v", d)
	}
}
