package devserver

import (
	"bytes"
	"compress/gzip"
	"testing"

	"devrun/devserver/internal/wire"
)

// The text of an answer that the app has compressed is read, as far as it is there.
func TestTextOf(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte("no such table"))
	z.Flush()
	begun := bytes.Clone(b.Bytes())
	z.Close()
	for _, c := range []struct {
		coding string
		body   []byte
		want   string
	}{
		{"", []byte("plain"), "plain"},
		{"gzip", b.Bytes(), "no such table"},
		{"GZIP", begun, "no such table"},
		{"gzip", begun[:5], ""},
		{"gzip", []byte("not at all"), ""},
		{"br", []byte("\x0b\x02\x80"), ""},
	} {
		r := wire.Response{Body: c.body}
		if c.coding != "" {
			r.Header = []wire.Field{{Name: "Content-Encoding", Values: []string{c.coding}}}
		}
		if got := textOf(r); got != c.want {
			t.Errorf("%s: %q, want %q", c.coding, got, c.want)
		}
	}
}
