package proxy

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// answerOf sends raw to addr and returns all that comes back until the end of the
// connection, in a form that can be compared: headers sorted, Date and the
// app's own address replaced, chunks joined.
func answerOf(t *testing.T, addr string, raw []byte) string {
	t.Helper()
	c := dial(t, addr)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		c.Write(raw) // an early answer may end it
	}()
	var out strings.Builder
	r := bufio.NewReader(c)
	method, _, _ := strings.Cut(string(raw), " ")
	for {
		line, err := r.ReadString('\n')
		if err == io.EOF && line == "" {
			break
		}
		if err != nil {
			t.Fatalf("%s after %q", err, out.String())
		}
		var header []string
		for {
			h, err := r.ReadString('\n')
			if err != nil {
				t.Fatalf("%s in a header after %q", err, line)
			}
			if h == "\r\n" {
				break
			}
			if strings.HasPrefix(h, "Date: ") {
				h = "Date: some\r\n"
			}
			header = append(header, strings.ReplaceAll(h, addr, "ADDR"))
		}
		slices.Sort(header)
		fmt.Fprintf(&out, "%s%s\n", line, strings.Join(header, ""))
		code := strings.Fields(line)[1]
		if code[0] == '1' || code == "204" || code == "304" || method == "HEAD" {
			continue
		}
		var b []byte
		trailer := ""
		if slices.Contains(header, "Transfer-Encoding: chunked\r\n") {
			b, trailer = readChunks(t, r)
		} else if i := slices.IndexFunc(header, func(h string) bool { return strings.HasPrefix(h, "Content-Length: ") }); i >= 0 {
			var n int64
			fmt.Sscan(header[i][len("Content-Length: "):], &n)
			b = make([]byte, n)
			_, err = io.ReadFull(r, b)
		} else {
			b, err = io.ReadAll(r)
		}
		if err != nil {
			t.Fatalf("%s in the body after %q", err, out.String())
		}
		if len(b) > 10000 {
			b = fmt.Appendf(nil, "%d bytes, %x", len(b), sha256.Sum256(b))
		}
		fmt.Fprintf(&out, "%s%s\n", strings.ReplaceAll(string(b), addr, "ADDR"), trailer)
	}
	c.Close()
	<-sent
	return out.String()
}

// readChunks reads a chunked body and its trailers, sorted.
func readChunks(t *testing.T, r *bufio.Reader) (body []byte, trailer string) {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		var n int
		if _, bad := fmt.Sscanf(line, "%x\r\n", &n); err != nil || bad != nil {
			t.Fatalf("chunk %q: %v %v", line, err, bad)
		}
		if n == 0 {
			break
		}
		chunk := make([]byte, n+2)
		if _, err := io.ReadFull(r, chunk); err != nil {
			t.Fatal(err)
		}
		body = append(body, chunk[:n]...)
	}
	var trailers []string
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("trailers: %v", err)
		}
		if line == "\r\n" {
			break
		}
		trailers = append(trailers, line)
	}
	slices.Sort(trailers)
	return body, "trailers: " + strings.Join(trailers, "")
}
