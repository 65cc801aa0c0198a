package inspect

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-delve/delve/pkg/proc"

	"devrun/devserver/internal/fault"
)

// Calls are the frames of a goroutine that has failed and is parked in the hook, from the
// point of failure on, with their variables, innermost first. PC
// is the address to return to, as runtime.Callers has it, and File and Line are
// of the call. It waits until the goroutine is parked, for two seconds at most.
func (p *Process) Calls(ctx context.Context, goroutine uint64, l Limits) ([]fault.Call, error) {
	l = l.filled()
	var calls []fault.Call
	err := p.failed(ctx, goroutine, l.Frames, func(g *proc.G, frames []frame) error {
		calls = make([]fault.Call, len(frames))
		left := l.Page
		for i, f := range frames {
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			c := &calls[i]
			if *c = f.call; left <= 0 {
				c.Why = "there are too many values in the calls above"
				continue
			}
			budget := l.Call
			if c.Optimised {
				budget = max(1, budget/5)
			}
			left -= p.fill(c, g, f.stack, l, min(budget, left))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return calls, nil
}

// frame is one of those that Calls gives, and the stack from it on.
type frame struct {
	call  fault.Call
	stack []proc.Stackframe
}

// failed is look for the frames that Calls gives: which number one has does not depend
// on where in the hook the goroutine is parked.
func (p *Process) failed(ctx context.Context, goroutine uint64, most int, f func(*proc.G, []frame) error) error {
	return p.look(ctx, goroutine, most, func(g *proc.G, stack []proc.Stackframe) error {
		stack = slices.DeleteFunc(stack, func(f proc.Stackframe) bool { return f.Current.Fn == nil && f.Call.Fn == nil })
		all := make([]fault.Call, len(stack))
		for i := range stack {
			all[i] = p.call(&stack[i])
		}
		var frames []frame
		for _, i := range fromFailure(all) {
			frames = append(frames, frame{all[i], stack[i:]})
		}
		return f(g, frames)
	})
}

// one is failed for the n'th frame.
func (p *Process) one(ctx context.Context, goroutine uint64, n int, f func(*proc.G, frame) error) error {
	return p.failed(ctx, goroutine, DefaultLimits.Frames, func(g *proc.G, frames []frame) error {
		if n < 0 || n >= len(frames) {
			return fmt.Errorf("goroutine %d has %d calls, not %d", goroutine, len(frames), n+1)
		}
		return f(g, frames[n])
	})
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

// fromFailure are the numbers of a parked goroutine's calls but for where it is parked
// (in the hook, and in what that calls), what was deferred, up to and with the newest
// panic, and the frames of panics further out.
func fromFailure(calls []fault.Call) (numbers []int) {
	hook := func(c fault.Call) bool { return strings.Contains(c.Func, "zz_devrun_hook") }
	begin := max(0, slices.IndexFunc(calls, hook)) // it may wait for a lock, or sleep
	for begin < len(calls) && (strings.HasPrefix(calls[begin].Func, "runtime.") && !isPanic(calls[begin].Func) || hook(calls[begin])) {
		begin++
	}
	if i := slices.IndexFunc(calls, func(c fault.Call) bool { return c.Func == "runtime.gopanic" }); i >= 0 {
		begin = i + 1
	}
	for i, c := range calls {
		// What the compiler made has no source to show, and every goroutine ends in
		// runtime.goexit.
		if i >= begin && !hook(c) && !isPanic(c.Func) && c.File != "<autogenerated>" && c.Func != "runtime.goexit" {
			numbers = append(numbers, i)
		}
	}
	return numbers
}
