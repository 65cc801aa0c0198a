package proc

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"devrun/devserver/internal/wire"
)

// door is where other processes that run the app's binary connect to devrun. The hook
// in them finds it beside the binary.
type door struct {
	path   string
	dir    *os.File
	listen *net.UnixListener
}

// acceptPause is the breath taken when the system has no descriptor left.
const acceptPause = 100 * time.Millisecond

// openDoor listens at the door of the binary, the directory of which is the user's
// alone. What a run that was killed has left there goes.
func openDoor(binary string) (*door, error) {
	dir := filepath.Dir(binary)
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open a door to the app's processes: %w", err)
	}
	d := &door{path: filepath.Join(dir, wire.Door), dir: f}
	os.Remove(d.path) // not there, as a rule
	// An address has room for 108 bytes, and the directory may be longer.
	short := fmt.Sprintf("/proc/self/fd/%d/%s", f.Fd(), wire.Door)
	if d.listen, err = net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: short}); err != nil {
		f.Close()
		return nil, fmt.Errorf("open a door to the app's processes: %w", err)
	}
	d.listen.SetUnlinkOnClose(false) // by a name that another file may have then
	return d, nil
}

// accept returns who comes next: a process of this user, the kernel says.
func (d *door) accept() (caller, error) {
	for {
		c, err := d.listen.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return caller{}, err
		}
		if err != nil { // no descriptor is left
			time.Sleep(acceptPause)
			continue
		}
		if who, err := peer(c); err == nil && int(who.Uid) == os.Geteuid() {
			return caller{int(who.Pid), c}, nil
		}
		c.Close()
	}
}

func peer(c *net.UnixConn) (who *unix.Ucred, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	control := raw.Control(func(fd uintptr) { who, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	return who, errors.Join(control, err)
}

func (d *door) close() {
	os.Remove(d.path)
	d.listen.Close()
	d.dir.Close()
}
