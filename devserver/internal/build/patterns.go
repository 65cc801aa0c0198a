package build

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"devrun/devserver/internal/fault"
)

// What lines look like that are not positioned messages. Words that a C compiler
// says in the user's language are not relied on, only its punctuation.
var (
	// Progress, and the heading of messages that name their file themselves.
	isAside = regexp.MustCompile(`^go: (downloading |finding |errors parsing \S.*:$)`)
	isUsage = regexp.MustCompile(`^usage: (go build|compile|asm|cgo|link) `)
	// "In file included from x.h:3:", "ld: in function `f':", "running gcc failed" and the command.
	isLead      = regexp.MustCompile(`[:,]$|: running \S+ failed: `)
	isClosing   = regexp.MustCompile(`^(compilation terminated\.|collect2: |asm: assembly of |note: |clang: error: linker |\d+ (errors?|warnings?) .*generated\.)`)
	isNote      = regexp.MustCompile(`^note: `)
	isUndefined = regexp.MustCompile("undefined reference to .+|undefined symbol: .+")
	// Within a package's messages, those of linkers and the go command have no position.
	isStart = regexp.MustCompile(`^(go build |[^\s:]+: )`)
	isChain = regexp.MustCompile(`^package (\S+)$`)
	// cgo prints the whole program that it tried.
	isDump = regexp.MustCompile(`^cgo: gcc did not produce error`)

	isPosition  = regexp.MustCompile(`:(\d+)(?::(\d+))?: `)
	isTool      = regexp.MustCompile(`^(vet|\S*\bld(\.\w+)?): `)
	isFile      = regexp.MustCompile(`\.[A-Za-z]\w*$`)
	isGenerated = regexp.MustCompile(`/go-(build|link-)\d*/.*\.[cos]$|^\$WORK\b|_cgo_|\.cgo[12]\.|^cgo-`)
	isDrive     = regexp.MustCompile(`^[A-Za-z]:[\\/]`)
	isC         = regexp.MustCompile(`^[^/\\]+\.(c|cc|cpp|cxx|m|mm|h|hh|hpp|hxx|inc|f|F|for|f90|s|S|sx)$`)
)

// longestPath bounds where in a line a position is looked for; no system takes
// longer names.
const longestPath = 4096

// packageHeading is "# import/path", possibly with " [path.test]" behind it. In a
// dump of C source only a real path counts: "# endif" is none.
func packageHeading(line string, m mode) (pkg string, ok bool) {
	pkg, ok = strings.CutPrefix(line, "# ")
	pkg, _, _ = strings.Cut(pkg, " [")
	if !ok || pkg == "" || strings.ContainsAny(pkg, " \t[") || m == copying && !strings.ContainsAny(pkg, "./") {
		return "", false
	}
	return pkg, true
}

// place is where relative names in the output begin.
type place struct {
	dir  string
	dirs map[string]string // of packages, by import path
}

// position reads "file:line:col: message" or "file:line: message".
func (p place) position(text, pkg string) (fault.Diagnostic, bool) {
	if strings.HasPrefix(text, "go: ") {
		return fault.Diagnostic{}, false // may well hold host:port
	}
	text = strings.TrimPrefix(text, isTool.FindString(text))
	for from := 0; from < longestPath; {
		m := isPosition.FindStringSubmatchIndex(text[from:])
		if m == nil || from+m[0] > longestPath {
			break
		}
		name, message := text[:from+m[0]], text[from+m[1]:]
		line, err := strconv.Atoi(text[from+m[2] : from+m[3]])
		col := 0
		if err == nil && m[4] >= 0 {
			col, err = strconv.Atoi(text[from+m[4] : from+m[5]])
		}
		if err == nil && message != "" && isSource(name) {
			file := p.resolve(name, pkg)
			return fault.Diagnostic{File: file, Rel: shorter(p.dir, file), Line: line, Col: col, Message: message}, true
		}
		from += m[0] + 1
	}
	return fault.Diagnostic{}, false
}

// isSource tells a file that a person may edit from a host name, a number, a
// sentence and what cgo generates. A colon and a blank are in a name only where
// the compiler makes plain that it is one.
func isSource(name string) bool {
	if !isFile.MatchString(name) || isGenerated.MatchString(name) {
		return false
	}
	return !strings.Contains(name, ": ") || strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../")
}

func (p place) resolve(name, pkg string) string {
	switch dir := p.dirs[pkg]; {
	case filepath.IsAbs(name):
		return filepath.Clean(name)
	case isDrive.MatchString(name):
		return name
	case dir != "" && isC.MatchString(name):
		return filepath.Join(dir, name)
	}
	return filepath.Join(p.dir, filepath.FromSlash(name))
}

// shorter is file relative to dir, or file where that is the shorter name.
func shorter(dir, file string) string {
	if rel, err := filepath.Rel(dir, file); err == nil && len(rel) < len(file) {
		return rel
	}
	return file
}
