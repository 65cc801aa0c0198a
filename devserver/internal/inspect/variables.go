package inspect

import (
	"strings"

	"github.com/go-delve/delve/pkg/dwarf/godwarf"
	"github.com/go-delve/delve/pkg/proc"

	"devrun/devserver/internal/fault"
)

// variable is one of a frame's before its value is read.
type variable struct {
	value fault.Value
	typ   godwarf.Type
	addr  uint64
	mem   reader
}

// variables are those of stack[0] that are declared where it stands.
func (p *Process) variables(g *proc.G, stack []proc.Stackframe) ([]variable, error) {
	scope := proc.FrameToScope(p.target, p.target.Memory(), g, 0, stack...)
	list, err := scope.Locals(0, "")
	if err != nil {
		return nil, err
	}
	captured := p.b.isCaptured(stack[0].Call.Fn)
	var out []variable
	for _, v := range list {
		// Results and parameters without a name, and what the compiler adds.
		if strings.HasPrefix(v.Name, "~") || strings.HasPrefix(v.Name, ".") || v.Name == "_" || v.Name == "" {
			continue
		}
		x := variable{typ: v.DwarfType, addr: v.Addr, mem: &p.p.mem}
		if v.Flags&proc.VariableFakeAddress != 0 {
			x.mem = memoryOf(v)
		}
		x.value = fault.Value{
			Name: v.Name, Type: p.b.typeName(v.DwarfType), Kind: fault.Other, Len: -1, Cap: -1,
			Param:    v.Flags&(proc.VariableArgument|proc.VariableReturnArgument) != 0,
			Captured: captured[v.Name],
			Shadowed: v.Flags&proc.VariableShadowed != 0,
			Line:     int(v.DeclLine),
		}
		switch {
		case v.Unreadable != nil && isGone(v.Unreadable):
			x.value.Gone = true
		case v.Unreadable != nil && (v.Addr == 0 || x.mem == nil):
			x.value.Unreadable = v.Unreadable.Error()
		}
		out = append(out, x)
	}
	return out, nil
}

// isGone tells what Delve says of a variable that has no place at this point.
func isGone(err error) bool {
	s := err.Error()
	return strings.Contains(s, "could not find loclist entry") || strings.Contains(s, "empty OP stack")
}
