package devserver

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"path"
	"path/filepath"
	"slices"
	"time"

	"devrun/devserver/internal/build"
	"devrun/devserver/internal/console"
	"devrun/devserver/internal/fastbuild"
	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/gograph"
	"devrun/devserver/internal/hook"
	"devrun/devserver/internal/page"
	"devrun/devserver/internal/reload"
	"devrun/devserver/internal/term"
	"devrun/devserver/internal/wire"
	"devrun/watcher"
)

// loop is the one goroutine that decides. Everything else reports to it
// through events; no field is touched from outside.
type loop struct {
	cfg     Config
	dir     string // private to this run
	place   place  // of the binary that runs
	term    *term.Terminal
	watcher *watcher.Watcher
	hub     *reload.Hub
	pages   *page.Pages
	fronts  *fronts
	console *console.Console
	mail    *mail // nil: none is taken
	typed   <-chan term.Key
	done    chan struct{} // closed when nobody takes events any more
	events  chan any      // built, loaded, said, exited, overdue, announce, settle

	// What the app is made of.
	graph    *gograph.Graph
	facts    facts
	overlay  *hook.Overlay // nil: the app is built without the hook
	environ  []string
	loading  bool // a new graph is being made
	loadNext bool // and is out of date already

	// What the console can call though the app does not: unkept while a build goes
	// without that on trial, and for good when it passed.
	keeper     keeper
	unkept     bool
	unkeptSaid bool

	// The hook while a build goes without it on trial, and what it last failed
	// for.
	suspended   *hook.Overlay
	hookFailure string

	cancelLoad context.CancelFunc // of the newest load

	// How saves are built without the go command, which is asked in the background.
	builder     *fastbuild.Builder
	warm        string             // where what is known is kept for the next run, "" for nowhere
	cancelLearn context.CancelFunc // nil if it is not being asked
	learnNext   *build.Request     // and what for, once it has answered
	slowSaid    bool               // that everything is built with go build
	slowLink    string             // why no linker begins early, as last said

	// A save on its way: gen is the newest generation that was asked for.
	gen     int
	saved   []string // files saved since the last generation that was started
	build   *job     // the build under way, nil if none
	repeats int      // builds made again because a source was touched meanwhile
	flurry  flurry   // of saves
	next    *binary  // linked, waits for the old process to end
	good    *binary  // the newest that was linked
	clock   clock    // what the save has cost so far
	saves   saves    // those that came to an end

	// What the app writes, when it starts and when its pages are loaded, is no save.
	starts, refreshes brake
	written           written

	// What answers.
	app     *app   // the process, nil if none
	ran     string // the binary of the newest process
	failed  *fault.Build
	crash   *fault.Crash
	page    http.Handler // for failed or crash, with the source as it was then
	shown   int          // how many pages there were
	crashes int          // in a row before the app was ready

	failures  []*failure         // requests that failed, oldest first
	exit      *fault.Frame       // where the app has called os.Exit
	errand    context.CancelFunc // of what is done at leisure, nil if nothing is
	announced bool               // where devrun's own pages are

	closing bool
	stopped time.Time // when closing began
}

// What the loop is told.
type (
	// built: a build ended.
	built struct {
		request build.Request
		gen     int
		result  fastbuild.Result
		err     error

		touched bool  // a source was, while it was built
		cold    error // why nothing is used of an earlier run

		sources []string // as they were after it:
		after   map[string]stamp
	}
	// loaded: a new graph is there and is being watched.
	loaded struct {
		graph *gograph.Graph
		facts facts
		since time.Time // when it began
		err   error
	}
	// said: a message of the app's hook.
	said struct {
		gen int
		m   wire.Message
	}
	// exited: the app's process and its children are gone.
	exited struct {
		gen  int
		exit fault.Exit
		err  error // what went wrong between devrun and the process
	}
	// overdue: the app was asked to stop and did not within its grace.
	overdue struct{ gen int }
	// announce: it is time to print the address, whatever it speaks.
	announce struct {
		gen int
		key string
	}
	// idle: the app has been ready for a while.
	idle struct{ gen int }
	// settle: the app has had time to open all its ports.
	settle struct{ gen int }
)

// settleAfter is how long after its first port an app may take to open the
// others, before those of the generation before are closed.
const settleAfter = 5 * time.Second

func newLoop(cfg Config, dir string, g *gograph.Graph, environ Environ) (*loop, error) {
	l := &loop{
		cfg:     cfg,
		dir:     dir,
		graph:   g,
		environ: environ.Vars,
		events:  make(chan any, 64),
		done:    make(chan struct{}),
		written: written{},
		term:    term.New(cfg.terminal()),
		hub:     reload.New(rand.Text()),
	}
	name := appName(g)
	var kept cache
	l.builder = fastbuild.New(filepath.Join(dir, "fast"), kept.dir("linkers"))
	l.warm = warmDir(kept.dir("warm"), cfg)
	l.keeper = keeper{dir: filepath.Join(dir, "hook"), cache: kept.dir("keep"), made: map[string]keptOf{}}
	remembered := newMemory(kept.dir("addresses"), cfg, environ.Vars)
	var err error
	if l.place, err = openPlace(kept.open("apps"), name, cfg); err != nil {
		return nil, errors.Join(err, l.close())
	}
	if kept.why != nil {
		l.term.Notice("cache not used: " + kept.why.Error())
	}
	if cfg.SMTP {
		if err := l.openMail(); err != nil {
			return nil, errors.Join(err, l.close())
		}
	}
	l.pages = page.New(page.App{
		Name: name, Version: cfg.Version, Go: g.GoVersion + " " + g.GOOS + "/" + g.GOARCH,
		Root: cfg.Dir, Modules: moduleDirs(g), Editor: cfg.Editor,
		Snippet: func() string { return l.hub.Snippet("") },
		Unread:  l.unread(),
	})
	internal := http.NewServeMux()
	internal.Handle("/__devrun/", l.hub.Handler())
	internal.Handle("/__devrun/page.css", page.Assets())
	internal.Handle("/__devrun/page.js", page.Assets())
	l.typed = l.term.Keys()
	if err := l.openConsole(); err != nil {
		return nil, errors.Join(err, l.close())
	}
	l.fronts = newFronts(cfg, remembered, internal, l.hub, l.pages, l.term, l.lost)

	for _, n := range environ.Notices {
		l.term.Notice(n)
	}
	l.watcher, err = watcher.New(watcher.Options{Poll: cfg.Poll, Notice: l.term.Notice})
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	l.facts = factsOf(g, environ.Files, cfg)
	if err := l.watcher.Watch(scopeOf(cfg.Dir, g, environ.Files)); err != nil {
		return nil, errors.Join(err, l.close())
	}
	l.prepareHook()
	if l.overlay != nil && slices.Contains(l.overlay.Parts, "takeover") {
		l.fronts.reopen() // else the addresses are for the app itself
	}
	return l, nil
}

// moduleDirs are the directories of the modules under development, by path.
func moduleDirs(g *gograph.Graph) map[string]string {
	dirs := map[string]string{}
	for _, m := range g.Modules {
		dirs[m.Path] = m.Dir
	}
	return dirs
}

// appName is what the app is called in titles and process lists.
func appName(g *gograph.Graph) string {
	name := path.Base(g.Main.ImportPath)
	if name == "." || name == "/" || name == "command-line-arguments" {
		return filepath.Base(g.Main.Dir)
	}
	return name
}

// tell reports e to the loop, from any goroutine but its own.
func (l *loop) tell(e any) {
	select {
	case l.events <- e:
	case <-l.done:
	}
}

// close frees what newLoop made; the app is gone by then.
func (l *loop) close() error {
	close(l.done)
	l.builder.Close()
	var err error
	if l.watcher != nil {
		err = l.watcher.Close()
	}
	l.hub.Close()
	if l.console != nil {
		err = errors.Join(err, l.console.Close())
	}
	if l.mail != nil {
		err = errors.Join(err, l.mail.server.Close())
	}
	if l.fronts != nil {
		err = errors.Join(err, l.fronts.close())
	}
	l.place.close()
	l.term.Close()
	return err
}

// run is the loop.
func (l *loop) run(stop, kill context.Context) error {
	l.term.Building(l.cfg.Package)
	l.rebuild()
	stopped, killed := stop.Done(), kill.Done()
	for {
		var err error
		batches, calm := l.watcher.Batches(), (<-chan time.Time)(nil)
		if wait := time.Until(l.flurry.calm); wait > 0 {
			batches, calm = nil, time.After(wait)
		}
		select {
		case b := <-batches:
			l.onBatch(b)
		case <-calm:
		case e := <-l.events:
			err = l.onEvent(e)
		case k, ok := <-l.typed:
			if !ok {
				l.typed = nil
			} else if l.onKey(k) {
				l.beginStop(false)
			}
		case <-l.term.Resized():
			l.resize()
		case <-stopped:
			stopped = nil
			l.beginStop(l.cfg.Interrupted != nil && l.cfg.Interrupted())
		case <-killed:
			killed = nil
			l.beginStop(false)
			l.term.Killed()
			if l.app != nil {
				l.app.proc.Kill()
			}
		}
		if err != nil {
			return errors.Join(err, l.drain())
		}
		if l.closing && l.app == nil && l.build == nil && l.errand == nil && l.cancelLearn == nil && !l.loading {
			if kill.Err() == nil {
				l.term.Stopped(time.Since(l.stopped))
			}
			return nil
		}
	}
}

func (l *loop) onEvent(e any) error {
	switch e := e.(type) {
	case built:
		l.onBuilt(e)
	case loaded:
		l.onLoaded(e)
	case said:
		return l.onSaid(e)
	case exited:
		return l.onExited(e)
	case learned:
		l.onLearned(e)
	case verified:
		l.onVerified(e)
	case quiet:
		if l.app != nil && l.app.gen == e.gen {
			l.verify()
		}
	case still:
		l.onStill(e)
	case debugged:
		l.onDebugged(e)
	case examined:
		l.onExamined(e)
	case progressed:
		l.onProgress(e)
	case hurry:
		l.onHurry(e.f)
	case idle:
		if l.app != nil && l.app.gen == e.gen {
			l.app.idle = true
			if d := l.app.binary.debugger; d != nil {
				l.builder.Expect(d.request)
			}
			l.prepareDebugger(false)
		}
	case call:
		e.run()
		close(e.done)
	case overdue:
		if l.app != nil && l.app.gen == e.gen && l.app.stopping && l.cfg.Grace > 0 {
			l.term.NotStopped(l.cfg.Grace)
		}
	case mailed:
		l.onMailed(e)
	case mailRest:
		l.onMailRest()
	case announce:
		l.announce(e.gen, e.key)
	case settle:
		if l.app != nil && l.app.gen == e.gen {
			l.fronts.closeOlder(e.gen)
		}
	}
	return nil
}

// beginStop starts to end everything that is under way. run returns when all
// of it has reported.
func (l *loop) beginStop(interrupted bool) {
	if l.closing {
		return
	}
	l.closing, l.stopped, l.next = true, time.Now(), nil
	l.term.Stopping(interrupted)
	if l.build != nil {
		l.build.cancel()
	}
	if l.loading {
		l.cancelLoad()
	}
	l.stopErrand()
	if l.cancelLearn != nil {
		l.cancelLearn()
	}
	l.stopApp()
}

// drain ends what is under way after an error: nothing of devrun's outlives
// it.
func (l *loop) drain() error {
	l.beginStop(false)
	for l.app != nil || l.build != nil || l.errand != nil || l.cancelLearn != nil || l.loading {
		if err := l.onEvent(<-l.events); err != nil {
			return err
		}
	}
	return nil
}

// prepareHook makes the overlay that injects the hook, or says what goes
// without it.
func (l *loop) prepareHook() {
	g := l.graph
	o, err := hook.Prepare(hook.Target{
		GOROOT: g.GOROOT, ModCache: g.GOMODCACHE, GoVersion: g.GoVersion, GOOS: g.GOOS, GOARCH: g.GOARCH,
		ModulePath: g.MainModule.Path, ModuleDir: g.MainModule.Dir, MainDir: g.Main.Dir,
		Dir: filepath.Join(l.dir, "hook"), HTTP: g.HasHTTP,
		Keep: l.keeper.std(g),
	})
	if err != nil {
		l.overlay, l.hookFailure = nil, err.Error()
		l.term.Notice("the app is built as it is: " + l.hookFailure)
		return
	}
	for _, lost := range o.Lost {
		l.term.Notice(lost)
	}
	l.overlay = o
	if o.File == "" {
		l.overlay, l.hookFailure = nil, o.Why
	}
}

// present gives every front what it answers in the present state. It is called
// after each change and does nothing where there is none.
func (l *loop) present() {
	l.console.Broken(l.failed != nil)
	a := answer{gen: l.gen}
	switch l.state() {
	case building, starting:
		a.hold = true
	case failed:
		a.fault, a.page = l.page, l.shown
		if l.lives() {
			a.app = l.app.gen
		}
	case crashed:
		a.fault, a.page = l.page, l.shown
	case serving:
		a.app = l.app.gen
	}
	l.fronts.present(a)
}

// state is what the app is doing, from the point of view of who uses it.
type state uint8

const (
	building state = iota // a newer generation is on its way to a binary
	starting              // the newest binary waits for its turn or is not ready
	serving
	failed  // the newest generation did not build
	crashed // the app ended by itself
)

// String is the state as devrun's own pages name it.
func (s state) String() string {
	return [...]string{"building", "starting", "serving", "failed", "crashed"}[s]
}

func (l *loop) state() state {
	switch {
	case l.build != nil:
		return building
	case l.failed != nil:
		return failed
	case l.crash != nil:
		return crashed
	case l.next != nil || l.app == nil || l.app.stopping || !l.app.ready:
		return starting
	}
	return serving
}
