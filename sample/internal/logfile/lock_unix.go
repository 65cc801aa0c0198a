//go:build unix && !aix && !solaris

package logfile

import (
	"errors"
	"os"
	"syscall"
)

const locks = true

// lock waits until no other process, and no other File of this one, has file
// locked. The lock ends with unlock, with the last close of file and with the
// process.
func lock(file *os.File) error { return flock(file, syscall.LOCK_EX) }

func unlock(file *os.File) error { return flock(file, syscall.LOCK_UN) }

func flock(file *os.File, how int) error {
	for {
		err := syscall.Flock(int(file.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
