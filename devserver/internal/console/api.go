package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// maxEvals run at a time, one of each failure: an evaluation runs code of
	// the app in the app.
	maxEvals = 4

	// maxLooks is the same for what only reads.
	maxLooks = 8

	// longestCall is when the context of a call ends that has no shorter limit
	// of its own.
	longestCall = 30 * time.Second

	// maxAnswer is more than any page can show.
	maxAnswer = 4 << 20
)

// scripted refuses what did not come from the script of devrun's own page. The
// gate has seen r before; this is what a page need not do and a script must.
func scripted(w http.ResponseWriter, r *http.Request) bool {
	one := func(name string, allowed ...string) bool {
		values := r.Header.Values(name)
		return len(values) == 1 && slices.Contains(allowed, values[0])
	}
	absent := func(name string) bool { return len(r.Header.Values(name)) == 0 }
	switch {
	case r.Method == http.MethodPost && absent("Origin"), // present ones the gate has compared
		!absent("Sec-Fetch-Site") && !one("Sec-Fetch-Site", "same-origin"),
		!absent("Sec-Fetch-Mode") && !one("Sec-Fetch-Mode", "cors", "same-origin"),
		!absent("Sec-Fetch-Dest") && !one("Sec-Fetch-Dest", "empty"),
		!one("X-Devrun", "1"):
		refuse(w, http.StatusForbidden, "refused", "devrun answers this only to the script of its own page")
	case r.Method == http.MethodPost && (!one("Content-Type", "application/json") || !absent("Content-Encoding")):
		refuse(w, http.StatusUnsupportedMediaType, "refused", "devrun takes application/json here, and nothing else")
	default:
		return true
	}
	return false
}

// enabled is scripted, and refuses where nobody can have the PIN.
func (c *Console) enabled(w http.ResponseWriter, r *http.Request) bool {
	if !scripted(w, r) {
		return false
	}
	if !c.cfg.Enabled {
		refuse(w, http.StatusForbidden, "off", "the console is off, because devrun has no terminal to show its PIN in; start devrun in a terminal to turn it on")
	}
	return c.cfg.Enabled
}

// trusted lets sessions through, and says nothing to others that depends on
// what they asked for.
func (c *Console) trusted(w http.ResponseWriter, r *http.Request) bool {
	if !c.enabled(w, r) {
		return false
	}
	if c.trust.holds(r) {
		return true
	}
	c.asked.do()
	left := c.pin.left()
	if left == 0 {
		reply(w, http.StatusForbidden, refusal{Error: lockedOut, Code: "locked", Left: &left})
		return false
	}
	reply(w, http.StatusForbidden, refusal{Error: "the console wants the PIN that devrun shows in its terminal", Code: "pin", Left: &left})
	return false
}

const lockedOut = "too many wrong PINs: the terminal of devrun says how to get a new one"

func (c *Console) serveUnlock(w http.ResponseWriter, r *http.Request) {
	if !c.enabled(w, r) {
		return
	}
	var q struct {
		PIN *string `json:"pin"`
	}
	if !read(w, r, &q) {
		return
	}
	if q.PIN == nil {
		badRequest(w, "pin is missing")
		return
	}
	digits, ok := typed(*q.PIN)
	if !ok {
		badRequest(w, "the PIN is nine digits")
		return
	}
	switch v, left, last := c.pin.try(digits); v {
	case right:
		reply(w, http.StatusOK, struct {
			Token string `json:"token"`
		}{c.trust.grant()})
	case locked:
		reply(w, http.StatusTooManyRequests, refusal{Error: lockedOut, Code: "locked", Left: &left})
	default:
		if last && c.cfg.Locked != nil {
			c.cfg.Locked()
		}
		reply(w, http.StatusForbidden, refusal{Error: "this is not the PIN", Code: "pin", Left: &left})
	}
}

// asks serves the questions of one kind, which sessions may ask and which have what is
// wanted. One of a kind is under way for a failure, so a release goes ahead while an
// evaluation runs: it is how to end a failure whose evaluation does not end.
func (c *Console) asks(s *slots, kind string, wanted want, call func(context.Context, question) (any, error)) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		var q question
		if !c.trusted(w, r) || !read(w, r, &q) || !q.ok(w, wanted) {
			return
		}
		c.run(w, r, s, kind+" "+*q.Failure, func(ctx context.Context) (any, error) { return call(ctx, q) })
	}
}

// questions are the addresses of what is asked of a failure.
func (c *Console) questions() map[string]func(http.ResponseWriter, *http.Request) {
	b := c.cfg.Backend
	return map[string]func(http.ResponseWriter, *http.Request){
		"/api/eval": c.asks(c.evals, "eval", wantFrame|wantSrc, func(ctx context.Context, q question) (any, error) {
			return b.Eval(ctx, *q.Failure, *q.Frame, *q.Src)
		}),
		"/api/complete": c.asks(c.looks, "complete", wantFrame|wantSrc|wantPos, func(ctx context.Context, q question) (any, error) {
			return b.Complete(ctx, *q.Failure, *q.Frame, *q.Src, *q.Pos)
		}),
		"/api/reveal": c.asks(c.looks, "reveal", wantFrame|wantPath, func(ctx context.Context, q question) (any, error) {
			return b.Reveal(ctx, *q.Failure, *q.Frame, q.Path)
		}),
		"/api/field": c.asks(c.looks, "field", wantPart|wantPath, func(ctx context.Context, q question) (any, error) {
			return b.Field(ctx, *q.Failure, *q.Part, q.Path)
		}),
		"/api/more": c.asks(c.looks, "more", wantFrame|wantPath|wantFrom, func(ctx context.Context, q question) (any, error) {
			return b.More(ctx, *q.Failure, *q.Frame, q.Path, *q.From)
		}),
		"/api/release": c.asks(c.looks, "release", 0, func(_ context.Context, q question) (any, error) {
			return struct{}{}, b.Release(*q.Failure)
		}),
	}
}

// serveState tells the page what has become of its failure and of the app. That
// is on the page itself, which is read without the PIN.
func (c *Console) serveState(w http.ResponseWriter, r *http.Request, failure string) {
	if !scripted(w, r) {
		return
	}
	c.run(w, r, nil, failure, func(context.Context) (any, error) {
		state, ok := c.cfg.Backend.State(failure)
		if !ok {
			return nil, ErrUnknown
		}
		return state, nil
	})
}

// run calls the backend and answers with what it says. With slots, one call of
// the key is under way at a time.
func (c *Console) run(w http.ResponseWriter, r *http.Request, s *slots, key string, call func(context.Context) (any, error)) {
	if s != nil {
		if !s.take(key) {
			refuse(w, http.StatusTooManyRequests, "busy", "one is running; wait until it has ended")
			return
		}
		defer s.give(key)
	}
	defer busy(r)()
	ctx, cancel := context.WithTimeout(r.Context(), longestCall)
	defer cancel()
	value, err := guarded(ctx, call)
	var gone Gone
	switch {
	case err == nil:
		reply(w, http.StatusOK, value)
	case errors.As(err, &gone):
		refuse(w, http.StatusGone, "gone", gone.Why)
	case errors.Is(err, ErrUnknown):
		refuse(w, http.StatusNotFound, "unknown", err.Error())
	case errors.Is(err, ErrFrame):
		badRequest(w, err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		refuse(w, http.StatusGatewayTimeout, "failed", err.Error())
	default:
		refuse(w, http.StatusUnprocessableEntity, "failed", err.Error())
	}
}

// guarded makes an error of a panic: a fault of devrun's own is told to the
// person who asked, and ends nothing else.
func guarded(ctx context.Context, call func(context.Context) (any, error)) (value any, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("devrun itself failed at this: %v", v)
		}
	}()
	return call(ctx)
}

// slots bounds what is under way, in all and by key.
type slots struct {
	limit int

	mu    sync.Mutex
	taken map[string]bool
}

func newSlots(limit int) *slots { return &slots{limit: limit, taken: map[string]bool{}} }

func (s *slots) take(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[key] || len(s.taken) == s.limit {
		return false
	}
	s.taken[key] = true
	return true
}

func (s *slots) give(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.taken, key)
}
