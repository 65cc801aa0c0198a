package inspect

import (
	"context"
	"slices"
	"strings"

	"github.com/go-delve/delve/pkg/proc"

	"devrun/devserver/internal/fault"
)

// Calls are the frames of a goroutine with their variables, innermost first. PC
// is the address to return to, as runtime.Callers has it, and File and Line are
// of the call. It waits until the goroutine is parked, for two seconds at most.
func (p *Process) Calls(ctx context.Context, goroutine uint64, l Limits) ([]fault.Call, error) {
	l = l.filled()
	var calls []fault.Call
	err := p.look(ctx, goroutine, l.Frames, func(g *proc.G, stack []proc.Stackframe) error {
		calls = nil
		for _, f := range stack {
			if f.Current.Fn != nil || f.Call.Fn != nil {
				calls = append(calls, p.call(&f))
			}
		}
		shown := FromFailure(calls)
		// The frames that will not be shown get nothing of what may be shown.
		skip := len(calls)
		if len(shown) > 0 {
			skip = slices.IndexFunc(calls, func(c fault.Call) bool { return c.PC == shown[0].PC && c.Func == shown[0].Func })
		}
		left := l.Page
		i := 0
		for at, f := range stack {
			if f.Current.Fn == nil && f.Call.Fn == nil {
				continue
			}
			c := &calls[i]
			i++
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			switch {
			case i-1 < skip:
				c.Why = "the call is not the app's"
			case left <= 0:
				c.Why = "there are too many values in the calls above"
			default:
				budget := l.Call
				if c.Optimised {
					budget = max(1, budget/5)
				}
				left -= p.fill(c, g, stack[at:], l, min(budget, left))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return calls, nil
}

func (p *Process) call(f *proc.Stackframe) fault.Call {
	fn := f.Call.Fn
	if fn == nil {
		fn = f.Current.Fn
	}
	c := fault.Call{PC: f.Current.PC, Optimised: fn.Optimized()}
	c.Func, c.File, c.Line = funcName(fn.Name), f.Call.File, f.Call.Line
	return c
}

// fill reads the variables of stack[0], at most budget values, and returns how
// many it read.
func (p *Process) fill(c *fault.Call, g *proc.G, stack []proc.Stackframe, l Limits, budget int) (read int) {
	var err error
	defer func() {
		if err != nil {
			c.Vars, c.Why = nil, err.Error()
		}
	}()
	defer recovered(&err)
	vars, err := p.variables(g, stack)
	if err != nil {
		return 0
	}
	w := &walk{b: p.b, mem: &p.p.mem, l: l}
	for i, v := range vars {
		// What one variable does not need is left to those after it.
		share := max(1, (budget-read)/(len(vars)-i))
		value, n := w.show(v, share)
		read += n
		c.Vars = append(c.Vars, value)
	}
	return read
}

// show reads one variable.
func (w *walk) show(v variable, budget int) (value fault.Value, read int) {
	var err error
	value = v.value
	defer func() {
		if err != nil {
			value = v.value
			value.Unreadable = err.Error()
		}
	}()
	defer recovered(&err)
	if v.value.Gone || v.value.Unreadable != "" {
		return v.value, 1
	}
	n := w.variable(v.value, v.typ, v.addr, v.mem, budget)
	return w.value(n), budget - w.left
}

// panics are the runtime's frames between what fails and what is deferred.
var panics = map[string]bool{
	"runtime.gopanic": true, "runtime.sigpanic": true, "runtime.panicmem": true, "runtime.panicmemAddr": true,
	"runtime.panicdivide": true, "runtime.panicoverflow": true, "runtime.panicfloat": true, "runtime.panicshift": true,
	"runtime.panicdottypeE": true, "runtime.panicdottypeI": true, "runtime.panicnildottype": true, "runtime.panicwrap": true,
	"runtime.panicunsafeslicelen": true, "runtime.panicunsafestringlen": true, "runtime.panicSliceConvert": true,
	"runtime.deferreturn": true, "runtime.Goexit": true, "runtime.call32": true, "runtime.panicBounds": true, "runtime.panicBounds64": true,
}

func isPanic(fn string) bool {
	return panics[fn] || strings.HasPrefix(fn, "runtime.goPanic") || strings.HasPrefix(fn, "runtime.panicExtend")
}

// FromFailure leaves out of a parked goroutine's calls where it is parked (in
// the runtime, and in the hook), what was deferred, up to and with the newest
// panic, and the frames of panics further out.
func FromFailure(calls []fault.Call) []fault.Call {
	hook := func(c fault.Call) bool { return strings.Contains(c.Func, "zz_devrun_hook") }
	begin := 0
	for begin < len(calls) && (strings.HasPrefix(calls[begin].Func, "runtime.") && !isPanic(calls[begin].Func) || hook(calls[begin])) {
		begin++
	}
	if i := slices.IndexFunc(calls, func(c fault.Call) bool { return c.Func == "runtime.gopanic" }); i >= 0 {
		begin = i + 1
	}
	var out []fault.Call
	for _, c := range calls[begin:] {
		if !hook(c) && !isPanic(c.Func) {
			out = append(out, c)
		}
	}
	return out
}
