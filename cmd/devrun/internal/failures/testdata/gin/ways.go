package main

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
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

func nilDereference(c *gin.Context) {
	id := 17
	tags := []string{"go", "winter"}
	byName := map[string]int{"susan": 3}
	u, err := find(id)
	c.JSON(http.StatusOK, gin.H{"name": u.Name, "tags": tags, "others": byName, "error": err}) // NIL
}

func indexError(c *gin.Context) {
	scores := []float64{1.5, 2.25, 4}
	at := len(c.FullPath()) - len("/ways")
	label := strings.Repeat("ab", 3)
	c.String(http.StatusOK, "%v %s", scores[at], label) // INDEX
}

func assertion(c *gin.Context) {
	id, _ := strconv.Atoi(c.Param("id"))
	c.Set("user", user{id, "susan", nil})
	value := c.MustGet("user")
	wanted := [2]bool{true, false}
	count := uint8(200)
	text := value.(fmt.Stringer) // ASSERTION
	c.String(http.StatusOK, "%v %v %v", text, wanted, count)
}

func chain(c *gin.Context) {
	id, _ := strconv.Atoi(c.Param("id"))
	limit := struct{ Low, High int }{1, 99}
	_, err := find(id)
	if err != nil {
		panic(fmt.Errorf("show profile: %w", err)) // CHAIN
	}
	c.JSON(http.StatusOK, limit)
}

func nested(c *gin.Context) {
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

func templateError(c *gin.Context) {
	id, _ := strconv.Atoi(c.Param("id"))
	u := user{id, "ada", []string{"x"}}
	title := "Profile"
	width := 80
	var out bytes.Buffer
	if err := page.Execute(&out, u); err != nil {
		c.String(http.StatusInternalServerError, err.Error()) // TEMPLATE
		return
	}
	c.String(http.StatusOK, "%s %d %s", title, width, &out)
}

// renderError is an error for which gin has no answer of its own: it is only
// noted, when a part of the page is out.
func renderError(c *gin.Context) {
	c.HTML(http.StatusOK, "page.html", user{9, "ada", []string{"x"}})
}

func status(c *gin.Context) {
	table := "users"
	tries := 3
	pending := map[int]string{4: "four"}
	c.JSON(http.StatusInternalServerError, gin.H{"error": "no such table: " + table, "tries": tries, "pending": len(pending)}) // STATUS
}

func aborted(c *gin.Context) {
	table := "users"
	tries := 3
	pending := map[int]string{4: "four"}
	c.AbortWithStatus(http.StatusInternalServerError) // ABORTED
	c.Set(table, fmt.Sprint(tries, pending))
}

// bare leaves it to gin to write the status, after it has returned.
func bare(c *gin.Context) { c.Status(http.StatusInternalServerError) }

// errorAnswer answers for the handlers that only say what went wrong.
func errorAnswer(c *gin.Context) {
	c.Next()
	route := c.FullPath()
	count := len(c.Errors)
	if last := c.Errors.Last(); last != nil {
		text := last.Error()
		c.JSON(http.StatusInternalServerError, gin.H{"error": text, "route": route, "errors": count}) // ANSWER
	}
}

func returned(c *gin.Context) {
	id, _ := strconv.Atoi(c.Param("id"))
	if _, err := find(id); err != nil {
		c.Error(fmt.Errorf("show profile: %w", err))
	}
}
