//go:build linux

package zoo

import "fmt"

// pocketbase is a backend with its database, which it writes beside the source.
var pocketbase = app{
	name:    "pocketbase",
	module:  "github.com/pocketbase/pocketbase",
	version: "v0.36.8",
	pkg:     "./examples/base",
	ready:   "/api/health",
	page:    "/_/",
	prepare: func(v *visit) {
		v.Write("pb_public/zoo.css", "p { color: black }\n")
		v.Write("pb_hooks/zoo.pb.js", `routerAdd("GET", "/zoo", (e) => e.string(200, "llama"))`+"\n")
		v.args = []string{"serve", "--http", fmt.Sprintf("127.0.0.1:%d", v.Port)}
	},
	edits: map[string]edit{
		neutral: {
			changes: []change{{"apis/health.go", "API is healthy.", "API is fed."}},
			path:    "/api/health", want: []string{"API is fed."},
		},
		line: {
			changes: []change{{"tools/router/event.go", "func (e *Event) JSON(status int, data any) error {\n", "func (e *Event) JSON(status int, data any) error {\n\te.Response.Header().Set(\"X-Zoo\", \"llama\")\n"}},
			path:    "/api/health", want: []string{"X-Zoo:[llama]"},
		},
		embedded: {
			changes: []change{{"ui/dist/index.html", "<title>PocketBase</title>", "<title>PocketZebra</title>"}},
			path:    "/_/", want: []string{"PocketZebra"},
		},
		added: {
			changes: []change{{"ui/dist/zoo.txt", "", "a zebra\n"}},
			path:    "/_/zoo.txt", want: []string{"a zebra"},
		},
		style: {
			changes: []change{{"pb_public/zoo.css", "black", "rgb(4, 1, 0)"}},
			path:    "/zoo.css", want: []string{"rgb(4, 1, 0)"},
			says: `^devrun: pb_public/zoo\.css saved, stylesheet swapped$`,
		},
		// The app looks after these files itself, and executes itself when one is saved.
		config: {
			changes: []change{{"pb_hooks/zoo.pb.js", "llama", "zebra"}},
			path:    "/zoo", want: []string{"zebra"},
		},
		panicking: {
			changes: []change{{"apis/health.go", "func healthCheck(e *core.RequestEvent) error {\n", "func healthCheck(e *core.RequestEvent) error {\n\tanimals, keeper := 41, (*http.Cookie)(nil)\n\tkeeper.MaxAge = animals\n"}},
			path:    "/api/health", want: []string{"nil pointer dereference", "keeper is nil", "health.go:20", "animals", "41"},
		},
		failing: {
			changes: []change{
				{"apis/health.go", "import (\n", "import (\n\t\"fmt\"\n"},
				{"apis/health.go", "func healthCheck(e *core.RequestEvent) error {\n", "func healthCheck(e *core.RequestEvent) error {\n\tif animals := 41; animals > 40 {\n\t\treturn e.InternalServerError(\"no room\", fmt.Errorf(\"%d animals\", animals))\n\t}\n"},
			},
			path: "/api/health", want: []string{"41 animals", "health.go:21"},
		},
	},
}
