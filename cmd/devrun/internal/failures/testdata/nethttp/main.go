// Command nethttp is a web app on net/http alone whose requests fail.
package main

import (
	"fmt"
	"html/template"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
)

// server is what all requests share.
type server struct {
	greeting string
	visits   atomic.Int64
	users    map[string]*user
}

func (s *server) profile(w http.ResponseWriter, r *http.Request) {
	name := r.FormValue("name")
	password := os.Getenv("APP_PASSWORD")
	auth := r.Header.Get("Authorization")
	langs := []string{"go", "c"}
	u := s.users[name]
	show(w, heading(s.greeting, u))
	fmt.Fprintln(w, "<!--", len(password), len(auth), langs, "-->")
}

func heading(greeting string, u *user) string {
	words := []string{greeting}
	return strings.Join(append(words, u.Name), " ")
}

var profile = template.Must(template.New("profile").Parse(
	`<!doctype html><html><head><title>Profile</title><link rel="icon" href="data:,"></head><body><h1>{{.}}</h1></body></html>`))

func show(w http.ResponseWriter, heading string) {
	if err := profile.Execute(w, heading); err != nil {
		log.Print(err)
	}
}

func main() {
	s := &server{greeting: "Hello", users: map[string]*user{"susan": {1, "Susan", nil}}}
	http.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "ok", s.visits.Add(1)) })
	http.HandleFunc("/greeting", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, s.greeting) })
	http.HandleFunc("/profile", s.profile)
	http.HandleFunc("/version", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, version) })
	handleWays()
	addr := net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT"))
	if cert := os.Getenv("CERT"); cert != "" {
		log.Fatal(http.ListenAndServeTLS(addr, cert, os.Getenv("CERT_KEY"), nil))
	}
	log.Fatal(http.ListenAndServe(addr, nil))
}
