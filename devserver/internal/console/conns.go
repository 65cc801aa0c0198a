package console

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
)

// maxConns leaves room beside all that may wait for a developer's own tabs.
const maxConns = maxWaiting + 200

// conns bounds the connections. When there are too many the oldest on which
// nothing is under way makes room, so that whoever opens connections and says
// nothing keeps nobody out.
type conns struct {
	limit int

	mu   sync.Mutex
	open []*conn // oldest first
	wg   sync.WaitGroup
}

type conn struct {
	net  net.Conn
	all  *conns
	busy bool // belongs to the lock of all
}

type connKey struct{}

func newConns(limit int) *conns { return &conns{limit: limit} }

// enter counts a connection that was accepted.
func (s *conns) enter(ctx context.Context, c net.Conn) context.Context {
	own := &conn{net: c, all: s}
	s.wg.Add(1) // before Serve returns, so this cannot race with Wait
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = append(s.open, own)
	if len(s.open) > s.limit {
		i := slices.IndexFunc(s.open, func(c *conn) bool { return !c.busy })
		s.open[i].net.Close() // if all others are busy it is the new one
		s.open = slices.Delete(s.open, i, i+1)
	}
	return context.WithValue(ctx, connKey{}, own)
}

func (s *conns) state(c net.Conn, state http.ConnState) {
	if state != http.StateClosed {
		return
	}
	s.mu.Lock()
	s.open = slices.DeleteFunc(s.open, func(own *conn) bool { return own.net == c })
	s.mu.Unlock()
	s.wg.Done()
}

func (s *conns) wait() { s.wg.Wait() }

// busy says that something is under way for r, until the function it returns
// is called.
func busy(r *http.Request) (done func()) {
	c := r.Context().Value(connKey{}).(*conn)
	set := func(to bool) {
		c.all.mu.Lock()
		defer c.all.mu.Unlock()
		c.busy = to
	}
	set(true)
	return func() { set(false) }
}
