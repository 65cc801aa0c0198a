package ld

import (
	"os"

	"cmd/link/internal/loader"
)

// What is said at the end of a link that went well: the binary is complete and
// closed, and only the process has to be taken down, which takes the kernel longer
// than one would think. It is the first function to be registered, so the last
// to be called.
func init() {
	if !loader.Ahead() {
		return
	}
	AtExit(func() {
		if nerrors == 0 {
			os.Stdout.WriteString("\x00linked\n")
		}
	})
}
