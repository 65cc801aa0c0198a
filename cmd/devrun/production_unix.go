//go:build unix

package main

import (
	"fmt"
	"syscall"
)

// become replaces this process by the program at path.
func become(path string, argv, environ []string) error {
	return fmt.Errorf("start %s: %w", path, syscall.Exec(path, argv, environ))
}
