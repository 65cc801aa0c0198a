package main

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
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

func nilDereference(c echo.Context) error {
	id := 17
	tags := []string{"go", "winter"}
	byName := map[string]int{"susan": 3}
	u, err := find(id)
	return c.JSON(http.StatusOK, echo.Map{"name": u.Name, "tags": tags, "others": byName, "error": err}) // NIL
}

func indexError(c echo.Context) error {
	scores := []float64{1.5, 2.25, 4}
	at := len(c.Path()) - len("/ways")
	label := strings.Repeat("ab", 3)
	return c.String(http.StatusOK, fmt.Sprint(scores[at], label)) // INDEX
}

func assertion(c echo.Context) error {
	id, _ := strconv.Atoi(c.Param("id"))
	c.Set("user", user{id, "susan", nil})
	value := c.Get("user")
	wanted := [2]bool{true, false}
	count := uint8(200)
	text := value.(fmt.Stringer) // ASSERTION
	return c.String(http.StatusOK, fmt.Sprint(text, wanted, count))
}

func chain(c echo.Context) error {
	id, _ := strconv.Atoi(c.Param("id"))
	limit := struct{ Low, High int }{1, 99}
	_, err := find(id)
	if err != nil {
		panic(fmt.Errorf("show profile: %w", err)) // CHAIN
	}
	return c.JSON(http.StatusOK, limit)
}

func nested(c echo.Context) error {
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

// templateError has echo answer while it is still there.
func templateError(c echo.Context) error {
	id, _ := strconv.Atoi(c.Param("id"))
	u := user{id, "ada", []string{"x"}}
	title := "Profile"
	width := 80
	if err := c.Render(http.StatusOK, "page.html", u); err != nil {
		c.Error(echo.NewHTTPError(http.StatusInternalServerError, err.Error())) // TEMPLATE
	}
	c.Set(title, width)
	return nil
}

func status(c echo.Context) error {
	table := "users"
	tries := 3
	pending := map[int]string{4: "four"}
	return c.JSON(http.StatusInternalServerError, echo.Map{"error": "no such table: " + table, "tries": tries, "pending": len(pending)}) // STATUS
}

func renderError(c echo.Context) error {
	return c.Render(http.StatusOK, "page.html", user{9, "ada", []string{"x"}})
}

func returned(c echo.Context) error {
	id, _ := strconv.Atoi(c.Param("id"))
	if _, err := find(id); err != nil {
		return fmt.Errorf("show profile: %w", err)
	}
	return c.NoContent(http.StatusNoContent)
}

func refused(c echo.Context) error {
	return echo.NewHTTPError(http.StatusServiceUnavailable, "the table is locked")
}
