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
// called, with whether the handler has returned as it should.
func (q *request) serves() (end func(normal bool)) {
	labels := getProfLabel()
	served.Store(labels, q)
	return func(normal bool) {
		served.Delete(labels)
		if normal && answered != nil && q.isWell() {
			answered(q.works())
		}
	}
}

// works is what the request is for, and its number, as next has written it.
func (q *request) works() (of string, number uint64) {
	number, _ = strconv.ParseUint(q.id, 10, 64)
	return q.r.Method + " " + q.asked.URL.Path, number
}

// isWell reports whether the answer is one in which a file may have gone out.
func (q *request) isWell() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.status < 400 && !q.hijacked
}

func init() {
	worksOn = func() (of string, number, newest uint64) {
		v, ok := served.Load(getProfLabel())
		if !ok {
			return "", 0, 0
		}
		q := v.(*request)
		of, number = q.works()
		return of, number, q.f.last.Load()
	}
}
