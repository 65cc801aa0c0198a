package inspect

import (
	"context"
	"debug/dwarf"

	"github.com/go-delve/delve/pkg/dwarf/godwarf"
	"github.com/go-delve/delve/pkg/proc"
)

// Scope is what an expression in a frame may refer to. Its addresses hold while
// the goroutine is parked, and are asked for anew each time: the runtime moves
// stacks.
type Scope struct {
	Func, File string
	Line       int
	PC         uint64
	Vars       []Variable // those that are shadowed too, in the order of declaration
}

// Variable is where a variable is.
type Variable struct {
	Name                      string
	Type                      string // as Go writes it
	Link                      string // as the linker calls it; see [Binary.TypeAddr]
	RuntimeType               uint64 // 0 if the app never puts one into an interface
	Addr                      uint64 // 0 if it is not in memory: Gone says why
	Line                      int
	Param, Captured, Shadowed bool
	Gone                      string
}

// Scope describes the n'th of [Process.Calls].
func (p *Process) Scope(ctx context.Context, goroutine uint64, n int) (*Scope, error) {
	var s *Scope
	err := p.one(ctx, goroutine, n, func(g *proc.G, f frame) error {
		s = &Scope{Func: f.call.Func, File: f.call.File, Line: f.call.Line, PC: f.call.PC}
		vars, err := p.variables(g, f.stack)
		for _, v := range vars {
			s.Vars = append(s.Vars, p.b.variable(v))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (b *Binary) variable(v variable) Variable {
	out := Variable{
		Name: v.value.Name, Type: v.value.Type, Link: linkName(v.typ), Line: v.value.Line,
		Param: v.value.Param, Captured: v.value.Captured, Shadowed: v.value.Shadowed,
	}
	out.RuntimeType, _ = b.typeAddr(v.typ)
	switch {
	case v.value.Gone:
		out.Gone = "it was optimised away"
	case v.value.Unreadable != "":
		out.Gone = v.value.Unreadable
	case v.addr >= maxAddr:
		out.Gone = "it is in registers"
	default:
		out.Addr = v.addr
	}
	return out
}

// FuncPC is where a function begins, by the linker's name: "main.F",
// "a/b.(*T).M", "main.F[go.shape.int]".
func (b *Binary) FuncPC(symbol string) (uint64, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bi == nil {
		return 0, false
	}
	for _, f := range b.bi.LookupFunc()[symbol] {
		if f.Entry != 0 {
			return f.Entry, true
		}
	}
	return 0, false
}

// Symbol is where the linker put what has no Go name: "main..dict.F[int]",
// "go:itab.*os.File,io.Reader".
func (b *Binary) Symbol(name string) (uint64, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	addr, ok := b.symbols[name]
	return addr, ok
}

// TypeAddr is where the runtime's description of a type is, by the linker's name
// for it: "int", "[]*a/b.T", "map[string]interface {}". Types that the app never
// puts into an interface have none.
func (b *Binary) TypeAddr(name string) (addr uint64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bi == nil {
		return 0, false
	}
	t, err := b.bi.FindType(name)
	if err != nil {
		return 0, false
	}
	return b.typeAddr(t)
}

func (b *Binary) typeAddr(t godwarf.Type) (uint64, bool) {
	off := t.Common().Offset
	for range 5 { // a name may stand for a name
		e, err := b.entryAt(off)
		if err != nil {
			return 0, false
		}
		if o, _ := e.Val(godwarf.AttrGoRuntimeType).(uint64); o != 0 {
			return b.module.types + o, true
		}
		next, ok := e.Val(dwarf.AttrType).(dwarf.Offset)
		if e.Tag != dwarf.TagTypedef || !ok {
			return 0, false
		}
		off = next
	}
	return 0, false
}

// Global is a package's variable, by the linker's name: "a/b.Count".
func (b *Binary) Global(name string) (addr uint64, typ string, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v, ok := b.vars[name]
	if !ok || v.addr == 0 {
		return 0, "", false
	}
	e, err := b.entryAt(v.entry)
	if err != nil {
		return 0, "", false
	}
	off, _ := e.Val(dwarf.AttrType).(dwarf.Offset)
	t, err := b.image().Type(off)
	if err != nil {
		return 0, "", false
	}
	return v.addr, linkName(t), true
}
