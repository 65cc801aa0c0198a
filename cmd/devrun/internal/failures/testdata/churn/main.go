// Command churn is a web app that keeps the garbage collector busy while its
// requests fail, each with values that are known from its number.
package main

import (
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"time"
)

type box struct {
	N    int
	Text string
}

var (
	all      [64]*box
	errBelow = errors.New("the deepest call")

	// lent are pointers into stacks, which only a console can store here.
	lent []*box
)

// churn allocates what it drops at once, in the sizes that deep uses, and
// collects: whatever is freed is soon something else.
func churn() {
	for tick := time.Tick(8 * time.Millisecond); ; <-tick {
		for j := range 2000 {
			all[j%len(all)] = &box{-j, strconv.Itoa(-j)}
			use(map[string]int{"n": -j}, []int{-j, -j, -j}, fmt.Sprint("churn", -j))
		}
		runtime.GC()
	}
}

// deep has ten variables in each call; none is used once the next call is made.
//
//go:noinline
func deep(n, depth int) error {
	pointer := &box{n, fmt.Sprint("p", n)}
	text := fmt.Sprint("text", n)
	list := []int{n, n + 1, n + 2}
	table := map[string]int{"n": n}
	var held any = box{n, fmt.Sprint("h", n)}
	inner := &list[1]
	array := [2]*int{&list[0], nil}
	boxes := []*box{{n, "a"}, {n + 1, "b"}}
	whole := struct {
		P *box
		S string
	}{pointer, text}
	err := errors.New(fmt.Sprint("error ", n))
	use(pointer, text, list, table, held, inner, array, boxes, whole, err)
	if depth == 0 {
		panic(errBelow) // DEEP
	}
	return deep(n, depth-1)
}

//go:noinline
func use(...any) {}

func main() {
	go churn()
	http.HandleFunc("/version", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, runtime.Version(), len(lent)) })
	http.HandleFunc("/gcs", func(w http.ResponseWriter, r *http.Request) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Fprintln(w, m.NumGC)
	})
	http.HandleFunc("/deep", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.FormValue("n"))
		fmt.Fprintln(w, err, deep(n, 3))
	})
	log.Fatal(http.ListenAndServe(net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")), nil))
}
