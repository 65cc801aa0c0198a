//go:build unix && !linux

package gocmd

import (
	"syscall"
	"time"
)

// dieWithParent: only Linux can tie a child to its parent's death.
func dieWithParent(*syscall.SysProcAttr) {}

// zombieWait bounds the wait for a killed group, whose processes may stay as
// zombies where nothing reaps orphans.
const zombieWait = time.Second

// awaitGroup returns when a killed group is gone.
func awaitGroup(group int) {
	for end := time.Now().Add(zombieWait); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if syscall.Kill(-group, 0) == syscall.ESRCH {
			return
		}
	}
}
