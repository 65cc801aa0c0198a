package proc

import (
	"os"
	"os/exec"
)

// open connects the app by pipes: there are no pseudo terminals here, and no
// descriptors to inherit beside the three.
func (s *stdio) open(c Command, t *tail) (err error) {
	if s.stdout, err = s.pipe(c.Stdout, nil); err != nil {
		return err
	}
	s.stderr, err = s.pipe(c.Stderr, t)
	return err
}

func (s *stdio) attach(cmd *exec.Cmd) {
	if s.stdin != nil {
		cmd.Stdin = s.stdin
	}
	cmd.Stdout, cmd.Stderr = s.stdout, s.stderr
}

func (s *stdio) resize(rows, cols uint16) error { return nil }

func (s *stdio) resized(pid int) {}

// drain has nothing to do: reads have no deadline that could have cut one off.
func drain(*os.File, func([]byte)) {}

// result tells nothing of memory: the system does not keep the maximum.
func result(s *os.ProcessState) (code int, signal string, maxRSS int64) {
	return s.ExitCode(), "", 0
}
