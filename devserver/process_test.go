package devserver

import (
	"fmt"
	"testing"
)

// Whatever happens to the app's process, there is one next step, and never two
// processes.
func TestTurn(t *testing.T) {
	a := &app{gen: 1}
	two, three := &generation{gen: 2}, &generation{gen: 3}
	for _, c := range []struct {
		was      process
		happened any
		is       process
		order    order
	}{
		{absent{}, linked{two}, absent{}, order{launch: two}},
		{crashed{}, linked{two}, absent{}, order{launch: two}},
		{starting{a}, linked{two}, stopping{a, two}, order{stop: a}},
		{ready{a}, linked{two}, stopping{a, two}, order{stop: a}},
		{stopping{a, nil}, linked{two}, stopping{a, two}, order{}},
		{stopping{a, two}, linked{three}, stopping{a, three}, order{}},

		{absent{}, outdated{}, absent{}, order{}},
		{starting{a}, outdated{}, starting{a}, order{}},
		{ready{a}, outdated{}, ready{a}, order{}},
		{stopping{a, two}, outdated{}, stopping{a, nil}, order{}},
		{stopping{a, nil}, outdated{}, stopping{a, nil}, order{}},
		{crashed{}, outdated{}, crashed{}, order{}},

		{absent{}, launched{a}, starting{a}, order{}},

		{starting{a}, listens{}, ready{a}, order{}},
		{ready{a}, listens{}, ready{a}, order{}},
		{stopping{a, two}, listens{}, stopping{a, two}, order{}},
		{absent{}, listens{}, absent{}, order{}},
		{crashed{}, listens{}, crashed{}, order{}},

		{absent{}, halt{}, absent{}, order{}},
		{starting{a}, halt{}, stopping{a, nil}, order{stop: a}},
		{ready{a}, halt{}, stopping{a, nil}, order{stop: a}},
		{stopping{a, two}, halt{}, stopping{a, nil}, order{}},
		{stopping{a, nil}, halt{}, stopping{a, nil}, order{}},
		{crashed{}, halt{}, absent{}, order{}},

		{absent{}, unbuilt{two}, absent{}, order{launch: two}},
		{absent{}, unbuilt{nil}, absent{}, order{}},
		{starting{a}, unbuilt{two}, starting{a}, order{}},
		{ready{a}, unbuilt{two}, ready{a}, order{}},
		{stopping{a, nil}, unbuilt{two}, stopping{a, two}, order{}},
		{crashed{}, unbuilt{two}, crashed{}, order{}},

		{absent{}, exited{}, crashed{}, order{}}, // it could not be started
		{starting{a}, exited{}, crashed{}, order{}},
		{ready{a}, exited{}, crashed{}, order{}},
		{stopping{a, two}, exited{}, absent{}, order{launch: two}},
		{stopping{a, nil}, exited{}, absent{}, order{}},
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
	if p, ok := p.(stopping); ok {
		s += fmt.Sprint(" for ", number(p.next))
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
