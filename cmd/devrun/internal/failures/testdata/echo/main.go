// Command echo is a web app on echo whose requests fail.
package main

import (
	"html/template"
	"io"
	"log"
	"net/http"
	"os"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

const version = "v1"

// renderer is what c.Render uses.
type renderer struct{ pages *template.Template }

func (r renderer) Render(w io.Writer, name string, data any, c echo.Context) error {
	return r.pages.ExecuteTemplate(w, name, data)
}

func main() {
	e := echo.New()
	e.Renderer = renderer{template.Must(template.ParseGlob("templates/*"))}
	e.Use(middleware.Logger(), middleware.Recover())
	e.GET("/version", func(c echo.Context) error { return c.String(http.StatusOK, version) })
	ways := e.Group("/ways")
	ways.GET("/nil", nilDereference)
	ways.GET("/index", indexError)
	ways.GET("/assertion/:id", assertion)
	ways.GET("/chain/:id", chain)
	ways.GET("/nested", nested)
	ways.GET("/template/:id", templateError)
	ways.GET("/status", status)
	ways.GET("/render", renderError)
	ways.GET("/returned/:id", returned)
	ways.GET("/refused", refused)
	ways.GET("/unwound", nilDereference, middleware.RecoverWithConfig(middleware.RecoverConfig{DisableErrorHandler: true}))
	log.Fatal(e.Start("127.0.0.1:" + os.Getenv("PORT")))
}
