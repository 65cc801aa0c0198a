package devserver

import (
	"devrun/devserver/internal/binaries"
)

// process is where the app's process stands. It is one of absent, starting, ready,
// stopping and crashed, and changes in turn alone.
type process interface {
	// any is the process, also one that is to end; nil if there is none.
	any() *app
}

type (
	// absent: nothing runs, and nothing of the app is to blame.
	absent struct{}
	// starting: it does not listen yet.
	starting struct{ app *app }
	// ready: it listens.
	ready struct{ app *app }
	// stopping: it was asked to end. next takes its place then; nil if that is not
	// known yet.
	stopping struct {
		app  *app
		next *generation
	}
	// crashed: it ended by itself, or could not be started.
	crashed struct{}
)

func (absent) any() *app     { return nil }
func (p starting) any() *app { return p.app }
func (p ready) any() *app    { return p.app }
func (p stopping) any() *app { return p.app }
func (crashed) any() *app    { return nil }

// generation is a binary with the save that it is to be seen as the outcome of. Two may
// have the same binary.
type generation struct {
	gen    int
	binary *binaries.Binary
}

// What happens to a process.
type (
	// linked: a binary is to run, in the place of what runs: the old process ends first, so
	// that the two never share a database or a lock.
	linked struct{ next *generation }
	// outdated: what waits for the process to end is not to run any more.
	outdated struct{}
	// unbuilt: the newest sources do not build. If the process has made room for something
	// that is not to run any more, the last binary takes it, nil for none: requests of open
	// pages are still answered.
	unbuilt struct{ last *generation }
	// launched: the process that was ordered runs.
	launched struct{ app *app }
	// listens: the app listens on a port.
	listens struct{}
	// halt: nothing is to run any more.
	halt struct{}
	// exited: the process has ended, or could not be started.
	exited struct{}
)

// order is what is to be done after a turn, at most one of the two.
type order struct {
	launch *generation
	stop   *app
}

// turn is where a process stands after something has happened to it, and what is to be
// done now. What cannot happen to it changes nothing.
func turn(p process, happened any) (process, order) {
	switch e := happened.(type) {
	case linked:
		switch p := p.(type) {
		case starting:
			return stopping{p.app, e.next}, order{stop: p.app}
		case ready:
			return stopping{p.app, e.next}, order{stop: p.app}
		case stopping:
			return stopping{p.app, e.next}, order{}
		}
		return absent{}, order{launch: e.next}
	case outdated:
		if p, ok := p.(stopping); ok {
			return stopping{app: p.app}, order{}
		}
	case unbuilt:
		switch p := p.(type) {
		case stopping:
			return stopping{p.app, e.last}, order{}
		case absent:
			return absent{}, order{launch: e.last}
		}
	case launched:
		return starting(e), order{}
	case listens:
		if p, ok := p.(starting); ok {
			return ready(p), order{}
		}
	case halt:
		switch p := p.(type) {
		case starting:
			return stopping{app: p.app}, order{stop: p.app}
		case ready:
			return stopping{app: p.app}, order{stop: p.app}
		case stopping:
			return stopping{app: p.app}, order{}
		}
		return absent{}, order{}
	case exited:
		if p, ok := p.(stopping); ok {
			return absent{}, order{launch: p.next}
		}
		return crashed{}, order{}
	}
	return p, order{}
}

// lives is the process if it was not asked to end, else nil.
func lives(p process) *app {
	if _, ok := p.(stopping); ok {
		return nil
	}
	return p.any()
}

// state is what the app is doing, from the point of view of who uses it and as devrun's
// own pages name it.
type state string

const (
	stateBuilding state = "building" // a newer generation is on its way to a binary
	stateFailed   state = "failed"   // the newest one did not build
	stateCrashed  state = "crashed"
	stateStarting state = "starting" // the newest binary waits for its turn or is not ready
	stateServing  state = "serving"
)

// stateOf is the state while a build is under way or not, and where the newest one has
// failed or not.
func stateOf(building, failed bool, p process) state {
	switch {
	case building:
		return stateBuilding
	case failed:
		return stateFailed
	}
	switch p.(type) {
	case crashed:
		return stateCrashed
	case ready:
		return stateServing
	}
	return stateStarting
}
