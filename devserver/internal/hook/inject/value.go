//go:build unix && go1.21

package hook

import (
	"fmt"
	"reflect"
	"strconv"
	"time"
	"unsafe"

	"devrun/devserver/internal/wire"
)

const (
	tellFor    = 2 * time.Second // what the app's Error and Unwrap methods get, all together, and net/http's line of a panic
	mostText   = 16 << 10        // bytes of one text
	mostTexts  = 48 << 10        // of all: a message has its bound, and JSON makes six bytes of one
	mostErrors = 64              // of all chains, branches and all
	mostCauses = 16              // of one error
)

// told is what a panic's value says of itself.
type told struct {
	kind, text string
	err        *wire.Error
}

// tell asks the values for their texts. Their methods are the app's: they may
// panic, and wait for a lock that the failed request holds; then only the types
// are told, and one goroutine is left behind.
func tell(values []any) []told {
	done := make(chan []told, 1)
	go func() {
		var all []told
		defer func() { done <- all }() // whatever ends the goroutine
		left := budget{mostErrors, mostTexts}
		for _, v := range values {
			t := told{kind: kindOf(v)}
			t.text = left.text(v)
			if err, ok := v.(error); ok {
				e := left.chain(err, nil)
				t.err = &e
			}
			all = append(all, t)
		}
	}()
	limit := time.NewTimer(tellFor)
	defer limit.Stop()
	select {
	case all := <-done:
		if len(all) == len(values) {
			return all
		}
	case <-limit.C:
	}
	const why = "its methods did not return"
	var all []told
	for _, v := range values {
		t := told{kind: kindOf(v), text: "(" + kindOf(v) + ") " + why}
		if _, ok := v.(error); ok {
			t.err = &wire.Error{Type: t.kind, Note: why}
		}
		all = append(all, t)
	}
	return all
}

// budget is what may still be told.
type budget struct{ errors, bytes int }

func (left *budget) text(v any) string {
	s := cut(text(v), left.bytes)
	left.bytes -= min(len(s), left.bytes)
	return s
}

// chain follows what Unwrap gives. path has the errors that led here.
func (left *budget) chain(err error, path []any) wire.Error {
	left.errors--
	e := wire.Error{Type: kindOf(err)}
	for _, p := range path {
		if same(p, err) {
			e.Note = "the same error again"
			return e
		}
	}
	e.Text = left.text(err)
	causes, panicked := unwrap(err)
	if panicked {
		e.Note = "its Unwrap method panics"
	}
	path = append(path[:len(path):len(path)], err)
	for i, c := range causes {
		if left.errors <= 0 || i == mostCauses {
			e.Note = "and " + strconv.Itoa(len(causes)-i) + " more"
			break
		}
		e.Causes = append(e.Causes, left.chain(c, path))
	}
	return e
}

func unwrap(err error) (causes []error, panicked bool) {
	defer func() {
		if recover() != nil {
			causes, panicked = nil, true
		}
	}()
	switch err := err.(type) {
	case interface{ Unwrap() error }:
		causes = []error{err.Unwrap()}
	case interface{ Unwrap() []error }:
		causes = err.Unwrap()
	}
	some := causes[:0:0]
	for _, c := range causes {
		if c != nil {
			some = append(some, c)
		}
	}
	return some, false
}

// same reports whether two interfaces are the same two words, which is asked
// without comparing what may not be comparable.
func same(a, b any) bool {
	return *(*[2]uintptr)(unsafe.Pointer(&a)) == *(*[2]uintptr)(unsafe.Pointer(&b))
}

func kindOf(v any) string {
	if v == nil {
		return "nil"
	}
	return cut(reflect.TypeOf(v).String(), 512)
}

// text is a panic's value as the runtime prints it.
func text(v any) (s string) {
	defer func() {
		if r := recover(); r != nil {
			s = "(" + kindOf(v) + ") its method for this panics"
			if why, ok := r.(string); ok {
				s += ": " + cut(why, 512)
			}
		}
	}()
	switch v := v.(type) {
	case nil:
		return "nil"
	case error:
		return cut(v.Error(), mostText)
	case fmt.Stringer:
		return cut(v.String(), mostText)
	}
	r := reflect.ValueOf(v)
	named := r.Type().PkgPath() != ""
	plain := ""
	switch r.Kind() {
	case reflect.String:
		plain = cut(r.String(), mostText)
		if named {
			plain = `"` + plain + `"`
		}
	case reflect.Bool:
		plain = strconv.FormatBool(r.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		plain = strconv.FormatInt(r.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		plain = strconv.FormatUint(r.Uint(), 10)
	case reflect.Float32, reflect.Float64:
		plain = strconv.FormatFloat(r.Float(), 'g', -1, r.Type().Bits())
	case reflect.Complex64, reflect.Complex128:
		plain = strconv.FormatComplex(r.Complex(), 'g', -1, r.Type().Bits())
		if named {
			return kindOf(v) + plain
		}
	default:
		return fmt.Sprintf("(%s) %#x", kindOf(v), (*[2]uintptr)(unsafe.Pointer(&v))[1])
	}
	if named {
		return kindOf(v) + "(" + plain + ")"
	}
	return plain
}
