package devserver

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The arrows between packages point one way. Each rule says why.
func TestImports(t *testing.T) {
	const (
		internal = "devrun/devserver/internal/"
		sample   = "devrun/sample"
		e2e      = "devrun/cmd/devrun/internal/e2e" // runs devrun for its tests, and may use what they need
		suite    = "devrun/devserver/suite"         // what tests have in common
	)
	// Whoever runs the go command or its tools runs them in one way, that of gocmd.
	// What is in a directory that several runs of devrun use is written in one way, too,
	// and whether a file was touched is asked in one.
	leaves := map[string]bool{internal + "wire": true, internal + "fault": true, internal + "gocmd": true, internal + "diskcache": true, internal + "stamp": true}
	// Two ways to make one binary: what the quick one does not do, the other does.
	// What makes a binary, and what is known of one, meets in binaries.
	arrows := map[string][]string{
		internal + "binaries":  {internal + "build", internal + "expr", internal + "fastbuild", internal + "gograph", internal + "hook", internal + "inspect"},
		internal + "fastbuild": {internal + "build", internal + "linker"},
		// What explains a failure and what shows it find the app's source in one way.
		internal + "cause": {internal + "srctree"},
		internal + "page":  {internal + "srctree"},
	}
	only := map[string]struct{ where, why string }{
		"github.com/fsnotify/fsnotify":  {"devrun/watcher", "who is told of changes is nobody else's concern"},
		"github.com/spf13/cobra":        {"devrun/cmd/devrun", "the runner is usable without a command line"},
		"github.com/joho/godotenv":      {"devrun/cmd/devrun", "where settings come from is the command line's concern"},
		"github.com/fatih/color":        {internal + "term", "there is one writer to the terminal"},
		"golang.org/x/term":             {internal + "term", "there is one writer to the terminal"},
		"github.com/creack/pty":         {internal + "proc", "the app's terminal belongs to its process"},
		"github.com/go-delve/delve":     {internal + "inspect", "its API promises nothing"},
		"github.com/emersion/go-smtp":   {internal + "mailbox", "mail is one package's concern"},
		"golang.org/x/net/html":         {internal + "proxy", "pages are touched where they pass"},
		"github.com/andybalholm/brotli": {internal + "proxy", "pages are touched where they pass"},
		"github.com/klauspost/compress": {internal + "proxy", "pages are touched where they pass"},
	}
	drawing := map[string]map[string]bool{}
	for _, p := range packages(t) {
		short := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, "devrun/"), "devserver/internal/")
		drawing[short] = map[string]bool{}
		for _, i := range p.Imports {
			own := strings.HasPrefix(i, "devrun/")
			if own {
				drawing[short][strings.TrimPrefix(strings.TrimPrefix(i, "devrun/"), "devserver/internal/")] = true
			}
			switch {
			case i == e2e || strings.HasPrefix(i, suite) && p.ImportPath != e2e && !strings.HasPrefix(p.ImportPath, suite):
				t.Errorf("%s imports %s: it is for tests", p.ImportPath, i)
			case strings.HasPrefix(p.ImportPath, sample) && own && !strings.HasPrefix(i, sample):
				t.Errorf("%s imports %s: the app knows nothing of devrun", p.ImportPath, i)
			case p.ImportPath == "devrun/watcher" && own:
				t.Errorf("%s imports %s: the watcher is a library", p.ImportPath, i)
			case strings.HasPrefix(p.ImportPath, internal) && own && !leaves[i] && !slices.Contains(arrows[p.ImportPath], i):
				t.Errorf("%s imports %s: the parts meet in the loop", p.ImportPath, i)
			case leaves[p.ImportPath] && strings.Contains(i, "."):
				t.Errorf("%s imports %s: it is compiled into apps, or as widely shared, and keeps to the standard library", p.ImportPath, i)
			}
			for dep, rule := range only {
				if strings.HasPrefix(p.ImportPath, sample) {
					continue // an app of its own
				}
				if (i == dep || strings.HasPrefix(i, dep+"/")) && p.ImportPath != rule.where && p.ImportPath != e2e {
					t.Errorf("%s imports %s, which is for %s alone: %s", p.ImportPath, i, rule.where, rule.why)
				}
			}
		}
	}
	levels, _ := levels(drawing)
	t.Log("\n" + drawn(levels, drawing))
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

// packages are those of this module, with what their product code imports.
func packages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "devrun/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("only %d packages", len(all))
	}
	return all
}
