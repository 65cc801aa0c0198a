package watcher

import (
	"io/fs"
	"syscall"
)

// inodeOf returns the inode and the time of the last change of any kind, in ns.
func inodeOf(info fs.FileInfo) (ino uint64, ctime int64) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Ino, st.Ctimespec.Nano()
	}
	return 0, 0
}

// dirID identifies a directory whatever path leads to it.
func dirID(_ string, info fs.FileInfo) fileID {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fileID{dev: uint64(st.Dev), ino: st.Ino}
	}
	return fileID{}
}
