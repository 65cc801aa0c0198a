package main

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const version = "v1"

// handleWays has requests that fail, each in another way.
func handleWays() {
	http.HandleFunc("GET /ways/nil", nilDereference)
	http.HandleFunc("GET /ways/index", indexError)
	http.HandleFunc("GET /ways/assertion/{id}", assertion)
	http.HandleFunc("GET /ways/chain/{id}", chain)
	http.HandleFunc("GET /ways/nested", nested)
	http.HandleFunc("GET /ways/template/{id}", templateError)
	http.HandleFunc("GET /ways/status", status)
	http.HandleFunc("GET /ways/nilmap", nilMap)
	http.HandleFunc("GET /ways/division", division)
	http.Handle("GET /ways/within", http.TimeoutHandler(http.HandlerFunc(nilDereference), time.Minute, "too slow"))
	http.Handle("GET /ways/timeout", http.TimeoutHandler(http.HandlerFunc(slow), 10*time.Millisecond, "too slow"))
}

type user struct {
	ID   int
	Name string
	Tags []string
}

type queryError struct {
	Query string
	Err   error
}

func (e *queryError) Error() string { return e.Query + ": " + e.Err.Error() }
func (e *queryError) Unwrap() error { return e.Err }

var errNotFound = errors.New("no such user")

func find(id int) (*user, error) {
	return nil, &queryError{fmt.Sprintf("select %d", id), errNotFound}
}

func nilDereference(w http.ResponseWriter, r *http.Request) {
	id := 17
	tags := []string{"go", "winter"}
	byName := map[string]int{"susan": 3}
	u, err := find(id)
	fmt.Fprintln(w, u.Name, tags, byName, err) // NIL
}

func indexError(w http.ResponseWriter, r *http.Request) {
	scores := []float64{1.5, 2.25, 4}
	at := len(r.URL.Path) - len("/ways")
	label := strings.Repeat("ab", 3)
	fmt.Fprintln(w, scores[at], label) // INDEX
}

func assertion(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	var value any = user{id, "susan", nil}
	wanted := [2]bool{true, false}
	count := uint8(200)
	text := value.(fmt.Stringer) // ASSERTION
	fmt.Fprintln(w, text, wanted, count)
}

func chain(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	_, err := find(id)
	wrapped := fmt.Errorf("show profile: %w", err)
	limit := struct{ Low, High int }{1, 99}
	if wrapped != nil {
		panic(wrapped) // CHAIN
	}
	fmt.Fprintln(w, limit)
}

func nested(w http.ResponseWriter, r *http.Request) {
	step := "first"
	done := []int{1, 2, 3}
	ratio := 0.5
	defer func() {
		left := len(done) - 1
		again := [1]string{step}
		panic(fmt.Sprint("cleaning up ", left, again)) // NESTED
	}()
	panic(fmt.Sprint("step ", step, ratio)) // FIRST
}

var page = template.Must(template.New("page").Parse(`<h1>{{.Name}}</h1><p>{{.Missing}}</p>`))

func templateError(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	u := user{id, "ada", []string{"x"}}
	title := "Profile"
	width := 80
	var out strings.Builder
	if err := page.Execute(&out, u); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError) // TEMPLATE
		return
	}
	fmt.Fprintln(w, title, width, out.String())
}

func status(w http.ResponseWriter, r *http.Request) {
	table := "users"
	tries := 3
	pending := map[int]string{4: "four"}
	err := fmt.Errorf("no such table: %s", table)
	http.Error(w, err.Error(), http.StatusServiceUnavailable) // STATUS
	fmt.Fprintln(w, tries, pending)
}

func nilMap(w http.ResponseWriter, r *http.Request) {
	var seen map[string]bool
	page := "visit"
	hits := int64(1) << 40
	seen[page] = true // NILMAP
	fmt.Fprintln(w, hits)
}

func division(w http.ResponseWriter, r *http.Request) {
	total, parts := 12, 0
	unit := 'x'
	each := total / parts // DIVISION
	fmt.Fprintln(w, each, unit)
}

// slow gives up when its time is over, and its caller has answered.
func slow(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
