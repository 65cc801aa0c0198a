package loader

import (
	"bufio"
	"bytes"
	"cmd/internal/bio"
	"cmd/internal/goobj"
	"cmd/link/internal/sym"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// reading is what was read of archives before the link was known. It holds nothing
// that depends on the link: neither the order of objects nor a symbol. What it saves
// is looking for names and hashes in maps: each has a number here, for which a
// slice does.
type reading struct {
	objects map[place]*object
	data    map[*byte]*object // by the first byte of object.data

	names map[string]int32 // numbers begin at 1
	short map[uint64]int32
	long  map[goobj.HashType]int32

	// Of the link, by number.
	byName  [2][]Sym // and version
	byShort []symAndSize
	byLong  []symAndSize
	hashed  int // symbols in byShort and byLong
}

// place is where in which file an object begins.
type place struct {
	file string
	off  int64
}

// object is one that was read ahead.
type object struct {
	data    []byte
	stat    syscall.Stat_t // of the file
	numbers []int32        // by local index: of a name or a hash; 0 for a symbol that has none
}

// ahead is empty in a linker that is run in the ordinary way.
var ahead = &reading{}

// Ahead reports whether there was anything to read.
func Ahead() bool { return len(ahead.objects) > 0 }

// init reads the archives whose names are the lines of a file, then waits for
// a line with the arguments of the link. There is no link if none comes.
func init() {
	list := os.Getenv("DEVRUN_LINK_AHEAD")
	if list == "" {
		return
	}
	os.Unsetenv("DEVRUN_LINK_AHEAD")
	a, err := readAhead(list)
	var args []string
	if err == nil {
		var line []byte
		line, err = bufio.NewReader(os.Stdin).ReadBytes('\n')
		if err == io.EOF {
			os.Exit(0)
		}
		if err == nil {
			err = json.Unmarshal(line, &args)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "link:", err)
		os.Exit(2)
	}
	os.Args = append(os.Args[:1], args...)
	ahead = a
}

func readAhead(list string) (*reading, error) {
	text, err := os.ReadFile(list)
	if err != nil {
		return nil, err
	}
	a := &reading{
		objects: map[place]*object{}, data: map[*byte]*object{},
		names: make(map[string]int32, 1<<17), short: make(map[uint64]int32, 1<<13), long: make(map[goobj.HashType]int32, 1<<15),
	}
	for _, file := range strings.Split(string(text), "\n") {
		a.archive(file)
	}
	for v := range a.byName {
		a.byName[v] = make([]Sym, len(a.names)+1)
	}
	a.byShort = make([]symAndSize, len(a.short)+1)
	a.byLong = make([]symAndSize, len(a.long)+1)
	a.warmHeap()
	return a, nil
}

// warmHeap has the runtime keep memory that the kernel has given it, about as much
// as the link will want: to be given it in the middle of the link, a page at a time,
// would take a tenth of that.
func (a *reading) warmHeap() {
	const (
		page      = 4096
		perSymbol = 96 // bytes, as measured of a small program and a large one
	)
	n := 0
	for _, o := range a.objects {
		n += len(o.numbers)
	}
	memory := make([]byte, n*perSymbol)
	for i := 0; i < len(memory); i += page {
		memory[i] = 1
	}
	runtime.GC() // memory is free by now, and stays in the heap
}

// archive reads one. What is wrong with a file is for the link to say: it reads
// itself what is not here.
func (a *reading) archive(file string) {
	f, err := os.Open(file)
	if err != nil {
		return
	}
	defer f.Close()
	var stat syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &stat); err != nil || stat.Size == 0 {
		return
	}
	all, err := syscall.Mmap(int(f.Fd()), 0, int(stat.Size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return
	}
	const magic, header = "!<arch>\n", 60
	if !bytes.HasPrefix(all, []byte(magic)) {
		return
	}
	for off := len(magic); off+header <= len(all); {
		name, text := string(all[off:off+16]), string(all[off+48:off+58])
		off += header
		size, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || size < 0 || off+size > len(all) {
			return
		}
		member := all[off : off+size : off+size]
		if strings.TrimSpace(name) != "__.PKGDEF" && bytes.HasPrefix(member, []byte("go object ")) {
			if i := bytes.Index(member, []byte("\n!\n")); i >= 0 {
				i += len("\n!\n")
				a.object(place{file, int64(off + i)}, &object{data: member[i:], stat: stat})
			}
		}
		off += size + size%2
	}
}

func (a *reading) object(at place, o *object) {
	if !bytes.HasPrefix(o.data, []byte(goobj.Magic)) {
		return
	}
	r := goobj.NewReaderFromBytes(o.data, true)
	if r == nil {
		return
	}
	short := r.NSym()
	long := short + r.NHashed64def()
	named := long + r.NHasheddef()
	o.numbers = make([]int32, named+r.NNonpkgdef()+r.NNonpkgref())
	for i := range o.numbers {
		switch {
		case short <= i && i < long:
			o.numbers[i] = number(a.short, r.Hash64(uint32(i-short)))
		case long <= i && i < named:
			o.numbers[i] = number(a.long, *r.Hash(uint32(i - long)))
		default:
			s := r.Sym(uint32(i))
			if s.ABI() == goobj.SymABIstatic {
				continue
			}
			if name := s.Name(r); name != "" {
				o.numbers[i] = number(a.names, name)
			}
		}
	}
	a.objects[at], a.data[&o.data[0]] = o, o
}

func number[K comparable](m map[K]int32, k K) int32 {
	n, ok := m[k]
	if !ok {
		n = int32(len(m) + 1)
		m[k] = n
	}
	return n
}

// slice gives the next bytes of f: those that were read ahead, if the file is
// still the same.
func slice(f *bio.Reader, length uint64) ([]byte, bool, error) {
	o := ahead.objects[place{f.File().Name(), f.Offset()}]
	var now syscall.Stat_t
	if o != nil && uint64(len(o.data)) == length && syscall.Fstat(int(f.File().Fd()), &now) == nil &&
		now.Dev == o.stat.Dev && now.Ino == o.stat.Ino && now.Size == o.stat.Size && now.Mtim == o.stat.Mtim {
		return o.data, true, nil
	}
	return f.Slice(length)
}

// numbersOf is nil for an object that was not read ahead.
func numbersOf(data []byte) []int32 {
	if len(data) == 0 {
		return nil
	}
	if o := ahead.data[&data[0]]; o != nil {
		return o.numbers
	}
	return nil
}

// nameNumber is 0 for a name that is in no object that was read ahead.
func nameNumber(r *oReader, li uint32, name string) int32 {
	if r != nil && r.numbers != nil {
		return r.numbers[li]
	}
	return ahead.names[name]
}

func (l *Loader) named(r *oReader, li uint32, name string, ver int) (Sym, bool) {
	if n := nameNumber(r, li, name); n != 0 {
		s := ahead.byName[ver][n]
		return s, s != 0
	}
	s, ok := l.symsByName[ver][name]
	return s, ok
}

func (l *Loader) setNamed(r *oReader, li uint32, name string, ver int, s Sym) {
	if n := nameNumber(r, li, name); n != 0 {
		ahead.byName[ver][n] = s
		return
	}
	l.symsByName[ver][name] = s
}

func (l *Loader) byName(name string, ver int) Sym {
	s, _ := l.named(nil, 0, name, ver)
	return s
}

// lookupOrCreateRef is LookupOrCreateSym for a symbol that r refers to.
func (l *Loader) lookupOrCreateRef(r *oReader, li uint32, name string, ver int) Sym {
	if r.numbers != nil && r.numbers[li] != 0 && (ver == 0 || ver == 1) {
		at := &ahead.byName[ver][r.numbers[li]]
		if *at == 0 {
			*at = l.newExtSym(name, ver)
		}
		return *at
	}
	return l.LookupOrCreateSym(name, ver)
}

func (st *loadState) hashed64(r *oReader, li uint32, h uint64) (symAndSize, bool) {
	return hashed(r, li, h, ahead.short, ahead.byShort, st.hashed64Syms)
}

func (st *loadState) setHashed64(r *oReader, li uint32, h uint64, s symAndSize) {
	setHashed(r, li, h, s, ahead.short, ahead.byShort, st.hashed64Syms)
}

func (st *loadState) hashed(r *oReader, li uint32, h goobj.HashType) (symAndSize, bool) {
	return hashed(r, li, h, ahead.long, ahead.byLong, st.hashedSyms)
}

func (st *loadState) setHashed(r *oReader, li uint32, h goobj.HashType, s symAndSize) {
	setHashed(r, li, h, s, ahead.long, ahead.byLong, st.hashedSyms)
}

func hashed[K comparable](r *oReader, li uint32, h K, numbers map[K]int32, read []symAndSize, others map[K]symAndSize) (symAndSize, bool) {
	if n := hashNumber(r, li, h, numbers); n != 0 {
		return read[n], read[n].sym != 0
	}
	s, ok := others[h]
	return s, ok
}

func setHashed[K comparable](r *oReader, li uint32, h K, s symAndSize, numbers map[K]int32, read []symAndSize, others map[K]symAndSize) {
	n := hashNumber(r, li, h, numbers)
	if n == 0 {
		others[h] = s
		return
	}
	if read[n].sym == 0 {
		ahead.hashed++
	}
	read[n] = s
}

// hashNumber is 0 for a hash that is in no object that was read ahead.
func hashNumber[K comparable](r *oReader, li uint32, h K, numbers map[K]int32) int32 {
	if r.numbers != nil {
		return r.numbers[li]
	}
	return numbers[h]
}

// mayMiss reports whether UndefinedRelocTargets, which looks at every relocation
// there is, can find something: only objects of C's have symbols of that kind.
func (l *Loader) mayMiss() bool {
	for _, s := range l.extReader.syms {
		if l.SymType(s) == sym.SXREF && l.SymName(s) != ".got" {
			return true
		}
	}
	return false
}

// room is how large a map is made of what was not read ahead.
func room(n int) int {
	if Ahead() {
		return 0
	}
	return n
}
