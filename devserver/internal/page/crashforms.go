package page

import (
	"fmt"
	"strings"
	"time"

	"devrun/devserver/internal/fault"
)

// report is the crash in lines, without devrun's own words: the message, the stack
// and, where there is none, what the app said last. The rest of stderr stays out
// of it: it is the app's log, which may hold what is nobody else's business.
func (v *crashView) report() string {
	var b strings.Builder
	before, text := v.headline()
	for _, m := range v.Trace.Earlier {
		fmt.Fprintf(&b, "%s %s\n", before, m)
	}
	fmt.Fprintf(&b, "%s\n", strings.TrimPrefix(before+" "+text, " "))
	g := v.first()
	if g == nil {
		if tail := v.Exit.Stderr[max(0, len(v.Exit.Stderr)-tailLines):]; len(tail) > 0 {
			fmt.Fprintf(&b, "\n%s\n", strings.Join(tail, "\n"))
		}
		return b.String()
	}
	fmt.Fprintf(&b, "\n%s\n", goroutine(*g))
	libs := 0
	flush := func() {
		if libs > 0 {
			fmt.Fprintf(&b, "  + %s\n", count(libs, "library frame"))
			libs = 0
		}
	}
	for i, f := range v.frames {
		if i == fits[0].items {
			fmt.Fprintf(&b, "  + %s\n", count(len(v.frames)-i, "more frame"))
			libs = 0
			break
		}
		if !f.Own && v.root >= 0 {
			libs++
			continue
		}
		flush()
		fmt.Fprintf(&b, "  %s  %s\n", f.Func, f.At())
	}
	flush()
	if g.CreatedBy != nil {
		f := v.pages.Tree.Frame(*g.CreatedBy)
		fmt.Fprintf(&b, "  started by %s  %s\n", f.Func, f.At())
	}
	if n := v.goroutines - 1; n > 0 {
		fmt.Fprintf(&b, "  + %s\n", count(n, "other goroutine"))
	}
	return b.String()
}

func (v *crashView) text() string {
	s := fmt.Sprintf("%s crashed: %s\n\n%s\n", v.pages.app.Name, v.ended(), visible(v.report()))
	for _, p := range v.why() {
		s += p.String() + " "
	}
	if v.hint != "" {
		s += v.hint + " "
	}
	return s + "The next save starts it again.\n"
}

func (v *crashView) markdown() string {
	return fmt.Sprintf("## crash: %s\n\n%s", strings.SplitN(v.ended(), ", ", 2)[0], indent(visible(v.report())))
}

// crashJSON is the form of a crash for programs. Fields are only ever added.
type crashJSON struct {
	Kind       string    `json:"kind"`  // "crash"
	Error      string    `json:"error"` // "fatal error: concurrent map writes", "app exited, status 1"
	Generation int       `json:"generation"`
	Time       time.Time `json:"time"`
	Hint       string    `json:"hint,omitempty"`
	Exit       struct {
		Pid    int    `json:"pid"`
		Status int    `json:"status"` // -1 when a signal ended it, or there was no process
		Signal string `json:"signal,omitempty"`
		RanMS  int64  `json:"ran_ms"`
		MaxRSS int64  `json:"max_rss,omitempty"` // bytes
	} `json:"exit"`
	Trace  *traceJSON `json:"trace"`            // null: the app printed none
	Stderr []string   `json:"stderr,omitempty"` // its last lines, only without a trace
}

type traceJSON struct {
	Kind       string          `json:"kind"` // "panic", "fatal error", "signal"
	Message    string          `json:"message"`
	Earlier    []string        `json:"earlier,omitempty"` // panics that were being handled, oldest first
	Goroutines []goroutineJSON `json:"goroutines"`        // the one that failed first
}

type goroutineJSON struct {
	ID        int         `json:"id"`
	State     string      `json:"state"`
	Frames    []frameJSON `json:"frames"` // innermost first
	CreatedBy *frameJSON  `json:"created_by,omitempty"`
	Creator   int         `json:"creator,omitempty"` // id of a goroutine
}

type frameJSON struct {
	Func string `json:"func"`
	File string `json:"file"` // as the trace has it: absolute, but for -trimpath
	Rel  string `json:"rel"`  // of a library: the base name
	Line int    `json:"line"`
	App  bool   `json:"app"` // of the app, not of a library
}

func (v *crashView) json() []byte {
	before, text := v.headline()
	out := crashJSON{
		Kind: "crash", Error: strings.TrimPrefix(before+" "+text, " "),
		Generation: v.Generation, Time: v.At, Hint: v.hint,
	}
	e := v.Exit
	out.Exit.Pid, out.Exit.Status, out.Exit.Signal = e.Pid, e.Code, e.Signal
	out.Exit.RanMS, out.Exit.MaxRSS = e.Ran.Milliseconds(), e.MaxRSS
	if v.Trace.Kind == "" {
		out.Stderr = e.Stderr[max(0, len(e.Stderr)-tailLines):]
		return encodeJSON(out)
	}
	out.Trace = &traceJSON{Kind: v.Trace.Kind, Message: v.Trace.Message, Earlier: v.Trace.Earlier}
	toJSON := func(f fault.Frame) frameJSON {
		at := v.pages.Tree.Frame(f)
		return frameJSON{f.Func, f.File, at.Rel, f.Line, at.Own}
	}
	for _, g := range v.Trace.Goroutines {
		gj := goroutineJSON{ID: g.ID, State: g.State, Creator: g.Creator, Frames: []frameJSON{}}
		for _, f := range g.Frames {
			gj.Frames = append(gj.Frames, toJSON(f))
		}
		if g.CreatedBy != nil {
			f := toJSON(*g.CreatedBy)
			gj.CreatedBy = &f
		}
		out.Trace.Goroutines = append(out.Trace.Goroutines, gj)
	}
	return encodeJSON(out)
}
