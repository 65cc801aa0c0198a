// Package build turns an app's source into a binary with the go command, and
// what the go command says when it cannot into diagnostics.
//
// A build runs in a process group of its own. When its context ends, the go
// command, compilers and linkers are killed and gone before Run returns; on Linux
// the go command dies with this process too, however that ends (compilers that it
// had started finish their file). On Windows a tool whose parent has gone before
// it may outlive a cancelled build. A build leaves nothing behind but its binary,
// and one that fails or is cancelled not even that.
package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
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
	// begun, once a build takes long; nil is not told. PackageDirs has to be known.
	Progress func(done, of int)

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
	tool, err := GoTool()
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

	r.Env = Environ(r, tmp)
	if r.GOFLAGS == "" && !r.Optimised {
		// A go command that fails here fails in the build too, and says why there.
		var out bytes.Buffer
		if err := RunTool(ctx, r, nil, &out, nil, tool, "env", "GOFLAGS"); err == nil {
			r.GOFLAGS = strings.TrimSpace(out.String())
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
	var to io.Writer = out
	line, told := args[1:], func() {}
	if r.Progress != nil {
		counting, stop := context.WithCancel(ctx)
		p := newProgress(r, out)
		to, line = p, slices.Insert(slices.Clone(line), 1, "-v")
		go p.count(counting, tool, r, args)
		told = func() { stop(); p.end() }
	}
	err = RunTool(ctx, r, nil, to, to, tool, line...)
	told()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.As(err, &exit):
		err = newFailure(r, args, out.String(), exit)
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

// GoTool is the go command that PATH names.
func GoTool() (string, error) {
	tool, err := exec.LookPath("go")
	if err != nil {
		return "", errors.New("no go command on PATH: install Go from https://go.dev/dl/ or add its bin directory to PATH")
	}
	return tool, nil
}

// Environ is the environment in which the tools of a request run, with tmp for
// their temporary files.
func Environ(r Request, tmp string) []string {
	env := r.Env
	if env == nil {
		env = os.Environ()
	}
	// The go command spells its working directory as PWD does.
	return append(slices.Clone(env), "PWD="+r.Dir, "GOTMPDIR="+tmp, "TMPDIR="+tmp, "TMP="+tmp)
}

// RunTool runs the go command, a compiler or a linker in r.Dir with r.Env, with
// low priority for a request in the background, and returns when it has ended.
// When ctx ends it is killed with all that it started and gone before RunTool
// returns.
func RunTool(ctx context.Context, r Request, stdin io.Reader, stdout, stderr io.Writer, path string, args ...string) error {
	// The parent-death signal comes when the thread ends that started the command.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = r.Dir, r.Env, stdin, stdout, stderr
	// For a process that left the group and holds the output open.
	cmd.WaitDelay = leaveOpen
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	if r.Background {
		lowPriority(cmd.Process.Pid)
	}
	err := cmd.Wait()
	if ctx.Err() != nil {
		awaitGroup(cmd.Process.Pid)
	}
	return err
}

// leaveOpen bounds the wait for output after the go command itself has gone.
const leaveOpen = 2 * time.Second

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
