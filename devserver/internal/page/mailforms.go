package page

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"devrun/devserver/internal/fault"
)

func (b Mails) plain() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d unread of %d, taken at %s", b.Unseen, len(b.List), b.SMTP)
	for _, m := range b.List {
		fmt.Fprintf(&text, "\n%s  %s (%s)", m.At.Local().Format("15:04:05"), fault.Cut(oneLine(cmp.Or(m.Subject, "no subject")), 200), fault.Cut(oneLine(m.Sender), 100))
	}
	return text.String()
}

func (m Mail) plain() string {
	return visible(fault.Cut(strings.ReplaceAll(string(m.Raw), "\r\n", "\n"), maxMailText))
}

type mailJSON struct {
	ID      string    `json:"id"`
	URL     string    `json:"url"`
	Subject string    `json:"subject"`
	From    string    `json:"from"`
	Begins  string    `json:"begins"`
	Time    time.Time `json:"time"`
	Unread  bool      `json:"unread"`
}

func (m MailItem) json() mailJSON {
	return mailJSON{m.ID, MailPath(m.ID), m.Subject, m.Sender, m.Begins, m.At, !m.Seen}
}

func (b Mails) json() []byte {
	list := []mailJSON{}
	for _, m := range b.List {
		list = append(list, m.json())
	}
	return encodeJSON(struct {
		Kind   string     `json:"kind"` // "mails"
		SMTP   string     `json:"smtp"`
		Unread int        `json:"unread"`
		Mails  []mailJSON `json:"mails"`
	}{"mails", b.SMTP, b.Unseen, list})
}

func (m Mail) json() []byte {
	type field struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	type file struct {
		Name string `json:"name"`
		Type string `json:"type"`
		Size int    `json:"size"`
		URL  string `json:"url"`
	}
	fields, files := []field{}, []file{}
	for _, f := range m.Header {
		fields = append(fields, field(f))
	}
	for i, f := range m.Files {
		files = append(files, file{f.Name, f.Type, f.Size, MailPath(m.ID) + "/attachment/" + strconv.Itoa(i)})
	}
	return encodeJSON(struct {
		Kind string `json:"kind"` // "mail"
		mailJSON
		Sender      string   `json:"envelope_from"`
		To          []string `json:"envelope_to"`
		Peer        string   `json:"peer"`
		Size        int      `json:"size"`
		Headers     []field  `json:"headers"`
		Text        string   `json:"text"`
		HTML        string   `json:"html"`
		Attachments []file   `json:"attachments"`
		Raw         string   `json:"raw_url"`
	}{"mail", m.MailItem.json(), m.From, m.To, m.Peer, len(m.Raw), fields, m.Text, m.HTML, files, MailPath(m.ID) + "/eml"})
}
