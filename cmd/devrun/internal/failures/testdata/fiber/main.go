// Command fiber is a web app that does not use net/http.
package main

import (
	"log"
	"os"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"
)

type user struct{ Name string }

func greet(u *user) string {
	return "Hello " + u.Name // GREET
}

func main() {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Get("/version", func(c *fiber.Ctx) error { return c.SendString("v1") })
	app.Get("/nil", func(c *fiber.Ctx) error { return c.SendString(greet(nil)) })
	app.Get("/recovered", recover.New(), func(c *fiber.Ctx) error { return c.SendString(greet(nil)) })
	log.Fatal(app.Listen("127.0.0.1:" + os.Getenv("PORT")))
}
