package page

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"devrun/devserver/internal/fault"
)

// buildView is a failed build as all forms of its page need it.
type buildView struct {
	fault.Build
	running *Running
	groups  []group // the diagnostics by file, in the order of their first
	kept    int     // diagnostics in groups
	dropped int     // diagnostics beyond maxDiagnostics
	total   int     // errors, without warnings
	files   int     // that have errors
	stopped bool    // the compiler gave up counting
	sources *sources
}

// A compiler can say as much as it likes; these are what is looked at.
const (
	maxDiagnostics = 1000
	maxOutput      = 256 << 10
)

// group is the diagnostics of one file; Name is "" for those of none.
type group struct {
	Name  string
	diags []fault.Diagnostic
}

func newBuildView(b fault.Build, running *Running) *buildView {
	v := &buildView{Build: b, running: running, sources: newSources(b.At)}
	files := map[string]bool{}
	v.Output, v.Command = fault.Cut(b.Output, maxOutput), fault.Cut(b.Command, maxText)
	for _, d := range b.Diagnostics {
		if d.Message == "too many errors" {
			v.stopped = true
			continue
		}
		if d.Rel == "" && d.File != "" {
			d.Rel = filepath.Base(d.File)
		}
		if !warning(d) {
			v.total++
			files[d.Rel] = true
		}
		if v.kept == maxDiagnostics {
			v.dropped++
			continue
		}
		v.kept++
		if len(d.File) > maxName {
			d.File = ""
		}
		d.Message, d.Rel, d.Package = fault.Cut(d.Message, maxText), fault.Cut(d.Rel, maxName), fault.Cut(d.Package, maxName)
		i := slices.IndexFunc(v.groups, func(g group) bool { return g.Name == d.Rel })
		if i < 0 {
			i = len(v.groups)
			v.groups = append(v.groups, group{Name: d.Rel})
		}
		v.groups[i].diags = append(v.groups[i].diags, d)
	}
	delete(files, "")
	v.files = len(files)
	return v
}

// warning tells what a C compiler says besides from what fails the build.
func warning(d fault.Diagnostic) bool { return strings.HasPrefix(d.Message, "warning: ") }

// first is the message that stands for the build.
func (v *buildView) first() fault.Diagnostic {
	all := v.all()
	if i := slices.IndexFunc(all, func(d fault.Diagnostic) bool { return !warning(d) }); i >= 0 {
		return all[i]
	}
	return fault.Diagnostic{Message: "the build failed"}
}

// others is what follows the first message in the headline.
func (v *buildView) others() string {
	n := v.total - 1
	switch {
	case n < 1:
		return ""
	case v.files > 1:
		return fmt.Sprintf("and %s in %d files", count(n, "more error"), v.files)
	case len(v.groups) == 1 && v.files == 1:
		return fmt.Sprintf("and %s in the same file", count(n, "more error"))
	}
	return "and " + count(n, "more error")
}

func (v *buildView) tally() string {
	switch {
	case v.total == 0:
		return "no message"
	case v.files > 1:
		return fmt.Sprintf("%d in %d files", v.total, v.files)
	}
	return fmt.Sprint(v.total)
}

func (v *buildView) still() string {
	if v.running == nil {
		return "No app is running behind it."
	}
	return fmt.Sprintf("Generation %d is still running.", v.running.Generation)
}

// buildContent is the data of templates/build.html.
type buildContent struct {
	Tally     string
	Groups    []groupContent
	Rest      int  // diagnostics that are not listed
	Stopped   bool // there may be more that the compiler did not look for
	Nothing   bool // the go command failed without a message that was understood
	Saved     []string
	SavedMore int
	SavedNote string
	Running   *Running
	Command   string
	Output    string
	Markdown  string
}

type groupContent struct {
	Name string
	Diag []diagContent
}

type diagContent struct {
	ID         string
	Current    bool
	Short      string // for the rail
	Head, Tail string // what is wrong, and why
	More       string // the lines that follow, as they are
	Warning    bool
	Line       int
	At         string // "handlers.go:87:2"
	Package    string
	Open       link
	Source     *excerpt // nil: none is shown
}

func (p *Pages) buildPage(v *buildView, l limits) page {
	first := v.first()
	c := buildContent{
		Tally: v.tally(), Stopped: v.stopped, Nothing: len(v.groups) == 0,
		Running: v.running,
		Command: fault.Cut(visible(v.Command), l.message), Output: fault.Cut(visible(v.Output), l.output),
		Markdown: fault.Cut(v.markdown(), l.output),
		Saved:    oneLines(v.Saved[:min(len(v.Saved), l.items)], l.message),
	}
	c.SavedMore = len(v.Saved) - len(c.Saved)
	c.SavedNote = "nothing"
	if len(v.Saved) > 0 {
		c.SavedNote = count(len(v.Saved), "file")
	}
	shown, current := 0, false
	for _, g := range v.groups {
		if shown == l.items {
			break
		}
		gc := groupContent{Name: fault.Cut(visible(g.Name), l.message)}
		for _, d := range g.diags[:min(len(g.diags), l.items-shown)] {
			shown++
			dc := p.diag(d, l)
			dc.ID = fmt.Sprintf("e%d", shown)
			if !current && d == first {
				dc.Current, current = true, true
			}
			if d.File != "" && shown <= l.excerpts {
				dc.Source = v.excerpt(d)
			}
			gc.Diag = append(gc.Diag, dc)
		}
		c.Groups = append(c.Groups, gc)
	}
	c.Rest = v.kept + v.dropped - shown

	head, _, _ := headline(first.Message)
	pg := page{
		Kind: "build", Title: "build failed: " + fault.Cut(visible(head), l.message),
		State: "bad", Label: "build failed",
		Status:          fmt.Sprintf("generation %d failed · nothing is running", v.Generation),
		NoScriptRefresh: 2,
		Rebuilding:      "The errors below are from the build before.",
		Tag:             "build failed",
		Kick:            []string{fmt.Sprintf("generation %d", v.Generation), "compiled for " + lasting(v.Took)},
		At:              v.At,
		Text:            fault.Cut(visible(head), l.message),
		After:           v.others(),
		Why:             []fault.Prose{fault.Say(v.still() + " This page reloads by itself when the build passes.")},
		Copy:            true,
		Keys:            keys("error", "the errors"),
		Content:         c,
	}
	if v.running != nil {
		pg.Status = fmt.Sprintf("generation %d failed · %d is running", v.Generation, v.running.Generation)
	}
	if url := p.editor.link(first.File, first.Line, first.Col); url != "" {
		pg.Primary = link{"Open " + place(first.Rel, first.Line), url}
	}
	return pg
}

func keys(item, all string) []keyHelp {
	return []keyHelp{
		{[]string{"j", "k"}, "Next and previous " + item},
		{[]string{"e"}, "Open the line in your editor"},
		{[]string{"c"}, "Copy " + all + " as Markdown"},
		{[]string{"?"}, "This help"},
		{[]string{"Esc"}, "Close"},
	}
}

func (p *Pages) diag(d fault.Diagnostic, l limits) diagContent {
	head, tail, more := headline(d.Message)
	return diagContent{
		Short: fault.Cut(visible(shorten(head, tail)), min(l.message, 160)),
		Head:  fault.Cut(visible(head), l.message), Tail: fault.Cut(visible(tail), l.message), More: fault.Cut(visible(more), l.message),
		Warning: warning(d),
		Line:    d.Line, At: fault.Cut(visible(d.Pos()), l.message), Package: fault.Cut(visible(d.Package), l.message),
		Open: link{"Open in editor", p.editor.link(d.File, d.Line, d.Col)},
	}
}

// contextLines are shown above and below the line of a diagnostic.
const contextLines = 3

var undefined = regexp.MustCompile(`^undefined: (\w+)$`)

func (v *buildView) excerpt(d fault.Diagnostic) *excerpt {
	if d.Line == 0 {
		return nil
	}
	f := v.sources.file(d.File)
	note := ""
	if m := undefined.FindStringSubmatch(d.Message); m != nil {
		if other := f.similar(m[1]); other != "" {
			note = " not declared; did you mean " + visible(other) + "?"
		}
	}
	e := f.excerpt(d.Line-contextLines, d.Line+contextLines, d.Line, d.Col, "bad", note)
	return &e
}

// headline cuts a message into what is wrong, why, where its first line says so,
// and the lines that follow.
func headline(message string) (head, tail, more string) {
	head, more, _ = strings.Cut(strings.TrimSpace(message), "\n")
	if at := strings.Index(head, ": "); at > 0 && strings.HasPrefix(head, "cannot use ") {
		head, tail = head[:at+1], head[at+2:]
	}
	return head, tail, more
}

var aside = regexp.MustCompile(` \((?:untyped|value|variable|constant|type) [^()]*\)`)

// shorten is the message for a list: the reason where there is one, without what
// the whole message beside it says anyway.
func shorten(head, tail string) string {
	if !strings.HasPrefix(head, "cannot use ") {
		return head
	}
	if tail != "" {
		return tail
	}
	return aside.ReplaceAllString(head, "")
}

// place is "handlers.go:87" without its directories, for a button.
func place(rel string, line int) string {
	name := fault.Cut(visible(filepath.Base(rel)), 60)
	if line == 0 {
		return name
	}
	return fmt.Sprintf("%s:%d", name, line)
}
