// Command chi is a web app on chi whose requests fail.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

const version = "v1"

func main() {
	r := chi.NewRouter()
	r.Use(middleware.RequestID, middleware.RealIP, middleware.Logger, middleware.Recoverer)
	r.Get("/version", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, version) })
	r.Route("/ways", func(r chi.Router) {
		r.Get("/nil", nilDereference)
		r.Get("/index", indexError)
		r.Get("/assertion/{id}", assertion)
		r.Get("/chain/{id}", chain)
		r.Get("/nested", nested)
		r.Get("/template/{id}", templateError)
		r.Get("/status", status)
		r.With(middleware.Timeout(10*time.Millisecond)).Get("/timeout", slow)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), r))
}
