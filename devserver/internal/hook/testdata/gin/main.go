package main

import (
	"net/http"
	"os"

	"github.com/gin-gonic/gin"
)

// more is what other files serve.
var more = map[string]http.HandlerFunc{}

func lookup(p *int) int {
	return *p // LOOKUP
}

func main() {
	gin.SetMode(gin.ReleaseMode)
	r := gin.Default()
	r.GET("/panic", func(c *gin.Context) { lookup(nil) })
	r.GET("/error", func(c *gin.Context) {
		c.JSON(500, gin.H{"error": "no such table"}) // ERROR
	})
	for path, h := range more {
		r.GET(path, gin.WrapF(h))
	}
	r.Run(os.Args[1])
}
