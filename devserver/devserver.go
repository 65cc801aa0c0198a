package devserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"devrun/devserver/internal/build"
	"devrun/devserver/internal/gograph"
	"devrun/devserver/internal/term"
)

// Config is what a run needs to know. The zero value of a field means what
// its comment says.
type Config struct {
	Dir     string   // absolute; where the app runs and what paths are shown relative to
	Package string   // what to build, as the go command takes it; "" finds the only candidate
	Args    []string // for the app

	// Environ is asked at the start and whenever one of its Files changes.
	Environ func() (Environ, error)

	Addr  string        // public address instead of the one the app asks for
	Host  string        // public host instead of loopback
	Grace time.Duration // from SIGTERM to SIGKILL
	Poll  time.Duration // 0: notifications

	Tags, LDFlags, GCFlags string
	Race                   bool

	SMTP    bool    // take the app's mail and show it
	Console Console // when Go can be evaluated on the page of a failure
	Park    Park
	NoPages bool // a request that fails gets what the app gives, whoever asks

	Editor  string // name or address template, "" for the default
	Verbose bool
	NoColor bool
	Version string // of devrun, for its pages

	Stdin, Stdout, Stderr *os.File

	// Interrupted reports that the stop was asked for at the keyboard.
	Interrupted func() bool
}

// Console says when Go can be evaluated on the page of a failure.
type Console uint8

// Park says which failed requests stay parked where they failed: the newest Requests
// of those that panicked, and with Statuses of those that answer with a 5xx as well.
type Park struct {
	Requests int
	Statuses bool
}

// ConsoleOnTerminal needs a terminal that shows the PIN; ConsoleOn prints it
// wherever devrun prints.
const (
	ConsoleOnTerminal Console = iota
	ConsoleOn
	ConsoleOff
)

// Environ is the environment of the app and of the go command.
type Environ struct {
	Vars    []string // "NAME=value"
	Files   []string // what it was read from, existing or not
	Notices []string // worth a look, a sentence each
}

// ErrReported is returned by Build when what went wrong has been printed.
var ErrReported = errors.New("the build failed")

// flags are the build flags that change what the app is made of.
func (c Config) flags() []string {
	var f []string
	if c.Tags != "" {
		f = append(f, "-tags="+c.Tags)
	}
	if c.Race {
		f = append(f, "-race")
	}
	return f
}

// hinted is an error with a remedy.
type hinted struct {
	error
	hint string
}

func (h hinted) Hint() string  { return h.hint }
func (h hinted) Unwrap() error { return h.error }

// nothingToRun is an error in what was asked for: no such package, no module,
// no go command.
type nothingToRun struct{ error }

func (n nothingToRun) ExitStatus() int { return 2 }
func (n nothingToRun) Unwrap() error   { return n.error }

// graphOf finds out what the app is made of, and which package it is when
// none is named.
func (c *Config) graphOf(ctx context.Context, environ []string) (*gograph.Graph, error) {
	g, err := gograph.Load(ctx, c.graphOptions(environ))
	if err != nil {
		return nil, nothingToRun{err}
	}
	c.Package = g.Package
	return g, nil
}

// Run runs the app in development until stop ends, then stops it in order;
// when kill ends it stops it at once. It returns nil after a stop that was
// asked for, and an error when devrun itself cannot go on; what goes wrong
// with the app is no error of Run.
func Run(stop, kill context.Context, cfg Config) error {
	if runtime.GOOS == "windows" {
		return nothingToRun{hinted{errors.New("development does not work on Windows yet: nothing tells devrun where the app listens"), "use WSL; APP_ENV=production works"}}
	}
	environ, err := cfg.Environ()
	if err != nil {
		return err
	}
	s, err := newSources(stop, &cfg, environ)
	if err != nil {
		return err
	}
	dir, err := privateDir()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l, err := newLoop(cfg, dir, s)
	if err != nil {
		return err
	}
	defer l.term.Close() // also when something panics: the terminal has no echo
	return errors.Join(l.run(stop, kill), l.close())
}

// Build builds the app as it is meant for production, without anything of
// devrun, and writes it to output. Diagnostics go to the
// terminal, and the error is then ErrReported.
func Build(ctx context.Context, cfg Config, output string) error {
	environ, err := cfg.Environ()
	if err != nil {
		return err
	}
	if _, err := cfg.graphOf(ctx, environ.Vars); err != nil {
		return err
	}
	_, err = build.Run(ctx, build.Request{
		Dir: cfg.Dir, Env: environ.Vars, Package: cfg.Package, Output: output, Optimised: true,
		Tags: cfg.Tags, LDFlags: cfg.LDFlags, GCFlags: cfg.GCFlags, Race: cfg.Race,
	})
	if failure, ok := errors.AsType[*build.Failure](err); ok {
		t := term.New(cfg.terminal())
		defer t.Close()
		t.BuildFailed(failure.Build.Diagnostics, "")
		return ErrReported
	}
	return err
}

func (c Config) graphOptions(environ []string) gograph.Options {
	return gograph.Options{Dir: c.Dir, Env: environ, Package: c.Package, Flags: c.flags()}
}

func (c Config) terminal() term.Options {
	return term.Options{Out: c.Stdout, Err: c.Stderr, In: c.Stdin, NoColor: c.NoColor, Verbose: c.Verbose, Root: c.Dir}
}

// privateDir makes the directory for what this run builds, readable by nobody
// else, and removes those that killed runs left behind.
func privateDir() (string, error) {
	if old, err := filepath.Glob(filepath.Join(os.TempDir(), "devrun-*")); err == nil {
		for _, d := range old {
			var pid int
			rest := strings.TrimPrefix(filepath.Base(d), "devrun-")
			if n, err := fmt.Sscanf(rest, "%d-", &pid); err == nil && n == 1 && ownDir(d) && !alive(pid) {
				os.RemoveAll(d)
			}
		}
	}
	d, err := os.MkdirTemp("", fmt.Sprintf("devrun-%d-", os.Getpid()))
	if err != nil {
		return "", noRoom(err)
	}
	return d, nil
}

// Notice prints something worth knowing, as Run would.
func Notice(cfg Config, text string) {
	t := term.New(cfg.terminal())
	t.Notice(text)
	t.Close()
}

// Fail prints an error as Run would, with its hint.
func Fail(cfg Config, err error) {
	t := term.New(cfg.terminal())
	t.Error(err)
	t.Close()
}
