//go:build unix

package build

import (
	"os/exec"
	"syscall"
)

// idle is the lowest priority: nobody waits for it.
const idle = 19

// lowPriority makes room for others. Where it fails the work is done all the
// same.
func lowPriority(group int) { _ = syscall.Setpriority(syscall.PRIO_PGRP, group, idle) }

// ownGroup makes the end of cmd's context kill all that cmd has started.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	cmd.Cancel = func() error {
		return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}
