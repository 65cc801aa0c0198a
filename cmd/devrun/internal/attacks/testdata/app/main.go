// Command victim is a web app that is attacked, and that attacks: what it does
// wrong it does on purpose.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const version = "v1"

// handlers is what the files of the app serve.
var handlers = map[string]http.HandlerFunc{}

// effects counts the expressions that were evaluated and should not have been.
var effects atomic.Int64

// seen is every request that reached the app.
var seen struct {
	sync.Mutex
	all []string
}

func init() {
	handlers["/version"] = func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, version) }
	handlers["/ok"] = func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "ok") }
	handlers["/pid"] = func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, os.Getpid()) }
	handlers["/effects"] = func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, effects.Load()) }
	handlers["/env"] = func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, strings.Join(os.Environ(), "\n")) }
	handlers["/fail"] = fail
	handlers["/says"] = func(w http.ResponseWriter, r *http.Request) { panic(r.FormValue("text")) }
	handlers["/header"] = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Text", r.FormValue("text"))
		w.WriteHeader(http.StatusInternalServerError)
	}
	handlers["/echo"] = echo
	handlers["/slow"] = func(w http.ResponseWriter, r *http.Request) {
		for i := range 3 {
			fmt.Fprintln(w, "part", i)
			w.(http.Flusher).Flush()
			time.Sleep(50 * time.Millisecond)
		}
	}
	handlers["/seen"] = func(w http.ResponseWriter, r *http.Request) {
		seen.Lock()
		defer seen.Unlock()
		json.NewEncoder(w).Encode(seen.all)
	}
}

// fail has a value that is nowhere in its source.
func fail(w http.ResponseWriter, r *http.Request) {
	local := strings.Repeat("winter", 3)
	count := effects.Load()
	panic(fmt.Sprint("failed on purpose with ", len(local), count >= 0)) // a line of the source
}

// echo is the request as the app got it.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "devrun_session", Value: "forged"})
	http.SetCookie(w, &http.Cookie{Name: "app", Value: "own"})
	w.Header().Set("X-Devrun-Token", "forged")
	json.NewEncoder(w).Encode(map[string]any{
		"method": r.Method, "uri": r.RequestURI, "host": r.Host, "remote": r.RemoteAddr, "header": r.Header, "body": string(body),
	})
}

func main() {
	mux := http.NewServeMux()
	for path, h := range handlers {
		mux.HandleFunc(path, h)
	}
	noting := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Lock()
		seen.all = append(seen.all, fmt.Sprint(r.Method, " ", r.RequestURI, " for ", r.Host, " from ", r.Referer()))
		seen.Unlock()
		mux.ServeHTTP(w, r)
	})
	log.Fatal(http.ListenAndServe(net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")), noting))
}
