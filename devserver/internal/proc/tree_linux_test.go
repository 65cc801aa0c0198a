package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"devrun/devserver/suite"
)

func TestTreeEndsWithStop(t *testing.T) {
	a := start(t, nil, "family", "stays")
	family := pids(t, a.sees(t, "family"))
	mustLive(t, family...)
	if !a.Stop(200 * time.Millisecond) {
		t.Error("two of them ignore SIGTERM, and yet nothing was killed")
	}
	mustBeGone(t, append(family, a.Pid())...)
	mustBeReaped(t, family[2])
}

func TestTreeEndsWithTheApp(t *testing.T) {
	a := start(t, nil, "family", "ends")
	family := pids(t, a.sees(t, "family"))
	e := a.ends(t)
	if e.Code != 0 {
		t.Errorf("ended with %v", e)
	}
	mustBeGone(t, family...)
	mustBeReaped(t, family...)
	if err := a.Err(); err != nil {
		t.Error(err)
	}
}

// Each app has its own tree, also where only the mark tells orphans apart.
func TestTreesAreApart(t *testing.T) {
	a, b := start(t, nil, "family", "stays"), start(t, nil, "family", "stays")
	ofA, ofB := pids(t, a.sees(t, "family")), pids(t, b.sees(t, "family"))
	a.Kill()
	mustBeGone(t, ofA...)
	mustLive(t, append(ofB, b.Pid())...)
}

func TestStopAsksTheWholeTree(t *testing.T) {
	a := start(t, func(c *Command) {
		// A shell does not pass signals on, and waits for its child.
		c.Path, c.Args = "/bin/sh", []string{"-c", `trap 'wait; exit 5' TERM; "$0" role drain 100 & wait`, must1(os.Executable())}
	}, "")
	a.sees(t, "ready")
	if a.Stop(time.Minute) {
		t.Error("killed")
	}
	a.sees(t, "drained")
	if e := a.ends(t); e.Code != 5 {
		t.Errorf("ended with %v", e)
	}
}

func TestStopOutrunsBreeding(t *testing.T) {
	a := start(t, nil, "breed")
	a.sees(t, "ready")
	if !a.Stop(100 * time.Millisecond) {
		t.Error("not killed")
	}
	mark := a.tree.mark
	all, err := processes()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.pid))
		if err == nil && strings.Contains(string(env), strings.Trim(string(mark), "\x00")) {
			t.Errorf("%v is left", p)
		}
	}
}

// Orphans that end while the app runs do not pile up.
func TestOrphansAreReapedMeanwhile(t *testing.T) {
	a := start(t, func(c *Command) {
		c.Path, c.Args = "/bin/sh", []string{"-c", `sh -c 'sleep 0.2 & echo orphan $!'; echo ready; read x`}
		c.StdinTTY = true
		c.StdoutTTY = true
	}, "")
	orphan := pids(t, a.sees(t, "orphan"))[0]
	suite.Until(t, "the orphan is gone", func() error {
		if p, ok := lookUp(orphan); ok {
			return fmt.Errorf("%v is there, state %c", p, p.state)
		}
		return nil
	})
	mustLive(t, a.Pid())
}

// A build that is killed as a group leaves compilers that nobody waits for.
func TestOrphansOfAKilledBuildAreReaped(t *testing.T) {
	if err := subreaper(); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("sh", "-c", "sleep 300 & echo $!; wait")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 20)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	child := pids(t, string(line[:n]))[0]
	if err := syscall.Kill(-c.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	c.Wait()
	suite.Until(t, "the child is dead", func() error {
		if p, ok := lookUp(child); ok && !p.dead() {
			return errors.New("alive")
		}
		return nil
	})
	a := start(t, nil, "exit", "0")
	a.ends(t)
	mustBeReaped(t, child)
}

// The output of a process that is of no tree is not waited for.
func TestOutputHeldByAStranger(t *testing.T) {
	a := start(t, nil, "launch", "unmarked", "block")
	a.ends(t)
	stranger := pids(t, a.out.String())[0]
	mustLive(t, stranger)
	if err := syscall.Kill(stranger, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

func TestSignalKnowsWhoItMeans(t *testing.T) {
	a := start(t, nil, "block")
	a.sees(t, "ready")
	p, ok := lookUp(a.Pid())
	if !ok {
		t.Fatal("not found")
	}
	p.start--
	p.signal(syscall.SIGKILL)
	if a.Stop(time.Minute) { // would be over already
		t.Error("killed")
	}
	if e := a.ends(t); e.Signal != "terminated" {
		t.Errorf("a process with another start was hit: %v", e)
	}
}

func TestParseStat(t *testing.T) {
	const rest = " S 1 2 3 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 12345 1 1 1\n"
	for text, name := range map[string]string{
		"77 (app)" + rest:             "app",
		"77 (a) R 5 6 (7\n)" + rest:   "a) R 5 6 (7\n",
		"77 ()" + rest:                "",
		"77 (app S 1 2 3":             "-",
		"77 (app) S 1 2 3":            "-",
		"x (app)" + rest:              "-",
		"":                            "-",
		"77 (app) S x 2 3" + rest[8:]: "-",
	} {
		p, ok := parseStat([]byte(text))
		if ok != (name != "-") {
			t.Errorf("%q: ok %v", text, ok)
			continue
		}
		want := process{pid: 77, parent: 1, group: 2, session: 3, name: name, state: 'S', threads: 9, start: 12345}
		if ok && p != want {
			t.Errorf("%q: %+v", text, p)
		}
	}
}

func TestHolder(t *testing.T) {
	a := start(t, nil, "listen")
	port := pids(t, a.sees(t, "port"))[0]
	pid, name, ok := Holder(port)
	if !ok || pid != a.Pid() || !strings.HasPrefix(name, "proc.test") {
		t.Errorf("got %d %q %v, want %d", pid, name, ok, a.Pid())
	}
	a.Kill()
	if pid, _, ok := Holder(port); ok {
		t.Errorf("pid %d holds a port that nobody holds", pid)
	}
}

func mustBeReaped(t *testing.T, ids ...int) {
	t.Helper()
	for _, pid := range ids {
		if p, ok := lookUp(pid); ok {
			t.Errorf("%v is there, state %c", p, p.state)
		}
	}
}
