// Package gocmd runs the go command and its tools, and reads the lists of packages
// that it prints.
//
// A command runs in a process group of its own. When its context ends, it and all
// that it started are killed and gone before Run returns; on Linux it dies with this
// process too, however that ends (compilers that it had started finish their file).
// On Windows a tool whose parent has gone before it may outlive a cancelled command.
package gocmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Find is the go command that PATH names.
func Find() (string, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return "", errors.New("no go command on PATH: install Go from https://go.dev/dl/ or add its bin directory to PATH")
	}
	return path, nil
}

// Command is how the go command, a compiler or a linker runs.
type Command struct {
	Path           string   // "" is the go command that PATH names
	Dir            string   // where it runs, absolute; "" is the current directory
	Env            []string // its whole environment; nil is this process's
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Background     bool // with low priority: nobody waits for it

	// Filter, or nil, makes what stands before the writer that Output and Combined have for
	// stderr, and with Combined stdout.
	Filter func(to io.Writer) io.WriteCloser
}

// Run runs the command and returns when it has ended.
func (c Command) Run(ctx context.Context, args ...string) error {
	if c.Path == "" {
		var err error
		if c.Path, err = Find(); err != nil {
			return err
		}
	}
	// The parent-death signal comes when the thread ends that started the command.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	cmd := exec.CommandContext(ctx, c.Path, args...)
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Dir, c.Env, c.Stdin, c.Stdout, c.Stderr
	if c.Dir != "" {
		// The go command spells its working directory as PWD does; without it an
		// overlay names no file below a root that is a symbolic link.
		cmd.Env = append(cmd.Environ(), "PWD="+c.Dir)
	}
	// For a process that left the group and holds the output open.
	cmd.WaitDelay = waitDelay
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	if c.Background {
		lowPriority(cmd.Process.Pid)
	}
	err := cmd.Wait()
	if ctx.Err() != nil {
		awaitGroup(cmd.Process.Pid)
	}
	return err
}

// waitDelay bounds the wait for output after the command itself has gone.
const waitDelay = 2 * time.Second

// Output runs the go command and returns what it prints. The error is ctx.Err() when ctx
// ended; that of a command which fails wraps an [exec.ExitError] and has the first line of
// stderr in it.
func (c Command) Output(ctx context.Context, args ...string) (stdout, stderr []byte, err error) {
	var out, text bytes.Buffer
	err = c.filtered(&text, func(to io.Writer) error {
		c.Stdout, c.Stderr = &out, to
		return c.Run(ctx, args...)
	})
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	if errors.As(err, new(*exec.ExitError)) {
		err = fmt.Errorf("go %s: %w", args[0], err)
		if line, _, _ := strings.Cut(strings.TrimSpace(text.String()), "\n"); line != "" {
			err = fmt.Errorf("%w: %s", err, line)
		}
	}
	return out.Bytes(), text.Bytes(), err
}

// Combined runs the command with its stdout and stderr written to out.
func (c Command) Combined(ctx context.Context, out io.Writer, args ...string) error {
	return c.filtered(out, func(to io.Writer) error {
		c.Stdout, c.Stderr = to, to
		return c.Run(ctx, args...)
	})
}

// filtered has run write to c.Filter, if there is one, and that to out.
func (c Command) filtered(out io.Writer, run func(io.Writer) error) error {
	if c.Filter == nil {
		return run(out)
	}
	filter := c.Filter(out)
	err := run(filter)
	if closed := filter.Close(); err == nil {
		err = closed
	}
	return err
}

// Environ is env, or this process's environment if that is nil, with tmp for temporary
// files.
func Environ(env []string, tmp string) []string {
	if env == nil {
		env = os.Environ()
	}
	return append(slices.Clone(env), "GOTMPDIR="+tmp, "TMPDIR="+tmp, "TMP="+tmp)
}
