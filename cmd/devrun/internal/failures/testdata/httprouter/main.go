// Command httprouter is a web app on httprouter whose requests fail.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/julienschmidt/httprouter"
)

const version = "v1"

func main() {
	r := httprouter.New()
	r.PanicHandler = func(w http.ResponseWriter, r *http.Request, v any) {
		log.Printf("%s %s: %v", r.Method, r.URL, v)
		http.Error(w, "sorry", http.StatusInternalServerError)
	}
	r.GET("/version", func(w http.ResponseWriter, r *http.Request, _ httprouter.Params) { fmt.Fprintln(w, version) })
	r.GET("/ways/nil", nilDereference)
	r.GET("/ways/index", indexError)
	r.GET("/ways/assertion/:id", assertion)
	r.GET("/ways/chain/:id", chain)
	r.GET("/ways/nested", nested)
	r.GET("/ways/template/:id", templateError)
	r.GET("/ways/status", status)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), r))
}
