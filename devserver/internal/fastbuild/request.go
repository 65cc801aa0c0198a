package fastbuild

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"devrun/devserver/internal/build"
)

// plainGoflags are the flags in GOFLAGS whose meaning is in what the go command
// answers, or that change nothing in the binary.
var plainGoflags = []string{"tags", "mod", "modcacherw", "ldflags", "buildvcs", "p", "n", "x", "v", "json", "work"}

// ordinary says what is in a request that only go build understands.
func ordinary(r build.Request) error {
	switch {
	case r.Optimised || r.Debugger:
		return errors.New("it is a build of another kind")
	case r.Race:
		return errors.New("-race is given")
	case r.Trimpath:
		return errors.New("-trimpath is given")
	case r.GCFlags != "":
		return errors.New("-gcflags are given")
	case r.GOFLAGS == "":
		return errors.New("GOFLAGS are not known")
	}
	for _, flag := range build.GOFLAGS(r) {
		if !slices.Contains(plainGoflags, flag[0]) {
			return fmt.Errorf("GOFLAGS has -%s", flag[0])
		}
	}
	for _, e := range r.Env {
		// They have the compiler print or behave in a way that is no part of any key here.
		switch name, value, _ := strings.Cut(e, "="); name {
		case "GOSSAFUNC", "GOSSADIR", "GOCOMPILEDEBUG", "GOCLOBBERDEADHASH":
			if value != "" {
				return fmt.Errorf("%s is set", name)
			}
		}
	}
	return nil
}

// settings tells two requests apart that want different builds of the same files.
func settings(r build.Request) [sha256.Size]byte {
	r.Overlay = "" // what it puts in place counts, not the file
	text, err := json.Marshal([]any{r.Dir, forTools(r.Env), r.Package, build.Flags(r), r.UserPatterns, r.HookPattern})
	if err != nil {
		panic(err) // strings can be marshalled
	}
	return sha256.Sum256(text)
}

// forTools are the variables that the go command and its tools heed, in the order
// of names; the app's own, and those of a terminal, are no part of a build.
func forTools(env []string) []string {
	last := map[string]string{}
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		if slices.ContainsFunc(toolVariables, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			last[name] = e
		}
	}
	return slices.Sorted(maps.Values(last))
}

// toolVariables are how the names of such variables begin; `go help environment`
// lists them, and what a C compiler reads comes to them.
var toolVariables = []string{"GO", "CGO_", "CC", "CXX", "FC", "AR", "PKG_CONFIG", "GCC", "PATH", "HOME", "XDG_", "GIT_",
	"CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "OBJC_INCLUDE_PATH", "LIBRARY_PATH", "COMPILER_PATH", "LD_",
	"USERPROFILE", "AppData", "LocalAppData", "LOCALAPPDATA", "APPDATA", "SOURCE_DATE_EPOCH"}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
