package reload

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// root is the path below which everything of devrun's own lives.
	root = "/__devrun/"

	// pingEvery is how long a browser that vanished without a word may hold a
	// stream; no browser or proxy on the way gives up on a silent one so soon.
	pingEvery = 15 * time.Second

	// writeWait is how long a browser may leave its socket full before its
	// stream is cut: it comes back and catches up when it reads again.
	writeWait = 10 * time.Second

	// comeBack is the pause in milliseconds before a browser opens a lost stream
	// again: short, so that a devrun which was restarted finds its pages at once.
	comeBack = 200

	// comeBackLater is the same for a browser that had to make room: were all of
	// them to return at once they would push each other out without end.
	comeBackLater = 5000
)

//go:embed reload.js
var pageScript []byte

//go:embed worker.js
var workerScript []byte

// Handler serves the two scripts, the event stream and what pages ask by their exact
// paths below /__devrun/ and nothing else. It expects the gate in front of it, and
// nothing behind it that buffers.
func (h *Hub) Handler() http.Handler {
	page, worker := script(pageScript), script(workerScript)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		switch r.URL.Path {
		case root + "reload.js":
			page(w, r)
		case root + "worker.js":
			worker(w, r)
		case root + "events":
			h.events(w, r)
		case root + "pending":
			h.pending.ServeHTTP(w, r)
		case root + "stale":
			h.tellStale(r.Host)
		default:
			http.NotFound(w, r)
		}
	})
}

func script(source []byte) http.HandlerFunc {
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256(source))
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(source))
	}
}

// events is one stream, until the browser, the hub or the connection ends it.
func (h *Hub) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		return
	}
	c, ok := h.join()
	if !ok {
		http.Error(w, "devrun is stopping", http.StatusServiceUnavailable)
		return
	}
	defer h.leave(c)
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()

	out := sender{w: w, control: http.NewResponseController(w)}
	out.send("retry: %d\n\n", comeBack)
	for out.err == nil {
		select {
		case <-r.Context().Done():
			return
		case <-c.gone:
			out.send(": closed to make room for a newer stream, or because devrun stops\nretry: %d\n\n", h.pause())
			return
		case <-ping.C:
			out.send(": ping\n\n")
		case <-c.wake:
			for _, m := range h.take(c) {
				data, err := json.Marshal(m)
				if err != nil {
					panic(err) // a message holds strings and numbers only
				}
				out.send("data: %s\n\n", data)
			}
		}
	}
}

// maxStale bounds the hosts that are remembered; any name below localhost is one.
const maxStale = 16

// tellStale notices, once for each host, that a page there stays old.
func (h *Hub) tellStale(host string) {
	h.mu.Lock()
	known := h.stale[host] || len(h.stale) == maxStale
	if !known {
		h.stale[host] = true
	}
	h.mu.Unlock()
	if !known && h.Notice != nil {
		h.Notice("the app's service worker answers pages of http://" + host + " and keeps them old: the browser's console says more")
	}
}

// pause is how many milliseconds a dropped browser shall stay away.
func (h *Hub) pause() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return comeBack
	}
	return comeBackLater
}

// sender writes at once, and not at all after the first error: then the
// connection is lost, and the browser knows better than anyone what to do.
type sender struct {
	w       io.Writer
	control *http.ResponseController
	err     error
}

func (s *sender) send(format string, args ...any) {
	if s.err != nil {
		return
	}
	if err := s.control.SetWriteDeadline(time.Now().Add(writeWait)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		s.err = err
		return
	}
	if _, s.err = fmt.Fprintf(s.w, format, args...); s.err == nil {
		s.err = s.control.Flush()
	}
}
