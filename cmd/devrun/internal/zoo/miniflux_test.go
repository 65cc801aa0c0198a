//go:build linux

package zoo

import (
	"fmt"

	"devrun/sample/pgtest"
)

// miniflux is a feed reader: net/http, PostgreSQL, templates and styles embedded.
var miniflux = app{
	name:    "miniflux",
	module:  "miniflux.app/v2",
	version: "v2.3.5",
	pkg:     ".",
	ready:   "/liveness",
	page:    "/",
	prepare: func(v *visit) {
		pgtest.Need(v.T)
		server, err := pgtest.Start()
		if err != nil {
			v.T.Fatal(err)
		}
		v.T.Cleanup(func() {
			if err := server.Stop(); err != nil {
				v.T.Error(err)
			}
		})
		database, err := server.Database()
		if err != nil {
			v.T.Fatal(err)
		}
		v.Write("miniflux.conf", fmt.Sprintf("LISTEN_ADDR=127.0.0.1:%d\nDATABASE_URL=%s&sslmode=disable\nRUN_MIGRATIONS=1\n", v.Port, database))
		v.args = []string{"-c", "miniflux.conf"}
	},
	edits: map[string]edit{
		neutral: {
			changes: []change{{"internal/http/server/healthcheck.go", `[]byte("OK")`, `[]byte("fed")`}},
			path:    "/liveness", want: []string{"fed"},
		},
		line: {
			changes: []change{{"internal/http/response/builder.go", "func (b *Builder) writeHeaders() {\n", "func (b *Builder) writeHeaders() {\n\tb.w.Header().Set(\"X-Zoo\", \"llama\")\n"}},
			path:    "/", want: []string{"X-Zoo:[llama]"},
		},
		embedded: {
			changes: []change{{"internal/template/templates/views/login.html", `<section class="login-form">`, `<section class="login-form cage">`}},
			path:    "/", want: []string{`class="login-form cage"`},
		},
		added: {
			changes: []change{{"internal/ui/static/bin/zoo.svg", "", `<svg xmlns="http://www.w3.org/2000/svg"><title>zebra</title></svg>`}},
			path:    "/icon/0/zoo.svg", want: []string{"zebra"},
		},
		style: {
			changes: []change{{"internal/ui/static/css/light.css", ":root {", ":root { --zoo-stripes: 5;"}},
			path:    "/stylesheets/0/light_serif.css", want: []string{"--zoo-stripes:5"},
		},
		config: {
			changes: []change{{"miniflux.conf", "RUN_MIGRATIONS=1\n", "RUN_MIGRATIONS=1\nMAINTENANCE_MODE=1\nMAINTENANCE_MESSAGE=feeding time\n"}},
			path:    "/", want: []string{"feeding time"},
		},
		panicking: {
			changes: []change{{"internal/http/server/healthcheck.go", "\tw.WriteHeader(http.StatusOK)\n", "\tanimals, keeper := 41, (*http.Cookie)(nil)\n\tkeeper.MaxAge = animals\n"}},
			path:    "/liveness", want: []string{"nil pointer dereference", "keeper is nil", "healthcheck.go:15", "animals", "41"},
		},
		failing: {
			changes: []change{
				{"internal/ui/login_show.go", "import (\n", "import (\n\t\"fmt\"\n"},
				{"internal/ui/login_show.go", "\tif request.IsAuthenticated(r) {\n", "\tif animals := 41; animals > 40 {\n\t\tresponse.HTMLServerError(w, r, fmt.Errorf(\"no room for %d animals\", animals))\n\t\treturn\n\t}\n\tif request.IsAuthenticated(r) {\n"},
			},
			path: "/", want: []string{"no room for 41 animals", "login_show.go:17", "animals"},
		},
	},
}
