// A web app whose requests fail, each in a way of its own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	cert    = flag.String("cert", "", "serve TLS with this certificate")
	key     = flag.String("key", "", "and this key")
	timeout = flag.Duration("write", 0, "WriteTimeout")
	until   = flag.Duration("until", 0, "deadline of the BaseContext")
)

type user struct{ Name string }

type notFound struct{ ID int }

func (e *notFound) Error() string { return fmt.Sprintf("no user %d", e.ID) }

type evil string

func (e evil) Error() string {
	switch e {
	case "panics":
		panic("evil")
	case "locks":
		lock.Lock()
	case "exits":
		runtime.Goexit()
	}
	return string(e)
}

type cycle struct{ next error }

func (c *cycle) Error() string { return "cycle" }
func (c *cycle) Unwrap() error { return c.next }

type code int

var (
	lock  sync.Mutex
	freed atomic.Int64
	left  = make(chan string, 100) // what a handler says after it was released
	page  = template.Must(template.New("page").Parse(`<h1>{{.Name}}</h1>{{.Nope}}`))
)

// lookup panics at a line of its own.
func lookup(u *user) string {
	return u.Name // LOOKUP
}

func recovering(answer func(w http.ResponseWriter, r *http.Request, e any)) func(http.HandlerFunc) http.HandlerFunc {
	return func(h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				if e := recover(); e != nil {
					answer(w, r, e)
					left <- r.URL.Path
				}
			}()
			h(w, r)
		}
	}
}

func main() {
	flag.Parse()
	log.SetFlags(0)
	boom := func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, lookup(nil)) }
	handle := http.HandleFunc

	handle("/ok", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok ", r.RemoteAddr) })
	handle("POST /nil/{id}", boom)
	handle("/nil", boom)
	handle("/chain", func(w http.ResponseWriter, r *http.Request) {
		panic(fmt.Errorf("load: %w", errors.Join(&notFound{7}, fmt.Errorf("read: %w", io.ErrUnexpectedEOF))))
	})
	handle("/custom", func(w http.ResponseWriter, r *http.Request) { panic(code(7)) })
	handle("/evil", func(w http.ResponseWriter, r *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		defer func() { lock.TryLock() }()
		panic(evil(r.FormValue("how")))
	})
	handle("/huge", func(w http.ResponseWriter, r *http.Request) {
		var all []error
		for i := 0; i < 100; i++ {
			all = append(all, errors.New(strings.Repeat("<", 50_000)))
		}
		for i := 0; i < 500; i++ {
			w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("<", 1000))
		}
		defer func() {
			recover()
			w.WriteHeader(500)
		}()
		r.ParseForm()
		panic(errors.Join(all...))
	})
	handle("/cycle", func(w http.ResponseWriter, r *http.Request) {
		c := &cycle{}
		c.next = c
		panic(c)
	})
	handle("/nested", func(w http.ResponseWriter, r *http.Request) {
		defer func() { panic("second") }()
		panic("first") // FIRST
	})
	handle("/repanic", func(w http.ResponseWriter, r *http.Request) {
		defer func() { panic(recover()) }()
		lookup(nil)
	})
	handle("/recovered", recovering(func(w http.ResponseWriter, r *http.Request, e any) {
		w.Header().Set("X-App", "1")
		http.Error(w, fmt.Sprint("sorry: ", e), 500)
	})(boom))
	handle("/silent", recovering(func(w http.ResponseWriter, r *http.Request, e any) { w.WriteHeader(500) })(boom))
	handle("/again", recovering(func(w http.ResponseWriter, r *http.Request, e any) { w.WriteHeader(500); panic(e) })(boom))
	handle("/unwound", func(w http.ResponseWriter, r *http.Request) {
		err := func() (err error) {
			defer func() { err = fmt.Errorf("%v", recover()) }()
			boom(w, r)
			return nil
		}()
		http.Error(w, err.Error(), 500) // UNWOUND
	})
	handle("/fine", recovering(func(w http.ResponseWriter, r *http.Request, e any) { fmt.Fprint(w, "all is well") })(boom))
	handle("/error", func(w http.ResponseWriter, r *http.Request) {
		text := "no such table: users"
		w.Header().Set("X-App", "1")
		http.Error(w, text, 500) // ERROR
		fmt.Fprint(w, "more")
		w.Header().Set("X-Late", "1")
		left <- "/error"
	})
	handle("/flushing", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(500)
		io.WriteString(w, "first\n")
		w.(http.Flusher).Flush()
		io.WriteString(w, "second\n")
	})
	handle("/bare", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(503) // BARE
	})
	handle("/both", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "first", 500)
		lookup(nil)
	})
	handle("/template", func(w http.ResponseWriter, r *http.Request) {
		if err := page.Execute(w, user{"susan"}); err != nil {
			http.Error(w, err.Error(), 500) // TEMPLATE
		}
	})
	handle("/abort", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "half")
		panic(http.ErrAbortHandler)
	})
	handle("/goexit", func(w http.ResponseWriter, r *http.Request) { runtime.Goexit() })
	handle("/partial", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "half a page")
		lookup(nil)
	})
	handle("/started", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, strings.Repeat("x", 3000))
		lookup(nil)
	})
	handle("/flushed", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
		lookup(nil)
	})
	handle("/late", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "data: 1\n\n")
		http.NewResponseController(w).Flush()
		http.Error(w, "too late", 500)
	})
	handle("/hijack", func(w http.ResponseWriter, r *http.Request) {
		conn, buf, err := w.(http.Hijacker).Hijack()
		check(err)
		fmt.Fprint(buf, "HTTP/1.1 101 Switching Protocols\r\n\r\nraw")
		check(buf.Flush())
		defer conn.Close()
		lookup(nil)
	})
	handle("/context", func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			recover()
			_, dated := r.Context().Deadline()
			func() {
				defer func() {
					<-time.After(time.Millisecond)
					left <- fmt.Sprint(r.Context().Err(), " ", dated)
				}()
				http.Error(w, "context", 500)
			}()
		}()
		lookup(nil)
	})
	handle("/elsewhere", func(w http.ResponseWriter, r *http.Request) {
		done := make(chan bool)
		go func() {
			defer close(done)
			http.Error(w, "elsewhere", 500) // ELSEWHERE
		}()
		<-done
	})
	handle("/stream", func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < 3; i++ {
			fmt.Fprintf(w, "data: %d\n\n", i)
			w.(http.Flusher).Flush()
			if _, err := io.ReadFull(r.Body, make([]byte, 1)); i < 2 && err != nil {
				check(err)
			}
		}
	})
	handle("/kernel", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10000")
		io.CopyN(w, &witness{}, 10000)
	})
	handle("/file", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, r.FormValue("name")) })
	handle("/left", func(w http.ResponseWriter, r *http.Request) {
		select {
		case s := <-left:
			fmt.Fprint(w, s)
		case <-time.After(20 * time.Second):
			fmt.Fprint(w, "nothing")
		}
	})
	handle("/methods", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, methods(w)) })
	handle("/odd", func(w http.ResponseWriter, r *http.Request) { odd(w, r.FormValue("what")) })
	handle("/keep", func(w http.ResponseWriter, r *http.Request) { keep() })
	handle("/freed", func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < 5; i++ {
			runtime.GC()
			time.Sleep(10 * time.Millisecond) // finalizers run behind the collector
		}
		fmt.Fprint(w, freed.Load())
	})
	handle("/collected", func(w http.ResponseWriter, r *http.Request) {
		runtime.GC()
		lookup(nil)
	})
	handle("/gogc", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, debug.SetGCPercent(100)) })
	handle("/label", func(w http.ResponseWriter, r *http.Request) {
		go func() { panic("crash") }()
		select {}
	})
	handle("/exit", func(w http.ResponseWriter, r *http.Request) {
		log.Fatal("fatal") // EXIT
	})

	s := &http.Server{Addr: flag.Arg(0), WriteTimeout: *timeout}
	if *until > 0 {
		s.BaseContext = func(net.Listener) context.Context {
			ctx, cancel := context.WithTimeout(context.Background(), *until)
			time.AfterFunc(*until, cancel)
			return ctx
		}
	}
	if *cert != "" {
		check(s.ListenAndServeTLS(*cert, *key))
	}
	check(s.ListenAndServe())
}

func check(err error) {
	if err != nil {
		log.Println(err)
		os.Exit(3)
	}
}

// methods are the exported methods of w and of the writer below, if there is one.
func methods(w http.ResponseWriter) string {
	var all []string
	for t, i := reflect.TypeOf(w), 0; i < t.NumMethod(); i++ {
		all = append(all, t.Method(i).Name)
	}
	sort.Strings(all)
	if u, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		return strings.Join(all, " ") + "\n" + methods(u.Unwrap())
	}
	return strings.Join(all, " ") + "\n"
}

// odd does what net/http has an opinion on.
func odd(w http.ResponseWriter, what string) {
	switch what {
	case "no content":
		w.WriteHeader(204)
		_, err := io.WriteString(w, "x")
		log.Println(err)
	case "twice":
		w.WriteHeader(201)
		w.Header().Set("X-Late", "1")
		w.WriteHeader(202)
		io.WriteString(w, "twice")
	case "too long":
		w.Header().Set("Content-Length", "3")
		_, err := io.WriteString(w, "abc")
		_, err2 := io.WriteString(w, "def")
		log.Println(err, err2)
	case "late header":
		io.WriteString(w, "x")
		w.Header().Set("X-Late", "1")
	case "trailer":
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, strings.Repeat("x", 5000))
		w.Header().Set("X-Sum", "1")
	case "short trailer":
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, "x")
		w.Header().Set("X-Sum", "1")
	case "early":
		w.Header().Set("Link", "</a>")
		w.WriteHeader(103)
		io.WriteString(w, "early")
	case "empty source":
		_, err := io.Copy(w, strings.NewReader(""))
		w.Header().Set("X-Still", "1")
		w.WriteHeader(404)
		log.Println(err)
	case "source":
		_, err := io.Copy(w, io.MultiReader(strings.NewReader("one "), strings.NewReader("two")))
		log.Println(err)
	case "nothing":
	case "many":
		for i := 0; i < 1000; i++ {
			fmt.Fprint(w, i, " ")
		}
	case "bad status":
		defer func() { fmt.Fprint(w, recover()) }()
		w.WriteHeader(42)
	case "sniffed":
		io.WriteString(w, "<ht")
		io.WriteString(w, "ml>")
	case "hijacked":
		conn, buf, err := http.NewResponseController(w).Hijack()
		check(err)
		w.WriteHeader(500)
		_, err = io.WriteString(w, "x")
		fmt.Fprintf(buf, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%v", err)
		check(buf.Flush())
		conn.Close()
	}
}

// witness is a source of ones if the connection itself reads from it, as it does
// to let the kernel copy a file, and else of zeros.
type witness struct{}

func (*witness) Read(b []byte) (int, error) {
	char := "0"
	if strings.Contains(string(debug.Stack()), "net.(*TCPConn).ReadFrom") {
		char = "1"
	}
	return copy(b, strings.Repeat(char, len(b))), nil
}

// keep panics with objects that only its own variables know.
func keep() {
	small := &user{"small"}
	runtime.SetFinalizer(small, func(*user) { freed.Add(1) })
	inner := &user{"inner"}
	runtime.SetFinalizer(inner, func(*user) { freed.Add(1) })
	byName := map[string]*user{"inner": inner}
	queue := make(chan *user, 1)
	last := &user{"last"}
	runtime.SetFinalizer(last, func(*user) { freed.Add(1) })
	queue <- last
	inner, last = nil, nil
	_, _, _ = small, byName, queue
	lookup(nil)
}
