package main

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"unsafe"
)

func init() {
	if _, err := os.Stat("panic-in-init"); err == nil {
		panic("in an init")
	}
	handlers["/abort"] = func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }
	handlers["/goexit"] = func(w http.ResponseWriter, r *http.Request) { runtime.Goexit() }
	handlers["/deep"] = func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, deep(100_000)) }
	handlers["/crowd"] = func(w http.ResponseWriter, r *http.Request) {
		stop := make(chan bool)
		defer close(stop)
		for range 100_000 {
			go func() { <-stop }()
		}
		panic("in a crowd")
	}
	handlers["/crash"] = func(w http.ResponseWriter, r *http.Request) { crashes[r.FormValue("by")]() }
}

//go:noinline
func deep(n int) int {
	if n == 0 {
		panic("deep down")
	}
	return deep(n-1) + 1
}

// crashes end the process.
var crashes = map[string]func(){
	"overflow": func() {
		debug.SetMaxStack(64 << 20) // half a million calls: the usual 1 GB takes a busy machine minutes to fill
		fmt.Println(endless(1))
	},
	"goroutine": func() { go panic("in a goroutine"); select {} },
	"locked":    func() { var m sync.Mutex; m.Unlock() },
	"map": func() {
		shared := map[int]int{}
		for range 8 {
			go func() {
				for i := 0; ; i++ {
					shared[i%100] = i
				}
			}()
		}
		select {}
	},
	"address": func() { fmt.Println(*(*int)(unsafe.Add(nil, 0x70000000))) },
}

//go:noinline
func endless(n int) int { return endless(n+1) + n }

func init() {
	handlers["/forever"] = func(w http.ResponseWriter, r *http.Request) { forever(); fmt.Fprint(w, huge(1)) }
}

func forever() {
	for n := 0; ; n++ {
		if n < 0 {
			n = 0
		}
	}
}

func huge(n int) string { return string(make([]byte, n)) }
