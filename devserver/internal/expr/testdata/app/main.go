package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"runtime"
	"time"
	"unsafe"

	"example.com/app.v2/probe"
	"example.com/app.v2/shop"
)

type state int

const (
	idle state = iota
	busy
)

func (s state) String() string { return [...]string{"idle", "busy"}[s] }

type cache struct {
	hits  int
	users map[string]*shop.User
}

var (
	store   = cache{users: map[string]*shop.User{}}
	limits  = []int{1, 2, 3}
	version = "1.2"
)

func helper(n int) int           { return n + len(limits) }
func sleepy(d time.Duration) int { time.Sleep(d); return 1 }
func forever()                   { select {} }
func quits()                     { runtime.Goexit() }
func pair() (int, string)        { return 7, "seven" }
func sum(ns ...int) (t int) {
	for _, n := range ns {
		t += n
	}
	return
}
func fallible(ok bool) (*shop.User, error) {
	if ok {
		return shop.NewUser(1, "Al", "Fa"), nil
	}
	return nil, &shop.NotFound{Key: "k1"}
}

// at reports where the variable lies that the line before declares; the address
// as a number leaves it on the stack.
func at[T any](name string, p *T, dwarf string) {
	_, _, line, _ := runtime.Caller(1)
	probe.Var(name, line-1, dwarf, uintptr(unsafe.Pointer(p)))
}

// param is at for a parameter.
func param[T any](name string, p *T, dwarf string) {
	probe.Var(name, 0, dwarf, uintptr(unsafe.Pointer(p)))
}

func handle(r *url.URL) {
	u := shop.NewUser(17, "Ann", "Lee")
	at("u", &u, "*example.com/app.v2/shop.User")
	v := *u
	at("v", &v, "example.com/app.v2/shop.User")
	n := 42
	at("n", &n, "int")
	small := uint8(250)
	at("small", &small, "uint8")
	f := 2.5
	at("f", &f, "float64")
	name := "gopher"
	at("name", &name, "string")
	nums := []int{10, 20, 30, 40}
	at("nums", &nums, "[]int")
	arr := [3]string{"x", "y", "z"}
	at("arr", &arr, "[3]string")
	m := map[string]int{"one": 1, "two": 2}
	at("m", &m, "map[string]int")
	var nilmap map[string]int
	at("nilmap", &nilmap, "map[string]int")
	var nilu *shop.User
	at("nilu", &nilu, "*example.com/app.v2/shop.User")
	var err error = &shop.NotFound{Key: "k7"}
	at("err", &err, "error")
	wrapped := fmt.Errorf("load: %w", err)
	at("wrapped", &wrapped, "error")
	var any1 any = "text"
	at("any1", &any1, "interface {}")
	var namer shop.Namer = u
	at("namer", &namer, "example.com/app.v2/shop.Namer")
	var st fmt.Stringer = busy
	at("st", &st, "fmt.Stringer")
	add := func(k int) int { n += k; return n }
	at("add", &add, "func(int) int")
	var buf bytes.Buffer
	at("buf", &buf, "bytes.Buffer")
	ch := make(chan int, 3)
	at("ch", &ch, "chan int")
	byID := map[shop.ID]string{1: "a"}
	at("byID", &byID, "map[example.com/app.v2/shop.ID]string")
	var stack shop.Stack[int]
	at("stack", &stack, "example.com/app.v2/shop.Stack[int]")
	when := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	at("when", &when, "time.Time")
	ctx := context.Background()
	at("ctx", &ctx, "context.Context")
	type point struct {
		X int
		_ int64
		Y int
	}
	pt := point{X: 1, Y: 2}
	at("pt", &pt, "main.point·1")
	ring := &node{name: "a"}
	at("ring", &ring, "*main.node")
	param("r", &r, "*net/url.URL")
	ring.next = ring
	stack.Push(5)
	buf.WriteString("hello")
	ch <- 1
	_, _, _, _, _, _, _, _, _ = small, f, arr, nilmap, nilu, wrapped, namer, st, add
	_, _, _ = when, ctx, byID
	if id := u.ID; id > 3 {
		at("id", &id, "example.com/app.v2/shop.ID")
		id := "inner"
		at("id", &id, "string")
		total(nums, name+id, shop.Pair[string, *shop.User]{Key: name, Val: u})
	}
	later := 1
	_ = later
}

type node struct {
	name string
	next *node
}

func total[T shop.Number, P any](items []T, label string, p P) T {
	param("items", &items, "[]int")
	param("label", &label, "string")
	param("p", &p, "example.com/app.v2/shop.Pair[string,*example.com/app.v2/shop.User]")
	var sum T
	at("sum", &sum, "int")
	for _, x := range items {
		sum += x
	}
	_ = shop.Map(items, func(x T) string { return fmt.Sprint(x) })
	_ = shop.Map([]string{""}, func(string) int { return 0 })
	_, _ = shop.Sum(1.5), shop.Sum(1, 2)
	_ = shop.Pairs(map[string]int{"a": 1})
	_ = []any{shop.Double(1), shop.Join("")}
	panic(label)
}

func main() {
	probe.Serve(func() {
		r, _ := url.Parse("http://example.com/find?q=go&q=lang&n=5")
		shop.Visit(shop.NewUser(4, "Vi", "Sit"), func() { handle(r) })
	})
}
