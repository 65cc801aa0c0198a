package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"strings"
	"sync"
	"time"
	"unsafe"

	strange "example.com/inspected/odd.v3"
	"example.com/inspected/shop"
)

var scenarios = map[string]func(){
	"plain":    func() { plain(7, "seven", 1.5) },
	"nils":     nils,
	"maps":     mapsOfSizes,
	"cycles":   cycles,
	"strings":  stringsOfKinds,
	"ifaces":   ifaces,
	"closures": closures,
	"generics": generics,
	"shadows":  func() { shadows(1) },
	"chans":    chans,
	"damaged":  damaged,
	"times":    times,
	"large":    large,
	"method":   func() { (&account{ID: 9, Base: Base{Kind: "b"}}).close(true) },
	"nested":   nested,
	"deferred": deferred,
	"library":  library,
	"repanic":  repanic,
	"ranges":   ranges,
	"mutated":  mutated,
	"roomless": roomless,
	"runtime":  func() { var p *account; fmt.Println(p.ID) },
}

func use(...any) {}

type Base struct{ Kind string }

type account struct {
	Base
	*shop.Item
	ID     int
	secret []byte
	_      int
	note   struct {
		A, B int8
	}
}

func (a *account) close(now bool) (done int, err error) {
	done = 3
	err = io.EOF
	if now {
		panic("closed")
	}
	return 0, nil
}

func plain(n int, s string, f float64) (result uint8) {
	var (
		i8   int8       = -8
		u16  uint16     = 16
		f32  float32    = 0.1
		c    complex128 = complex(1, -2)
		b               = true
		r               = 'x'
		ptr             = uintptr(0xff)
		arr             = [3]int{1, 2, 3}
		sl              = append(make([]string, 0, 4), "a", "b", "c")
		item            = shop.New("pear", 3)
		odd             = strange.New(1)
		anon            = struct {
			X int `json:"x.y/z"`
			Y string
		}{1, "y"}
		matrix = [2][2]int{{1, 2}, {3, 4}}
		inf    = math.Inf(-1)
		pp     = &item
		pi     = &n
		raw    = []byte("raw text\n")
		bin    = []byte{0, 1, 255}
		d      = 1500 * time.Millisecond
		empty  = struct{}{}
		list   = []shop.Item{{Name: "x"}}
		pf     = &f32
		up     = unsafe.Pointer(nil)
	)
	result = 5
	use(i8, u16, f32, c, b, r, ptr, arr, sl, item, odd, anon, matrix, inf, pp, pi, raw, bin, d, empty, list, pf, up)
	if n == 7 {
		panic("plain")
	}
	later := 1
	use(later)
	return result
}

func nils() {
	var (
		p *int
		s []int
		m map[string]int
		c chan int
		f func()
		i any
		e error
		t *account
		u unsafe.Pointer
		z     = []int{}
		n any = (*account)(nil)
	)
	use(p, s, m, c, f, i, e, t, u, z, n)
	panic("nils")
}

type key struct {
	A int
	B string
}

type big struct{ Words [40]int }

func mapsOfSizes() {
	fill := func(n int) map[int]string {
		m := map[int]string{}
		for i := range n {
			m[i] = fmt.Sprint("v", i)
		}
		return m
	}
	m0, m1, m8, m21, m1000 := fill(0), fill(1), fill(8), fill(21), fill(1000)
	gaps := fill(300)
	for i := range 290 {
		delete(gaps, i)
	}
	keys := map[key]float64{{1, "x"}: 1.5, {2, "y"}: 2.5}
	anys := map[any]any{1: "one", "two": 2, key{3, "z"}: nil}
	wide := map[big]big{{[40]int{1}}: {[40]int{2}}}
	sets := map[string]struct{}{"a": {}, "b": {}}
	of := map[string]map[string][]int{"a": {"b": {1}}}
	sparse := make(map[int]int, 200000)
	sparse[5] = 50
	use(m0, m1, m8, m21, m1000, gaps, keys, anys, wide, sets, of, sparse)
	panic("maps")
}

type knot struct {
	Name string
	Next *knot
	All  []*knot
	Any  any
}

type T []T

func cycles() {
	a := &knot{Name: "a"}
	b := &knot{Name: "b", Next: a}
	a.Next = b
	a.All = []*knot{a, b}
	a.Any = a
	self := []any{nil, 1}
	self[0] = self
	m := map[string]any{}
	m["m"] = m
	t := make(T, 2)
	t[0] = t
	var i any
	i = &i
	type P *P
	var p P
	p = &p
	list := &knot{}
	for range 1000000 {
		list = &knot{Next: list}
	}
	use(a, b, self, m, t, i, p, list)
	panic("cycles")
}

func stringsOfKinds() {
	empty := ""
	uni := "grüße 世界 🎈"
	nul := "a\x00b"
	bad := "\xff\xfe"
	quote := "\"\\\n\t"
	long := strings.Repeat("é", 500)
	room := make([]byte, 1<<30)
	copy(room, "giga")
	giga := unsafe.String(&room[0], len(room))
	deep := struct{ S string }{long}
	named := url.Userinfo{}
	use(empty, uni, nul, bad, quote, long, giga, deep, named)
	panic("strings")
}

type myInt int

func (m myInt) String() string { return "method" }

type pair struct{ A, B any }

func ifaces() {
	var (
		number  any          = 5
		text    any          = "five"
		named   fmt.Stringer = myInt(6)
		pointer any          = shop.New("fig", 1)
		value   any          = shop.Item{Name: "kiwi"}
		err     error        = &shop.Error{Code: 7}
		wrapped              = fmt.Errorf("outer: %w", err)
		joined               = errors.Join(err, io.EOF)
		slice   any          = []int{1, 2}
		fn      any          = strings.ToUpper
		both                 = pair{1, pair{"x", nil}}
		single  any          = struct{ P *int }{nil}
		list                 = []any{1, "a", nil, 2.5, []string{"b"}, map[string]int{"c": 1}}
		ctx                  = context.WithValue(context.Background(), key{1, "k"}, "v")
		nilptr  error        = (*shop.Error)(nil)
		rare                 = []any{[3]bool{true}, struct{ q [2]myInt }{[2]myInt{1, 2}}, &[1]struct{ R shop.Item }{}}
		mu      sync.Mutex
	)
	use(number, text, named, pointer, value, err, wrapped, joined, slice, fn, both, single, list, ctx, nilptr, rare, &mu)
	panic("interfaces")
}

func closures() {
	count := 1
	name := "outer"
	local := 2
	add := func(n int) int {
		inner := 3
		count += n
		if n > 0 {
			panic(name)
		}
		return inner
	}
	method := (&account{ID: 1}).close
	expr := (*account).close
	std := strings.ToUpper
	use(method, expr, std, local)
	add(1)
}

func apply[K comparable, V any](m map[K]V, f func(K, V)) {
	var zero V
	var keys []K
	var one K
	for k, v := range m {
		keys = append(keys, k)
		one = k
		f(k, v)
	}
	use(zero, one)
}

func generics() {
	cart := &shop.Cart[shop.Item]{Items: []shop.Item{{Name: "nut"}}}
	names := shop.Cart[string]{Items: []string{"a"}}
	use(names)
	apply(map[string]*shop.Item{"k": shop.New("oat", 2)}, func(k string, v *shop.Item) {
		cart.Each(func(i shop.Item) {
			panic(i.Name + k)
		})
	})
}

func shadows(x int) {
	y := "outer"
	if x := "inner"; x != "" {
		y := 2.5
		for x := range 3 {
			if x == 2 {
				use(x, y)
				panic("shadows")
			}
		}
	}
	use(y)
}

func chans() {
	full := make(chan int, 3)
	for i := range 4 {
		if i == 3 {
			<-full
		}
		full <- i
	}
	closed := make(chan string, 2)
	closed <- "last"
	close(closed)
	sync := make(chan struct{})
	only := (<-chan int)(full)
	send := (chan<- int)(full)
	use(full, closed, sync, only, send)
	panic("chans")
}

func damaged() {
	type header struct {
		Data uintptr
		Len  int
		Cap  int
	}
	long, slice, wild, iface, back, pointer := "", []int(nil), "", any(nil), []string(nil), (*account)(nil)
	(*header)(unsafe.Pointer(&long)).Len = 1 << 40
	(*header)(unsafe.Pointer(&long)).Data = 0x12345000
	*(*header)(unsafe.Pointer(&slice)) = header{0xdead0000, 1 << 50, 1 << 50}
	*(*[2]uintptr)(unsafe.Pointer(&wild)) = [2]uintptr{^uintptr(0) - 4, 1 << 62}
	*(*[2]uintptr)(unsafe.Pointer(&iface)) = [2]uintptr{0x1234, 0x5678}
	*(*header)(unsafe.Pointer(&back)) = header{0xdead0000, 5, 3}
	*(*uintptr)(unsafe.Pointer(&pointer)) = 0xdead0008
	var m map[string]int
	*(*uintptr)(unsafe.Pointer(&m)) = 0xdead0010
	var f func()
	junk := new([4]uintptr)
	junk[0] = 0x99
	*(*unsafe.Pointer)(unsafe.Pointer(&f)) = unsafe.Pointer(junk)
	var c chan int
	*(*uintptr)(unsafe.Pointer(&c)) = 0xdead0018
	junkMap := new([64]uint64)
	for i := range junkMap {
		junkMap[i] = 0xfffffffffffffff0
	}
	var m2 map[int]int
	*(*unsafe.Pointer)(unsafe.Pointer(&m2)) = unsafe.Pointer(junkMap)
	sane := "sane"
	panic(sane)
}

func times() {
	zero := time.Time{}
	utc := time.Date(2024, 2, 29, 12, 0, 0, 5000, time.UTC)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	summer := time.Date(1999, 7, 1, 12, 0, 0, 0, berlin)
	winter := time.Date(2031, 1, 1, 12, 0, 0, 0, berlin)
	fixed := time.Date(1960, 1, 1, 0, 0, 0, 1, time.FixedZone("X", -3600))
	local := time.Date(2024, 1, 1, 0, 0, 0, 0, time.Local)
	now := time.Now()
	pointer := &utc
	hold := struct {
		At  time.Time
		For time.Duration
		Any any
	}{utc, time.Hour, utc}
	var day = time.Tuesday
	text := []string{zero.String(), utc.String(), summer.String(), winter.String(), fixed.String(), local.String(), now.Round(0).String()}
	use(zero, utc, summer, winter, fixed, local, now, pointer, hold, day, text)
	panic("times")
}

func large() {
	ints := make([]int, 100_000_000)
	structs := make([]account, 1000)
	var array [100000]int
	array[1] = 1
	deep := &knot{Name: "0"}
	at := deep
	for i := range 30 {
		at.Next = &knot{Name: fmt.Sprint(i + 1)}
		at = at.Next
	}
	sets := make(map[int]bool, 1_000_000)
	for i := range 1_000_000 {
		sets[i] = true
	}
	after := "still here"
	use(ints, structs, &array, deep, sets, after)
	panic("large")
}

func nested() {
	outer := 1
	func() {
		middle := 2
		func() {
			inner := 3
			use(inner)
			panic("nested")
		}()
		use(middle)
	}()
	use(outer)
}

func deferred() {
	name := "body"
	defer func() {
		if r := recover(); r != nil {
			cleanup := "deferred"
			use(cleanup)
			panic(fmt.Sprint("again: ", r))
		}
	}()
	use(name)
	panic("first")
}

func library() {
	order := []int{3, 1, 2}
	once := new(sync.Once)
	once.Do(func() {
		inOnce := 1
		use(inOnce, order)
		strings.Map(func(r rune) rune {
			panic(r)
		}, "a")
	})
}

func repanic() {
	defer func() {
		panic(recover())
	}()
	level := 1
	use(level)
	panic("one")
}

func each(yield func(int, string) bool) {
	seen := "in each"
	use(seen)
	for i := range 3 {
		if !yield(i, fmt.Sprint("n", i)) {
			return
		}
	}
}

func ranges() {
	before := "before"
	for i, s := range each {
		body := i * 10
		if i == 2 {
			use(before, s, body)
			panic("ranges")
		}
	}
}

func mutated() {
	theMap := shared
	here := "here"
	use(theMap, here)
	panic("mutated")
}

type (
	doubles [2][0]int
	marked  struct {
		_     [0][3]int // no room, and any [3]int is its element
		Marks [2]struct{}
		Rest  [3]int
		Tail  doubles
	}
)

func roomless() {
	m := marked{Rest: [3]int{7, 8, 9}}
	rows := [][3]int{{1, 2, 3}, {4, 5, 6}}
	unit := map[struct{}]struct{}{{}: {}}
	use(m, rows, unit)
	panic("roomless")
}
