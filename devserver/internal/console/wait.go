package console

import (
	"context"
	"crypto/sha256"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// waitPrefix is where pages on the app's address wait. It is the one address
	// that any page may ask, and the one whose answer is empty.
	waitPrefix = "/wait/"

	// maxWaiting is more tabs than anybody has with failures in them.
	maxWaiting = 200

	// maxWaits bounds the tokens; the oldest is forgotten first.
	maxWaits = 1000

	// maxWait is how long a request is held: a tab that nobody closes asks anew.
	maxWait = 10 * time.Minute
)

// waits is who waits for the next generation.
type waits struct {
	longest time.Duration

	mu         sync.Mutex
	generation int  // the newest that was told
	broken     bool // the newest save does not compile
	tokens     map[digest]int
	failures   []waited // in the order in which they came
	waiting    []*waiter
	closed     bool
}

type waited struct {
	failure, token string
}

// waiter is one request that is held. over holds one: whether what it waits for
// has come.
type waiter struct {
	generation int
	news       string // one of the suffixes
	over       chan bool
}

// What an address of a wait may end with, behind its token.
const (
	newer  = ""        // a newer generation answers
	broken = "/broken" // the newest save does not compile
	whole  = "/whole"  // it does
)

func newWaits() *waits { return &waits{longest: maxWait, tokens: map[digest]int{}} }

// token is the unguessable name under which pages wait with a failure of the
// given generation, the same for the same failure.
func (s *waits) token(failure string, generation int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.failures {
		if w.failure == failure {
			return w.token
		}
	}
	if len(s.failures) == maxWaits {
		delete(s.tokens, sha256.Sum256([]byte(s.failures[0].token)))
		s.failures = slices.Delete(s.failures, 0, 1)
	}
	w := waited{failure, randomToken(tokenBytes)}
	s.failures = append(s.failures, w)
	s.tokens[sha256.Sum256([]byte(w.token))] = generation
	return w.token
}

// has says whether what w waits for has come. s is locked.
func (s *waits) has(w *waiter) bool {
	switch w.news {
	case broken:
		return s.broken
	case whole:
		return !s.broken
	}
	return w.generation < s.generation
}

// tell changes what is known, and lets those go who wait for it.
func (s *waits) tell(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	s.waiting = slices.DeleteFunc(s.waiting, func(w *waiter) bool {
		if !s.has(w) {
			return false
		}
		w.over <- true
		return true
	})
}

func (s *waits) notify(generation int) {
	s.tell(func() { s.generation = max(s.generation, generation) })
}

func (s *waits) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, w := range s.waiting {
		w.over <- false
	}
	s.waiting = nil
}

// join returns nil for a token that is not known.
func (s *waits) join(token, news string) *waiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	generation, ok := s.tokens[sha256.Sum256([]byte(token))]
	if !ok {
		return nil
	}
	w := &waiter{generation, news, make(chan bool, 1)}
	switch {
	case s.has(w):
		w.over <- true
	case s.closed:
		w.over <- false
	default:
		if len(s.waiting) == maxWaiting {
			s.waiting[0].over <- false
			s.waiting = slices.Delete(s.waiting, 0, 1)
		}
		s.waiting = append(s.waiting, w)
	}
	return w
}

func (s *waits) leave(w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = slices.DeleteFunc(s.waiting, func(other *waiter) bool { return other == w })
}

// wait holds a request and reports whether there is the news for its page.
func (s *waits) wait(ctx context.Context, w *waiter) bool {
	defer s.leave(w)
	longest := time.NewTimer(s.longest)
	defer longest.Stop()
	select {
	case reload := <-w.over:
		return reload
	case <-ctx.Done():
	case <-longest.C:
	}
	return false
}

// serveWait answers 204 when there is the news that the page waits for. Only that answer may be
// had by other origins, so for a page every other one is an error of the
// network, after which it asks again.
func (c *Console) serveWait(w http.ResponseWriter, r *http.Request, token, news string) {
	waiter := c.waits.join(token, news)
	if waiter == nil {
		notFound(w)
		return
	}
	defer busy(r)()
	if !c.waits.wait(r.Context(), waiter) {
		refuse(w, http.StatusServiceUnavailable, "again", "nothing has changed, or too many pages wait; ask again")
		return
	}
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	writeSoon(w)
	w.WriteHeader(http.StatusNoContent)
}
