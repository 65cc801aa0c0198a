//go:build unix

package devserver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"devrun/devserver/internal/wire"
)

// ownDir reports whether d is a directory of this user, and no link to one.
func ownDir(d string) bool {
	fi, err := os.Lstat(d)
	return err == nil && fi.IsDir() && owner(fi) == os.Getuid()
}

// owner is the id of the user whose file it is.
func owner(fi fs.FileInfo) int {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}

// stampOf is the state of a file as the hook tells it.
func stampOf(fi fs.FileInfo) string {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return wire.Stamp(uint64(st.Ino), st.Size, fi.ModTime())
	}
	return ""
}

// unmapped is the owner of what belongs to nobody in a user namespace, as / may.
const unmapped = 65534

// owned returns an error if somebody else could change the directory d: the last of a
// path, which is to be this user's and nobody else's, or one above it, in which others
// of the user's group may write, as with a umask of 002, and everyone if nobody can
// take away what is not his (the sticky bit).
func owned(d string, fi fs.FileInfo, last bool) error {
	uid, perm := owner(fi), fi.Mode().Perm()
	switch {
	case !fi.IsDir():
		return fmt.Errorf("%s is not a directory", d)
	case uid != os.Getuid() && (last || uid != 0 && uid != unmapped):
		return fmt.Errorf("%s belongs to another user", d)
	case last && perm&0o077 != 0, perm&0o002 != 0 && fi.Mode()&fs.ModeSticky == 0:
		return fmt.Errorf("%s is open to other users (mode %04o)", d, perm)
	}
	return nil
}

// ownFile returns an error if somebody else than this user and root could have
// written the file or directory.
func ownFile(path string, fi fs.FileInfo) error {
	if uid := owner(fi); uid != os.Getuid() && uid != 0 {
		return fmt.Errorf("%s belongs to another user", path)
	}
	if perm := fi.Mode().Perm(); perm&0o022 != 0 {
		return fmt.Errorf("%s can be changed by other users (mode %04o)", path, perm)
	}
	return nil
}

// alive reports whether a process with this id exists.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// hold keeps other runs of devrun off the directory until the file is closed, or this
// process ends; ok is false when one has it. Where directories cannot be locked
// nobody is kept off.
func hold(dir string) (f *os.File, ok bool) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, false
	}
	if errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK) {
		f.Close()
		return nil, false
	}
	return f, true
}
