package mailbox

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
)

// Content is what a mail says, as far as it can be read; a part that is broken is
// there as far as it goes.
type Content struct {
	Header      []Field
	Text, HTML  string // the first part of that kind, "" for none
	Attachments []Part // all others
}

// Field is a line of the header, unfolded and decoded.
type Field struct{ Name, Value string }

// Part is an attachment, decoded.
type Part struct {
	Name string // as the sender calls it, "" for none
	Type string // "image/png"
	ID   string // by which the html refers to it, "" if it does not
	Data []byte
}

const (
	maxDepth = 10  // of parts in parts
	maxParts = 200 // of one mail
)

// Parse reads a mail.
func Parse(raw []byte) Content {
	var c Content
	head, body := splitHeader(raw)
	header := textproto.MIMEHeader{}
	for _, f := range head {
		header.Add(f.Name, f.Value)
		c.Header = append(c.Header, Field{f.Name, decodeWords(f.Value)})
	}
	c.walk(header, body, 0)
	return c
}

// Get is the first field of that name, "" for none.
func (c Content) Get(name string) string {
	for _, f := range c.Header {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// splitHeader returns the fields of the header, unfolded, and what follows the
// empty line.
func splitHeader(raw []byte) (fields []Field, body []byte) {
	r := bufio.NewReader(bytes.NewReader(raw))
	rest := len(raw)
	var value []byte // of the last field, which may have millions of lines
	end := func() {
		if n := len(fields); n > 0 {
			fields[n-1].Value = string(value)
		}
	}
	defer end()
	for {
		line, err := r.ReadString('\n')
		text := strings.TrimRight(line, "\r\n")
		name, first, ok := strings.Cut(text, ":")
		switch {
		case text == "": // the end, or nothing more
			return fields, raw[len(raw)-rest+len(line):]
		case (text[0] == ' ' || text[0] == '\t') && len(fields) > 0:
			value = append(append(value, ' '), strings.TrimSpace(text)...)
		case ok && name != "" && !strings.ContainsAny(name, " \t"):
			end()
			fields, value = append(fields, Field{Name: name}), []byte(strings.TrimSpace(first))
		default: // no header: all that is left is the body
			return fields, raw[len(raw)-rest:]
		}
		rest -= len(line)
		if err != nil {
			return fields, nil
		}
	}
}

func (c *Content) walk(header textproto.MIMEHeader, body []byte, depth int) {
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil && kind == "" {
		kind = "text/plain"
	}
	if boundary := params["boundary"]; strings.HasPrefix(kind, "multipart/") && boundary != "" && depth < maxDepth {
		r := multipart.NewReader(bytes.NewReader(body), boundary)
		for len(c.Attachments) < maxParts {
			p, err := r.NextRawPart()
			if err != nil {
				return
			}
			data, _ := io.ReadAll(p) // as far as it goes
			c.walk(p.Header, data, depth+1)
		}
		return
	}
	data := decode(header.Get("Content-Transfer-Encoding"), body)
	disposition, dparams, _ := mime.ParseMediaType(header.Get("Content-Disposition"))
	name := decodeWords(dparams["filename"])
	if name == "" {
		name = decodeWords(params["name"])
	}
	attached := disposition == "attachment" || name != ""
	switch {
	case kind == "text/plain" && !attached && c.Text == "":
		c.Text = toUTF8(data, params["charset"])
	case kind == "text/html" && !attached && c.HTML == "":
		c.HTML = toUTF8(data, params["charset"])
	case len(c.Attachments) < maxParts:
		c.Attachments = append(c.Attachments, Part{Name: name, Type: kind, ID: strings.Trim(header.Get("Content-Id"), "<> "), Data: data})
	}
}

// decode undoes the encoding of a part, as far as it goes.
func decode(encoding string, body []byte) []byte {
	var r io.Reader
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, bytes.NewReader(body)) // skips line ends
	case "quoted-printable":
		r = quotedprintable.NewReader(bytes.NewReader(body))
	default:
		return body
	}
	data, _ := io.ReadAll(r)
	return data
}

// toUTF8 knows the encodings that programs still send mails in. Of others only
// the ASCII can be read.
func toUTF8(data []byte, charset string) string {
	switch strings.ToLower(charset) {
	case "iso-8859-1", "latin1", "windows-1252", "iso-8859-15":
		runes := make([]rune, len(data))
		for i, b := range data {
			runes[i] = rune(b)
		}
		return string(runes)
	}
	return strings.ToValidUTF8(string(data), "\uFFFD")
}

func decodeWords(s string) string {
	d := mime.WordDecoder{CharsetReader: func(charset string, r io.Reader) (io.Reader, error) {
		data, err := io.ReadAll(r)
		return strings.NewReader(toUTF8(data, charset)), err
	}}
	if text, err := d.DecodeHeader(s); err == nil {
		s = text
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

var (
	reference = regexp.MustCompile(`(?i)\bcid:([^"'\s)<>]+)`)
	remote    = regexp.MustCompile(`(?i)(?:\b(?:src|srcset|background|poster)\s*=\s*["']?|\burl\(\s*["']?)\s*(?:https?:)?//`)
)

// maxInline is how many bytes of images are put into the html.
const maxInline = 20 << 20

// Standalone is the html with the images that it refers to by their ID in it, and
// the number of those that would have to be fetched from elsewhere.
func (c Content) Standalone() (html string, elsewhere int) {
	left := maxInline
	html = reference.ReplaceAllStringFunc(c.HTML, func(ref string) string {
		for _, p := range c.Attachments {
			if p.ID != "" && p.ID == ref[len("cid:"):] && strings.HasPrefix(p.Type, "image/") && len(p.Data) <= left {
				left -= len(p.Data)
				return "data:" + p.Type + ";base64," + base64.StdEncoding.EncodeToString(p.Data)
			}
		}
		return ref
	})
	return html, len(remote.FindAllStringIndex(c.HTML, -1))
}

// Filename is a name for the i-th attachment that no system minds.
func (c Content) Filename(i int) string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) || r == 0x7f {
			return '_'
		}
		return r
	}, c.Attachments[i].Name)
	if name = strings.Trim(name, ". "); name == "" {
		return "attachment-" + strconv.Itoa(i+1)
	}
	return name
}
