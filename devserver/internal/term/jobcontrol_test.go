//go:build linux || darwin

package term

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	xterm "golang.org/x/term"

	"devrun/devserver/suite"
)

// roleEnv makes the test binary play a part in TestTheKeyboardIsLeftAlone….
const roleEnv = "TERM_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "shell":
		os.Exit(shell())
	case "job":
		os.Exit(job())
	}
	os.Exit(m.Run())
}

// shell starts a job in the background and brings it to the front when told so
// on descriptor 3.
func shell() int {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), roleEnv+"=job")
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		fmt.Println(err)
		return 1
	}
	if _, err := io.ReadAll(os.NewFile(3, "pipe")); err != nil {
		fmt.Println(err)
		return 1
	}
	if err := unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, c.Process.Pid); err != nil {
		fmt.Println(err)
		return 1
	}
	if err := c.Wait(); err != nil {
		return 1
	}
	return 0
}

// job shows the first key that is pressed.
func job() int {
	t := New(Options{Out: os.Stdout, Err: os.Stderr, In: os.Stdin})
	keys := t.Keys()
	fmt.Println("ready")
	fmt.Printf("key %c\n", <-keys)
	if err := t.Close(); err != nil {
		return 1
	}
	return 0
}

func TestTheKeyboardIsLeftAloneInTheBackground(t *testing.T) {
	s := openScreen(t, 80)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), roleEnv+"=shell")
	c.Stdin, c.Stdout, c.Stderr = s.tty, s.tty, s.tty
	c.ExtraFiles = []*os.File{r}
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	t.Cleanup(func() {
		if err := syscall.Kill(-c.Process.Pid, syscall.SIGKILL); err == nil {
			c.Wait()
		}
	})
	s.eventuallyShows(t, "ready\n")
	if !echoes(t, s.tty) {
		t.Error("a process in the background changed the terminal")
	}
	w.Close()
	suite.Until(t, "the keyboard is taken", func() error {
		if echoes(t, s.tty) {
			return fmt.Errorf("the keyboard is not taken in the foreground")
		}
		return nil
	})
	if _, err := s.master.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("%v, it said %q", err, s.text())
	}
	s.eventuallyShows(t, "ready\nkey x\n")
}

func TestTheKeyboardIsTakenAgainAfterAStop(t *testing.T) {
	s := openScreen(t, 80)
	cooked, err := xterm.GetState(int(s.tty.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	term := s.terminal(Options{})
	defer term.Close()
	term.Keys()
	if echoes(t, s.tty) {
		t.Fatal("the keyboard was not taken")
	}
	if err := xterm.Restore(int(s.tty.Fd()), cooked); err != nil { // as the shell does
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	suite.Until(t, "the keyboard is taken again", func() error {
		if echoes(t, s.tty) {
			return fmt.Errorf("the keyboard is not taken again")
		}
		return nil
	})
}

func echoes(t *testing.T, tty *os.File) bool {
	t.Helper()
	mode, err := unix.IoctlGetTermios(int(tty.Fd()), getTermios)
	if err != nil {
		t.Fatal(err)
	}
	return mode.Lflag&unix.ECHO != 0
}
