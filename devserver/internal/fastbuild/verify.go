package fastbuild

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"devrun/devserver/internal/build"
)

// Made is a binary that was made here, with what it is made of.
type Made struct {
	binary   string
	recipe   *recipe
	request  build.Request
	look     *look
	archives map[string]archive
}

// Difference is what go build makes another way than it was made here.
type Difference struct{ text string }

func (d *Difference) Error() string { return d.text }

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
		return err
	}
	return m.check(r.Output)
}

// check compares with what go build has made.
func (m *Made) check(honest string) error {
	now, err := m.recipe.lookAt(m.request, shapes{})
	if err != nil || !now.same(m.look) {
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
	if err != nil || where == "" {
		return err
	}
	return &Difference{fmt.Sprintf("a binary that was compiled directly is not what go build makes: %s (%s, %s)",
		where, m.recipe.goVersion, strings.Join(m.platform(), "/"))}
}

func (m *Made) platform() []string {
	var p []string
	for _, name := range []string{"GOOS=", "GOARCH="} {
		i := slices.IndexFunc(m.recipe.env, func(e string) bool { return strings.HasPrefix(e, name) })
		if i >= 0 {
			p = append(p, strings.TrimPrefix(m.recipe.env[i], name))
		}
	}
	return p
}

// compare gives where two programs differ in what is loaded, "" if they do not.
func compare(a, b *elf.File) (where string, err error) {
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
			return "section " + s.Name + " is in another place or of another size", nil
		}
		delete(others, s.Name)
		if s.Type == elf.SHT_NOBITS {
			continue
		}
		x, err := s.Data()
		if err != nil {
			return "", err
		}
		y, err := t.Data()
		if err != nil {
			return "", err
		}
		if !bytes.Equal(x, y) {
			at := s.Addr + uint64(commonPrefix(x, y))
			return fmt.Sprintf("section %s at %#x, in %s", s.Name, at, symbolAt(b, at)), nil
		}
	}
	for name, s := range others {
		if s.Type != elf.SHT_NOTE {
			return "section " + name + " is missing", nil
		}
	}
	return "", nil
}

// symbolAt is the function or variable at an address.
func symbolAt(f *elf.File, addr uint64) string {
	symbols, err := f.Symbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return err.Error()
	}
	var best elf.Symbol // of those around addr, as of C's whole code, the narrowest
	for _, s := range symbols {
		if s.Value <= addr && addr < s.Value+s.Size && (best.Size == 0 || s.Size < best.Size) {
			best = s
		}
	}
	if best.Name == "" {
		return "no symbol"
	}
	return best.Name
}
