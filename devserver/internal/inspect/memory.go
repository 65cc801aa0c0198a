package inspect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"syscall"
)

// ErrNothing is what a process's memory gives for an address where nothing can be
// read, as /proc/PID/mem does.
const ErrNothing = syscall.EIO

const (
	pageSize = 4096
	maxPages = 16 << 10 // of one call, 64 MB: its bounds allow less
	maxAddr  = 1 << 47  // end of a process's own half; Delve's made-up addresses lie above
)

// memory reads a process's memory by whole pages, each once until forget: a
// frame's variables are many small reads in few places.
type memory struct {
	r     io.ReaderAt
	pages map[uint64][]byte
}

func (m *memory) forget() { m.pages = map[uint64][]byte{} }

func (m *memory) WriteMemory(uint64, []byte) (int, error) { return 0, errReadOnly }

func (m *memory) ReadMemory(b []byte, addr uint64) (int, error) {
	if addr < pageSize || addr >= maxAddr || uint64(len(b)) > maxAddr-addr {
		return 0, fmt.Errorf("no memory at %#x", addr)
	}
	for n := 0; n < len(b); {
		a := addr + uint64(n)
		page, err := m.page(a &^ (pageSize - 1))
		if err != nil {
			return n, err
		}
		n += copy(b[n:], page[a%pageSize:])
	}
	return len(b), nil
}

func (m *memory) page(addr uint64) ([]byte, error) {
	if p, ok := m.pages[addr]; ok {
		return p, nil
	}
	p := make([]byte, pageSize)
	if err := readAt(m.r, p, addr); err != nil {
		return nil, err
	}
	if m.pages == nil || len(m.pages) >= maxPages {
		m.forget()
	}
	m.pages[addr] = p
	return p, nil
}

// readAt reads what is there now.
func readAt(r io.ReaderAt, b []byte, addr uint64) error {
	if addr < pageSize || addr >= maxAddr {
		return fmt.Errorf("no memory at %#x", addr)
	}
	n, err := r.ReadAt(b, int64(addr))
	switch {
	case n == len(b):
		return nil
	case n == 0 && errors.Is(err, io.EOF):
		return ErrGone
	case errors.Is(err, ErrNothing):
		return fmt.Errorf("no memory at %#x", addr)
	}
	return fmt.Errorf("cannot read the memory at %#x: %w", addr, err)
}

// number is an unsigned number of up to 8 bytes.
func number(m reader, addr uint64, size int64) (uint64, error) {
	var b [8]byte
	if size < 1 || size > 8 {
		return 0, fmt.Errorf("a number of %d bytes", size)
	}
	if _, err := m.ReadMemory(b[:size], addr); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}

type reader interface {
	ReadMemory(b []byte, addr uint64) (int, error)
}

// fresh reads past the pages.
type fresh struct{ r io.ReaderAt }

func (f fresh) ReadMemory(b []byte, addr uint64) (int, error) {
	if err := readAt(f.r, b, addr); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Why there is nothing to show.
var (
	ErrGone         = errors.New("the process has ended")
	ErrNoGoroutine  = errors.New("the goroutine has ended")
	ErrNotParked    = errors.New("the goroutine does not wait")
	ErrOtherBinary  = errors.New("the process runs another binary")
	ErrNotPermitted = errors.New("the system does not permit reading the process's memory")
)
