package inspect

import (
	"debug/dwarf"
	"errors"
	"fmt"
	"io"
	"reflect"
	"unsafe"

	"github.com/go-delve/delve/pkg/dwarf/op"
	"github.com/go-delve/delve/pkg/logflags"
	"github.com/go-delve/delve/pkg/proc"
)

// backend is a process for Delve that is never stopped: its one thread stands
// where the goroutine of interest is parked.
type backend struct {
	proc.ProcessInternal // nil: has methods whose types only Delve can name
	bi                   *proc.BinaryInfo
	mem                  memory
	breakpoints          proc.BreakpointMap
	thread               *thread
	entry                uint64
}

func (p *backend) BinInfo() *proc.BinaryInfo             { return p.bi }
func (p *backend) EntryPoint() (uint64, error)           { return p.entry, nil }
func (p *backend) FindThread(id int) (proc.Thread, bool) { return p.thread, id == p.thread.id }
func (p *backend) ThreadList() []proc.Thread             { return []proc.Thread{p.thread} }
func (p *backend) Breakpoints() *proc.BreakpointMap      { return &p.breakpoints }
func (p *backend) Memory() proc.MemoryReadWriter         { return &p.mem }
func (p *backend) Valid() (bool, error)                  { return true, nil }
func (p *backend) SupportsBPF() bool                     { return false }
func (p *backend) FollowExec(bool) error                 { return errReadOnly }
func (p *backend) WriteBreakpoint(*proc.Breakpoint) error {
	return errReadOnly
}
func (p *backend) EraseBreakpoint(*proc.Breakpoint) error { return nil }
func (p *backend) RequestManualStop(*proc.ContinueOnceContext) error {
	return errReadOnly
}
func (p *backend) MemoryMap() ([]proc.MemoryMapEntry, error) {
	return nil, proc.ErrMemoryMapNotSupported
}
func (p *backend) StartCallInjection() (func(), error) { return nil, errReadOnly }
func (p *backend) ContinueOnce(*proc.ContinueOnceContext) (proc.Thread, proc.StopReason, error) {
	return nil, proc.StopUnknown, errReadOnly
}
func (p *backend) StepInstruction(int) error { return errReadOnly }
func (p *backend) Detach(int, bool) error    { return nil }
func (p *backend) Close() error              { return nil }

var errReadOnly = errors.New("the process is only looked at")

type thread struct {
	p          *backend
	id         int
	regs       registers
	common     proc.CommonThread
	breakpoint proc.BreakpointState
}

func (t *thread) Breakpoint() *proc.BreakpointState      { return &t.breakpoint }
func (t *thread) ThreadID() int                          { return t.id }
func (t *thread) Registers() (proc.Registers, error)     { return t.regs, nil }
func (t *thread) RestoreRegisters(proc.Registers) error  { return errReadOnly }
func (t *thread) BinInfo() *proc.BinaryInfo              { return t.p.bi }
func (t *thread) ProcessMemory() proc.MemoryReadWriter   { return &t.p.mem }
func (t *thread) SetCurrentBreakpoint(bool) error        { return nil }
func (t *thread) SoftExc() bool                          { return false }
func (t *thread) Common() *proc.CommonThread             { return &t.common }
func (t *thread) SetReg(uint64, *op.DwarfRegister) error { return errReadOnly }

type registers struct{ pc, sp, bp, g uint64 }

func (r registers) PC() uint64                          { return r.pc }
func (r registers) SP() uint64                          { return r.sp }
func (r registers) BP() uint64                          { return r.bp }
func (r registers) LR() uint64                          { return 0 }
func (r registers) TLS() uint64                         { return 0 }
func (r registers) GAddr() (uint64, bool)               { return r.g, true }
func (r registers) Slice(bool) ([]proc.Register, error) { return nil, nil }
func (r registers) Copy() (proc.Registers, error)       { return r, nil }

// newTarget reads the debug information once from end to end, which takes about
// as long as a dozen Calls; so a target is kept.
func newTarget(bi *proc.BinaryInfo, path string, entry uint64, pid int, m io.ReaderAt) (t *proc.Target, p *backend, err error) {
	defer recovered(&err)
	p = &backend{bi: bi, mem: memory{r: m}, breakpoints: proc.NewBreakpointMap(), entry: entry}
	p.thread = &thread{p: p, id: pid}
	_, add := proc.NewGroup(p, proc.NewTargetGroupConfig{StopReason: proc.StopAttached})
	t, err = add(p, pid, p.thread, path, proc.StopAttached, "")
	return t, p, err
}

// recovered makes a panic the error of the call that it ended.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the debug information could not be followed: %.200s", fmt.Sprint(p))
	}
}

func init() {
	// Delve writes what it cannot read to standard error, where it would stand
	// between the app's own lines.
	logflags.SetLoggerFactory(func(bool, logflags.Fields, io.Writer) logflags.Logger { return silent{} })
}

type silent struct{}

func (silent) Debugf(string, ...any) {}
func (silent) Infof(string, ...any)  {}
func (silent) Warnf(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Debug(...any)          {}
func (silent) Info(...any)           {}
func (silent) Warn(...any)           {}
func (silent) Error(...any)          {}

// What follows reads unexported fields of Delve's, by name and type: a version
// that lacks one is refused by hasPrivates, not read wrongly.

func hasPrivates() error {
	for _, f := range []struct {
		in   reflect.Type
		name string
		kind reflect.Kind
	}{
		{reflect.TypeFor[proc.Image](), "runtimeTypeToDIE", reflect.Map},
		{reflect.TypeFor[proc.BinaryInfo](), "packageVars", reflect.Slice},
		{reflect.TypeFor[proc.Function](), "offset", reflect.Uint32},
		{reflect.TypeFor[proc.Variable](), "mem", reflect.Interface},
	} {
		if s, ok := f.in.FieldByName(f.name); !ok || s.Type.Kind() != f.kind {
			return fmt.Errorf("this version of Delve has no %s.%s as it was known", f.in, f.name)
		}
	}
	return nil
}

// typeOffset gives the entry that describes the runtime type at an offset into
// the module's types.
func typeOffset(image *proc.Image, off uint64) (dwarf.Offset, bool) {
	v := reflect.ValueOf(image).Elem().FieldByName("runtimeTypeToDIE").MapIndex(reflect.ValueOf(off))
	if !v.IsValid() {
		return 0, false
	}
	return dwarf.Offset(v.FieldByName("offset").Uint()), true
}

// packageVars are all variables of packages, by name.
func packageVars(bi *proc.BinaryInfo) map[string]packageVar {
	list := reflect.ValueOf(bi).Elem().FieldByName("packageVars")
	m := make(map[string]packageVar, list.Len())
	for i := range list.Len() {
		v := list.Index(i)
		m[v.FieldByName("name").String()] = packageVar{v.FieldByName("addr").Uint(), dwarf.Offset(v.FieldByName("offset").Uint())}
	}
	return m
}

type packageVar struct {
	addr  uint64
	entry dwarf.Offset
}

// functionOffset is where a function is described.
func functionOffset(fn *proc.Function) dwarf.Offset {
	return dwarf.Offset(reflect.ValueOf(fn).Elem().FieldByName("offset").Uint())
}

// memoryOf is what a variable's address refers to: it need not be the process's
// memory when parts of it are in registers.
func memoryOf(v *proc.Variable) proc.MemoryReader {
	f := reflect.ValueOf(v).Elem().FieldByName("mem")
	m, _ := reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem().Interface().(proc.MemoryReader)
	return m
}
