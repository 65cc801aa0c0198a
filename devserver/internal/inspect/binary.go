package inspect

import (
	"bytes"
	"context"
	"debug/dwarf"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/go-delve/delve/pkg/dwarf/godwarf"
	"github.com/go-delve/delve/pkg/proc"
)

// Binary is the debug information of one build of the app.
type Binary struct {
	path  string
	entry uint64

	mu       sync.Mutex // Delve is not to be used from two goroutines
	bi       *proc.BinaryInfo
	module   module
	g        goroutineLayout
	abi      abiLayout
	text     []sample
	symbols  map[string]uint64 // that are neither functions nor variables to the debug information
	vars     map[string]packageVar
	packages map[string]string // name by import path
	types    map[string]string // as Go writes them, by the linker's name
	captured map[*proc.Function]map[string]bool
}

// module is where the linker put what is looked up by offset.
type module struct{ text, etext, types, etypes, addr, allgs uint64 }

// sample is a piece of the code, by which a process is known to run it.
type sample struct {
	addr  uint64
	bytes []byte
}

// Load reads the debug information of the binary at path: a second link of the
// app with the same code at the same addresses as the one that runs, which may
// have been linked without. It needs no process, and the file only until it
// returns. overwritten are functions whose code is another in the process.
func Load(ctx context.Context, path string, overwritten ...string) (*Binary, error) {
	if !supported {
		return nil, errors.New("variables can be read on Linux only")
	}
	type result struct {
		b   *Binary
		err error
	}
	done := make(chan result, 1)
	go func() {
		b, err := load(path, overwritten)
		if err != nil {
			err = fmt.Errorf("cannot read the debug information of %s: %w", path, err)
		}
		done <- result{b, err}
	}()
	select {
	case r := <-done:
		return r.b, r.err
	case <-ctx.Done():
		// Parsing cannot be cut short, but its result need not stay.
		go func() {
			if r := <-done; r.b != nil {
				r.b.Close()
			}
		}()
		return nil, context.Cause(ctx)
	}
}

func load(path string, overwritten []string) (b *Binary, err error) {
	defer recovered(&err)
	if err := hasPrivates(); err != nil {
		return nil, err
	}
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Type != elf.ET_EXEC {
		return nil, errors.New("it is linked to run at any address (-buildmode=pie), which is not supported")
	}
	if f.Section(".debug_info") == nil && f.Section(".zdebug_info") == nil {
		return nil, errors.New("there is none (-ldflags=-w)")
	}
	b = &Binary{path: path, entry: f.Entry, types: map[string]string{}, captured: map[*proc.Function]map[string]bool{}}
	if err := b.readELF(f, overwritten); err != nil {
		return nil, err
	}
	b.bi = proc.NewBinaryInfo(runtime.GOOS, runtime.GOARCH, false)
	if err := b.bi.LoadBinaryInfo(path, f.Entry, nil); err != nil {
		b.Close()
		return nil, err
	}
	if err := b.readLayout(f); err != nil {
		b.Close()
		return nil, err
	}
	b.vars = packageVars(b.bi)
	b.packages = map[string]string{}
	for name, paths := range b.bi.PackageMap {
		for _, p := range paths {
			b.packages[unescape(p)] = name
		}
	}
	return b, nil
}

func (b *Binary) image() *proc.Image { return b.bi.Images[0] }

// Close lets go of everything; Processes of b give errors from then on.
func (b *Binary) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bi == nil {
		return nil
	}
	err := b.bi.Close()
	b.bi, b.text, b.symbols, b.vars, b.packages, b.types, b.captured = nil, nil, nil, nil, nil, nil, nil
	return err
}

var errClosed = errors.New("the debug information was let go")

func (b *Binary) readELF(f *elf.File, overwritten []string) error {
	text := f.Section(".text")
	if text == nil {
		return errors.New("it has no code")
	}
	syms, err := f.Symbols()
	if err != nil {
		return err
	}
	b.symbols = map[string]uint64{}
	var other []elf.Symbol
	for _, s := range syms {
		if strings.Contains(s.Name, "..dict.") || strings.HasPrefix(s.Name, "go:itab.") || s.Name == "runtime.firstmoduledata" || s.Name == "runtime.allgs" {
			b.symbols[s.Name] = s.Value
		}
		if slices.Contains(overwritten, s.Name) {
			other = append(other, s)
		}
	}
	const samples, size = 64, 512
	for i := range uint64(samples) {
		off := text.Size / samples * i
		p := make([]byte, min(size, text.Size-off))
		at := text.Addr + off
		if slices.ContainsFunc(other, func(s elf.Symbol) bool { return s.Value < at+uint64(len(p)) && s.Value+s.Size > at }) {
			continue
		}
		if _, err := text.ReadAt(p, int64(off)); err != nil {
			return err
		}
		b.text = append(b.text, sample{at, p})
	}
	b.module.addr, b.module.allgs = b.symbols["runtime.firstmoduledata"], b.symbols["runtime.allgs"]
	if b.module.addr == 0 || b.module.allgs == 0 {
		return errors.New("it is no Go program, or has lost its symbols (-ldflags=-s)")
	}
	return nil
}

// goroutineLayout is where the fields of the runtime's g are.
type goroutineLayout struct{ id, status, lo, sp, pc, bp int64 }

// abiLayout is where the fields of a runtime type and of an interface table are.
type abiLayout struct{ tflag, kind, itabType int64 }

func (b *Binary) readLayout(f *elf.File) error {
	var err error
	at := func(typ string, path ...string) (off int64) {
		t, e := b.bi.FindType(typ)
		if e != nil {
			err = fmt.Errorf("type %s: %w", typ, e)
			return 0
		}
		for _, name := range path {
			f := field(t, name)
			if f == nil {
				err = fmt.Errorf("type %s has no field %s", typ, strings.Join(path, "."))
				return 0
			}
			off, t = off+f.ByteOffset, f.Type
		}
		return off
	}
	b.g = goroutineLayout{
		id: at("runtime.g", "goid"), status: at("runtime.g", "atomicstatus"), lo: at("runtime.g", "stack", "lo"),
		sp: at("runtime.g", "sched", "sp"), pc: at("runtime.g", "sched", "pc"), bp: at("runtime.g", "sched", "bp"),
	}
	b.abi = abiLayout{at("internal/abi.Type", "TFlag"), at("internal/abi.Type", "Kind_"), at("internal/abi.ITab", "Type")}
	for name, to := range map[string]*uint64{"text": &b.module.text, "etext": &b.module.etext, "types": &b.module.types, "etypes": &b.module.etypes} {
		off := at("runtime.moduledata", name)
		if err == nil {
			*to, err = number(file{f}, b.module.addr+uint64(off), 8)
		}
	}
	return err
}

// file reads what the linker wrote for an address.
type file struct{ f *elf.File }

func (f file) ReadMemory(p []byte, addr uint64) (int, error) {
	for _, s := range f.f.Progs {
		if s.Type == elf.PT_LOAD && addr >= s.Vaddr && addr < s.Vaddr+s.Filesz {
			return s.ReadAt(p, int64(addr-s.Vaddr))
		}
	}
	return 0, fmt.Errorf("nothing is linked at %#x", addr)
}

// runs says whether what r reads is a process of this code. A sample would be
// the same in a build that differs in a number only; but so would everything be
// that is looked up.
func (b *Binary) runs(r io.ReaderAt) error {
	var p [512]byte
	for _, s := range b.text {
		got := p[:len(s.bytes)]
		if err := readAt(r, got, s.addr); errors.Is(err, ErrGone) {
			return err
		} else if err != nil || !bytes.Equal(got, s.bytes) {
			return ErrOtherBinary
		}
	}
	for name, want := range map[string]uint64{"types": b.module.types, "etypes": b.module.etypes, "etext": b.module.etext} {
		t, err := b.bi.FindType("runtime.moduledata")
		if err != nil {
			return err
		}
		if n, err := number(fresh{r}, b.module.addr+uint64(field(t, name).ByteOffset), 8); err != nil || n != want {
			return ErrOtherBinary
		}
	}
	return nil
}

func (b *Binary) entryAt(off dwarf.Offset) (*dwarf.Entry, error) {
	r := b.image().DwarfReader()
	r.Seek(off)
	e, err := r.Next()
	if err == nil && e == nil {
		err = errors.New("nothing is described there")
	}
	return e, err
}

// isCaptured are the names of what a closure took from the function around it.
func (b *Binary) isCaptured(fn *proc.Function) map[string]bool {
	if m, ok := b.captured[fn]; ok {
		return m
	}
	m := map[string]bool{}
	r := b.image().DwarfReader()
	r.Seek(functionOffset(fn))
	for depth := 0; ; {
		e, err := r.Next()
		if err != nil || e == nil {
			break
		}
		if e.Tag == 0 {
			depth--
		} else {
			if name, ok := e.Val(dwarf.AttrName).(string); ok && e.Val(godwarf.AttrGoClosureOffset) != nil {
				m[strings.TrimPrefix(name, "&")] = true
			}
			if e.Children {
				depth++
			}
		}
		if depth <= 0 {
			break
		}
	}
	b.captured[fn] = m
	return m
}
