// Package web has the handlers.
package web

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

//go:embed embedded.txt
var embedded string

const leaf = "l1"

// Handler returns all of them.
func Handler(version string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html>\n<html>\n<head>\n<title>%s</title>\n<link rel=stylesheet href=/static/app.css>\n</head>\n<body style=\"min-height: 4000px\"><p id=version>%s %d</p></body>\n</html>\n", version, version, os.Getpid())
	})
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, version) })
	mux.HandleFunc("GET /pid", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, os.Getpid()) })
	mux.HandleFunc("GET /leaf", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, leaf) })
	mux.HandleFunc("GET /embedded", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, embedded) })
	mux.HandleFunc("GET /env/{name}", func(w http.ResponseWriter, r *http.Request) {
		value, ok := os.LookupEnv(r.PathValue("name"))
		fmt.Fprintf(w, "%q %v\n", value, ok)
	})
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("GET /sse", sse)
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		ms, _ := strconv.Atoi(r.FormValue("ms"))
		time.Sleep(time.Duration(ms) * time.Millisecond)
		fmt.Fprintln(w, "slow", version)
	})
	mux.HandleFunc("GET /poll", func(w http.ResponseWriter, r *http.Request) {
		if version != r.FormValue("until") {
			<-r.Context().Done()
			http.Error(w, r.Context().Err().Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, "polled", version)
	})
	mux.HandleFunc("GET /greeter", func(w http.ResponseWriter, r *http.Request) { // a server that is not HTTP
		ln, err := net.Listen("tcp", "127.0.0.1:"+r.FormValue("port"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				fmt.Fprint(c, "220 ready\r\n")
				c.Close()
			}
		}()
	})
	mux.HandleFunc("GET /gz", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		fmt.Fprint(z, "<!doctype html><html><head></head><body>zipped</body></html>")
		z.Close()
	})
	mux.HandleFunc("GET /csp", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Security-Policy", r.FormValue("policy"))
		fmt.Fprint(w, "<!doctype html><html><head></head><body>strict</body></html>")
	})
	mux.HandleFunc("GET /zeros", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.ParseInt(r.FormValue("n"), 10, 64)
		w.Header().Set("Content-Type", "application/octet-stream")
		buf := make([]byte, 64<<10)
		for n > 0 {
			k, err := w.Write(buf[:min(n, int64(len(buf)))])
			if err != nil {
				return
			}
			n -= int64(k)
		}
	})
	mux.HandleFunc("GET /exit", func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.FormValue("code"))
		os.Exit(code)
	})
	mux.HandleFunc("GET /crash", func(w http.ResponseWriter, r *http.Request) {
		go crash(nil)
		time.Sleep(time.Minute)
	})
	mux.HandleFunc("GET /stdin", func(w http.ResponseWriter, r *http.Request) {
		line, err := bufio.NewReader(os.Stdin).ReadString('\n')
		fmt.Fprintf(w, "%q %v\n", line, err)
	})
	mux.HandleFunc("GET /tty", func(w http.ResponseWriter, r *http.Request) {
		for _, f := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
			fi, err := f.Stat()
			fmt.Fprint(w, err == nil && fi.Mode()&os.ModeCharDevice != 0 && fi.Mode()&os.ModeDevice != 0, " ")
		}
	})
	mux.HandleFunc("GET /ws", websocketEcho)
	mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServer(http.Dir("static"))))
	mux.HandleFunc("GET /template", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, page) })
	log.SetFlags(0)
	return mux
}

// page is read once, when the app starts.
var page = func() string {
	b, _ := os.ReadFile("templates/page.html")
	return string(b)
}()

func crash(m map[string]int) { m["x"] = 1 }

func echo(w http.ResponseWriter, r *http.Request) {
	h := sha256.New()
	n, err := io.Copy(h, r.Body)
	fmt.Fprintf(w, "%s %q %q %q %d %x %v\n", r.Method, r.URL.RawQuery, r.Header.Get("Content-Type"), r.Host, n, h.Sum(nil), err)
}

func sse(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", cmp.Or(r.FormValue("type"), "text/event-stream"))
	every, _ := strconv.Atoi(r.FormValue("ms"))
	count, _ := strconv.Atoi(r.FormValue("n"))
	for i := range count {
		fmt.Fprintf(w, "data: %d\n\n", i)
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-time.After(time.Duration(every) * time.Millisecond):
		}
	}
}

// websocketEcho sends the bytes back that come after the handshake, without
// looking into the frames.
func websocketEcho(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		http.Error(w, "not an upgrade", http.StatusBadRequest)
		return
	}
	c, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	io.Copy(c, rw)
}
