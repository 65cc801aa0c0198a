package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	// bodyWait is for a body of at most maxBody from the same machine.
	bodyWait = 5 * time.Second

	// writeWait is how long a browser may leave an answer lying.
	writeWait = 30 * time.Second

	// maxWord is longer than any identifier of a failure or token.
	maxWord = 64
)

// route is what there is at an address.
type route struct {
	methods []string
	public  bool // any page may ask: the answer is empty
	serve   func(w http.ResponseWriter, r *http.Request)
}

var reading = []string{http.MethodGet, http.MethodHead}

// addresses are those that are one address each.
func (c *Console) addresses() map[string]route {
	all := map[string]route{}
	for path, serve := range map[string]func(http.ResponseWriter, *http.Request){
		"/": hand(c.cfg.Pages), "/failures/": hand(c.cfg.Pages),
		"/__devrun/page.css": hand(c.cfg.Assets), "/__devrun/page.js": hand(c.cfg.Assets), "/__devrun/failure.js": hand(c.cfg.Assets),
		"/__devrun/saves.css": hand(c.cfg.Assets), "/__devrun/mail.css": hand(c.cfg.Assets), "/__devrun/mail.js": hand(c.cfg.Assets),
	} {
		all[path] = route{methods: reading, serve: serve}
	}
	asked := c.questions()
	asked["/api/unlock"] = c.serveUnlock
	for path, serve := range asked {
		all[path] = route{methods: []string{http.MethodPost}, serve: serve}
	}
	return all
}

// find knows all addresses there are, letter by letter as they stand on the
// request line. Nothing is cleaned or decoded, so nothing can be meant by one
// part of devrun that is not meant by the other.
func (c *Console) find(r *http.Request) (route, bool) {
	path, _, queried := strings.Cut(r.RequestURI, "?")
	if queried && (strings.HasPrefix(path, "/api/") || path == mailDelete || strings.HasPrefix(path, waitPrefix)) {
		return route{}, false
	}
	if fixed, ok := c.fixed[path]; ok {
		return fixed, true
	}
	if _, ok := within(path, "/failures/", ""); ok {
		return route{methods: reading, serve: c.serveFailure}, true
	}
	if c.cfg.Mail != nil && (path == mailPrefix || isMail(path)) {
		if path == mailDelete {
			return route{methods: []string{http.MethodPost}, serve: c.serveMailDelete}, true
		}
		return route{methods: reading, serve: hand(c.cfg.Mail)}, true
	}
	if word, ok := within(path, "/api/failures/", "/state"); ok {
		return route{methods: []string{http.MethodGet}, serve: func(w http.ResponseWriter, r *http.Request) { c.serveState(w, r, word) }}, true
	}
	for _, news := range []string{newer, broken, whole} {
		if word, ok := within(path, waitPrefix, news); ok {
			return route{methods: []string{http.MethodGet}, public: true, serve: func(w http.ResponseWriter, r *http.Request) { c.serveWait(w, r, word, news) }}, true
		}
	}
	return route{}, false
}

// The mailbox, if there is one.
const (
	mailPrefix = "/mail/"
	mailDelete = "/mail/delete"
)

// isMail holds for what may be below the mailbox: a mail, a part of it, a number.
func isMail(path string) bool {
	rest, ok := strings.CutPrefix(path, mailPrefix)
	words := strings.Split(rest, "/")
	return ok && len(words) <= 3 && !slices.ContainsFunc(words, func(s string) bool { return !isWord(s) })
}

// within is the word between prefix and suffix, if there is nothing else.
func within(path, prefix, suffix string) (word string, ok bool) {
	word, opened := strings.CutPrefix(path, prefix)
	word, closed := strings.CutSuffix(word, suffix)
	return word, opened && closed && isWord(word)
}

// isWord holds for what names a failure or a wait.
func isWord(s string) bool {
	return s != "" && len(s) <= maxWord && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

// serveHTTP is where every request comes in.
func (c *Console) serveHTTP(w http.ResponseWriter, r *http.Request) {
	protect(w.Header())
	if r.ContentLength != 0 {
		// Until it is read. What is left of a body is read by net/http, which
		// would wait for it.
		w.Header().Set("Connection", "close")
		http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyWait))
	}
	found, ok := c.find(r)
	asked := r
	if found.public { // how it asks is no matter, who, where and from where is
		asked = (&http.Request{Method: r.Method, Host: r.Host, RemoteAddr: r.RemoteAddr}).WithContext(r.Context())
	}
	status, reason := c.cfg.Check(asked)
	switch {
	case ok && (status == http.StatusMethodNotAllowed || status == 0 && !slices.Contains(found.methods, r.Method)):
		w.Header().Set("Allow", strings.Join(found.methods, ", "))
		refuse(w, http.StatusMethodNotAllowed, "refused", "devrun answers only "+strings.Join(found.methods, " and ")+" here")
	case status != 0:
		refuse(w, status, "refused", reason)
	case !ok:
		notFound(w)
	default:
		found.serve(w, r)
	}
}

// hand passes a page or an asset on. Its handler may loosen the
// Content-Security-Policy as far as it needs.
func hand(h http.Handler) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		defer busy(r)()
		writeSoon(w)
		h.ServeHTTP(w, r)
	}
}

// serveFailure is the page that has a console on it.
func (c *Console) serveFailure(w http.ResponseWriter, r *http.Request) {
	if c.cfg.Enabled && opened(r) && !c.trust.any() {
		c.asked.do()
	}
	hand(c.cfg.Pages)(w, r)
}

// maxMailQuestion is more than any request to delete has, in bytes.
const maxMailQuestion = 1 << 10

// serveMailDelete asks for no PIN: what it loses is a copy that devrun has made.
func (c *Console) serveMailDelete(w http.ResponseWriter, r *http.Request) {
	if !scripted(w, r) {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxMailQuestion)
	hand(c.cfg.Mail)(w, r)
}

// opened holds for what a person, and no script and no browser by itself, has
// brought into a tab.
func opened(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-User") == "?1" && r.Header.Get("Sec-Purpose") == ""
}

// protect sets what every answer carries.
func protect(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Robots-Tag", "noindex")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
}

// refusal is the answer to what is not done. Code is for the page's script:
//
//	refused  not from here, or not like this
//	off      the console is off in this run
//	pin      the PIN is wanted, or was wrong; left says how many attempts remain
//	locked   no attempt is left until there is a new PIN
//	unknown  no such address or failure
//	gone     the failure takes no more questions
//	busy     one is running
//	again    nothing to tell yet
//	failed   the question could not be answered
type refusal struct {
	Error string `json:"error"`
	Code  string `json:"code"`
	Left  *int   `json:"left,omitempty"`
}

func refuse(w http.ResponseWriter, status int, code, reason string) {
	reply(w, status, refusal{Error: reason, Code: code})
}

func notFound(w http.ResponseWriter) {
	refuse(w, http.StatusNotFound, "unknown", "devrun has nothing at this address")
}

// reply answers with JSON.
func reply(w http.ResponseWriter, status int, value any) {
	data, err := json.Marshal(value)
	if err == nil && len(data) > maxAnswer {
		err = errors.New("it is too large")
	}
	if err != nil {
		status = http.StatusInternalServerError
		data, _ = json.Marshal(refusal{Error: "devrun cannot send the answer: " + err.Error(), Code: "failed"})
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	writeSoon(w)
	w.WriteHeader(status)
	w.Write(append(data, '\n'))
}

func writeSoon(w http.ResponseWriter) {
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeWait))
}
