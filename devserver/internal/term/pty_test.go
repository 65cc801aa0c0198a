//go:build linux || darwin

package term

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/creack/pty"

	"devrun/devserver/suite"
)

// screen is the far side of a terminal: what a person would see arrive.
type screen struct {
	master, tty *os.File

	mu   sync.Mutex
	seen bytes.Buffer
	done chan struct{}
}

// openScreen returns a terminal of a width, in an environment that says nothing
// about colours and links but what env adds.
func openScreen(t *testing.T, cols int, env ...string) *screen {
	t.Helper()
	for _, name := range []string{"NO_COLOR", "TMUX", "STY", "TERM_PROGRAM", "VTE_VERSION", "WT_SESSION", "KONSOLE_VERSION", "DOMTERM"} {
		t.Setenv(name, "")
	}
	t.Setenv("TERM", "xterm-256color")
	for i := 0; i+1 < len(env); i += 2 {
		t.Setenv(env[i], env[i+1])
	}
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	s := &screen{master: master, tty: tty, done: make(chan struct{})}
	s.resize(t, cols)
	go func() {
		defer close(s.done)
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			s.mu.Lock()
			s.seen.Write(buf[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		tty.Close()
		<-s.done
		master.Close()
	})
	return s
}

func (s *screen) resize(t *testing.T, cols int) {
	t.Helper()
	if err := pty.Setsize(s.master, &pty.Winsize{Rows: 24, Cols: uint16(cols)}); err != nil {
		t.Fatal(err)
	}
}

// text is all that arrived, with the line ends of a file.
func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.ReplaceAll(s.seen.String(), "\r\n", "\n")
}

// end closes the terminal and returns all that was written to it.
func (s *screen) end() string {
	s.tty.Close()
	<-s.done
	return s.text()
}

func (s *screen) terminal(o Options) *Terminal {
	o.Out, o.Err, o.In = s.tty, s.tty, s.tty
	return New(o)
}

func (s *screen) eventuallyShows(t *testing.T, want string) {
	t.Helper()
	suite.Until(t, "the screen's text", func() error {
		if got := s.text(); got != want {
			return fmt.Errorf("the screen shows %q, want %q", got, want)
		}
		return nil
	})
}

var looks = strings.NewReplacer(
	"\x1b[2m", "<dim>", "\x1b[1m", "<bold>", "\x1b[31m", "<red>", "\x1b[33m", "<yellow>",
	"\x1b[31;1m", "<red bold>", "\x1b[33;1m", "<yellow bold>", "\x1b[32;1m", "<green bold>", "\x1b[36;1m", "<cyan bold>",
	"\x1b[4m", "<line>", "\x1b[1;4m", "<bold line>",
	"\x1b[22m", "</>", "\x1b[0m", "</>", "\x1b[0;22m", "</>", "\x1b[24m", "</>", "\x1b[22;24m", "</>",
)

var linkStart = regexp.MustCompile("\x1b\\]8;;([^\x1b]*)\x1b\\\\")

// tagged writes the looks of a text as words.
func tagged(s string) string {
	return linkStart.ReplaceAllString(looks.Replace(s), "{$1}")
}
