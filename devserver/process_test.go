package devserver

import (
	"fmt"
	"testing"

	"devrun/devserver/internal/fault"
)

// Whatever happens to the app's process, there is one next step, and never two
// processes.
func TestTurn(t *testing.T) {
	a := &app{gen: 1}
	two, three := &generation{gen: 2}, &generation{gen: 3}
	crash := fault.Crash{Generation: 1, Exit: fault.Exit{Code: 2}}
	for _, c := range []struct {
		was      process
		happened any
		is       process
		order    order
	}{
		{absent{}, linked{*two}, absent{}, order{launch: two}},
		{crashed{crash}, linked{*two}, absent{}, order{launch: two}},
		{starting{a}, linked{*two}, stopping{a, two}, order{stop: a}},
		{ready{a}, linked{*two}, stopping{a, two}, order{stop: a}},
		{stopping{a, nil}, linked{*two}, stopping{a, two}, order{}},
		{stopping{a, two}, linked{*three}, stopping{a, three}, order{}},

		{absent{}, outdated{}, absent{}, order{}},
		{starting{a}, outdated{}, starting{a}, order{}},
		{ready{a}, outdated{}, ready{a}, order{}},
		{stopping{a, two}, outdated{}, stopping{a, nil}, order{}},
		{stopping{a, nil}, outdated{}, stopping{a, nil}, order{}},
		{crashed{crash}, outdated{}, crashed{crash}, order{}},

		{absent{}, launched{a}, starting{a}, order{}},

		{starting{a}, listens{}, ready{a}, order{}},
		{ready{a}, listens{}, ready{a}, order{}},
		{stopping{a, two}, listens{}, stopping{a, two}, order{}},
		{absent{}, listens{}, absent{}, order{}},
		{crashed{crash}, listens{}, crashed{crash}, order{}},

		{absent{}, halt{}, absent{}, order{}},
		{starting{a}, halt{}, stopping{a, nil}, order{stop: a}},
		{ready{a}, halt{}, stopping{a, nil}, order{stop: a}},
		{stopping{a, two}, halt{}, stopping{a, nil}, order{}},
		{stopping{a, nil}, halt{}, stopping{a, nil}, order{}},
		{crashed{crash}, halt{}, absent{}, order{}},

		{absent{}, exited{crash: crash}, crashed{crash}, order{}}, // it could not be started
		{starting{a}, exited{crash: crash}, crashed{crash}, order{}},
		{starting{a}, exited{crash, three}, crashed{crash}, order{}},
		{ready{a}, exited{crash: crash}, crashed{crash}, order{}},
		{stopping{a, two}, exited{crash: crash}, absent{}, order{launch: two}},
		{stopping{a, two}, exited{crash, three}, absent{}, order{launch: two}},
		{stopping{a, nil}, exited{crash, three}, absent{}, order{launch: three}},
		{stopping{a, nil}, exited{crash: crash}, absent{}, order{}},
	} {
		is, then := turn(c.was, c.happened)
		if got, want := shownTurn(is, then), shownTurn(c.is, c.order); got != want {
			t.Errorf("%T, %T:\n%s, want\n%s", c.was, c.happened, got, want)
		}
	}
}

// shownTurn tells processes and generations by their numbers.
func shownTurn(p process, o order) string {
	number := func(g *generation) int {
		if g == nil {
			return 0
		}
		return g.gen
	}
	s := fmt.Sprintf("%T", p)
	if a := p.any(); a != nil {
		s += fmt.Sprint(" ", a.gen)
	}
	switch p := p.(type) {
	case stopping:
		s += fmt.Sprint(" for ", number(p.next))
	case crashed:
		s += fmt.Sprint(" ", p.crash)
	}
	return s + fmt.Sprint(", launch ", number(o.launch), ", stop ", o.stop != nil)
}

func TestState(t *testing.T) {
	a := &app{gen: 1}
	all := []process{absent{}, starting{a}, ready{a}, stopping{a, nil}, stopping{a, &generation{gen: 2}}, crashed{}}
	for i, want := range []state{stateStarting, stateStarting, stateServing, stateStarting, stateStarting, stateCrashed} {
		if got := stateOf(false, false, all[i]); got != want {
			t.Errorf("%T is %s, want %s", all[i], got, want)
		}
		if got := stateOf(true, false, all[i]); got != stateBuilding {
			t.Errorf("a build, %T: %s", all[i], got)
		}
		if got := stateOf(false, true, all[i]); got != stateFailed {
			t.Errorf("a failed build, %T: %s", all[i], got)
		}
	}
}
