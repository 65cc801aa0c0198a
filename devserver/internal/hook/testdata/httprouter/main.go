package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/julienschmidt/httprouter"
)

// more is what other files serve.
var more = map[string]http.HandlerFunc{}

func lookup(p *int) int {
	return *p // LOOKUP
}

func main() {
	r := httprouter.New()
	r.PanicHandler = func(w http.ResponseWriter, r *http.Request, v any) {
		w.WriteHeader(500)
		fmt.Fprint(w, "sorry: ", v)
	}
	r.GET("/panic", func(w http.ResponseWriter, r *http.Request, _ httprouter.Params) { lookup(nil) })
	r.GET("/error", func(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
		err := errors.New("no such table")
		http.Error(w, err.Error(), 500) // ERROR
	})
	for path, h := range more {
		r.HandlerFunc("GET", path, h)
	}
	http.ListenAndServe(os.Args[1], r)
}
