//go:build unix && go1.21

package hook

import (
	"fmt"
	"reflect"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"devrun/devserver/internal/wire"
)

const (
	evalNested    = 500      // calls of function literals: a stack overflow would end the app
	evalVariables = 1000     // of a console
	evalMade      = 64 << 20 // bytes of one make: what is out of memory would end the app
	evalHeld      = 1 << 16
)

// console is what evaluations for one failure share.
type console struct {
	// held reports whether what a variable of the parked goroutine refers to is
	// kept alive: anything else may be another object by now, and its address
	// must not get where the collector sees it. nil: everything is.
	held func(addr uintptr, t reflect.Type) bool
	// repin keeps alive what such a variable refers to by now.
	repin func(addr uintptr, t reflect.Type)
	base  func(uintptr) uintptr // of the object that is pointed into

	mu    sync.Mutex
	bases map[uintptr]bool // of the objects that are kept alive
	vars  map[int]reflect.Value
	keep  []any // what was assigned to variables of the parked goroutine: its dead stack keeps nothing alive
}

// refusal is a panic of ours: why something cannot be done.
type refusal string

// runtimeError is a panic that compiled code would have of the runtime.
type runtimeError string

func (e runtimeError) Error() string { return string(e) }
func (e runtimeError) RuntimeError() {}

const nilDereference = runtimeError("runtime error: invalid memory address or nil pointer dereference")

// machine carries out one Expr.
type machine struct {
	x     *wire.Expr
	c     *console
	types []reflect.Type
	busy  []bool
	names map[reflect.Type]int // what stands in for a type without descriptor
	stop  atomic.Bool          // nobody waits any more
	depth atomic.Int32
	shown []reflect.Value
	as    []int // static types of shown

	mu   sync.Mutex
	used map[uintptr]reflect.Type // variables of the parked goroutine
}

// run carries out x in a goroutine of its own. It waits no longer than the limit, and
// nothing that x does comes out as a panic.
func (c *console) run(x *wire.Expr) *wire.EvalValue {
	limit := x.Limit
	if limit <= 0 {
		limit = wire.EvalLimit
	}
	m := &machine{x: x, c: c, types: make([]reflect.Type, len(x.Types)), busy: make([]bool, len(x.Types)), names: map[reflect.Type]int{}}
	start := time.Now()
	out := make(chan *wire.EvalValue, 1)
	go func() {
		v := none()
		ended := false
		defer func() {
			if !ended {
				if p := recover(); p != nil {
					v = failed(p)
				} else {
					v = &wire.EvalValue{Len: -1, Cap: -1, Error: "it ended its goroutine (runtime.Goexit)"}
				}
			}
			out <- v
		}()
		debug.SetPanicOnFault(true)
		m.exec(&evalFrame{vars: make([]reflect.Value, x.Slots)}, x.Code)
		v = m.show()
		ended = true
	}()
	t := time.NewTimer(limit)
	defer t.Stop()
	var v *wire.EvalValue
	select {
	case v = <-out:
	case <-t.C:
		m.stop.Store(true)
		v = &wire.EvalValue{Len: -1, Cap: -1, Left: true, Error: fmt.Sprintf("still running after %v s; it continues in the background", limit.Seconds())}
	}
	v.Took = time.Since(start)
	return v
}

func none() *wire.EvalValue { return &wire.EvalValue{Len: -1, Cap: -1} }

// failed makes a value of a panic.
func failed(p any) (v *wire.EvalValue) {
	v = none()
	if r, ok := p.(refusal); ok {
		v.Error = string(r)
		return v
	}
	v.PanicType = reflect.TypeOf(p).String()
	defer func() {
		if recover() != nil {
			v.Panic = v.PanicType + " whose own method panics"
		}
	}()
	switch p := p.(type) {
	case runtimeError:
		v.PanicType, v.Panic = "runtime.Error", string(p)
	case *reflect.ValueError:
		v.PanicType, v.Error = "", "it cannot be evaluated: "+p.Error()
	case error:
		v.Panic = p.Error()
	case fmt.Stringer:
		v.Panic = p.String()
	default:
		v.Panic = fmt.Sprint(p)
		if k := reflect.TypeOf(p).Kind(); k == reflect.Struct || k == reflect.Pointer {
			v.Panic = fmt.Sprintf("%#v", p)
		}
	}
	if len(v.Panic) > evalText {
		v.Panic = clip(v.Panic, evalText) + "…"
	}
	return v
}

// get is the value of a variable of the console.
func (c *console) get(n int, name string) reflect.Value {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.vars[n]
	if !ok {
		panic(refusal(name + " has no value: the statement that declares it did not get that far"))
	}
	return v
}

func (c *console) set(n int, v reflect.Value) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.vars) >= evalVariables {
		panic(refusal(fmt.Sprintf("more than %d variables in one console", evalVariables)))
	}
	if c.vars == nil {
		c.vars = map[int]reflect.Value{}
	}
	c.vars[n] = v
}

// hold keeps alive what was stored where the collector does not look.
func (c *console) hold(v reflect.Value) {
	if !points(v.Type(), 0) {
		return
	}
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.keep) >= evalHeld {
		panic(refusal(fmt.Sprintf("more than %d assignments in one console", evalHeld)))
	}
	c.keep = append(c.keep, p.Interface())
	if c.base != nil {
		for at := uintptr(0); at+unsafe.Sizeof(at) <= v.Type().Size(); at += unsafe.Sizeof(at) {
			if b := c.base(*(*uintptr)(unsafe.Add(p.UnsafePointer(), at))); b != 0 {
				c.bases[b] = true
			}
		}
	}
}

// points reports whether values of t may refer to others.
func points(t reflect.Type, depth int) bool {
	switch t.Kind() {
	case reflect.Array:
		return depth > 8 || points(t.Elem(), depth+1)
	case reflect.Struct:
		for i := 0; i < t.NumField(); i++ {
			if depth > 8 || points(t.Field(i).Type, depth+1) {
				return true
			}
		}
		return false
	case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map, reflect.Chan, reflect.Func, reflect.String, reflect.UnsafePointer:
		return true
	}
	return false
}

// alive ends an evaluation that nobody waits for.
func (m *machine) alive() {
	if m.stop.Load() {
		panic(refusal("left behind"))
	}
}

// settle is for after code of the app that may have stored in variables of the
// parked goroutine.
func (m *machine) settle() {
	if m.c.repin == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for addr, t := range m.used {
		m.c.repin(addr, t)
	}
}

// reachable refuses a function that the linker left out.
func reachable(pc uintptr, what string) {
	f := runtime.FuncForPC(pc)
	if pc == 0 || pc >= 1<<47 || f == nil || f.Entry() != pc {
		panic(refusal(what + " has no address in this build"))
	}
	if f.Name() == "runtime.unreachableMethod" {
		panic(refusal(what + " is not in this build (nothing in the app calls it)"))
	}
}
