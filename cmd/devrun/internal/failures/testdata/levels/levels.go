package main

import (
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
)

func init() {
	if os.Getenv("SECRETIVE") != "" {
		const setDumpable = 4 // PR_SET_DUMPABLE
		if _, _, errno := syscall.Syscall(syscall.SYS_PRCTL, setDumpable, 0, 0); errno != 0 {
			panic(errno)
		}
	}
	var posts atomic.Int64
	http.HandleFunc("POST /post", func(w http.ResponseWriter, r *http.Request) {
		posts.Add(1)
		panic("posted " + r.FormValue("name"))
	})
	http.HandleFunc("/posts", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, posts.Load()) })
	http.HandleFunc("/end", func(w http.ResponseWriter, r *http.Request) {
		go end(17)
		<-r.Context().Done()
	})
}

// end fails where no handler is around it.
func end(n int) {
	panic(fmt.Sprint("the app ends at ", n)) // END
}
