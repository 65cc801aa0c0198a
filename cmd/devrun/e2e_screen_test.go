//go:build linux

package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// screen is a terminal of a person's with devrun on it. What is on the screen
// is in the rig's stderr, so that all that looks for what devrun says looks
// there.
type screen struct {
	*rig
	master, tty *os.File
	raw         output // every byte that was written to it
	modes       unix.Termios
}

// newScreen makes a terminal that understands links. Nothing runs on it yet.
func newScreen(t *testing.T, env ...string) *screen {
	t.Helper()
	blocking, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	// A file that blocks cannot be closed while it is read.
	fd, err := unix.FcntlInt(blocking.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	blocking.Close()
	master := os.NewFile(uintptr(fd), "terminal")
	s := &screen{rig: newRig(t, "notify"), master: master, tty: tty}
	s.size(50, 200)
	s.modes = s.mode()
	s.env = append(s.env, "TERM=xterm-256color", "TERM_PROGRAM=WezTerm", "TMUX=", "STY=")
	s.env = append(s.env, env...)
	read := make(chan struct{})
	go func() {
		defer close(read)
		buf := make([]byte, 32<<10)
		for {
			n, err := master.Read(buf)
			s.raw.Write(buf[:n])
			text := shown(s.raw.String())
			s.stderr.mu.Lock()
			s.stderr.b.Reset()
			s.stderr.b.WriteString(text)
			s.stderr.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		tty.Close()
		select {
		case <-read:
		case <-time.After(20 * time.Second):
			t.Error("a process still has the terminal open")
		}
		master.Close()
	})
	s.change = func(c *exec.Cmd) {
		c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	}
	return s
}

func (s *screen) start(args ...string) *screen { s.t.Helper(); s.rig.start(args...); return s }

func (s *screen) types(text string) {
	s.t.Helper()
	if _, err := s.master.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

func (s *screen) size(rows, cols uint16) {
	s.t.Helper()
	if err := pty.Setsize(s.tty, &pty.Winsize{Rows: rows, Cols: cols}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *screen) mode() unix.Termios {
	s.t.Helper()
	mode, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return *mode
}

// left waits for devrun's end and shows that the terminal is as it was before,
// and that what comes next is at the start of a line.
func (s *screen) left(status int) {
	s.t.Helper()
	if code := s.exit(); code != status {
		s.t.Errorf("exit status %d, want %d", code, status)
	}
	if now := s.mode(); now != s.modes {
		s.t.Errorf("the terminal's modes are\n%+v\nbefore\n%+v", now, s.modes)
	}
	// What is written now comes after all that devrun wrote.
	s.tty.WriteString("$ prompt")
	s.says(`^\$ prompt$`)
}

// shown is the text that is on a screen without end after raw was written to
// it. Looks and links are left out; an escape of another kind stays.
func shown(raw string) string {
	rows, row, col := [][]rune{nil}, 0, 0
	for raw != "" {
		if m := escape.FindStringSubmatch(raw); m != nil {
			raw = raw[len(m[0]):]
			switch m[1] {
			case "[1A":
				row = max(row-1, 0)
			case "[2K":
				rows[row] = nil
			}
			continue
		}
		c, n := utf8.DecodeRuneInString(raw)
		raw = raw[n:]
		switch c {
		case '\r':
			col = 0
		case '\n':
			if row++; row == len(rows) {
				rows = append(rows, nil)
			}
		default:
			for len(rows[row]) <= col {
				rows[row] = append(rows[row], ' ')
			}
			rows[row][col] = c
			col++
		}
	}
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = string(r)
	}
	return strings.Join(lines, "\n")
}

// escape are the sequences that devrun may use.
var escape = regexp.MustCompile(`^\x1b(\[1A|\[2K|\[[0-9;]*m|\]8;;[^\x1b]*\x1b\\)`)
