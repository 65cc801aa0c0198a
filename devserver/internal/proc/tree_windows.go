package proc

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	gentle    = false               // there is no signal that asks
	errFormat = syscall.Errno(0xC1) // ERROR_BAD_EXE_FORMAT
)

// tree is the main process alone.
type tree struct {
	cmd *exec.Cmd
	err error // always nil
}

// process is of no use here.
type process struct{}

func newTree(cmd *exec.Cmd, _ <-chan struct{}) *tree { return &tree{cmd: cmd} }

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

func (t *tree) others() []process   { return nil }
func (t *tree) terminate([]process) {}

// kill fails only when the process has ended, which await finds out too.
func (t *tree) kill([]process) { _ = t.cmd.Process.Kill() }

func (t *tree) runs(int) bool                    { return false }
func (t *tree) continues() bool                  { return false }
func (t *tree) endedAt(main time.Time) time.Time { return main }

func childEvents() (<-chan os.Signal, func()) { return nil, func() {} }

func readsStdin(int) bool { return false }
