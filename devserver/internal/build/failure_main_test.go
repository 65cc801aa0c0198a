package build

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A package that compiles but is no program is a failure, with the place.
func TestNotMain(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module example.test/app\n\ngo 1.25\n",
		"app.go":    "// Package mai is a typo.\npackage mai\n\nfunc main() {}\n",
		"x_test.go": "package mai_test\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	output := filepath.Join(t.TempDir(), "app")
	_, err := Run(context.Background(), Request{Dir: dir, Package: ".", MainDir: dir, Output: output})
	failure, ok := errors.AsType[*Failure](err)
	if !ok || len(failure.Diagnostics) != 1 {
		t.Fatalf("%v", err)
	}
	d := failure.Diagnostics[0]
	if d.Pos() != "app.go:2:9" || d.Message != "package mai is not a program; want package main" || d.File != filepath.Join(dir, "app.go") {
		t.Errorf("%+v", d)
	}
	if _, err := os.Stat(output); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the archive is left: %v", err)
	}
}
