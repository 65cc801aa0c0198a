// Command gin is a web app on gin whose requests fail.
package main

import (
	"log"
	"net/http"

	"github.com/gin-gonic/gin"
)

const version = "v1"

func main() {
	r := gin.Default()
	r.LoadHTMLGlob("templates/*")
	r.GET("/version", func(c *gin.Context) { c.String(http.StatusOK, version) })
	ways := r.Group("/ways")
	ways.GET("/nil", nilDereference)
	ways.GET("/index", indexError)
	ways.GET("/assertion/:id", assertion)
	ways.GET("/chain/:id", chain)
	ways.GET("/nested", nested)
	ways.GET("/template/:id", templateError)
	ways.GET("/render", renderError)
	ways.GET("/status", status)
	ways.GET("/aborted", aborted)
	ways.GET("/bare", bare)
	ways.GET("/returned/:id", errorAnswer, returned)
	log.Fatal(r.Run()) // on PORT
}
