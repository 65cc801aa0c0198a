package proxy

import (
	"context"
	"net/http"
	"time"
)

// state is what becomes of a request now. It never changes; it is replaced.
//
//	holding     page == nil, app == nil
//	forwarding  page == nil, app != nil
//	answering   page != nil, app == nil if there is none
type state struct {
	page http.Handler
	app  *upstream

	over context.Context // ends when the state is replaced, and with the Front
	end  context.CancelFunc
}

func (s *state) holding() bool { return s.page == nil && s.app == nil }

// leave lets the app's idle connections go, so that a graceful shutdown of it
// waits for none. Those in use are not kept afterwards.
func (s *state) leave() {
	if s.app != nil {
		s.app.leave()
	}
}

// Hold makes new requests and connections wait. Those under way go on.
func (f *Front) Hold() {
	if !f.state.Load().holding() {
		f.enter(f.newState(nil, ""))
	}
}

// Forward sends requests and connections to the app at addr, a host:port; what
// was held goes first. Nothing that comes later is answered by the app before.
func (f *Front) Forward(addr string) { f.enter(f.newState(nil, addr)) }

// Answer has h answer the requests of people and plain clients. What an open
// page of the app asks for by itself, and connections that are not HTTP, go to
// the app at addr if it still runs; with addr "" h answers every request and
// those connections are closed.
func (f *Front) Answer(h http.Handler, addr string) { f.enter(f.newState(h, addr)) }

func (f *Front) newState(page http.Handler, addr string) *state {
	s := &state{page: page}
	s.over, s.end = context.WithCancel(f.root)
	if addr != "" {
		s.app = newUpstream(addr, s.over, f.tenure.Load())
		if f.opts.Lost != nil {
			s.app.lost = f.opts.Lost()
		}
	}
	return s
}

func (f *Front) enter(s *state) {
	old := f.state.Swap(s)
	old.end()
	old.leave()
}

// await returns the state as soon as it is not holding; false when that took
// until deadline, and an error when ctx or the Front ended before.
func (f *Front) await(ctx context.Context, deadline time.Time) (*state, bool, error) {
	var expired <-chan time.Time
	for {
		s := f.state.Load()
		if !s.holding() {
			return s, true, nil
		}
		if expired == nil {
			expired = time.After(time.Until(deadline))
		}
		select {
		case <-s.over.Done():
			if err := f.root.Err(); err != nil {
				return nil, false, err
			}
		case <-expired:
			return nil, false, nil
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
}
