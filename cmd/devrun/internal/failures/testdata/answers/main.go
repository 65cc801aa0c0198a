// Command answers is a web app that has answers of its own for what fails.
package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
)

const version = "v1"

func main() {
	handle := http.HandleFunc
	handle("/version", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, version) })
	handle("/page", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `<!doctype html><html><head><title>Shop</title><link rel="icon" href="data:,"></head><body><a href="/json">json</a>`+
			`<form action="/posted" method="post"><input name="a" value="1"><button>send</button></form></body></html>`)
	})
	handle("/json", func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "application/problem+json")
		h["x-odd-Name"] = []string{"one", "two, three"}
		h.Add("Set-Cookie", "a=1; Path=/")
		h.Add("Set-Cookie", "b=2; HttpOnly")
		h.Set("Trailer", "X-Sum")
		h.Set("Date", "Mon, 01 Jan 2024 00:00:00 GMT")
		w.WriteHeader(http.StatusBadGateway)
		io.WriteString(w, `{"error":`)
		io.WriteString(w, `"the shop is closed"}`+"\n")
		h.Set("X-Sum", "42")
		h.Set(http.TrailerPrefix+"X-Late", "unannounced")
		h.Set("X-Too-Late", "1")
	})
	handle("/text", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no such table", http.StatusInternalServerError)
	})
	handle("/bare", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	handle("/recovered", recovering(panics))
	handle("/again", recovering(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			e := recover()
			http.Error(w, "once", http.StatusInternalServerError)
			panic(e)
		}()
		panics(w, r)
	}))
	handle("/both", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "first", http.StatusInternalServerError)
		panics(w, r)
	})
	handle("/rethrown", func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			e := recover()
			w.WriteHeader(http.StatusInternalServerError)
			panic(e)
		}()
		panics(w, r)
	})
	handle("/panic", panics)
	more := make(chan bool)
	handle("/more", func(w http.ResponseWriter, r *http.Request) { more <- true })
	handle("/flushed", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		io.WriteString(w, "first\n")
		w.(http.Flusher).Flush()
		if r.FormValue("wait") != "" {
			<-more
		}
		io.WriteString(w, "second\n")
	})
	handle("/unsaid", func(w http.ResponseWriter, r *http.Request) { // its text would come with the header
		e := compressor{w}
		e.WriteHeader(http.StatusInternalServerError)
		io.WriteString(w, "after all\n")
	})
	handle("/slow", func(w http.ResponseWriter, r *http.Request) { // more than net/http keeps back, in pieces
		w.WriteHeader(http.StatusInternalServerError)
		for range 2000 {
			io.WriteString(w, "first ")
		}
		if r.FormValue("wait") != "" {
			<-more
		}
		io.WriteString(w, "second\n")
	})
	handle("/large", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.WriteHeader(http.StatusInternalServerError)
		for i := range 3 << 10 {
			fmt.Fprintf(w, "%1023d\n", i)
		}
	})
	handle("/whole", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(2<<20))
		w.WriteHeader(http.StatusInternalServerError)
		io.WriteString(w, strings.Repeat("x", 2<<20))
	})
	handle("/loud", func(w http.ResponseWriter, r *http.Request) { // more than is kept back, at once
		http.Error(w, strings.Repeat("loud ", 1<<19), http.StatusInternalServerError)
	})
	handle("/gzip", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusInternalServerError)
		z := gzip.NewWriter(w)
		io.WriteString(z, strings.Repeat("<p>we are sorry</p>", 1000))
		z.Close()
	})
	handle("/promised", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "12")
		w.WriteHeader(http.StatusInternalServerError)
		io.WriteString(w, "twelve bytes")
	})
	handle("/early", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		http.Error(w, "after a hint", http.StatusInternalServerError)
	})
	handle("/copied", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		io.Copy(w, io.MultiReader(strings.NewReader("from a "), strings.NewReader("reader")))
	})
	handle("/begun", func(w http.ResponseWriter, r *http.Request) { // its 5xx comes too late
		io.WriteString(w, "half a page")
		http.Error(w, "then an error", http.StatusInternalServerError)
	})
	handle("/posted", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		http.Error(w, fmt.Sprint(len(b), " bytes, ", err), http.StatusInternalServerError)
	})
	handle("/forged", func(w http.ResponseWriter, r *http.Request) { // the reader may take it for devrun's
		w.Header()["X-Devrun-Failure"] = r.Header["X-Say"]
		status := http.StatusOK
		fmt.Sscan(r.FormValue("status"), &status)
		w.WriteHeader(status)
		io.WriteString(w, "forged\n")
	})
	s := &http.Server{Addr: net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")), Protocols: new(http.Protocols)}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	log.Fatal(s.ListenAndServe())
}

type account struct{ Name string }

func panics(w http.ResponseWriter, r *http.Request) {
	secret := "of the variables"
	var a *account
	fmt.Fprintln(w, a.Name, secret) // PANIC
}

// recovering answers for a panic as a middleware does.
func recovering(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if e := recover(); e != nil {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("X-Request-Id", "r-17")
				w.WriteHeader(http.StatusInternalServerError)
				io.WriteString(w, `{"error":`)
				io.WriteString(w, `"internal"}`)
			}
		}()
		h(w, r)
	}
}

// compressor writes its header as part of a write, as those do that compress.
type compressor struct{ w http.ResponseWriter }

func (c compressor) WriteHeader(status int) { c.Write(status) }
func (c compressor) Write(status int) {
	c.w.WriteHeader(status)
	c.w.(http.Flusher).Flush()
}
