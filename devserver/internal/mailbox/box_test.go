package mailbox

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

const full = `From: =?utf-8?q?J=C3=BCrgen?= <j@example.com>
To: a@example.com,
 b@example.com
Subject: =?iso-8859-1?q?gr=FC=DFe?=
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=out

--out
Content-Type: multipart/related; boundary=in

--in
Content-Type: multipart/alternative; boundary=alt

--alt
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

gr=FC=DFe
--alt
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

PGltZyBzcmM9ImNpZDpsb2dvQHgiPjxpbWcgc3JjPSJodHRwczovL2V4YW1wbGUuY29tL3gucG5nIj4=
--alt--
--in
Content-Type: image/png
Content-ID: <logo@x>
Content-Transfer-Encoding: base64

iVBO
Rw==
--in--
--out
Content-Type: application/pdf; name="../../a/b:c.pdf"
Content-Disposition: attachment; filename*=utf-8''%2E%2E%2Fm%C3%BCll.pdf

%PDF
--out--
`

func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

func TestParse(t *testing.T) {
	c := Parse(crlf(full))
	if c.Get("from") != "Jürgen <j@example.com>" || c.Get("Subject") != "grüße" || c.Get("To") != "a@example.com, b@example.com" || len(c.Header) != 5 {
		t.Errorf("%+v", c.Header)
	}
	if c.Text != "grüße" {
		t.Errorf("text %q", c.Text)
	}
	html, elsewhere := c.Standalone()
	if html != `<img src="data:image/png;base64,iVBORw=="><img src="https://example.com/x.png">` || elsewhere != 1 {
		t.Errorf("html %q, %d", html, elsewhere)
	}
	if len(c.Attachments) != 2 || c.Filename(0) != "attachment-1" || c.Filename(1) != "_müll.pdf" || string(c.Attachments[1].Data) != "%PDF" {
		t.Errorf("%+v", c.Attachments)
	}
}

func TestParseWhatIsBroken(t *testing.T) {
	for raw, want := range map[string]Content{
		"":                         {},
		"hello":                    {Text: "hello"},
		"no header here\r\nhello":  {Text: "no header here\r\nhello"},
		"\r\nhello":                {Text: "hello"},
		"Subject: x":               {Header: []Field{{"Subject", "x"}}},
		"Subject: x\nhello: y\n\n": {Header: []Field{{"Subject", "x"}, {"hello", "y"}}},
		"Content-Type: text/plain; charset=klingon\n\na\xffb":            {Header: []Field{{"Content-Type", "text/plain; charset=klingon"}}, Text: "a\uFFFDb"},
		"Content-Type: ;;\n\na":                                          {Header: []Field{{"Content-Type", ";;"}}, Text: "a"},
		"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nunfinished": {Header: []Field{{"Content-Type", "multipart/mixed; boundary=b"}}, Text: "unfinished"},
		"Content-Transfer-Encoding: base64\n\naGk=!!!":                   {Header: []Field{{"Content-Transfer-Encoding", "base64"}}, Text: "hi"},
	} {
		if got := Parse([]byte(raw)); !reflect.DeepEqual(got, want) {
			t.Errorf("%q:\n%+v\nwant %+v", raw, got, want)
		}
	}
}

// Parts in parts in parts end somewhere, and so does their number.
func TestParseIsBounded(t *testing.T) {
	var deep strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	Parse([]byte(deep.String()))
	wide := "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\nContent-Type: image/png\n\nx\n", 1000) + "--b--\n"
	if n := len(Parse([]byte(wide)).Attachments); n != maxParts {
		t.Errorf("%d parts", n)
	}
	const lines = 1 << 20 // of one field: each may not copy those before it
	if n := len(Parse([]byte("Subject: a\n" + strings.Repeat(" a\n", lines))).Get("Subject")); n != 2*lines+1 {
		t.Errorf("a subject of %d bytes", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(crlf(full))
	f.Add([]byte("Content-Type: text/html\n\n<img src=cid:a>"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := Parse(raw)
		html, _ := c.Standalone()
		for _, s := range []string{c.Text, html, c.Get("Subject"), c.Get("From")} {
			if !utf8.ValidString(s) {
				t.Errorf("%q", s)
			}
		}
		for i := range c.Attachments {
			if name := c.Filename(i); name == "" || strings.ContainsAny(name, "/\\\r\n") || name == ".." {
				t.Errorf("%q", name)
			}
		}
		New().Add(Message{Raw: raw})
	})
}

func TestBox(t *testing.T) {
	b := New()
	changes, end := b.Watch()
	defer end()
	changed := func() bool {
		select {
		case <-changes:
			return true
		default:
			return false
		}
	}
	first := b.Add(Message{Raw: []byte("Subject: first\r\nFrom: a@b\r\n\r\n\r\n  hello \r\nyou")})
	if first.Subject != "first" || first.Sender != "a@b" || first.Begins != "hello" || !changed() || b.Unseen() != 1 {
		t.Errorf("%+v", first)
	}
	second := b.Add(Message{Raw: []byte("Subject: second\r\n\r\n")})
	if l := b.List(); len(l) != 2 || l[0].ID != second.ID || l[1].ID != first.ID {
		t.Errorf("%+v", l)
	}
	changed()
	if l, ok := b.Look(first.ID); !ok || !l.Seen || b.Unseen() != 1 || !changed() {
		t.Errorf("%+v, %v", l, ok)
	}
	version := b.Version()
	if b.Look(first.ID); changed() || b.Version() != version {
		t.Error("a second look changes something")
	}
	if !b.Delete(first.ID) || b.Version() == version || b.Delete(first.ID) || len(b.List()) != 1 || !changed() {
		t.Error("it is not deleted")
	}
	if _, ok := b.Look(first.ID); ok {
		t.Error("it is still there")
	}
	b.Clear()
	if len(b.List()) != 0 || !changed() || b.bytes != 0 {
		t.Error("there is something left")
	}
}

func TestBoxIsBounded(t *testing.T) {
	b := New()
	for i := range maxKept + 10 {
		b.Add(Message{Raw: fmt.Appendf(nil, "Subject: %d\r\n\r\n", i)})
	}
	if l := b.List(); len(l) != maxKept || l[0].Subject != fmt.Sprint(maxKept+9) || l[maxKept-1].Subject != "10" {
		t.Errorf("%d", len(l))
	}
	big := append([]byte("Subject: big\r\n\r\n"), bytes.Repeat([]byte("x"), maxMessage)...)
	for range maxBytes/maxMessage + 3 {
		b.Add(Message{Raw: big})
	}
	total := 0
	for _, l := range b.List() {
		total += len(l.Raw)
	}
	if total > maxBytes || total < maxBytes-2*maxMessage || total != b.bytes {
		t.Errorf("%d bytes, counted %d", total, b.bytes)
	}
}
