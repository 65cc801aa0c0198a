//go:build (linux || darwin) && go1.21

package hook

import (
	"sync"
	"syscall"

	"devrun/devserver/internal/wire"
)

// Devrun reads the variables of a failure from outside where it may, and through
// the hook where the system keeps the app's memory from it.
var _ = add("peek", func(c *channel) bool {
	questions := make(chan wire.Message, 1)
	var begin sync.Once
	c.on(wire.Peek, func(m wire.Message) {
		if m.Memory == nil {
			return
		}
		begin.Do(func() { go answerPeeks(c, questions) })
		select {
		case questions <- m:
		default:
		}
	})
	return true
})

func answerPeeks(c *channel, questions <-chan wire.Message) {
	for q := range questions {
		m := wire.Memory{Addr: q.Memory.Addr}
		var err error
		if m.Bytes, err = peek(m.Addr, q.Memory.Size); err != nil {
			m.Error = "the app cannot read its own memory: " + err.Error()
		}
		c.send(wire.Message{Kind: wire.Peeked, Seq: q.Seq, Memory: &m})
	}
}

const pageSize = 4096 // the smallest there is: larger ones are multiples

// peek returns what can be read from addr on, at most size bytes and
// wire.MaxPeek. What cannot be read ends it; an error means that nothing can.
//
// The kernel does the reading, by a write into a pipe, which fails with EFAULT
// where nothing is mapped, where reading is not allowed and behind the end of a
// mapped file. So the app takes no fault: one that Go code takes is recovered
// (debug.SetPanicOnFault) only if the runtime gets the signal, and the detectors of
// -race, -msan and -asan would look at their own notes about an address that has
// none. process_vm_readv and /proc/self/mem exist on Linux only, and are what a
// sandbox, or an app that is not to be dumped, takes away.
//
// The pipe lasts for one question, so no descriptor of ours can be closed, or be
// another's by then, in an app that closes what it does not know.
func peek(addr uint64, size int) (b []byte, err error) {
	var pipe [2]int
	syscall.ForkLock.RLock()
	if err = syscall.Pipe(pipe[:]); err == nil {
		syscall.CloseOnExec(pipe[0])
		syscall.CloseOnExec(pipe[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, err
	}
	defer syscall.Close(pipe[0])
	defer syscall.Close(pipe[1])

	size = max(0, min(size, wire.MaxPeek))
	b = make([]byte, 0, size)
	for len(b) < size {
		at := addr + uint64(len(b))
		if at < addr || uint64(uintptr(at)) != at {
			break // behind the last address
		}
		// No more than one page: all of it can be read or nothing, and any pipe has
		// room for it.
		n := min(size-len(b), pageSize-int(at%pageSize))
		n, err = through(pipe, uintptr(at), b[len(b):len(b)+n])
		b = b[:len(b)+n]
		if err == syscall.EFAULT || err == nil && n == 0 {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

// through copies from an address to b and returns how much.
func through(pipe [2]int, addr uintptr, b []byte) (n int, err error) {
	var errno syscall.Errno = syscall.EINTR
	var written uintptr
	for errno == syscall.EINTR {
		written, _, errno = syscall.Syscall(syscall.SYS_WRITE, uintptr(pipe[1]), addr, uintptr(len(b)))
	}
	if errno != 0 {
		return 0, errno
	}
	for n < int(written) {
		m, err := syscall.Read(pipe[0], b[n:written])
		if err != nil && err != syscall.EINTR {
			return n, err
		}
		n += max(m, 0)
	}
	return n, nil
}
