// Package build turns an app's source into a binary with the go command, and
// what the go command says when it cannot into diagnostics.
//
// When its context ends, the go command, compilers and linkers are killed and gone
// before Run returns, as package gocmd says. A build leaves nothing behind but its
// binary, and one that fails or is cancelled not even that.
package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"devrun/devserver/internal/gocmd"
)

// Request is one build.
type Request struct {
	Generation int      // handed through to the Failure
	Dir        string   // where the go command runs; diagnostics are relative to it
	Env        []string // its whole environment; nil is this process's
	Package    string   // ".", "./cmd/app" or an import path

	// The user's own, as on the command line of go build; "" is not given.
	Tags, LDFlags, GCFlags string
	Race, Trimpath         bool

	UserPatterns []string          // "example.com/app/...": compiled for debugging, -N -l
	MainDir      string            // directory of the package; "" is not known
	PackageDirs  map[string]string // directories by import path, to place what C compilers report; may be nil
	// Overlay is the file for -overlay, "" for none. Its directory holds what it
	// puts in place and nothing of the user's.
	Overlay     string
	HookPattern string // import path of the injected package; it and those below are compiled as usual, or ""
	HookLDFlags string // link flags that it needs: "-checklinkname=0"
	Output      string // the binary to write; its directory holds the go command's temporary files meanwhile
	Debugger    bool   // link what a debugger reads too: the same code at the same addresses
	Background  bool   // nobody waits for it: with low priority
	Optimised   bool   // as `go build` alone would: none of -N -l, -s, the overlay and the hook

	// Progress is told how many of the packages that are not built yet have been
	// begun, once a build takes long; nil is not told.
	Progress func(done, of int)
	// Imports are the import paths of the app's packages, as far as they are known: what
	// is not one of these may have to be asked for when a build with Progress fails.
	Imports map[string]bool

	GOFLAGS string // as `go env GOFLAGS` prints it; when "", Run asks
}

// Result is a build that passed.
type Result struct {
	Binary string
	Took   time.Duration
}

// Run builds. The error is a *Failure when the go command ran and did not like
// what it read, ctx.Err() when ctx ended, and else what kept it from running.
// Two builds with one Output must not run at the same time.
func Run(ctx context.Context, r Request) (Result, error) {
	begin := time.Now()
	result, err := run(ctx, r)
	result.Took = time.Since(begin)
	var failure *Failure
	if errors.As(err, &failure) {
		failure.At, failure.Took = begin, result.Took
	}
	return result, err
}

func run(ctx context.Context, r Request) (Result, error) {
	tool, err := gocmd.Find()
	if err != nil {
		return Result{}, err
	}
	if r.Dir, err = filepath.Abs(r.Dir); err != nil {
		return Result{}, fmt.Errorf("find the directory to build in: %w", err)
	}
	// Killed tools leave their temporary files behind; this directory is removed.
	tmp, err := os.MkdirTemp(filepath.Dir(r.Output), "build-")
	if err != nil {
		return Result{}, fmt.Errorf("make a directory for the build: %w", err)
	}
	defer os.RemoveAll(tmp)

	r.Env = gocmd.Environ(r.Env, tmp)
	if r.GOFLAGS == "" && !r.Optimised {
		// A go command that fails here fails in the build too, and says why there.
		if out, _, err := r.Command(tool).Output(ctx, "env", "GOFLAGS"); err == nil {
			r.GOFLAGS = strings.TrimSpace(string(out))
		}
	}
	effective := r
	if !r.Optimised && r.Overlay != "" {
		if effective.Overlay, err = mergeOverlays(r, tmp); err != nil {
			return Result{}, err
		}
	}

	args := Args(effective)
	out := &capture{limit: outputLimit}
	c := r.Command(tool)
	flags := args[4:] // without "go build -o FILE"
	c, line, ended := Counted(ctx, r, c, args[1:], flags)
	err = c.Combined(ctx, out, line...)
	ended()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.As(err, &exit):
		err = newFailure(r, args, r.messages(ctx, r.Command(tool), out.String(), flags), exit)
	case err != nil:
		err = fmt.Errorf("run go build: %w", err)
	default:
		var fi os.FileInfo
		if fi, err = os.Stat(r.Output); err != nil {
			err = fmt.Errorf("go build passed but wrote no binary: %w", err)
		} else if runtime.GOOS == "windows" || fi.Mode()&0o111 != 0 {
			return Result{Binary: r.Output}, nil
		} else {
			err = notMain(r, args) // go build compiled a package and linked nothing
		}
	}
	if rm := os.Remove(r.Output); rm != nil && !errors.Is(rm, os.ErrNotExist) {
		err = errors.Join(err, fmt.Errorf("remove what the build left: %w", rm))
	}
	return Result{}, err
}

// Command is how a tool runs for the request: the go command, a compiler or a linker.
func (r Request) Command(path string) gocmd.Command {
	return gocmd.Command{Path: path, Dir: r.Dir, Env: r.Env, Background: r.Background}
}

// outputLimit bounds what is kept of a build's output; what comes first is what
// matters, and a page could not show more.
const outputLimit = 8 << 20

// capture keeps the beginning of what is written to it.
type capture struct {
	limit int
	kept  bytes.Buffer
	lost  int
}

func (c *capture) Write(p []byte) (int, error) {
	room := min(c.limit-c.kept.Len(), len(p))
	c.kept.Write(p[:room])
	c.lost += len(p) - room
	return len(p), nil
}

func (c *capture) String() string {
	if c.lost == 0 {
		return c.kept.String()
	}
	return fmt.Sprintf("%s\n(%d more bytes of output are left out)\n", c.kept.String(), c.lost)
}
