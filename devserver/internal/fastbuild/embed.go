package fastbuild

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// embedded finds the files that go:embed patterns of the package in dir match,
// slashed and relative to it, by pattern. Where the go command would object, or
// might, it gives an error.
func embedded(dir string, patterns []string) (map[string][]string, error) {
	byPattern := map[string][]string{}
	root := os.DirFS(dir)
	for _, pattern := range patterns {
		glob, all := strings.CutPrefix(pattern, "all:")
		matches, err := fs.Glob(root, glob)
		if err != nil {
			return nil, fmt.Errorf("go:embed %s: %w", pattern, err)
		}
		files := map[string]bool{}
		for _, match := range matches {
			if err := inModule(dir, match); err != nil {
				return nil, fmt.Errorf("go:embed %s: %w", pattern, err)
			}
			if err := addEmbedded(files, dir, match, all); err != nil {
				return nil, fmt.Errorf("go:embed %s: %w", pattern, err)
			}
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("go:embed %s: no matching files found", pattern)
		}
		byPattern[pattern] = slices.Sorted(maps.Keys(files))
	}
	return byPattern, nil
}

// inModule objects to a match that lies in another module, below a link or in
// the directory of a version control system.
func inModule(dir, match string) error {
	for at := match; at != "."; at = path.Dir(at) {
		full := filepath.Join(dir, filepath.FromSlash(at))
		if _, err := os.Stat(filepath.Join(full, "go.mod")); err == nil {
			return fmt.Errorf("%s is in another module", match)
		}
		if fi, err := os.Lstat(full); err != nil || at != match && !fi.IsDir() {
			return fmt.Errorf("%s is below something that is not a directory", match)
		}
		if isVersionControl(path.Base(at)) {
			return fmt.Errorf("%s cannot be embedded", match)
		}
	}
	return nil
}

func isVersionControl(name string) bool {
	return slices.Contains([]string{".bzr", ".hg", ".git", ".svn"}, name)
}

// addEmbedded adds a file, or what is embedded of a directory.
func addEmbedded(files map[string]bool, dir, match string, all bool) error {
	fi, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(match)))
	switch {
	case err != nil:
		return err
	case fi.Mode().IsRegular():
		files[match] = true
		return nil
	case !fi.IsDir():
		return fmt.Errorf("%s is not a regular file", match)
	}
	before := len(files)
	err = fs.WalkDir(os.DirFS(dir), match, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_")
		leftOut := name != match && (hidden && !all || isVersionControl(d.Name()))
		switch {
		case d.IsDir() && leftOut:
			return fs.SkipDir
		case d.IsDir():
			if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name), "go.mod")); err == nil {
				return fs.SkipDir
			}
		case !leftOut && d.Type().IsRegular():
			files[name] = true
		}
		return nil
	})
	if err == nil && len(files) == before {
		err = fmt.Errorf("%s has no files to embed", match) // or another match has them already
	}
	return err
}

// embedConfig is the file for the compiler's -embedcfg; place says where a file is.
func embedConfig(byPattern map[string][]string, place func(name string) string) []byte {
	c := struct {
		Patterns map[string][]string
		Files    map[string]string
	}{byPattern, map[string]string{}}
	for _, names := range byPattern {
		for _, name := range names {
			c.Files[name] = place(name)
		}
	}
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings can be marshalled
	}
	return text
}
