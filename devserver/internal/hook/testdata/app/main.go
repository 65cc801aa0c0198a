// A web app for the tests: it listens in the ways that apps do and answers
// questions about itself.
package main

import (
	"flag"
	"fmt"
	"io/ioutil"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"unsafe"
)

var version = "none"

var (
	own  = flag.Bool("own", false, "net.Listen, then http.Serve")
	full = flag.Bool("full", false, "leave no descriptor but the listener's")
	cert = flag.String("cert", "", "serve TLS with this certificate")
	key  = flag.String("key", "", "and this key")
	unix = flag.String("unix", "", "listen on this path and for UDP, too")
)

func main() {
	flag.Parse()
	log.SetFlags(0)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "app ", os.Getpid(), " ", version, " ", r.RemoteAddr)
	})
	http.HandleFunc("/env", func(w http.ResponseWriter, r *http.Request) {
		b, err := exec.Command("sh", "-c", "env; ls -l /proc/self/fd").CombinedOutput()
		fmt.Fprintln(w, os.Environ(), string(b), err)
	})
	http.HandleFunc("/open", func(w http.ResponseWriter, r *http.Request) {
		_, err := os.ReadFile(r.FormValue("name"))
		fmt.Fprint(w, err)
	})
	var kept sync.Map
	http.HandleFunc("/kept/", func(w http.ResponseWriter, r *http.Request) {
		b, ok := kept.Load(r.URL.Path)
		if !ok {
			b, _ = os.ReadFile(r.URL.Path[len("/kept"):])
			kept.Store(r.URL.Path, b)
		}
		w.Write(b.([]byte))
	})
	http.HandleFunc("/write", write)
	http.HandleFunc("/spawn", spawn)
	http.HandleFunc("/map", memory)
	http.HandleFunc("/dial", dial)
	if *unix != "" {
		l, err := net.Listen("unix", *unix)
		check(err)
		go http.Serve(l, nil)
		_, err = net.ListenPacket("udp", "127.0.0.1:0")
		check(err)
	}
	for i, addr := range flag.Args() {
		if i == flag.NArg()-1 {
			check(serve(addr))
		}
		go func(addr string) { check(serve(addr)) }(addr)
	}
}

// write writes a file in one of the ways in which programs do, or only looks at it.
func write(w http.ResponseWriter, r *http.Request) {
	name := r.FormValue("name")
	var f *os.File
	var err error
	switch r.FormValue("how") {
	case "WriteFile":
		err = os.WriteFile(name, []byte("text"), 0o600)
	case "Create":
		f, err = os.Create(name)
	case "append":
		f, err = os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	case "rename":
		if f, err = os.CreateTemp(filepath.Dir(name), "new"); err == nil {
			err = os.Rename(f.Name(), name)
		}
	case "look":
		if _, err = os.Stat(name); err == nil {
			_, err = os.Lstat(name)
		}
		_, _ = os.ReadFile(name)
		_, _ = os.DirFS(filepath.Dir(name)).Open(filepath.Base(name))
		_, _ = os.ReadDir(filepath.Dir(name))
		_, _ = ioutil.ReadFile(name)
		f, _ = os.Open(name)
	}
	f.Close()
	fmt.Fprint(w, err)
}

func serve(addr string) error {
	switch {
	case *own:
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		fmt.Println("addr", l.Addr())
		return http.Serve(l, nil)
	case *full:
		var limit syscall.Rlimit
		check(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
		few := limit
		few.Cur = 64
		check(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few))
		var last *os.File
		for {
			f, err := os.Open(os.DevNull)
			if err != nil {
				break
			}
			last = f
		}
		last.Close()
		l, err := net.Listen("tcp4", addr)
		if err != nil {
			return err
		}
		check(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
		return http.Serve(l, nil)
	case *cert != "":
		return http.ListenAndServeTLS(addr, *cert, *key, nil)
	}
	return http.ListenAndServe(addr, nil)
}

func check(err error) {
	if err != nil {
		log.Println(err)
		os.Exit(3)
	}
}

// memory makes four pages of which the first can be read, the second lies behind the
// end of its file, the third may not be read and the fourth is not there, and
// answers where.
func memory(w http.ResponseWriter, r *http.Request) {
	f, err := os.Create(r.FormValue("file"))
	check(err)
	_, err = f.WriteString("in a file")
	check(err)
	size := os.Getpagesize()
	b, err := syscall.Mmap(int(f.Fd()), 0, 4*size, syscall.PROT_READ, syscall.MAP_SHARED)
	check(err)
	check(syscall.Mprotect(b[2*size:3*size], syscall.PROT_NONE))
	at := uintptr(unsafe.Pointer(&b[0]))
	_, _, errno := syscall.Syscall(syscall.SYS_MUNMAP, at+3*uintptr(size), uintptr(size), 0)
	if errno != 0 {
		check(errno)
	}
	fmt.Fprint(w, at)
}

// spawn starts a shell script in the app's group and answers its first line.
func spawn(w http.ResponseWriter, r *http.Request) {
	cmd := exec.Command("sh", "-c", r.FormValue("script"))
	out, err := cmd.StdoutPipe()
	check(err)
	check(cmd.Start())
	var b [100]byte
	n, err := out.Read(b[:])
	check(err)
	fmt.Fprint(w, string(b[:n]))
}

// dial fetches a page and answers it with the connection's SO_REUSEPORT.
func dial(w http.ResponseWriter, r *http.Request) {
	c, err := net.Dial("tcp", r.FormValue("to"))
	check(err)
	rc, err := c.(*net.TCPConn).SyscallConn()
	check(err)
	check(rc.Control(func(fd uintptr) {
		v, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, 15)
		fmt.Fprintln(w, "reuseport", v, err)
	}))
	check(c.(*net.TCPConn).CloseWrite())
	b, err := ioutil.ReadAll(c)
	fmt.Fprintln(w, string(b), err)
}
