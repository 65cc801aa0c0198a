package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"syscall"
)

func init() { handlers["/forge"] = forge }

// forge writes the body of its request to devrun's socket, which any code of the
// app can find.
func forge(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, e := range entries {
		var fd int
		fmt.Sscan(e.Name(), &fd)
		sa, err := syscall.Getsockname(fd)
		if _, local := sa.(*syscall.SockaddrUnix); err != nil || !local {
			continue
		}
		for len(body) > 0 {
			n, err := syscall.Write(fd, body)
			if err == syscall.EAGAIN {
				continue
			}
			if err != nil {
				fmt.Fprintln(w, "socket", fd, err)
				return
			}
			body = body[n:]
		}
		fmt.Fprintln(w, "forged on", fd)
		return
	}
	fmt.Fprintln(w, "no socket")
}
