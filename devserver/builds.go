package devserver

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"devrun/devserver/internal/binaries"
	"devrun/devserver/internal/build"
	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/page"
	"devrun/devserver/internal/reload"
	"devrun/devserver/internal/stamp"
)

// builds are what has become of the sources.
type builds struct {
	maker  *binaries.Maker
	good   *generation  // the newest that was linked, nil for none
	failed *fault.Build // the newest sources, if they did not build
}

// newGeneration tells the browsers that there is one.
func (l *loop) newGeneration() {
	l.saves.gen++
	l.web.hub.Publish(reload.Event{Kind: reload.Building, Generation: l.saves.gen})
}

// rebuild asks for a new generation. The build that is under way, if any, is
// cancelled first: there are never two.
func (l *loop) rebuild() {
	l.newGeneration()
	l.turn(outdated{})
	l.tasks.build.stop()
	l.tasks.build.start(l.queue, l.beginBuild)
	l.present()
}

// beginBuild is the build of the sources as they are.
func (l *loop) beginBuild() task {
	l.tasks.idle.stop() // that there are never two of the go command is the maker's care
	r := binaries.Request{
		Generation: l.saves.gen, Graph: l.sources.Graph, Runs: l.mayStay(), Sources: l.sources.files(), Touched: l.watcher.Rescan,
		Progress: l.progress(l.saves.gen),
		Settings: binaries.Settings{
			Dir: l.cfg.Dir, Package: l.cfg.Package, Env: l.sources.environ.Vars,
			Tags: l.cfg.Tags, LDFlags: l.cfg.LDFlags, GCFlags: l.cfg.GCFlags, Race: l.cfg.Race,
		},
	}
	began := time.Now()
	return func(ctx context.Context) func() {
		res, err := l.builds.maker.Build(ctx, r)
		return func() { l.onBuilt(r, res, began, err) }
	}
}

// progress says how far the build of a generation is.
func (l *loop) progress(gen int) func(done, of int) {
	first := true
	return func(done, of int) {
		l.queue.tell(func() {
			if l.saves.gen == gen && l.tasks.build.busy() {
				l.term.Progress(l.cfg.Package, done, of, first)
				first = false
			}
		})
	}
}

// mayStay is the binary of the app, nil if it may not go on: it may have read at its
// start what is no Go file.
func (l *loop) mayStay() *binaries.Binary {
	isOther := func(name string) bool { return filepath.Ext(name) != ".go" }
	p, ok := l.process.(ready)
	if !ok || p.app.binary != l.builds.good.binary || !p.app.binary.Hooked() || len(l.saves.files) == 0 || slices.ContainsFunc(l.saves.files, isOther) {
		return nil
	}
	return p.app.binary
}

func (l *loop) onBuilt(r binaries.Request, res binaries.Result, began time.Time, err error) {
	if l.end.begun() {
		return
	}
	if res.Sources != nil {
		l.whenStill(r, res.Sources)
	}
	l.saves.clock.built = time.Now()
	if err != nil {
		l.onBuildFailed(err, began)
		return
	}
	l.term.Built(res.Took)
	l.detailBuild(res)
	c := &l.saves.clock
	c.link, c.full, c.asked, c.same = res.Link, res.Full, res.Asked, res.Binary == nil
	l.builds.failed = nil
	if l.sources.Broken() {
		l.load()
	}
	if res.Binary == nil {
		l.onSame(r.Runs, res)
		return
	}
	l.swap(res.Binary)
	l.learn(res.Binary)
}

// detailBuild says how a binary was made to who wants to know, and once to everybody
// that from now on it takes longer.
func (l *loop) detailBuild(res binaries.Result) {
	if l.cfg.Verbose {
		switch {
		case res.Cached:
			l.term.Notice("unchanged since the last run, its binary is used")
		case res.Cold != nil && !errors.Is(res.Cold, fs.ErrNotExist):
			l.term.Notice("build cache not used: " + res.Cold.Error())
		}
		if res.Full != "" {
			l.term.Notice("built with go build: " + res.Full)
		}
	}
	l.sayIfSlow()
}

// onSame lets the app go on when a save has changed nothing in it.
func (l *loop) onSame(runs *binaries.Binary, res binaries.Result) {
	if l.mayStay() != runs { // it has ended meanwhile
		l.swap(l.builds.good.binary)
		return
	}
	runs.Is(res)
	l.term.Notice("no change in the program, still running")
	l.term.Phases(l.saves.endSame())
	l.present()
	l.web.hub.Publish(reload.Event{Kind: reload.Reload, Generation: lives(l.process).gen})
}

// onBuildFailed shows what is wrong.
func (l *loop) onBuildFailed(err error, began time.Time) {
	f, ok := errors.AsType[*build.Failure](err)
	if !ok {
		f = &build.Failure{Build: fault.Build{Diagnostics: []fault.Diagnostic{{Message: err.Error()}}}}
	}
	b := f.Build
	b.Generation, b.At, b.Saved = l.saves.gen, began, slices.Clone(l.saves.files)
	l.saves.endAs(page.SaveNotBuilt, f.Count())
	l.builds.failed = &b
	l.turn(unbuilt{l.builds.good})
	var missing []error
	if l.builds.good == nil && l.ownsAddresses() {
		missing = l.web.listeners.reopen()
	}
	l.web.listeners.show(l.buildPage())
	l.term.BuildFailed(b.Diagnostics, l.web.listeners.url())
	if l.builds.good == nil { // else the addresses have been printed
		l.term.ErrorPage(l.web.listeners.url())
		for _, err := range missing {
			l.term.Notice("no error page: " + err.Error())
		}
	}
	if app := lives(l.process); app != nil {
		l.term.StillRunning(app.gen, app.pid())
	}
	inSource := slices.ContainsFunc(b.Diagnostics, func(d fault.Diagnostic) bool { return d.File != "" })
	l.term.WaitingForSave(l.typed != nil && !inSource)
	l.present()
	l.web.hub.Publish(reload.Event{Kind: reload.Failed, Generation: l.saves.gen})
}

// buildPage is the page for the failed build, and says what still runs.
func (l *loop) buildPage() http.Handler {
	app := lives(l.process)
	if app == nil {
		return l.web.pages.BuildFailed(*l.builds.failed, nil)
	}
	return l.web.pages.BuildFailed(*l.builds.failed, &page.Running{Generation: app.gen, Pid: app.pid(), Built: app.binary.Built})
}

// stillAfter is for how long sources have to be as they are.
const stillAfter = 300 * time.Millisecond

// whenStill has the sources of a build, which were as was says, built again as soon as
// nobody touches them any more, unless there is a newer one by then.
func (l *loop) whenStill(r binaries.Request, was stamp.Stamps) {
	time.AfterFunc(stillAfter, func() {
		now := stamp.All(r.Sources)
		l.queue.tell(func() {
			switch {
			case l.end.begun() || l.saves.gen != r.Generation:
			case was.Equal(now):
				l.rebuild()
			default:
				l.whenStill(r, now)
			}
		})
	})
}
