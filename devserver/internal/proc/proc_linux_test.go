package proc

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"devrun/devserver/internal/wire"
	"devrun/devserver/suite"
)

func TestStopDrains(t *testing.T) {
	a := start(t, nil, "drain", "2000")
	a.sees(t, "ready")
	if a.Stop(time.Minute) {
		t.Error("killed an app that was draining")
	}
	if e := a.ends(t); e.Code != 0 || e.Signal != "" || e.Ran < 2*time.Second {
		t.Errorf("ended with %+v", e)
	}
	a.sees(t, "drained")
}

func TestStopKillsAtTheEndOfGrace(t *testing.T) {
	const grace = 300 * time.Millisecond
	a := start(t, nil, "stubborn")
	a.sees(t, "ready")
	begun := time.Now()
	if !a.Stop(grace) {
		t.Error("not killed")
	}
	if took := time.Since(begun); took < grace {
		t.Errorf("killed after %v of a grace of %v", took, grace)
	}
	mustBeGone(t, a.Pid())
	if e := a.ends(t); e.Signal != "killed" || e.Code != -1 || e.Pid != a.Pid() {
		t.Errorf("ended with %+v", e)
	}
	a.sees(t, "heard terminated")
}

func TestStopIsCutShort(t *testing.T) {
	for name, second := range map[string]func(*app){
		"kill":         func(a *app) { a.Kill() },
		"shorter stop": func(a *app) { a.Stop(10 * time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			a := start(t, nil, "stubborn")
			a.sees(t, "ready")
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					if !a.Stop(time.Hour) {
						t.Error("the first stop does not know of the kill")
					}
				})
			}
			a.sees(t, "heard terminated")
			second(a)
			wg.Wait()
			if n := strings.Count(a.out.String(), "heard"); n != 1 {
				t.Errorf("asked %d times to end", n)
			}
			if !a.Stop(time.Hour) {
				t.Error("a later stop does not know of the kill")
			}
		})
	}
}

func TestStopIsSafeToCallAtAnyTime(t *testing.T) {
	for i := range 30 {
		a := start(t, nil, "exit", "0")
		var wg sync.WaitGroup
		wg.Go(func() { a.Stop(time.Duration(i) * time.Millisecond) })
		wg.Go(func() { a.Kill() })
		wg.Go(func() {
			if err := a.Resize(1, 1); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() { a.ReadsStdin() })
		wg.Wait()
		a.ends(t)
	}
}

func TestStopContinuesWhatIsStopped(t *testing.T) {
	a := start(t, nil, "frozen")
	suite.Until(t, "the app is stopped", func() error {
		if p, _ := lookUp(a.Pid()); p.state != 'T' {
			return errors.New("state " + string(p.state))
		}
		return nil
	})
	if a.Stop(time.Minute) {
		t.Error("killed")
	}
	if e := a.ends(t); e.Signal != "terminated" {
		t.Errorf("ended with %v", e)
	}
}

func TestExit(t *testing.T) {
	for _, code := range []int{0, 3} {
		a := start(t, nil, "exit", strconv.Itoa(code))
		if e := a.ends(t); e.Code != code || e.Signal != "" || e.MaxRSS < 1<<20 || e.Ran <= 0 {
			t.Errorf("exit %d: got %+v", code, e)
		}
		if a.Stop(time.Hour) {
			t.Error("says that it killed an app that had ended")
		}
	}
	a := start(t, nil, "suicide")
	if e := a.ends(t); e.Code != -1 || e.Signal != "killed" {
		t.Errorf("got %+v", e)
	}
}

func TestCrashLeavesItsReport(t *testing.T) {
	for role, begins := range map[string]string{"panic": "panic: the last word", "abort": "SIGABRT: abort"} {
		a := start(t, func(c *Command) {
			c.Env = append(os.Environ(), "GOTRACEBACK=all")
			c.Tail = 20
		}, role, "100")
		e := a.ends(t)
		if e.Code != 2 || len(e.Stderr) == 0 || e.Stderr[0] != begins {
			t.Fatalf("%s: ended with %+v", role, e)
		}
		text := strings.Join(e.Stderr, "\n")
		if n := strings.Count(text, "\ngoroutine "); n < 101 {
			t.Errorf("%s: the report has %d goroutines", role, n)
		}
		if text+"\n" != a.err.String() {
			t.Errorf("%s: the report is not what was copied", role)
		}
	}
}

func TestEnvironmentArgumentsDirectory(t *testing.T) {
	dir := t.TempDir()
	a := start(t, func(c *Command) {
		c.Path, c.Args = "/bin/sh", []string{"-c", `echo "$0 $1 $A $(pwd) $DEVRUN_FD"`, "name", "a b"}
		c.Env = []string{"A=first", "DEVRUN_FD=77", "A=last", "PATH=" + os.Getenv("PATH")}
		c.Dir = dir
	}, "")
	a.ends(t)
	if got, want := a.out.String(), "name a b last "+dir+" 3\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestStartErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct {
		Command
		want string
	}{
		"missing":        {Command{Path: filepath.Join(dir, "none")}, "no such file"},
		"not executable": {Command{Path: write("plain", "x", 0o644)}, "not executable"},
		"directory":      {Command{Path: dir}, "is a directory"},
		"not a program":  {Command{Path: write("text", "x", 0o755)}, "not a program for linux/"},
		"no interpreter": {Command{Path: write("script", "#!/none\n", 0o755)}, "interpreter"},
		"no directory":   {Command{Path: "/bin/true", Dir: filepath.Join(dir, "gone")}, "its directory " + dir},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Start(c.Command)
			if err == nil {
				p.Kill()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %q, want %q in it", err, c.want)
			}
		})
	}
}

func TestMessages(t *testing.T) {
	a := start(t, nil, "hook", "say")
	if m := <-a.main.Messages(); m.Kind != wire.Hello || m.Go != "go1" {
		t.Errorf("first %+v", m)
	}
	if m := <-a.main.Messages(); m.Kind != wire.Listening || m.Addr != "127.0.0.1:1" {
		t.Errorf("second %+v", m)
	}
	a.sees(t, "ready")
	select {
	case m, ok := <-a.main.Messages():
		t.Errorf("got %v, %v from a living app that says nothing", m, ok)
	default:
	}
	a.Kill()
	if m, ok := <-a.main.Messages(); ok {
		t.Errorf("got %v from an app that is gone", m)
	}
	if err := a.Err(); err != nil {
		t.Error(err)
	}
}

func TestSend(t *testing.T) {
	a := start(t, nil, "hook", "heed")
	for _, id := range []string{"1", "2"} {
		if err := a.main.Send(wire.Message{Kind: wire.Release, ID: id}); err != nil {
			t.Error(err)
		}
		a.sees(t, "told release "+id)
	}
	// It reads no more: that is an error in the end, and none that lasts.
	a.sees(t, "ready")
	suite.Until(t, "the channel is full", func() error {
		err := a.main.Send(wire.Message{Kind: wire.Release, ID: strings.Repeat("x", 100_000)})
		if err == nil {
			return errors.New("what nobody reads was sent")
		}
		return nil
	})
	a.Kill()
	a.ends(t)
	if err := a.main.Send(wire.Message{Kind: wire.Release}); err == nil {
		t.Error("an app that is gone was told")
	}
}

func TestMessagesOfAMadApp(t *testing.T) {
	for how, want := range map[string]struct {
		err string
		n   int
	}{
		"babble": {"not a message", 0},
		"repeat": {"at once", backlog},
	} {
		t.Run(how, func(t *testing.T) {
			a := start(t, nil, "hook", how)
			a.sees(t, "ready") // the app was not made to wait
			n := 0
			for range a.main.Messages() {
				n++
			}
			if n != want.n {
				t.Errorf("%d messages, want %d", n, want.n)
			}
			if err := a.Err(); err == nil || !strings.Contains(err.Error(), want.err) {
				t.Errorf("got %v, want %q", err, want.err)
			}
			mustLive(t, a.Pid())
		})
	}
}

func TestCycleLeavesNothing(t *testing.T) {
	count := func() (files, zombies int) {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		all, err := processes()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range all {
			if p.parent == os.Getpid() && p.state == 'Z' {
				zombies++
			}
		}
		return len(fds), zombies
	}
	cycle := func(tty bool) {
		p, err := Start(Command{Path: "/bin/sleep", Args: []string{"300"}, StdinTTY: tty, StdoutTTY: tty, StderrTTY: tty})
		if err != nil {
			t.Error(err)
			return
		}
		if p.Stop(time.Minute) {
			t.Error("killed")
		}
		<-p.Exited()
		if _, err := Start(Command{Path: "/none", StdinTTY: tty, StdoutTTY: tty, StderrTTY: tty}); err == nil {
			t.Error("started what is not there")
		}
	}
	cycle(true)
	files, zombies := count()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 50 {
				cycle(i%2 == 0)
			}
		})
	}
	wg.Wait()
	if f, z := count(); f > files || z > zombies {
		t.Errorf("files: %d, then %d; zombies: %d, then %d", files, f, zombies, z)
	}
}

func TestAppDiesWithDevrun(t *testing.T) {
	parent := role("parent")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	defer parent.Wait()
	defer parent.Process.Kill()
	line := make([]byte, 20)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	child := pids(t, string(line[:n]))[0]
	mustLive(t, child)
	if err := parent.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	suite.Until(t, "the child is dead", func() error {
		if p, ok := lookUp(child); ok && !p.dead() {
			return errors.New(p.String() + " is alive")
		}
		return nil
	})
}

// The waits of other parts of devrun for their own children stay theirs.
func TestOtherChildrenAreLeftAlone(t *testing.T) {
	for _, attr := range []*syscall.SysProcAttr{nil, {Setpgid: true}} {
		c := exec.Command("sh", "-c", "exit 7")
		c.SysProcAttr = attr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		suite.Until(t, "the process has ended", func() error {
			if p, _ := lookUp(c.Process.Pid); p.state != 'Z' {
				return errors.New("not ended")
			}
			return nil
		})
		live := exec.Command("sleep", "300")
		live.SysProcAttr = attr
		if err := live.Start(); err != nil {
			t.Fatal(err)
		}
		a := start(t, nil, "family", "ends")
		a.ends(t)
		mustLive(t, live.Process.Pid)
		if err := live.Process.Kill(); err != nil {
			t.Error(err)
		}
		live.Wait()
		c.Wait()
		if got := c.ProcessState.ExitCode(); got != 7 {
			t.Errorf("exit status %d", got)
		}
	}
}
