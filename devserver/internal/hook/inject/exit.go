//go:build unix && go1.21

package hook

import (
	"runtime"
	"time"
	_ "unsafe" // for go:linkname

	"devrun/devserver/internal/wire"
)

// exitHook is internal/runtime/exithook.Hook, no more and no less.
type exitHook struct {
	F            func()
	RunOnFailure bool
}

//go:linkname addExitHook internal/runtime/exithook.Add
func addExitHook(h exitHook)

// exitDelay is the longest that the app's exit is put off.
const exitDelay = 100 * time.Millisecond

// exit tells which line called os.Exit. The runtime calls the hook on the
// goroutine that did, also when main returns, which is no news.
var _ = add("exit", func(c *channel) bool {
	addExitHook(exitHook{func() {
		e := exiting()
		if e == nil {
			return
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.send(wire.Message{Kind: wire.Exiting, Exit: e})
		}()
		select {
		case <-done:
		case <-time.After(exitDelay):
		}
	}, true})
	return true
})

// exiting returns the calls that led to os.Exit, without it; nil when there was
// none.
func exiting() (e *wire.Exit) {
	defer func() { recover() }() // a panic in here would be the app's death
	pcs := make([]uintptr, 128)
	n := runtime.Callers(1, pcs)
	for fs, more := runtime.CallersFrames(pcs[:n]), n > 0; more; {
		var f runtime.Frame
		f, more = fs.Next()
		switch {
		case f.Function == "os.Exit":
			e = &wire.Exit{}
		case e != nil && f.Function != "runtime.goexit" && f.Function != "runtime.main":
			e.Frames = append(e.Frames, wire.Frame{Func: cut(f.Function, 512), File: cut(f.File, 1024), Line: f.Line, PC: uint64(f.PC)})
		}
	}
	return e
}
