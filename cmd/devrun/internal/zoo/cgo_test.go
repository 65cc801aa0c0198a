//go:build linux

package zoo

import "maps"

// cgo is an app on SQLite in C, with C of its own. No app of this kind is published
// as a module.
var cgo = app{
	name:  "cgo",
	pkg:   ".",
	ready: "/",
	page:  "/",
	prepare: func(v *visit) {
		v.Write("go.mod", "module zoo.test/cgo\n\ngo 1.25.0\n\nrequire github.com/mattn/go-sqlite3 v1.14.53\n")
		v.Write("main.go", `package main

import (
	"database/sql"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"

	_ "github.com/mattn/go-sqlite3"

	"zoo.test/cgo/cage"
)

var db *sql.DB

func main() {
	var err error
	if db, err = sql.Open("sqlite3", "zoo.db"); err != nil {
		log.Fatal(err)
	}
	if _, err := db.Exec("create table if not exists visits (path text)"); err != nil {
		log.Fatal(err)
	}
	http.Handle("/static/", http.FileServer(http.Dir(".")))
	http.HandleFunc("/new", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, cage.Files, "files/new.txt")
	})
	http.HandleFunc("/config", func(w http.ResponseWriter, r *http.Request) {
		w.Write(config)
	})
	http.HandleFunc("/fail", func(w http.ResponseWriter, r *http.Request) {
		serverError(w, nil)
	})
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if _, err := db.Exec("insert into visits values (?)", r.URL.Path); err != nil {
			serverError(w, err)
			return
		}
		w.Header().Set("X-Zoo", cage.Animal())
		w.Header().Set("X-Legs", fmt.Sprint(cage.Legs()))
		http.ServeFileFS(w, r, cage.Files, "files/page.html")
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}

func serverError(w http.ResponseWriter, err error) {
	if errors.Is(err, nil) {
		return
	}
	w.WriteHeader(http.StatusInternalServerError)
	w.Write([]byte("<!doctype html><title>Oh no</title><p>It is not your fault.</p>"))
}

var config = func() []byte {
	text, err := os.ReadFile("zoo.yaml")
	if err != nil {
		log.Fatal(err)
	}
	return text
}()
`)
		v.Write("cage/cage.go", `package cage

// static int legs(void) { return 4; }
import "C"

import "embed"

//go:embed files
var Files embed.FS

func Legs() int { return int(C.legs()) }

func Animal() string {
	return "llama"
}
`)
		v.Write("cage/files/page.html", "<!doctype html><title>llama</title><p>a page</p>\n")
		v.Write("static/zoo.css", "p { color: black }\n")
		v.Write("zoo.yaml", "animal: llama\n")
		v.Write(".gitignore", "/zoo.db*\n")
		v.tidy()
	},
	edits: func() map[string]edit {
		own := maps.Clone(small)
		own[neutral] = edit{
			changes: []change{{"cage/cage.go", "return 4;", "return 2;"}},
			path:    "/", want: []string{"X-Legs:[2]"},
		}
		own[panicking] = edit{
			changes: []change{{"main.go", "\t\tserverError(w, nil)\n", "\t\tanimals, keeper := 41, (*http.Cookie)(nil)\n\t\tkeeper.MaxAge = animals\n"}},
			path:    "/fail", want: []string{"nil pointer dereference", "keeper is nil", "main.go:35", "animals", "41"},
		}
		own[failing] = edit{
			changes: []change{{"main.go", "\t\tserverError(w, nil)\n", "\t\tanimals := 41\n\t\t_, err := db.Exec(\"insert into cages values (?)\", animals)\n\t\tserverError(w, err)\n"}},
			path:    "/fail", want: []string{"no such table: cages", "main.go:36", "animals", "41"},
		}
		return own
	}(),
}
