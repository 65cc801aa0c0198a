//go:build go1.21

package hook

import (
	"bytes"
	"encoding/binary"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// systemBind is what syscall.Bind calls for bind(2).
//
//go:linkname systemBind syscall.bind
func systemBind(fd int, addr unsafe.Pointer, size uint32) error

// raw has what calls syscall.Bind and syscall.Listen past package net, as servers do that
// fork, go the way of package net: the beginning of both is overwritten by a jump. What is
// bound and listens by system calls without a name, or by cgo, is not seen.
var _ = add("raw", func(c *channel) bool {
	if !c.takeover || !alike(codeOf(systemBind), codeOf(syscall.Listen)) {
		return false
	}
	listen = func(fd, backlog int) error {
		return errorOf(syscall.Syscall(syscall.SYS_LISTEN, uintptr(fd), uintptr(backlog), 0))
	}
	return true
})

// alike has two functions do what package net's do, and reports whether it could.
func alike(bind, listen uintptr) bool {
	return jump(bind, codeOf(bindAlike)) && jump(listen, codeOf(listenAlike))
}

func listenAlike(fd, backlog int) error { return listenFunc(fd, backlog) }

// bindAlike lets fd have a port on which devrun listens. One that the system is to choose
// is nobody else's.
func bindAlike(fd int, addr unsafe.Pointer, size uint32) error {
	if at := unsafe.Slice((*byte)(addr), size); move != nil && len(at) > 4 && at[2]|at[3] != 0 && free(fd) {
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, soReusePort, 1)
	}
	return errorOf(syscall.Syscall(syscall.SYS_BIND, uintptr(fd), uintptr(addr), uintptr(size)))
}

func errorOf(_, _ uintptr, errno syscall.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}

// codeOf is where the machine code of a function begins.
func codeOf[F any](f F) uintptr { return **(**uintptr)(unsafe.Pointer(&f)) }

// prologue is how a function begins that may need more stack: CMPQ SP, 16(R14). It is
// longer than a jump.
var prologue = []byte{0x49, 0x3b, 0x66, 0x10}

// jump overwrites the beginning of a function that nobody is in, and reports whether it
// could: a system may forbid code that can be written. R12 is nobody's at a call.
func jump(from, to uintptr) bool {
	if f := runtime.FuncForPC(from); f == nil || f.Entry() != from {
		return false
	}
	code := []byte{0x49, 0xbc, 8: 0, 9: 0, 0x41, 0xff, 0xe4} // MOVQ $to, R12; JMP R12
	binary.LittleEndian.PutUint64(code[2:], uint64(to))
	text := unsafe.Slice(*(**byte)(unsafe.Pointer(&from)), len(code))
	if !bytes.HasPrefix(text, prologue) {
		return false
	}
	page := uintptr(os.Getpagesize())
	first := from &^ (page - 1)
	pages := unsafe.Slice(*(**byte)(unsafe.Pointer(&first)), (from+uintptr(len(code))-first+page-1)&^(page-1))
	if syscall.Mprotect(pages, syscall.PROT_READ|syscall.PROT_WRITE|syscall.PROT_EXEC) != nil {
		return false
	}
	copy(text, code)
	syscall.Mprotect(pages, syscall.PROT_READ|syscall.PROT_EXEC) // if not, it can still be executed
	return true
}
