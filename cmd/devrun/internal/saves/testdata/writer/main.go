// An app that writes files where devrun watches.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

const version = "v1"

func main() {
	atStart()
	if script := os.Getenv("BY_A_CHILD"); script != "" {
		check(exec.Command("sh", "-c", script).Run())
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	go func() {
		<-term
		check(os.WriteFile("last.yaml", now(), 0o644))
		os.Exit(0)
	}()

	http.HandleFunc("/version", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, version) })
	http.HandleFunc("/pid", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getpid()) })
	http.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		name := r.FormValue("name")
		check(os.MkdirAll(filepath.Dir(name), 0o755))
		check(os.WriteFile(name, now(), 0o644))
	})
	http.HandleFunc("/remove", func(w http.ResponseWriter, r *http.Request) { check(os.Remove(r.FormValue("name"))) })
	finish := make(chan bool)
	http.HandleFunc("/report", func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Create("report.html")
		check(err)
		for range 2 {
			_, err := f.Write(now())
			check(err)
			<-finish
		}
		check(f.Close())
		http.ServeFile(w, r, "report.html")
	})
	http.HandleFunc("/finish", func(w http.ResponseWriter, r *http.Request) { finish <- true })
	log.Fatal(http.ListenAndServe(net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")), nil))
}

// atStart writes in each of the ways in which that is done.
func atStart() {
	check(os.WriteFile("written.yaml", now(), 0o644))
	f, err := os.OpenFile("added.toml", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	check(err)
	f.Write(now())
	check(f.Close())
	f, err = os.CreateTemp(".", "moved-")
	check(err)
	f.Write(now())
	check(f.Close())
	check(os.Rename(f.Name(), "moved.yaml"))
	kept, err = os.Create("kept.yaml")
	check(err)
	kept.Write(now())
}

// kept stays open as long as the app runs.
var kept *os.File

func now() []byte { return fmt.Appendf(nil, "at: %d\n", time.Now().UnixNano()) }

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
