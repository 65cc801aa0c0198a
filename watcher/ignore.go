package watcher

import (
	"path/filepath"
	"strings"
)

// builtin reports whether a name inside a tree is left out whatever .gitignore
// says: version control, installed packages, editors' own state. "vendor" and
// "testdata" are not among them: they hold what an app is built of.
func builtin(name string) bool {
	switch name {
	case ".git", ".hg", ".svn", ".jj", "node_modules", ".idea", ".vscode", ".DS_Store":
		return true
	}
	return temporary(name)
}

// temporary reports whether name is one that editors and rewriting tools give to
// files that live for the time of a save.
func temporary(name string) bool {
	switch ext := filepath.Ext(name); {
	case name == "4913": // vim's probe whether it may write here
		return true
	case ext == ".swp" || ext == ".swo" || ext == ".swx":
		return true
	case strings.HasSuffix(name, "~"), strings.HasPrefix(name, ".#"):
		return true
	case len(name) > 1 && name[0] == '#' && name[len(name)-1] == '#':
		return true
	case strings.HasSuffix(name, "___jb_tmp___"), strings.HasSuffix(name, "___jb_old___"):
		return true
	case strings.HasPrefix(name, ".goutputstream-"):
		return true
	case strings.HasSuffix(strings.TrimSuffix(name, ext), ".go") && allDigits(ext[1:]): // gofmt -w
		return true
	}
	return sedTemporary(name)
}

// sedTemporary knows "sed" and six random characters; one of them must be a
// digit or a capital, so that words like "sediments" stay visible.
func sedTemporary(name string) bool {
	random, ok := strings.CutPrefix(name, "sed")
	if !ok || len(random) != 6 {
		return false
	}
	odd := false
	for _, c := range random {
		switch {
		case '0' <= c && c <= '9' || 'A' <= c && c <= 'Z':
			odd = true
		case c < 'a' || c > 'z':
			return false
		}
	}
	return odd
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
