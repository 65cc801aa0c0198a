package reload

import (
	"net/http"
	"sync"
	"time"
)

// arriving is how long the beginning of an answer takes, at most, to make a browser
// leave the page that asked.
const arriving = 300 * time.Millisecond

// pending are the pages that browsers have asked for and do not have yet: a page that
// reloads meanwhile takes back the link that was followed, or the form that was sent.
type pending struct {
	mu    sync.Mutex
	asked int
	begun time.Time // the last answer
}

// Asked says that a page was asked for; begun is to be called once its answer has begun.
func (h *Hub) Asked() (begun func()) {
	p := &h.pending
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.asked--
		p.begun = time.Now()
	}
}

// ServeHTTP answers 200 if there are any, else 204.
func (p *pending) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	some := p.asked > 0 || time.Since(p.begun) < arriving
	p.mu.Unlock()
	w.Header().Set("Cache-Control", "no-store")
	if !some {
		w.WriteHeader(http.StatusNoContent)
	}
}
