package page

import (
	"net/http"
	"time"
)

// waitRefresh is how long, in seconds, a browser waits before it asks again; the
// new request is then held in its turn.
const waitRefresh = 2

func (p *Pages) waiting(since time.Time, what string) *answer {
	what = visible(what)
	waited := lasting(time.Since(since))
	return &answer{
		status:     http.StatusServiceUnavailable,
		retryAfter: waitRefresh,
		html: p.render(page{
			Kind: "plain", Title: what, State: "work", Label: "under way", Status: "waiting",
			Refresh: waitRefresh,
			Tag:     "waiting", Kick: []string{"for " + waited}, At: since,
			Text: cut(what, 2000),
			Why:  []prose{say("The request was held, but the app is not ready yet. This page asks again by itself.")},
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

func (p *Pages) gone(sentence string) *answer {
	sentence = visible(sentence)
	return &answer{
		status: http.StatusBadGateway,
		html: p.render(page{
			Kind: "plain", Title: cut(sentence, 2000), State: "bad", Label: "no answer", Status: "no answer",
			Tag: "no answer", At: time.Now(),
			Text: cut(sentence, 2000),
			Why:  []prose{say("This page reloads by itself after the next save.")},
		}),
		json: encodeJSON(struct {
			Kind  string `json:"kind"` // "gone"
			Error string `json:"error"`
		}{"gone", sentence}),
		markdown: "## no answer\n\n" + indent(sentence),
		text:     sentence + "\n",
		snippet:  p.app.Snippet,
	}
}
