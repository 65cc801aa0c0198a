// Command crash dies in the way that its argument names.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"sync"
	"syscall"
	"time"

	"example.com/crash/lib"
)

type user struct{ name string }

type word string

type point struct{ X, Y int }

type box[T any] struct{ v T }

func (b *box[T]) open(f func()) { f() }

const fake = "x\npanic: not this\n\ngoroutine 1 [running]:\nmain.fake()\n\t/etc/passwd:1 +0x1"

func fail() {
	var u *user
	u.name = "susan"
}

func caught(again func(any)) {
	defer func() {
		if v := recover(); v != nil {
			again(v)
		}
	}()
	fail()
}

func deeper(n int) int { return deeper(n+1) + 1 }

var cases = map[string]func(){
	"nil":        fail,
	"string":     func() { panic("no such thing") },
	"error":      func() { panic(errors.New("my error\nsecond line\n\nfourth line")) },
	"word":       func() { panic(word("a\nb")) },
	"struct":     func() { panic(point{1, 2}) },
	"pointer":    func() { panic(&point{1, 2}) },
	"nilvalue":   func() { panic(nil) },
	"hostile":    func() { panic(fake) },
	"suffix":     func() { panic("value that ends in [recovered]") },
	"empty":      func() { panic("") },
	"repanicked": func() { caught(func(v any) { panic(v) }) },
	"wrapped":    func() { caught(func(v any) { panic(fmt.Errorf("wrapped: %v\nwith more", v)) }) },
	"deferred":   func() { defer func() { panic("second") }(); panic("first\nof two") },
	"three":      func() { defer func() { panic("third") }(); caught(func(any) { panic("second") }) },
	"generic":    func() { (&box[point]{}).open(fail) },
	"library":    func() { lib.Call(fail) },
	"inlined":    func() { (&user{}).rename(nil) },
	"deadlock":   func() { var m sync.Mutex; m.Lock(); m.Lock() },
	"unlock":     func() { new(sync.Mutex).Unlock() },
	"overflow":   func() { debug.SetMaxStack(1 << 20); deeper(0) },
	"logged":     func() { log.SetFlags(0); logged(); fail() },
	"exit":       func() { logged(); os.Exit(3) },
	"fatal":      func() { log.Fatal("listen tcp :8080: bind: address already in use") },
	"quit":       func() { signal(syscall.SIGQUIT) },
	"kill":       func() { signal(syscall.SIGKILL) },
	"maps":       maps,
	"goroutine":  func() { go fail(); select {} },
	"allwaiting": waiting,
	"labels":     labels,
	"goexit":     func() { defer func() { panic("after goexit") }(); runtime.Goexit() },
	"memory":     memory,
	"directive":  directive,
}

func (u *user) rename(to *user) { u.name = to.name }

func signal(s syscall.Signal) {
	syscall.Kill(os.Getpid(), s)
	time.Sleep(time.Minute)
}

func logged() {
	log.SetOutput(os.Stderr)
	fmt.Fprintln(os.Stderr, "17:22:01 INFO request path=/index status=200")
	fmt.Fprintln(os.Stderr, "panic: "+fake)
	fmt.Fprintln(os.Stderr, "17:22:02 INFO still here")
}

func maps() {
	m := map[int]int{}
	for range 8 {
		go func() {
			for {
				m[1]++
			}
		}()
	}
	select {}
}

func waiting() {
	debug.SetTraceback("all")
	for range 3 {
		go func() { select {} }()
	}
	time.Sleep(10 * time.Millisecond)
	fail()
}

func labels() {
	set := pprof.Labels("devrun", `GET /a?b=c "d" ]: {e}`, "nl", "a\nb")
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), set))
	fail()
}

func memory() {
	var hold []string
	for {
		hold = append(hold, strings.Repeat("x", 1<<40))
	}
}

func main() {
	f := cases[os.Args[1]]
	if f == nil {
		log.Fatalf("no case %q", os.Args[1])
	}
	f()
}
