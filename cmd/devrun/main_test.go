package main

import (
	"flag"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"devrun/cmd/devrun/internal/e2e"
)

// update rewrites what tests compare with: scripts, the help, .env.example, the table
// of README.md and promises.md.
var update = flag.Bool("update", false, "rewrite the files that tests compare with")

func TestMain(m *testing.M) {
	testscript.Main(e2e.Tests{M: m}, map[string]func(){"devrun": main})
}

// A mistake of the user is told before anything is built or run. The scripts are
// sessions of such users.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
	})
}
