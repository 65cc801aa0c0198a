//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"devrun/devserver/suite"
)

// Screen is a terminal of a person's with devrun on it. What is on the screen
// is in the rig's stderr, so that all that looks for what devrun says looks
// there.
type Screen struct {
	*Rig
	Master, TTY *os.File
	Written     Output // every byte that was written to it
	modes       unix.Termios
}

// NewScreen makes a terminal that understands links. Nothing runs on it yet.
func NewScreen(t *testing.T, env ...string) *Screen {
	t.Helper()
	return NewScreenOn(New(t, "notify"), env...)
}

// NewScreenOn is NewScreen for a rig that has not been started.
func NewScreenOn(r *Rig, env ...string) *Screen {
	t := r.T
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
	s := &Screen{Rig: r, Master: master, TTY: tty}
	s.Size(50, 200)
	s.modes = s.Mode()
	s.Env = append(s.Env, "TERM=xterm-256color", "TERM_PROGRAM=WezTerm", "TMUX=", "STY=")
	s.Env = append(s.Env, env...)
	read := make(chan struct{})
	go func() {
		defer close(read)
		buf := make([]byte, 32<<10)
		for {
			n, err := master.Read(buf)
			s.Written.Write(buf[:n])
			text := shown(s.Written.String())
			s.Stderr.mu.Lock()
			s.Stderr.b.Reset()
			s.Stderr.b.WriteString(text)
			s.Stderr.mu.Unlock()
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
	s.Change = func(c *exec.Cmd) {
		c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	}
	return s
}

// Start is [Rig.Start] on the terminal. What the screen shows comes later than the app's
// answer: the build is waited for, so that it counts among those before.
func (s *Screen) Start(args ...string) *Screen {
	s.T.Helper()
	s.Rig.Start(args...)
	suite.Until(s.T, "the build is on the screen", func() error {
		if s.Builds() == 0 {
			return errors.New(s.Stderr.String())
		}
		return nil
	})
	return s
}

// Types is what a person types; Enter is \r.
func (s *Screen) Types(text string) {
	s.T.Helper()
	if _, err := s.Master.WriteString(text); err != nil {
		s.T.Fatal(err)
	}
}

// Size gives the terminal another size.
func (s *Screen) Size(rows, cols uint16) {
	s.T.Helper()
	if err := pty.Setsize(s.TTY, &pty.Winsize{Rows: rows, Cols: cols}); err != nil {
		s.T.Fatal(err)
	}
}

// Mode returns how the terminal is set.
func (s *Screen) Mode() unix.Termios {
	s.T.Helper()
	mode, err := unix.IoctlGetTermios(int(s.TTY.Fd()), unix.TCGETS)
	if err != nil {
		s.T.Fatal(err)
	}
	return *mode
}

// Left waits for devrun's end and shows that the terminal is as it was before,
// and that what comes next is at the start of a line.
func (s *Screen) Left(status int) {
	s.T.Helper()
	if code := s.Exit(); code != status {
		s.T.Errorf("exit status %d, want %d", code, status)
	}
	if now := s.Mode(); now != s.modes {
		s.T.Errorf("the terminal's modes are\n%+v\nbefore\n%+v", now, s.modes)
	}
	// What is written now comes after all that devrun wrote.
	s.TTY.WriteString("$ prompt")
	s.Says(`^\$ prompt$`)
}

// ReadsStdin waits until a thread of the app is in read(2) on its stdin.
func (s *Screen) ReadsStdin(pid int) {
	s.T.Helper()
	suite.Until(s.T, "the app reads its stdin", func() error {
		calls, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
		if err != nil {
			return err
		}
		for _, c := range calls {
			if b, err := os.ReadFile(c); err == nil && strings.HasPrefix(string(b), fmt.Sprint(unix.SYS_READ)+" 0x0 ") {
				return nil
			}
		}
		return errors.New("no thread does")
	})
}

// NewPid waits until another process than pid answers.
func (s *Screen) NewPid(pid int) (now int) {
	s.T.Helper()
	Gone(s.T, pid)
	s.Served("v1")
	return s.AppPid()
}

// Shows waits until these lines are on the screen, one below the other.
func (s *Screen) Shows(lines string) {
	s.T.Helper()
	suite.Until(s.T, "the screen shows\n"+lines, func() error {
		if !strings.Contains(s.Stderr.String(), "\n"+lines) {
			return errors.New("not yet")
		}
		return nil
	})
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

// Looks waits for a line that matches where looks are written as words: <dim>
// to </>, and links as {address} to {}.
func (s *Screen) Looks(pattern string) {
	s.T.Helper()
	re := regexp.MustCompile(`(?m)` + pattern)
	suite.Until(s.T, "the terminal shows "+pattern, func() error {
		if text := tagged(s.Written.String()); !re.MatchString(text) {
			return errors.New(text)
		}
		return nil
	})
}

var (
	look     = regexp.MustCompile(`\x1b\[([0-9;]*)m`)
	linkMark = regexp.MustCompile(`\x1b\]8;;([^\x1b]*)\x1b\\`)
	lookName = map[string]string{"1": "bold", "2": "dim", "4": "line", "31": "red", "32": "green", "33": "yellow", "36": "cyan"}
)

func tagged(raw string) string {
	text := look.ReplaceAllStringFunc(raw, func(sgr string) string {
		var names []string
		for code := range strings.SplitSeq(look.FindStringSubmatch(sgr)[1], ";") {
			if name := lookName[code]; name != "" {
				names = append(names, name)
			}
		}
		if len(names) == 0 {
			return "</>"
		}
		return "<" + strings.Join(names, " ") + ">"
	})
	return strings.ReplaceAll(linkMark.ReplaceAllString(text, "{$1}"), "\r\n", "\n")
}
