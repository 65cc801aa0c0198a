package devserver

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/proxy"
)

// servedWait is how long a request that the app dropped waits for what net/http logs
// of a panic. It was written before the connection was closed, so only the copying of
// stderr is waited for; a connection that is closed for another reason waits in vain.
const servedWait = 500 * time.Millisecond

// goneUnhooked is why nothing can be evaluated in an app without the hook.
const goneUnhooked = "Without devrun's hook failed requests are not parked, so nothing can be evaluated."

// cut closes the connection of a request, as the app did.
var cut = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })

// lost explains the connections that the present app closes without an answer; one
// with the hook answers for its panics itself. Without pages the client's is closed, too.
func (l *loop) lost() proxy.Lost {
	a := l.process.any()
	switch {
	case a == nil:
		return nil
	case !a.binary.Hooked() && l.cfg.NoPages:
		note := l.explains(a)
		return func(r *http.Request, peer string) http.Handler {
			note(r, peer)
			return cut
		}
	case !a.binary.Hooked():
		return l.explains(a)
	case l.cfg.NoPages:
		return func(*http.Request, string) http.Handler { return cut }
	}
	return nil
}

// explains makes a failure of what an app without the hook logs.
func (l *loop) explains(a *app) proxy.Lost {
	return func(r *http.Request, peer string) http.Handler {
		ctx, cancel := context.WithTimeout(r.Context(), servedWait)
		defer cancel()
		message, g, ok := a.served(ctx, peer)
		if !ok {
			return nil
		}
		var page func() http.Handler
		if !l.queue.doFor(r.Context(), func() { page = l.failures.served(a, r, message, g) }) {
			return nil
		}
		return page()
	}
}

// served waits until net/http has logged the panic of the request from peer.
func (a *app) served(ctx context.Context, peer string) (message string, g fault.Goroutine, ok bool) {
	for {
		lines, more := a.proc.Stderr()
		if message, g, ok = fault.ParseServed(lines, peer); ok || more == nil {
			return message, g, ok
		}
		select {
		case <-more:
		case <-ctx.Done():
			return "", fault.Goroutine{}, false
		}
	}
}

// served notes a failure that is known from stderr alone and returns what makes its
// page, which reads files and is not for the loop.
func (s *failures) served(a *app, r *http.Request, message string, g fault.Goroutine) func() http.Handler {
	f := &failure{
		Failure: fault.Failure{
			Generation: a.gen, Built: a.binary.Built, Pid: a.proc.Pid(),
			How: fault.Panicked, Message: message, Goroutine: g.ID, Request: servedRequest(r),
			Gone: goneUnhooked,
		},
		late: true,
	}
	for _, fr := range g.Frames {
		f.Calls = append(f.Calls, fault.Call{Frame: fr})
	}
	s.record(f)
	s.examined(f, examined{said: fault.Redacted(f.Failure).Message, err: unhooked(a.binary)})
	data, at := f.Failure, s.awayPlace(f, r)
	return func() http.Handler { return s.visitors(s.pages.Failed(data, at)) }
}

// servedRequest is the request as the proxy has it: what the app parsed of its body, and
// which of its routes it took, nobody has told.
func servedRequest(r *http.Request) fault.Request {
	q := fault.Request{
		Method: r.Method, URI: r.RequestURI, Proto: r.Proto, Host: r.Host, Remote: r.RemoteAddr,
	}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		q.Header = append(q.Header, fault.Field{Name: name, Values: r.Header[name]})
	}
	return q
}
