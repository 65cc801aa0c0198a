//go:build unix

package proc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"syscall"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"devrun/devserver/internal/wire"
)

// open gives each output a terminal of its own, as one could not tell the
// streams apart; stdin shares that of an output, where its echo belongs.
func (s *stdio) open(c Command, t *tail) (err error) {
	if s.stdout, err = s.output(c.StdoutTTY, c.Stdout, nil); err != nil {
		return err
	}
	if s.stderr, err = s.output(c.StderrTTY, c.Stderr, t); err != nil {
		return err
	}
	if c.StdinTTY {
		switch {
		case c.StdoutTTY:
			s.stdin, s.input = s.stdout, s.terminals[0]
		case c.StderrTTY:
			s.stdin, s.input = s.stderr, s.terminals[0]
		default:
			if s.stdin, err = s.terminal(io.Discard, nil); err != nil {
				return err
			}
			s.input = s.terminals[0]
		}
	}
	if c.Size != nil {
		if err := s.resize(c.Size()); err != nil {
			return err
		}
	}
	s.channel, s.hook, err = socketpair()
	if err != nil {
		return fmt.Errorf("open the channel to the hook: %w", err)
	}
	s.child = append(s.child, s.hook)
	return nil
}

func (s *stdio) output(tty bool, w io.Writer, t *tail) (*os.File, error) {
	if tty {
		return s.terminal(w, t)
	}
	return s.pipe(w, t)
}

func (s *stdio) terminal(w io.Writer, t *tail) (*os.File, error) {
	master, child, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("open a pseudo terminal: %w; with the output of devrun in a file or pipe it needs none", err)
	}
	if master, err = interruptible(master); err != nil {
		child.Close()
		return nil, fmt.Errorf("set up a pseudo terminal: %w", err)
	}
	s.terminals = append(s.terminals, master)
	s.add(master, child, w, t)
	// Output processing is the outer terminal's business.
	fd := int(child.Fd())
	mode, err := unix.IoctlGetTermios(fd, getTermios)
	if err == nil {
		mode.Oflag &^= unix.OPOST
		err = unix.IoctlSetTermios(fd, setTermios, mode)
	}
	if err != nil {
		return nil, fmt.Errorf("set up a pseudo terminal: %w", err)
	}
	return child, nil
}

// interruptible returns f as a file whose reads end at a deadline, whoever else
// has the terminal open: package pty has made it one that blocks. It closes f.
func interruptible(f *os.File) (*os.File, error) {
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// socketpair returns a socket to read without blocking a thread, and its
// other end, which blocks, as the app may expect.
func socketpair() (ours, app *os.File, err error) {
	syscall.ForkLock.RLock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	app = os.NewFile(uintptr(fds[1]), "channel")
	if err := unix.SetNonblock(fds[0], true); err != nil {
		unix.Close(fds[0])
		app.Close()
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fds[0]), "channel"), app, nil
}

// attach gives cmd the app's ends, and a session of its own: reading from a
// terminal that is not the session's does not stop anybody.
func (s *stdio) attach(cmd *exec.Cmd) {
	if s.stdin != nil {
		cmd.Stdin = s.stdin
	}
	cmd.Stdout, cmd.Stderr = s.stdout, s.stderr
	cmd.ExtraFiles = append(slices.Clone(s.files), s.hook) // from 3 on, after stderr
	cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", wire.FD, 3+len(s.files)))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:  true,
		Setctty: s.input != nil,
		Ctty:    0,
	}
}

func (s *stdio) resize(rows, cols uint16) error {
	var ioctl error
	// The first one is the controlling terminal, whose change the kernel tells
	// the app at once: by then the others have to have their size.
	for _, t := range slices.Backward(s.terminals) {
		raw, err := t.SyscallConn()
		if err == nil {
			err = raw.Control(func(fd uintptr) {
				ioctl = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols})
			})
		}
		if err := errors.Join(err, ioctl); err != nil {
			return fmt.Errorf("set the size of a pseudo terminal: %w", err)
		}
	}
	return nil
}

// resized tells the group of pid what the kernel tells only the processes of
// a controlling terminal.
func (s *stdio) resized(pid int) {
	if s.input == nil && len(s.terminals) > 0 {
		_ = unix.Kill(-pid, unix.SIGWINCH) // fails when it has just ended
	}
}

// drain reads what waits in f, without waiting for more.
func drain(f *os.File, take func([]byte)) {
	raw, err := f.SyscallConn()
	if err != nil {
		return // closed
	}
	buf := make([]byte, 32<<10)
	// A pipe holds 1 MB at most; who writes more is not of the tree.
	for read := 0; read < 1<<20; {
		n := 0
		err := raw.Control(func(fd uintptr) { n, _ = unix.Read(int(fd), buf) })
		if err != nil || n <= 0 {
			return
		}
		take(buf[:n])
		read += n
	}
}

// result takes a process's end apart. MaxRSS is at least what devrun itself
// had when it started the process, as the kernel counts that in.
func result(s *os.ProcessState) (code int, signal string, maxRSS int64) {
	if usage, ok := s.SysUsage().(*syscall.Rusage); ok {
		maxRSS = int64(usage.Maxrss) * rssUnit
	}
	if status, ok := s.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		signal = status.Signal().String()
	}
	return s.ExitCode(), signal, maxRSS
}
