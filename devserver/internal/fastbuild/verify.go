package fastbuild

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"

	"devrun/devserver/internal/build"
)

// Made is a binary that was made here, with what it is made of.
type Made struct {
	binary   string
	recipe   *recipe
	request  build.Request
	snapshot *snapshot
	archives map[string]archive
}

// Difference is what go build makes another way than it was made here.
type Difference struct {
	where place
	of    string // function or variable, "" if that is not known
	by    string // version and platform
}

func (d *Difference) Error() string {
	where := d.where.String()
	if d.of != "" {
		where += ", in " + d.of
	}
	return fmt.Sprintf("a binary that was compiled directly is not what go build makes: %s (%s)", where, d.by)
}

// Verify has go build make the binary of a build once more at r.Output, and
// compares: code and data must be the same, byte for byte. It returns a *Difference
// when they are not, another error when that cannot be seen, and nil also when the
// files are not the same any more.
func (b *Builder) Verify(ctx context.Context, r build.Request, m *Made) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	defer b.end()
	defer os.Remove(r.Output)
	if _, err := build.Run(ctx, r); err != nil {
		if ctx.Err() == nil && m.recipe.moved(m.request, m.snapshot) {
			return nil // as a checkout does while it goes on
		}
		return err
	}
	err := m.check(r.Output)
	if d, ok := errors.AsType[*Difference](err); ok && d.where.at != 0 {
		d.of = b.symbolAt(ctx, r, m, d.where.at)
	}
	return err
}

// symbolAt is the function or variable at an address of a binary that was made here,
// "" if there is none. The binary has no symbols, but another link of it has.
func (b *Builder) symbolAt(ctx context.Context, r build.Request, m *Made, at uint64) string {
	defer os.Remove(r.Output)
	if err := b.debug(ctx, r, m); err != nil {
		return ""
	}
	f, err := elf.Open(r.Output)
	if err != nil {
		return ""
	}
	defer f.Close()
	return symbolAt(f, at)
}

// check compares with what go build has made.
func (m *Made) check(honest string) error {
	if m.recipe.moved(m.request, m.snapshot) {
		return nil // a newer build is due
	}
	ours, err := elf.Open(m.binary)
	if err != nil {
		return err
	}
	defer ours.Close()
	theirs, err := elf.Open(honest)
	if err != nil {
		return err
	}
	defer theirs.Close()
	where, err := compare(ours, theirs)
	if err != nil || where == (place{}) {
		return err
	}
	return &Difference{where: where, by: fmt.Sprintf("%s, %s/%s", m.recipe.goVersion, m.recipe.variable("GOOS"), m.recipe.variable("GOARCH"))}
}

// place is where two programs differ.
type place struct {
	section, how string
	at           uint64 // address, 0 if it is the whole section
}

func (p place) String() string {
	if p.at != 0 {
		return fmt.Sprintf("section %s at %#x", p.section, p.at)
	}
	return "section " + p.section + " is " + p.how
}

// compare gives where two programs differ in what is loaded, a zero place if they
// do not.
func compare(a, b *elf.File) (place, error) {
	others := map[string]*elf.Section{}
	for _, s := range b.Sections {
		if s.Addr != 0 {
			others[s.Name] = s
		}
	}
	for _, s := range a.Sections {
		// Notes hold build ids, which are made of flags too.
		if s.Addr == 0 || s.Type == elf.SHT_NOTE {
			continue
		}
		t := others[s.Name]
		if t == nil || s.Addr != t.Addr || s.Size != t.Size || s.Type != t.Type {
			return place{section: s.Name, how: "in another place or of another size"}, nil
		}
		delete(others, s.Name)
		if s.Type == elf.SHT_NOBITS {
			continue
		}
		x, err := s.Data()
		if err != nil {
			return place{}, err
		}
		y, err := t.Data()
		if err != nil {
			return place{}, err
		}
		if !bytes.Equal(x, y) {
			return place{section: s.Name, at: s.Addr + uint64(commonPrefix(x, y))}, nil
		}
	}
	for name, s := range others {
		if s.Type != elf.SHT_NOTE {
			return place{section: name, how: "missing"}, nil
		}
	}
	return place{}, nil
}

// symbolAt is the function or variable at an address, "" for none.
func symbolAt(f *elf.File, addr uint64) string {
	symbols, err := f.Symbols()
	if err != nil {
		return ""
	}
	var best elf.Symbol // of those around addr, as of C's whole code, the narrowest
	for _, s := range symbols {
		if s.Value <= addr && addr < s.Value+s.Size && (best.Size == 0 || s.Size < best.Size) {
			best = s
		}
	}
	return best.Name
}
