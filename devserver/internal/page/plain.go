package page

import (
	"net/http"
	"time"

	"devrun/devserver/internal/fault"
)

// waitRefresh is how long, in seconds, a browser waits before it asks again; the
// new request is then held in its turn.
const waitRefresh = 2

func (p *Pages) waiting(since time.Time, what string, again bool) *answer {
	what = visible(what)
	waited := lasting(time.Since(since))
	refresh, next := 0, "It has not reached the app. Reload this page to send it again."
	if again {
		refresh, next = waitRefresh, "This page asks again by itself."
	}
	return &answer{
		status:     http.StatusServiceUnavailable,
		retryAfter: waitRefresh,
		html: p.render(page{
			Kind: "plain", Title: what, State: "work", Label: "under way", Status: "waiting",
			Refresh: refresh,
			Tag:     "waiting", Kick: []string{"for " + waited}, At: since,
			Text: fault.Cut(what, 2000),
			Why:  []fault.Prose{fault.Say("The request was held, but the app is not ready yet. " + next)},
		}),
		json: encodeJSON(struct {
			Kind  string    `json:"kind"` // "waiting"
			Error string    `json:"error"`
			Since time.Time `json:"since"`
		}{"waiting", what, since}),
		markdown: "## waiting for " + waited + "\n\n" + indent(what),
		text:     what + ", waiting for " + waited + "; ask again\n",
		snippet:  p.app.Snippet,
	}
}
