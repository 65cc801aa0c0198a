package proxy

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

const tag = `<script src="/__devrun/reload.js" defer=""></script>`

type encoder interface {
	io.WriteCloser
	Flush() error
}

type identity struct{ io.Writer }

func (identity) Flush() error { return nil }
func (identity) Close() error { return nil }

var encoders = map[string]func(io.Writer) encoder{
	"":        func(w io.Writer) encoder { return identity{w} },
	"gzip":    func(w io.Writer) encoder { return gzip.NewWriter(w) },
	"deflate": func(w io.Writer) encoder { return zlib.NewWriter(w) },
	"raw deflate": func(w io.Writer) encoder {
		f, _ := flate.NewWriter(w, 5)
		return f
	},
	"br": func(w io.Writer) encoder { return brotli.NewWriter(w) },
	"zstd": func(w io.Writer) encoder {
		z, _ := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		return z
	},
}

func encode(coding, s string) string {
	var b bytes.Buffer
	e := encoders[coding](&b)
	io.WriteString(e, s)
	e.Close()
	return b.String()
}

// The place of the tag, marked with |; a page without mark gets none.
var places = []struct {
	name, page string
	kind       pageType
}{
	{"usual", "<!doctype html>\n<html lang=\"en\">\n<head>|\n<title>x</title></head><body></body></html>", htmlPage},
	{"upper case", "<!DOCTYPE HTML><HTML><HEAD>|<TITLE>", htmlPage},
	{"attributes", "<html data-x='>'><head prefix=\"a > b\">|<meta charset=utf-8>", htmlPage},
	{"comments", "<!-- <head> --><!doctype html><!-- a --><html><!-- b --><head>|<body>", htmlPage},
	{"odd comments", "<!--><!---><!-- a --!><?php ?><!x><head>|", htmlPage},
	{"BOM", "\xef\xbb\xbf<!doctype html><head>|", htmlPage},
	{"no head", "<!doctype html><html>\n|<body><p>hi</body></html>", htmlPage},
	{"only a body", "|<body>hi</body>", htmlPage},
	{"only a title", "<!doctype html>|<title>x</title>hi", htmlPage},
	{"no </body>", "<!doctype html><head>|</head><p>hi", htmlPage},
	{"</body> in a string", "<head>|<script>var s = '</body><head>'</script>", htmlPage},
	{"text", "|hello", htmlPage},
	{"text after space", " \n|hello", htmlPage},
	{"less-than", "|< 3", htmlPage},
	{"less-than alone", "|<", htmlPage},
	{"end tag", "|</p>x", htmlPage},
	{"header is no head", "<html>|<header>x</header>", htmlPage},
	{"script first", "|<script>'<head>'</script>", htmlPage},
	{"tag not ended", "<html>|<head", htmlPage},
	{"only prologue", "<!doctype html><!-- nothing -->|", htmlPage},
	{"only a BOM", "\xef\xbb\xbf|", htmlPage},
	{"utf-16 BOM", "\xff\xfe<\x00h\x00", htmlPage},
	{"utf-16 BE BOM", "\xfe\xff\x00<", htmlPage},
	{"huge comment", "<!--" + strings.Repeat("x", 2*maxPrologue) + "--><head></head>|", htmlPage},
	{"many comments", strings.Repeat("<!-- some comment -->", maxPrologue/10) + "<head>|</head>", htmlPage},
	{"guessed", " <!doctype html><html><head>|</head>", guessedPage},
	{"guessed to be text", "x < y", guessedPage},
	{"xhtml", "<?xml version=\"1.0\"?>\n<!DOCTYPE html><html xmlns=\"http://www.w3.org/1999/xhtml\"><head>|<title/></head></html>", xmlPage},
	{"xhtml, empty head", "<html xmlns=\"http://www.w3.org/1999/xhtml\"><head/>|<body/></html>", xmlPage},
	{"xhtml without head", "<html xmlns=\"http://www.w3.org/1999/xhtml\">|<body/></html>", xmlPage},
	{"xml without html", "<?xml version=\"1.0\"?><div/>", xmlPage},
	{"xml of prologue only", "<?xml version=\"1.0\"?><!-- x -->", xmlPage},
}

func TestPlaceOfTheTag(t *testing.T) {
	readers := map[string]func(io.Reader) io.Reader{
		"whole":        func(r io.Reader) io.Reader { return r },
		"byte by byte": iotest.OneByteReader,
		"halves":       iotest.HalfReader,
		"data and EOF": iotest.DataErrReader,
	}
	for _, c := range places {
		page, want := strings.Replace(c.page, "|", "", 1), strings.Replace(c.page, "|", tag, 1)
		for how, reader := range readers {
			if (len(page) > 10000 || c.kind == guessedPage) && how == "byte by byte" {
				continue // nobody writes a huge comment so, and the first piece is all to guess from
			}
			i := &inserter{src: io.NopCloser(reader(strings.NewReader(page))), tag: []byte(tag), kind: c.kind}
			got, err := io.ReadAll(i)
			if err != nil || string(got) != want {
				t.Errorf("%s, %s: got %.300q, %v; want %.300q", c.name, how, got, err, want)
			}
		}
	}
	i := &inserter{src: io.NopCloser(strings.NewReader("")), tag: []byte(tag)}
	if got, _ := io.ReadAll(i); len(got) > 0 {
		t.Errorf("an empty page became %q", got)
	}
	broken := errors.New("broken")
	i = &inserter{src: io.NopCloser(io.MultiReader(strings.NewReader("<!doctype html><ht"), iotest.ErrReader(broken))), tag: []byte(tag)}
	if got, err := io.ReadAll(i); err != broken || strings.Contains(string(got), "<script") {
		t.Errorf("a broken page became %q, %v", got, err)
	}
}

// What is known to be prologue is not kept back for what follows.
func TestPrologueIsNotKeptBack(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	i := &inserter{src: r, tag: []byte(tag)}
	for _, step := range [][2]string{
		{"<!doctype html>", "<!doctype html>"},
		{"\n<html>", "\n<html>"},
		{"hello", tag + "hello"}, // without waiting for the end of the text
		{" world", " world"},
	} {
		go io.WriteString(w, step[0])
		got := make([]byte, len(step[1]))
		if _, err := io.ReadFull(i, got); err != nil || string(got) != step[1] {
			t.Fatalf("got %q, %v; want %q", got, err, step[1])
		}
	}
}

func FuzzInserter(f *testing.F) {
	for _, c := range places {
		f.Add([]byte(strings.Replace(c.page, "|", "", 1)))
	}
	f.Fuzz(func(t *testing.T, page []byte) {
		for _, kind := range []pageType{htmlPage, xmlPage} {
			whole, err := io.ReadAll(&inserter{src: io.NopCloser(bytes.NewReader(page)), tag: []byte(tag), kind: kind})
			if err != nil {
				t.Fatal(err)
			}
			if kind == htmlPage && len(page) > 0 && !wideBOM(page) && len(whole) != len(page)+len(tag) {
				t.Fatalf("%q became %q", page, whole)
			}
			if got := bytes.Replace(whole, []byte(tag), nil, 1); !bytes.Contains(page, []byte(tag)) && !bytes.Equal(got, page) {
				t.Fatalf("%q became %q", page, whole)
			}
			if len(page) > 2000 || wideBOM(page) {
				continue
			}
			pieces, err := io.ReadAll(&inserter{src: io.NopCloser(iotest.OneByteReader(bytes.NewReader(page))), tag: []byte(tag), kind: kind})
			if err != nil || !bytes.Equal(pieces, whole) {
				t.Fatalf("%q in pieces became %q, at once %q", page, pieces, whole)
			}
		}
	})
}

func TestInsertion(t *testing.T) {
	const page = "<!doctype html><html><head></head><body>hi</body></html>"
	with := strings.Replace(page, "<head>", "<head>"+tag, 1)
	var answer http.Header
	var status int
	var body string
	addr := app(t, func(w http.ResponseWriter, r *http.Request) {
		for k, v := range answer {
			w.Header()[k] = v
		}
		if r.Header.Get("If-None-Match")+r.Header.Get("If-Modified-Since") != "" {
			w.WriteHeader(304)
			return
		}
		w.WriteHeader(status)
		if status != 204 {
			io.WriteString(w, body)
		}
	})
	var log lines
	var method, nonce string
	f := front(t, Options{Log: log.log, Snippet: func(m, n string) string {
		method, nonce = m, n
		return tag
	}})
	f.Forward(addr)
	c := client(t)
	for _, row := range []struct {
		name    string
		header  string // of the answer; text/html unless it says otherwise
		body    string
		status  int
		request string // default Accept: text/html
		method  string
		want    string
		wantH   string // of the answer, all of them
		log     string
	}{
		{name: "plain", body: page, want: with, wantH: fmt.Sprintf("Content-Length: %d", len(with))},
		{name: "error page", status: 500, body: page, want: with},
		{name: "not found page", status: 404, body: page, want: with},
		{name: "gzip", header: "Content-Encoding: gzip|Etag: \"x\"", body: encode("gzip", page), want: with, wantH: "Content-Encoding: |Etag: W/\"x\""},
		{name: "x-gzip", header: "Content-Encoding: X-GZIP", body: encode("gzip", page), want: with},
		{name: "deflate", header: "Content-Encoding: deflate", body: encode("deflate", page), want: with},
		{name: "raw deflate", header: "Content-Encoding: deflate", body: encode("raw deflate", page), want: with},
		{name: "br", header: "Content-Encoding: br", body: encode("br", page), want: with},
		{name: "zstd", header: "Content-Encoding: zstd", body: encode("zstd", page), want: with},
		{name: "gzip of nothing", header: "Content-Encoding: gzip", body: encode("gzip", ""), want: ""},
		{name: "unknown encoding", header: "Content-Encoding: dcb", body: "opaque", want: "opaque", wantH: "Content-Encoding: dcb", log: `no live reload on /unknown: its Content-Encoding "dcb" is not known`},
		{name: "two encodings", header: "Content-Encoding: gzip, br", body: "opaque", want: "opaque", log: `no live reload on /two%20encodings: its Content-Encoding "gzip, br" is not known`},
		{name: "weak tag", header: "Etag: W/\"x\"", body: page, want: with, wantH: "Etag: W/\"x\""},
		{name: "utf-8", header: "Content-Type: text/html; charset=\"UTF-8\"", body: page, want: with},
		{name: "latin-1", header: "Content-Type: TEXT/HTML;charset=iso-8859-1", body: page + "\xe9", want: with + "\xe9"},
		{name: "utf-16", header: "Content-Type: text/html; charset=utf-16le", body: "<\x00h\x00", want: "<\x00h\x00"},
		{name: "utf-16 by BOM", body: "\xff\xfe<\x00h\x00", want: "\xff\xfe<\x00h\x00", wantH: "Content-Length: 6"},
		{name: "utf-16 by BOM, posted", method: "POST", body: "\xff\xfe<\x00h\x00", want: "\xff\xfe<\x00h\x00", wantH: "Content-Length: 6"},
		{name: "xhtml", header: "Content-Type: application/xhtml+xml", body: page, want: with},
		{name: "xhtml fragment", header: "Content-Type: application/xhtml+xml", body: "<p/>", want: "<p/>"},
		{name: "short", body: "x", want: tag + "x"},
		{name: "empty", body: "", want: ""},
		{name: "no content", status: 204, want: ""},
		{name: "no type", header: "Content-Type: ", body: page, want: with, wantH: "Content-Type: "},
		{name: "no type, not to be guessed", header: "Content-Type: |X-Content-Type-Options: NoSniff", body: page, want: page},
		{name: "no type, encoded", header: "Content-Type: |Content-Encoding: gzip", body: encode("gzip", page), want: encode("gzip", page)},
		{name: "no type, text", header: "Content-Type: ", body: "x < y", want: "x < y", wantH: "Content-Length: 5"},
		{name: "no type, HEAD", method: "HEAD", header: "Content-Type: |Content-Length: 99", want: "", wantH: "Content-Length: 99"},
		{name: "no type, empty", header: "Content-Type: ", want: ""},
		{name: "other type", header: "Content-Type: text/plain", body: page, want: page},
		{name: "no-transform", header: "Cache-Control: public, No-Transform", body: page, want: page},
		{name: "fragment", request: "Accept: text/html|HX-Request: true", body: page, want: page},
		{name: "encoded fragment", header: "Content-Encoding: gzip", request: "Accept: text/html|HX-Request: true", body: encode("gzip", page), want: encode("gzip", page), wantH: "Content-Encoding: gzip"},
		{name: "no document", request: "Sec-Fetch-Dest: empty|Accept: text/html", body: page, want: page},
		{name: "iframe", request: "Sec-Fetch-Dest: iframe", body: page, want: with},
		{name: "POST", method: "POST", body: page, want: with},
		{name: "POST of a script", method: "POST", request: "Sec-Fetch-Dest: empty|Accept: text/html", body: page, want: page},
		{name: "PUT", method: "PUT", body: page, want: page},
		{name: "range", request: "Accept: text/html|Range: bytes=0-3", status: 206, body: "<!do", want: "<!do"},
		{name: "conditional", request: "Accept: text/html|If-None-Match: \"x\"|If-Modified-Since: Mon, 02 Jan 2006 15:04:05 GMT", body: page, want: with},
		{name: "conditional of a script", request: "Sec-Fetch-Dest: script|If-None-Match: \"x\"", status: 304, want: ""},
		{name: "HEAD", method: "HEAD", header: fmt.Sprintf("Content-Length: %d|Etag: \"x\"", len(page)), want: "", wantH: fmt.Sprintf("Content-Length: %d|Etag: W/\"x\"", len(with))},
		{name: "HEAD gzip", method: "HEAD", header: "Content-Length: 99|Content-Encoding: gzip", want: "", wantH: "Content-Length: |Content-Encoding: "},
		{name: "nonce", header: "Content-Security-Policy: script-src 'nonce-abc'", body: page, want: with, wantH: "Content-Security-Policy: script-src 'nonce-abc'"},
		{name: "self", header: "Content-Security-Policy: script-src 'self'; connect-src 'none'", body: page, want: with},
		{name: "none", header: "Content-Security-Policy: script-src 'none'", body: page, want: page, wantH: fmt.Sprintf("Content-Length: %d", len(page)),
			log: "no live reload on /none: its Content-Security-Policy allows no script from this origin"},
		{name: "none again", header: "Content-Security-Policy: script-src 'none'", body: page, want: page,
			log: "no live reload on /none%20again: its Content-Security-Policy allows no script from this origin"},
		{name: "sandbox", header: "Content-Security-Policy: sandbox allow-scripts", body: page, want: page,
			log: "no live reload on /sandbox: its Content-Security-Policy sandbox needs both allow-scripts and allow-same-origin"},
		{name: "sandbox of the same origin", header: "Content-Security-Policy: sandbox allow-scripts allow-same-origin", body: page, want: with},
		{name: "report only", header: "Content-Security-Policy-Report-Only: script-src 'none'", body: page, want: with},
		{name: "meta policy", body: "<head><meta http-equiv=Content-Security-Policy content=\"script-src 'none'\">", want: "<head>" + tag + "<meta http-equiv=Content-Security-Policy content=\"script-src 'none'\">"},
	} {
		answer, status, body, nonce = http.Header{"Content-Type": {"text/html"}}, max(row.status, 200), row.body, "-"
		for h := range strings.SplitSeq(row.header, "|") {
			if name, value, ok := strings.Cut(h, ": "); ok && value == "" {
				answer[name] = nil // the server sends none of its own
			} else if ok {
				answer.Set(name, value)
			}
		}
		if row.status != 0 {
			status = row.status
		}
		if row.request == "" {
			row.request = "Accept: text/html"
		}
		if row.method == "" {
			row.method = "GET"
		}
		method = row.method
		log.all = nil
		u := f.url() + "/" + strings.ReplaceAll(strings.TrimSuffix(row.name, " encoding"), " ", "%20")
		res := do(t, c, row.method, u, nil, strings.Split(row.request, "|")...)
		got, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || string(got) != row.want || res.StatusCode != status {
			t.Errorf("%s: got %d %q, %v; want %d %q", row.name, res.StatusCode, got, err, status, row.want)
		}
		for h := range strings.SplitSeq(row.wantH, "|") {
			if name, value, ok := strings.Cut(h, ": "); ok && res.Header.Get(name) != value {
				t.Errorf("%s: %s is %q, want %q", row.name, name, res.Header.Get(name), value)
			}
		}
		if log.String() != row.log {
			t.Errorf("%s: said %q, want %q", row.name, log.String(), row.log)
		}
		if method != row.method {
			t.Errorf("%s: the method passed is %q", row.name, method)
		}
		if row.name == "nonce" && nonce != "abc" {
			t.Errorf("the nonce passed is %q", nonce)
		}
	}
	// Once a path, and no more than a number of paths.
	log.all = nil
	answer.Set("Content-Security-Policy", "default-src 'none'")
	status, body = 200, page
	for n := range maxNotes + 10 {
		for range 2 {
			get(t, c, fmt.Sprintf("%s/page%d", f.url(), n), "Accept: text/html")
		}
	}
	if n := len(log.all); n == 0 || n > maxNotes {
		t.Errorf("%d lines for %d paths", n, maxNotes+10)
	}
}

func TestNoSnippet(t *testing.T) {
	const page = "<html><head></head></html>"
	addr := app(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, page+r.Header.Get("If-None-Match"))
	})
	f := front(t, Options{Snippet: func(_, _ string) string { return "" }})
	f.Forward(addr)
	if _, body := get(t, client(t), f.url(), "Accept: text/html"); body != page {
		t.Errorf("an empty snippet made %q", body)
	}
}

// A page that is damaged on its way from the app is damaged for the client.
func TestBrokenEncoding(t *testing.T) {
	packed := encode("gzip", strings.Repeat("<p>some page", 10000))
	addr := app(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Encoding", "gzip")
		io.WriteString(w, packed[:len(packed)/2])
	})
	f := front(t, Options{Snippet: func(_, _ string) string { return tag }})
	f.Forward(addr)
	res := do(t, client(t), "GET", f.url(), nil, "Accept: text/html")
	defer res.Body.Close()
	if _, err := io.ReadAll(res.Body); err == nil {
		t.Error("half a page ended well")
	}
}
