// Package reload tells the pages that are open in browsers what became of the
// app: the event stream, the script in every page that listens to it, and the
// shared worker through which all pages of a browser share one connection.
//
// Its promises: a page reloads once for each swap it missed or saw, whether it
// listened, slept, lay in the back/forward cache or outlived devrun; it never
// reloads in a loop; an edited stylesheet is exchanged in place; publishing
// never waits for a browser; an event carries no source and no path but the
// base names of changed assets.
package reload

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"slices"
	"sync"
)

// maxClients is far more browsers than one developer has, and few enough that
// a page which opens streams without end costs no memory worth naming.
const maxClients = 1000

// Hub knows which version of the app is being served, and who wants to hear of
// the next.
type Hub struct {
	mu      sync.Mutex
	now     state     // as published
	serving int       // the generation that pages come from, if it is newer
	edited  names     // assets that were published since New
	clients []*client // in order of arrival
	stale   names     // hosts of pages that stay old
	closed  bool

	pending pending

	// Notice, unless nil, is told what the user should know, one line, from any goroutine.
	Notice func(string)
}

// state is what a page has to know to be up to date.
type state struct {
	Run        string `json:"run"`
	Generation int    `json:"generation"`
	Revision   int    `json:"revision"` // of the generation: assets edited, process died or restarted
	Styles     int    `json:"styles"`   // stylesheet edits published
	Building   bool   `json:"building"`
}

// New returns the hub of one run of devrun. The run is a random word of letters
// and digits: pages that remember another one are out of date.
func New(run string) *Hub {
	return &Hub{now: state{Run: run}, edited: names{}, stale: names{}}
}

// Serving says that pages come from generation from now on; it tells no page.
// Called before the first request is let through to the new process, it keeps
// the pages that were held for it from reloading when the generation is
// published. A generation that is not newer changes nothing.
func (h *Hub) Serving(generation int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.serving = max(h.serving, generation)
}

// Snippet returns the script tag for a page that answers a request of method now,
// the same in HTML and XHTML. The nonce is that of the page's
// Content-Security-Policy, "" if it has none.
func (h *Hub) Snippet(method, nonce string) string {
	h.mu.Lock()
	version := fmt.Sprintf("%s.%d", h.now.Run, max(h.now.Generation, h.serving))
	if h.now.Generation >= h.serving && h.now.Revision > 0 {
		version += fmt.Sprintf(".%d", h.now.Revision)
	}
	more := ""
	if h.now.Styles > 0 {
		more = fmt.Sprintf(` data-styles="%d"`, h.now.Styles)
	}
	h.mu.Unlock()
	if method != http.MethodGet && method != http.MethodHead {
		more += ` data-posted=""`
	}
	if nonce != "" {
		nonce = ` nonce="` + html.EscapeString(nonce) + `"`
	}
	return `<script src="` + root + `reload.js" data-devrun="` + html.EscapeString(version) + `"` + more + ` defer=""` + nonce + `></script>`
}

// Publish tells every page of e and returns at once; a browser that is slow
// hears of the newest state only.
//
// A Reload or Failed of a generation that was not published before makes the
// pages of older generations reload. Of one that was, or of none (0), it makes
// all pages reload: an asset was edited, or the same process came or went.
func (h *Hub) Publish(e Event) {
	h.mu.Lock()
	switch e.Kind {
	case Reload, Failed:
		if e.Generation > h.now.Generation {
			h.now.Generation, h.now.Revision = e.Generation, 0
		} else {
			if h.serving > h.now.Generation {
				h.now.Generation, h.now.Revision = h.serving, 0
			}
			h.now.Revision++
		}
		h.now.Building = false
	case CSS:
		h.now.Styles++
	case Building:
		h.now.Building = true
	}
	maps.Copy(h.edited, baseNames(e.Paths))
	for _, c := range h.clients {
		c.news.add(e)
	}
	clients := slices.Clone(h.clients)
	h.mu.Unlock()
	for _, c := range clients {
		select {
		case c.wake <- struct{}{}:
		default: // it has not yet taken what was there before
		}
	}
}

// Close ends all streams; their browsers come back until another run answers.
func (h *Hub) Close() {
	h.mu.Lock()
	clients := h.clients
	h.clients, h.closed = nil, true
	h.mu.Unlock()
	for _, c := range clients {
		close(c.gone)
	}
}

// client is one stream. Its news belong to the hub's lock.
type client struct {
	wake chan struct{} // holds one
	gone chan struct{} // closed when the hub has dropped it
	news news
}

// join adds a client and drops the oldest if there are too many; it returns
// false once the hub is closed. What the client takes first is where things
// stand.
func (h *Hub) join() (*client, bool) {
	c := &client{wake: make(chan struct{}, 1), gone: make(chan struct{}), news: news{hello: true}}
	c.wake <- struct{}{}
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil, false
	}
	var oldest *client
	if len(h.clients) == maxClients {
		oldest = h.clients[0]
		h.clients = slices.Delete(h.clients, 0, 1)
	}
	h.clients = append(h.clients, c)
	h.mu.Unlock()
	if oldest != nil {
		close(oldest.gone)
	}
	return c, true
}

func (h *Hub) leave(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clients = slices.DeleteFunc(h.clients, func(other *client) bool { return other == c })
}

// take empties c's mailbox into messages to send.
func (h *Hub) take(c *client) []message {
	h.mu.Lock()
	defer h.mu.Unlock()
	messages := c.news.messages(h.now, h.edited)
	c.news = news{}
	return messages
}
