// The app has goroutines that failed and wait below what failed.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

var block = make(chan struct{})

// fail runs f, which panics, and stays in what is deferred.
func fail(name string, f func()) {
	defer park(name)
	grow()
	f()
}

//go:noinline
func grow() {
	var room [64 << 10]byte
	runtime.KeepAlive(&room)
}

func park(name string) {
	var b [64]byte
	id := strings.Fields(string(b[:runtime.Stack(b[:], false)]))[1]
	fmt.Printf("parked %s %s\n", name, id)
	<-block
}

func main() {
	time.Local = time.FixedZone("TEST", 2*60*60)
	for name, f := range scenarios {
		if len(os.Args) == 1 || slices.Contains(os.Args[1:], name) {
			go fail(name, f)
		}
	}
	spin := make(chan bool)
	go func() {
		fmt.Printf("parked spin %s\n", goid())
		for i := 0; ; i++ {
			select {
			case <-spin:
				return
			default:
			}
		}
	}()
	go churn()
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		switch in.Text() {
		case "stop":
			close(spin)
			fmt.Println("stopped")
		case "release":
			close(block)
		}
	}
}

func goid() string {
	var b [64]byte
	return string(bytes.Fields(b[:runtime.Stack(b[:], false)])[1])
}

var shared = map[int]string{}

// churn changes a map for ever.
func churn() {
	for i := 0; ; i++ {
		shared[i%100000] = fmt.Sprint(i)
		if i%3 == 0 {
			delete(shared, i/2%100000)
		}
		time.Sleep(time.Microsecond)
	}
}
