package fastbuild

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"slices"
	"strings"

	"devrun/devserver/internal/build"
)

// Made is a binary that was made here, with what it is made of.
type Made struct {
	binary  string
	recipe  *recipe
	request build.Request
	look    *look
}

// Difference is what go build makes another way than it was made here.
type Difference struct{ text string }

func (d *Difference) Error() string { return d.text }

// Check compares the binary with the one that go build has made of the same files
// with debug information: code and data must be the same, byte for byte. It
// returns a *Difference when they are not, another error when that cannot be
// seen, and nil also when the files are not the same any more.
func (m *Made) Check(honest string) error {
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
		if s.Name != ".text" {
			x, y = withoutDebugFlag(x), withoutDebugFlag(y)
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

// withoutDebugFlag gives data in which the build information speaks of the same
// flags: it is the one thing in which a link for a debugger may differ.
func withoutDebugFlag(data []byte) []byte {
	start := bytes.Index(data, []byte("0w\xaf\x0c\x92t\x08\x02A\xe1\xc1\x07\xe6\xd6\x18\xe6"))
	if start < 0 {
		return data
	}
	end := bytes.Index(data[start:], []byte("\xf92C1\x86\x18 r\x00\x82B\x10A\x16\xd8\xf2"))
	if end < 0 {
		return data
	}
	data = slices.Clone(data)
	info := data[start : start+end]
	copy(info, bytes.ReplaceAll(info, []byte("-w=0"), []byte("-w=1")))
	return data
}

// symbolAt is the function or variable at an address.
func symbolAt(f *elf.File, addr uint64) string {
	symbols, err := f.Symbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return err.Error()
	}
	for _, s := range symbols {
		if s.Value <= addr && addr < s.Value+s.Size {
			return s.Name
		}
	}
	return "no symbol"
}
