package fastbuild

import (
	"debug/elf"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"devrun/devserver/internal/build"
	"devrun/devserver/suite"
)

// Whatever is done to a program, it does what its source says, and the binary has
// the code and data of go build's. Every step is held against what the model
// says, every tenth against go build, byte for byte.
func TestProperty(t *testing.T) { walks(t, 1, 24) }

func TestLongProperty(t *testing.T) { suite.Long(t); walks(t, suite.Seed(t), 1000) }

func walks(t *testing.T, seed uint64, steps int) {
	if runtime.GOOS != "linux" {
		t.Skip("reads ELF files")
	}
	for _, optimised := range []bool{false, true} { // then bodies are inlined into other packages
		t.Run(fmt.Sprintf("optimised=%v", optimised), func(t *testing.T) {
			t.Parallel()
			newWalk(t, seed, optimised).run(steps / 2)
		})
	}
}

// walk is one program on its way through edits.
type walk struct {
	*app
	r       *rand.Rand
	model   *model
	before  []*model // as it was at some times, to go back to
	written map[string]string
	edits   []string
	reasons map[string]int // why go build was needed
	rested  bool           // since the last step
	shaped  bool           // since the last rest only declarations and contents were edited
}

func newWalk(t *testing.T, seed uint64, optimised bool) *walk {
	var stream uint64 // each walk has edits of its own
	if optimised {
		stream = 1
	}
	r := rand.New(rand.NewPCG(seed, stream))
	w := &walk{r: r, model: newModel(r, 4), written: map[string]string{}, reasons: map[string]int{}}
	w.app = newApp(t, w.model.sources())
	w.written = w.model.sources()
	w.request.UserPatterns = []string{"example.com/prop/..."}
	if optimised {
		w.request.UserPatterns = nil
	}
	return w
}

func (w *walk) run(steps int) {
	begin := time.Now()
	for step := range steps {
		w.step(step%10 == 9 || step == steps-1)
	}
	w.t.Logf("%d steps in %v; with go build: %v", steps, time.Since(begin).Round(time.Second), w.reasons)
}

// step edits, builds and looks at the result.
func (w *walk) step(exact bool) {
	for range 1 + w.r.IntN(2) {
		w.edits = append(w.edits, w.edit())
	}
	w.save()
	if w.model.Extra {
		w.request.Tags = "extra"
	} else {
		w.request.Tags = ""
	}
	r := w.next()
	res, err := w.builder.Build(w.t.Context(), r, nil)
	if failure, ok := errors.AsType[*build.Failure](err); ok && w.model.Broken {
		if len(failure.Diagnostics) != 1 || !strings.HasPrefix(failure.Diagnostics[0].Message, "cannot use \"\"") {
			w.fail("diagnostics %+v", failure.Diagnostics)
		}
		w.model.Broken = false
		return
	} else if ok {
		w.fail("%v\n%s", failure, failure.Output)
	}
	if err != nil {
		w.fail("%v", err)
	}
	if w.model.Broken {
		w.fail("what does not compile was built")
	}
	if off := w.builder.Off(); off != "" {
		w.fail("%s", off)
	}
	w.check(res, exact)
	os.Remove(res.Binary)
	if res.Full != "" && w.shaped {
		w.fail("go build made it: %s", res.Full)
	}
	if res.Full == "" && w.rested && !res.Ahead {
		w.fail("no linker had begun")
	}
	// A save may come before devrun has rested; after go build it has to, as only then
	// it can do without.
	if w.rested = res.Full != "" || w.r.IntN(3) == 0; w.rested {
		w.rest(r, res)
	}
	if res.Full != "" {
		why, _, _ := strings.Cut(res.Full, " in "+w.dir)
		w.reasons[why]++
	}
}

// rest does what devrun does between two saves.
func (w *walk) rest(r build.Request, res Result) {
	if err := w.builder.Learn(w.t.Context(), r); err != nil {
		w.fail("%v", err)
	}
	if off := w.builder.Off(); off != "" {
		w.fail("%s", off)
	}
	w.shaped = true
	_, err := w.builder.EnablePrelinking(w.t.Context(), r, res.Made)
	if w.rested = !errors.Is(err, errBuiltSince); w.rested && err != nil {
		w.fail("%v", err)
	}
}

func (w *walk) check(res Result, exact bool) {
	said := strings.Fields(output(w.t, res.Binary))
	for i := range w.model.Packages {
		if want := fmt.Sprint(w.model.sum(i)); said[2*i] != want {
			w.fail("p%d gives %s, want %s (go build: %q)", i, said[2*i], want, res.Full)
		}
	}
	if !exact || res.Full != "" {
		return
	}
	honest := w.next()
	if _, err := build.Run(w.t.Context(), honest); err != nil {
		w.fail("%v", err)
	}
	defer os.Remove(honest.Output)
	if theirs := strings.Fields(output(w.t, honest.Output)); !slices.Equal(said, theirs) {
		w.fail("it says %v, with go build %v", said, theirs)
	}
	if where := difference(w.t, res.Binary, honest.Output); where != (place{}) {
		w.fail("the binary differs from go build's: %v", where)
	}
}

func difference(t testing.TB, a, b string) place {
	t.Helper()
	x, err := elf.Open(a)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	y, err := elf.Open(b)
	if err != nil {
		t.Fatal(err)
	}
	defer y.Close()
	where, err := compare(x, y)
	if err != nil {
		t.Fatal(err)
	}
	return where
}

func (w *walk) fail(format string, args ...any) {
	w.t.Helper()
	keep := filepath.Join(os.TempDir(), "fastbuild-failure")
	if err := os.RemoveAll(keep); err == nil {
		err = os.CopyFS(keep, os.DirFS(w.dir))
		w.t.Logf("the program is in %s (%v)", keep, err)
	}
	w.t.Fatalf("after %d edits, the last of them %q:\n%s", len(w.edits), w.edits[max(0, len(w.edits)-6):], fmt.Sprintf(format, args...))
}

// save writes what has changed, as an editor or git would.
func (w *walk) save() {
	now := w.model.sources()
	for name := range w.written {
		if _, ok := now[name]; !ok {
			w.remove(name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if w.written[name] != now[name] {
			w.write(name, now[name])
		}
	}
	w.written = now
}

// edit changes the model and says how.
func (w *walk) edit() string {
	r, m := w.r, w.model
	i := r.IntN(len(m.Packages))
	p := m.Packages[i]
	all := p.all()
	if len(all) == 0 {
		return m.add(r, i)
	}
	d := all[r.IntN(len(all))]
	name := fmt.Sprintf("%s p%d.%s", d.Kind, i, d.Name)
	switch n := r.IntN(100); {
	case n < 30:
		d.Val = r.IntN(100)
		return "value of " + name
	case n < 42:
		d.Lines = r.IntN(4)
		return "lines above " + name
	case n < 54:
		return m.add(r, i)
	case n < 62:
		if m.used(ref{i, d.Name}) {
			d.Refs = nil
			return "no uses in " + name
		}
		for n := range p.Files {
			p.Files[n] = slices.DeleteFunc(p.Files[n], func(x *decl) bool { return x == d })
		}
		return "remove " + name
	case n < 68 && d.Kind != constant && d.Kind != variable:
		d.Arity = r.IntN(3)
		return "signature of " + name
	case n < 73:
		m.addRef(r, i, d)
		return "a use in " + name
	case n < 77:
		p.Text = strings.Repeat("t", r.IntN(20)+1)
		return fmt.Sprintf("text of p%d", i)
	case n < 79:
		p.Data[0] = strings.Repeat("d", r.IntN(20)+1)
		return fmt.Sprintf("data of p%d", i)
	case n < 81:
		p.Secret = r.IntN(50)
		return fmt.Sprintf("secret of p%d", i)
	case n < 83:
		p.Extra = [2]int{r.IntN(50), r.IntN(50)}
		return fmt.Sprintf("extra of p%d", i)
	case n < 85:
		p.Callbacks = 1 + r.IntN(4)
		return fmt.Sprintf("initialisation of p%d", i)
	case n < 90 && len(w.before) > 0:
		w.model, w.shaped = w.before[r.IntN(len(w.before))].clone(), false
		return "another branch"
	}
	w.before = append(w.before, m.clone())
	if len(w.before) > 4 {
		w.before = w.before[1:]
	}
	return w.reshape(i)
}

// reshape makes an edit that is go build's business.
func (w *walk) reshape(i int) string {
	r, m := w.r, w.model
	p := m.Packages[i]
	w.shaped = false
	switch r.IntN(8) {
	case 0:
		m.Extra = !m.Extra
		return "the tag"
	case 1:
		p.Data = append(p.Data, "more")
		return fmt.Sprintf("another file is embedded in p%d", i)
	case 2:
		if len(p.Data) > 1 {
			p.Data = p.Data[:len(p.Data)-1]
		}
		return fmt.Sprintf("a file less is embedded in p%d", i)
	case 3:
		p.Files = append(p.Files, nil)
		m.add(r, i)
		return fmt.Sprintf("a file in p%d", i)
	case 4:
		if n := len(p.Files); n > 1 {
			p.Files[0] = append(p.Files[0], p.Files[n-1]...)
			p.Files = p.Files[:n-1]
		}
		return fmt.Sprintf("a file less in p%d", i)
	case 5:
		if len(p.Deps) > 0 {
			p.LinkTo = r.IntN(3)
		}
		return fmt.Sprintf("linkname in p%d", i)
	case 6:
		m.Broken = true
		return "what does not compile"
	}
	for j := range i {
		if !slices.Contains(p.Deps, j) {
			p.Deps = append(p.Deps, j)
			slices.Sort(p.Deps)
			return fmt.Sprintf("p%d imports p%d", i, j)
		}
	}
	m.GoLine = []string{"1.24", "1.25"}[r.IntN(2)]
	return "go line"
}
