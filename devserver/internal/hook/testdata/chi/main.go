package main

import (
	"errors"
	"net/http"
	"os"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

// more is what other files serve.
var more = map[string]http.HandlerFunc{}

func lookup(p *int) int {
	return *p // LOOKUP
}

func main() {
	r := chi.NewRouter()
	r.Use(middleware.RequestID, middleware.Logger, middleware.Recoverer)
	r.Get("/panic", func(w http.ResponseWriter, r *http.Request) { lookup(nil) })
	r.Get("/error", func(w http.ResponseWriter, r *http.Request) {
		err := errors.New("no such table")
		http.Error(w, err.Error(), 500) // ERROR
	})
	for path, h := range more {
		r.Get(path, h)
	}
	http.ListenAndServe(os.Args[1], r)
}
