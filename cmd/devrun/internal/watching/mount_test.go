//go:build linux

package watching

import (
	"bytes"
	endian "encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// TestLongWatchMount: on a file system whose files change without a word to the
// kernel devrun finds out by itself that it must look. Those of a server or of a
// virtual machine's host are such.
func TestLongWatchMount(t *testing.T) {
	suite.Long(t)
	r := e2e.New(t, "notify")
	mounted := filepath.Join(t.TempDir(), "mounted")
	if err := os.Mkdir(mounted, 0o755); err != nil {
		t.Fatal(err)
	}
	// The mount is in a name space of its own and ends with it.
	const mount = `mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 test "$0" && exec 3>&- && exec "$@"`
	in := func(c *exec.Cmd) *os.File {
		fd, err := syscall.Open("/dev/fuse", syscall.O_RDWR|syscall.O_CLOEXEC, 0) // os.OpenFile would poll it, which it cannot before it is mounted
		if err != nil {
			t.Skipf("NOT TESTED: no file system can be made here: %v", err)
		}
		fuse := os.NewFile(uintptr(fd), "/dev/fuse")
		t.Cleanup(func() { fuse.Close() })
		c.Args = append([]string{"/bin/sh", "-c", mount, mounted, c.Path}, c.Args[1:]...)
		c.Path = "/bin/sh"
		c.ExtraFiles = []*os.File{fuse}
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Unshareflags: syscall.CLONE_NEWNS}
		return fuse
	}
	probe := exec.Command("/bin/true")
	in(probe)
	if out, err := probe.CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: no file system can be mounted here, which takes root: %v %s", err, out)
	}
	r.LaunchWith(func(c *exec.Cmd) {
		fuse := in(c)
		go (&mirrorFS{names: []string{r.Dir}, ended: r.Ended}).serve(fuse)
	}, "-C", mounted)
	r.Served("v1")
	r.Says(`^devrun: file notifications do not work on \S+/mounted \(fuse\), looking for changes every \d+ms instead$`)
	if n := watches(r); n > 0 {
		t.Errorf("%d watches are left", n)
	}
	seesEdits(r)
}

// mirrorFS shows a directory to be read at another place. It speaks as much of
// the protocol of /dev/fuse (linux/fuse.h) as reading takes, and asks the
// kernel to remember nothing.
type mirrorFS struct {
	names []string // by node id, which begins with 1 for the root
	ended chan struct{}
}

// The operations of the protocol.
const (
	fuseLookup, fuseForget, fuseGetattr, fuseReadlink                = 1, 2, 3, 5
	fuseOpen, fuseRead, fuseStatfs, fuseRelease, fuseFlush, fuseInit = 14, 15, 17, 18, 25, 26
	fuseOpendir, fuseReaddir, fuseReleasedir, fuseInterrupt          = 27, 28, 29, 36
	fuseDestroy, fuseBatchForget                                     = 38, 42
	fuseHead                                                         = 40 // bytes before the arguments
)

// fuseAttr is struct fuse_attr.
type fuseAttr struct {
	Ino, Size, Blocks, Atime, Mtime, Ctime       uint64
	Atimensec, Mtimensec, Ctimensec, Mode, Nlink uint32
	UID, GID, Rdev, Blksize, Flags               uint32
}

func (m *mirrorFS) serve(fuse *os.File) {
	buf := make([]byte, 256<<10)
	for {
		n, err := fuse.Read(buf)
		select {
		case <-m.ended:
			return
		default:
		}
		if err != nil {
			if errors.Is(err, syscall.ENODEV) || errors.Is(err, os.ErrClosed) {
				return // unmounted
			}
			time.Sleep(time.Millisecond) // not mounted yet, or a request was taken back
			continue
		}
		order := endian.NativeEndian
		op, unique, node := order.Uint32(buf[4:]), order.Uint64(buf[8:]), order.Uint64(buf[16:])
		if op == fuseForget || op == fuseBatchForget || op == fuseInterrupt {
			continue // these want no answer
		}
		body, errno := m.answer(op, node, buf[fuseHead:n])
		if errno != 0 {
			body = nil
		}
		head := order.AppendUint32(nil, uint32(16+len(body)))
		head = order.AppendUint32(head, uint32(-int32(errno)))
		head = order.AppendUint64(head, unique)
		_, _ = fuse.Write(append(head, body...)) // fails when who asked is gone
	}
}

// pack writes the fields of an answer one behind the other.
func pack(fields ...any) []byte {
	var b bytes.Buffer
	for _, f := range fields {
		if err := endian.Write(&b, endian.NativeEndian, f); err != nil {
			panic(err) // all fields have a size
		}
	}
	return b.Bytes()
}

func (m *mirrorFS) answer(op uint32, node uint64, args []byte) ([]byte, syscall.Errno) {
	order := endian.NativeEndian
	path := m.names[max(node, 1)-1]
	switch op {
	case fuseInit:
		return pack(uint32(7), uint32(31), order.Uint32(args[8:]), uint32(0), uint32(0), uint32(4096), uint32(1), [9]uint32{}), 0
	case fuseLookup:
		name := filepath.Join(path, string(bytes.TrimRight(args, "\x00")))
		id := slices.Index(m.names, name)
		if id < 0 {
			id = len(m.names)
			m.names = append(m.names, name)
		}
		attr, errno := attrOf(name)
		return pack(uint64(id+1), [4]uint64{}, attr), errno
	case fuseGetattr:
		attr, errno := attrOf(path)
		return pack([2]uint64{}, attr), errno
	case fuseReadlink:
		to, err := os.Readlink(path)
		return []byte(to), errnoOf(err)
	case fuseOpen, fuseOpendir:
		return pack([2]uint64{}), 0
	case fuseRead:
		f, err := os.Open(path)
		if err != nil {
			return nil, errnoOf(err)
		}
		defer f.Close()
		b := make([]byte, order.Uint32(args[16:]))
		n, _ := f.ReadAt(b, int64(order.Uint64(args[8:]))) // what is missing is behind the end
		return b[:n], 0
	case fuseReaddir:
		entries, err := os.ReadDir(path)
		var out []byte
		for i := order.Uint64(args[8:]); i < uint64(len(entries)); i++ {
			name := entries[i].Name()
			e := pack(i+1000, i+1, uint32(len(name)), uint32(0))
			e = append(e, name+strings.Repeat("\x00", -len(name)&7)...)
			if len(out)+len(e) > int(order.Uint32(args[16:])) {
				break
			}
			out = append(out, e...)
		}
		return out, errnoOf(err)
	case fuseStatfs:
		return make([]byte, 80), 0
	case fuseRelease, fuseReleasedir, fuseFlush, fuseDestroy:
		return nil, 0
	}
	return nil, syscall.ENOSYS
}

func attrOf(path string) (fuseAttr, syscall.Errno) {
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil {
		return fuseAttr{}, errnoOf(err)
	}
	return fuseAttr{
		Ino: st.Ino, Size: uint64(st.Size), Blocks: uint64(st.Blocks), Mode: st.Mode, Nlink: uint32(st.Nlink),
		Mtime: uint64(st.Mtim.Sec), Mtimensec: uint32(st.Mtim.Nsec), Ctime: uint64(st.Ctim.Sec), Ctimensec: uint32(st.Ctim.Nsec),
		UID: st.Uid, GID: st.Gid, Blksize: 4096,
	}, 0
}

func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if err != nil && !errors.As(err, &errno) {
		return syscall.EIO
	}
	return errno
}
