package cause

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/srctree"
)

// TestTextFound: the chain says where a text is from only when no other place in
// the app can have made it.
func TestTextFound(t *testing.T) {
	const head = "package main\n\nimport (\n\t\"errors\"\n\t\"fmt\"\n)\n\n" // the body begins on line 8
	cause := fault.Error{Type: "*errors.errorString", Text: "user not found"}
	load := fault.Error{Type: "*fmt.wrapError", Text: "load user 17: user not found", Causes: []fault.Error{cause}}
	for name, test := range map[string]struct {
		body, other string
		err         fault.Error
		note, below string
	}{
		"both": {
			body: "var ErrNotFound = errors.New(\"user not found\")\nfunc load(id int) error { return fmt.Errorf(\"load user %d: %w\", id, ErrNotFound) }\n",
			note: "text found in main.go:9", below: "text found in main.go:8",
		},
		"over several lines": {
			body: "func load(id int) error {\n\treturn fmt.Errorf(\n\t\t\"load user \"+\"%d: %w\", id, nil)\n}\n", note: "text found in main.go:10",
		},
		"of a library": {body: "var _ = fmt.Sprint\nvar ErrOther = errors.New(\"no such user\")\n"},
		"twice": {
			body:  "func a() error { return errors.New(\"user not found\") }\nfunc b() error { return errors.New(\"user not found\") }\nfunc load(id int) error { return fmt.Errorf(\"load user %d: %w\", id, a()) }\n",
			note:  "text found in main.go:10",
			below: "",
		},
		"in another file": {
			body:  "var ErrNotFound = errors.New(\"user not found\")\nfunc load(id int) error { return fmt.Errorf(\"load user %d: %w\", id, nil) }\n",
			other: "package main\nimport \"fmt\"\nfunc other(id int) error { return fmt.Errorf(\"load user %v: %w\", id, nil) }\n",
			below: "text found in main.go:8",
		},
		"a format that takes anything": {
			body:  "func load(id int) error { return fmt.Errorf(\"load user %d: %w\", id, errors.New(\"user not found\")) }\nfunc op(s string, err error) error { return fmt.Errorf(\"%s: %w\", s, err) }\n",
			below: "text found in main.go:8",
		},
		"only one that takes anything": {body: "func op(s string, err error) error { return fmt.Errorf(\"%s: %w\", s, err) }\nvar _ = errors.New\n"},
		"a format that is not known": {
			body:  "func wrap(format string, a ...any) error { return fmt.Errorf(format, a...) }\nfunc load(id int) error { return fmt.Errorf(\"load user %d: %w\", id, errors.New(\"user not found\")) }\n",
			below: "", // wrap makes errors without a cause, too
		},
		"a text that is not known": {
			body: "func fail(s string) error { return errors.New(\"user \" + s) }\nfunc load(id int) error { return fmt.Errorf(\"load user %d: %w\", id, errors.New(\"user not found\")) }\n",
			note: "text found in main.go:9",
		},
		"a constant": {body: "const text = \"user not found\"\nvar ErrNotFound = errors.New(text)\nvar _ = fmt.Sprint\n"},
		"as a value": {body: "var newError = errors.New\nfunc load(id int) error { return fmt.Errorf(\"load user %d: %w\", id, errors.New(\"user not found\")) }\n"},
		"another package of that name": {
			body:  "var ErrNotFound = errors.New(\"user not found\")\nvar _ = fmt.Sprint\n",
			other: "package main\nimport fmt \"errors\"\nvar x = fmt.New(\"user not found\")\n",
		},
		"dot": {
			body:  "var ErrNotFound = errors.New(\"user not found\")\nvar _ = fmt.Sprint\n",
			other: "package main\nimport . \"errors\"\nvar x = New(\"user not found\")\n",
		},
		"another cause": {
			body: "var ErrNotFound = errors.New(\"user not found\")\nfunc load(id int) error { return fmt.Errorf(\"load user 17: %w\", ErrNotFound) }\n",
			err:  fault.Error{Type: "*fmt.wrapError", Text: "load user 17: no rows", Causes: []fault.Error{{Type: "*errors.errorString", Text: "sql: no rows"}}},
		},
		"another type": {
			body: "var ErrNotFound = errors.New(\"user not found\")\nfunc load(id int) error { return fmt.Errorf(\"load user %d: %w\", id, ErrNotFound) }\n",
			err:  fault.Error{Type: "*main.wrapped", Text: load.Text, Causes: []fault.Error{{Type: "main.notFound", Text: cause.Text}}},
		},
		"plain text in a format": {
			body: "func load() error { return fmt.Errorf(\"100%% of %d: %w\", 3, errors.New(\"%d\")) }\n",
			err:  fault.Error{Type: "*fmt.wrapError", Text: "100% of 3: %d", Causes: []fault.Error{{Type: "*errors.errorString", Text: "%d"}}},
			note: "text found in main.go:8",
		},
		"does not parse": {body: "var ErrNotFound = errors.New(\"user not found\")\nvar _ = fmt.Sprint\n", other: "package main\nimport \"fmt\"\nfunc {\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "main.go"), head+test.body)
			write(t, filepath.Join(dir, "main_test.go"), head+"var _ = errors.New(\"user not found\")\n")
			if err := os.Mkdir(filepath.Join(dir, "vendor"), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "vendor", "v.go"), head+"var _ = errors.New(\"user not found\")\n")
			if test.other != "" {
				write(t, filepath.Join(dir, "other.go"), test.other)
			}
			if test.err.Type == "" {
				test.err = load
			}
			f := fault.Failure{At: time.Now(), How: fault.Panicked, Error: &test.err}
			e := Explain(f, srctree.New(dir, nil)).Cause.Error
			if e.Note != test.note {
				t.Errorf("%q: %q, want %q", e.Text, e.Note, test.note)
			}
			if got := e.Causes[0].Note; got != test.below {
				t.Errorf("%q: %q, want %q", e.Causes[0].Text, got, test.below)
			}
			if test.err.Note != "" || test.err.Causes[0].Note != "" {
				t.Error("the failure itself was changed")
			}
		})
	}
}

// TestTextFoundChanged: a file that was saved since then may not have the line.
func TestTextFoundChanged(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "main.go"), "package main\n\nimport \"errors\"\n\nvar ErrNotFound = errors.New(\"user not found\")\n")
	e := fault.Error{Type: "*fmt.wrapError", Text: "x: user not found", Causes: []fault.Error{{Type: "*errors.errorString", Text: "user not found"}}}
	for built, want := range map[time.Time]string{time.Now(): "text found in main.go:5", time.Now().Add(-time.Hour): ""} {
		c := Explain(fault.Failure{At: time.Now(), Built: built, Error: &e}, srctree.New(dir, nil)).Cause
		if got := c.Error.Causes[0].Note; got != want {
			t.Errorf("built at %s: %q, want %q", built, got, want)
		}
	}
}
