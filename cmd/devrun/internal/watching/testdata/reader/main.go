// An app that reads files in many ways.
package main

import (
	"embed"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
)

const version = "v1"

//go:embed all:dist
var dist embed.FS

func main() {
	atStart := map[string]string{}
	for _, name := range []string{"i18n/en.json", "local.ini", "../elsewhere.conf", "static/kept.css", "static/kept.js", "key"} {
		atStart[name] = read(name)
	}
	http.HandleFunc("/version", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, version) })
	http.HandleFunc("/pid", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getpid()) })
	http.HandleFunc("/start", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, atStart[r.FormValue("name")]) })
	http.HandleFunc("/each", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, read("pages/each.html")) })
	once := sync.OnceValue(func() string { return read("pages/once.txt") })
	http.HandleFunc("/once", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, once()) })
	lazy := sync.OnceValue(func() string { return read("static/lazy.css") })
	http.HandleFunc("/static/lazy.css", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, lazy()) })
	http.HandleFunc("/static/each.css", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, read("static/each.css")) })
	http.HandleFunc("/dist/", func(w http.ResponseWriter, r *http.Request) {
		b, err := fs.ReadFile(dist, r.URL.Path[1:])
		fmt.Fprint(w, string(b), err)
	})
	log.Fatal(http.ListenAndServe(net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")), nil))
}

func read(name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		log.Fatal(err)
	}
	return string(b)
}
