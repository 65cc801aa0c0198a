package main

import (
	"net/http"
	"strings"
)

// app is the web app: everything a request needs.
type app struct {
	mux      *http.ServeMux
	pages    *pages
	sessions sessions
	users    *users
}

func newApp(cfg config) (*app, error) {
	files := files(cfg.development())
	pages, err := parsePages(files)
	if err != nil {
		return nil, err
	}
	users, err := demoUsers()
	if err != nil {
		return nil, err
	}
	a := &app{mux: http.NewServeMux(), pages: pages, users: users, sessions: sessions{key: cfg.Secret}}
	a.mux.HandleFunc("GET /{$}", a.signedIn(a.index))
	a.mux.HandleFunc("GET /index", a.signedIn(a.index))
	a.mux.HandleFunc("GET /login", a.login)
	a.mux.HandleFunc("POST /login", a.login)
	a.mux.HandleFunc("GET /logout", a.logout)
	a.mux.HandleFunc("GET /static/{file...}", a.static(files))
	return a, nil
}

// maxForm is the largest form that is read, in bytes; the biggest honest one
// is below 2 kB.
const maxForm = 64 << 10

// ServeHTTP answers a request: from the outside in, failures become the error
// page, the session is loaded, and what no route matches gets a page of ours.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = a.load(w, r)
	defer a.recovered(w, r)
	if r.Method == http.MethodPost {
		if err := sameOrigin.Check(r); err != nil {
			http.Error(w, "this form was sent from another site", http.StatusForbidden)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	}
	if _, pattern := a.mux.Handler(r); pattern != "" {
		a.mux.ServeHTTP(w, r)
		return
	}
	a.unmatched(w, r)
}

// sameOrigin refuses forms that other sites send.
var sameOrigin = http.NewCrossOriginProtection()

// unmatched answers what no pattern takes. The mux knows whether only the
// method is wrong.
func (a *app) unmatched(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		probe := r.Clone(r.Context())
		probe.Method = m
		if _, pattern := a.mux.Handler(probe); pattern != "" {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) == 0 {
		a.notFound(w, r)
		return
	}
	w.Header().Set("Allow", strings.Join(append(allowed, http.MethodOptions), ", "))
	if r.Method == http.MethodOptions {
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusMethodNotAllowed)
	w.Write([]byte(methodNotAllowed))
}

const methodNotAllowed = `<!doctype html>
<html lang=en>
<title>405 Method Not Allowed</title>
<h1>Method Not Allowed</h1>
<p>The method is not allowed for the requested URL.</p>
`
