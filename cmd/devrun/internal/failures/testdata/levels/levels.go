package main

import (
	"fmt"
	"net/http"
	"os"
	"syscall"
)

func init() {
	if os.Getenv("SECRETIVE") != "" {
		const setDumpable = 4 // PR_SET_DUMPABLE
		if _, _, errno := syscall.Syscall(syscall.SYS_PRCTL, setDumpable, 0, 0); errno != 0 {
			panic(errno)
		}
	}
	http.HandleFunc("/end", func(w http.ResponseWriter, r *http.Request) {
		go end(17)
		<-r.Context().Done()
	})
}

// end fails where no handler is around it.
func end(n int) {
	panic(fmt.Sprint("the app ends at ", n)) // END
}
