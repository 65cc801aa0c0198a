//go:build linux && go1.21

package hook

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"devrun/devserver/internal/wire"
)

// knock connects to devrun beside the binary that the process runs; nil if nobody of the
// same user is there, as when devrun has not started the app.
func knock() *os.File {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil
	}
	const onlyPath = 0x200000 // O_PATH
	dir, err := syscall.Open(filepath.Dir(exe), onlyPath|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer syscall.Close(dir)
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	// An address has room for 108 bytes, and the directory may be longer.
	at := &syscall.SockaddrUnix{Name: "/proc/self/fd/" + strconv.Itoa(dir) + "/" + wire.Door}
	if syscall.Connect(fd, at) != nil {
		syscall.Close(fd)
		return nil
	}
	who, err := syscall.GetsockoptUcred(fd, syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	if err != nil || int(who.Uid) != os.Geteuid() || syscall.SetNonblock(fd, true) != nil {
		syscall.Close(fd)
		return nil
	}
	return os.NewFile(uintptr(fd), "devrun")
}
