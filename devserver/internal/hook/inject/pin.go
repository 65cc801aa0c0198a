//go:build linux && go1.24 && (amd64 || arm64)

package hook

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"unsafe"
	"weak"
)

// The runtime's own questions about an address, as its conservative scan of a
// stack asks them.

//go:linkname spanOfHeap runtime.spanOfHeap
func spanOfHeap(p uintptr) unsafe.Pointer

//go:linkname findObject runtime.findObject
func findObject(p, refBase, refOff uintptr) (base uintptr, s unsafe.Pointer, objIndex uintptr)

//go:linkname isFree runtime.(*mspan).isFree
func isFree(s unsafe.Pointer, index uintptr) bool

//go:linkname ensureSwept runtime.(*mspan).ensureSwept
func ensureSwept(s unsafe.Pointer)

//go:linkname procPin runtime.procPin
func procPin() int

//go:linkname procUnpin runtime.procUnpin
func procUnpin()

//go:linkname gcphase runtime.gcphase
var gcphase uint32

// rarely is GOGC for an app whose user has set none: at the default of 100 a
// collection runs so often that it gets between the start of a request and its
// failure, and what it takes cannot be shown any more.
const rarely = 400

var _ = add("pins", func(*channel) bool {
	newEpoch()
	pin, watch = pinStack, watchCollector
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(rarely)
	}
	return true
})

// pinStack returns pointers to all objects that a word of this goroutine's stack
// points to or into. Variables that are no longer in use are dead to the
// collector, but it is these that a failure is about.
//
// It relies on three things. Without preemption the phase of the collector does
// not change. A swept span tells an object that is gone from one that is there;
// an object of one that is not swept would be there, and be gone later. And a new
// pointer to an object is seen by a collection under way, like any other.
//
//go:norace
//go:nocheckptr
func pinStack(g unsafe.Pointer) []unsafe.Pointer {
	var here uintptr
	start := unsafe.Pointer(&here) // follows the stack when a call in here has to grow it
	size := func() uintptr { return (*[2]uintptr)(g)[1] - uintptr(start) }
	pins := make([]unsafe.Pointer, 0, size()/word+word)
	procPin()
	for at := uintptr(0); at < size() && len(pins) < cap(pins); at += word {
		v := *(*uintptr)(unsafe.Add(start, at))
		s := spanOfHeap(v)
		if s == nil {
			continue
		}
		if gcphase == 0 {
			ensureSwept(s)
			if spanOfHeap(v) == nil { // sweeping may free all of it
				continue
			}
		}
		base, s, index := findObject(v, 0, 0)
		if base == 0 || isFree(s, index) {
			continue
		}
		pins = append(pins, *(*unsafe.Pointer)(unsafe.Pointer(&base)))
	}
	procUnpin()
	return pins
}

// sentinel is not so small that it would share its memory with others.
type sentinel struct{ _ [4]uintptr }

// epoch is the time between two collections: its sentinel is garbage, and the next
// collection shows it.
type epoch struct {
	p   weak.Pointer[sentinel]
	ran func() bool
}

var now atomic.Pointer[epoch]

func newEpoch() {
	s := new(sentinel)
	e := &epoch{p: weak.Make(s)}
	// Who asks during a collection would bring the sentinel back to life.
	e.ran = func() bool { return gcphase != 0 || e.p.Value() == nil }
	runtime.SetFinalizer(s, func(*sentinel) { newEpoch() })
	now.Store(e)
}

// watchCollector returns a function that reports whether a collection has run, or
// runs, since now; it may take one for newer that ended just before.
func watchCollector() (ran func() bool) { return now.Load().ran }
