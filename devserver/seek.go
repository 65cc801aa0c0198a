package devserver

import (
	"fmt"
	"slices"
	"time"

	"devrun/devserver/internal/proc"
	"devrun/devserver/internal/wire"
)

// seekAfter is how long an app with the hook is believed that it does not listen: nearly
// all do by then, or say so in a moment.
const seekAfter = time.Second

// seek looks for listeners that the app has made past package net, which the hook does
// not see, for as long as it has told of none. It waits before it looks, each time for
// twice as long: not every program listens.
func (l *loop) seek(a *app, wait time.Duration) {
	l.after(wait, a, func() {
		if _, ok := l.process.(starting); !ok {
			return
		}
		var found []listener
		for _, in := range a.images {
			if addr := proc.Listening(in.channel.Pid); addr != "" {
				found = append(found, listener{in, addr})
			}
		}
		if len(found) == 0 {
			l.seek(a, 2*wait)
			return
		}
		a.tells(func() { // the hook may just have been about to
			l.queue.tell(func() { l.onFound(a, found) })
		})
	})
}

// listener is one that a process was seen to have.
type listener struct {
	in   *image
	addr string
}

// onFound opens addresses of devrun's own for what the app keeps, in the order of its
// processes: requests go to the newest.
func (l *loop) onFound(a *app, found []listener) {
	if p, ok := l.process.(starting); !ok || p.app != a {
		return
	}
	said := map[string]bool{}
	for _, f := range found {
		if !slices.Contains(a.images, f.in) {
			continue // it has ended since
		}
		if !said[f.addr] {
			l.term.Notice(fmt.Sprintf("the app listens on %s past package net and keeps that address: only devrun's own waits for builds and reloads", f.addr))
		}
		said[f.addr] = true
		l.onListening(a, f.in, wire.Message{Kind: wire.Listening, Network: "tcp", Wanted: f.addr, Addr: f.addr})
	}
}
