//go:build unix

package expr

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"devrun/devserver/suite"
)

// The overlay names files as the user spells the root, and so does the go command.
func TestListSymlinkedRoot(t *testing.T) {
	base := t.TempDir()
	root := filepath.Join(base, "link")
	if err := os.Symlink("app", root); err != nil {
		t.Fatal(err)
	}
	overlay := fmt.Sprintf(`{"Replace": {%q: %q}}`, filepath.Join(root, "hook", "hook.go"), filepath.Join(base, "hook.go"))
	for name, text := range map[string]string{
		"app/go.mod":   "module example.com/app\n\ngo 1.25\n",
		"app/main.go":  "package main\n\nimport \"example.com/app/hook\"\n\nfunc main() { println(hook.Answer) }\n",
		"hook.go":      "package hook\n\nconst Answer = 42\n",
		"overlay.json": overlay,
	} {
		name = filepath.Join(base, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := List(t.Context(), Config{Dir: root, Env: os.Environ(), Flags: []string{"-overlay=" + filepath.Join(base, "overlay.json")}, Main: "."})
	if err != nil {
		t.Fatal(err)
	}
	if p := b.list["example.com/app"]; p == nil || p.Error != nil || p.Dir != root {
		t.Errorf("the app is listed as %+v", p)
	}
	if p := b.list["example.com/app/hook"]; p == nil || p.Export == "" {
		t.Errorf("the package of the overlay is listed as %+v", p)
	}
}

func TestCancelledListLeavesNothing(t *testing.T) {
	err := suite.CancelGo(t, func(ctx context.Context) error {
		_, err := List(ctx, Config{Dir: t.TempDir(), Main: "."})
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
