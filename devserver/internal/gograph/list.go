package gograph

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// leaveOpen bounds the wait for output after the go command itself has gone: a
// process that escaped its group might hold the pipe for ever.
const leaveOpen = 2 * time.Second

// fields are those of `go list -json` that are read. Naming them spares the go
// command work such as stamping versions, and devrun the parsing.
const fields = "ImportPath,Dir,Name,Standard,DepOnly,Module,Error," +
	"GoFiles,CgoFiles,CFiles,CXXFiles,MFiles,HFiles,FFiles,SFiles,SwigFiles,SwigCXXFiles,SysoFiles,InvalidGoFiles," +
	"EmbedFiles,EmbedPatterns"

// listed is one package as `go list -json` prints it.
type listed struct {
	ImportPath, Dir, Name string
	Standard, DepOnly     bool
	Module                *listedModule
	Error                 *listedError

	GoFiles, CgoFiles, CFiles, CXXFiles, MFiles, HFiles, FFiles, SFiles []string
	SwigFiles, SwigCXXFiles, SysoFiles, InvalidGoFiles                  []string

	EmbedFiles, EmbedPatterns []string
}

type listedModule struct {
	Path, Version, Dir, GoMod, GoVersion string
	Main                                 bool
	Replace                              *listedModule
}

type listedError struct {
	ImportStack []string
	Pos, Err    string
}

func (e *listedError) String() string {
	if e.Pos == "" {
		return e.Err
	}
	return e.Pos + ": " + e.Err
}

func (p *listed) hasSource() bool {
	return len(p.GoFiles)+len(p.CgoFiles)+len(p.InvalidGoFiles) > 0
}

// mayBeMain is generous where the package clause cannot be read: the build will
// tell what is wrong with it.
func (p *listed) mayBeMain() bool {
	return p.hasSource() && (p.Name == "main" || p.Name == "")
}

func (p *listed) files() []string {
	var files []string
	for _, names := range [][]string{
		p.GoFiles, p.CgoFiles, p.CFiles, p.CXXFiles, p.MFiles, p.HFiles, p.FFiles, p.SFiles,
		p.SwigFiles, p.SwigCXXFiles, p.SysoFiles, p.InvalidGoFiles,
	} {
		files = append(files, p.abs(names)...)
	}
	slices.Sort(files)
	return slices.Compact(files)
}

func (p *listed) abs(names []string) []string {
	var paths []string
	for _, name := range names {
		if !filepath.IsAbs(name) {
			name = filepath.Join(p.Dir, name)
		}
		paths = append(paths, name)
	}
	return paths
}

// settings are what `go env` says.
type settings struct {
	GOROOT, GOMODCACHE, GOVERSION, GOOS, GOARCH, GOMOD, GOWORK, GOFLAGS string
}

func (s settings) noModule() bool {
	return s.GOMOD == os.DevNull && s.GOWORK == ""
}

// tool runs the go command in a directory.
type tool struct {
	dir string
	env []string
}

// settings asks for the effective settings. A go command that cannot even say
// those, as when go.mod wants a toolchain that is not to be had, gives what it
// printed as failure and the module files as found by looking.
func (t tool) settings(ctx context.Context) (s settings, failure string, err error) {
	out, stderr, err := t.run(ctx, "env", "-json",
		"GOROOT", "GOMODCACHE", "GOVERSION", "GOOS", "GOARCH", "GOMOD", "GOWORK", "GOFLAGS")
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		s.GOMOD, s.GOWORK = above(t.dir, "go.mod"), above(t.dir, "go.work")
		return s, cmp.Or(strings.TrimSpace(stderr), err.Error()), nil
	}
	if err != nil {
		return s, "", err
	}
	if err := json.Unmarshal(out, &s); err != nil {
		return s, "", fmt.Errorf("read the output of go env: %w", err)
	}
	return s, "", nil
}

// above is the nearest file of that name in dir or a directory that holds it, or "".
func above(dir, name string) string {
	for {
		if path := filepath.Join(dir, name); exists(path) {
			return path
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}

// list returns the packages that match. When the go command cannot even begin,
// as with a broken go.mod, it returns what that printed as failure instead.
func (t tool) list(ctx context.Context, flags []string, patterns ...string) (list []listed, failure string, err error) {
	args := append([]string{"list", "-e", "-json=" + fields}, flags...)
	args = append(append(args, "--"), patterns...)
	out, stderr, err := t.run(ctx, args...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && len(bytes.TrimSpace(out)) == 0:
		return nil, cmp.Or(strings.TrimSpace(stderr), err.Error()), nil
	case err != nil && !errors.As(err, &exit):
		return nil, "", err
	}
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var p listed
		if err := dec.Decode(&p); err == io.EOF {
			return list, "", nil
		} else if err != nil {
			return nil, "", fmt.Errorf("read the output of go list: %w", err)
		}
		list = append(list, p)
	}
}

func (t tool) run(ctx context.Context, args ...string) (stdout []byte, stderr string, err error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return nil, "", errors.New("no go command on PATH: install Go from https://go.dev/dl/ or add its bin directory to PATH")
	}
	env := t.env
	if env == nil {
		env = os.Environ()
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = t.dir
	// The go command spells its working directory as PWD does.
	cmd.Env = append(slices.Clone(env), "PWD="+t.dir)
	var out, text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &text
	cmd.WaitDelay = leaveOpen
	ownGroup(cmd)
	err = cmd.Run()
	if ctx.Err() != nil {
		return nil, "", ctx.Err()
	}
	return out.Bytes(), text.String(), err
}
