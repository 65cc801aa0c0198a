package page

import (
	"go/ast"
	"go/types"
	"regexp"
	"strconv"
	"strings"

	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/srctree"
)

// reason is why a call panicked, as far as it is proved: by the runtime's words,
// the values that were read, and the source that was compiled. Where more than
// one expression can be meant, or something on the line is not known, there is
// none.
type reason struct {
	say      []fault.Prose
	col, end int    // bytes of the failing line that are to blame, from 1; 0 for none
	note     string // beside the carets
	culprit  string // variable that is to blame, "" for none
	set      int    // line of its last assignment, 0 when that is not sure
}

// evidence is what a reason is made of.
type evidence struct {
	*scope
	fn    function
	call  fault.Call
	line  int
	exprs []ast.Node // on the failing line, those of inner functions left out
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

// why explains the panic of a failure; at is the index of the app's innermost call.
func (s *sources) why(f fault.Failure, frames []srctree.Frame, at int) reason {
	if at < 0 || len(f.Panics) > 0 || f.How == fault.Status || !strings.HasPrefix(strings.TrimPrefix(f.Type, "*"), "runtime.") {
		return reason{}
	}
	for _, above := range frames[:at] {
		if pkg := above.Package(); pkg != "runtime" && !strings.HasPrefix(pkg, "internal/runtime/") {
			return reason{} // a library's line failed, not this one
		}
	}
	sc := s.scope(frames[at].Path)
	if sc == nil {
		return reason{}
	}
	e := &evidence{scope: sc, call: f.Calls[at], line: frames[at].Line}
	var ok bool
	if e.fn, ok = sc.function(e.line, frames[at].Func); !ok || !e.gather() {
		return reason{}
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
	return reason{}
}

// gather collects the expressions of the failing line. It fails when one of them
// goes on in another line: the line of a panic inside it would not be certain.
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
func (e *evidence) text(x ast.Expr) string { return cut(visible(types.ExprString(x)), 60) }

// blame makes a reason of an expression and what is wrong with it.
func (e *evidence) blame(x ast.Expr, note string, say ...fault.Prose) reason {
	r := reason{say: say, col: e.col(x.Pos()), end: e.col(x.End()), note: " " + note}
	if v := e.local(x); v != nil {
		r.culprit = v.Name()
		r.set = e.origin(v).line
	}
	return r
}

// value finds what an expression was, among the variables that were read.
func (e *evidence) value(x ast.Expr) (v fault.Value, ok bool) {
	switch x := ast.Unparen(x).(type) {
	case *ast.Ident:
		obj := e.local(x)
		if obj == nil {
			return v, false
		}
		n := 0
		for _, c := range e.call.Vars {
			if c.Name == x.Name && (c.Line == e.scope.line(obj.Pos()) || c.Line == 0 && !c.Shadowed) {
				v = c
				n++
			}
		}
		return v, n == 1 && known(v)
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
func (e *evidence) index(m []string) reason {
	var found []*ast.IndexExpr
	for _, n := range e.exprs {
		if x, ok := n.(*ast.IndexExpr); ok && !e.instantiates(x.X) && !e.is(x.X, fault.Map) {
			found = append(found, x)
		}
	}
	if len(found) != 1 {
		return reason{}
	}
	x := found[0]
	list, index, length := e.text(x.X), e.text(x.Index), m[2]
	if v, ok := e.value(x.X); ok && length != "" && v.Len >= 0 && strconv.FormatInt(v.Len, 10) != length {
		return reason{} // it is not what was indexed any more
	}
	if v, ok := e.value(x.Index); ok && v.Text != m[1] {
		return reason{}
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
func (e *evidence) slice(m []string) reason {
	var found []*ast.SliceExpr
	for _, n := range e.exprs {
		if x, ok := n.(*ast.SliceExpr); ok {
			found = append(found, x)
		}
	}
	if len(found) != 1 {
		return reason{}
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
