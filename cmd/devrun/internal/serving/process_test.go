//go:build linux

package serving

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

var (
	processes = e2e.Behaviours{
		{"an app that drains is waited for", testDrain},
		{"an app on a Unix socket", testUnixSocket},
		{"a port that is not HTTP", testPortWithoutHTTP},
		{"nothing survives devrun", testTreeKill},
		{"an app that dies at the start", testDiesAtStart},
		{"a port that somebody else has", testPortTaken},
	}
	longProcesses = e2e.Behaviours{
		{"a second port", testSecondPort},
		{"nothing survives devrun, whatever ends it", testTreeKillBySignals},
		{"an app that ignores SIGTERM is killed after its grace", testIgnoreTerm},
		{"an app that dies later", testDiesLater},
		{"standard input", testStdin},
		{"two devruns on one app", testTwoDevruns},
		{"another public address", testAddr},
		{"a debugger that is attached", testDebugger},
	}
)

func testDrain(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	r.Env = append(r.Env, "DRAIN_MS=2500")
	r.Start("--grace", "20s")
	pid := r.AppPid()
	stop := e2e.Hammer(r.URL("/version"), 50*time.Millisecond)
	r.SetVersion("v2")
	r.Served("v2")
	if n, failed := stop(); len(failed) > 0 {
		t.Errorf("%d of %d requests failed, the first with %s", len(failed), n, failed[0])
	}
	e2e.Gone(t, pid)
	if s := r.Stderr.String() + r.Stdout.String(); strings.Contains(s, "address already in use") || strings.Contains(s, "killing it") {
		t.Errorf("the app was not waited for")
	}
}

// It is ready as one with a port is, and finds its path free at each start.
func testUnixSocket(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	r.Env = append(r.Env, "SOCKET=app.sock")
	r.Launch()
	path := filepath.Join(r.Dir, "app.sock")
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
	for i, version := range []string{"v1", "v2", "v3"} {
		point := r.Point()
		if i > 0 {
			r.SetVersion(version)
		}
		r.SaysAfter(point, `^devrun: serving unix app\.sock \(pid \d+\)$`)
		resp, err := client.Get("http://localhost/version")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if got := string(body); got != version+"\n" || err != nil {
			t.Errorf("%q, %v; want %s", got, err, version)
		}
	}
	r.Cmd.Process.Signal(os.Interrupt)
	r.Exit()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

// It works through devrun, and is printed as what it is beside one that is.
func testPortWithoutHTTP(t *testing.T, mode string) {
	r := e2e.New(t, mode).Start()
	port := suite.FreePort(t)
	r.Get(fmt.Sprintf("/greeter?port=%d", port))
	r.Says(fmt.Sprintf(`^devrun: serving tcp localhost:%d \(pid \d+\)$`, port))
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := io.ReadAll(c); string(got) != "220 ready\r\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if url := fmt.Sprintf("http://localhost:%d", port); strings.Contains(r.Stderr.String(), url) {
		t.Errorf("%s is printed", url)
	}
}

func testIgnoreTerm(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	r.Env = append(r.Env, "IGNORE_TERM=1")
	r.Start("--grace", "300ms")
	pid := r.AppPid()
	r.SetVersion("v2")
	r.Served("v2")
	e2e.Gone(t, pid)
	r.Says(`^devrun: the app did not stop within 300ms, killing it$`)
	pid = r.AppPid()
	r.Cmd.Process.Signal(os.Interrupt)
	r.Exit()
	e2e.Gone(t, pid)
}

func testTreeKill(t *testing.T, mode string) { treeKill(t, mode, syscall.SIGINT) }

func testTreeKillBySignals(t *testing.T, mode string) {
	treeKill(t, mode, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGKILL)
}

func treeKill(t *testing.T, mode string, signals ...syscall.Signal) {
	for _, sig := range signals {
		r := e2e.New(t, mode)
		r.Env = append(r.Env, "FORK_CHILD=1")
		r.Start()
		children := func() (pids []int) {
			t.Helper()
			for _, m := range regexp.MustCompile(`children (\d+) (\d+)`).FindAllStringSubmatch(r.Stdout.String(), -1) {
				a, _ := strconv.Atoi(m[1])
				b, _ := strconv.Atoi(m[2])
				pids = append(pids, a, b)
			}
			return pids
		}
		suite.Until(t, "the first children are known", func() error {
			if len(children()) < 2 {
				return errors.New("no line yet")
			}
			return nil
		})
		first := children()
		r.SetVersion("v2")
		r.Served("v2")
		for _, pid := range first {
			e2e.Gone(t, pid)
		}
		suite.Until(t, "the second children are known", func() error {
			if len(children()) < 4 {
				return errors.New("no line yet")
			}
			return nil
		})
		app, second := r.AppPid(), children()[2:]
		r.Cmd.Process.Signal(sig)
		code := r.Exit()
		e2e.Gone(t, app)
		e2e.Gone(t, second[0])
		if sig == syscall.SIGKILL {
			// The documented limit: who left the app's session and was orphaned
			// before devrun could look is not found any more.
			syscall.Kill(second[1], syscall.SIGKILL)
		}
		e2e.Gone(t, second[1])
		if want := map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 0, syscall.SIGHUP: 0, syscall.SIGKILL: -1}[sig]; code != want {
			t.Errorf("%v: exit status %d, want %d", sig, code, want)
		}
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", r.Port)); err != nil {
			t.Errorf("%v: the port is still in use: %v", sig, err)
		} else {
			l.Close()
		}
	}
}

// Its last words and its crash are shown, and it is started again by a save only.
func testDiesAtStart(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	r.Env = append(r.Env, "EXIT_AT_START=3")
	r.Launch()
	r.Says(`^devrun: app exited, status 3`)
	r.Says(`^devrun: waiting for a save`)
	if s := r.Stderr.String(); !strings.Contains(s, "the last words") {
		t.Errorf("the app's last words are lost:\n%s", s)
	}
	// It isn't started again by itself.
	starts := strings.Count(r.Stderr.String(), "the last words")
	r.Replace("main.go", `os.Getenv("EXIT_AT_START")`, `os.Getenv("NO_EXIT")`)
	r.Served("v1")
	if n := strings.Count(r.Stderr.String(), "the last words"); n != starts || n != 1 {
		t.Errorf("it was started %d times", n)
	}
	// And for a panic in main.
	r.Replace("main.go", `os.Getenv("PANIC_AT_START") != ""`, `os.Getenv("PANIC_AT_START") == ""`)
	r.Says(`^devrun: app crashed, exit status 2`)
	suite.Until(t, "the crash page is shown", func() error {
		resp, body, err := e2e.Ask("GET", r.URL("/"), nil, "Accept", "text/html")
		if err != nil {
			return err
		}
		if resp.StatusCode != 500 || !strings.Contains(body, "nil pointer dereference") || !strings.Contains(body, "main.go:3") {
			return fmt.Errorf("%d\n%s", resp.StatusCode, body)
		}
		return nil
	})
	r.Replace("main.go", `os.Getenv("PANIC_AT_START") == ""`, `false`)
	r.Served("v1")
}

// The terminal and every address say how it ended, until a save.
func testDiesLater(t *testing.T, mode string) {
	r := e2e.New(t, mode).Start()
	for _, c := range []struct{ path, line, page string }{
		{"/exit?code=0", `^devrun: app exited, status 0`, "status 0"},
		{"/exit?code=3", `^devrun: app exited, status 3`, "status 3"},
		{"/crash", `^devrun: app crashed, exit status 2`, "assignment to entry in nil map"},
	} {
		go e2e.Ask("GET", r.URL(c.path), nil) // its answer is cut off
		r.Says(c.line)
		suite.Until(t, "the page for "+c.path, func() error {
			resp, body, err := e2e.Ask("GET", r.URL("/"), nil, "Accept", "text/html")
			if err != nil {
				return err
			}
			if resp.StatusCode != 500 || !strings.Contains(body, c.page) {
				return fmt.Errorf("%d\n%s", resp.StatusCode, body)
			}
			return nil
		})
		r.Replace("main.go", `const version = "v1"`, `const version = "v2"`)
		r.Served("v2")
		r.Replace("main.go", `const version = "v2"`, `const version = "v1"`)
		r.Served("v1")
	}
	pid := r.AppPid()
	syscall.Kill(pid, syscall.SIGKILL)
	r.Says(`^devrun: app was killed \(signal: killed\)`)
}

// devrun ends and says whose it is.
func testPortTaken(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", r.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r.Launch()
	if code := r.Exit(); code != 1 {
		t.Errorf("exit status %d", code)
	}
	r.Says(fmt.Sprintf(`^devrun: listen on localhost:%d: address already in use$`, r.Port))
	r.Says(fmt.Sprintf(`^devrun: hint: pid %d \(\S+\) has it; `, os.Getpid()))
}

// The app reads what devrun is given.
func testStdin(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	r.LaunchWith(func(c *exec.Cmd) { c.Stdin = in })
	in.Close()
	r.Served("v1")
	if _, body := r.Get("/tty"); body != "false false false " {
		t.Errorf("terminals: %q", body)
	}
	answer := make(chan string)
	go func() {
		_, body, err := e2e.Ask("GET", r.URL("/stdin"), nil)
		answer <- fmt.Sprint(body, err)
	}()
	io.WriteString(out, "a line\n")
	if got := <-answer; !strings.HasPrefix(got, `"a line\n" <nil>`) {
		t.Errorf("stdin: %s", got)
	}
}

// The second is told who has the port, or works on a port of its own.
func testTwoDevruns(t *testing.T, mode string) {
	r := e2e.New(t, mode).Start()
	second := e2e.New(t, mode)
	second.Dir, second.Port = r.Dir, r.Port
	second.Launch()
	if code := second.Exit(); code != 1 {
		t.Errorf("exit status %d", code)
	}
	second.Says(fmt.Sprintf(`^devrun: hint: pid %d \(devrun\) has it; `, r.Cmd.Process.Pid))
	// The first one is not disturbed: every answer is its app's.
	pid := r.AppPid()
	for range 50 {
		if got := r.AppPid(); got != pid {
			t.Fatalf("answered by %d, want %d", got, pid)
		}
	}
	// On ports of their own both work.
	third := e2e.New(t, mode)
	third.Dir = r.Dir
	third.Start()
	r.SetVersion("v2")
	r.Served("v2")
	third.Served("v2")
}

// It is kept over restarts as the first is, and free again when the app no longer
// opens it.
func testSecondPort(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	port := suite.FreePort(t)
	r.Env = append(r.Env, "SECOND_PORT="+strconv.Itoa(port))
	r.Start()
	second := &e2e.Rig{T: t, Port: port, Ended: r.Ended}
	second.Answers("/", "second v1")
	stop := e2e.Hammer(second.URL("/"), 10*time.Millisecond)
	r.SetVersion("v2")
	r.Served("v2")
	second.Answers("/", "second v2")
	if n, failed := stop(); len(failed) > 0 {
		t.Errorf("%d of %d requests to the second port failed, the first with %s", len(failed), n, failed[0])
	}
	r.Says(fmt.Sprintf(`^devrun: serving http://localhost:%d \(`, port))
	// A port that a newer app does not open any more is free again.
	r.Replace("main.go", `os.Getenv("SECOND_PORT"); port != ""`, `""; port != ""`)
	suite.Until(t, "the second port is free", func() error {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			l.Close()
		}
		return err
	})
}

// The app is there, and not where it asked to be.
func testAddr(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	asked := r.Port
	r.Port = suite.FreePort(t)
	r.Env = append(r.Env, "PORT="+strconv.Itoa(asked))
	r.Start("--addr", fmt.Sprintf(":%d", r.Port))
	r.SetVersion("v2")
	r.Served("v2")
	if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", asked)); err == nil {
		c.Close()
		t.Error("something listens where the app asked for")
	}
}
