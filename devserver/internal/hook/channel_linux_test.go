package hook

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"devrun/devserver/internal/wire"
	"devrun/devserver/suite"
)

func TestHello(t *testing.T) {
	p := run(t, shared(t, "app"), nil, "127.0.0.1:0")
	equal(t, "hello", p.next(wire.Hello), wire.Message{Kind: wire.Hello, Go: runtime.Version(), Parts: []string{"exit", "files", "left", "listen", "peek", "eval", "pins", "raw", "capture", "serve", "takeover"}})
}

// Neither the app nor what it starts sees the channel.
func TestChildrenInheritNothing(t *testing.T) {
	p := run(t, shared(t, "app"), []string{wire.Takeover + "=1"}, "127.0.0.1:0")
	body := get(t, "http://"+p.serving().Addr+"/env")
	if strings.Contains(body, wire.FD) || strings.Contains(body, wire.Takeover) || strings.Contains(body, "socket:") || !strings.Contains(body, "PATH=") {
		t.Errorf("environment and descriptors of a child:\n%s", body)
	}
}

// Without the channel the app is as if built without the hook.
func TestAlone(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	l, _ := public(t, "127.0.0.1:0")
	listener, err := l.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for name, c := range map[string]struct {
		env   []string
		extra *os.File
	}{
		"no variable":     {nil, nil},
		"not a number":    {[]string{wire.FD + "=x"}, nil},
		"closed":          {[]string{wire.FD + "=77"}, nil},
		"a file":          {[]string{wire.FD + "=3"}, file},
		"the app's stdin": {[]string{wire.FD + "=0"}, nil},
		"a listener":      {[]string{wire.FD + "=3"}, listener},
	} {
		t.Run(name, func(t *testing.T) {
			port := unused(t)
			cmd := exec.Command(shared(t, "app"), "-own", "127.0.0.1:"+port)
			cmd.Env = append(os.Environ(), c.env...)
			if c.extra != nil {
				cmd.ExtraFiles = []*os.File{c.extra}
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Wait()
			defer cmd.Process.Kill()
			want := "addr 127.0.0.1:" + port + "\n"
			b := make([]byte, len(want))
			if _, err := io.ReadFull(out, b); err != nil {
				t.Fatal(err)
			}
			equal(t, "output", string(b), want)
		})
	}
	if b, err := os.ReadFile(file.Name()); err != nil || len(b) > 0 {
		t.Errorf("file holds %q, %v", b, err)
	}
}

// When devrun dies, the app and its children end, even those that ignore
// SIGTERM, and also if devrun has left messages unread.
func TestDevrunGone(t *testing.T) {
	for name, script := range map[string]string{
		"obedient": `echo $$; exec sleep 1000`,
		"stubborn": `trap "" TERM; echo $$; while :; do sleep 0.1; done`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := run(t, shared(t, "app"), nil, "127.0.0.1:0")
			body := get(t, "http://"+p.serving().Addr+"/spawn?script="+url.QueryEscape(script))
			child, err := strconv.Atoi(strings.TrimSpace(body))
			if err != nil {
				t.Fatal(err)
			}
			p.channel.Close()
			select {
			case <-p.ended:
			case <-time.After(suite.Patience):
				t.Fatal("the app lives on")
			}
			if s := p.cmd.ProcessState.Sys().(syscall.WaitStatus); s.Signal() != syscall.SIGTERM {
				t.Errorf("the app ended with %v", p.cmd.ProcessState)
			}
			suite.Until(t, "the child is dead", func() error {
				// The dead child may wait for its new parent to take notice.
				stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
				if err == nil && !strings.Contains(string(stat), ") Z ") {
					return fmt.Errorf("the child lives on: %s", stat)
				}
				return nil
			})
		})
	}
	t.Run("unread", func(t *testing.T) {
		t.Parallel()
		app := unreadable(t)
		syscall.Close(app.devrun)
		app.ends(t, syscall.SIGTERM)
	})
}

// A devrun that stands still does not hold the app up.
func TestDevrunStuck(t *testing.T) {
	app := unreadable(t)
	defer syscall.Close(app.devrun)
	suite.Until(t, "the port is free", func() error {
		res, err := http.Get("http://127.0.0.1:" + app.port)
		if err == nil {
			res.Body.Close()
		}
		return err
	})
	if err := syscall.Kill(app.cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	app.ends(t, syscall.SIGKILL)
}

// mute is an app whose messages nobody reads and whose channel is full.
type mute struct {
	cmd    *exec.Cmd
	devrun int
	port   string
	ended  chan error // the app is reaped
}

func unreadable(t *testing.T) *mute {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = syscall.Write(fds[1], make([]byte, 1<<16))
	}
	if err != syscall.EAGAIN {
		t.Fatal(err)
	}
	other := os.NewFile(uintptr(fds[1]), "app")
	defer other.Close()
	m := &mute{devrun: fds[0], port: unused(t), ended: make(chan error, 1)}
	m.cmd = exec.Command(shared(t, "app"), "127.0.0.1:"+m.port)
	m.cmd.Env = append(os.Environ(), wire.FD+"=3", wire.Takeover+"=0")
	m.cmd.ExtraFiles = []*os.File{other}
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { m.ended <- m.cmd.Wait() }()
	t.Cleanup(func() { m.cmd.Process.Kill() })
	return m
}

func (m *mute) ends(t *testing.T, by syscall.Signal) {
	t.Helper()
	select {
	case <-m.ended:
		if s := m.cmd.ProcessState.Sys().(syscall.WaitStatus); s.Signal() != by {
			t.Errorf("the app ended with %v", m.cmd.ProcessState)
		}
	case <-time.After(suite.Patience):
		t.Error("the app lives on")
	}
}

// Each file that the app opens is told by its absolute name, and told again when
// another request for the same page opens it anew.
func TestOpened(t *testing.T) {
	p := run(t, shared(t, "app"), nil, "127.0.0.1:0")
	addr := p.serving().Addr
	var want []string
	for _, name := range []string{"a.html", "b.html"} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		want = append(want, path)
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(wd, want[1])
	if err != nil {
		t.Fatal(err)
	}
	again := []string{want[0]}
	for _, name := range []string{want[0], want[0], want[0], "/proc/self/stat", relative} {
		if answer := get(t, "http://"+addr+"/open?name="+url.QueryEscape(name)); answer != "<nil>" {
			t.Fatalf("open %s: %s", name, answer)
		}
	}
	var have []string
	for len(have) == 0 || have[len(have)-1] != want[1] {
		select {
		case m := <-p.opened:
			if m.Kind != wire.Opened {
				t.Errorf("%s is %s", m.Path, m.Kind)
			}
			switch {
			case m.Again:
				equal(t, "opened again", m.Path, again[0])
				again = again[1:]
			case strings.HasSuffix(m.Path, ".html") || strings.HasPrefix(m.Path, "/proc"):
				have = append(have, m.Path)
			}
		case <-time.After(suite.Patience):
			t.Fatalf("opened %q, want %q", have, want)
		}
	}
	equal(t, "opened", have, want)
	if len(again) > 0 {
		t.Errorf("%q was not told again", again)
	}
}

// A file is told of once more, too, when another request for the same page, that has
// begun later, is answered without it.
func TestKept(t *testing.T) {
	p := run(t, shared(t, "app"), nil, "127.0.0.1:0")
	addr := p.serving().Addr
	path := filepath.Join(t.TempDir(), "a.css")
	if err := os.WriteFile(path, []byte("a {}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		equal(t, "kept", get(t, "http://"+addr+"/kept"+path), "a {}")
	}
	last := filepath.Join(t.TempDir(), "last")
	get(t, "http://"+addr+"/open?name="+url.QueryEscape(last))
	var have []wire.Message
	for m := (wire.Message{}); m.Path != last; {
		select {
		case m = <-p.opened:
			if m.Path == path {
				have = append(have, m)
			}
		case <-time.After(suite.Patience):
			t.Fatal(have)
		}
	}
	equal(t, "told", have, []wire.Message{{Kind: wire.Opened, Path: path}, {Kind: wire.Opened, Path: path, Kept: true}})
}

// What the app writes itself is told before it is there, and what it reads is not.
func TestWrote(t *testing.T) {
	p := run(t, shared(t, "app"), nil, "127.0.0.1:0")
	addr := p.serving().Addr
	dir := t.TempDir()
	var want, have []string
	for _, how := range []string{"look", "WriteFile", "look", "Create", "append", "rename", "rename", "WriteFile", "look"} {
		path := filepath.Join(dir, how)
		if how == "look" {
			path = filepath.Join(dir, fmt.Sprint("look", len(want)))
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		} else if !slices.Contains(want, path) {
			want = append(want, path)
		}
		if answer := get(t, "http://"+addr+"/write?how="+how+"&name="+url.QueryEscape(path)); answer != "<nil>" {
			t.Fatalf("%s: %s", how, answer)
		}
	}
	last := filepath.Join(dir, "last")
	get(t, "http://"+addr+"/write?how=Create&name="+url.QueryEscape(last))
	for len(have) == 0 || have[len(have)-1] != last {
		select {
		case m := <-p.opened:
			if base := filepath.Base(m.Path); m.Kind == wire.Wrote && filepath.Dir(m.Path) == dir && !strings.HasPrefix(base, "new") {
				have = append(have, m.Path)
			}
		case <-time.After(suite.Patience):
			t.Fatalf("wrote %q, want %q", have, want)
		}
	}
	equal(t, "wrote", have, append(want, last))
}
