//go:build linux || darwin

package term

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/creack/pty"
	xterm "golang.org/x/term"

	"devrun/devserver/suite"
)

func TestALineOfDevrunStartsAFreshLine(t *testing.T) {
	do := func(t *Terminal) {
		fmt.Fprint(t.App(Stdout), "half a line")
		t.Notice("one")
		fmt.Fprint(t.App(Stderr), "50%\r")
		t.Notice("two")
		fmt.Fprint(t.App(Stdout), "whole\n")
		t.Notice("three")
	}
	const want = "half a line\ndevrun: one\n50%\r\ndevrun: two\nwhole\ndevrun: three\n"
	if got := inFile(t, Options{}, do); got != want {
		t.Errorf("in a file: %q, want %q", got, want)
	}
	s := openScreen(t, 80)
	do(s.terminal(Options{NoColor: true}))
	if got := s.end(); got != want {
		t.Errorf("on a terminal: %q, want %q", got, want)
	}
}

func TestStdoutIsTheAppsAlone(t *testing.T) {
	s := openScreen(t, 80)
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	term := New(Options{Out: out, Err: s.tty, NoColor: true})
	if term.IsTerminal(Stdout) || !term.IsTerminal(Stderr) {
		t.Error("a file is no terminal, a terminal is")
	}
	const raw = "\x1b[2J\x1b]0;t\a half"
	fmt.Fprint(term.App(Stdout), raw)
	term.Notice("one") // the file's unfinished line is not on this terminal
	fmt.Fprint(term.App(Stderr), "\x1b[2J half")
	term.Notice("two")
	if got, want := s.end(), "devrun: one\n^[[2J half\ndevrun: two\n"; got != want {
		t.Errorf("stderr got %q, want %q", got, want)
	}
	b, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != raw {
		t.Errorf("stdout got %q, want %q", b, raw)
	}
}

func TestAColourOfTheAppDoesNotReachDevrun(t *testing.T) {
	s := openScreen(t, 80)
	term := s.terminal(Options{NoColor: true})
	fmt.Fprint(term.App(Stdout), "\x1b[31mred\n")
	term.Notice("one")
	term.Notice("two")
	if got, want := s.end(), "\x1b[31mred\n\x1b[0mdevrun: one\ndevrun: two\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhatIsHeldComesOutAtTheEnd(t *testing.T) {
	s := openScreen(t, 80)
	term := s.terminal(Options{NoColor: true})
	w := term.App(Stdout)
	if _, err := io.WriteString(w, "a\x1b[3"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	term.Notice("one")
	if got, want := s.end(), "a^[[3\ndevrun: one\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Two streams of the app and devrun write at once: every line arrives whole.
func TestLinesStayWhole(t *testing.T) {
	const each = 200
	got := inFile(t, Options{}, func(term *Terminal) {
		var wg sync.WaitGroup
		for _, s := range []Stream{Stdout, Stderr} {
			w := term.App(s)
			wg.Go(func() {
				for range each {
					fmt.Fprintf(w, "app %d says something\n", s)
				}
			})
		}
		wg.Go(func() {
			for range each {
				term.Notice("says something")
			}
		})
		wg.Wait()
	})
	count := map[string]int{}
	for line := range strings.Lines(got) {
		count[line]++
	}
	for _, line := range []string{"app 0 says something\n", "app 1 says something\n", "devrun: says something\n"} {
		if count[line] != each {
			t.Errorf("%q came %d times whole, want %d", line, count[line], each)
		}
	}
}

func TestAWriterTellsWhenTheTerminalIsGone(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	term := New(Options{Out: w, Err: w})
	r.Close()
	if _, err := fmt.Fprintln(term.App(Stdout), "hello"); err == nil {
		t.Error("no error")
	}
}

func TestSizeFollowsTheWindow(t *testing.T) {
	s := openScreen(t, 80)
	term := s.terminal(Options{})
	s.resize(t, 120)
	if cols, rows, ok := term.Size(); cols != 120 || rows != 24 || !ok {
		t.Errorf("size %d x %d, %v", cols, rows, ok)
	}
	inFile(t, Options{}, func(term *Terminal) {
		if _, _, ok := term.Size(); ok {
			t.Error("a file has a size")
		}
	})
}

func TestKeysComeAtOnceAndTheTerminalIsGivenBack(t *testing.T) {
	s := openScreen(t, 80)
	before, err := xterm.GetState(int(s.tty.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	term := s.terminal(Options{NoColor: true})
	keys := term.Keys()
	if keys == nil {
		t.Fatal("no keys on a terminal")
	}
	if _, err := s.master.WriteString("r?é"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []byte("r?é") {
		if got := <-keys; got != Key(want) {
			t.Errorf("key %q, want %q", got, want)
		}
	}
	term.Stopping(true)
	if err := term.Close(); err != nil {
		t.Fatal(err)
	}
	if _, open := <-keys; open {
		t.Error("a key after Close")
	}
	after, err := xterm.GetState(int(s.tty.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if *before != *after {
		t.Errorf("the terminal was %+v and is %+v", before, after)
	}
	if err := term.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if got, want := s.end(), "devrun: stopping\n"; got != want {
		t.Errorf("the screen shows %q, want %q: keys are not echoed", got, want)
	}
}

func TestCloseDoesNotWaitForWhoeverTakesTheKeys(t *testing.T) {
	s := openScreen(t, 80)
	term := s.terminal(Options{})
	keys := term.Keys()
	if _, err := s.master.WriteString(strings.Repeat("r", 2*cap(keys))); err != nil {
		t.Fatal(err)
	}
	suite.Until(t, "the keys wait", func() error {
		if n := len(keys); n < cap(keys) {
			return fmt.Errorf("%d keys wait", n)
		}
		return nil
	})
	if err := term.Close(); err != nil {
		t.Error(err)
	}
}

func TestKeysEndWhenTheTerminalHangsUp(t *testing.T) {
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	term := New(Options{Out: tty, Err: tty, In: tty})
	keys := term.Keys()
	if err := master.Close(); err != nil {
		t.Fatal(err)
	}
	for range keys {
	}
	if err := term.Close(); err != nil {
		t.Error(err)
	}
}

func TestNoKeysWithoutATerminal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if New(Options{Out: w, Err: w, In: r}).Keys() != nil {
		t.Error("keys from a pipe")
	}
}

func TestTheInterruptsEchoGetsItsOwnLine(t *testing.T) {
	s := openScreen(t, 80)
	term := s.terminal(Options{NoColor: true})
	if _, err := s.master.Write([]byte{3}); err != nil {
		t.Fatal(err)
	}
	s.eventuallyShows(t, "^C")
	term.Stopping(true)
	if got, want := s.end(), "^C\ndevrun: stopping\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCloseLeavesACleanLine(t *testing.T) {
	s := openScreen(t, 80)
	term := s.terminal(Options{NoColor: true})
	fmt.Fprint(term.App(Stdout), "\x1b[31mhalf")
	if err := term.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := s.end(), "\x1b[31mhalf\x1b[0m\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
