package cause

import (
	"go/ast"
	"go/types"
	"regexp"
	"strconv"
	"strings"

	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/srctree"
)

// evidence is what a cause is made of: a call, and the source of its line.
type evidence struct {
	*scope
	fn    function
	call  fault.Call
	line  int
	exprs []ast.Node // on the line, those of inner functions left out
	conds []ast.Node // the branches and loops of fn
}

// runtimeMessages are the panics of the runtime that a line can explain.
var (
	outOfRange  = regexp.MustCompile(`^runtime error: index out of range \[(-?\d+)\](?: with length (\d+))?$`)
	badSlice    = regexp.MustCompile(`^runtime error: slice bounds out of range (\[[^\]]*\])(?: with (length|capacity) (\d+))?$`)
	conversion  = regexp.MustCompile(`^interface conversion: (.+) is (.+), not (.+)$`)
	noMethod    = regexp.MustCompile(`^interface conversion: (.+) is not (.+): missing method (\w+)$`)
	noConcrete  = regexp.MustCompile(`^interface conversion: interface is nil, not (.+)$`)
	nilMessage  = "runtime error: invalid memory address or nil pointer dereference"
	zeroMessage = "runtime error: integer divide by zero"
	mapMessage  = "assignment to entry in nil map"
)

// why explains the panic of a failure; at is the index of the app's innermost call. It
// blames nothing where more than one expression can be meant, or something on the
// line is not known.
func (a *analysis) why(f fault.Failure, frames []srctree.Frame, at int) fault.Cause {
	if at < 0 || len(f.Panics) > 0 || f.How == fault.Status || !strings.HasPrefix(strings.TrimPrefix(f.Type, "*"), "runtime.") {
		return fault.Cause{}
	}
	for _, above := range frames[:at] {
		if pkg := above.Package(); pkg != "runtime" && !strings.HasPrefix(pkg, "internal/runtime/") {
			return fault.Cause{} // a library's line failed, not this one
		}
	}
	e, whole := a.evidence(frames[at], f.Calls[at])
	if e == nil || !whole {
		return fault.Cause{}
	}
	// The runtime's own panics have the prefix, some of its plain errors do not.
	message := f.Message
	switch bare := strings.TrimPrefix(message, "runtime error: "); {
	case strings.HasPrefix(message, nilMessage):
		return e.nilDereference()
	case outOfRange.MatchString(message):
		return e.index(outOfRange.FindStringSubmatch(message))
	case badSlice.MatchString(message):
		return e.slice(badSlice.FindStringSubmatch(message))
	case bare == mapMessage:
		return e.nilMap()
	case message == zeroMessage:
		return e.division()
	case strings.HasPrefix(message, "interface conversion: "):
		return e.assertion(message)
	case bare == "send on closed channel", bare == "close of closed channel", bare == "close of nil channel":
		return e.channel(bare)
	}
	return fault.Cause{}
}

// evidence is nil where the source is not known as it was compiled, and whole as
// gather says.
func (a *analysis) evidence(f srctree.Frame, call fault.Call) (e *evidence, whole bool) {
	sc := a.scope(f.Path)
	if sc == nil {
		return nil, false
	}
	e = &evidence{scope: sc, call: call, line: f.Line}
	var ok bool
	if e.fn, ok = sc.function(f.Line, f.Func); !ok {
		return nil, false
	}
	return e, e.gather()
}

// gather collects the expressions of the line. It fails when one of them goes on in
// another line: the line of a panic inside it would not be certain.
func (e *evidence) gather() bool {
	whole := true
	ast.Inspect(e.fn.body, func(n ast.Node) bool {
		if n == nil {
			return false
		}
		from, to := e.scope.line(n.Pos()), e.scope.line(n.End())
		switch n.(type) {
		case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt, *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.SelectStmt, *ast.CaseClause, *ast.CommClause:
			e.conds = append(e.conds, n)
		case *ast.FuncLit:
			return false
		}
		if to < e.line || from > e.line {
			return e.isBranch(n)
		}
		switch x := n.(type) {
		case *ast.BlockStmt, *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt, *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.SelectStmt,
			*ast.CaseClause, *ast.CommClause, *ast.LabeledStmt, *ast.FieldList:
			return true
		case ast.Expr:
			if tv, ok := e.info.Types[x]; ok && tv.IsType() {
				return false
			}
			if from != e.line || to != e.line {
				whole = false
			}
			e.exprs = append(e.exprs, n)
		case *ast.ValueSpec:
			e.exprs = append(e.exprs, n)
		case ast.Stmt:
			if _, isDecl := n.(*ast.DeclStmt); !isDecl && (from != e.line || to != e.line) {
				whole = false
			}
			e.exprs = append(e.exprs, n)
		}
		return true
	})
	return whole
}

func (e *evidence) isBranch(n ast.Node) bool {
	switch n.(type) {
	case *ast.BlockStmt, *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt, *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.SelectStmt,
		*ast.CaseClause, *ast.CommClause, *ast.LabeledStmt:
		return true
	}
	return false
}

// text is an expression as it stands in the source, in one line and not too long.
func (e *evidence) text(x ast.Expr) string { return fault.Cut(types.ExprString(x), 60) }

// blame makes a cause of an expression and what is wrong with it.
func (e *evidence) blame(x ast.Expr, note string, why ...fault.Prose) fault.Cause {
	c := fault.Cause{Why: why, Col: e.col(x.Pos()), End: e.col(x.End()), Note: note}
	if v := e.local(x); v != nil {
		c.Var = v.Name()
	}
	return c
}

// variable is the index of a variable of the call among those that were read.
func (e *evidence) variable(x *ast.Ident) (i int, ok bool) {
	obj := e.local(x)
	if obj == nil {
		return 0, false
	}
	n := 0
	for j, v := range e.call.Vars {
		if v.Name == x.Name && (v.Line == e.scope.line(obj.Pos()) || v.Line == 0 && !v.Shadowed) {
			i = j
			n++
		}
	}
	return i, n == 1
}

// value finds what an expression was, among the variables that were read.
func (e *evidence) value(x ast.Expr) (v fault.Value, ok bool) {
	switch x := ast.Unparen(x).(type) {
	case *ast.Ident:
		if i, ok := e.variable(x); ok {
			v = e.call.Vars[i]
			return v, known(v)
		}
	case *ast.SelectorExpr:
		base, ok := e.value(x.X)
		if !ok {
			return v, false
		}
		for base.Kind == fault.Pointer && len(base.Children) == 1 {
			base = base.Children[0]
		}
		if base.Kind != fault.Struct {
			return v, false
		}
		for _, c := range base.Children {
			if c.Name == x.Sel.Name {
				return c, known(c)
			}
		}
	case *ast.StarExpr:
		base, ok := e.value(x.X)
		if ok && base.Kind == fault.Pointer && len(base.Children) == 1 {
			return base.Children[0], known(base.Children[0])
		}
	}
	return v, false
}

func known(v fault.Value) bool {
	return !v.Gone && v.Unreadable == "" && v.Cycle == "" && !v.Redacted && v.Kind != ""
}

// index: [5] with length 3.
func (e *evidence) index(m []string) fault.Cause {
	var found []*ast.IndexExpr
	for _, n := range e.exprs {
		if x, ok := n.(*ast.IndexExpr); ok && !e.instantiates(x.X) && !e.is(x.X, fault.Map) {
			found = append(found, x)
		}
	}
	if len(found) != 1 {
		return fault.Cause{}
	}
	x := found[0]
	list, index, length := e.text(x.X), e.text(x.Index), m[2]
	if v, ok := e.value(x.X); ok && length != "" && v.Len >= 0 && strconv.FormatInt(v.Len, 10) != length {
		return fault.Cause{} // it is not what was indexed any more
	}
	if v, ok := e.value(x.Index); ok && v.Text != m[1] {
		return fault.Cause{}
	}
	var p fault.Prose
	switch {
	case length == "":
		return e.blame(x.Index, "is "+m[1], fault.Say("%s is negative on line "+strconv.Itoa(e.line)+": "+m[1]+".", index))
	case length == "0":
		p = fault.Say("%s is empty on line "+strconv.Itoa(e.line)+", so it has no index "+m[1]+".", list)
	default:
		p = fault.Say("%s has length "+length+" on line "+strconv.Itoa(e.line)+", so it has no index "+m[1]+".", list)
	}
	if _, literal := ast.Unparen(x.Index).(*ast.BasicLit); !literal {
		return e.blame(x.Index, "is "+m[1], p, fault.Say("%s is "+m[1]+".", index))
	}
	return e.blame(x.X, "has length "+length, p)
}

// slice: [:5] with capacity 3.
func (e *evidence) slice(m []string) fault.Cause {
	var found []*ast.SliceExpr
	for _, n := range e.exprs {
		if x, ok := n.(*ast.SliceExpr); ok {
			found = append(found, x)
		}
	}
	if len(found) != 1 {
		return fault.Cause{}
	}
	x := found[0]
	if m[2] == "" {
		return e.blame(x, "is "+m[1], fault.Say("%s asks for "+m[1]+" on line "+strconv.Itoa(e.line)+".", e.text(x)))
	}
	return e.blame(x, "is "+m[1], fault.Say("%s asks for "+m[1]+" on line "+strconv.Itoa(e.line)+", but %s has "+m[2]+" "+m[3]+".", e.text(x), e.text(x.X)))
}

// instantiates reports f[int], which is no indexing.
func (e *evidence) instantiates(x ast.Expr) bool {
	switch x := ast.Unparen(x).(type) {
	case *ast.Ident:
		switch e.object(x).(type) {
		case *types.Func, *types.TypeName:
			return true
		}
	case *ast.SelectorExpr:
		if id, ok := x.X.(*ast.Ident); ok {
			_, ok = e.object(id).(*types.PkgName)
			return ok
		}
	}
	return false
}

// is reports that an expression is known to be of a kind.
func (e *evidence) is(x ast.Expr, kind fault.Kind) bool {
	if v, ok := e.value(x); ok {
		return v.Kind == kind
	}
	if tv, ok := e.info.Types[x]; ok && tv.Type != nil {
		_, isMap := tv.Type.Underlying().(*types.Map)
		return kind == fault.Map && isMap
	}
	return false
}
