package inspect

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/go-delve/delve/pkg/dwarf/godwarf"

	"devrun/devserver/internal/fault"
)

// load fills in what can be said of n by itself: the text of what has no parts,
// the sizes of what has.
func (w *walk) load(n *node) {
	var err error
	switch t := n.real.(type) {
	case *godwarf.BoolType:
		n.v.Kind = fault.Bool
		var x uint64
		x, err = number(n.mem, n.addr, 1)
		n.v.Text = strconv.FormatBool(x != 0)
	case *godwarf.IntType, *godwarf.CharType:
		n.v.Kind = fault.Number
		var x uint64
		x, err = number(n.mem, n.addr, t.Size())
		shift := 64 - 8*t.Size()
		i := int64(x<<shift) >> shift
		n.v.Text = strconv.FormatInt(i, 10)
		if n.v.Type == "time.Duration" {
			n.v.Text = duration(i)
		}
	case *godwarf.UintType, *godwarf.UcharType:
		n.v.Kind = fault.Number
		var x uint64
		x, err = number(n.mem, n.addr, t.Size())
		n.v.Text = strconv.FormatUint(x, 10)
		if n.v.Type == "uintptr" {
			n.v.Text = hex(x)
		}
	case *godwarf.FloatType:
		n.v.Kind = fault.Number
		n.v.Text, err = w.float(n.mem, n.addr, t.ByteSize)
	case *godwarf.ComplexType:
		n.v.Kind = fault.Other
		var re, im string
		if re, err = w.float(n.mem, n.addr, t.ByteSize/2); err == nil {
			im, err = w.float(n.mem, n.addr+uint64(t.ByteSize/2), t.ByteSize/2)
		}
		if im != "" && im[0] != '-' && im[0] != '+' {
			im = "+" + im
		}
		n.v.Text = "(" + re + im + "i)"
	case *godwarf.StringType:
		n.v.Kind = fault.String
		err = w.loadString(n)
	case *godwarf.PtrType:
		err = w.loadPointer(n, t)
	case *godwarf.InterfaceType:
		n.v.Kind = fault.Interface
		err = w.loadInterface(n, t)
	case *godwarf.StructType:
		n.v.Kind = fault.Struct
		if n.v.Type == "time.Time" {
			n.v.Text, err = w.time(n.mem, n.addr, t)
		} else {
			n.size = int64(len(t.Field))
		}
	case *godwarf.ArrayType:
		n.v.Kind = fault.Array
		n.v.Len, n.v.Cap, n.size = t.Count, t.Count, t.Count
	case *godwarf.SliceType:
		n.v.Kind = fault.Slice
		err = w.loadSlice(n, t)
	case *godwarf.MapType:
		n.v.Kind = fault.Map
		err = w.loadMap(n, t)
	case *godwarf.ChanType:
		n.v.Kind = fault.Chan
		err = w.loadChan(n, t)
	case *godwarf.FuncType:
		n.v.Kind = fault.Func
		err = w.loadFunc(n)
	case *godwarf.VoidType, *godwarf.UnspecifiedType:
		n.v.Kind = fault.Other
		err = errors.New("the debug information does not know its type")
	default:
		n.v.Kind = fault.Other
		err = fmt.Errorf("values of %T are not known", t)
	}
	if err != nil {
		n.v.Unreadable, n.v.Text = err.Error(), ""
	}
}

func hex(x uint64) string { return "0x" + strconv.FormatUint(x, 16) }

func (w *walk) float(m reader, addr uint64, size int64) (string, error) {
	x, err := number(m, addr, size)
	if size == 4 {
		return strconv.FormatFloat(float64(math.Float32frombits(uint32(x))), 'g', -1, 32), err
	}
	return strconv.FormatFloat(math.Float64frombits(x), 'g', -1, 64), err
}

// words reads a header of up to three words.
func words(m reader, addr uint64, n int) (w [3]uint64, err error) {
	for i := range n {
		if w[i], err = number(m, addr+uint64(8*i), 8); err != nil {
			break
		}
	}
	return w, err
}

var errDamaged = errors.New("the value is damaged, or was being written")

// extent fails for n elements at addr that cannot all be there.
func (w *walk) extent(addr, n uint64, size int64) error {
	if n == 0 || size <= 0 {
		return nil
	}
	if n > maxAddr || n*uint64(size)/uint64(size) != n || addr < pageSize || addr >= maxAddr || n*uint64(size) > maxAddr-addr {
		return fmt.Errorf("%d elements cannot be at %#x: %w", n, addr, errDamaged)
	}
	var b [1]byte
	for _, a := range []uint64{addr, addr + n*uint64(size) - 1} {
		if _, err := w.mem.ReadMemory(b[:], a); err != nil {
			return fmt.Errorf("%d elements cannot be at %#x: %w", n, addr, errDamaged)
		}
	}
	return nil
}

func (w *walk) loadString(n *node) error {
	h, err := words(n.mem, n.addr, 2)
	if err != nil {
		return err
	}
	if err := w.extent(h[0], h[1], 1); err != nil {
		return err
	}
	n.v.Len = int64(h[1])
	n.v.Text, n.v.Cut, err = w.quote(h[0], h[1])
	return err
}

// quote is the beginning of a string as a literal, and how many bytes are left
// out.
func (w *walk) quote(addr, size uint64) (string, int64, error) {
	b := make([]byte, min(size, uint64(w.l.String)))
	if len(b) > 0 {
		if _, err := w.mem.ReadMemory(b, addr); err != nil {
			return "", 0, err
		}
	}
	if uint64(len(b)) < size { // not in the middle of a character
		for i := 0; i < utf8.UTFMax-1 && i < len(b); i++ {
			if r := b[len(b)-1-i]; utf8.RuneStart(r) {
				if !utf8.FullRune(b[len(b)-1-i:]) {
					b = b[:len(b)-1-i]
				}
				break
			}
		}
	}
	cut := int64(size) - int64(len(b))
	text := strconv.Quote(string(b))
	if cut > 0 {
		text += "…"
	}
	return text, cut, nil
}

func (w *walk) loadPointer(n *node, t *godwarf.PtrType) error {
	n.v.Kind = fault.Pointer
	p, err := number(n.mem, n.addr, 8)
	if err != nil {
		return err
	}
	n.word, n.v.Nil = p, p == 0
	if _, void := t.Type.(*godwarf.VoidType); void {
		n.v.Kind, n.v.Text = fault.Other, hex(p)
		if n.v.Nil {
			n.v.Text = "nil"
		}
		return nil
	}
	if p == 0 {
		return nil
	}
	if err := w.extent(p, 1, w.b.sizeOf(t.Type)); err != nil {
		return nothingAt(p)
	}
	n.target = identity{addr: p, typ: w.b.typeName(t.Type)}
	n.size, n.deref = 1, true
	if s, ok := godwarf.ResolveTypedef(t.Type).(*godwarf.StructType); ok && n.target.typ != "time.Time" {
		n.size, n.deref = int64(len(s.Field)), false
	}
	if w.b.sizeOf(t.Type) == 0 {
		n.target = identity{} // all of these may have one address
	}
	return nil
}

func (w *walk) loadSlice(n *node, t *godwarf.SliceType) error {
	h, err := words(n.mem, n.addr, 3)
	if err != nil {
		return err
	}
	n.word, n.v.Nil = h[0], h[0] == 0
	if n.v.Nil && h[2] == 0 {
		return nil
	}
	if h[1] > h[2] {
		return fmt.Errorf("its length is %d and its capacity %d", h[1], h[2])
	}
	if err := w.extent(h[0], h[2], w.b.sizeOf(t.ElemType)); err != nil {
		return err
	}
	n.v.Len, n.v.Cap = int64(h[1]), int64(h[2])
	if isByte(t.ElemType) && h[1] > 0 {
		text, cut, err := w.quote(h[0], h[1])
		if err == nil && printable(text) {
			n.v.Text, n.v.Cut = text, cut
			return nil
		}
	}
	n.size = n.v.Len
	if n.size > 0 && w.b.sizeOf(t.ElemType) > 0 {
		n.target = identity{h[0], n.v.Type, n.v.Len}
	}
	return nil
}

func isByte(t godwarf.Type) bool {
	u, ok := godwarf.ResolveTypedef(t).(*godwarf.UintType)
	return ok && u.ByteSize == 1
}

// printable says whether a literal reads as text.
func printable(literal string) bool {
	s, err := strconv.Unquote(trimCut(literal))
	if err != nil || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r != '\n' && r != '\t' && r != '\r' && !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

func (w *walk) loadChan(n *node, t *godwarf.ChanType) error {
	p, err := number(n.mem, n.addr, 8)
	if err != nil {
		return err
	}
	n.word, n.v.Nil = p, p == 0
	if p == 0 {
		return nil
	}
	if _, err := number(w.mem, p, 1); err != nil {
		return nothingAt(p)
	}
	get := func(name string) (x uint64) {
		f := chanField(t, name)
		if f == nil {
			err = errForm
		} else if err == nil {
			x, err = number(w.mem, p+uint64(f.ByteOffset), f.Type.Size())
		}
		return x
	}
	count, size := get("qcount"), get("dataqsiz")
	if err == nil && count > size {
		err = fmt.Errorf("it holds %d of %d", count, size)
	}
	if err == nil {
		err = w.extent(get("buf"), size, w.b.sizeOf(t.ElemType))
	}
	if err != nil {
		return err
	}
	n.v.Len, n.v.Cap, n.size = int64(count), int64(size), int64(count)
	n.target = identity{addr: p, typ: n.v.Type}
	if get("closed") != 0 {
		n.v.Text = "closed"
	}
	return err
}

func nothingAt(p uint64) error { return fmt.Errorf("it points to %#x, where nothing is", p) }

func chanField(t *godwarf.ChanType, name string) *godwarf.StructField {
	if p, ok := godwarf.ResolveTypedef(t.Type).(*godwarf.PtrType); ok {
		return field(p.Type, name)
	}
	return nil
}

func (w *walk) loadFunc(n *node) error {
	p, err := number(n.mem, n.addr, 8)
	if err != nil {
		return err
	}
	n.word, n.v.Nil = p, p == 0
	if p == 0 {
		return nil
	}
	pc, err := number(w.mem, p, 8)
	if err != nil {
		return nothingAt(p)
	}
	fn := w.b.bi.PCToFunc(pc)
	if fn == nil || fn.Entry != pc {
		return fmt.Errorf("no function begins at %#x", pc)
	}
	n.v.Text = funcName(fn.Name)
	return nil
}

// loadInterface finds out what the interface holds.
func (w *walk) loadInterface(n *node, t *godwarf.InterfaceType) error {
	h, err := words(n.mem, n.addr, 2)
	if err != nil {
		return err
	}
	n.v.Nil = h[0] == 0
	if n.v.Nil {
		return nil
	}
	rtype := h[0]
	if field(t.Type, "tab") != nil {
		if rtype, err = number(w.mem, h[0]+uint64(w.b.abi.itabType), 8); err != nil {
			return fmt.Errorf("it has no table of methods at %#x", h[0])
		}
	}
	dyn, direct, err := w.runtimeType(rtype, 0)
	if err != nil {
		return err
	}
	n.dyn, n.word, n.size, n.deref = dyn, h[1], 1, true
	if direct {
		n.word = n.addr + 8
	}
	return nil
}
