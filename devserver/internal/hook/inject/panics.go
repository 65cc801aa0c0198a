//go:build linux && go1.21 && (amd64 || arm64)

package hook

import (
	"runtime"
	"strings"
	"unsafe"

	"devrun/devserver/internal/wire"
)

//go:linkname forEachGRace runtime.forEachGRace
//go:noescape
func forEachGRace(fn func(g unsafe.Pointer))

// self finds this goroutine's g: the one whose stack, its first two words, holds
// what is here. It looks at every g there is, so it is for failures only.
//
//go:norace
//go:nocheckptr
func self() (g unsafe.Pointer) {
	var here byte
	at := uintptr(unsafe.Pointer(&here))
	forEachGRace(func(gp unsafe.Pointer) {
		if s := (*[2]uintptr)(gp); s[0] <= at && at < s[1] {
			g = gp
		}
	})
	return g
}

// raised is a panic that is under way.
type raised struct {
	value  any
	goexit bool // not a panic, but a runtime.Goexit
}

// mostPanics bounds the walk along panics of panics.
const mostPanics = 100

// panics returns what is under way in the goroutine that calls it, the newest
// first. A recovered panic is there until the deferred function that recovered it
// returns.
//
//go:norace
//go:nocheckptr
func panics(g unsafe.Pointer) (all []raised) {
	if g == nil {
		return nil
	}
	p := *(*unsafe.Pointer)(unsafe.Add(g, gPanic))
	for ; p != nil && len(all) < mostPanics; p = *(*unsafe.Pointer)(unsafe.Add(p, panicLink)) {
		all = append(all, raised{*(*any)(unsafe.Add(p, panicArg)), *(*bool)(unsafe.Add(p, panicGoexit))})
	}
	return all
}

// panicking reports whether a panic is under way: not a Goexit, which needs no
// explanation.
func panicking(ps []raised) bool { return len(ps) > 0 && !ps[0].goexit }

// own is how the names of the hook's functions begin.
var own = func() string {
	pc, _, _, _ := runtime.Caller(0)
	name := runtime.FuncForPC(pc).Name()
	slash := strings.LastIndexByte(name, '/') + 1
	return name[:slash+strings.IndexByte(name[slash:], '.')+1]
}()

const mostFrames = 256

// stack returns the calls of this goroutine that are not the hook's, innermost
// first, and whether the request's own handler is among them: it is not when the
// app writes to the response from a goroutine that it has started.
func stack() (frames []wire.Frame, handler bool) {
	pcs := make([]uintptr, 1024)
	n := runtime.Callers(2, pcs)
	for fs, more := runtime.CallersFrames(pcs[:n]), n > 0; more; {
		var f runtime.Frame
		f, more = fs.Next()
		switch {
		case f.Function == own+"(*request).serve":
			return frames, true
		case strings.HasPrefix(f.Function, own) || f.Function == "runtime.goexit":
		default:
			frames = append(frames, wire.Frame{Func: cut(f.Function, 512), File: cut(f.File, 1024), Line: f.Line, PC: uint64(f.PC)})
		}
	}
	return frames, false
}

// fromPanic returns what is below the first panic of a chain, without the
// runtime's way from the fault to it.
func fromPanic(frames []wire.Frame) []wire.Frame {
	at := 0
	for i, f := range frames {
		if f.Func == "runtime.gopanic" {
			at = i + 1
		}
	}
	for at > 0 && at < len(frames)-1 && inRuntime(frames[at].Func) {
		at++
	}
	return frames[at:]
}

func inRuntime(name string) bool {
	return strings.HasPrefix(name, "runtime.") || strings.HasPrefix(name, "internal/runtime/")
}

// bounded leaves out the middle of a deep stack.
func bounded(frames []wire.Frame) []wire.Frame {
	if len(frames) <= mostFrames {
		return frames
	}
	return append(frames[:mostFrames/2:mostFrames/2], frames[len(frames)-mostFrames/2:]...)
}

// writeFollows reports whether a header that is being written is the beginning of
// a write: then the text of the answer is about to come. What stands between
// http.Error and the header may keep the text until later, as a compressor does.
func writeFollows(frames []wire.Frame) bool {
	for i, f := range frames {
		switch name := f.Func[strings.LastIndexByte(f.Func, '.')+1:]; {
		case name == "Write", name == "WriteString", name == "ReadFrom":
			return true
		case !strings.HasPrefix(name, "WriteHeader"):
			return i == 0 && f.Func == "net/http.Error"
		}
	}
	return false
}

// trace returns the text of the goroutine's stack as the runtime prints it,
// without the hook's calls, with the goroutine's number and what created it, nil
// when that was the hook.
func trace(most int) (text string, goroutine uint64, created *wire.Frame) {
	b := make([]byte, most)
	lines := strings.SplitAfter(string(b[:runtime.Stack(b, false)]), "\n")
	if _, rest, ok := strings.Cut(lines[0], "goroutine "); ok {
		for _, c := range rest {
			if c < '0' || c > '9' {
				break
			}
			goroutine = goroutine*10 + uint64(c-'0')
		}
	}
	// Labels are there for a crash; net/http's line is as it was without devrun.
	if state, rest, ok := strings.Cut(lines[0], " labels:{"); ok {
		lines[0] = state + rest[strings.LastIndexByte(rest, '}')+1:]
	}
	kept := lines[:1:1]
	for i := 1; i < len(lines); i += 2 {
		call := strings.TrimPrefix(lines[i], "created by ")
		if strings.HasPrefix(call, own) {
			continue
		}
		kept = append(kept, lines[i:i+1]...)
		if i+1 == len(lines) {
			break
		}
		kept = append(kept, lines[i+1])
		if call != lines[i] {
			created = place(call, lines[i+1])
		}
	}
	return strings.Join(kept, ""), goroutine, created
}

// place makes a frame of two lines of a trace.
func place(call, at string) *wire.Frame {
	call, _, _ = strings.Cut(strings.TrimSpace(call), " in goroutine ")
	at, _, _ = strings.Cut(strings.TrimSpace(at), " +0x")
	f := &wire.Frame{Func: cut(call, 512)}
	if i := strings.LastIndexByte(at, ':'); i >= 0 {
		f.File = cut(at[:i], 1024)
		for _, c := range at[i+1:] {
			if c < '0' || c > '9' {
				break
			}
			f.Line = f.Line*10 + int(c-'0')
		}
	}
	return f
}
