// Package fault holds what can go wrong with an app, as data: the nouns that
// the builder, the process, the pages and the terminal have in common. It
// decides nothing and imports only the standard library.
package fault

import (
	"fmt"
	"strings"
	"time"
)

// Diagnostic is one message of the compiler, the linker or the go command.
type Diagnostic struct {
	File    string // absolute, or "" when the message names no file
	Rel     string // File as a person in the app's directory would write it
	Line    int    // from 1; 0 when unknown
	Col     int    // in bytes, from 1; 0 when unknown
	Message string // may have several lines
	Package string // import path, or ""
}

// Pos is "rel:line:col", as far as it is known.
func (d Diagnostic) Pos() string {
	switch {
	case d.Rel == "":
		return ""
	case d.Line == 0:
		return d.Rel
	case d.Col == 0:
		return fmt.Sprintf("%s:%d", d.Rel, d.Line)
	}
	return fmt.Sprintf("%s:%d:%d", d.Rel, d.Line, d.Col)
}

// Build is a build that failed.
type Build struct {
	Generation  int
	At          time.Time
	Took        time.Duration
	Saved       []string // the files whose change started it, relative
	Diagnostics []Diagnostic
	Output      string // all that the go command printed
	Command     string // what was run, for a person to repeat
}

// Exit is how a process ended.
type Exit struct {
	Pid    int
	Code   int    // exit status; -1 when a signal ended it
	Signal string // name of that signal, "" otherwise
	Ran    time.Duration
	MaxRSS int64    // bytes, 0 when unknown
	Stderr []string // its last lines, oldest first
}

// String is "exit status 2" or "signal: killed".
func (e Exit) String() string {
	if e.Signal != "" {
		return "signal: " + e.Signal
	}
	return fmt.Sprintf("exit status %d", e.Code)
}

// Crash is an app that ended by itself.
type Crash struct {
	Generation int
	At         time.Time
	Exit       Exit
	Trace      Trace // parsed from Exit.Stderr; empty when there was none
}

// Trace is a Go crash report.
type Trace struct {
	Kind       string      // "panic", "fatal error" or "signal"; "" when there is no report
	Message    string      // what follows it, all lines; of several panics the last, which ended the app
	Earlier    []string    // the panics before it, oldest first, that were recovered or under way when it was raised
	Signal     string      // "SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x6ebde3" behind a panic, or ""
	Goroutines []Goroutine // the one that failed first
	Start      int         // index, in the lines that were parsed, of the one with Kind and Message
}

// Goroutine is one goroutine of a Trace.
type Goroutine struct {
	ID        int
	State     string            // "running", "chan receive, 2 minutes"
	Labels    map[string]string // set by GODEBUG=tracebacklabels=1
	Frames    []Frame           // innermost first
	CreatedBy *Frame
	Creator   int // id of the goroutine that started it, 0 when unknown
}

// RequestLabel is the label of goroutines that serve a request, and of what they
// start: "GET /user/susan #17", the number being the hook's.
const RequestLabel = "devrun"

// Request is the request that g works for, "GET /user/susan"; "" for none.
func (g Goroutine) Request() string {
	label := g.Labels[RequestLabel]
	if i := strings.LastIndex(label, " #"); i > 0 {
		return label[:i]
	}
	return ""
}

// Frame is one call.
type Frame struct {
	Func   string // as the runtime prints it, without arguments: "main.(*App).index"
	File   string
	Line   int
	Elided int // calls that the runtime left out before this one; -1 when it does not say how many
}

// Split cuts a function's name in two: what can be seen at a glance, last.
func (f Frame) Split() (pkg, name string) {
	end := f.dot() + 1
	if end == 0 {
		return "", f.Func
	}
	if strings.HasPrefix(f.Func[end:], "(") {
		if close := strings.Index(f.Func[end:], ")."); close > 0 {
			end += close + 2
		}
	}
	// The linker escapes dots in the last element: gopkg.in/yaml%2ev3.Unmarshal
	return strings.ReplaceAll(f.Func[:end], "%2e", "."), f.Func[end:]
}

// Package is the import path of the function's package.
func (f Frame) Package() string {
	dot := f.dot()
	if dot < 0 {
		return "runtime" // panic, as the trace calls it
	}
	return strings.ReplaceAll(f.Func[:dot], "%2e", ".")
}

// dot is where the import path ends, -1 when the name has none.
func (f Frame) dot() int {
	path, _, _ := strings.Cut(f.Func, "[") // type arguments have paths of their own
	start := strings.LastIndexByte(path, '/') + 1
	dot := strings.IndexByte(f.Func[start:], '.')
	if dot < 0 {
		return -1
	}
	return start + dot
}
