package gocmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Package is a package as `go list -json` prints it, as far as the fields were asked
// for: naming them spares the go command work, and devrun the parsing.
type Package struct {
	ImportPath, Dir, Name, Export, BuildID string
	Standard, DepOnly                      bool
	Module                                 *Module
	Error                                  *Error

	GoFiles, CgoFiles, CompiledGoFiles, InvalidGoFiles          []string
	CFiles, CXXFiles, MFiles, HFiles, FFiles, SFiles, SysoFiles []string
	SwigFiles, SwigCXXFiles                                     []string
	EmbedPatterns, EmbedFiles                                   []string
	Imports                                                     []string
	ImportMap                                                   map[string]string
}

// SourceExts are the endings of the files besides Go that the go command compiles or
// links when they are in a package's directory. It tells .S from .s, and .F from .f.
var SourceExts = []string{".c", ".cc", ".cpp", ".cxx", ".m", ".h", ".hh", ".hpp", ".hxx",
	".f", ".F", ".for", ".f90", ".s", ".S", ".sx", ".swig", ".swigcxx", ".syso"}

// Module is the module of a package.
type Module struct {
	Path, Version, Dir, GoMod, GoVersion string
	Main                                 bool
	Replace                              *Module
}

// Error is what is wrong with a package.
type Error struct {
	ImportStack []string
	Pos, Err    string
}

func (e *Error) String() string {
	if e.Pos == "" {
		return e.Err
	}
	return e.Pos + ": " + e.Err
}

// Packages reads what `go list -json` has printed.
func Packages(list []byte) (packages []Package, err error) {
	for d := json.NewDecoder(bytes.NewReader(list)); ; {
		var p Package
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("read the output of go list: %w", err)
		}
		packages = append(packages, p)
	}
}
