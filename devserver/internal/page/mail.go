package page

import (
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"devrun/devserver/internal/fault"
)

// Mails is the mailbox on devrun's own address.
type Mails struct {
	SMTP    string // where mail is taken
	List    []MailItem
	Unseen  int
	Version int // that the page can tell whether it is up to date
	Kept    int // failures
	State   State
}

// MailItem is a mail in the list.
type MailItem struct {
	ID, Subject, Sender string
	Begins              string // the first line of its text
	At                  time.Time
	Seen                bool
}

// Mail is a mail as it is read.
type Mail struct {
	MailItem
	From      string // of the envelope, as To
	To        []string
	Peer      string // the client's IP address
	Header    []MailField
	Text      string
	HTML      string
	Elsewhere int // images of the html that are not in the mail
	Files     []MailFile
	Raw       []byte
}

// MailField is a line of the header.
type MailField struct{ Name, Value string }

// MailFile is an attachment; its number in the list is its address.
type MailFile struct {
	Name, Type string
	Size       int
}

// MailPath is the address of a mail on devrun's own origin.
func MailPath(id string) string { return "/mail/" + url.PathEscape(id) }

const (
	maxMailText  = 256 << 10 // bytes of a text or a source that are shown
	maxMailField = 2000      // bytes of a line of the header
)

type mailContent struct {
	CSS, JS string
	SMTP    string
	Version int
	Note    string
	Fate    string
	List    []mailRow
	Letter  *letter
	Missing bool
}

type mailRow struct {
	MailItem
	URL             string
	Unseen, Current bool
}

type letter struct {
	ID, Path, Subject string
	Facts, Headers    []MailField
	Tabs              []mailTab
	Part              string
	Text              []linkedText
	HasHTML           bool
	HTMLNote          string
	Raw               string
	Files             []mailFile
}

type mailTab struct {
	Name, URL string
	Count     int
	Current   bool
}

type mailFile struct{ Name, URL, Says string }

// linkedText is a piece of a text; URL is "" where it leads nowhere.
type linkedText struct {
	Text string
	URL  template.URL
}

// Mailbox returns the list of mails, status 200.
func (p *Pages) Mailbox(b Mails) http.Handler {
	return p.mails(b, http.StatusOK, "mails", b.json(), mailContent{})
}

// MailMissing returns the page for the address of a mail that is not kept any
// more, or never was: status 404.
func (p *Pages) MailMissing(b Mails) http.Handler {
	const text = "this message is not kept any more"
	return p.mails(b, http.StatusNotFound, text, encodeJSON(struct {
		Kind  string `json:"kind"` // "missing"
		Error string `json:"error"`
	}{"missing", text}), mailContent{Missing: true})
}

// Mail returns the page of a mail, status 200. The part is "text", "html",
// "headers" or "raw", or "" for the first of these that there is.
func (p *Pages) Mail(m Mail, part string, b Mails) http.Handler {
	switch {
	case part != "":
	case m.Text != "":
		part = "text"
	case m.HTML != "":
		part = "html"
	default:
		part = "raw"
	}
	path := MailPath(m.ID)
	l := &letter{
		ID: m.ID, Path: path, Subject: fault.Cut(oneLine(cmp.Or(m.Subject, "no subject")), maxMailField), Part: part,
		HasHTML: m.HTML != "", HTMLNote: htmlNote(m.Elsewhere),
	}
	fact := func(name, value string) {
		l.Facts = append(l.Facts, MailField{name, fault.Cut(oneLine(value), maxMailField)})
	}
	fact("from", cmp.Or(m.Sender, m.From, "nobody"))
	fact("to", strings.Join(m.To, ", "))
	fact("received", m.At.Local().Format("15:04:05")+" from "+m.Peer)
	fact("size", fault.Size(int64(len(m.Raw))))
	for _, f := range m.Header {
		l.Headers = append(l.Headers, MailField{fault.Cut(oneLine(f.Name), 100), fault.Cut(oneLine(f.Value), maxMailField)})
	}
	for _, t := range []mailTab{{Name: "Text"}, {Name: "HTML"}, {Name: "Headers", Count: len(m.Header)}, {Name: "Raw"}} {
		name := strings.ToLower(t.Name)
		if name == "text" && m.Text == "" || name == "html" && m.HTML == "" {
			continue
		}
		t.URL, t.Current = path+"/"+name, name == part
		l.Tabs = append(l.Tabs, t)
	}
	switch part {
	case "text":
		l.Text = p.linked(visible(fault.Cut(m.Text, maxMailText)))
	case "raw":
		l.Raw = visible(fault.Cut(strings.ReplaceAll(string(m.Raw), "\r\n", "\n"), maxMailText))
	}
	for i, f := range m.Files {
		l.Files = append(l.Files, mailFile{fault.Cut(oneLine(f.Name), 200), path + "/attachment/" + strconv.Itoa(i), fault.Cut(oneLine(f.Type), 100) + ", " + fault.Size(int64(f.Size))})
	}
	return p.mails(b, http.StatusOK, m.plain(), m.json(), mailContent{Letter: l})
}

func htmlNote(elsewhere int) string {
	const without = "Shown without scripts and without the network. "
	switch elsewhere {
	case 0:
		return without + "It asks for nothing from elsewhere."
	case 1:
		return without + "1 remote image was not loaded."
	}
	return without + fmt.Sprintf("%d remote images were not loaded.", elsewhere)
}

func (p *Pages) mails(b Mails, status int, plain string, json []byte, c mailContent) *answer {
	class, label := b.State.mark()
	c.CSS, c.JS, c.SMTP, c.Version = mailCSSURL, mailJSURL, b.SMTP, b.Version
	c.Note = fmt.Sprintf("%d unread of %d", b.Unseen, len(b.List))
	c.Fate = "Mail sent to " + b.SMTP + " lands here and goes nowhere else. The newest 500 are kept, until devrun stops."
	for _, m := range b.List {
		row := mailRow{MailItem: m, URL: MailPath(m.ID), Unseen: !m.Seen, Current: c.Letter != nil && c.Letter.ID == m.ID}
		row.Subject, row.Sender, row.Begins = fault.Cut(oneLine(cmp.Or(m.Subject, "no subject")), 200), fault.Cut(oneLine(m.Sender), 100), fault.Cut(oneLine(m.Begins), 200)
		c.List = append(c.List, row)
	}
	pg := page{
		Kind: "mail", Title: fmt.Sprintf("Mail (%d) · devrun %s", b.Unseen, p.app.Name), State: class, Label: label, Status: "SMTP " + b.SMTP,
		Tag: "mail", TagClass: "kept", Text: c.Note, Nav: &nav{"mail", b.Kept}, Content: c,
		Keys: []keyHelp{{[]string{"j", "k"}, "Next and previous message"}, {[]string{"Enter"}, "Open it"}, {[]string{"?"}, "This help"}, {[]string{"Esc"}, "Close"}},
	}
	if plain == "mails" {
		plain = b.plain()
	}
	return &answer{status: status, html: p.render(pg), json: json, markdown: "## mail\n\n" + indent(plain), text: plain + "\n", policy: mailPolicy}
}

// mailPolicy lets the page have the frame of the html, which has a policy of its
// own, and keeps a link in it from leading that frame away.
const mailPolicy = policy + "; frame-src 'self'"

// MailBody answers with the html of a mail for the frame that shows it. Whatever is
// in it, it runs no script, sends no form and asks nobody for anything; images are
// those that are in the mail.
func MailBody(html string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(len(html)))
		h.Set("Content-Security-Policy", "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
		h.Set("X-Frame-Options", "SAMEORIGIN")
		h.Set("X-DNS-Prefetch-Control", "off")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		guard(h)
		if r.Method != http.MethodHead {
			_, _ = w.Write([]byte(html)) // the client is gone: nobody is left to be told
		}
	})
}

var (
	webAddress  = regexp.MustCompile(`https?://[^\s<>"'` + "`" + `]+[^\s<>"'` + "`" + `.,;:!?)\]}]`)
	sourcePlace = regexp.MustCompile(`([^\s:()"'<>]+\.\w+):(\d+)(?::(\d+))?`)
)

// maxPlaces bounds the files that are looked for in one text.
const maxPlaces = 200

// linked makes links of what leads somewhere in a text: addresses of the web, and
// places in files of this disk, which open in the editor.
func (p *Pages) linked(text string) []linkedText {
	var out []linkedText
	add := func(s string, to template.URL) {
		if s != "" {
			out = append(out, linkedText{s, to})
		}
	}
	places, known := 0, map[string]bool{}
	rest := func(text string) {
		at := 0
		for _, m := range sourcePlace.FindAllStringSubmatchIndex(text, -1) {
			if places++; places > maxPlaces {
				break
			}
			line, err := strconv.Atoi(text[m[4]:m[5]])
			col := 0
			if m[6] >= 0 {
				col, _ = strconv.Atoi(text[m[6]:m[7]]) // 0 where it is no number
			}
			f := p.Tree.Frame(fault.Frame{File: text[m[2]:m[3]], Line: line})
			if err != nil || f.Path == "" {
				continue
			}
			there, asked := known[f.Path]
			if !asked {
				info, err := os.Stat(f.Path)
				there = err == nil && info.Mode().IsRegular()
				known[f.Path] = there
			}
			if to := p.editor.link(f.Path, line, col); there && to != "" {
				add(text[at:m[0]], "")
				add(text[m[0]:m[1]], to)
				at = m[1]
			}
		}
		add(text[at:], "")
	}
	at := 0
	for _, m := range webAddress.FindAllStringIndex(text, -1) {
		rest(text[at:m[0]])
		add(text[m[0]:m[1]], template.URL(text[m[0]:m[1]]))
		at = m[1]
	}
	rest(text[at:])
	return out
}
