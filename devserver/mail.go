package devserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"devrun/devserver/internal/console"
	"devrun/devserver/internal/mailbox"
	"devrun/devserver/internal/page"
	"devrun/devserver/internal/term"
)

// mail is the mailbox of a run that has one.
type mail struct {
	server *mailbox.Server
	addr   string // as the app is told it
	box    *mailbox.Box

	queue   queue
	term    *term.Terminal
	pages   *page.Pages
	console *console.Console
	now     func() (failures int, s page.State) // what is shown beside mails, from any goroutine

	// The loop's:
	quiet bool // mails that come now are told later
	more  int  // that came meanwhile

	streams atomic.Int32 // pages that follow
}

const (
	// mailPause keeps a flood of mails from being a flood of lines.
	mailPause = time.Second

	// maxStreams is more tabs than anybody has open on the mailbox.
	maxStreams = 30

	// streamWait is how long a tab may leave what it is told lying, and how often
	// one that nothing is told is found to be gone.
	streamWait = 15 * time.Second
)

// openMail takes mail at the usual address, or at another port if something else
// has that: the app is told which.
func openMail(q queue, t *term.Terminal) (*mail, error) {
	m := &mail{box: mailbox.New(), queue: q, term: t}
	received := func(msg mailbox.Message) {
		letter := m.box.Add(msg)
		m.queue.tell(func() { m.received(letter.ID, letter.Subject) })
	}
	server, err := mailbox.Listen(DefaultSMTP, mailbox.Options{}, received)
	if errors.Is(err, syscall.EADDRINUSE) {
		server, err = mailbox.Listen("localhost:0", mailbox.Options{}, received)
	}
	if err != nil {
		return nil, fmt.Errorf("listen for the app's mail: %w", err)
	}
	m.server, m.addr = server, shownAddr(DefaultSMTP, server)
	return m, nil
}

// tell is env with what tells the app where its mail goes, unless it knows or there is
// no mailbox.
func (m *mail) tell(env []string) []string {
	if m == nil || variable(env, mailServer) != "" {
		return env
	}
	host, port, err := net.SplitHostPort(m.addr)
	if err != nil {
		return env // never: it is made of the two
	}
	env = append(slices.Clip(env), mailServer+"="+host)
	if variable(env, mailPort) == "" {
		env = append(env, mailPort+"="+port)
	}
	return env
}

const (
	mailServer = "MAIL_SERVER"
	mailPort   = "MAIL_PORT"
)

// variable is the value of a variable, "" if it is empty or not there.
func variable(env []string, name string) (value string) {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			value = v // the last one counts, as in exec
		}
	}
	return value
}

// announce says where mail is taken, and what keeps that of an app with this environment
// from coming there.
func (m *mail) announce(env []string) {
	_, port, _ := net.SplitHostPort(m.addr)
	server, theirs := variable(env, mailServer), variable(env, mailPort)
	switch {
	case server != "":
		m.term.Notice(fmt.Sprintf("%s is %s, so the app's mail goes there; what is sent to %s is kept", mailServer, server, m.addr))
	case theirs != "" && theirs != port:
		m.term.Notice(fmt.Sprintf("%s is %s, so the app's mail does not come to %s; leave %s out", mailPort, theirs, m.addr, mailPort))
	default:
		m.term.MailKept(m.addr)
	}
}

// received tells of a mail, or later how many there were.
func (m *mail) received(id, subject string) {
	if m.quiet {
		m.more++
		return
	}
	m.term.NewMail(1, subject, m.console.URL()+page.MailPath(id))
	m.rest()
}

func (m *mail) rest() {
	m.quiet = true
	m.queue.after(mailPause, func() {
		m.quiet = false
		if n := m.more; n > 0 {
			m.more = 0
			m.term.NewMail(n, "", m.console.URL()+"/mail/")
			m.rest()
		}
	})
}

// handler has the pages of the mailbox, nil if there is none.
func (m *mail) handler() http.Handler {
	if m == nil {
		return nil
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /mail/{$}", func(w http.ResponseWriter, r *http.Request) { m.pages.Mailbox(m.mails()).ServeHTTP(w, r) })
	mux.HandleFunc("GET /mail/events", m.serveEvents)
	mux.HandleFunc("POST /mail/delete", m.serveDelete)
	mux.HandleFunc("GET /mail/{id}", m.serve)
	mux.HandleFunc("GET /mail/{id}/{part}", m.serve)
	mux.HandleFunc("GET /mail/{id}/attachment/{n}", m.serveAttachment)
	mux.HandleFunc("/", m.missing)
	return mux
}

func (m *mail) missing(w http.ResponseWriter, r *http.Request) {
	m.pages.MailMissing(m.mails()).ServeHTTP(w, r)
}

// mails is the mailbox as it is now.
func (m *mail) mails() page.Mails {
	p := page.Mails{SMTP: m.addr, Version: m.box.Version()} // before the list: rather too old than too new
	p.Kept, p.State = m.now()
	for _, letter := range m.box.List() {
		p.List = append(p.List, item(letter))
		if !letter.Seen {
			p.Unseen++
		}
	}
	return p
}

func item(l mailbox.Letter) page.MailItem {
	return page.MailItem{ID: l.ID, Subject: l.Subject, Sender: l.Sender, Begins: l.Begins, At: l.At, Seen: l.Seen}
}

func (m *mail) serve(w http.ResponseWriter, r *http.Request) {
	letter, ok := m.box.Look(r.PathValue("id"))
	if !ok {
		m.missing(w, r)
		return
	}
	switch part := r.PathValue("part"); part {
	case "", "text", "html", "headers", "raw":
		m.pages.Mail(mailOf(letter), part, m.mails()).ServeHTTP(w, r)
	case "body":
		html, _ := mailbox.Parse(letter.Raw).Standalone()
		page.MailBody(html).ServeHTTP(w, r)
	case "eml":
		download(w, "message/rfc822", letter.ID+".eml", letter.Raw)
	default:
		m.missing(w, r)
	}
}

func (m *mail) serveAttachment(w http.ResponseWriter, r *http.Request) {
	if letter, ok := m.box.Look(r.PathValue("id")); ok {
		c := mailbox.Parse(letter.Raw)
		if n, err := strconv.Atoi(r.PathValue("n")); err == nil && 0 <= n && n < len(c.Attachments) {
			download(w, "application/octet-stream", c.Filename(n), c.Attachments[n].Data)
			return
		}
	}
	m.missing(w, r)
}

// download has data saved, never shown: it is whatever somebody has sent.
func download(w http.ResponseWriter, kind, name string, data []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(data)))
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'")
	_, _ = w.Write(data) // the client is gone: nobody is left to be told
}

func mailOf(l mailbox.Letter) page.Mail {
	c := mailbox.Parse(l.Raw)
	_, elsewhere := c.Standalone()
	m := page.Mail{MailItem: item(l), From: l.From, To: l.To, Peer: l.Peer, Text: c.Text, HTML: c.HTML, Elsewhere: elsewhere, Raw: l.Raw}
	for _, f := range c.Header {
		m.Header = append(m.Header, page.MailField(f))
	}
	for i, a := range c.Attachments {
		m.Files = append(m.Files, page.MailFile{Name: c.Filename(i), Type: a.Type, Size: len(a.Data)})
	}
	return m
}

// serveDelete takes {"id": "…"} or {"all": true}.
func (m *mail) serveDelete(w http.ResponseWriter, r *http.Request) {
	var q struct {
		ID  string `json:"id"`
		All bool   `json:"all"`
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	status, text := http.StatusOK, ""
	switch err := d.Decode(&q); {
	case err != nil || q.All == (q.ID != ""):
		status, text = http.StatusBadRequest, `devrun takes {"id": "…"} or {"all": true} here`
	case q.All:
		m.box.Clear()
	case !m.box.Delete(q.ID):
		status, text = http.StatusNotFound, "this message is not kept any more"
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct { // the client is gone: nobody is left to be told
		Error string `json:"error,omitempty"`
	}{text})
}

// event tells which version the mailbox has now.
func (m *mail) event() string { return fmt.Sprintf("event: mail\ndata: %d\n\n", m.box.Version()) }

// serveEvents tells a page, as it happens, that the mailbox is different.
func (m *mail) serveEvents(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		return
	}
	if m.streams.Add(1) > maxStreams {
		m.streams.Add(-1)
		http.Error(w, "too many tabs follow the mailbox", http.StatusServiceUnavailable)
		return
	}
	defer m.streams.Add(-1)
	changes, end := m.box.Watch()
	defer end()
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	// The first one is for what has come since the page was made.
	for text := m.event(); ; {
		if err := out.SetWriteDeadline(time.Now().Add(streamWait)); err != nil {
			return
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return
		}
		if err := out.Flush(); err != nil {
			return
		}
		select {
		case <-changes:
			text = m.event()
		case <-time.After(streamWait):
			text = ": still here\n\n"
		case <-r.Context().Done():
			return
		}
	}
}
