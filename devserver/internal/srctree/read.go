package srctree

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// maxSize is the largest file that is read: beyond it are tables made by programs,
// which nobody reads line by line.
const maxSize = 2 << 20

// extensions are the files that a Go build can name: Go, cgo, assembly, module
// files, and what generators point back to with //line comments.
var extensions = strings.Fields(".go .mod .work .sum .s .S .c .cc .cpp .cxx .m .mm .h .hh .hpp .hxx .f .F .for .f90 " +
	".swig .swigcxx .y .rl .re .peg .templ .qtpl .tmpl .gotmpl .gohtml .html")

// Read returns a source file as it was when the binary was built, the zero time for
// as it is now, or why there is none, as a person reads it.
func Read(path string, built time.Time) (data []byte, gone string) {
	name := filepath.Base(path)
	if !filepath.IsAbs(path) {
		return nil, "the message names no file on disk"
	}
	if strings.HasPrefix(name, ".") || !slices.Contains(extensions, filepath.Ext(path)) {
		return nil, name + " is no source file"
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, name + " is not there any more"
	case err != nil:
		return nil, name + " cannot be read"
	case !info.Mode().IsRegular():
		return nil, name + " is no regular file"
	case info.Size() > maxSize:
		return nil, name + " is larger than 2 MB"
	// A time in the future is a wrong clock, not a change.
	case !built.IsZero() && info.ModTime().After(built) && info.ModTime().Before(time.Now()):
		return nil, name + " has changed since it was compiled"
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, name + " cannot be read"
	}
	defer f.Close()
	if data, err = io.ReadAll(io.LimitReader(f, maxSize)); err != nil {
		return nil, name + " cannot be read"
	}
	return data, ""
}
