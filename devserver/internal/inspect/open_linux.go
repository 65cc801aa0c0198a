package inspect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

const supported = true

// Memory is the memory of one process, of which another one that gets the same
// pid is no part.
type Memory struct{ f *os.File }

// OpenMemory needs the right to trace the process, and does not trace it.
func OpenMemory(pid int) (*Memory, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: %w", ErrNotPermitted, err)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ESRCH):
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	case err != nil:
		return nil, fmt.Errorf("cannot read the memory of process %d: %w", pid, err)
	}
	return &Memory{f}, nil
}

// ReadAt reads at an address.
func (m *Memory) ReadAt(b []byte, addr int64) (int, error) { return m.f.ReadAt(b, addr) }

// Close lets go of the process.
func (m *Memory) Close() error { return m.f.Close() }

// entryOf is where the kernel started the process, 0 if it does not say.
func entryOf(pid int) uint64 {
	const atEntry = 9
	auxv, err := os.ReadFile(fmt.Sprintf("/proc/%d/auxv", pid))
	if err != nil {
		return 0
	}
	for ; len(auxv) >= 16; auxv = auxv[16:] {
		if binary.LittleEndian.Uint64(auxv) == atEntry {
			return binary.LittleEndian.Uint64(auxv[8:])
		}
	}
	return 0
}
