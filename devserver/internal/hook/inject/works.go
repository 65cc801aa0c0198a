//go:build linux && go1.21 && (amd64 || arm64)

package hook

import (
	_ "runtime/pprof" // for getProfLabel
	"strconv"
	"sync"
	"unsafe"
)

// getProfLabel is the address of the calling goroutine's labels, which those that it
// starts inherit; each request has its own.
//
//go:linkname getProfLabel runtime/pprof.runtime_getProfLabel
func getProfLabel() unsafe.Pointer

// served are the requests that are under way, by their labels.
var served sync.Map // of unsafe.Pointer to *request

// serves makes the request the one that the calling goroutine works on, until end is
// called.
func (q *request) serves() (end func()) {
	labels := getProfLabel()
	served.Store(labels, q)
	return func() { served.Delete(labels) }
}

func init() {
	worksOn = func() (of string, number, newest uint64) {
		v, ok := served.Load(getProfLabel())
		if !ok {
			return "", 0, 0
		}
		q := v.(*request)
		number, _ = strconv.ParseUint(q.id, 10, 64) // as next has written it
		return q.r.Method + " " + q.asked.URL.Path, number, q.f.last.Load()
	}
}
