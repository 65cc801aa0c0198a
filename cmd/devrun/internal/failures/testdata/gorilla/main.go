// Command gorilla is a web app on gorilla/mux whose requests fail.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/gorilla/handlers"
	"github.com/gorilla/mux"
)

const version = "v1"

func main() {
	r := mux.NewRouter()
	r.HandleFunc("/version", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, version) })
	ways := r.PathPrefix("/ways").Methods("GET").Subrouter()
	ways.HandleFunc("/nil", nilDereference)
	ways.HandleFunc("/index", indexError)
	ways.HandleFunc("/assertion/{id:[0-9]+}", assertion)
	ways.HandleFunc("/chain/{id}", chain)
	ways.HandleFunc("/nested", nested)
	ways.HandleFunc("/template/{id:[0-9]+}", templateError)
	ways.HandleFunc("/partly/{id:[0-9]+}", partly)
	ways.HandleFunc("/status", status)
	h := handlers.CompressHandler(handlers.RecoveryHandler(handlers.PrintRecoveryStack(true))(r))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), handlers.LoggingHandler(os.Stdout, h)))
}
