package devserver

import (
	"os"
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

// burst is saves that come faster than builds end, of a program that writes many
// files. Each would end a build that has only just begun, so that none got anywhere
// and the files were written more slowly too: the loop takes what is next after half
// of the time that the burst has lasted, and until then the watcher collects. The
// second save of an editor that formats what it has saved is taken at once.
type burst struct{ began, quietUntil time.Time }

const (
	leastQuiet = 10 * time.Millisecond
	maxQuiet   = 250 * time.Millisecond
)

// save is one more; building tells that it came before the build of the last one had
// ended.
func (b *burst) save(now time.Time, building bool) {
	if !building {
		b.began = now
		return
	}
	b.quietUntil = now.Add(min(max(leastQuiet, now.Sub(b.began)/2), maxQuiet))
}

// maxSaves are kept.
const maxSaves = 50

// saves are the one that is on its way and the last ones.
type saves struct {
	gen   int      // the newest generation that was asked for
	files []string // saved since the last generation that was started
	burst burst
	clock clock       // what the save has cost so far
	ended []page.Save // oldest first
}

// add forgets the oldest where there is no room.
func (s *saves) add(v page.Save) {
	if len(s.ended) == maxSaves {
		s.ended = slices.Delete(s.ended, 0, 1)
	}
	s.ended = append(s.ended, v)
}

// begin starts the clock. A save before it whose app was started and is not
// ready has come to its end; the files of any other go into the same build.
func (s *saves) begin(written time.Time) {
	if len(s.clock.files) > 0 {
		s.endAs(page.SaveOvertaken, "the app was replaced before it was ready")
	}
	s.clock = clock{written: written, saved: time.Now()}
}

// note adds names to what was saved since the last start, and reports whether
// there were new ones; a save during the build names all that the build is for.
func (s *saves) note(names []string) (grown bool) {
	for _, n := range names {
		if !slices.Contains(s.files, n) {
			s.files, grown = append(s.files, n), true
		}
	}
	return grown
}

// started is for an app that is about to be the first to have what was saved.
func (s *saves) started(now time.Time) {
	s.clock.files, s.files = s.files, nil
	s.clock.stopped = now
}

// end ends a save whose app is ready, and says what it took.
func (s *saves) end() []term.Phase {
	s.clock.ready = time.Now()
	phases := s.clock.phases()
	switch c := s.clock; {
	case c.link > 0:
		s.endAs(page.SaveDirect, "")
	case !c.built.IsZero():
		s.endAs(page.SaveGoBuild, c.full)
	default:
		s.endAs(page.SaveRestart, "")
	}
	return phases
}

// endSame ends a save that has changed nothing in the app.
func (s *saves) endSame() []term.Phase {
	phases := s.clock.phases()
	s.endAs(page.SaveSame, "nothing in it has changed")
	s.files = nil
	return phases
}

// endAs keeps the save that is under way, if there is one.
func (s *saves) endAs(o page.Outcome, note string) {
	if v, ok := s.underWay(o, note); ok {
		s.add(v)
	}
	s.clock = clock{}
}

// underWay is the save that is; ok is false if there is none, as when a key has
// asked for the build.
func (s *saves) underWay(o page.Outcome, note string) (v page.Save, ok bool) {
	files := slices.Concat(s.clock.files, s.files)
	if s.clock.saved.IsZero() || len(files) == 0 {
		return v, false
	}
	return timed(s.clock, page.Save{Files: files, Generation: s.gen, Outcome: o, Note: note}), true
}

// timed is s with the times of c.
func timed(c clock, s page.Save) page.Save {
	s.At = c.saved
	for _, p := range c.phases() {
		s.Phases = append(s.Phases, page.Phase(p))
	}
	return s
}

// refresh keeps a save that the app has no part in.
func (s *saves) refresh(a action, names []string, written time.Time) {
	o := page.SaveReload
	if a == swapStyle {
		o = page.SaveStyle
	}
	s.add(timed(clock{written: written, saved: time.Now()}, page.Save{Files: names, Outcome: o}))
}

// last are the saves for devrun's page, newest first; now is what the app is doing.
func (s *saves) last(now state) []page.Save {
	all := saves{ended: slices.Clone(s.ended)}
	if v, ok := s.underWay(page.Outcome(now), ""); ok {
		all.add(v)
	}
	slices.Reverse(all.ended)
	return all.ended
}

// newest is when the last of the files was written, zero when none is there.
func newest(files []string) (at time.Time) {
	for _, f := range files {
		if fi, err := os.Stat(f); err == nil && fi.ModTime().After(at) {
			at = fi.ModTime()
		}
	}
	return at
}
