//go:build linux

package zoo

// prefork is an app on Fiber, whose children serve the port that they all have open.
// No app of this kind is published as a module.
var prefork = app{
	name:  "fiber prefork",
	pkg:   ".",
	ready: "/",
	page:  "/",
	prepare: func(v *visit) {
		v.Write("go.mod", "module zoo.test/prefork\n\ngo 1.25.0\n\nrequire github.com/gofiber/fiber/v3 v3.1.0\n")
		v.Write("main.go", `package main

import (
	"log"
	"net/http"
	"os"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/recover"
	"github.com/gofiber/fiber/v3/middleware/static"

	"zoo.test/prefork/cage"
)

func main() {
	app := fiber.New()
	app.Use(recover.New())
	app.Get("/static/*", static.New("static"))
	app.Get("/new", func(c fiber.Ctx) error {
		text, err := cage.Files.ReadFile("files/new.txt")
		if err != nil {
			return fiber.ErrNotFound
		}
		return c.Send(text)
	})
	app.Get("/config", func(c fiber.Ctx) error {
		return c.SendString(config)
	})
	app.Get("/fail", func(c fiber.Ctx) error {
		return c.SendString("no failure")
	})
	app.Get("/", func(c fiber.Ctx) error {
		c.Set("X-Zoo", cage.Animal())
		page, err := cage.Files.ReadFile("files/page.html")
		if err != nil {
			return err
		}
		return c.Type("html").Send(page)
	})
	log.Fatal(app.Listen("127.0.0.1:"+os.Getenv("PORT"), fiber.ListenConfig{EnablePrefork: true, DisableStartupMessage: true}))
}

var (
	config = read("zoo.yaml")
	_      http.Cookie
)

func read(name string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		log.Fatal(err)
	}
	return string(text)
}
`)
		v.Write("cage/cage.go", `package cage

import "embed"

//go:embed files
var Files embed.FS

func Animal() string {
	return "llama"
}
`)
		v.Write("cage/files/page.html", "<!doctype html><title>llama</title><p>a page</p>\n")
		v.Write("static/zoo.css", "p { color: black }\n")
		v.Write("zoo.yaml", "animal: llama\n")
		v.tidy()
	},
	edits: small,
	not: map[string]string{
		panicking: "devrun's pages for failing requests are net/http's, and Fiber serves with fasthttp: its own recovery answers",
		failing:   "the same",
	},
}

// small are the edits of the apps that the tests have written themselves.
var small = map[string]edit{
	neutral: {
		changes: []change{{"cage/cage.go", `return "llama"`, `return "zebra"`}},
		path:    "/", want: []string{"zebra"},
	},
	line: {
		changes: []change{{"cage/cage.go", "func Animal() string {\n", "func Animal() string {\n\tif len(\"zoo\") == 3 {\n\t\treturn \"two \" + \"zebras\"\n\t}\n"}},
		path:    "/", want: []string{"two zebras"},
	},
	embedded: {
		changes: []change{{"cage/files/page.html", "a page", "a zebra's page"}},
		path:    "/", want: []string{"a zebra's page"},
	},
	added: {
		changes: []change{{"cage/files/new.txt", "", "a new zebra\n"}},
		path:    "/new", want: []string{"a new zebra"},
	},
	style: {
		changes: []change{{"static/zoo.css", "black", "rgb(4, 1, 0)"}},
		path:    "/static/zoo.css", want: []string{"rgb(4, 1, 0)"},
		says: `^devrun: static/zoo\.css saved, stylesheet swapped$`,
	},
	config: {
		changes: []change{{"zoo.yaml", "llama", "zebra"}},
		path:    "/config", want: []string{"zebra"},
	},
	panicking: {
		changes: []change{{"main.go", "\t\treturn c.SendString(\"no failure\")\n", "\t\tanimals, keeper := 41, (*http.Cookie)(nil)\n\t\tkeeper.MaxAge = animals\n\t\treturn nil\n"}},
		path:    "/fail", want: []string{"nil pointer dereference", "keeper is nil", "main.go:31", "animals", "41"},
	},
	failing: {
		changes: []change{{"main.go", "\t\treturn c.SendString(\"no failure\")\n", "\t\tanimals := 41\n\t\treturn fiber.NewError(500, fmt.Sprint(\"no room for \", animals))\n"}, {"main.go", "import (\n", "import (\n\t\"fmt\"\n"}},
		path:    "/fail", want: []string{"no room for 41"},
	},
}
