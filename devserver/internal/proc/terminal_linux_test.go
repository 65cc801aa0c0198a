package proc

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"devrun/devserver/suite"
)

func TestTerminals(t *testing.T) {
	for i := range 8 {
		in, out, err := i&1 != 0, i&2 != 0, i&4 != 0
		a := start(t, func(c *Command) { c.StdinTTY, c.StdoutTTY, c.StderrTTY = in, out, err }, "tty")
		a.ends(t)
		control := "no"
		if in {
			control = "yes"
		}
		if got, want := a.out.String(), fmt.Sprintln("tty", in, out, err, control); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTerminalsKeepBytesAndStreamsApart(t *testing.T) {
	const n = 2_000 // lines of 1000 bytes
	a := start(t, func(c *Command) { c.StdinTTY, c.StdoutTTY, c.StderrTTY = true, true, true }, "flood", fmt.Sprint(n))
	a.ends(t)
	mustBeLines(t, a.out.String(), n)
	mustBeLines(t, a.err.String(), n)
}

func TestSize(t *testing.T) {
	for _, in := range []bool{true, false} {
		a := start(t, func(c *Command) {
			c.StdinTTY, c.StdoutTTY, c.StderrTTY = in, true, true
			c.Size = func() (uint16, uint16) { return 33, 101 }
		}, "size")
		a.sees(t, "size1 33x101")
		a.sees(t, "size2 33x101")
		if err := a.Resize(20, 60); err != nil {
			t.Fatal(err)
		}
		a.sees(t, "size1 20x60")
		a.sees(t, "size2 20x60")
	}
}

func TestInput(t *testing.T) {
	for _, out := range []bool{true, false} {
		a := start(t, func(c *Command) { c.StdinTTY, c.StdoutTTY = true, out }, "tell")
		a.sees(t, "ready")
		suite.Until(t, "the app is seen to read", func() error {
			if !a.ReadsStdin() {
				return fmt.Errorf("it reads, and is not seen to")
			}
			return nil
		})
		if _, err := a.Input().Write([]byte("hello\r")); err != nil {
			t.Fatal(err)
		}
		a.sees(t, "told hello")
		if out && !strings.Contains(a.out.String(), "\nhello\ntold") {
			t.Errorf("no echo in %q", a.out.String())
		}
		if a.ReadsStdin() {
			t.Error("seen to read, when it does not")
		}
		a.Kill()
		a.ends(t)
		if _, err := a.Input().Write([]byte("late")); err == nil {
			t.Error("a dead app takes input")
		}
	}
	a := start(t, nil, "block")
	if _, err := a.Input().Write([]byte("x")); err == nil {
		t.Error("an app without a terminal takes input")
	}
}

func TestStdinIsInherited(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	a := start(t, func(c *Command) { c.Stdin = r }, "cat")
	suite.Until(t, "the app is seen to read", func() error {
		if !a.ReadsStdin() {
			return fmt.Errorf("it reads, and is not seen to")
		}
		return nil
	})
	if _, err := w.WriteString("through\n"); err != nil {
		t.Fatal(err)
	}
	a.sees(t, "through")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if e := a.ends(t); e.Code != 0 {
		t.Errorf("ended with %v", e)
	}
}

func TestStdinIsEmptyByDefault(t *testing.T) {
	a := start(t, nil, "cat")
	if e := a.ends(t); e.Code != 0 || a.out.String() != "" {
		t.Errorf("ended with %v after %q", e, a.out.String())
	}
}
