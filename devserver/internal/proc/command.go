package proc

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"

	"devrun/devserver/internal/wire"
)

// Command is what to run, and what it is connected to.
type Command struct {
	Path string   // the program; a relative path is taken from devrun's own directory
	Args []string // what follows the program's name
	Env  []string // "KEY=value", the last one of a key counts; nil is devrun's own
	Dir  string   // "" is devrun's own

	// Stdin is inherited as it is; nil is the null device.
	Stdin *os.File

	// StdinTTY gives the app a pseudo terminal instead, its controlling one;
	// Process.Input writes to it.
	StdinTTY bool

	// Stdout and Stderr receive what the app writes, each from a goroutine of
	// its own, byte for byte. A Write that blocks makes the app wait; one that
	// fails is the last one. What the terminal echoes of Process.Input goes
	// to the first of the two that is a terminal.
	Stdout, Stderr io.Writer

	// StdoutTTY and StderrTTY make the stream a terminal for the app. Its line
	// ends arrive as written: the terminal that devrun writes to turns them
	// into its own, and done twice, files and pipes would get them as well.
	StdoutTTY, StderrTTY bool

	// Files are descriptors of the app's from 3 on.
	Files []*os.File

	// Welcome is what the hook of another process of the same binary is told, with
	// which it may then speak, see Process.Channels; its zero value lets none speak.
	Welcome wire.Message

	// Size gives the terminals' size at the start; nil leaves it unknown.
	Size func() (rows, cols uint16)

	// Tail is how many of the last lines of stderr Exit.Stderr has, at most;
	// 0 is 200. A crash report at the end of stderr is kept whole.
	Tail int
}

// explain makes of what the kernel says what a person can act on.
func explain(cmd *exec.Cmd, err error) error {
	if at := (*fs.PathError)(nil); errors.As(err, &at) {
		err = at.Err
	}
	if dir, statErr := os.Stat(cmd.Dir); cmd.Dir != "" && (statErr != nil || !dir.IsDir()) {
		return fmt.Errorf("start %s: its directory %s: %w", cmd.Path, cmd.Dir, err)
	}
	info, statErr := os.Stat(cmd.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && statErr == nil:
		return fmt.Errorf("start %s: the interpreter that it asks for is missing: %w", cmd.Path, err)
	case errors.Is(err, fs.ErrPermission) && statErr == nil && info.IsDir():
		return fmt.Errorf("start %s: it is a directory: %w", cmd.Path, err)
	case errors.Is(err, fs.ErrPermission) && statErr == nil && info.Mode()&0o111 == 0:
		return fmt.Errorf("start %s: it is not executable: %w", cmd.Path, err)
	case errors.Is(err, fs.ErrPermission) && statErr == nil:
		return fmt.Errorf("start %s: %w; is its file system mounted noexec?", cmd.Path, err)
	case errors.Is(err, errFormat):
		return fmt.Errorf("start %s: it is not a program for %s/%s: %w", cmd.Path, runtime.GOOS, runtime.GOARCH, err)
	}
	return fmt.Errorf("start %s: %w", cmd.Path, err)
}
