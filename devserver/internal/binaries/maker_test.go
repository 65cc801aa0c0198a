package binaries

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"devrun/devserver/internal/build"
	"devrun/devserver/internal/gograph"
	"devrun/devserver/internal/stamp"
	"devrun/devserver/suite"
)

// made is a Maker with an app of one file.
type made struct {
	*Maker
	dir     string
	graph   *gograph.Graph
	notices []string
}

func newMade(t *testing.T, source string) *made {
	t.Helper()
	m := &made{dir: t.TempDir()}
	m.write(t, "go.mod", "module example.test/app\n\ngo 1.25\n")
	m.write(t, "main.go", source)
	g, err := gograph.Load(t.Context(), gograph.Options{Dir: m.dir, Env: os.Environ(), Package: "."})
	if err != nil {
		t.Fatal(err)
	}
	m.graph = g
	m.Maker = New(Options{Dir: t.TempDir(), Name: "app", Notice: func(text string) { m.notices = append(m.notices, text) }})
	t.Cleanup(m.Close)
	m.Hook(g)
	return m
}

func (m *made) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// build builds; touched is called when a source was, with how often.
func (m *made) build(t *testing.T, generation int, runs *Binary, touched func(times int)) Result {
	t.Helper()
	times := 0
	res, err := m.Build(t.Context(), Request{
		Generation: generation, Graph: m.graph, Runs: runs, Sources: []string{filepath.Join(m.dir, "main.go")},
		Settings: Settings{Dir: m.dir, Package: ".", Env: os.Environ()},
		Touched:  func() { times++; touched(times) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func untouched(int) {}

// A save that was begun is not shown as an error: a Go file that is empty gets time to be
// written, and whoever saves it need not wait that long.
func TestUnwritten(t *testing.T) {
	m := newMade(t, "package main\n\nfunc main() {}\n")
	file := filepath.Join(m.dir, "main.go")
	r := Request{
		Generation: 1, Graph: m.graph, Sources: []string{file},
		Settings: Settings{Dir: m.dir, Package: ".", Env: os.Environ()}, Touched: func() {},
	}
	m.write(t, "main.go", "")
	began := time.Now()
	_, err := m.Build(t.Context(), r)
	if _, ok := errors.AsType[*build.Failure](err); !ok {
		t.Fatalf("an empty file: %v", err)
	}
	if took := time.Since(began); took < unwrittenFor {
		t.Errorf("an empty file is an error after %v", took)
	}

	if unwritten([]string{filepath.Join(m.dir, "none.go")}) {
		t.Error("a file that is not there waits to be written")
	}
	m.write(t, "text", "")
	if unwritten([]string{filepath.Join(m.dir, "text")}) {
		t.Error("a file that may be empty waits to be written")
	}
}

// A build whose sources are touched meanwhile is made again, but not for ever.
func TestTouched(t *testing.T) {
	m := newMade(t, "package main\n\nfunc main() {}\n")
	file := filepath.Join(m.dir, "main.go")
	for generation, until := range []int{1, 99} {
		enough, rest := make(chan struct{}), make(chan struct{})
		stop := sync.OnceFunc(func() { close(enough); <-rest })
		go func() {
			defer close(rest)
			for at := time.Unix(1, 0); until > 0; at = at.Add(time.Second) {
				select {
				case <-enough:
					return
				case <-time.After(time.Millisecond):
					if err := os.Chtimes(file, at, at); err != nil {
						t.Error(err)
					}
				}
			}
		}()
		touched := 0
		res := m.build(t, generation+2, nil, func(times int) {
			if touched = times; times == until {
				stop()
			}
		})
		stop()
		if want := min(until, maxRepeats+1); touched != want {
			t.Errorf("until %d: touched %d times", until, touched)
		}
		if settled := res.Sources == nil; settled != (until <= maxRepeats) {
			t.Errorf("until %d: settled %v", until, settled)
		}
	}
}

// What does not build of devrun's is left out, from then on, and that is said once.
func TestLongLeftOut(t *testing.T) {
	suite.Long(t)
	m := newMade(t, "package main\n\nimport _ \"net/http\"\n\nfunc main() {}\n\nfunc unused() {}\n")
	spoil := func(pattern string) {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(m.o.Dir, "hook", pattern))
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, f := range files {
			if err := os.WriteFile(f, []byte("package main\n\nvar _ = missing\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	check := func(generation int, hooked, keeps bool, notices int) {
		t.Helper()
		res := m.build(t, generation, nil, untouched)
		if res.Binary.Hooked() != hooked || m.way.rooted() != keeps {
			t.Errorf("hooked %v (%s), with links %v", res.Binary.Hooked(), res.Binary.Unhooked, m.way.rooted())
		}
		if len(m.notices) != notices {
			t.Errorf("it is said: %q", m.notices)
		}
	}
	check(2, true, true, 0)
	spoil("keep-*.go")
	m.write(t, "main.go", "package main\n\nimport _ \"net/http\"\n\nfunc main() { println() }\n\nfunc unused() {}\n")
	m.roots.made[m.dir] = rootsOf{stamp.All([]string{filepath.Join(m.dir, "main.go")}), m.roots.made[m.dir].file}
	check(3, true, false, 1)
	check(4, true, false, 1)
	spoil("*.go")
	check(5, false, false, 2)
	check(6, false, false, 2)
	if !strings.Contains(m.way.why, "missing") {
		t.Errorf("the hook is left out because of %q", m.way.why)
	}

	// What is wrong with the app is no reason to leave out anything.
	m = newMade(t, "package main\n\nfunc main() {}\n")
	m.write(t, "main.go", "package main\n\nfunc main() { missing() }\n")
	_, err := m.Build(t.Context(), Request{Generation: 2, Graph: m.graph, Settings: Settings{Dir: m.dir, Package: ".", Env: os.Environ()}})
	if failure, ok := errors.AsType[*build.Failure](err); !ok || failure.InHook() || m.way.overlay == nil || len(m.notices) != 0 {
		t.Errorf("%v, %q", err, m.notices)
	}
}

// A save that changes nothing in the program leaves what runs as it is; only the
// binaries that are wanted are kept.
func TestSame(t *testing.T) {
	const source = "package main\n\nfunc main() {}\n"
	m := newMade(t, source)
	first := m.build(t, 2, nil, untouched).Binary
	m.Learn(t.Context(), first)
	m.write(t, "main.go", source+"// more\n")
	second := m.build(t, 3, nil, untouched)
	if second.Full != "" || second.Binary.current() == nil {
		t.Fatalf("built with go build: %s", second.Full)
	}
	m.write(t, "main.go", source+"// mode\n")
	third := m.build(t, 4, second.Binary, untouched)
	if third.Binary != nil {
		t.Error("a comment makes another program")
	}
	second.Binary.Is(third)
	m.write(t, "main.go", "package main\n\nfunc main() { println() }\n// mode\n")
	fourth := m.build(t, 5, second.Binary, untouched)
	if fourth.Binary == nil {
		t.Error("another program is the same")
	}
	m.Tidy(second.Binary, 5)
	for b, there := range map[*Binary]bool{first: false, second.Binary: true, fourth.Binary: true} {
		if _, err := os.Stat(b.Path); (err == nil) != there {
			t.Errorf("%s: %v", b.Path, err)
		}
	}

	m.Debug(t.Context(), fourth.Binary, true)
	if info, err := fourth.Binary.Info(); info == nil || err != nil {
		t.Errorf("debug information: %v", err)
	}
	if err := m.Prove(t.Context(), fourth.Binary); err != nil || m.FellBack() != "" {
		t.Error(err)
	}
	fourth.Binary.Close()
	if info, _ := fourth.Binary.Info(); info != nil {
		t.Error("debug information is there after the end")
	}
}
