package proxy

import (
	"bytes"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// insert puts the script tag into res, the answer to the document request r, if
// it is a page that can bear it: HTML with a body that is whole, in an encoding
// known here, whose policy lets the script run. Everything else of the page stays
// as it is.
func (f *Front) insert(res *http.Response, r *http.Request) {
	kind, ok := pageKind(res)
	if !ok {
		return
	}
	if kind == guessedPage && res.ContentLength >= 0 {
		if r.Method == http.MethodHead {
			return
		}
		var start []byte
		if start, res.Body = peek(res.Body, 1, sniffed); !isHTML(start) {
			return
		}
		kind = htmlPage
	}
	nonce, why := scriptNonce(res.Header["Content-Security-Policy"], r.Host)
	if why != "" {
		f.notes.once(r.URL.Path, "no live reload on "+r.URL.EscapedPath()+": its Content-Security-Policy "+why)
		return
	}
	coding := strings.ToLower(res.Header.Get("Content-Encoding"))
	decode, ok := decoders[coding]
	if !ok {
		f.notes.once("encoding "+coding, "no live reload on "+r.URL.EscapedPath()+
			": its Content-Encoding "+strconv.Quote(coding)+" is not known")
		return
	}
	tag := f.opts.Snippet(r.Method, nonce)
	if tag == "" {
		return
	}
	// Where the length is known the header has to tell it before the tag is in,
	// so it is looked beforehand whether it will be.
	if decode == nil && res.ContentLength > 0 && kind == htmlPage {
		if r.Method != http.MethodHead {
			var start []byte
			start, res.Body = peek(res.Body, len(utf8BOM)+1, len(utf8BOM)+1)
			if wideBOM(start) {
				return
			}
		}
		res.ContentLength += int64(len(tag))
		res.Header.Set("Content-Length", strconv.FormatInt(res.ContentLength, 10))
	} else {
		res.ContentLength = -1
		res.Header.Del("Content-Length")
	}
	// The bytes are not those that the app's tag vouches for.
	if tag := res.Header.Get("Etag"); strings.HasPrefix(tag, `"`) {
		res.Header.Set("Etag", "W/"+tag)
	}
	res.Header.Del("Content-Encoding")
	if r.Method == http.MethodHead {
		return
	}
	if decode != nil {
		res.Body = &decoded{src: res.Body, open: decode}
	}
	res.Body = &inserter{src: res.Body, tag: []byte(tag), kind: kind}
}

type pageType uint8

const (
	htmlPage pageType = iota
	xmlPage           // application/xhtml+xml: not well-formed if the tag is outside of <html>

	// guessedPage has no Content-Type: it is HTML if the browser will take it for that.
	guessedPage
)

// isHTML guesses from the first bytes of a body, as browsers do.
func isHTML(start []byte) bool { return strings.HasPrefix(http.DetectContentType(start), "text/html;") }

// pageKind reports whether res is a page into which a tag can be put.
func pageKind(res *http.Response) (kind pageType, ok bool) {
	switch {
	case res.StatusCode < 200, res.StatusCode > 599,
		res.StatusCode == http.StatusNoContent,
		res.StatusCode == http.StatusPartialContent,
		res.StatusCode == http.StatusNotModified,
		res.ContentLength == 0:
		return 0, false
	}
	for _, line := range res.Header["Cache-Control"] {
		if strings.Contains(strings.ToLower(line), "no-transform") {
			return 0, false
		}
	}
	typ := res.Header.Get("Content-Type")
	if typ == "" {
		guessed := res.Header.Get("Content-Encoding") == "" && !strings.EqualFold(res.Header.Get("X-Content-Type-Options"), "nosniff")
		return guessedPage, guessed
	}
	t, params, _ := mime.ParseMediaType(typ)
	switch t {
	case "text/html":
		kind = htmlPage
	case "application/xhtml+xml":
		kind = xmlPage
	default:
		return 0, false
	}
	return kind, asciiCompatible(params["charset"])
}

// asciiCompatible reports whether an ASCII tag means the same in charset.
func asciiCompatible(charset string) bool {
	charset = strings.ToLower(charset)
	for _, wide := range []string{"utf-16", "utf16", "utf-32", "utf32", "ucs-2", "ucs-4", "iso-10646", "unicode", "csunicode", "utf-7", "ibm", "cp037"} {
		if strings.HasPrefix(charset, wide) {
			return false
		}
	}
	return true
}

var utf8BOM = []byte("\xef\xbb\xbf")

// wideBOM reports whether b begins a document in UTF-16 or UTF-32.
func wideBOM(b []byte) bool {
	for _, bom := range []string{"\xfe\xff", "\xff\xfe", "\x00\x00\xfe\xff"} {
		if bytes.HasPrefix(b, []byte(bom)) {
			return true
		}
	}
	return false
}

// sniffed is how much of a body browsers look at to guess what it is.
const sniffed = 512

// peek reads the first bytes of src, at least min unless it ends before and at most
// max, and returns a body that reads them again.
func peek(src io.ReadCloser, min, max int) ([]byte, io.ReadCloser) {
	start := make([]byte, max)
	n, _ := io.ReadAtLeast(src, start, min) // an error comes again when the body is read
	start = start[:n]
	return start, struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(start), src), src}
}

// maxPrologue is the longest piece of a prologue that is kept back to see where it
// ends. Behind a comment longer than that nobody looks for <head>; such a page
// gets the tag at its end.
const maxPrologue = 64 << 10

// inserter reads src with tag put in: behind the <head> tag, else before the
// first thing that is not prologue (BOM, doctype, comments, <html>), else at the
// end. What is before that place is handed on piece by piece as it comes, what is
// behind it without being looked at.
type inserter struct {
	src  io.ReadCloser
	tag  []byte
	kind pageType

	out    []byte // to hand out
	buf    []byte // read, behind out
	err    error  // of src, after buf
	n      int    // bytes of the prologue so far
	inHTML bool   // <html> has been
	phase  phase
}

type phase uint8

const (
	searching phase = iota
	atEnd           // the place is the end
	passing         // nothing more to do
)

func (i *inserter) Close() error { return i.src.Close() }

func (i *inserter) Read(p []byte) (int, error) {
	for {
		if len(i.out) > 0 {
			n := copy(p, i.out)
			i.out = i.out[n:]
			return n, nil
		}
		if i.phase == searching && i.search() {
			continue
		}
		if i.phase != searching && len(i.buf) > 0 {
			i.out, i.buf = i.buf, nil
			continue
		}
		if i.err != nil {
			if i.err == io.EOF && i.phase == atEnd && i.n > 0 {
				i.out, i.phase = i.tag, passing
				continue
			}
			return 0, i.err
		}
		if i.phase != searching {
			n, err := i.src.Read(p)
			if i.err = err; n > 0 {
				return n, nil
			}
			continue
		}
		piece := make([]byte, 4096) // a usual packet, or buffer, of an app
		n, err := i.src.Read(piece)
		i.buf, i.err = append(i.buf, piece[:n]...), err
	}
}

// search takes one step through buf and reports whether it did.
func (i *inserter) search() bool {
	n, found := i.step()
	i.out, i.buf, i.n = i.buf[:n:n], i.buf[n:], i.n+n
	switch {
	case found == here && i.kind == xmlPage && !i.inHTML:
		i.phase = passing
	case found == here:
		i.out, i.phase = append(i.out, i.tag...), passing
	case found == nowhere:
		i.phase = passing
	case n > 0:
	case i.err != nil || len(i.buf) > maxPrologue:
		i.n += len(i.buf)
		i.phase = atEnd
		if i.kind == xmlPage || i.err != nil && i.err != io.EOF {
			i.phase = passing
		}
	default:
		return false
	}
	return true
}

type place uint8

const (
	further place = iota
	here
	nowhere
)

// step looks at the beginning of buf, which is inside the prologue. It returns
// the bytes that belong to it for certain, and whether the place is behind them.
// No bytes and further means that there are too few to tell.
func (i *inserter) step() (n int, found place) {
	b, final := i.buf, i.err == io.EOF
	if i.n == 0 {
		switch {
		case wideBOM(b), i.kind == guessedPage && len(b) > 0 && !isHTML(b):
			return 0, nowhere
		case bytes.HasPrefix(b, utf8BOM):
			return len(utf8BOM), further
		case len(b) < len(utf8BOM) && bytes.HasPrefix(utf8BOM, b) && !final,
			len(b) == 1 && b[0] >= 0xfe && !final:
			return 0, further
		}
	}
	if space := len(b) - len(bytes.TrimLeft(b, " \t\r\n\f")); space > 0 {
		return space, further
	}
	if len(b) == 0 || len(b) == 1 && b[0] == '<' && !final {
		return 0, further
	}
	if b[0] != '<' || len(b) == 1 || !isMarkup(b[1]) {
		return 0, here
	}
	w := &window{rest: b}
	z := html.NewTokenizer(w)
	kind := z.Next()
	if w.wanted && !final {
		return 0, further // the token is not whole
	}
	switch kind {
	case html.DoctypeToken, html.CommentToken:
		return len(z.Raw()), further
	case html.StartTagToken, html.SelfClosingTagToken:
		raw := len(z.Raw())
		switch name, _ := z.TagName(); string(name) {
		case "html":
			i.inHTML = true
			return raw, further
		case "head":
			return raw, here
		}
	}
	return 0, here
}

// isMarkup reports whether c, behind a "<", begins what may be prologue.
func isMarkup(c byte) bool {
	return c == '!' || c == '?' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// window reads rest and notes when more was wanted.
type window struct {
	rest   []byte
	wanted bool
}

func (w *window) Read(p []byte) (int, error) {
	if len(w.rest) == 0 {
		w.wanted = true
		return 0, io.EOF
	}
	n := copy(p, w.rest)
	w.rest = w.rest[n:]
	return n, nil
}
