package page

import (
	"bytes"
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"devrun/devserver/internal/wire"
)

// policy allows what the pages are made of and nothing else. The icon is a data:
// image; the reload script needs connect-src and worker-src.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; worker-src 'self'; " +
	"img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// answer is one page in all its forms.
type answer struct {
	status     int
	retryAfter int // seconds, 0 for no such header
	html       []byte
	json       []byte
	markdown   string
	text       string
	snippet    func(method string) string
	policy     string // "" is the one of all pages
	failure    string // address, for the header
	script     bool   // gets no html
	varies     bool   // with who asks, too
}

func (a *answer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var mime string
	var body []byte
	switch negotiate(r.Header.Values("Accept"), a.script) {
	case asHTML:
		mime, body = "text/html; charset=utf-8", a.withSnippet(r.Method)
	case asOwnJSON:
		mime, body = ownJSON, a.json
	case asJSON:
		mime, body = "application/json", a.json
	case asMarkdown:
		mime, body = "text/markdown; charset=utf-8", []byte(a.markdown)
	default:
		mime, body = "text/plain; charset=utf-8", []byte(a.text)
	}
	h := w.Header()
	h.Set("Content-Type", mime)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Vary", "Accept")
	if a.varies {
		h.Set("Vary", "Accept, "+strings.Join(wire.WhoAsks, ", "))
	}
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", cmp.Or(a.policy, policy))
	h.Set("X-Robots-Tag", "noindex")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	guard(h)
	if a.failure != "" {
		h.Set(wire.FailureHeader, a.failure)
	}
	if a.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(a.retryAfter))
	}
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client is gone: nobody is left to be told
	}
}

// guard sets what pages and assets have in common: other origins get nothing out
// of them.
func guard(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

func (a *answer) withSnippet(method string) []byte {
	head, tail, _ := bytes.Cut(a.html, []byte(slot))
	tag := ""
	if a.snippet != nil {
		tag = a.snippet(method)
	}
	return bytes.Join([][]byte{head, []byte(tag), tail}, nil)
}

type form uint8

const (
	asText form = iota
	asMarkdown
	asJSON
	asOwnJSON
	asHTML
)

// ownJSON is devrun's name for the JSON of its pages: who asks for application/json
// means the app's.
const ownJSON = "application/vnd.devrun+json"

// ByName tells whether the Accept headers ask for a form that apps do not have, so that
// it is devrun's which is wanted.
func ByName(h http.Header) bool {
	as := negotiate(h.Values("Accept"), false)
	return as == asOwnJSON || as == asMarkdown
}

// negotiate picks the form that the Accept headers like best. Of those liked
// equally html comes first, then JSON, then Markdown: a client that names text/html
// at all is most often a browser. A wildcard means "anything", which for what is
// no browser is plain text, and so is html for a script.
func negotiate(accept []string, script bool) form {
	best, bestQ := asText, 0.0
	for item := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		name, params, _ := strings.Cut(item, ";")
		f := formOf(strings.ToLower(strings.TrimSpace(name)))
		q := quality(params)
		if q > bestQ || q == bestQ && q > 0 && f > best {
			best, bestQ = f, q
		}
	}
	if best == asHTML && script {
		return asText
	}
	return best
}

func formOf(mime string) form {
	switch {
	case mime == "text/html", mime == "application/xhtml+xml":
		return asHTML
	case mime == ownJSON:
		return asOwnJSON
	case mime == "application/json", mime == "text/json", strings.HasPrefix(mime, "application/") && strings.HasSuffix(mime, "+json"):
		return asJSON
	case mime == "text/markdown", mime == "text/x-markdown":
		return asMarkdown
	}
	return asText
}

func quality(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil || !(q >= 0 && q <= 1) {
				return 0
			}
			return q
		}
	}
	return 1
}
