package main

import (
	"errors"
	"net/http"
	"os"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// more is what other files serve.
var more = map[string]http.HandlerFunc{}

func lookup(p *int) int {
	return *p // LOOKUP
}

func main() {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Use(middleware.Logger(), middleware.Recover())
	e.GET("/panic", func(c echo.Context) error { lookup(nil); return nil })
	e.GET("/error", func(c echo.Context) error {
		return c.String(500, "no such table") // ERROR
	})
	e.GET("/returned", func(c echo.Context) error { return errors.New("no such table") })
	for path, h := range more {
		e.GET(path, echo.WrapHandler(h))
	}
	e.Start(os.Args[1])
}
