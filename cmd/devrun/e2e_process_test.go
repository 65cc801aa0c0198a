//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var processBehaviours = []behaviour{
	{"an app that drains is waited for", testDrain},
	{"an app that ignores SIGTERM is killed after its grace", testIgnoreTerm},
	{"nothing survives devrun", testTreeKill},
	{"an app that dies at the start", testDiesAtStart},
	{"an app that dies later", testDiesLater},
	{"a port that somebody else has", testPortTaken},
	{"standard input", testStdin},
	{"two devruns on one app", testTwoDevruns},
	{"a second port", testSecondPort},
	{"another public address", testAddr},
	{"a debugger that is attached", testDebugger},
}

func testDrain(t *testing.T, mode string) {
	r := newRig(t, mode)
	r.env = append(r.env, "DRAIN_MS=2500")
	r.start("--grace", "20s")
	pid := r.appPid()
	stop := hammer(r.url("/version"), 50*time.Millisecond)
	r.setVersion("v2")
	r.served("v2")
	if n, failed := stop(); len(failed) > 0 {
		t.Errorf("%d of %d requests failed, the first with %s", len(failed), n, failed[0])
	}
	gone(t, pid)
	if s := r.stderr.String() + r.stdout.String(); strings.Contains(s, "address already in use") || strings.Contains(s, "killing it") {
		t.Errorf("the app was not waited for")
	}
}

func testIgnoreTerm(t *testing.T, mode string) {
	r := newRig(t, mode)
	r.env = append(r.env, "IGNORE_TERM=1")
	r.start("--grace", "300ms")
	pid := r.appPid()
	r.setVersion("v2")
	r.served("v2")
	gone(t, pid)
	r.says(`^devrun: the app did not stop within 300ms, killing it$`)
	pid = r.appPid()
	r.cmd.Process.Signal(os.Interrupt)
	r.exit()
	gone(t, pid)
}

func testTreeKill(t *testing.T, mode string) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGKILL} {
		if signal.Ignored(sig) {
			continue // as under nohup: devrun ignores it, too
		}
		r := newRig(t, mode)
		r.env = append(r.env, "FORK_CHILD=1")
		r.start()
		children := func() (pids []int) {
			t.Helper()
			for _, m := range regexp.MustCompile(`children (\d+) (\d+)`).FindAllStringSubmatch(r.stdout.String(), -1) {
				a, _ := strconv.Atoi(m[1])
				b, _ := strconv.Atoi(m[2])
				pids = append(pids, a, b)
			}
			return pids
		}
		eventually(t, "the first children are known", func() error {
			if len(children()) < 2 {
				return errors.New("no line yet")
			}
			return nil
		})
		first := children()
		r.setVersion("v2")
		r.served("v2")
		for _, pid := range first {
			gone(t, pid)
		}
		eventually(t, "the second children are known", func() error {
			if len(children()) < 4 {
				return errors.New("no line yet")
			}
			return nil
		})
		app, second := r.appPid(), children()[2:]
		r.cmd.Process.Signal(sig)
		code := r.exit()
		gone(t, app)
		gone(t, second[0])
		if sig == syscall.SIGKILL {
			// The documented limit: who left the app's session and was orphaned
			// before devrun could look is not found any more.
			syscall.Kill(second[1], syscall.SIGKILL)
		}
		gone(t, second[1])
		if want := map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 0, syscall.SIGHUP: 0, syscall.SIGKILL: -1}[sig]; code != want {
			t.Errorf("%v: exit status %d, want %d", sig, code, want)
		}
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", r.port)); err != nil {
			t.Errorf("%v: the port is still in use: %v", sig, err)
		} else {
			l.Close()
		}
	}
}

func testDiesAtStart(t *testing.T, mode string) {
	r := newRig(t, mode)
	r.env = append(r.env, "EXIT_AT_START=3")
	r.launch()
	r.says(`^devrun: app exited, status 3`)
	r.says(`^devrun: waiting for a save`)
	if s := r.stderr.String(); !strings.Contains(s, "the last words") {
		t.Errorf("the app's last words are lost:\n%s", s)
	}
	// It isn't started again by itself.
	starts := strings.Count(r.stderr.String(), "the last words")
	r.replace("main.go", `os.Getenv("EXIT_AT_START")`, `os.Getenv("NO_EXIT")`)
	r.served("v1")
	if n := strings.Count(r.stderr.String(), "the last words"); n != starts || n != 1 {
		t.Errorf("it was started %d times", n)
	}
	// And for a panic in main.
	r.replace("main.go", `os.Getenv("PANIC_AT_START") != ""`, `os.Getenv("PANIC_AT_START") == ""`)
	r.says(`^devrun: app crashed, exit status 2`)
	eventually(t, "the crash page is shown", func() error {
		resp, body, err := ask("GET", r.url("/"), nil, "Accept", "text/html")
		if err != nil {
			return err
		}
		if resp.StatusCode != 500 || !strings.Contains(body, "nil pointer dereference") || !strings.Contains(body, "main.go:3") {
			return fmt.Errorf("%d\n%s", resp.StatusCode, body)
		}
		return nil
	})
	r.replace("main.go", `os.Getenv("PANIC_AT_START") == ""`, `false`)
	r.served("v1")
}

func testDiesLater(t *testing.T, mode string) {
	r := newRig(t, mode).start()
	for _, c := range []struct{ path, line, page string }{
		{"/exit?code=0", `^devrun: app exited, status 0`, "status 0"},
		{"/exit?code=3", `^devrun: app exited, status 3`, "status 3"},
		{"/crash", `^devrun: app crashed, exit status 2`, "assignment to entry in nil map"},
	} {
		go ask("GET", r.url(c.path), nil) // its answer is cut off
		r.says(c.line)
		eventually(t, "the page for "+c.path, func() error {
			resp, body, err := ask("GET", r.url("/"), nil, "Accept", "text/html")
			if err != nil {
				return err
			}
			if resp.StatusCode != 500 || !strings.Contains(body, c.page) {
				return fmt.Errorf("%d\n%s", resp.StatusCode, body)
			}
			return nil
		})
		r.replace("main.go", `const version = "v1"`, `const version = "v2"`)
		r.served("v2")
		r.replace("main.go", `const version = "v2"`, `const version = "v1"`)
		r.served("v1")
	}
	pid := r.appPid()
	syscall.Kill(pid, syscall.SIGKILL)
	r.says(`^devrun: app was killed \(signal: killed\)`)
}

func testPortTaken(t *testing.T, mode string) {
	r := newRig(t, mode)
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", r.port))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r.launch()
	if code := r.exit(); code != 1 {
		t.Errorf("exit status %d", code)
	}
	r.says(fmt.Sprintf(`^devrun: listen on localhost:%d: address already in use$`, r.port))
	r.says(fmt.Sprintf(`^devrun: hint: pid %d \(\S+\) has it; `, os.Getpid()))
}

func testStdin(t *testing.T, mode string) {
	r := newRig(t, mode)
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	r.launchWith(func(c *exec.Cmd) { c.Stdin = in })
	in.Close()
	r.served("v1")
	if _, body := r.get("/tty"); body != "false false false " {
		t.Errorf("terminals: %q", body)
	}
	answer := make(chan string)
	go func() {
		_, body, err := ask("GET", r.url("/stdin"), nil)
		answer <- fmt.Sprint(body, err)
	}()
	io.WriteString(out, "a line\n")
	if got := <-answer; !strings.HasPrefix(got, `"a line\n" <nil>`) {
		t.Errorf("stdin: %s", got)
	}
}

// launchWith launches devrun after its command was changed.
func (r *rig) launchWith(change func(*exec.Cmd), args ...string) {
	r.t.Helper()
	r.change = change
	r.launch(args...)
}

func testTwoDevruns(t *testing.T, mode string) {
	r := newRig(t, mode).start()
	second := newRig(t, mode)
	second.dir, second.port = r.dir, r.port
	second.launch()
	if code := second.exit(); code != 1 {
		t.Errorf("exit status %d", code)
	}
	second.says(fmt.Sprintf(`^devrun: hint: pid %d \(devrun\) has it; `, r.cmd.Process.Pid))
	// The first one is not disturbed: every answer is its app's.
	pid := r.appPid()
	for range 50 {
		if got := r.appPid(); got != pid {
			t.Fatalf("answered by %d, want %d", got, pid)
		}
	}
	// On ports of their own both work.
	third := newRig(t, mode)
	third.dir = r.dir
	third.start()
	r.setVersion("v2")
	r.served("v2")
	third.served("v2")
}

func testSecondPort(t *testing.T, mode string) {
	r := newRig(t, mode)
	port := freePort(t)
	r.env = append(r.env, "SECOND_PORT="+strconv.Itoa(port))
	r.start()
	second := &rig{t: t, port: port, ended: r.ended}
	second.answers("/", "second v1")
	stop := hammer(second.url("/"), 10*time.Millisecond)
	r.setVersion("v2")
	r.served("v2")
	second.answers("/", "second v2")
	if n, failed := stop(); len(failed) > 0 {
		t.Errorf("%d of %d requests to the second port failed, the first with %s", len(failed), n, failed[0])
	}
	r.says(fmt.Sprintf(`^devrun: serving http://localhost:%d \(`, port))
	// A port that a newer app does not open any more is free again.
	r.replace("main.go", `os.Getenv("SECOND_PORT"); port != ""`, `""; port != ""`)
	eventually(t, "the second port is free", func() error {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			l.Close()
		}
		return err
	})
}

func testAddr(t *testing.T, mode string) {
	r := newRig(t, mode)
	asked := r.port
	r.port = freePort(t)
	r.env = append(r.env, "PORT="+strconv.Itoa(asked))
	r.start("--addr", fmt.Sprintf(":%d", r.port))
	r.setVersion("v2")
	r.served("v2")
	if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", asked)); err == nil {
		c.Close()
		t.Error("something listens where the app asked for")
	}
}

// Bad input is one clear sentence and an exit status, never a trace.
func TestBadInput(t *testing.T) {
	for _, c := range []struct {
		name string
		with func(*rig) []string
		code int
		want string
	}{
		{"no such directory", func(r *rig) []string { return []string{"-C", "/nowhere/at all"} }, 2, `/nowhere/at all`},
		{"no such package", func(r *rig) []string { return []string{"./nope"} }, 2, `nope`},
		{"no main package", func(r *rig) []string { return []string{"./web"} }, 2, `web.*not.*main`},
		{"two main packages", func(r *rig) []string {
			os.Remove(r.dir + "/main.go")
			r.write("cmd/one/main.go", "package main\n\nfunc main() {}\n")
			r.write("cmd/two/main.go", "package main\n\nfunc main() {}\n")
			return nil
		}, 2, `(?s)\./cmd/one.*\./cmd/two`},
		{"no module", func(r *rig) []string { os.Remove(r.dir + "/go.mod"); return nil }, 2, `go mod init`},
		{"no go command", func(r *rig) []string { r.env = append(r.env, "PATH=/nonexistent"); return nil }, 2, `go`},
		{"unknown APP_ENV", func(r *rig) []string { r.env = append(r.env, "APP_ENV=staging"); return nil }, 2, `APP_ENV is "staging"; it can be production or development`},
		{"unknown setting", func(r *rig) []string { r.env = append(r.env, "DEVRUN_GRACEE=1s"); return nil }, 2, `DEVRUN_GRACE\b`},
		{"unknown flag", func(r *rig) []string { return []string{"--pol"} }, 2, `--pol`},
		{"bad duration", func(r *rig) []string { return []string{"--grace", "soon"} }, 2, `soon`},
		{"bad .env", func(r *rig) []string { r.write(".env", "A=1\nB=\"x\n"); return nil }, 2, `\.env line 2`},
		{"bad --addr", func(r *rig) []string { return []string{"--addr", "nonsense"} }, 2, `nonsense`},
		{"temporary directory that can't be written", func(r *rig) []string { r.env = append(r.env, "TMPDIR=/nonexistent"); return nil }, 1, `TMPDIR`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "notify")
			r.launch(c.with(r)...)
			if code := r.exit(); code != c.code {
				t.Errorf("exit status %d, want %d", code, c.code)
			}
			text := r.stderr.String()
			if !regexp.MustCompile(c.want).MatchString(text) {
				t.Errorf("stderr has no %s:\n%s", c.want, text)
			}
			if strings.Contains(text, "goroutine ") || !strings.HasPrefix(text, "devrun: ") || strings.Count(text, "\n") > 6 {
				t.Errorf("not a clear sentence:\n%s", text)
			}
		})
	}
}

// A directory that can't be written is no obstacle: nothing is written there.
func TestReadOnlyDirectory(t *testing.T) {
	r := newRig(t, "notify")
	r.setVersion("v1")
	if err := exec.Command("chmod", "-R", "a-w", r.dir).Run(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { exec.Command("chmod", "-R", "u+w", r.dir).Run() })
	list := func() string {
		t.Helper()
		out, err := exec.Command("find", r.dir, "-printf", "%p %T@ %C@\n").Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	before := list()
	r.start()
	if after := list(); after != before {
		t.Errorf("something was written:\n%s\nbefore:\n%s", after, before)
	}
}
