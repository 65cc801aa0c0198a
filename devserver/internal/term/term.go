// Package term is the only writer to the terminal.
//
// It promises:
//   - What devrun says goes to stderr, a line at a time, and each line begins
//     with "devrun: "; what belongs to a line is indented below it.
//   - What the app says goes where the app sent it, byte for byte. Only on a
//     terminal, escapes that could rewrite the screen or change the terminal are
//     made visible; colours, tabs, carriage returns and backspaces pass.
//   - A line of devrun never lands in the middle of an unfinished line of the app.
//   - The words are the same with and without colour. They are an interface:
//     people search for them.
//   - Text that comes from outside (file names, messages of the compiler) cannot
//     control the terminal: its control characters are made visible.
//   - Close gives the terminal back as it was.
//
// A write to a terminal that is gone is not reported by the methods that say
// something: there is nobody left to tell. The app's writers do report it.
package term

import (
	"io"
	"os"
	"os/signal"
	"runtime"
	"sync"

	xterm "golang.org/x/term"
)

// Options say where to write and how.
type Options struct {
	Out, Err *os.File // what the app's stdout and stderr, and devrun, are written to
	In       *os.File // where keys are read; may be nil
	NoColor  bool     // no colour and no links, even on a terminal
	Verbose  bool     // Phases prints

	// Root is the app's directory, absolute. Files below it are the app's own
	// and are named relative to it in a crash.
	Root string

	// FileURL gives the address that a position links to; nil links to the file.
	FileURL func(file string, line, col int) string
}

// Terminal writes what devrun and the app have to say. Its methods may be
// called from any goroutine.
type Terminal struct {
	opts    Options
	style   style
	rewrite bool // the cursor can be moved on stderr
	resized chan os.Signal

	mu       sync.Mutex // guards all below and the order of writes
	out, err *sink
	keyboard *keyboard
	closed   bool
}

// sink is one of the two files that are written.
type sink struct {
	file *os.File
	tty  bool
	at   *cursor // shared by sinks that lead to the same place
}

// cursor is what is known of the place where the next byte lands.
type cursor struct {
	fresh     bool // at the start of an empty line
	coloured  bool // the app has set a colour and not taken it back
	transient bool // the last line is one that the next may replace
}

// Stream is one of the app's two output streams.
type Stream uint8

// The app's streams.
const (
	Stdout Stream = iota
	Stderr
)

// New returns a Terminal. NO_COLOR, TERM and the variables by which terminals
// make themselves known are read from the environment here, once.
func New(o Options) *Terminal {
	t := &Terminal{
		opts:    o,
		out:     newSink(o.Out),
		err:     newSink(o.Err),
		resized: make(chan os.Signal, 1),
	}
	if sameFile(t.out, t.err) {
		t.out.at = t.err.at
	}
	t.rewrite = t.err.tty && os.Getenv("TERM") != "dumb"
	colour := t.rewrite && !o.NoColor && os.Getenv("NO_COLOR") == ""
	t.style = newStyle(colour, colour && linksSupported(os.Getenv))
	if t.out.tty || t.err.tty {
		notifyResize(t.resized)
	}
	return t
}

func newSink(f *os.File) *sink {
	return &sink{
		file: f,
		tty:  xterm.IsTerminal(int(f.Fd())) && understandsEscapes(f),
		at:   &cursor{fresh: true},
	}
}

// sameFile reports whether both sinks are one terminal, pipe or file.
func sameFile(a, b *sink) bool {
	if runtime.GOOS == "windows" {
		return a.tty && b.tty // a process has one console, and it has no file id
	}
	x, err := a.file.Stat()
	if err != nil {
		return false
	}
	y, err := b.file.Stat()
	return err == nil && os.SameFile(x, y)
}

// App returns a writer for one stream of one process of the app. Close writes
// out what is held back of a sequence that never ended; it may be left out.
func (t *Terminal) App(s Stream) io.WriteCloser {
	return &appWriter{t: t, to: t.sink(s)}
}

func (t *Terminal) sink(s Stream) *sink {
	if s == Stderr {
		return t.err
	}
	return t.out
}

type appWriter struct {
	t      *Terminal
	to     *sink
	filter filter
}

func (w *appWriter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	at := w.to.at
	if !w.to.tty {
		at.fresh = p[len(p)-1] == '\n'
		return w.to.file.Write(p)
	}
	at.transient = false
	if _, err := w.to.file.Write(w.filter.pass(at, p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w *appWriter) Close() error {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	rest := w.filter.flush(w.to.at)
	if len(rest) == 0 {
		return nil
	}
	_, err := w.to.file.Write(rest)
	return err
}

// IsTerminal reports whether what the app writes to s is seen on a terminal.
func (t *Terminal) IsTerminal(s Stream) bool { return t.sink(s).tty }

// Size returns the width and height of the terminal in cells; ok is false when
// there is none.
func (t *Terminal) Size() (cols, rows int, ok bool) {
	for _, s := range []*sink{t.err, t.out} {
		if !s.tty {
			continue
		}
		if cols, rows, err := xterm.GetSize(int(s.file.Fd())); err == nil && cols > 0 {
			return cols, rows, true
		}
	}
	return 0, 0, false
}

// Resized tells that Size may give something new. Changes that were not taken
// yet are one. On Windows, and without a terminal, it never tells.
func (t *Terminal) Resized() <-chan os.Signal { return t.resized }

// Close gives the terminal back: keys as they were, the cursor on a clean line,
// colours reset. The Terminal can still write afterwards, without keys.
func (t *Terminal) Close() error {
	t.mu.Lock()
	keyboard := t.keyboard
	t.keyboard = nil
	first := !t.closed
	t.closed = true
	t.mu.Unlock()
	if first {
		signal.Stop(t.resized)
	}
	var err error
	if keyboard != nil {
		err = keyboard.close()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if first && t.err.tty {
		t.write(t.freshLine())
	}
	return err
}

// freshLine is what brings the cursor of stderr to the start of an empty line
// with the colours that devrun's own lines expect. The caller holds mu.
func (t *Terminal) freshLine() string {
	at, s := t.err.at, ""
	if at.coloured {
		s += "\x1b[0m"
		at.coloured = false
	}
	if !at.fresh {
		s += "\n"
		at.fresh = true
	}
	return s
}

// print writes whole lines to stderr. A transient line may be replaced by the
// next one that is printed with replace, if nothing came between.
func (t *Terminal) print(lines string, transient, replace bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := t.err.at
	before := t.freshLine()
	if replace && at.transient {
		before += "\x1b[1A\r\x1b[2K"
	}
	t.write(before + lines)
	at.transient = transient && t.rewrite && t.fits(lines)
}

// fits reports whether a line takes one row, so that going up one row is enough
// to replace it.
func (t *Terminal) fits(line string) bool {
	cols, _, ok := t.Size()
	return ok && width(unstyled(line)) < cols
}

// write sends s to stderr. The error has nobody to be told to: stderr is where
// it would be said. The caller holds mu.
func (t *Terminal) write(s string) {
	if s != "" {
		_, _ = io.WriteString(t.err.file, s)
	}
}
