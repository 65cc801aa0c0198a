package devserver

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"devrun/devserver/internal/page"
)

// The last fifty saves are kept, with the one that is under way.
func TestSavesKept(t *testing.T) {
	var l saves
	for i := range 130 {
		l.add(page.Save{Generation: i + 1})
	}
	check := func(newest, oldest int) {
		t.Helper()
		all := l.last(stateBuilding)
		if len(all) != 50 || len(l.ended) != 50 || all[0].Generation != newest || all[49].Generation != oldest {
			t.Errorf("%d are kept, %d shown: generations %d to %d, want %d to %d", len(l.ended), len(all), all[0].Generation, all[len(all)-1].Generation, newest, oldest)
		}
	}
	check(130, 81)
	// The one that is under way takes the place of the oldest.
	l.gen, l.files, l.clock.saved = 131, []string{"a.go"}, time.Now()
	check(131, 82)
	if l.ended[0].Generation != 81 {
		t.Errorf("to look at them loses one: the first is now %d", l.ended[0].Generation)
	}
}

func TestPhases(t *testing.T) {
	at := time.Now()
	after := func(ms int) time.Time { return at.Add(time.Duration(ms) * time.Millisecond) }
	for want, c := range map[string]clock{
		"[]": {built: after(1), ready: after(2)},
		"[{watch 3ms} {compile 61ms} {link 210ms} {stop 4ms} {start 19ms} {ready 2ms}]": {
			written: after(-3), saved: at, built: after(271), link: 210 * time.Millisecond, stopped: after(275), started: after(294), ready: after(296)},
		"[{watch 3ms} {build 271ms} {stop 4ms}]":              {written: after(-3), saved: at, built: after(271), stopped: after(275)},
		"[{stop 4ms} {start 19ms} {ready 2ms}]":               {saved: at, stopped: after(4), started: after(23), ready: after(25)},
		"[{build 7ms}]":                                       {written: at.Add(-time.Hour), saved: at, built: after(7)},
		"[{watch 0s} {build 7ms} {start 1ms} {ready 1h0m0s}]": {written: at, saved: at, built: after(7), started: after(8), ready: after(8).Add(time.Hour)},
	} {
		if got := fmt.Sprint(c.phases()); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// What is one save and what is two is decided by the build that it is for.
func TestSaveEnds(t *testing.T) {
	l := saves{gen: 7}
	check := func(want ...string) {
		t.Helper()
		var got []string
		for _, s := range l.ended {
			got = append(got, fmt.Sprintf("%d %v %s %d", s.Generation, s.Files, s.Outcome, len(s.Phases)))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	l.begin(time.Now())
	l.files = []string{"a.go"}
	l.begin(time.Now()) // during the build
	l.files = []string{"a.go", "b.go"}
	check()
	l.clock.built, l.clock.started = time.Now(), time.Now()
	l.clock.files, l.files = l.files, nil
	l.begin(time.Now()) // after the start
	check("7 [a.go b.go] overtaken 3")
	l.gen, l.files = 8, []string{"c.go"}
	l.clock.built = time.Now()
	l.endAs(page.SaveNotBuilt, "1 error")
	check("7 [a.go b.go] overtaken 3", "8 [c.go] failed 2")
	l.endAs(page.SaveCrashed, "") // of the app behind it: no save's
	l.files = nil
	l.begin(time.Time{}) // a key
	l.clock.built = time.Now()
	l.endAs(page.SaveGoBuild, "")
	check("7 [a.go b.go] overtaken 3", "8 [c.go] failed 2")
}

// A program that writes for two seconds, a file every millisecond, gets few builds, and
// the last of its files is not waited for longer than a quarter of a second.
func TestBurst(t *testing.T) {
	begin := time.Now()
	end := begin.Add(2 * time.Second)
	var f burst
	builds := 0
	for now := begin; now.Before(end); now = now.Add(time.Millisecond) {
		if now.Before(f.quietUntil) {
			continue
		}
		f.save(now, builds > 0)
		builds++
		if builds == 2 && now.Sub(begin) > time.Millisecond {
			t.Errorf("the second save was taken after %v", now.Sub(begin))
		}
	}
	if wait := f.quietUntil.Sub(end); builds > 20 || wait > maxQuiet {
		t.Errorf("%d builds, the last save waits for %v", builds, wait)
	}
	f.save(end, false)
	if f.save(end.Add(time.Millisecond), true); f.quietUntil.Sub(end) > 20*time.Millisecond {
		t.Errorf("a burst waits for %v because of the one before it", f.quietUntil.Sub(end))
	}
}
