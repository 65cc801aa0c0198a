//go:build unix

package main

import (
	"os"
	"syscall"
)

// interrupt asks a process to end.
func interrupt(p *os.Process) { p.Signal(syscall.SIGTERM) }
