package main

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"github.com/julienschmidt/httprouter"
)

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

func find(id int) (*user, error) {
	return nil, &queryError{fmt.Sprintf("select %d", id), errors.New("no such user")}
}

func nilDereference(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	id := 17
	tags := []string{"go", "winter"}
	byName := map[string]int{"susan": 3}
	u, err := find(id)
	fmt.Fprintln(w, u.Name, tags, byName, err) // NIL
}

func indexError(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	scores := []float64{1.5, 2.25, 4}
	at := len(r.URL.Path) - len("/ways")
	label := strings.Repeat("ab", 3)
	fmt.Fprintln(w, scores[at], label) // INDEX
}

func assertion(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
	id, _ := strconv.Atoi(p.ByName("id"))
	var value any = user{id, "susan", nil}
	wanted := [2]bool{true, false}
	count := uint8(200)
	text := value.(fmt.Stringer) // ASSERTION
	fmt.Fprintln(w, text, wanted, count)
}

func chain(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
	id, _ := strconv.Atoi(p.ByName("id"))
	limit := struct{ Low, High int }{1, 99}
	_, err := find(id)
	if err != nil {
		panic(fmt.Errorf("show profile: %w", err)) // CHAIN
	}
	fmt.Fprintln(w, limit)
}

func nested(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
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

var page = template.Must(template.New("page").Parse("<h1>{{.Name}}</h1><p>{{.Missing}}</p>"))

func templateError(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
	id, _ := strconv.Atoi(p.ByName("id"))
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

func status(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	table := "users"
	tries := 3
	pending := map[int]string{4: "four"}
	w.WriteHeader(http.StatusInternalServerError) // STATUS
	fmt.Fprintln(w, "no such table:", table, tries, pending)
}
