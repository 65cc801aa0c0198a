package linker

import (
	"bytes"
	"fmt"
	"strings"
)

// loader is the file of the linker that is changed, below GOROOT.
const loader = "src/cmd/link/internal/loader/loader.go"

// change is one of loader, in a function or anywhere.
type change struct {
	in       string // how the function begins
	old, new string
	times    int
}

// changes are the places where names, hashes and the bytes of objects are looked
// up; what is called there instead is in _loader/ahead.go. They are the same for Go
// 1.25 and 1.26. A linker in which one of them is not found is left alone.
var changes = []change{
	{"", "type oReader struct {", "type oReader struct {\n\tnumbers []int32 // see numbersOf", 1},
	{"", "make(map[string]Sym, 80000)", "make(map[string]Sym, room(80000))", 1},
	{"", "make(map[string]Sym, 50000)", "make(map[string]Sym, room(50000))", 1},
	{"func (st *loadState) addSym(", "oldi, existed := l.symsByName[ver][name]", "oldi, existed := l.named(r, li, name, ver)", 1},
	{"func (st *loadState) addSym(", "l.symsByName[ver][name] = i", "l.setNamed(r, li, name, ver, i)", 2},
	{"func (st *loadState) addSym(", "st.hashed64Syms[h64] = ss", "st.setHashed64(r, li, h64, ss)", 1},
	{"func (st *loadState) addSym(", "st.hashed64Syms[h64]", "st.hashed64(r, li, h64)", 1},
	{"func (st *loadState) addSym(", "st.hashedSyms[*h] = ss", "st.setHashed(r, li, *h, ss)", 1},
	{"func (st *loadState) addSym(", "st.hashedSyms[*h]", "st.hashed(r, li, *h)", 1},
	{"func (l *Loader) LookupOrCreateSym(", "l.symsByName[ver][name] = i", "l.setNamed(nil, 0, name, ver, i)", 1},
	{"func (l *Loader) Lookup(", "l.symsByName[ver][name]", "l.byName(name, ver)", 1},
	{"func (l *Loader) Preload(", "f.Slice(uint64(length))", "slice(f, uint64(length))", 1},
	{"func (l *Loader) Preload(", "\tl.addObj(lib.Pkg, or)", "\tor.numbers = numbersOf(roObject)\n\tl.addObj(lib.Pkg, or)", 1},
	{"func (l *Loader) LoadSyms(", "make(map[uint64]symAndSize, hashed64Size)", "make(map[uint64]symAndSize, room(hashed64Size))", 1},
	{"func (l *Loader) LoadSyms(", "make(map[goobj.HashType]symAndSize, hashedSize)", "make(map[goobj.HashType]symAndSize, room(hashedSize))", 1},
	{"func (l *Loader) LoadSyms(", "len(st.hashed64Syms) + len(st.hashedSyms)", "len(st.hashed64Syms) + len(st.hashedSyms) + ahead.hashed", 1},
	{"func loadObjRefs(", "l.LookupOrCreateSym(name, v)", "l.lookupOrCreateRef(r, ndef+i, name, v)", 1},
	{"func (l *Loader) UndefinedRelocTargets(", "\nouterloop:", "\n\tif !l.mayMiss() {\n\t\treturn result, fromr\n\t}\nouterloop:", 1},
}

// changed makes the changes.
func changed(src []byte) ([]byte, error) {
	for _, c := range changes {
		from, to := 0, len(src)
		if c.in != "" {
			if from = bytes.Index(src, []byte("\n"+c.in)); from < 0 {
				return nil, fmt.Errorf("%s has no %q", loader, c.in)
			}
			n := bytes.Index(src[from:], []byte("\n}\n"))
			if n < 0 {
				return nil, fmt.Errorf("%s: %q does not end", loader, c.in)
			}
			to = from + n
		}
		part := string(src[from:to])
		if n := strings.Count(part, c.old); n != c.times {
			return nil, fmt.Errorf("%s has %q %d times instead of %d", loader, c.old, n, c.times)
		}
		src = []byte(string(src[:from]) + strings.ReplaceAll(part, c.old, c.new) + string(src[to:]))
	}
	return src, nil
}
