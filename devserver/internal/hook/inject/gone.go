//go:build unix && go1.21

package hook

import (
	"os"
	"syscall"
	"time"
)

// grace is what the app and its children get to end by themselves: devrun is
// dead, nobody waits for them.
const grace = 2 * time.Second

// gone ends the app and its process group, because devrun is no longer there to
// do it. Processes that left the group are not found.
func gone() {
	self := os.Getpid()
	if syscall.Getpgrp() != self { // the group is somebody else's
		syscall.Kill(self, syscall.SIGTERM)
		time.Sleep(grace)
		syscall.Kill(self, syscall.SIGKILL)
		return
	}
	if endOthers(self, time.Now().Add(grace)) {
		syscall.Kill(self, syscall.SIGTERM)
	} else {
		syscall.Kill(-self, syscall.SIGTERM)
	}
	time.Sleep(grace)
	syscall.Kill(-self, syscall.SIGKILL)
}
