package gograph

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"devrun/devserver/internal/gocmd"
)

// fields are those of `go list -json` that are read. Naming them spares the go
// command work such as stamping versions, and devrun the parsing.
const fields = "ImportPath,Dir,Name,Standard,DepOnly,Module,Error," +
	"GoFiles,CgoFiles,CFiles,CXXFiles,MFiles,HFiles,FFiles,SFiles,SwigFiles,SwigCXXFiles,SysoFiles,InvalidGoFiles," +
	"EmbedFiles,EmbedPatterns"

func hasSource(p *gocmd.Package) bool {
	return len(p.GoFiles)+len(p.CgoFiles)+len(p.InvalidGoFiles) > 0
}

// mayBeMain is generous where the package clause cannot be read: the build will
// tell what is wrong with it.
func mayBeMain(p *gocmd.Package) bool {
	return hasSource(p) && (p.Name == "main" || p.Name == "")
}

func filesOf(p *gocmd.Package) []string {
	var files []string
	for _, names := range [][]string{
		p.GoFiles, p.CgoFiles, p.CFiles, p.CXXFiles, p.MFiles, p.HFiles, p.FFiles, p.SFiles,
		p.SwigFiles, p.SwigCXXFiles, p.SysoFiles, p.InvalidGoFiles,
	} {
		files = append(files, inDir(p.Dir, names)...)
	}
	slices.Sort(files)
	return slices.Compact(files)
}

func inDir(dir string, names []string) []string {
	var paths []string
	for _, name := range names {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
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

// askSettings asks for the effective settings. A go command that cannot even say
// those, as when go.mod wants a toolchain that is not to be had, gives what it
// printed as failure and the module files as found by looking.
func askSettings(ctx context.Context, c gocmd.Command) (s settings, failure string, err error) {
	out, stderr, err := c.Output(ctx, "env", "-json",
		"GOROOT", "GOMODCACHE", "GOVERSION", "GOOS", "GOARCH", "GOMOD", "GOWORK", "GOFLAGS")
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		s.GOMOD, s.GOWORK = above(c.Dir, "go.mod"), above(c.Dir, "go.work")
		return s, cmp.Or(strings.TrimSpace(string(stderr)), err.Error()), nil
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

// askList returns the packages that match. When the go command cannot even begin,
// as with a broken go.mod, it returns what that printed as failure instead.
func askList(ctx context.Context, c gocmd.Command, flags []string, patterns ...string) (list []gocmd.Package, failure string, err error) {
	args := append([]string{"list", "-e", "-json=" + fields}, flags...)
	args = append(append(args, "--"), patterns...)
	out, stderr, err := c.Output(ctx, args...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && len(bytes.TrimSpace(out)) == 0:
		return nil, cmp.Or(strings.TrimSpace(string(stderr)), err.Error()), nil
	case err != nil && !errors.As(err, &exit):
		return nil, "", err
	}
	list, err = gocmd.Packages(out)
	return list, "", err
}
