package proc

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"devrun/devserver/internal/fault"
	"devrun/devserver/suite"
)

// app is a started process and what it wrote.
type app struct {
	*Process
	out, err buffer
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start starts a role; c may be changed by with. It is killed with the test.
func start(t *testing.T, with func(*Command), name string, args ...string) *app {
	t.Helper()
	a := &app{}
	r := role(name, args...)
	c := Command{Path: r.Path, Args: r.Args[1:], Stdout: &a.out, Stderr: &a.err}
	if with != nil {
		with(&c)
	}
	p, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	a.Process = p
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("stdout: %.2000s\nstderr: %.2000s", a.out.String(), a.err.String())
		}
		<-p.exit
	})
	return a
}

// sees waits until the app has written a line that begins with prefix to
// stdout, and returns what follows it.
func (a *app) sees(t *testing.T, prefix string) (rest string) {
	t.Helper()
	suite.Until(t, "the app prints the line", func() error {
		for line := range strings.Lines(a.out.String()) {
			line, whole := strings.CutSuffix(line, "\n")
			after, ok := strings.CutPrefix(line, prefix)
			if ok && whole {
				rest = strings.TrimSpace(after)
				return nil
			}
		}
		return fmt.Errorf("no line %q in %.500q", prefix, a.out.String())
	})
	return rest
}

// ends waits until the app has ended.
func (a *app) ends(t *testing.T) fault.Exit {
	t.Helper()
	select {
	case e := <-a.Exited():
		a.exit <- e // for the clean-up
		return e
	case <-time.After(suite.Patience):
		t.Fatal("the app does not end")
		panic("unreachable")
	}
}

func pids(t *testing.T, s string) (ids []int) {
	t.Helper()
	for _, f := range strings.Fields(s) {
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, n)
	}
	return ids
}

func mustBeGone(t *testing.T, ids ...int) {
	t.Helper()
	for _, pid := range ids {
		if p, ok := lookUp(pid); ok && !p.dead() {
			t.Errorf("%v is still alive, state %c", p, p.state)
		}
	}
}

func mustLive(t *testing.T, ids ...int) {
	t.Helper()
	for _, pid := range ids {
		if p, ok := lookUp(pid); !ok || p.dead() {
			t.Errorf("pid %d is not alive", pid)
		}
	}
}
