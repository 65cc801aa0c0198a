package cause

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/srctree"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func lineOf(t *testing.T, source, part string) int {
	t.Helper()
	before, _, ok := strings.Cut(source, part)
	if !ok {
		t.Fatalf("%q is not in the source", part)
	}
	return strings.Count(before, "\n") + 1
}

func str(name, text string) fault.Value {
	return fault.Value{Name: name, Type: "string", Kind: fault.String, Text: fmt.Sprintf("%q", text), Len: int64(len(text))}
}

func num(name string, n int) fault.Value {
	return fault.Value{Name: name, Type: "int", Kind: fault.Number, Text: fmt.Sprint(n), Len: -1}
}

func structOf(name, typ, text string, fields ...fault.Value) fault.Value {
	return fault.Value{Name: name, Type: typ, Kind: fault.Struct, Text: text, Children: fields, Len: -1}
}

func ptr(name, typ string, to *fault.Value) fault.Value {
	if to == nil {
		return fault.Value{Name: name, Type: typ, Kind: fault.Pointer, Text: "nil", Nil: true, Len: -1}
	}
	return fault.Value{Name: name, Type: typ, Kind: fault.Pointer, Text: "&" + to.Text, Children: []fault.Value{*to}, Len: -1}
}

func iface(name, typ string, holds fault.Value) fault.Value {
	return fault.Value{Name: name, Type: typ, Kind: fault.Interface, Text: holds.Type + " " + holds.Text, Children: []fault.Value{holds}, Len: -1}
}

const loadSource = `package main

import (
	"errors"
	"fmt"
)

var errRows = errors.New("no rows")

func load(id int) error {
	password := "hunter2hunter2"
	n, m := 1, 2
	n++
	set(&m)
	err := fmt.Errorf("load %d: %w", id, errRows)
	return err // here
}

func set(n *int) {}
`

// loading is a failure on the marked line of the source above.
func loading(t *testing.T) (fault.Failure, *srctree.Tree) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "load.go"), loadSource)
	at := func(v fault.Value, line string) fault.Value {
		v.Line = lineOf(t, loadSource, line)
		return v
	}
	id := at(num("id", 17), "func load")
	id.Param = true
	rows := structOf("", "errors.errorString", `{s: "no rows"}`, str("s", "no rows"))
	loadErr := structOf("", "fmt.wrapError", "{…}", str("msg", "load 17: no rows"), iface("err", "error", ptr("", "*errors.errorString", &rows)))
	return fault.Failure{
		At: time.Now(), How: fault.Status, Values: fault.Values{Here: true},
		Calls: []fault.Call{
			{Frame: fault.Frame{Func: "fmt.Fprintln", File: "/usr/local/go/src/fmt/print.go", Line: 1}, Vars: []fault.Value{num("n", 1)}},
			{Frame: fault.Frame{Func: "main.load", File: filepath.Join(dir, "load.go"), Line: lineOf(t, loadSource, "// here")}, Vars: []fault.Value{
				id, at(iface("err", "error", ptr("", "*fmt.wrapError", &loadErr)), "err :="), at(num("m", 2), "n, m :="), at(num("n", 2), "n, m :="),
				at(str("password", "hunter2hunter2"), "password :="),
			}},
		},
	}, srctree.New(dir, nil)
}

// TestExplain: of a failure without a panic, what its one error says, and where its
// variables are from.
func TestExplain(t *testing.T) {
	f, tree := loading(t)
	c := Explain(f, tree).Cause
	if want := fmt.Sprintf("load.go:%d wrote this response; err was not nil.", f.Calls[1].Line); c.String() != want {
		t.Errorf("%q, want %q", c, want)
	}
	want := &fault.Error{Type: "*fmt.wrapError", Text: "load 17: no rows", Note: fmt.Sprintf("text found in load.go:%d", lineOf(t, loadSource, "err :=")),
		Causes: []fault.Error{{Type: "*errors.errorString", Text: "no rows", Note: fmt.Sprintf("text found in load.go:%d", lineOf(t, loadSource, "var errRows"))}}}
	if c.ErrorOf != "err" || !reflect.DeepEqual(c.Error, want) {
		t.Errorf("%s: %+v, want %+v", c.ErrorOf, c.Error, want)
	}
	// Neither a parameter, nor what may be set by its address, nor a secret.
	if want := []fault.Set{{Call: 1, Var: 3, Line: lineOf(t, loadSource, "n++")}, {Call: 1, Var: 1, Line: lineOf(t, loadSource, "err :=")}}; !reflect.DeepEqual(c.Sets, want) {
		t.Errorf("%v, want %v", c.Sets, want)
	}
	if f.Cause.Why != nil || f.Calls[1].Vars[4].Redacted {
		t.Error("the failure itself was changed")
	}

	// Two errors could both be meant.
	f.Calls[1].Vars = append(f.Calls[1].Vars, iface("other", "error", f.Calls[1].Vars[1].Children[0]))
	if c := Explain(f, tree).Cause; c.Why != nil || c.Error != nil {
		t.Errorf("%q, %+v of two errors", c, c.Error)
	}
	f.Calls = nil
	if c := Explain(f, tree).Cause; !reflect.DeepEqual(c, fault.Cause{}) {
		t.Errorf("%+v without calls", c)
	}
}

// TestExplainError: the chain of a panic's value says more than its variables.
func TestExplainError(t *testing.T) {
	f, tree := loading(t)
	f.How = fault.Recovered
	rows := fault.Error{Type: "*errors.errorString", Text: "no rows"}
	for _, test := range []struct {
		err   fault.Error
		want  string
		notes bool
	}{
		{rows, "", false},
		{fault.Error{Text: "x: no rows", Causes: []fault.Error{rows}}, "It is caused by no rows, an error of type *errors.errorString.", true},
		{fault.Error{Text: "x", Causes: []fault.Error{rows, rows}}, "", true},
		{fault.Error{Text: "x", Causes: []fault.Error{{Text: "y", Causes: []fault.Error{rows, rows}}}}, "", false},
		{fault.Error{Text: "x", Causes: []fault.Error{{Type: "main.E"}}}, "", false},
		{fault.Error{Text: "x", Causes: []fault.Error{{Type: "main.E", Text: "a\nb" + strings.Repeat("é", 200)}}},
			"It is caused by a␊b" + strings.Repeat("é", 97) + "… (206 bytes more), an error of type main.E.", false},
	} {
		f.Error = &test.err
		c := Explain(f, tree).Cause
		if c.String() != test.want || c.ErrorOf != "" || c.Error == nil {
			t.Errorf("%+v: %q, error %+v of %q, want %q", test.err, c, c.Error, c.ErrorOf, test.want)
		}
		if test.notes && c.Error.Causes[0].Note != "text found in load.go:8" {
			t.Errorf("%+v", c.Error)
		}
	}
}

// TestExplainSecrets: nothing that is said has a secret in it, whatever of it was a
// secret only elsewhere.
func TestExplainSecrets(t *testing.T) {
	f, tree := loading(t)
	f.How, f.Type, f.Message = fault.Recovered, "main.E", "bad hunter2hunter2"
	f.Error = &fault.Error{Type: "main.E", Text: "load: hunter2hunter2", Causes: []fault.Error{{Type: "main.E", Text: "is hunter2hunter2, token=abcdef17"}}}
	got := Explain(f, tree)
	if text := fmt.Sprintf("%+v %+v %q", got, got.Cause.Error, got.Cause); strings.Contains(text, "hunter2") || strings.Contains(text, "abcdef17") {
		t.Error(text)
	}
	if want := "It is caused by is [redacted], token=[redacted], an error of type main.E."; got.Cause.String() != want || got.Message != "bad [redacted]" {
		t.Errorf("%q: %q, want %q", got.Message, got.Cause, want)
	}
}

func TestCut(t *testing.T) {
	for n, want := range map[int]string{3: "xxx", 4: "xxx… (1 byte more)", 1002: "xxx… (999 bytes more)", 5003: "xxx… (5 kB more)"} {
		if got := fault.Cut(strings.Repeat("x", n), 3); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
