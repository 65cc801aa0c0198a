package devserver

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"devrun/devserver/internal/build"
	"devrun/devserver/internal/fastbuild"
	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/gograph"
	"devrun/devserver/internal/page"
	"devrun/devserver/internal/reload"
	"devrun/devserver/internal/term"
	"devrun/watcher"
)

// job is a build under way.
type job struct {
	gen    int
	hooked bool
	kept   bool // with what the app does not call
	slow   bool // it is told how far it is
	began  time.Time
	cancel context.CancelFunc
}

// binary is what a build made.
type binary struct {
	gen      int
	hooked   bool // it says where it listens
	path     string
	at       time.Time
	debugger *debugger // of all processes that run it
}

// again is the same binary for another generation.
func (b binary) again(gen int) *binary {
	b.gen = gen
	return &b
}

// onBatch decides what a save asks for and sets it going.
func (l *loop) onBatch(b watcher.Batch) {
	if l.closing {
		return
	}
	if slices.ContainsFunc(b, l.isEnv) && !l.readEnviron() {
		b = slices.DeleteFunc(slices.Clone(b), l.isEnv)
	}
	f := l.facts
	f.broken = f.broken || l.loading // a package may be on its way in
	b = slices.DeleteFunc(slices.Clone(b), func(c watcher.Change) bool { return l.byItself(c, f) })
	d := decide(b, f)
	if d.action == ignore {
		return
	}
	names := make([]string, len(d.files))
	for i, f := range d.files {
		names[i] = l.rel(f)
	}
	switch d.action {
	case swapStyle, reloadPage:
		l.refreshBrowsers(d.action, names)
		l.noteRefresh(d.action, names, newest(d.files))
	case restart:
		l.restart(names, newest(d.files))
	case rebuild:
		l.flurry.save(time.Now(), l.build != nil)
		l.beginSave(newest(d.files))
		// One save may come in two steps, and a file may be saved again: during
		// the build the line that is there says it already.
		if grown := l.note(names); grown || l.build == nil {
			l.term.Saved(l.saved, term.Rebuild)
		}
		l.rebuild()
		if d.reshape {
			l.load()
		}
	}
}

// flurry is saves that come faster than builds end, of a program that writes many
// files. Each would end a build that has only just begun, so that none got anywhere
// and the files were written more slowly too: the loop takes what is next after half
// of the time that the flurry has lasted, and until then the watcher collects. The
// second save of an editor that formats what it has saved is taken at once.
type flurry struct{ began, calm time.Time }

const (
	leastCalm = 10 * time.Millisecond
	mostCalm  = 250 * time.Millisecond
)

// save is one more; building tells that it came before the build of the last one had
// ended.
func (f *flurry) save(now time.Time, building bool) {
	if !building {
		f.began = now
		return
	}
	f.calm = now.Add(min(max(leastCalm, now.Sub(f.began)/2), mostCalm))
}

func (l *loop) isEnv(c watcher.Change) bool { return l.facts.envFiles[c.Path] }

// note adds names to what was saved since the last start, and reports whether
// there were new ones; a save during the build names all that the build is for.
func (l *loop) note(names []string) (grown bool) {
	for _, n := range names {
		if !slices.Contains(l.saved, n) {
			l.saved, grown = append(l.saved, n), true
		}
	}
	return grown
}

// readEnviron reads the .env files again; when one is broken it says so and
// changes nothing.
func (l *loop) readEnviron() bool {
	environ, err := l.cfg.Environ()
	if err != nil {
		l.term.Error(err)
		return false
	}
	for _, n := range environ.Notices {
		l.term.Notice(n)
	}
	l.environ, l.facts.envFiles = environ.Vars, set(environ.Files...)
	return true
}

func (l *loop) refreshBrowsers(a action, names []string) {
	bases := make([]string, len(names))
	for i, n := range names {
		bases[i] = filepath.Base(n)
	}
	l.refreshes.act(time.Now())
	if a == swapStyle {
		l.term.Saved(names, term.StylesheetSwapped)
		l.hub.Publish(reload.Event{Kind: reload.CSS, Paths: bases})
		return
	}
	l.term.Saved(names, term.PageReloaded)
	if l.state() == serving { // else they reload anyway when it is over
		l.hub.Publish(reload.Event{Kind: reload.Reload, Paths: bases})
	}
}

// restart starts the newest binary again. While a newer one is being built
// there is nothing to do: its start will read the files anew.
func (l *loop) restart(names []string, written time.Time) {
	switch {
	case l.build != nil, l.next != nil:
		l.note(names)
		l.term.Saved(names, term.Rebuild)
	case l.failed != nil || l.good == nil:
		l.beginSave(written)
		l.note(names)
		l.term.Saved(names, term.Rebuild)
		l.rebuild()
	default:
		l.beginSave(written)
		l.note(names)
		l.term.Saved(names, term.RestartOnly)
		l.gen++
		l.hub.Publish(reload.Event{Kind: reload.Building, Generation: l.gen})
		l.swap(l.good.again(l.gen))
	}
}

// rebuild asks for a new generation. The build that is under way, if any, is
// cancelled first: there are never two.
func (l *loop) rebuild() {
	l.gen++
	l.next = nil
	l.hub.Publish(reload.Event{Kind: reload.Building, Generation: l.gen})
	if l.build != nil {
		l.build.cancel()
		return
	}
	l.startBuild()
}

func (l *loop) startBuild() {
	ctx, cancel := context.WithCancel(context.Background())
	l.build = &job{gen: l.gen, hooked: l.overlay != nil, began: time.Now(), cancel: cancel}
	r := build.Request{
		Generation: l.gen, Dir: l.cfg.Dir, Env: l.environ, Package: l.cfg.Package,
		Tags: l.cfg.Tags, LDFlags: l.cfg.LDFlags, GCFlags: l.cfg.GCFlags, Race: l.cfg.Race,
		UserPatterns: l.graph.Patterns(), MainDir: l.graph.Main.Dir, PackageDirs: packageDirs(l.graph), GOFLAGS: l.graph.GOFLAGS,
		Output: filepath.Join(l.genDir(l.gen), appName(l.graph)),
	}
	if gen := l.gen; gen == 1 { // later ones are short, and the graph may not have all of their packages
		r.Progress = func(done, of int) { l.tell(progressed{gen, done, of}) }
	}
	if l.overlay != nil {
		r.Overlay, r.HookPattern, r.HookLDFlags = l.overlay.File, l.overlay.Package, l.overlay.LDFlags
	}
	l.present()
	l.stopErrand()
	keep := !l.unkept && l.overlay != nil && slices.Contains(l.overlay.Parts, "eval")
	l.build.kept = keep
	pkgs, runs, warm := l.graph.Packages, l.runs(), l.warm
	sources := slices.Concat(keys(l.facts.sources), keys(l.facts.embedded), keys(l.facts.modFiles))
	go func() {
		defer cancel()
		before := stamps(sources) // what the save was about: no wait may come before
		var res fastbuild.Result
		err := os.Mkdir(filepath.Dir(r.Output), 0o700)
		if keep {
			if file, err := l.keeper.overlay(r.Overlay, pkgs); err == nil { // else the console has less to call
				r.Overlay = file
			}
		}
		var cold error
		if r.Generation == 1 && warm != "" {
			cold = l.builder.Restore(warm, r)
		}
		if err == nil || errors.Is(err, fs.ErrExist) {
			res, err = l.builder.Build(ctx, r, runs)
		}
		e := built{request: r, gen: r.Generation, result: res, cold: cold, err: err, sources: sources, after: stamps(sources)}
		if e.touched = ctx.Err() == nil && !maps.Equal(before, e.after); e.touched {
			l.watcher.Rescan()
		}
		l.tell(e)
	}()
}

// progressed: a build that takes long is so far.
type progressed struct{ gen, done, of int }

func (l *loop) onProgress(p progressed) {
	if l.build != nil && l.build.gen == p.gen {
		l.term.Progress(l.cfg.Package, p.done, p.of, !l.build.slow)
		l.build.slow = true
	}
}

// packageDirs are the directories of the app's packages, by import path.
func packageDirs(g *gograph.Graph) map[string]string {
	dirs := map[string]string{}
	for _, p := range g.Packages {
		dirs[p.ImportPath] = p.Dir
	}
	return dirs
}

// maxRepeats is how often in a row a build is made again because a source was
// touched meanwhile: a program that never stops touching one must not keep the
// app from being served. The last one is made again when all have come to rest.
const maxRepeats = 3

// genDir is where the binary of a generation lies.
func (l *loop) genDir(gen int) string { return filepath.Join(l.dir, "gen-"+strconv.Itoa(gen)) }

func (l *loop) onBuilt(e built) {
	job := l.build
	l.build = nil
	if l.closing {
		return
	}
	if e.gen != l.gen {
		l.unsuspend()
		os.RemoveAll(l.genDir(e.gen))
		l.startBuild()
		return
	}
	if e.touched && l.repeats < maxRepeats {
		l.repeats++
		l.startBuild()
		return
	}
	if e.touched { // the files may be what they were before, and the binary of neither
		l.whenStill(e.gen, e.sources, e.after)
	}
	l.repeats = 0
	if failure, ok := errors.AsType[*build.Failure](e.err); ok {
		if job.kept && (failure.InHook() || failure.Unlinked()) {
			l.unkept = true
			l.startBuild()
			return
		}
		l.onBuildFailed(failure, job)
		return
	}
	if e.err != nil {
		l.onBuildFailed(&build.Failure{Build: fault.Build{Diagnostics: []fault.Diagnostic{{Message: e.err.Error()}}}}, job)
		return
	}
	if l.suspended != nil {
		l.suspended = nil
		l.term.Notice("the app does not build with devrun's hook and is built as it is: " + l.hookFailure)
	}
	if l.unkept && !l.unkeptSaid && job.hooked {
		l.unkeptSaid = true
		l.term.Notice("the app does not build with what the console would call: there it can call only what the app calls")
	}
	l.term.Built(e.result.Took)
	if l.cfg.Verbose && e.result.Kept {
		l.term.Notice("nothing has changed since the last run, whose binary is used")
	} else if l.cfg.Verbose && e.cold != nil && !errors.Is(e.cold, fs.ErrNotExist) {
		l.term.Notice("nothing is used of the last run: " + e.cold.Error())
	}
	l.clock.built, l.clock.link, l.clock.full = time.Now(), e.result.Link, e.result.Full
	l.clock.asked, l.clock.same = e.result.Asked, e.result.Same
	if l.cfg.Verbose && e.result.Full != "" {
		l.term.Notice("built with go build: " + e.result.Full)
	}
	l.sayIfSlow()
	l.failed, l.facts.broken = nil, false
	if l.graph.Broken() {
		l.load()
	}
	if e.result.Same {
		l.onSame(e)
		return
	}
	b := &binary{gen: e.gen, hooked: job.hooked, path: e.result.Binary, at: time.Now()}
	if job.hooked {
		b.debugger = &debugger{request: e.request, made: e.result.Made}
	}
	l.swap(b)
	l.learn(e.request)
}

// runs is what the running app was made of, nil if that is not known or the app
// may not stay: it may have read at its start what is no Go file.
func (l *loop) runs() *fastbuild.Made {
	isOther := func(name string) bool { return filepath.Ext(name) != ".go" }
	if len(l.saved) == 0 || slices.ContainsFunc(l.saved, isOther) || l.app == nil || l.app.stopping || !l.app.ready || l.app.binary != l.good || l.good.debugger == nil {
		return nil
	}
	return l.good.debugger.made
}

// onSame lets the app go on when a save has changed nothing in it.
func (l *loop) onSame(e built) {
	os.RemoveAll(l.genDir(e.gen))
	if l.runs() == nil { // it has ended meanwhile
		l.swap(l.good.again(e.gen))
		return
	}
	l.good.debugger.made = e.result.Made
	l.term.Notice("the program is the same and goes on")
	l.term.Phases(l.clock.phases())
	l.endSaveAs(page.SaveSame, "nothing in it has changed")
	l.saved = nil
	l.present()
	l.hub.Publish(reload.Event{Kind: reload.Reload, Generation: l.app.gen})
}

// unsuspend puts the hook back after a build that went without it on trial.
func (l *loop) unsuspend() {
	if l.suspended != nil {
		l.overlay, l.suspended = l.suspended, nil
	}
}

// onBuildFailed shows the failure, unless the hook may be what does not build:
// then the app is built as it is, and only if that passes it was the hook.
func (l *loop) onBuildFailed(f *build.Failure, job *job) {
	l.unkept = l.unkeptSaid
	if l.overlay != nil && f.InHook() {
		l.suspended, l.overlay, l.hookFailure = l.overlay, nil, f.Error()
		l.startBuild()
		return
	}
	l.unsuspend()
	l.clock.built = time.Now()
	l.endSaveAs(page.SaveNotBuilt, f.Count())
	b := f.Build
	b.Generation, b.At, b.Saved = l.gen, job.began, slices.Clone(l.saved)
	l.failed, l.crash, l.facts.broken = &b, nil, true
	l.show(l.buildPage())
	l.term.BuildFailed(b.Diagnostics, l.fronts.url())
	if l.lives() {
		l.term.StillRunning(l.app.gen, l.app.proc.Pid())
	}
	l.term.WaitingForSave(false)
	l.present()
	l.hub.Publish(reload.Event{Kind: reload.Failed, Generation: l.gen})
}

// show makes h the page for what went wrong.
func (l *loop) show(h http.Handler) {
	l.page = h
	l.shown++
}

// buildPage is the page for the failed build, and says what still runs.
func (l *loop) buildPage() http.Handler {
	if !l.lives() {
		return l.pages.BuildFailed(*l.failed, nil)
	}
	return l.pages.BuildFailed(*l.failed, &page.Running{Generation: l.app.gen, Pid: l.app.proc.Pid(), Built: l.app.built})
}

// load asks the go command again what the app is made of, beside the build.
func (l *loop) load() {
	if l.loading {
		l.loadNext = true
		return
	}
	l.loading = true
	ctx, cancel := context.WithCancel(context.Background())
	l.cancelLoad = cancel
	since, opts, env, cfg, old := time.Now(), l.cfg.graphOptions(l.environ), keys(l.facts.envFiles), l.cfg, l.graph
	go func() {
		defer cancel()
		g, err := gograph.Load(ctx, opts)
		e := loaded{graph: g, since: since, err: err}
		if err == nil {
			g.Packages = withLost(g, old)
			e.facts = factsOf(g, env, cfg)
			e.err = l.watcher.Watch(scopeOf(opts.Dir, g, env))
		}
		l.tell(e)
	}()
}

// withLost are the packages of g and, when g is broken, those of the graph
// before that it has lost: mending the one may well bring back the others, and
// until then a save of theirs is not to be missed.
func withLost(g, before *gograph.Graph) []gograph.Package {
	all := g.Packages
	if !g.Broken() {
		return all
	}
	known := map[string]bool{}
	for _, p := range all {
		known[p.ImportPath] = true
	}
	for _, p := range before.Packages {
		if !known[p.ImportPath] {
			all = append(all, p)
		}
	}
	return all
}

// onLoaded takes the new graph. A file in a directory that was not watched
// until now may have been saved after the build read it: that is a save too.
func (l *loop) onLoaded(e loaded) {
	l.loading = false
	if l.closing {
		return
	}
	defer func() {
		if l.loadNext {
			l.loadNext = false
			l.load()
		}
	}()
	if e.err != nil {
		// The build says in better words what is wrong; what was watched stays.
		if l.failed == nil && l.build == nil {
			l.term.Error(e.err)
		}
		return
	}
	before := l.facts
	target := hookTarget(l.graph)
	l.graph, l.facts = e.graph, e.facts
	l.facts.broken, l.facts.opened = before.broken, before.opened
	if hookTarget(e.graph) != target {
		l.prepareHook()
		l.rebuild()
		return
	}
	var late watcher.Batch
	for f := range l.facts.sources {
		if before.packages[filepath.Dir(f)] || before.sources[f] {
			continue
		}
		if fi, err := os.Stat(f); err == nil && fi.ModTime().After(e.since) {
			late = append(late, watcher.Change{Path: f, Op: watcher.Modified})
		}
	}
	if len(late) > 0 {
		l.onBatch(late)
	}
}

// hookTarget is what the hook's overlay depends on.
func hookTarget(g *gograph.Graph) [4]string {
	m := g.MainModule
	return [4]string{g.GOROOT, m.Path, g.Main.Dir, strconv.FormatBool(g.HasHTTP)}
}

// rel is path as a person in the app's directory would write it.
func (l *loop) rel(path string) string {
	if r, err := filepath.Rel(l.cfg.Dir, path); err == nil {
		return r
	}
	return path
}
