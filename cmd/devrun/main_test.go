package main

import (
	"flag"
	"runtime"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// update rewrites what tests compare with: scripts, the help, .env.example and
// the table of README.md.
var update = flag.Bool("update", false, "rewrite the files that tests compare with")

func TestMain(m *testing.M) {
	testscript.Main(crowd{m}, map[string]func(){"devrun": main})
}

// crowd runs twice as many tests at a time as there are processors, unless
// -parallel says otherwise: most of an end-to-end test's time is waiting.
type crowd struct{ m *testing.M }

func (c crowd) Run() int {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
			panic(err)
		}
	}
	return c.m.Run()
}

// The scripts are sessions of a user whose mistakes are told before anything is
// built or run.
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
