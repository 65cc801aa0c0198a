// Command fiber is a web app that does not use net/http.
package main

import (
	"log"
	"os"

	"github.com/gofiber/fiber/v2"
)

type user struct{ Name string }

func greet(u *user) string {
	return "Hello " + u.Name // GREET
}

func main() {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Get("/version", func(c *fiber.Ctx) error { return c.SendString("v1") })
	app.Get("/nil", func(c *fiber.Ctx) error { return c.SendString(greet(nil)) })
	log.Fatal(app.Listen(os.Args[1]))
}
