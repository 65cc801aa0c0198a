// Command served has handlers that panic, asks each of them once, and prints the
// address that it asked from. Its argument says how the server logs.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
)

type user struct{ name string }

type notFound struct{ id int }

func (e notFound) Error() string { return fmt.Sprintf("user %d\n\tis not there\n\nat all\n", e.id) }

func fail(u *user) string { return u.name } // FAIL

func at(list []int, i int) int { return list[i] } // AT

func again() {
	if v := recover(); v != nil {
		panic(v) // AGAIN
	}
}

const stack = `goroutine 1 [running]:
net/http.(*conn).serve.func1()
	/usr/local/go/src/net/http/server.go:1 +0x1
panic({0x1, 0x2})
	/usr/local/go/src/runtime/panic.go:1 +0x1
main.fake()
	/etc/passwd:1 +0x1
created by net/http.(*Server).Serve in goroutine 1
	/usr/local/go/src/net/http/server.go:1 +0x1`

type handler func(r *http.Request)

var handlers = map[string]handler{
	"nil":    func(*http.Request) { fail(nil) },
	"index":  func(r *http.Request) { at(nil, len(r.URL.Path)) },
	"error":  func(*http.Request) { panic(notFound{17}) },
	"empty":  func(*http.Request) { panic("") },
	"map":    func(*http.Request) { var m map[string]int; m["a"] = 1 },
	"again":  func(*http.Request) { defer again(); fail(nil) },
	"other":  func(*http.Request) { defer func() { panic("second") }(); panic("first") },
	"twice":  func(*http.Request) { defer again(); defer again(); panic("once") },
	"deep":   func(*http.Request) { deeper(300) },
	"trace":  func(*http.Request) { panic("x\ngoroutine 1 [running]:\nmain.fake()\n\t/etc/passwd:1 +0x1") },
	"whole":  func(*http.Request) { panic("x\n" + stack) },
	"record": func(r *http.Request) { panic("x\nhttp: panic serving " + r.RemoteAddr + ": y\n" + stack) },
	"others": func(*http.Request) { panic("x\nhttp: panic serving 127.0.0.1:1: y\n" + stack) },
	"abort":  func(*http.Request) { panic(http.ErrAbortHandler) },
}

func deeper(n int) int {
	if n == 0 {
		panic("deep")
	}
	return deeper(n-1) + 1
}

func (h handler) ServeHTTP(_ http.ResponseWriter, r *http.Request) { h(r) }

func main() {
	server := &http.Server{}
	switch how := os.Args[1]; how {
	case "plain":
	case "bare":
		log.SetFlags(0)
	case "long":
		log.SetFlags(log.LstdFlags | log.Lmicroseconds | log.Lshortfile | log.Lmsgprefix)
		log.SetPrefix("[the app] ")
	case "prefix":
		server.ErrorLog = log.New(os.Stderr, "web: ", log.LUTC|log.Ltime)
	case "json":
		slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	case "text":
		slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	default:
		log.Fatalf("no way to log %q", how)
	}
	mux := http.NewServeMux()
	for name, h := range handlers {
		mux.Handle("/"+name, h)
	}
	server.Handler = mux
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go server.Serve(l)
	for name := range handlers {
		peer, err := ask(l.Addr().String(), name)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(name, peer)
	}
}

// ask returns when the server has closed the connection.
func ask(addr, path string) (peer string, err error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := io.Copy(c, strings.NewReader("GET /"+path+" HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		return "", err
	}
	if answer, err := io.ReadAll(c); err != nil || len(answer) > 0 {
		return "", errors.Join(errors.New("there is an answer"), err)
	}
	return c.LocalAddr().String(), nil
}
