package build

import (
	"fmt"
	goparser "go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"devrun/devserver/internal/fault"
)

// Failure is a build that did not pass. It has at least one diagnostic.
type Failure struct {
	fault.Build
	hook    []string // texts that only the injected package can bring into the output
	overlay string   // directory of the files that the overlay puts in place
}

func newFailure(r Request, args []string, output string, exit *exec.ExitError) *Failure {
	if strings.TrimSpace(output) == "" {
		output = fmt.Sprintf("go build ended with %v and said nothing\n", exit)
	}
	f := &Failure{Build: fault.Build{
		Generation:  r.Generation,
		Diagnostics: parse(output, r.Dir, r.PackageDirs),
		Output:      output,
		Command:     quoteCommand(args),
	}}
	if r.Optimised || r.Overlay == "" {
		return f
	}
	f.overlay = filepath.Dir(r.Overlay) + string(filepath.Separator)
	f.hook = []string{"zz_devrun", "go: overlay ", "go: parsing overlay", "go: reading overlay"}
	if r.HookPattern != "" {
		f.hook = append(f.hook, strings.TrimSuffix(r.HookPattern, "/..."))
	}
	for _, flag := range strings.Fields(r.HookLDFlags) {
		name, _, _ := strings.Cut(strings.TrimLeft(flag, "-"), "=")
		f.hook = append(f.hook, name)
	}
	return f
}

// notMain is the failure of a package that compiles but is no program, with
// the package clauses that say so.
func notMain(r Request, args []string) *Failure {
	f := &Failure{Build: fault.Build{Generation: r.Generation, Command: quoteCommand(args)}}
	names, err := filepath.Glob(filepath.Join(r.MainDir, "*.go"))
	if err != nil || r.MainDir == "" {
		names = nil
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		file, err := goparser.ParseFile(fset, name, nil, goparser.PackageClauseOnly)
		if err != nil || file.Name.Name == "main" {
			continue
		}
		at := fset.Position(file.Name.Pos())
		d := fault.Diagnostic{File: name, Rel: name, Line: at.Line, Col: at.Column, Message: "package " + file.Name.Name + " is not a program; want package main"}
		if rel, err := filepath.Rel(r.Dir, name); err == nil {
			d.Rel = rel
		}
		f.Diagnostics = append(f.Diagnostics, d)
	}
	if len(f.Diagnostics) == 0 {
		f.Diagnostics = []fault.Diagnostic{{Message: r.Package + " is not a program; want package main"}}
	}
	for _, d := range f.Diagnostics {
		f.Output += d.Pos() + ": " + d.Message + "\n"
	}
	return f
}

// InHook reports that the output speaks of the injected package, its overlay or
// its link flags: the same source may well build without them.
func (f *Failure) InHook() bool {
	return slices.ContainsFunc(f.hook, func(text string) bool { return strings.Contains(f.Output, text) }) ||
		slices.ContainsFunc(f.Diagnostics, func(d fault.Diagnostic) bool {
			return f.overlay != "" && strings.HasPrefix(d.File, f.overlay)
		})
}

// Unlinked reports that the linker missed what the compiler was promised: code
// that nothing calls may refer to what is nowhere, and only linking it in shows.
func (f *Failure) Unlinked() bool { return strings.Contains(f.Output, "relocation target ") }

// Count is how much is wrong, for a heading: "3 errors in 2 files".
func (f *Failure) Count() string {
	errors, more := 0, ""
	files := map[string]bool{}
	for _, d := range f.Diagnostics {
		switch {
		case d.Message == "too many errors":
			more = "more than "
			continue
		case strings.HasPrefix(d.Message, "warning: "):
			continue
		}
		errors++
		if d.File != "" {
			files[d.File] = true
		}
	}
	s := more + plural(max(errors, 1), "error")
	if len(files) > 0 {
		s += " in " + plural(len(files), "file")
	}
	return s
}

// Error is the count and the first line of the first error.
func (f *Failure) Error() string {
	first := f.Diagnostics[0]
	for _, d := range f.Diagnostics {
		if !strings.HasPrefix(d.Message, "warning: ") {
			first = d
			break
		}
	}
	line, _, _ := strings.Cut(first.Message, "\n")
	if pos := first.Pos(); pos != "" {
		line = pos + ": " + line
	}
	return f.Count() + ": " + line
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// quoteCommand writes argv so that a shell reads it back.
func quoteCommand(args []string) string {
	var words []string
	for _, arg := range args {
		if arg == "" || strings.ContainsFunc(arg, unsafeInShell) {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}

func unsafeInShell(c rune) bool {
	return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("-_./=,:@%+", c))
}
