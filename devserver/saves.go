package devserver

import (
	"slices"
	"time"

	"devrun/devserver/internal/page"
	"devrun/devserver/internal/term"
)

// clock is when the parts of a save were over; zero where one did not happen.
type clock struct {
	written, saved, built, stopped, started, ready time.Time

	link  time.Duration // the end of the build, if the go command had no part in it
	asked bool          // but for a question ahead of it
	same  bool          // it gave what runs, and was not linked
	full  string        // why it had one
	files []string      // that the started app is the first to have
}

// longestWatch is how old a file may be that was just saved: an older one has
// been moved to its place.
const longestWatch = 5 * time.Second

// phases are the parts that the save has had, in their order.
func (c clock) phases() []term.Phase {
	if c.saved.IsZero() {
		return nil
	}
	var ps []term.Phase
	from := c.saved
	if watch := c.saved.Sub(c.written); watch >= 0 && watch < longestWatch {
		ps = append(ps, term.Phase{Name: "watch", Took: watch})
	}
	var compiled time.Time
	compile, building := "compile", "build"
	if c.link > 0 {
		compiled, building = c.built.Add(-c.link), "link"
	}
	if c.asked {
		compile = "ask"
	}
	if c.same {
		building = "compile"
	}
	for _, p := range []struct {
		name string
		end  time.Time
	}{{compile, compiled}, {building, c.built}, {"stop", c.stopped}, {"start", c.started}, {"ready", c.ready}} {
		if !p.end.IsZero() {
			ps = append(ps, term.Phase{Name: p.name, Took: p.end.Sub(from)})
			from = p.end
		}
	}
	return ps
}

// maxSaves are kept.
const maxSaves = 50

// saves are the last ones, oldest first.
type saves []page.Save

// add forgets the oldest where there is no room.
func (s *saves) add(v page.Save) {
	if len(*s) == maxSaves {
		*s = slices.Delete(*s, 0, 1)
	}
	*s = append(*s, v)
}

// beginSave starts the clock. A save before it whose app was started and is not
// ready has come to its end; the files of any other go into the same build.
func (l *loop) beginSave(written time.Time) {
	if len(l.clock.files) > 0 {
		l.endSaveAs(page.SaveOvertaken, "the app was replaced before it was ready")
	}
	l.clock = clock{written: written, saved: time.Now()}
}

// endSave ends a save whose app is ready, and says what it took.
func (l *loop) endSave() {
	l.clock.ready = time.Now()
	l.term.Phases(l.clock.phases())
	switch c := l.clock; {
	case c.link > 0:
		l.endSaveAs(page.SaveDirect, "")
	case !c.built.IsZero():
		l.endSaveAs(page.SaveGoBuild, c.full)
	default:
		l.endSaveAs(page.SaveRestart, "")
	}
}

// endSaveAs keeps the save that is under way, if there is one.
func (l *loop) endSaveAs(o page.Outcome, note string) {
	if s, ok := l.underWay(o, note); ok {
		l.saves.add(s)
	}
	l.clock = clock{}
}

// underWay is the save that is; ok is false if there is none, as when a key has
// asked for the build.
func (l *loop) underWay(o page.Outcome, note string) (s page.Save, ok bool) {
	files := slices.Concat(l.clock.files, l.saved)
	if l.clock.saved.IsZero() || len(files) == 0 {
		return s, false
	}
	return timed(l.clock, page.Save{Files: files, Generation: l.gen, Outcome: o, Note: note}), true
}

// timed is s with the times of c.
func timed(c clock, s page.Save) page.Save {
	s.At = c.saved
	for _, p := range c.phases() {
		s.Phases = append(s.Phases, page.Phase(p))
	}
	return s
}

// noteRefresh keeps a save that the app has no part in.
func (l *loop) noteRefresh(a action, names []string, written time.Time) {
	o := page.SaveReload
	if a == swapStyle {
		o = page.SaveStyle
	}
	l.saves.add(timed(clock{written: written, saved: time.Now()}, page.Save{Files: names, Outcome: o}))
}

// lastSaves are the saves for devrun's page, newest first.
func (l *loop) lastSaves() []page.Save {
	all := slices.Clone(l.saves)
	if s, ok := l.underWay(page.Outcome(l.state().String()), ""); ok {
		all.add(s)
	}
	slices.Reverse(all)
	return all
}
