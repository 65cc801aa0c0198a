package devserver

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"devrun/devserver/internal/page"
)

func TestSavesKept(t *testing.T) {
	var l loop
	for i := range 130 {
		l.saves.add(page.Save{Generation: i + 1})
	}
	check := func(newest, oldest int) {
		t.Helper()
		all := l.lastSaves()
		if len(all) != 50 || len(l.saves) != 50 || all[0].Generation != newest || all[49].Generation != oldest {
			t.Errorf("%d are kept, %d shown: generations %d to %d, want %d to %d", len(l.saves), len(all), all[0].Generation, all[len(all)-1].Generation, newest, oldest)
		}
	}
	check(130, 81)
	// The one that is under way takes the place of the oldest.
	l.gen, l.saved, l.clock.saved = 131, []string{"a.go"}, time.Now()
	check(131, 82)
	if l.saves[0].Generation != 81 {
		t.Errorf("to look at them loses one: the first is now %d", l.saves[0].Generation)
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
	l := loop{gen: 7}
	check := func(want ...string) {
		t.Helper()
		var got []string
		for _, s := range l.saves {
			got = append(got, fmt.Sprintf("%d %v %s %d", s.Generation, s.Files, s.Outcome, len(s.Phases)))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	l.beginSave(time.Now())
	l.saved = []string{"a.go"}
	l.beginSave(time.Now()) // during the build
	l.saved = []string{"a.go", "b.go"}
	check()
	l.clock.built, l.clock.started = time.Now(), time.Now()
	l.clock.files, l.saved = l.saved, nil
	l.beginSave(time.Now()) // after the start
	check("7 [a.go b.go] overtaken 3")
	l.gen, l.saved = 8, []string{"c.go"}
	l.clock.built = time.Now()
	l.endSaveAs(page.SaveNotBuilt, "1 error")
	check("7 [a.go b.go] overtaken 3", "8 [c.go] failed 2")
	l.endSaveAs(page.SaveCrashed, "") // of the app behind it: no save's
	l.saved = nil
	l.beginSave(time.Time{}) // a key
	l.clock.built = time.Now()
	l.endSaveAs(page.SaveGoBuild, "")
	check("7 [a.go b.go] overtaken 3", "8 [c.go] failed 2")
}
