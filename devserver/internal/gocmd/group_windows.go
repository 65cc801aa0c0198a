package gocmd

import (
	"os/exec"
	"strconv"
)

// ownGroup makes the end of cmd's context kill cmd and its children. A child
// whose parent has gone before is not found: Windows has no process groups for this.
func ownGroup(cmd *exec.Cmd) {
	cmd.Cancel = func() error {
		if err := exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(cmd.Process.Pid)).Run(); err != nil {
			return cmd.Process.Kill()
		}
		return nil
	}
}

// lowPriority does nothing: what runs in the background does so in development, which
// does not run on Windows.
func lowPriority(int) {}

// awaitGroup has nothing to wait for: taskkill returns when the tree is gone.
func awaitGroup(int) {}
