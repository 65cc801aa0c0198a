//go:build linux && go1.21 && (amd64 || arm64)

package hook

import (
	"context"
	"runtime"
	"runtime/pprof"
	"sync"
)

// mostIdle bounds the goroutines that wait for a request, and with them the memory
// of their stacks.
const mostIdle = 32

// workers are goroutines that handlers run on. They are used again because their
// stacks are large, which costs more than all the rest that the hook does; one
// whose handler failed is not.
type workers struct {
	mu   sync.Mutex
	idle []chan func() bool
}

// start runs work on a goroutine that goes on if work returns true.
func (ws *workers) start(work func() bool) {
	ws.mu.Lock()
	if last := len(ws.idle) - 1; last >= 0 {
		w := ws.idle[last]
		ws.idle = ws.idle[:last]
		ws.mu.Unlock()
		w <- work
		return
	}
	ws.mu.Unlock()
	go ws.run(make(chan func() bool, 1), work)
}

func (ws *workers) run(next chan func() bool, work func() bool) {
	grow()
	for work() {
		work = nil
		pprof.SetGoroutineLabels(context.Background())
		ws.mu.Lock()
		full := len(ws.idle) == mostIdle
		if !full {
			ws.idle = append(ws.idle, next)
		}
		ws.mu.Unlock()
		if full {
			return
		}
		work = <-next
	}
}

// grow makes the stack larger than most handlers need: when it has to be moved
// after a panic, pointers in variables that are no longer in use are not adjusted.
//
//go:noinline
func grow() {
	var room [32 << 10]byte
	runtime.KeepAlive(&room)
}
