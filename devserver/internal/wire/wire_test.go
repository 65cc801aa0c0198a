package wire

import (
	"bytes"
	"go/parser"
	"go/token"
	"io"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	sent := []Message{
		{Kind: Hello, Go: "go1.26.0", Parts: []string{"listen", "serve"}},
		{Kind: Listening, Network: "tcp6", Wanted: "[::]:8080", Addr: "127.0.0.1:40001"},
		{Kind: Serving, Addr: "127.0.0.1:40001", TLS: true},
		{Kind: Notice, Text: "two\nlines"},
	}
	var b bytes.Buffer
	for _, m := range sent {
		if err := Write(&b, m); err != nil {
			t.Fatal(err)
		}
	}
	r := NewReader(&b)
	for _, want := range sent {
		if m, err := r.Next(); err != nil || !reflect.DeepEqual(m, want) {
			t.Errorf("%+v, %v instead of %+v", m, err, want)
		}
	}
	if m, err := r.Next(); err != io.EOF {
		t.Errorf("%+v, %v at the end", m, err)
	}
}

func TestBadLines(t *testing.T) {
	for in, want := range map[string]string{
		"rubbish\n": "not a message",
		`{"kind":"notice","text":"` + strings.Repeat("x", MaxMessage) + `"}`: "longer than 1048576 bytes",
	} {
		if m, err := NewReader(strings.NewReader(in)).Next(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q gives %.20v, %v", in, m, err)
		}
	}
}

func TestTooLong(t *testing.T) {
	var b bytes.Buffer
	for n, want := range map[int]error{MaxMessage - 100: nil, MaxMessage: ErrTooLong} {
		b.Reset()
		if err := Write(&b, Message{Kind: Notice, Text: strings.Repeat("x", n)}); err != want || (b.Len() == 0) != (err != nil) {
			t.Errorf("%d bytes: %v, %d written", n, err, b.Len())
		}
		if want == nil {
			if _, err := NewReader(&b).Next(); err != nil {
				t.Error(err)
			}
		}
	}
}

// What goes into the app must compile there: by itself, and whatever language
// version the app's module has.
func TestSource(t *testing.T) {
	for name, text := range Source {
		f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			if path, _ := strconv.Unquote(i.Path.Value); strings.Contains(path, ".") || strings.HasPrefix(path, "devrun") || path == "embed" {
				t.Errorf("%s imports %s", name, path)
			}
		}
		if !strings.HasPrefix(text, "//go:build go1.21\n") {
			t.Errorf("%s: no //go:build go1.21 line", name)
		}
	}
}
