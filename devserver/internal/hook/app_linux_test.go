package hook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"devrun/devserver/internal/wire"
	"devrun/devserver/suite"
)

var scratch string // holds the binaries that tests share

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "hook"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := os.RemoveAll(scratch); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// project is an app to be built.
type project struct {
	module, dir string // path and root of the main module
	main        string // directory of package main, relative to dir
	env, flags  []string
	ldflags     string
	noHTTP      bool   // does not import net/http
	sysUnix     string // where golang.org/x/sys/unix is, if it is imported
}

func (p project) command(args ...string) *exec.Cmd {
	cmd := exec.Command("go", args...)
	cmd.Dir = filepath.Join(p.dir, p.main)
	cmd.Env = append(os.Environ(), "PWD="+cmd.Dir, "GOFLAGS=-buildvcs=false", "GOWORK=off", "GOTOOLCHAIN=local")
	cmd.Env = append(cmd.Env, p.env...)
	return cmd
}

// dirOf is where a package is that p imports.
func (p project) dirOf(t testing.TB, path string) string {
	t.Helper()
	out, err := p.command("list", "-f", "{{.Dir}}", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// build builds p with the hook and returns the binary.
func (p project) build(t testing.TB) string {
	t.Helper()
	work, err := os.MkdirTemp(scratch, "build")
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(work, "app")
	p.compile(t, work, "-o", binary)
	return binary
}

// compile prepares the hook in a new directory below dir, runs go build and
// returns what it says.
func (p project) compile(t testing.TB, dir string, flags ...string) string {
	t.Helper()
	out, err := p.command("env", "GOROOT", "GOMODCACHE", "GOVERSION").Output()
	if err != nil {
		t.Fatal(err)
	}
	env := strings.Fields(string(out))
	o, err := Prepare(Target{
		GOROOT: env[0], ModCache: env[1], GoVersion: env[2],
		ModulePath: p.module, ModuleDir: p.dir, MainDir: filepath.Join(p.dir, p.main),
		Dir: filepath.Join(dir, "overlay"), HTTP: !p.noHTTP, SysUnix: p.sysUnix,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Lost) > 0 {
		t.Fatalf("lost: %q", o.Lost)
	}
	args := append([]string{"build", "-overlay", o.File, "-ldflags", "-w " + p.ldflags + " " + o.LDFlags}, flags...)
	out, err = p.command(append(args, p.flags...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", args, err, out)
	}
	return string(out)
}

// shared builds a module of testdata once for all tests.
var shared = func() func(testing.TB, string) string {
	var mu sync.Mutex
	built := map[string]string{}
	return func(t testing.TB, name string) string {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if built[name] == "" {
			dir, err := filepath.Abs(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			p := project{module: "example.com/app", dir: dir}
			switch name {
			case "echo":
				p.module, p.noHTTP = "echo", true
			case "raw":
				p.sysUnix = p.dirOf(t, "golang.org/x/sys/unix")
			case "faults":
				p.flags = []string{"-gcflags=-N -l"} // as devrun builds the user's packages
			}
			built[name] = p.build(t)
		}
		return built[name]
	}
}()

// process is a running app with the test in devrun's place.
type process struct {
	t        testing.TB
	cmd      *exec.Cmd
	channel  *os.File // devrun's end
	messages chan wire.Message
	opened   chan wire.Message // of kinds Opened, Wrote and Left, as many as the tests have
	released chan wire.Message // of kind Released, as many as the tests have
	out      bytes.Buffer      // complete when ended is closed
	ended    chan struct{}     // output closed by all, and the app reaped
}

// run starts an app as devrun would: leader of its group, with the channel.
func run(t testing.TB, binary string, env []string, args ...string) *process {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, channel: os.NewFile(uintptr(fds[0]), "devrun"), messages: make(chan wire.Message), opened: make(chan wire.Message, 1000), released: make(chan wire.Message, 1000), ended: make(chan struct{})}
	other := os.NewFile(uintptr(fds[1]), "app")
	defer other.Close()
	p.cmd = exec.Command(binary, args...)
	p.cmd.Env = append(append(os.Environ(), wire.FD+"=3"), env...)
	p.cmd.ExtraFiles = []*os.File{other}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = 10 * time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	go func() {
		defer close(p.messages)
		r := wire.NewReader(p.channel)
		for {
			m, err := r.Next()
			if err != nil {
				return
			}
			to := p.messages
			switch m.Kind { // these come at any time
			case wire.Opened, wire.Wrote, wire.Left:
				to = p.opened
			case wire.Released:
				to = p.released
			}
			select {
			case to <- m:
			case <-stop:
				return
			}
		}
	}()
	t.Cleanup(func() {
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		close(stop)
		p.channel.Close()
		<-p.ended
	})
	return p
}

// next returns the next message other than Opened, Wrote, Left and Released, which must be of this kind.
func (p *process) next(kind wire.Kind) wire.Message {
	p.t.Helper()
	return p.nextOf(kind)
}

// nextOf returns the next message, of one of these kinds.
func (p *process) nextOf(kinds ...wire.Kind) wire.Message {
	p.t.Helper()
	select {
	case m, ok := <-p.messages:
		if !ok {
			<-p.ended
			p.t.Fatalf("channel closed instead of %q; output:\n%s", kinds, &p.out)
		}
		if !slices.Contains(kinds, m.Kind) {
			p.t.Fatalf("message %+v instead of %q", m, kinds)
		}
		return m
	case <-time.After(suite.Patience):
		p.t.Fatalf("no message %q", kinds)
	}
	panic("unreachable")
}

// serving reads the messages of an app with one HTTP listener and returns the
// one about it.
func (p *process) serving() wire.Message {
	p.t.Helper()
	p.next(wire.Hello)
	m := p.next(wire.Listening)
	if s := p.next(wire.Serving); s.Addr != m.Addr || s.TLS {
		p.t.Fatalf("listening %+v, but serving %+v", m, s)
	}
	return m
}

// failed waits for the app to give up, saying no more than that, and returns its
// output.
func (p *process) failed() string {
	p.t.Helper()
	p.next(wire.Exiting)
	select {
	case m, ok := <-p.messages:
		if ok {
			p.t.Fatalf("message %+v of an app that should fail", m)
		}
	case <-time.After(suite.Patience):
		p.t.Fatal("the app lives on")
	}
	<-p.ended
	if p.cmd.ProcessState.ExitCode() != 3 {
		p.t.Errorf("exit status %v", p.cmd.ProcessState)
	}
	return p.out.String()
}

// kill ends the app at once and waits for it.
func (p *process) kill() {
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.ended
}

// public listens as devrun does on a port that the app wants, exclusively at
// first, and returns the port.
func public(t *testing.T, addr string) (net.Listener, string) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	share(t, l)
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return l, port
}

// share sets SO_REUSEPORT on a listener.
func share(t *testing.T, l net.Listener) {
	t.Helper()
	rc, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var serr error
	err = rc.Control(func(fd uintptr) { serr = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, 15, 1) })
	if err := errors.Join(err, serr); err != nil {
		t.Fatal(err)
	}
}

// unused returns a port of 127.0.0.1 that nobody has at the moment.
func unused(t testing.TB) string {
	t.Helper()
	return strconv.Itoa(suite.FreePort(t))
}

var client = http.Client{Timeout: suite.Patience, Transport: &http.Transport{DisableKeepAlives: true}}

// get returns the text of a page.
func get(t *testing.T, url string) string {
	t.Helper()
	return fetch(t, &client, url)
}

func fetch(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func equal(t testing.TB, what string, have, want any) {
	t.Helper()
	if !reflect.DeepEqual(have, want) {
		t.Errorf("%s: have %v, want %v", what, have, want)
	}
}
