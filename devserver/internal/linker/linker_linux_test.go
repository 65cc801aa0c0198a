package linker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"devrun/devserver/internal/gocmd"
	"devrun/devserver/suite"
)

// older is the release before this one.
const older = "go1.25.14"

// program is a main package with another in a module, and the archives of all that
// it is made of.
type program struct {
	t         *testing.T
	toolchain string
	goroot    string
	dir       string
	archives  map[string]string // by import path
	linker    string            // of Make
}

func newProgram(t *testing.T, toolchain, cache string) *program {
	p := &program{t: t, toolchain: toolchain, dir: t.TempDir()}
	p.goroot = strings.TrimSpace(p.run("go", "env", "GOROOT"))
	p.write("go.mod", "module example.com/app\n\ngo 1.25\n")
	p.write("main.go", `package main

import (
	"fmt"
	"net/http"
	"text/template"

	"example.com/app/leaf"
)

type served struct{ at string }

func (s served) ServeHTTP(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, s.at) }

func main() {
	http.Handle("/", served{"/"})
	fmt.Println(leaf.Text(), template.HTMLEscapeString("<"))
}
`)
	p.leaf(`"one"`)
	path, err := Make(t.Context(), p.command(""), p.goroot, p.tool(), cache)
	if err != nil {
		t.Fatal(err)
	}
	p.linker = path
	return p
}

func (p *program) tool() string {
	return filepath.Join(p.goroot, "pkg", "tool", "linux_"+goarch(p.t), "link")
}

func goarch(t *testing.T) string {
	out, err := exec.Command("go", "env", "GOARCH").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func (p *program) command(path string) gocmd.Command {
	return gocmd.Command{Path: path, Dir: p.dir, Env: append(os.Environ(), "PWD="+p.dir, "GOTOOLCHAIN="+p.toolchain, "GOFLAGS=", "GOWORK=off")}
}

func (p *program) write(name, text string) {
	p.t.Helper()
	file := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// leaf gives the other package a value, and compiles. Its archive, and main's,
// are in the same place each time.
func (p *program) leaf(value string) {
	p.t.Helper()
	p.write("leaf/leaf.go", "package leaf\n\nfunc Text() string { return "+value+" }\n")
	p.archives = map[string]string{}
	list := json.NewDecoder(strings.NewReader(p.run("go", "list", "-export", "-deps", "-json=ImportPath,Export", ".")))
	for {
		var pkg struct{ ImportPath, Export string }
		if err := list.Decode(&pkg); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			p.t.Fatal(err)
		}
		if pkg.Export == "" { // unsafe
			continue
		}
		if strings.HasPrefix(pkg.ImportPath, "example.com/app") {
			text, err := os.ReadFile(pkg.Export)
			if err != nil {
				p.t.Fatal(err)
			}
			p.write(filepath.Base(pkg.ImportPath)+".new", string(text))
			pkg.Export = filepath.Join(p.dir, filepath.Base(pkg.ImportPath)+".a")
			if err := os.Rename(strings.TrimSuffix(pkg.Export, ".a")+".new", pkg.Export); err != nil {
				p.t.Fatal(err)
			}
		}
		p.archives[pkg.ImportPath] = pkg.Export
	}
}

func (p *program) run(tool string, args ...string) string {
	p.t.Helper()
	cmd := exec.Command(tool, args...)
	cmd.Dir, cmd.Env = p.dir, p.command("").Env
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		p.t.Fatalf("%s %v: %v\n%s", tool, args, err, exit.Stderr)
	} else if err != nil {
		p.t.Fatal(err)
	}
	return string(out)
}

// args are those of a link to output.
func (p *program) args(output string) []string {
	var config bytes.Buffer
	for path, archive := range p.archives {
		fmt.Fprintf(&config, "packagefile %s=%s\n", path, archive)
	}
	p.write("importcfg", config.String())
	return []string{"-o", output, "-importcfg", filepath.Join(p.dir, "importcfg"), "-buildmode=exe", "-buildid=a/b/c/d", "-extld=gcc", p.archives["example.com/app"]}
}

func (p *program) begin() *Prelinked {
	p.t.Helper()
	var archives []string
	for _, a := range p.archives {
		archives = append(archives, a)
	}
	b, err := Prelink(p.command(p.linker), filepath.Join(p.dir, "list"), archives)
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

// same links with b and with the toolchain's linker, and checks that both give the
// same program, which says want.
func (p *program) same(b *Prelinked, want string) {
	p.t.Helper()
	ours, theirs := filepath.Join(p.dir, "ours"), filepath.Join(p.dir, "theirs")
	p.run(p.tool(), p.args(theirs)...)
	if out, err := b.Link(p.t.Context(), p.args(ours)); err != nil || out != "" {
		p.t.Fatalf("%v: %s", err, out)
	}
	x, errX := os.ReadFile(ours)
	y, errY := os.ReadFile(theirs)
	if errX != nil || errY != nil || !bytes.Equal(x, y) {
		p.t.Fatalf("the binaries differ: %d and %d bytes, %v, %v", len(x), len(y), errX, errY)
	}
	if got := p.run(ours); got != want+" &lt;\n" {
		p.t.Errorf("it says %q, want %q", got, want)
	}
	<-b.ended
	if _, err := os.Stat(filepath.Join(p.dir, "list")); b.err != nil || !errors.Is(err, os.ErrNotExist) {
		p.t.Errorf("it ends with %v, and the list is left behind: %v", b.err, err)
	}
}

// Whatever was read ahead, the binary is the toolchain's, byte for byte.
func TestLongLink(t *testing.T) {
	suite.Long(t)
	cache := t.TempDir()
	for _, toolchain := range []string{"local", older} {
		t.Run(toolchain, func(t *testing.T) {
			p := newProgram(t, toolchain, cache)
			p.same(p.begin(), "one")

			b := p.begin()
			p.leaf(`"another"`) // and its archive is another file in the same place
			p.same(b, "another")

			b = p.begin()
			p.write("leaf/more.go", "package leaf\n\nvar More = map[string]any{\"a\": struct{ X, Y int }{1, 2}, \"b\": []func(){func() {}}}\n")
			p.leaf(`"a"[:len(More)/2] + "third"`)
			p.same(b, "athird")

			main := p.archives["example.com/app"]
			p.archives["example.com/app"] = "/nonexistent.a"
			b = p.begin()
			p.archives["example.com/app"] = main
			p.same(b, "athird")
		})
	}
	if left, err := filepath.Glob(filepath.Join(cache, "*")); err != nil || len(left) != 2 {
		t.Errorf("in the cache are %q, %v", left, err)
	}
}

func TestLinkFails(t *testing.T) {
	p := newProgram(t, "local", t.TempDir())
	b := p.begin()
	leaf := p.archives["example.com/app/leaf"]
	delete(p.archives, "example.com/app/leaf")
	out, err := b.Link(t.Context(), p.args(filepath.Join(p.dir, "ours")))
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || !exit.Exited() || !strings.Contains(out, "example.com/app/leaf") {
		t.Errorf("%v: %s", err, out)
	}
	p.archives["example.com/app/leaf"] = leaf

	b = p.begin()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Link(ctx, p.args(filepath.Join(p.dir, "ours"))); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	p.linker = "/nonexistent"
	if _, err := p.begin().Link(t.Context(), nil); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// A linker that waits uses no CPU, and is gone when it is not needed.
func TestWaits(t *testing.T) {
	p := newProgram(t, "local", t.TempDir())
	b := p.begin()
	var pid int
	suite.Until(t, "a linker waits for its arguments", func() error {
		if pid = reading(t, p.linker); pid == 0 {
			return errors.New("none does")
		}
		return nil
	})
	b.End()
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("it is still there: %v", err)
	}
}

// reading is a process of a program that waits in a read of a pipe, 0 for none.
func reading(t *testing.T, program string) int {
	all, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range all {
		if exe, err := os.Readlink(link); err != nil || exe != program {
			continue
		}
		var pid int
		fmt.Sscanf(link, "/proc/%d", &pid)
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
		for _, task := range tasks {
			if text, err := os.ReadFile(task); err == nil && strings.HasPrefix(string(text), "0 0x0 ") {
				return pid
			}
		}
	}
	return 0
}

func TestTidy(t *testing.T) {
	cache := t.TempDir()
	put := func(name string, age time.Duration, dir bool) {
		path := filepath.Join(cache, name)
		err := os.WriteFile(path, nil, 0o700)
		if dir {
			err = errors.Join(os.Remove(path), os.Mkdir(path, 0o700), os.WriteFile(filepath.Join(path, "link"), nil, 0o700))
		}
		if err := errors.Join(err, os.Chtimes(path, time.Time{}, time.Now().Add(-age))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range kept + 2 {
		put(fmt.Sprintf("link-%d", i), time.Duration(i)*time.Minute, false)
	}
	put("build-old", 2*time.Hour, true)
	put("build-new", 0, true)
	if err := tidy(cache, filepath.Join(cache, "link-5")); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range left {
		left[i] = filepath.Base(left[i])
	}
	if want := "[build-new link-0 link-1 link-2 link-3 link-5]"; fmt.Sprint(left) != want {
		t.Errorf("left are %v, want %s", left, want)
	}
}

func TestChanged(t *testing.T) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	src, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), loader))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := changed(src); err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		if _, err := changed(bytes.ReplaceAll(src, []byte(c.old), []byte("other"))); err == nil {
			t.Errorf("a linker without %q is taken", c.old)
		}
	}
	if _, err := Make(t.Context(), gocmd.Command{}, t.TempDir(), filepath.Join(strings.TrimSpace(string(out)), "pkg", "tool", "linux_"+goarch(t), "link"), t.TempDir()); err == nil || !strings.Contains(err.Error(), "the toolchain's own source is needed") {
		t.Error(err)
	}
}
