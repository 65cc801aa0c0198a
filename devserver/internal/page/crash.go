package page

import (
	"fmt"
	"slices"
	"strings"

	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/srctree"
)

// crashView is a crash as all forms of its page need it.
type crashView struct {
	fault.Crash
	pages      *Pages
	hint       string
	goroutines int             // how many there were
	frames     []srctree.Frame // of the goroutine that failed
	bad        []int
	root       int // the call in frames to look at first, -1 for none
	source     *sources
}

func (p *Pages) newCrashView(c fault.Crash, hint string) *crashView {
	v := &crashView{goroutines: len(c.Trace.Goroutines), pages: p, hint: visible(fault.Cut(hint, maxText)), root: -1}
	c.Exit.Signal = oneLine(c.Exit.Signal)
	v.Crash = bounded(c)
	if c.At.IsZero() || c.Exit.Ran == 0 {
		v.source = newSources(c.At)
	} else {
		v.source = newSources(c.At.Add(-c.Exit.Ran)) // the binary is older than the process
	}
	if len(c.Trace.Goroutines) == 0 {
		v.Trace = fault.Trace{} // a message without a stack is a line of stderr like others
	}
	if g := v.first(); g != nil {
		v.frames = p.locate(g.Frames)
		v.bad, v.root = failed(v.frames, len(c.Trace.Earlier) > 0)
	}
	return v
}

// A crash can say as much as it likes; these are what is looked at.
const (
	maxText       = 16 << 10 // bytes of one message
	maxName       = 1000     // bytes of a name, a path, or a line of stderr
	maxLines      = 1000     // of stderr, the last
	maxGoroutines = 100
	maxFrames     = 300 // of a goroutine
)

// bounded is the crash without what is beyond these bounds, so that its page is
// made at once.
func bounded(c fault.Crash) fault.Crash {
	dropped := max(0, len(c.Exit.Stderr)-maxLines)
	c.Trace.Start -= dropped
	c.Exit.Stderr = slices.Clone(c.Exit.Stderr[dropped:])
	for i, line := range c.Exit.Stderr {
		c.Exit.Stderr[i] = fault.Cut(line, maxName)
	}
	t := &c.Trace
	t.Message = fault.Cut(t.Message, maxText)
	t.Earlier = slices.Clone(t.Earlier[:min(len(t.Earlier), maxGoroutines)])
	for i, m := range t.Earlier {
		t.Earlier[i] = fault.Cut(m, maxText)
	}
	t.Goroutines = slices.Clone(t.Goroutines[:min(len(t.Goroutines), maxGoroutines)])
	for i := range t.Goroutines {
		g := &t.Goroutines[i]
		g.State = fault.Cut(g.State, maxName)
		g.Frames = slices.Clone(g.Frames[:min(len(g.Frames), maxFrames)])
		for j := range g.Frames {
			g.Frames[j].Func, g.Frames[j].File = fault.Cut(g.Frames[j].Func, maxName), fault.Cut(g.Frames[j].File, maxName)
		}
		if g.CreatedBy != nil {
			by := *g.CreatedBy
			by.Func, by.File = fault.Cut(by.Func, maxName), fault.Cut(by.File, maxName)
			g.CreatedBy = &by
		}
	}
	return c
}

func (v *crashView) first() *fault.Goroutine {
	if len(v.Trace.Goroutines) == 0 {
		return nil
	}
	return &v.Trace.Goroutines[0]
}

// headline is the runtime's own words where there are any.
func (v *crashView) headline() (before, text string) {
	switch {
	case v.Trace.Kind == "signal":
		return "", v.Trace.Message
	case v.Trace.Kind != "":
		return v.Trace.Kind + ":", v.Trace.Message
	case v.unstarted():
		return "", "app did not start"
	case v.Exit.Signal == "killed":
		return "", "app was killed (" + v.Exit.String() + ")"
	case v.Exit.Signal != "":
		return "", "app ended, " + v.Exit.String()
	}
	return "", fmt.Sprintf("app exited, status %d", v.Exit.Code)
}

// unstarted reports that there was no process at all: its Exit has neither a
// status nor a signal, and the reason stands where stderr would.
func (v *crashView) unstarted() bool { return v.Exit.Code < 0 && v.Exit.Signal == "" }

// ended is how it ended, in a few words.
func (v *crashView) ended() string {
	if v.unstarted() {
		return "not started"
	}
	return fmt.Sprintf("%s, pid %d, ran %s", v.Exit, v.Exit.Pid, lasting(v.Exit.Ran))
}

// why says what the end means, as far as it is certain.
func (v *crashView) why() []fault.Prose {
	p := v.cause()
	if g := v.first(); g != nil && g.Request() != "" {
		p = append(p, fault.Say("The goroutine was started by %s.", fault.Cut(visible(g.Request()), 200)))
	}
	return p
}

func (v *crashView) cause() []fault.Prose {
	switch v.Trace.Kind {
	case "panic":
		what := "panicked"
		if len(v.Trace.Earlier) > 0 {
			what = "panicked first"
		}
		p := v.onLine(what)
		if len(v.Trace.Earlier) > 0 {
			return []fault.Prose{p, fault.Say("While that was handled, the panic above was raised, and nothing recovered it.")}
		}
		return []fault.Prose{p, fault.Say("Nothing recovered it, so the Go runtime ended the process.")}
	case "fatal error":
		return append(v.fatal(), fault.Say("The Go runtime ends the process here; %s cannot stop it.", "recover"))
	case "signal":
		return []fault.Prose{fault.Say("The process got a signal that Go does not turn into a panic, printed its goroutines and ended.")}
	}
	e := v.Exit
	switch {
	case v.unstarted():
		return []fault.Prose{fault.Say("The system did not run it: %s.", fault.Cut(v.lastWords(), 300))}
	case e.Signal == "killed" && e.MaxRSS > 0:
		return []fault.Prose{fault.Say("It had " + fault.Size(e.MaxRSS) + " in use; it may have run out of memory.")}
	case e.Signal == "killed":
		return []fault.Prose{fault.Say("Something outside ended it; it may have run out of memory.")}
	case e.Signal != "":
		return []fault.Prose{fault.Say("The signal ended it before it could say why.")}
	}
	p := []fault.Prose{fault.Say("It ended by itself; there is no panic in what it printed last.")}
	if e.Code == 0 {
		p = []fault.Prose{fault.Say("It ended by itself and without an error: %s returned, or %s was called.", "main", "os.Exit(0)")}
	}
	if last := v.lastWords(); last != "" {
		p = append(p, fault.Say("Its last line on stderr was %s.", fault.Cut(last, 300)))
	}
	return p
}

func (v *crashView) fatal() []fault.Prose {
	switch m := v.Trace.Message; {
	case m == "concurrent map writes":
		return []fault.Prose{v.onLine("was about to write a map"), fault.Say("It found another write under way.")}
	case m == "concurrent map read and map write":
		return []fault.Prose{v.onLine("was reading a map"), fault.Say("Another goroutine was writing it.")}
	case m == "concurrent map iteration and map write":
		return []fault.Prose{v.onLine("was going through a map"), fault.Say("Another goroutine was writing it.")}
	case strings.HasPrefix(m, "all goroutines are asleep"):
		return []fault.Prose{fault.Say("Every goroutine was waiting, so none could continue.")}
	case m == "stack overflow":
		p := []fault.Prose{fault.Say(fmt.Sprintf("The stack of goroutine %d grew past the limit.", v.first().ID))}
		if name, n := v.recursion(); n >= recursionCalls {
			p = append(p, fault.Say(fmt.Sprintf("%%s is on it %d times and more.", n), name))
		}
		return p
	case strings.Contains(m, "out of memory"):
		return []fault.Prose{fault.Say("The system gave the Go runtime no more memory.")}
	}
	return []fault.Prose{v.onLine("reached a state that Go cannot continue from")}
}

// recursionCalls of one function in the hundred calls that the runtime prints of
// a stack that overflowed are the reason for it, not chance.
const recursionCalls = 10

func (v *crashView) recursion() (name string, most int) {
	calls := map[string]int{}
	for _, f := range v.frames {
		if calls[f.Func]++; f.Own && calls[f.Func] > most {
			name, most = f.Func, calls[f.Func]
		}
	}
	return visible(name), most
}

// onLine says where the goroutine did what: on a line of the app, or in the library
// function that this line called.
func (v *crashView) onLine(did string) fault.Prose {
	who := fmt.Sprintf("Goroutine %d %s", v.first().ID, did)
	if v.root < 0 {
		return fault.Say(who + ", in code that is not the app's.")
	}
	f := v.frames[v.root]
	where := fmt.Sprintf("on line %d of %%s.", f.Line)
	if v.root > 0 {
		lib := v.frames[v.root-1]
		if pkg := lib.Package(); pkg != "runtime" && !strings.HasPrefix(pkg, "internal/") {
			return fault.Say(who+" in %s, called "+where, visible(lib.Func), visible(f.Rel))
		}
	}
	return fault.Say(who+" "+where, visible(f.Rel))
}

// lastWords is the last line on stderr that is not empty.
func (v *crashView) lastWords() string {
	for i := len(v.Exit.Stderr) - 1; i >= 0; i-- {
		if s := strings.TrimSpace(visible(v.Exit.Stderr[i])); s != "" {
			return s
		}
	}
	return ""
}
