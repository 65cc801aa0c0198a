package watcher

import (
	"fmt"
	"iter"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"devrun/devserver/suite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func needGit(t *testing.T) string {
	t.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("SKIPPED, NOT CHECKED: git is not installed, so nothing says what it would ignore")
	}
	return git
}

func run(t testing.TB, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mkdir(t testing.TB, path string) {
	t.Helper()
	must(t, os.MkdirAll(path, 0o777))
}

// write puts a whole file there in one step for any reader.
func write(t testing.TB, path, text string) {
	t.Helper()
	mkdir(t, filepath.Dir(path))
	tmp := path + "~"
	must(t, os.WriteFile(tmp, []byte(text), 0o666))
	must(t, os.Rename(tmp, path))
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return string(text)
}

// modes is the table's other dimension.
var modes = map[string]time.Duration{"notify": 0, "poll": 20 * time.Millisecond}

type row struct {
	name string
	test func(b *bench)
}

func inBothModes(t *testing.T, rows []row) {
	for mode, poll := range modes {
		t.Run(mode, func(t *testing.T) {
			for _, r := range rows {
				t.Run(r.name, func(t *testing.T) {
					t.Parallel()
					r.test(newBench(t, poll))
				})
			}
		})
	}
}

// bench is a watcher on a fresh directory and what it said so far.
type bench struct {
	*testing.T
	dir     string // the root, resolved
	w       *Watcher
	notices chan string
}

func newBench(t *testing.T, poll time.Duration) *bench {
	t.Helper()
	b := &bench{T: t, dir: resolve(t.TempDir()), notices: make(chan string, 16)}
	w, err := New(Options{Poll: poll, Notice: func(s string) { b.notices <- s }})
	must(t, err)
	b.w = w
	t.Cleanup(func() { must(t, w.Close()) })
	return b
}

func (b *bench) path(rel string) string { return filepath.Join(b.dir, filepath.FromSlash(rel)) }
func (b *bench) write(rel, text string) { b.Helper(); write(b, b.path(rel), text) }
func (b *bench) mkdir(rel string)       { b.Helper(); mkdir(b, b.path(rel)) }
func (b *bench) remove(rel string)      { b.Helper(); must(b, os.RemoveAll(b.path(rel))) }
func (b *bench) rename(from, to string) { b.Helper(); must(b, os.Rename(b.path(from), b.path(to))) }
func (b *bench) chtimes(rel string, to time.Time) {
	b.Helper()
	must(b, os.Chtimes(b.path(rel), to, to))
}

// watch takes the scope and waits for its hashes.
func (b *bench) watch(sc Scope) {
	b.Helper()
	must(b, b.w.Watch(sc))
	b.hashed()
}

// add puts files into the scope, of which those that are wanted are to be new to it.
func (b *bench) add(names ...string) func(want ...string) {
	b.Helper()
	paths := func(names []string) (all []string) {
		for _, name := range names {
			all = append(all, b.path(name))
		}
		return all
	}
	added, err := b.w.Add(paths(names)...)
	must(b, err)
	return func(want ...string) {
		b.Helper()
		if want := paths(want); !slices.Equal(added, want) {
			b.Errorf("added %q, want %q", added, want)
		}
	}
}

func (b *bench) tree() Scope { return Scope{Trees: []string{b.dir}} }

// hashed waits until all files have a hash and trustworthy times.
func (b *bench) hashed() {
	b.Helper()
	suite.Until(b, "all is hashed and verified", func() (err error) {
		must(b, b.w.do(func() {
			if n, m := len(b.w.snap.backlog), len(b.w.snap.racy); n+m > 0 {
				err = fmt.Errorf("%d files to hash, %d to verify", n, m)
			}
		}))
		return err
	})
}

// expect takes batches until, put together, they are the changes wanted, given
// as "created x" relative to the root. Then it proves by a full comparison that
// nothing else is left.
func (b *bench) expect(want ...string) {
	b.Helper()
	left, extra := map[string]bool{}, map[string]bool{}
	for _, c := range want {
		left[c] = true
	}
	take := func(batch Batch) {
		for _, c := range b.relative(batch) {
			if !slices.Contains(want, c) {
				extra[c] = true
			}
			delete(left, c)
		}
	}
	limit := time.After(suite.Patience)
	for len(left) > 0 && len(extra) == 0 {
		select {
		case batch := <-b.w.Batches():
			take(batch)
		case <-limit:
			b.Fatalf("never came: %q", keys(left))
		}
	}
	for batch := range b.rest() {
		take(batch)
	}
	if len(left)+len(extra) > 0 {
		b.Fatalf("unexpected: %q, missing: %q", keys(extra), keys(left))
	}
}

func (b *bench) relative(batch Batch) []string {
	b.Helper()
	var changes []string
	for _, c := range batch {
		rel, err := filepath.Rel(b.dir, c.Path)
		must(b, err)
		changes = append(changes, c.Op.String()+" "+filepath.ToSlash(rel))
	}
	return changes
}

// rest yields what a full comparison still finds.
func (b *bench) rest() iter.Seq[Batch] {
	return func(yield func(Batch) bool) {
		b.hashed()
		b.w.Rescan()
		for {
			n := 0
			must(b, b.w.do(func() { n = len(b.w.pending.offer()) }))
			if n == 0 || !yield(<-b.w.Batches()) {
				return
			}
		}
	}
}

// saved waits for a save of one file, however many steps of it were seen, and
// returns how many batches it took.
func (b *bench) saved(rel string) (batches int) {
	b.Helper()
	var last Op
	take := func(batch Batch) {
		batches++
		for _, c := range batch {
			if c.Path != b.path(rel) {
				b.Errorf("%s is none of the files saved", c)
			}
			last = c.Op
		}
	}
	select {
	case batch := <-b.w.Batches():
		take(batch)
	case <-time.After(suite.Patience):
		b.Fatalf("the save of %s was not seen", rel)
	}
	for batch := range b.rest() {
		take(batch)
	}
	if last == Removed {
		b.Errorf("%s is there but was last reported as removed", rel)
	}
	return batches
}

func keys[V any](m map[string]V) []string {
	var s []string
	for k := range maps.Keys(m) {
		s = append(s, k)
	}
	return s
}

// expectOr is expect with a first change that may also stay away.
func (b *bench) expectOr(maybe string, want ...string) {
	b.Helper()
	for batch := range b.rest() {
		for _, c := range b.relative(batch) {
			if i := slices.Index(want, c); i >= 0 {
				want = slices.Delete(want, i, i+1)
			} else if c != maybe {
				b.Fatalf("unexpected: %s", c)
			}
		}
	}
	if len(want) > 0 {
		b.Fatalf("never came: %q", want)
	}
}

// unseen runs f while the watcher cannot look.
func (b *bench) unseen(f func()) { b.Helper(); must(b, b.w.do(f)) }

// settled waits for a fact about the snapshot.
func (b *bench) settled(fact func() bool) {
	b.Helper()
	suite.Until(b, "the snapshot is there", func() (err error) {
		must(b, b.w.do(func() {
			if !fact() {
				err = fmt.Errorf("the snapshot is not there yet")
			}
		}))
		return err
	})
}

func needSymlinks(b *bench) {
	b.Helper()
	if err := os.Symlink("x", b.path("probe~")); err != nil {
		b.Skipf("no symlinks here: %v", err)
	}
	b.remove("probe~")
}
