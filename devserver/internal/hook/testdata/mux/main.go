package main

import (
	"errors"
	"net/http"
	"os"

	"github.com/gorilla/handlers"
	"github.com/gorilla/mux"
)

// more is what other files serve.
var more = map[string]http.HandlerFunc{}

func lookup(p *int) int {
	return *p // LOOKUP
}

func main() {
	r := mux.NewRouter()
	r.HandleFunc("/panic", func(w http.ResponseWriter, r *http.Request) { lookup(nil) })
	r.HandleFunc("/error", func(w http.ResponseWriter, r *http.Request) {
		err := errors.New("no such table")
		http.Error(w, err.Error(), 500) // ERROR
	})
	for path, h := range more {
		r.HandleFunc(path, h)
	}
	h := handlers.CompressHandler(handlers.RecoveryHandler(handlers.PrintRecoveryStack(true))(r))
	http.ListenAndServe(os.Args[1], handlers.LoggingHandler(os.Stdout, h))
}
