// An app of several processes: PROCESSES says which.
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"unsafe"
)

const version = "v1"

const soReusePort = 15 // SO_REUSEPORT, which package syscall lacks

var addr = net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT"))

func main() {
	http.HandleFunc("/version", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, version) })
	http.HandleFunc("/pid", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getpid()) })
	http.HandleFunc("/parent", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getppid()) })
	http.HandleFunc("/start", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getenv("START")) })
	http.HandleFunc("/exit", func(w http.ResponseWriter, r *http.Request) { os.Exit(4) })
	http.HandleFunc("/panic", func(w http.ResponseWriter, r *http.Request) {
		answer := 41 + len(r.Method)
		panic(fmt.Sprint("not ", answer))
	})
	worker := os.Getenv("WORKER") != ""
	switch kind := os.Getenv("PROCESSES"); {
	case kind == "given":
		if os.Getenv("LISTEN_PID") != fmt.Sprint(os.Getpid()) || os.Getenv("LISTEN_FDS") != "2" {
			log.Fatal(os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"))
		}
		text, err := io.ReadAll(io.NewSectionReader(os.NewFile(4, "file"), 0, 100))
		check(err)
		http.HandleFunc("/given", func(w http.ResponseWriter, r *http.Request) { w.Write(text) })
		l, err := net.FileListener(os.NewFile(3, "listener"))
		check(err)
		log.Fatal(http.Serve(l, nil))
	case kind == "again":
		again()
	case (kind == "prefork" || kind == "raw" || kind == "unseen") && !worker:
		for range 2 {
			start()
		}
		select {}
	case kind == "prefork":
		shared := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) { check(syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soReusePort, 1)) })
		}}
		l, err := shared.Listen(context.Background(), "tcp", addr)
		check(err)
		log.Fatal(http.Serve(l, nil))
	case kind == "raw":
		log.Fatal(http.Serve(listen(syscall.Bind, syscall.Listen), nil))
	case kind == "unseen":
		log.Fatal(http.Serve(listen(bind, backlog), nil))
	case (kind == "inherit" || kind == "leave") && !worker:
		l, err := net.Listen("tcp", addr)
		check(err)
		f, err := l.(*net.TCPListener).File()
		check(err)
		c := start(f)
		if kind == "inherit" { // and not leave the port to it
			log.Fatal(c.Wait())
		}
	case kind == "inherit" || kind == "leave":
		l, err := net.FileListener(os.NewFile(3, "listener"))
		check(err)
		log.Fatal(http.Serve(l, nil))
	case kind == "daemon" && !worker:
		start()
	default:
		log.Fatal(http.ListenAndServe(addr, nil))
	}
}

// listen makes a listener that others share by system calls, past package net.
func listen(bind func(int, syscall.Sockaddr) error, listen func(int, int) error) net.Listener {
	at, err := net.ResolveTCPAddr("tcp4", addr)
	check(err)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	check(err)
	check(syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, soReusePort, 1))
	check(bind(fd, &syscall.SockaddrInet4{Port: at.Port, Addr: [4]byte(at.IP.To4())}))
	check(listen(fd, 128))
	f := os.NewFile(uintptr(fd), "listener")
	defer f.Close()
	l, err := net.FileListener(f)
	check(err)
	return l
}

// bind and backlog are system calls that no package is asked for.
func bind(fd int, at syscall.Sockaddr) error {
	a := at.(*syscall.SockaddrInet4)
	raw := syscall.RawSockaddrInet4{Family: syscall.AF_INET, Addr: a.Addr}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&raw.Port))[:], uint16(a.Port))
	if _, _, errno := syscall.Syscall(syscall.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&raw)), unsafe.Sizeof(raw)); errno != 0 {
		return errno
	}
	return nil
}

func backlog(fd, n int) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_LISTEN, uintptr(fd), uintptr(n), 0); errno != 0 {
		return errno
	}
	return nil
}

// again serves until it is asked to start anew, and executes itself then.
func again() {
	s := &http.Server{Addr: addr}
	asked := make(chan bool, 1)
	http.HandleFunc("/again", func(w http.ResponseWriter, r *http.Request) { asked <- true })
	go func() {
		<-asked
		s.Close()
		check(os.Setenv("START", "second"))
		check(syscall.Exec(os.Args[0], os.Args, os.Environ()))
	}()
	log.Print(s.ListenAndServe())
	select {}
}

// start runs the same program as a worker, in a session of its own.
func start(files ...*os.File) *exec.Cmd {
	c := exec.Command(os.Args[0], os.Args[1:]...)
	c.Env = append(os.Environ(), "WORKER=1")
	c.Stdout, c.Stderr, c.ExtraFiles = os.Stdout, os.Stderr, files
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	check(c.Start())
	return c
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
