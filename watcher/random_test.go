package watcher

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"devrun/devserver/suite"
)

// TestBatchesAddUpToTheDisk: whatever is done to a tree, the batches add up to what
// is on disk, taken at once or late. What the receiver knows is compared with the
// disk after random changes.
func TestBatchesAddUpToTheDisk(t *testing.T) { batchesAddUp(t, 1) }

func TestLongBatchesAddUpToTheDisk(t *testing.T) { suite.Long(t); batchesAddUp(t, suite.Seed(t)) }

func batchesAddUp(t *testing.T, seed uint64) {
	for mode, poll := range modes {
		for round := range uint64(6) {
			t.Run(fmt.Sprintf("%s/%d", mode, round), func(t *testing.T) {
				t.Parallel()
				b := newBench(t, poll)
				v := vandal{b, rand.New(rand.NewPCG(seed, round)), t.TempDir()}
				for range 40 {
					v.act()
				}
				must(t, b.w.Watch(b.tree()))
				m := newMirror(t, b.dir)
				m.late = b.w
				for range 8 {
					for range v.IntN(60) {
						v.act()
						if v.IntN(4) == 0 {
							time.Sleep(time.Duration(v.IntN(3000)) * time.Microsecond) // other meetings of act and scan
						}
						select {
						case batch := <-b.w.Batches():
							m.apply(batch)
						default:
						}
					}
					m.follow(b.w, b.dir)
				}
				// What is left is content that the receiver read before it was told.
				for batch := range b.rest() {
					m.apply(batch)
				}
				if err := m.equals(b.dir); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// vandal changes a tree. Errors are part of it: half of what it tries cannot be.
type vandal struct {
	*bench
	*rand.Rand
	away string // another directory of the same file system
}

// place is one of few paths, so that files, directories and memories of them meet.
func (v vandal) place() string {
	path := v.dir
	for range 1 + v.IntN(3) {
		path = filepath.Join(path, string(rune('a'+v.IntN(4))))
	}
	return path
}

// text is one of few too: content that is back is where a watcher errs.
func (v vandal) text() []byte { return fmt.Appendf(nil, "%d", v.IntN(3)) }

func (v vandal) act() {
	path := v.place()
	switch v.IntN(12) {
	case 0, 1, 2:
		_ = os.WriteFile(path, v.text(), 0o666)
	case 3:
		_ = os.MkdirAll(path, 0o777)
	case 4:
		_ = os.MkdirAll(filepath.Dir(path), 0o777)
		_ = os.WriteFile(path, v.text(), 0o666)
	case 5:
		_ = os.Remove(path)
	case 6:
		_ = os.RemoveAll(path)
	case 7, 8:
		_ = os.Rename(path, v.place())
	case 9: // a save by renaming over
		_ = os.WriteFile(path+"~", v.text(), 0o666)
		_ = os.Rename(path+"~", path)
		_ = os.Remove(path + "~")
	case 10: // a prepared tree
		tree := filepath.Join(v.away, "tree")
		for range 3 {
			file := filepath.Join(tree, fmt.Sprint(v.IntN(3)), string(rune('a'+v.IntN(4))))
			_ = os.MkdirAll(filepath.Dir(file), 0o777)
			_ = os.WriteFile(file, v.text(), 0o666)
			_ = os.Chtimes(file, old, old)
		}
		_ = os.Rename(tree, path)
	case 11: // out and back
		tmp := filepath.Join(v.away, "out")
		_ = os.RemoveAll(tmp)
		if os.Rename(path, tmp) == nil {
			_ = os.Rename(tmp, v.place())
		}
	}
}
