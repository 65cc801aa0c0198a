package fastbuild

import (
	"bytes"
	"os"
	"slices"
)

// sameAs reports that linking m would give the program that o is: what was edited
// is a comment, or was put back. It is nothing to go by when it reports false.
func (m *Made) sameAs(o *Made) bool {
	if o == nil || m.recipe.settings != o.recipe.settings || !m.recipe.linking.same(o.recipe.linking) {
		return false
	}
	for path, a := range m.archives {
		if b := o.archives[path]; a.path != b.path && !sameArchive(a.path, b.path) {
			return false
		}
	}
	return len(m.archives) == len(o.archives)
}

func (l linking) same(o linking) bool {
	return l.linker == o.linker && l.modinfo == o.modinfo && slices.Equal(l.archives, o.archives) &&
		slices.Equal(l.before, o.before) && slices.Equal(l.after, o.after)
}

// sameArchive compares two archives but for their build ids, which are of the text
// of the source.
func sameArchive(a, b string) bool {
	x, errX := os.ReadFile(a)
	y, errY := os.ReadFile(b)
	if errX != nil || errY != nil || len(x) != len(y) {
		return false
	}
	idX, idY := buildID(x), buildID(y)
	return idX != nil && len(idX) == len(idY) && bytes.Equal(bytes.ReplaceAll(x, idX, idY), y)
}

// buildID is the line of an archive that the compiler was told to write.
func buildID(archive []byte) []byte {
	start := bytes.Index(archive, []byte("\nbuild id \""))
	if start < 0 {
		return nil
	}
	line, _, ok := bytes.Cut(archive[start+1:], []byte("\n"))
	if !ok {
		return nil
	}
	return line
}
