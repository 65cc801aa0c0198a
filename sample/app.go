package main

import (
	"net/http"

	"devrun/sample/internal/store"
)

// app is the web app: everything a request needs.
type app struct {
	cfg   config
	mux   *http.ServeMux
	pages *pages
	store *store.Store
}

func newApp(cfg config, db *store.Store) (*app, error) {
	files := files(cfg.development())
	pages, err := parsePages(files)
	if err != nil {
		return nil, err
	}
	a := &app{cfg: cfg, mux: http.NewServeMux(), pages: pages, store: db}
	a.mux.HandleFunc("GET /{$}", a.loginRequired(a.index))
	a.mux.HandleFunc("GET /index", a.loginRequired(a.index))
	a.mux.HandleFunc("POST /posts", a.loginRequired(a.publish))
	a.mux.HandleFunc("GET /login", a.login)
	a.mux.HandleFunc("POST /login", a.login)
	a.mux.HandleFunc("GET /logout", a.logout)
	a.mux.HandleFunc("GET /register", a.register)
	a.mux.HandleFunc("POST /register", a.register)
	a.mux.HandleFunc("GET /user/{username}", a.loginRequired(a.profile))
	a.mux.HandleFunc("GET /edit_profile", a.loginRequired(a.profileForm))
	a.mux.HandleFunc("POST /edit_profile", a.loginRequired(a.editProfile))
	a.mux.HandleFunc("GET /static/{file...}", a.static(files))
	return a, nil
}

// ServeHTTP answers a request: what is needed of it is put together, a failure
// becomes the error page, and what no route matches gets a page of ours.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w, r = a.begin(w, r)
	if !a.cfg.development() {
		defer a.recovered(w, r)
	}
	if !a.acceptForm(w, r) || !a.identify(w, r) {
		return
	}
	if _, pattern := a.mux.Handler(r); pattern != "" {
		a.mux.ServeHTTP(w, r)
		return
	}
	a.unmatched(w, r)
}
