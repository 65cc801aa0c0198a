//go:build linux

package zoo

import (
	"fmt"
	"os"
	"path/filepath"
)

// prometheus keeps time series: the largest one.
var prometheus = app{
	name:    "prometheus",
	module:  "github.com/prometheus/prometheus",
	version: "v0.316.0",
	pkg:     "./cmd/prometheus",
	ready:   "/-/healthy",
	page:    "/query",
	prepare: func(v *visit) {
		if err := os.Remove(filepath.Join(v.Dir, "go.work")); err != nil { // it names modules that are not in this one
			v.T.Fatal(err)
		}
		// The user interface is made by npm; this stands in its place.
		v.Write("static/mantine-ui/index.html", "<!doctype html><title>TITLE_PLACEHOLDER</title><link rel=stylesheet href=/assets/zoo.css><p>a llama</p>\n")
		v.Write("static/mantine-ui/assets/zoo.css", "p { color: black }\n")
		v.Write("zoo/prometheus.yml", "global:\n  scrape_interval: 23s\n")
		v.args = []string{"--config.file", "zoo/prometheus.yml", "--web.listen-address", fmt.Sprintf("127.0.0.1:%d", v.Port)}
	},
	edits: map[string]edit{
		neutral: {
			changes: []change{{"web/web.go", `"%s is Healthy.\n"`, `"%s is fed.\n"`}},
			path:    "/-/healthy", want: []string{" is fed."},
		},
		line: {
			changes: []change{{"config/config.go", "func (c Config) String() string {\n", "func (c Config) String() string {\n\tif len(\"zoo\") == 3 {\n\t\treturn \"zebras: 41\"\n\t}\n"}},
			path:    "/api/v1/status/config", want: []string{"zebras: 41"},
		},
		embedded: {
			changes: []change{{"static/mantine-ui/index.html", "a llama", "a zebra"}},
			path:    "/query", want: []string{"a zebra"},
		},
		style: {
			changes: []change{{"static/mantine-ui/assets/zoo.css", "black", "rgb(4, 1, 0)"}},
			path:    "/assets/zoo.css", want: []string{"rgb(4, 1, 0)"},
			says: `^devrun: static/mantine-ui/assets/zoo\.css saved, stylesheet swapped$`,
		},
		config: {
			changes: []change{{"zoo/prometheus.yml", "23s", "41s"}},
			path:    "/api/v1/status/config", want: []string{"scrape_interval: 41s"},
		},
		panicking: {
			changes: []change{{"web/web.go", "\t\tfmt.Fprintf(w, \"%s is Healthy.\\n\", o.AppName)\n", "\t\tanimals, keeper := 41, (*http.Cookie)(nil)\n\t\tkeeper.MaxAge = animals\n"}},
			path:    "/-/healthy", want: []string{"nil pointer dereference", "keeper is nil", "web/web.go:615", "animals", "41"},
		},
		failing: {
			changes: []change{{"web/api/v1/api.go", "\tcfg := &prometheusConfig{\n", "\tif animals := 41; animals > 40 {\n\t\treturn apiFuncResult{nil, &apiError{errorInternal, fmt.Errorf(\"no room for %d animals\", animals)}, nil, nil}\n\t}\n\tcfg := &prometheusConfig{\n"}},
			path:    "/api/v1/status/config", want: []string{"no room for 41 animals", "web/api/v1/api.go:"},
		},
	},
	not: map[string]string{
		added: "its user interface is embedded with a build tag only",
	},
}
