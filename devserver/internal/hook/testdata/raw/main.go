// A server that makes its listener past package net: raw syscall|unix PORT.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	port, err := strconv.Atoi(os.Args[2])
	check(err)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	check(err)
	home := [4]byte{127, 0, 0, 1}
	switch os.Args[1] {
	case "syscall":
		check(syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: home}))
		check(syscall.Listen(fd, 10))
	case "unix":
		check(unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: home}))
		check(unix.Listen(fd, 10))
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	check(err)
	onExec, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	check(err)
	waits := fmt.Sprint("waits ", flags&unix.O_NONBLOCK == 0, ", stays ", onExec&unix.FD_CLOEXEC == 0)
	l, err := net.FileListener(os.NewFile(uintptr(fd), "listener"))
	check(err)
	log.Fatal(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, waits) })))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
