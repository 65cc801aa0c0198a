package devserver

import (
	"context"
	"errors"
	"path"
	"path/filepath"
	"time"

	"devrun/devserver/internal/binaries"
	"devrun/devserver/internal/gograph"
	"devrun/devserver/internal/term"
	"devrun/watcher"
)

// loop is the one goroutine that decides. All that is below belongs to it; what others
// want of it they put into the queue.
type loop struct {
	cfg   Config
	queue queue
	term  *term.Terminal
	typed <-chan term.Key // nil where there is no keyboard

	watcher *watcher.Watcher
	sources *sources
	tasks   tasks

	saves    saves
	builds   builds
	habits   habits
	process  process
	launcher launcher
	failures *failures
	web      web

	end ending
}

// tasks are what runs in the background.
type tasks struct {
	load  slot // what the app is made of
	build slot
	learn slot // how to build without the go command
	idle  slot // what is done for the binary when there is nothing else to do
}

func (t *tasks) all() []*slot { return []*slot{&t.load, &t.build, &t.learn, &t.idle} }

func (t *tasks) busy() (busy bool) {
	for _, s := range t.all() {
		busy = busy || s.busy()
	}
	return busy
}

// ending is the end of the run: since when, and what is the matter; zero until then.
type ending struct {
	since time.Time
	err   error
}

func (e ending) begun() bool { return !e.since.IsZero() }

func newLoop(cfg Config, dir string, s *sources) (*loop, error) {
	l := &loop{
		cfg:     cfg,
		queue:   newQueue(),
		term:    term.New(cfg.terminal()),
		sources: s,
		process: absent{},
	}
	l.typed = l.term.Keys()
	var kept cache
	options := binaries.Options{
		Dir: dir, Name: appName(s.Graph), Linkers: kept.dir("linkers"), LinkRoots: kept.dir("keep"), BuildCache: kept.of("warm", cfg),
		Notice: l.term.Notice,
	}
	if cfg.Verbose {
		options.Detail = l.term.Notice
	}
	l.builds.maker = binaries.New(options)
	remembered := newMemory(kept.dir("addresses"), cfg, s.environ.Vars)
	place, err := openPlace(kept.open("apps"), options.Name, cfg)
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	l.launcher = launcher{place: place, cfg: cfg, term: l.term, keyboard: l.typed != nil}
	if l.launcher.given, err = takeInherited(); err != nil {
		return nil, errors.Join(err, l.close())
	}
	if kept.why != nil {
		l.term.Notice("cache not used: " + kept.why.Error())
	}
	if err := l.openWeb(remembered); err != nil {
		return nil, errors.Join(err, l.close())
	}
	for _, n := range s.environ.Notices {
		l.term.Notice(n)
	}
	if l.watcher, err = watcher.New(watcher.Options{Poll: cfg.Poll, Notice: l.term.Notice}); err != nil {
		return nil, errors.Join(err, l.close())
	}
	if err := l.watcher.Watch(s.scope(cfg.Dir, nil)); err != nil {
		return nil, errors.Join(err, l.close())
	}
	l.builds.maker.Hook(s.Graph)
	for _, port := range l.launcher.given.ports {
		if err := l.web.listeners.adopt(port.public); err != nil {
			return nil, errors.Join(err, l.close())
		}
	}
	if l.ownsAddresses() {
		l.web.listeners.reopen() // else the addresses are for the app itself; one that is missing is named when it is missed
	}
	return l, nil
}

// ownsAddresses reports whether the app leaves its addresses to devrun. One that cannot
// be read yet is taken to: if it turns out not to, it gets them before it starts.
func (l *loop) ownsAddresses() bool {
	return !l.sources.Readable() || l.builds.maker.TakesOver()
}

// appName is what the app is called in titles and process lists.
func appName(g *gograph.Graph) string {
	name := path.Base(g.Main.ImportPath)
	if name == "." || name == "/" || name == "command-line-arguments" {
		return filepath.Base(g.Main.Dir)
	}
	return name
}

// close frees what newLoop made; the app is gone by then.
func (l *loop) close() error {
	close(l.queue.done)
	l.builds.maker.Close()
	var err error
	if l.watcher != nil {
		err = l.watcher.Close()
	}
	err = errors.Join(err, l.web.close())
	l.launcher.place.close()
	l.launcher.given.close()
	l.term.Close()
	return err
}

// run is the loop.
func (l *loop) run(stop, kill context.Context) error {
	l.term.Building(l.cfg.Package)
	l.rebuild()
	stopped, killed := stop.Done(), kill.Done()
	for !l.ended() {
		batches, calm := l.watcher.Batches(), (<-chan time.Time)(nil)
		if wait := time.Until(l.saves.burst.quietUntil); wait > 0 {
			batches, calm = nil, time.After(wait)
		}
		select {
		case b := <-batches:
			l.onBatch(b)
		case <-calm:
		case f := <-l.queue.calls:
			f()
		case k, ok := <-l.typed:
			if !ok {
				l.typed, l.launcher.keyboard = nil, false
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
			if a := l.process.any(); a != nil {
				a.proc.Kill()
			}
		}
	}
	if kill.Err() == nil && l.end.err == nil {
		l.term.Stopped(time.Since(l.end.since))
	}
	return l.end.err
}

// after has f called in d, if the process is still the one that runs.
func (l *loop) after(d time.Duration, a *app, f func()) {
	l.queue.after(d, func() {
		if l.process.any() == a {
			f()
		}
	})
}

// beginStop starts to end everything that is under way; ended is when all of it has
// reported.
func (l *loop) beginStop(interrupted bool) {
	if l.end.begun() {
		return
	}
	l.end.since = time.Now()
	l.term.Stopping(interrupted)
	for _, s := range l.tasks.all() {
		s.stop()
	}
	l.turn(halt{})
}

// fail ends the run: devrun cannot go on.
func (l *loop) fail(err error) {
	l.end.err = errors.Join(l.end.err, err)
	l.beginStop(false)
}

// ended reports whether the run is over: nothing of devrun's outlives it.
func (l *loop) ended() bool {
	return l.end.begun() && l.process.any() == nil && !l.tasks.busy()
}

// state is what the app is doing.
func (l *loop) state() state {
	return stateOf(l.tasks.build.busy(), l.builds.failed != nil, l.process)
}

// present gives every front what it answers in the present state. It is called
// after each change and does nothing where there is none.
func (l *loop) present() {
	now := l.state()
	a := answer{
		gen:   l.saves.gen,
		hold:  now == stateBuilding || now == stateStarting,
		fault: now == stateFailed || now == stateCrashed,
	}
	if app := lives(l.process); app != nil && !a.hold {
		a.app = app.gen
	}
	l.web.console.Broken(l.builds.failed != nil)
	l.web.listeners.present(a)
}
