package devserver

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"devrun/devserver/internal/reload"
	"devrun/devserver/internal/term"
	"devrun/watcher"
)

// onBatch takes what has changed, but for what the app itself does. Go files are taken
// at once.
func (l *loop) onBatch(b watcher.Batch) {
	if slices.ContainsFunc(b, func(c watcher.Change) bool { return filepath.Ext(c.Path) != ".go" }) {
		l.sift(slices.Clone(b), 2)
	} else {
		l.onSave(b)
	}
}

// sift takes out of a batch what the app itself does. A file that it has open to write
// is not saved; one that it has closed before, it has told of, and is heard in this round.
// It takes another round where a file was being opened.
func (l *loop) sift(b watcher.Batch, rounds int) {
	a := l.process.any()
	if a == nil || rounds == 0 {
		l.onSave(b)
		return
	}
	writing := a.writing()
	b = slices.DeleteFunc(b, func(c watcher.Change) bool { return writing(c.Path) })
	a.tells(func() {
		l.queue.tell(func() {
			w, starts := &l.habits.writes, l.habits.starts.acts
			b = slices.DeleteFunc(b, func(c watcher.Change) bool { return w.own(c.Path, starts) })
			if !slices.ContainsFunc(b, func(c watcher.Change) bool { return w.has(c.Path, starts) }) {
				rounds = 1
			}
			l.sift(b, rounds-1)
		})
	})
}

// onSave decides what a save asks for and sets it going.
func (l *loop) onSave(b watcher.Batch) {
	if l.end.begun() {
		return
	}
	isEnv := func(c watcher.Change) bool { return l.sources.envFiles[c.Path] }
	if slices.ContainsFunc(b, isEnv) && !l.readEnviron() {
		b = slices.DeleteFunc(slices.Clone(b), isEnv)
	}
	m := moment{opened: l.habits.whenOpened, untrusted: l.builds.failed != nil || l.tasks.load.busy()}
	batch := slices.DeleteFunc(l.sources.read(b), func(c change) bool {
		held, words := l.habits.holds(c.Path, l.sources.one(c, m).action, changedAt(c.Path, time.Now()))
		if words != "" {
			l.term.Notice(l.rel(c.Path) + " " + words)
		}
		return held
	})
	d := decide(batch, &l.sources.rules, m)
	if l.cfg.Verbose {
		for _, why := range slices.Sorted(maps.Keys(d.ignored)) {
			if files := slices.DeleteFunc(d.ignored[why], isData); len(files) > 0 {
				l.term.Saved(l.rels(files), term.Effect("ignored: "+why))
			}
		}
	}
	if d.action == ignore {
		return
	}
	names := l.rels(d.files)
	switch d.action {
	case swapStyle, reloadPage:
		l.refreshBrowsers(d.action, names)
		l.saves.refresh(d.action, names, newest(d.files))
	case restart:
		l.restart(names, newest(d.files))
	case rebuild:
		building := l.tasks.build.busy()
		l.saves.burst.save(time.Now(), building)
		l.saves.begin(newest(d.files))
		// One save may come in two steps, and a file may be saved again: during
		// the build the line that is there says it already.
		if grown := l.saves.note(names); grown || !building {
			l.term.Saved(l.saves.files, term.Rebuild)
		}
		l.rebuild()
		if d.reshape {
			l.load()
		}
	}
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
	l.sources = l.sources.withEnviron(environ)
	return true
}

func (l *loop) refreshBrowsers(a action, names []string) {
	bases := make([]string, len(names))
	for i, n := range names {
		bases[i] = filepath.Base(n)
	}
	l.habits.refreshes.act(time.Now())
	if a == swapStyle {
		l.term.Saved(names, term.StylesheetSwapped)
		l.web.hub.Publish(reload.Event{Kind: reload.CSS, Paths: bases})
		return
	}
	l.term.Saved(names, term.PageReloaded)
	if l.state() == stateServing { // else they reload anyway when it is over
		l.web.hub.Publish(reload.Event{Kind: reload.Reload, Paths: bases})
	}
}

// restart starts the newest binary again. While a newer one is being built
// there is nothing to do: its start will read the files anew.
func (l *loop) restart(names []string, written time.Time) {
	switch {
	case l.onItsWay():
		l.saves.note(names)
		l.term.Saved(names, term.Rebuild)
	case l.builds.failed != nil || l.builds.good == nil:
		l.saves.begin(written)
		l.saves.note(names)
		l.term.Saved(names, term.Rebuild)
		l.rebuild()
	default:
		l.saves.begin(written)
		l.saves.note(names)
		l.term.Saved(names, term.RestartOnly)
		l.newGeneration()
		l.swap(l.builds.good.binary)
	}
}

// onItsWay reports whether a newer process is, or its binary.
func (l *loop) onItsWay() bool {
	p, ok := l.process.(stopping)
	return l.tasks.build.busy() || ok && p.next != nil
}

// load asks the go command again what the app is made of, beside the build.
func (l *loop) load() {
	asked := time.Now()
	l.tasks.load.start(l.queue, func() task {
		before, cfg, opened := l.sources, l.cfg, l.openedFiles()
		return func(ctx context.Context) func() {
			s, err := before.load(ctx, cfg)
			if err == nil {
				err = l.watcher.Watch(s.scope(cfg.Dir, opened))
			}
			return func() { l.onLoaded(s, asked, err) }
		}
	})
}

// onLoaded takes the new sources. A file in a directory that was not watched
// until now may have been saved after the build read it: that is a save too.
func (l *loop) onLoaded(s *sources, asked time.Time, err error) {
	switch {
	case l.end.begun():
		return
	case err != nil:
		// The build says in better words what is wrong; what was watched stays.
		if l.builds.failed == nil && !l.tasks.build.busy() {
			l.term.Error(err)
		}
		return
	}
	before := l.sources
	l.sources = s.withEnviron(before.environ)
	l.watchOpened() // what was opened meanwhile
	if s.hooks() != before.hooks() {
		l.builds.maker.Hook(s.Graph)
		l.rebuild()
		return
	}
	if late := s.late(before, asked); len(late) > 0 {
		l.onBatch(late)
	}
}

// rels is rel for some.
func (l *loop) rels(paths []string) []string {
	names := make([]string, len(paths))
	for i, path := range paths {
		names[i] = l.rel(path)
	}
	return names
}

// rel is path as a person in the app's directory would write it.
func (l *loop) rel(path string) string {
	if r, err := filepath.Rel(l.cfg.Dir, path); err == nil {
		return r
	}
	return path
}
