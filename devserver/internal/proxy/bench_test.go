package proxy

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

// What a request costs: to the app, through a ReverseProxy as it comes, through
// a Front.
func BenchmarkRequest(b *testing.B) {
	addr := app(b, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	target, _ := url.Parse("http://" + addr)
	bare := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: &http.Transport{MaxIdleConnsPerHost: keepConns},
		ErrorLog:  log.New(io.Discard, "", 0),
	})
	defer bare.Close()
	f := front(b, Options{Snippet: func(_, _ string) string { return tag }})
	f.Forward(addr)
	for _, c := range []struct{ name, url string }{
		{"app", "http://" + addr}, {"bare", bare.URL}, {"front", f.url()},
	} {
		b.Run(c.name, func(b *testing.B) {
			cl := client(b)
			b.ReportAllocs()
			for b.Loop() {
				get(b, cl, c.url)
			}
		})
	}
}

func BenchmarkInsert(b *testing.B) {
	page := "<!doctype html><html><head>" + strings.Repeat("<p>some text of a page</p>\n", 1<<20/27)
	buf := make([]byte, ioBuffer)
	b.SetBytes(int64(len(page)))
	b.ReportAllocs()
	for b.Loop() {
		i := &inserter{src: io.NopCloser(strings.NewReader(page)), tag: []byte(tag)}
		if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, i, buf); err != nil {
			b.Fatal(err)
		}
	}
}
