package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
)

func init() {
	handlers["/giant"] = giant
	handlers["/recursion"] = recursion
	handlers["/methods"] = methods
	handlers["/called"] = func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, called.Load()) }
	handlers["/chain"] = func(w http.ResponseWriter, r *http.Request) { panic(chains[r.FormValue("of")]()) }
	handlers["/value"] = func(w http.ResponseWriter, r *http.Request) {
		switch r.FormValue("of") {
		case "panics":
			panic(panicsInError{})
		case "blocks":
			panic(blocksInError{})
		}
	}
	handlers["/secrets"] = secrets
}

const mega = 1 << 20

func giant(w http.ResponseWriter, r *http.Request) {
	text := strings.Repeat("x", 256*mega)
	numbers := make([]int, 32*mega)
	table := make(map[int]int, mega)
	for i := range mega {
		table[i] = i
	}
	sparse := make(map[int]string, 4*mega)
	fields := make([]reflect.StructField, 1000)
	for i := range fields {
		fields[i] = reflect.StructField{Name: fmt.Sprint("F", i), Type: reflect.TypeFor[[64]int]()}
	}
	var wide any = reflect.New(reflect.StructOf(fields)).Interface()
	var array [1 << 16]int
	panic(fmt.Sprint("giant ", len(text), len(numbers), len(table), len(sparse), wide != nil, len(array)))
}

type node struct {
	Next *node
	Any  any
}

type (
	tree []tree
	maze map[string]maze
)

func recursion(w http.ResponseWriter, r *http.Request) {
	self := &node{}
	self.Next, self.Any = self, self
	one, two := &node{}, &node{}
	one.Next, two.Next = two, one
	slice := make([]any, 1)
	slice[0] = slice
	table := map[string]any{}
	table["self"] = table
	forest := make(tree, 1)
	forest[0] = forest
	lost := maze{}
	lost["a"] = lost
	var list *node
	for range mega {
		list = &node{Next: list}
	}
	var pointer any
	pointer = &pointer
	panic(fmt.Sprint("recursion ", self != nil, one != nil, len(slice), len(table), len(forest), len(lost), list != nil, pointer != nil))
}

// called counts the methods that were called only to show a value.
var called atomic.Int64

// evil does in its methods what a page that calls them cannot survive.
type evil struct{ What string }

func (e evil) do() string {
	called.Add(1)
	switch e.What {
	case "exit":
		os.Exit(3)
	case "block":
		select {}
	case "lock":
		held.Lock()
	case "write":
		os.WriteFile("written", []byte("by a method"), 0o600)
	}
	panic("in a method")
}

var held sync.Mutex

func (e evil) String() string               { return e.do() }
func (e evil) Error() string                { return e.do() }
func (e evil) GoString() string             { return e.do() }
func (e evil) MarshalJSON() ([]byte, error) { return []byte(e.do()), nil }
func (e evil) MarshalText() ([]byte, error) { return []byte(e.do()), nil }
func (e evil) Format(fmt.State, rune)       { e.do() }

func methods(w http.ResponseWriter, r *http.Request) {
	held.Lock()
	defer held.Unlock()
	exits, blocks, locks, writes, panics := evil{"exit"}, &evil{"block"}, evil{"lock"}, &evil{"write"}, evil{"panic"}
	var stringer fmt.Stringer = exits
	var err error = blocks
	byEvil := map[evil]*evil{locks: writes}
	all := []any{exits, blocks, locks, writes, panics}
	panic(fmt.Sprint("methods ", stringer != nil, err != nil, len(byEvil), len(all)))
}

type panicsInError struct{}

func (panicsInError) Error() string { panic("in Error") }

type blocksInError struct{}

func (blocksInError) Error() string { select {} }

type link struct {
	text string
	next error
}

func (l *link) Error() string { return l.text }
func (l *link) Unwrap() error { return l.next }

type panicsInUnwrap struct{}

func (panicsInUnwrap) Error() string { return "unwraps badly" }
func (panicsInUnwrap) Unwrap() error { panic("in Unwrap") }

type nilInJoin struct{}

func (nilInJoin) Error() string   { return "joins nil" }
func (nilInJoin) Unwrap() []error { return []error{nil, errors.New("beside nil"), nil} }

var chains = map[string]func() error{
	"self": func() error { l := &link{text: "self"}; l.next = l; return l },
	"two": func() error {
		a, b := &link{text: "one"}, &link{text: "two"}
		a.next, b.next = b, a
		return a
	},
	"deep": func() error {
		var err error = errors.New("the deepest")
		for range 100_000 {
			err = &link{"deep", err}
		}
		return err
	},
	"wide": func() error {
		all := make([]error, 10_000)
		for i := range all {
			all[i] = fmt.Errorf("branch %d", i)
		}
		return errors.Join(all...)
	},
	"panics": func() error { return panicsInUnwrap{} },
	"nil":    func() error { return nilInJoin{} },
}

type account struct {
	Name     string
	Password string
	Nested   map[string]string
	APIKey   []byte
}

// secrets has one in each place where programs keep them. None of them is in the
// source as it will be, since the source is shown.
func secrets(w http.ResponseWriter, r *http.Request) {
	s := func(n string) string { return "hunter" + "2-" + n }
	password, clientSecret, accessToken, signingKey, authHeader := s("pass"), s("secret"), s("token"), s("key"), s("auth")
	credentials, signature, dsn, session, private := s("cred"), s("signature"), s("dsn"), s("session"), s("private")
	address := "postgres://admin:" + s("url") + "@db.test/app"
	jwt := strings.Join([]string{"eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiJodW50ZXIyIn0", "aHVud" + "GVyMi1qd3Qtc2lnbmF0dXJl"}, ".")
	aws := "AKIA" + "HUNT" + "ER2HUNTER2AA"
	pem := "-----BEGIN PRIVATE KEY-----\n" + "aHVud" + "GVyMi1wZW0=" + "\n-----END PRIVATE KEY-----\n"
	user := &account{"susan", s("field"), map[string]string{"token": s("map"), "colour": "red"}, []byte(s("bytes"))}
	appSecret := os.Getenv("APP_SECRET")
	w.Header().Set("Set-Cookie", "session="+s("setcookie"))
	panic(fmt.Errorf("connect %s with password=%s and token: %s (%d)", address, password, jwt,
		len(clientSecret+accessToken+signingKey+authHeader+credentials+signature+dsn+session+private+aws+pem+user.Name+appSecret)))
}
