package page

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"devrun/devserver/internal/fault"
)

// Save is what was saved and what it took until the app was ready with it.
type Save struct {
	At         time.Time // devrun saw it
	Files      []string  // as a person in the app's directory would write them
	Generation int       // 0 for a save that the app has no part in
	Outcome    Outcome
	Note       string  // more of the outcome, or ""
	Phases     []Phase // the parts that it has had, in their order
}

// Phase is a part of the time: watch, ask, compile, link, build, stop, start or ready.
type Phase struct {
	Name string
	Took time.Duration
}

// Outcome is what became of a save, in a word or two; that of one that is under
// way is the state of the app.
type Outcome string

const (
	SaveDirect    Outcome = "direct"      // built without the go command
	SaveGoBuild   Outcome = "go build"    // the note says why
	SaveSame      Outcome = "unchanged"   // the program, which goes on
	SaveRestart   Outcome = "restart"     // without a build
	SaveStyle     Outcome = "stylesheet"  // swapped in the browser
	SaveReload    Outcome = "page reload" // in the browser
	SaveNotBuilt  Outcome = "failed"      // the note says how much is wrong
	SaveCrashed   Outcome = "crashed"     // the app, before it was ready
	SaveOvertaken Outcome = "overtaken"   // the app was replaced before it was ready
)

func (o Outcome) bad() bool { return o == SaveNotBuilt || o == SaveCrashed }

// total is the time from the writing of the file to the end of the last part.
func (s Save) total() (all time.Duration) {
	for _, p := range s.Phases {
		all += p.Took
	}
	return all
}

// took is the total as it is read in a column: in one unit, as far as that goes.
func (s Save) took() string {
	if s.total() < 10*time.Second {
		return fmt.Sprintf("%d ms", millis(s.total()))
	}
	return lasting(s.total())
}

// phaseNames are the parts in the order of the legend.
var phaseNames = []string{"watch", "ask", "compile", "link", "build", "stop", "start", "ready"}

const (
	maxSavedFiles = 10 // are named
	maxSavedName  = 160
	maxSavedNames = 400 // all together
	maxSavedNote  = 200

	// charShare is how much of the width, in percent, a character takes where the
	// width is least.
	charShare = 3.2

	// maxOrdinary is how many ordinary saves, end to end, the width is enough for:
	// a bar that is longer is drawn with a cut, so that the others can be seen.
	maxOrdinary = 3
)

type savesContent struct {
	CSS    string
	Legend []legendItem
	List   []saveItem
}

type legendItem struct{ Class, Name string }

type saveItem struct {
	At         time.Time
	File       string // the first
	More       string // "and 2 more", or ""
	Generation string
	Outcome    Outcome
	Bad        bool
	Note       string
	Total      string
	Bars       []bar
	Cut        bool   // the bar is too long to be drawn to scale
	Files      string // all of them, if there are more
	Parts      string
}

// bar is a segment, in percent of the widest.
type bar struct {
	Class       string
	X, W        string
	Text, TextX string // what fits in it, and where that is
}

func newSavesContent(saves []Save) savesContent {
	c := savesContent{CSS: savesCSSURL}
	for i, name := range phaseNames {
		c.Legend = append(c.Legend, legendItem{phaseClass(i), name})
	}
	scale := scaleOf(saves)
	for _, s := range saves {
		v := saveItem{
			At: s.At, Outcome: s.Outcome, Bad: s.Outcome.bad(), Note: fault.Cut(oneLine(s.Note), maxSavedNote),
			Total: s.took(), Parts: parts(s.Phases, ", "),
		}
		names := s.names()
		if len(names) > 0 {
			v.File = names[0]
		}
		if n := len(s.Files) - 1; n > 0 {
			v.More, v.Files = fmt.Sprintf("and %d more", n), fault.Cut(strings.Join(names, ", "), maxSavedNames)
		}
		if s.Generation > 0 {
			v.Generation = fmt.Sprintf("generation %d", s.Generation)
		}
		whole := scale
		if s.total() > scale {
			whole, v.Cut = s.total(), true
		}
		v.Bars = bars(s.Phases, whole)
		c.List = append(c.List, v)
	}
	return c
}

// names are the files, so many as are named, and how many there are besides.
func (s Save) names() []string {
	names := oneLines(s.Files[:min(len(s.Files), maxSavedFiles)], maxSavedName)
	if n := len(s.Files) - len(names); n > 0 {
		names = append(names, fmt.Sprintf("and %d more", n))
	}
	return names
}

// scaleOf is the time that the whole width stands for.
func scaleOf(saves []Save) (scale time.Duration) {
	var all []time.Duration
	for _, s := range saves {
		scale = max(scale, s.total())
		if s.Generation > 0 {
			all = append(all, s.total())
		}
	}
	if len(all) > 0 {
		slices.Sort(all)
		scale = min(scale, maxOrdinary*all[len(all)/2])
	}
	return max(scale, time.Millisecond)
}

func phaseClass(i int) string { return fmt.Sprintf("b%d", i+1) }

func bars(phases []Phase, whole time.Duration) (out []bar) {
	x := 0.0
	for _, p := range phases {
		w := 100 * float64(p.Took) / float64(whole)
		b := bar{Class: phaseClass(max(slices.Index(phaseNames, p.Name), 0)), X: percent(x), W: percent(w), TextX: percent(x + w/2)}
		for _, text := range []string{fmt.Sprintf("%s %d", p.Name, millis(p.Took)), fmt.Sprint(millis(p.Took))} {
			if float64(len(text))*charShare <= w {
				b.Text = text
				break
			}
		}
		out = append(out, b)
		x += w
	}
	return out
}

func percent(f float64) string { return fmt.Sprintf("%.2f%%", f) }

func millis(d time.Duration) int64 { return d.Round(time.Millisecond).Milliseconds() }

// parts is "watch 4 ms, build 812 ms".
func parts(phases []Phase, between string) string {
	var all []string
	for _, p := range phases {
		all = append(all, fmt.Sprintf("%s %d ms", p.Name, millis(p.Took)))
	}
	return strings.Join(all, between)
}

// savesText is a line for each save.
func savesText(saves []Save) string {
	var b strings.Builder
	for _, s := range saves {
		said := []string{string(s.Outcome)}
		if s.Generation > 0 {
			said = append(said, fmt.Sprintf("generation %d", s.Generation))
		}
		if s.Note != "" {
			said = append(said, fault.Cut(oneLine(s.Note), maxSavedNote))
		}
		fmt.Fprintf(&b, "%s  %s saved, %s (%s): %s\n", s.At.Local().Format("15:04:05"), strings.Join(s.names(), ", "),
			s.took(), parts(s.Phases, " · "), strings.Join(said, ", "))
	}
	return b.String()
}

type saveJSON struct {
	Time       time.Time   `json:"time"`
	Files      []string    `json:"files"`
	Generation int         `json:"generation"` // 0 for none
	Outcome    Outcome     `json:"outcome"`
	Note       string      `json:"note,omitempty"`
	TookMS     int64       `json:"took_ms"`
	Phases     []phaseJSON `json:"phases"`
}

type phaseJSON struct {
	Name   string `json:"name"`
	TookMS int64  `json:"took_ms"`
}

func savesJSON(saves []Save) []saveJSON {
	out := []saveJSON{}
	for _, s := range saves {
		v := saveJSON{Time: s.At, Files: s.names(), Generation: s.Generation, Outcome: s.Outcome, Note: fault.Cut(oneLine(s.Note), maxSavedNote), TookMS: millis(s.total()), Phases: []phaseJSON{}}
		for _, p := range s.Phases {
			v.Phases = append(v.Phases, phaseJSON{p.Name, millis(p.Took)})
		}
		out = append(out, v)
	}
	return out
}
