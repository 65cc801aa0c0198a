//go:build unix && !linux

package proc

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	gentle    = true // SIGTERM asks before SIGKILL
	errFormat = unix.ENOEXEC

	getTermios = unix.TIOCGETA
	setTermios = unix.TIOCSETA
)

// rssUnit is the bytes in the unit of Rusage.Maxrss.
var rssUnit = func() int64 {
	if runtime.GOOS == "darwin" {
		return 1
	}
	return 1 << 10
}()

// tree is the process group of an app: there is no way here to find a child
// that left it. The main process is waited for as soon as it ends; its id
// cannot be used again while the group has a member, so only the signals to a
// group that is just gone could, in theory, hit another.
type tree struct {
	cmd   *exec.Cmd
	ended <-chan struct{} // closed when await has returned
	err   error           // always nil
	asked bool
}

// process stands for all that is left of a group.
type process struct{ group int }

func newTree(cmd *exec.Cmd, ended <-chan struct{}) *tree { return &tree{cmd: cmd, ended: ended} }

func (t *tree) start() error { return t.cmd.Start() }

func (t *tree) await() error {
	err := t.cmd.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil
	}
	return err
}

func (t *tree) reap() error { return nil } // await has done it

func (t *tree) result() (code int, signal string, maxRSS int64) { return result(t.cmd.ProcessState) }

func (t *tree) giveUp() error { return nil } // no debugger was seen to hold a dead process here

// others returns the group once the main process has left it.
func (t *tree) others() []process {
	select {
	case <-t.ended:
	default:
		return nil
	}
	if unix.Kill(-t.cmd.Process.Pid, 0) != nil {
		return nil
	}
	return []process{{t.cmd.Process.Pid}}
}

func (t *tree) terminate([]process) {
	if !t.asked {
		t.asked = true
		t.group(unix.SIGTERM)
		t.group(unix.SIGCONT)
	}
}

func (t *tree) kill([]process) { t.group(unix.SIGKILL) }

// group fails only for a group that is not there, which others finds out too.
func (t *tree) group(sig syscall.Signal) { _ = unix.Kill(-t.cmd.Process.Pid, sig) }

func (t *tree) runs(int) bool                    { return false }
func (t *tree) continues() bool                  { return false }
func (t *tree) endedAt(main time.Time) time.Time { return main }

func childEvents() (<-chan os.Signal, func()) { return nil, func() {} }

func readsStdin(int) bool { return false }
