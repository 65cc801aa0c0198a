//go:build linux

package zoo

import "fmt"

// caddy is a web server that is made of modules, and serves files.
var caddy = app{
	name:    "caddy",
	module:  "github.com/caddyserver/caddy/v2",
	version: "v2.11.9",
	pkg:     "./cmd/caddy",
	ready:   "/llama",
	page:    "/files/",
	prepare: func(v *visit) {
		// The module's .gitignore has every Caddyfile.
		v.Write("zoo/zoo.caddy", fmt.Sprintf(`{
	admin off
	auto_https off
	persist_config off
}
http://:%d {
	bind 127.0.0.1
	respond /llama "a llama"
	respond /where "{system.zoo}"
	handle_path /files/* {
		root * zoo/files
		file_server browse
	}
}
`, v.Port))
		v.Write("zoo/files/zoo.css", "p { color: black }\n")
		home := v.T.TempDir()
		v.Env = append(v.Env, "XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home)
		v.args = []string{"run", "--config", "zoo/zoo.caddy", "--adapter", "caddyfile"}
	},
	edits: map[string]edit{
		neutral: {
			changes: []change{{"modules/caddyhttp/staticresp.go", "fmt.Fprint(w, body)", `fmt.Fprint(w, "fed "+body)`}},
			path:    "/llama", want: []string{"fed a llama"},
		},
		line: {
			changes: []change{{"replacer.go", "\tcase \"system.hostname\":\n", "\tcase \"system.zoo\":\n\t\treturn \"zebra\", true\n\tcase \"system.hostname\":\n"}},
			path:    "/where", want: []string{"zebra"},
		},
		embedded: {
			changes: []change{{"modules/caddyhttp/fileserver/browse.html", "<title>{{html .Name}}</title>", "<title>zebra {{html .Name}}</title>"}},
			path:    "/files/", want: []string{"<title>zebra "},
		},
		style: {
			changes: []change{{"zoo/files/zoo.css", "black", "rgb(4, 1, 0)"}},
			path:    "/files/zoo.css", want: []string{"rgb(4, 1, 0)"},
			says: `^devrun: zoo/files/zoo\.css saved, stylesheet swapped$`,
		},
		config: {
			changes: []change{{"zoo/zoo.caddy", `respond /llama "a llama"`, `respond /llama "a zebra"`}},
			path:    "/llama", want: []string{"a zebra"},
		},
		panicking: {
			changes: []change{{"modules/caddyhttp/staticresp.go", "\t// write headers\n", "\tanimals, keeper := 41, (*http.Cookie)(nil)\n\tkeeper.MaxAge = animals\n"}},
			path:    "/llama", want: []string{"nil pointer dereference", "keeper is nil", "staticresp.go:", "animals", "41"},
		},
		failing: {
			changes: []change{{"modules/caddyhttp/staticresp.go", "\t// write headers\n", "\tif animals := 41; animals > 40 {\n\t\treturn Error(http.StatusInternalServerError, fmt.Errorf(\"no room for %d animals\", animals))\n\t}\n"}},
			path:    "/llama", want: []string{"no room for 41 animals"},
		},
	},
	not: map[string]string{
		added: "it embeds one file, by its name",
	},
}
