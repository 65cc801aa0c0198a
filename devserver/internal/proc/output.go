package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"

	"devrun/devserver/internal/fault"
)

// stream copies what the app writes to one of its outputs.
type stream struct {
	from *os.File
	to   io.Writer
	tail *tail // also told, or nil
	err  error // the write that failed
}

// copy returns at the end of the output, or at the read deadline with all that
// was written until then copied.
func (s *stream) copy() error {
	if s.tail != nil {
		defer s.tail.end()
	}
	buf := make([]byte, 32<<10) // half of what a pipe holds
	for {
		n, err := s.from.Read(buf)
		s.take(buf[:n])
		switch {
		case err == nil:
			continue
		case errors.Is(err, os.ErrDeadlineExceeded):
			drain(s.from, s.take)
		case err == io.EOF, errors.Is(err, os.ErrClosed), errors.Is(err, syscall.EIO):
			// EIO is how a pseudo terminal says that nobody has it open.
		default:
			return errors.Join(s.err, fmt.Errorf("read the output of the app: %w", err))
		}
		return s.err
	}
}

// take passes b on. After an error it goes on to take, and drops: the app
// must not wait for a reader that is gone.
func (s *stream) take(b []byte) {
	if len(b) == 0 {
		return
	}
	if s.tail != nil {
		s.tail.add(b)
	}
	if s.err != nil {
		return
	}
	if _, err := s.to.Write(b); err != nil {
		s.err = fmt.Errorf("pass on the output of the app: %w", err)
	}
}

const (
	// tailLines is some screens of log.
	tailLines = 200

	// tailBytes has room for the crash report of an app with some hundred
	// goroutines.
	tailBytes = 256 << 10
)

// tail keeps the end of what is written. It may be read while that goes on.
type tail struct {
	lines int // at most of last; 0 is tailLines

	mu    sync.Mutex
	buf   []byte        // the last tailBytes or, as moving them costs time, twice that
	cut   bool          // buf does not begin with a line
	grown chan struct{} // closed with the next bytes; nil when nobody waits for them
	ended bool          // there are no next bytes
}

func (t *tail) add(b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if len(t.buf) > 2*tailBytes {
		t.trim()
	}
	t.wake()
}

func (t *tail) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	t.wake()
}

func (t *tail) wake() {
	if t.grown != nil {
		close(t.grown)
		t.grown = nil
	}
}

// Stderr returns the last lines that the app has written to stderr so far, oldest
// first and without their ends; 256 KB of them at least, if there are so many. A line
// that is unfinished is left out. more is closed when the app has written more, or will
// write nothing more; it is nil when that is known already.
func (p *Process) Stderr() (lines []string, more <-chan struct{}) { return p.tail.soFar() }

func (t *tail) soFar() (lines []string, more <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if end := bytes.LastIndexByte(t.buf, '\n'); end >= 0 {
		lines = t.split(t.buf[:end+1])
	}
	if t.ended {
		return lines, nil
	}
	if t.grown == nil {
		t.grown = make(chan struct{})
	}
	return lines, t.grown
}

// split returns the lines of b, which is not empty and begins as buf does, without
// their ends. A line whose beginning is lost is left out unless there is nothing else.
func (t *tail) split(b []byte) []string {
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	if t.cut && len(lines) > 1 {
		lines = lines[1:]
	}
	for i, line := range lines {
		lines[i] = strings.TrimSuffix(line, "\r")
	}
	return lines
}

func (t *tail) trim() {
	if drop := len(t.buf) - tailBytes; drop > 0 {
		t.cut = t.buf[drop-1] != '\n'
		t.buf = append(t.buf[:0], t.buf[drop:]...)
	}
}

// last returns the last lines, without their ends; if the app crashed, more,
// as far back as its report begins. The last line may be unfinished.
func (t *tail) last(crashed bool) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trim()
	if len(t.buf) == 0 {
		return nil
	}
	lines := t.split(t.buf)
	most := t.lines
	if most == 0 {
		most = tailLines
	}
	from := max(0, len(lines)-most)
	if crashed {
		for i := len(lines) - 1; i >= 0; i-- {
			if fault.Opens(lines, i) {
				from = min(from, i)
				break
			}
		}
	}
	return lines[from:]
}
