package reload

import (
	"maps"
	"path/filepath"
	"slices"
)

// Kind says what happened to the app.
type Kind string

// The events, by what a page does.
const (
	Reload   Kind = "reload"   // the new version answers: load it
	Failed   Kind = "failed"   // the build failed or the app died: load the page that says so
	CSS      Kind = "css"      // stylesheets changed: exchange them in place
	Building Kind = "building" // devrun's own pages may say so
)

// Event is one piece of news. Paths are the changed assets, of which only the
// base names leave devrun; no paths in a CSS event stand for all stylesheets.
type Event struct {
	Kind       Kind
	Generation int
	Paths      []string
}

// news is the mailbox of one client: what it has not been told yet, as little
// as will bring it up to date. The zero news is empty.
type news struct {
	hello    bool
	page     Kind  // Reload or Failed, the newest; "" none
	assets   names // for page
	css      bool
	styles   names // for css; nil stands for all
	building bool
}

func (n *news) add(e Event) {
	switch e.Kind {
	case Reload, Failed:
		// The page is loaded anew, stylesheets with it.
		n.page, n.assets = e.Kind, union(union(n.assets, n.styles), baseNames(e.Paths))
		n.css, n.styles, n.building = false, nil, false
	case CSS:
		changed := baseNames(e.Paths)
		switch {
		case n.page != "":
			n.assets = union(n.assets, changed)
		case n.css && (n.styles == nil || changed == nil):
			n.styles = nil
		default:
			n.css, n.styles = true, union(n.styles, changed)
		}
	case Building:
		n.building = true
	}
}

// message is an event as it goes over the wire. Every one carries the whole
// state, so that a page can act on whichever it hears first.
type message struct {
	Kind Kind `json:"kind"`
	state
	Paths []string `json:"paths"`
}

// hello opens every stream; it also is what the worker tells a page that joins.
const hello Kind = "hello"

// messages are the news in the order in which a page should hear them. Edited
// are the assets changed since devrun runs: a page that says hello may have
// missed any of it.
func (n news) messages(now state, edited names) []message {
	var all []message
	switch {
	case n.hello:
		all = append(all, message{hello, now, edited.sorted()})
	case n.page != "":
		all = append(all, message{n.page, now, n.assets.sorted()})
	}
	if n.css {
		all = append(all, message{CSS, now, n.styles.sorted()})
	}
	if n.building {
		all = append(all, message{Building, now, nil})
	}
	return all
}

// names are base names of assets; sets, so that a mailbox never holds more
// than the project has.
type names map[string]bool

func (n names) sorted() []string { return slices.Sorted(maps.Keys(n)) }

func baseNames(paths []string) names {
	if len(paths) == 0 {
		return nil
	}
	base := names{}
	for _, path := range paths {
		base[filepath.Base(path)] = true
	}
	return base
}

func union(a, b names) names {
	if a == nil {
		return b
	}
	maps.Copy(a, b)
	return a
}
