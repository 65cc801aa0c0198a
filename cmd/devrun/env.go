package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// prefix is what the names of devrun's own variables begin with.
const prefix = "DEVRUN_"

// internals are variables that devrun's parts pass among themselves. They are
// met when devrun runs under devrun or in its own tests, and mean nothing here.
var internals = []string{"DEVRUN_FD", "DEVRUN_TAKEOVER", "DEVRUN_HOOK_PARK", "DEVRUN_REQUIRE_CHROMIUM"}

// inherited are variables that change what any program does that inherits
// them; a file that sets one is worth a look.
var inherited = []string{
	"PATH", "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "DYLD_LIBRARY_PATH",
	"BASH_ENV", "GODEBUG", "GOFLAGS", "GOENV", "GOROOT", "GOPATH", "GOPROXY", "GOTOOLCHAIN", "GOEXPERIMENT",
	"CC", "CXX", "CGO_CFLAGS", "CGO_LDFLAGS",
}

// Env is the environment of the app: the real one, and the .env files of the
// app's directory for what is not set there.
type Env struct {
	dir    string
	real   map[string]string
	notice func(string)

	mode  Mode             // "" before the first Load
	files map[string]value // of the last Load without error
	said  map[string]bool  // notices, so that each is given once
}

// NewEnv returns the Env of an app in dir. notice is told, in a sentence, what
// is worth a look.
func NewEnv(dir string, environ []string, notice func(string)) *Env {
	e := &Env{dir: dir, real: make(map[string]string, len(environ)), notice: notice, said: map[string]bool{}}
	for _, entry := range environ {
		// On Windows there are names that begin with "=".
		if i := strings.IndexByte(entry[min(1, len(entry)):], '='); i >= 0 {
			e.real[fold(entry[:i+1])] = entry[i+2:]
		}
	}
	return e
}

// fold makes names that the system takes for the same the same.
func fold(name string) string {
	if runtime.GOOS == "windows" {
		return strings.ToUpper(name)
	}
	return name
}

// Mode is development or production, once Load has returned without error.
func (e *Env) Mode() Mode { return e.mode }

// Lookup returns a variable as of the last Load, and where it is from. An empty
// variable counts as not set. Of several names an earlier one wins, but the real
// environment wins by any name over the files.
func (e *Env) Lookup(names ...string) (text, from string, ok bool) {
	return e.lookup(e.files, names...)
}

func (e *Env) lookup(files map[string]value, names ...string) (text, from string, ok bool) {
	for _, name := range names {
		if text := e.real[fold(name)]; text != "" {
			return text, name, true
		}
	}
	for _, name := range names {
		if v := files[name]; v.text != "" {
			return v.text, v.from + ": " + name, true
		}
	}
	return "", "", false
}

// Load reads the files and returns the environment for the app, sorted, and the
// files to watch, existing or not. It can be called again: a variable that is
// gone from the files is gone. After an error the files are returned, too, and
// all else is as it was before.
func (e *Env) Load() (environ, files []string, err error) {
	mode, vars, err := e.read()
	if err != nil {
		return nil, e.paths(e.mode), err
	}
	e.warn(vars)
	e.mode, e.files = mode, vars
	return e.environ(), e.paths(mode), nil
}

// paths are the files in the order in which they are read; a later one wins.
func (e *Env) paths(mode Mode) []string {
	var paths []string
	for _, name := range []string{".env", ".env.local", ".env." + string(mode), ".env." + string(mode) + ".local"} {
		paths = append(paths, filepath.Join(e.dir, name))
	}
	return paths
}

// read reads the files: the first two may say what the mode is, which names the
// others, and is not changed while devrun runs.
func (e *Env) read() (Mode, map[string]value, error) {
	vars := map[string]value{}
	if err := readAll(vars, e.paths("")[:2]); err != nil {
		return "", nil, err
	}
	mode, err := e.modeOf(vars)
	if err != nil {
		return "", nil, err
	}
	if e.mode != "" && mode != e.mode {
		return "", nil, usagef("stop devrun and start it again", "APP_ENV was %s and is %s now", e.mode, mode)
	}
	if err := readAll(vars, e.paths(mode)[2:]); err != nil {
		return "", nil, err
	}
	if again, err := e.modeOf(vars); err != nil || again != mode {
		_, from, _ := e.lookup(vars, "APP_ENV")
		return "", nil, usagef("set APP_ENV in .env, .env.local or the environment",
			"%s is not %s, but the file is read because it is", from, mode)
	}
	return mode, vars, e.known(vars)
}

func readAll(vars map[string]value, paths []string) error {
	for _, path := range paths {
		found, err := readDotenv(path)
		if err != nil {
			return &usageError{err: err}
		}
		maps.Copy(vars, found)
	}
	return nil
}

// modeOf is what APP_ENV, else FLASK_ENV says.
func (e *Env) modeOf(files map[string]value) (Mode, error) {
	for _, name := range []string{"APP_ENV", "FLASK_ENV"} {
		text, from, ok := e.lookup(files, name)
		if !ok {
			continue
		}
		if mode := Mode(text); mode == Development || mode == Production {
			return mode, nil
		}
		return "", usagef("", "%s is %q; it must be production or development", from, text)
	}
	return Production, nil
}

// known refuses variables that look like settings and are none.
func (e *Env) known(files map[string]value) error {
	var names, accepted []string
	for _, row := range settings {
		if strings.HasPrefix(row.env, prefix) {
			names = append(names, row.env)
			accepted = append(accepted, row.variables()...)
		}
	}
	all := e.union(files)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !strings.HasPrefix(name, prefix) || all[name] == "" || slices.Contains(accepted, name) || slices.Contains(internals, name) {
			continue
		}
		from := name
		if v, ok := files[name]; ok {
			from = v.from + ": " + name
		}
		return usagef("did you mean "+nearest(name, names)+"?", "%s is not a devrun setting", from)
	}
	return nil
}

// union is the real environment and the files below it.
func (e *Env) union(files map[string]value) map[string]string {
	all := make(map[string]string, len(e.real)+len(files))
	for name, v := range files {
		all[fold(name)] = v.text
	}
	maps.Copy(all, e.real)
	return all
}

// warn says what a file sets that reaches further than the app, and what of
// devrun's own settings has changed since the start.
func (e *Env) warn(files map[string]value) {
	for _, name := range inherited {
		v, set := files[name]
		if _, real := e.real[fold(name)]; set && !real {
			e.say(fmt.Sprintf("%s sets %s, which every program that devrun starts inherits", v.from, name))
		}
	}
	for _, row := range settings {
		if e.mode == "" || !strings.HasPrefix(row.env, prefix) {
			continue
		}
		for _, name := range row.variables() {
			before, _, _ := e.lookup(e.files, name)
			if now, _, _ := e.lookup(files, name); now != before {
				e.say(fmt.Sprintf("%s changed to %q; restart devrun to use it", name, now))
			}
		}
	}
}

func (e *Env) say(text string) {
	if !e.said[text] {
		e.said[text] = true
		e.notice(text)
	}
}

// environ is what the app gets: nothing that is devrun's, and APP_ENV always.
func (e *Env) environ() []string {
	all := e.union(e.files)
	if all["APP_ENV"] == "" {
		all["APP_ENV"] = string(e.mode)
	}
	environ := make([]string, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !strings.HasPrefix(name, prefix) {
			environ = append(environ, name+"="+all[name])
		}
	}
	return environ
}
