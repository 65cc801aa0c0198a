package inspect

import (
	"time"

	"github.com/go-delve/delve/pkg/dwarf/godwarf"
)

func duration(ns int64) string { return time.Duration(ns).String() }

// How package time counts: seconds in wall, when it holds a reading of the
// monotonic clock, since 1885; else in ext since the year 1.
const (
	hasMonotonic = 1 << 63
	wallBegin    = 1885
	nanoMask     = 1<<30 - 1
	secondsShift = 30
)

// time is what String gives, without the reading of the monotonic clock. When
// the memory does not tell the offset at that moment, it is the moment in UTC.
func (w *walk) time(m reader, addr uint64, t *godwarf.StructType) (string, error) {
	var word [3]uint64
	for i, name := range []string{"wall", "ext", "loc"} {
		f := field(t, name)
		if f == nil {
			return "", errForm
		}
		var err error
		if word[i], err = number(m, addr+uint64(f.ByteOffset), 8); err != nil {
			return "", err
		}
	}
	wall, ext := word[0], int64(word[1])
	year := 1
	if wall&hasMonotonic != 0 {
		year, ext = wallBegin, int64(wall<<1>>(secondsShift+1))
	}
	moment := time.Unix(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Unix()+ext, int64(wall&nanoMask)).UTC()
	if word[2] != 0 {
		f := godwarf.ResolveTypedef(field(t, "loc").Type)
		if p, ok := f.(*godwarf.PtrType); ok {
			if z := w.zone(place{w, p.Type, word[2]}, moment); z != nil {
				moment = moment.In(z)
			}
		}
	}
	return moment.Format("2006-01-02 15:04:05.999999999 -0700 MST"), nil
}

// zone is what a time.Location says of a moment, nil when it does not say.
func (w *walk) zone(loc place, at time.Time) *time.Location {
	name := w.plainString(loc, "name")
	if name == "UTC" {
		return time.UTC
	}
	var cached *time.Location
	start, err1 := loc.number("cacheStart")
	end, err2 := loc.number("cacheEnd")
	zone, err3 := loc.pointed("cacheZone")
	if err1 == nil && err2 == nil && err3 == nil {
		cached = w.fixed(zone)
	}
	sec := at.Unix()
	if cached != nil && int64(start) <= sec && sec < int64(end) {
		return cached
	}
	if z := w.transition(loc, sec); z != nil {
		return z
	}
	var known *time.Location
	if name == "Local" {
		known = time.Local
	} else if name != "" {
		known, _ = time.LoadLocation(name)
	}
	if known == nil || cached == nil {
		return nil
	}
	// It is the same one if it agrees about the time that the app looked up.
	if n, off := time.Unix(int64(start), 0).In(known).Zone(); int64(start) > -1<<60 {
		if n2, off2 := at.In(cached).Zone(); n != n2 || off != off2 {
			return nil
		}
	}
	return known
}

// transition finds the moment between two changes of the offset.
func (w *walk) transition(loc place, sec int64) *time.Location {
	tx, err1 := loc.field("tx")
	zones, err2 := loc.field("zone")
	if err1 != nil || err2 != nil {
		return nil
	}
	list, ok1 := godwarf.ResolveTypedef(tx.typ).(*godwarf.SliceType)
	kinds, ok2 := godwarf.ResolveTypedef(zones.typ).(*godwarf.SliceType)
	h, err3 := words(w.mem, tx.addr, 2)
	z, err4 := words(w.mem, zones.addr, 2)
	if !ok1 || !ok2 || err3 != nil || err4 != nil || h[1] > 4096 || z[1] == 0 || z[1] > 256 {
		return nil
	}
	at := func(i uint64) place { return place{w, list.ElemType, h[0] + i*uint64(list.ElemType.Size())} }
	lo, hi := uint64(0), h[1] // the last change before sec is in [lo, hi)
	for lo < hi {
		mid := (lo + hi) / 2
		when, err := at(mid).number("when")
		if err != nil {
			return nil
		}
		if int64(when) <= sec {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	switch {
	case h[1] == 0 && z[1] == 1: // time.FixedZone
		return w.fixed(place{w, kinds.ElemType, z[0]})
	case lo == 0, lo == h[1] && w.plainString(loc, "extend") != "":
		return nil
	}
	index, err := at(lo - 1).number("index")
	if err != nil || index >= z[1] {
		return nil
	}
	return w.fixed(place{w, kinds.ElemType, z[0] + index*uint64(kinds.ElemType.Size())})
}

func (w *walk) fixed(zone place) *time.Location {
	off, err := zone.number("offset")
	if err != nil {
		return nil
	}
	return time.FixedZone(w.plainString(zone, "name"), int(int64(off)))
}

func (w *walk) plainString(p place, name string) string {
	f, err := p.field(name)
	if err != nil {
		return ""
	}
	h, err := words(w.mem, f.addr, 2)
	if err != nil || h[1] > 200 {
		return ""
	}
	b := make([]byte, h[1])
	if _, err := w.mem.ReadMemory(b, h[0]); err != nil {
		return ""
	}
	return string(b)
}
