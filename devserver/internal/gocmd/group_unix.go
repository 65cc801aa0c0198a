//go:build unix

package gocmd

import (
	"os/exec"
	"syscall"
)

// background is the priority of what nobody waits for. The lowest there is, 19, gets
// nothing done for minutes on a machine that is busy with something else, and the
// saves of that time are slow.
const background = 10

// lowPriority makes room for others. Where it fails the work is done all the
// same.
func lowPriority(group int) { _ = syscall.Setpriority(syscall.PRIO_PGRP, group, background) }

// ownGroup makes the end of cmd's context kill all that cmd has started.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	cmd.Cancel = func() error {
		return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}
