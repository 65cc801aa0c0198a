// Package cause finds what led to a failure, once for all who tell of it.
//
// What it promises:
//
//   - What it says is proved: by the runtime's words, the values that were read, and
//     the source that was compiled. Where it is not, nothing is said.
//   - Values are looked at only after secrets were taken out of them.
//   - Only source files are read, as package srctree allows it, and not so many of
//     them that a page would have to wait.
package cause

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/srctree"
)

// Beyond these a failure is not looked at; its page shows no more either.
const (
	maxCalls = 300
	maxSets  = 100 // calls whose variables are followed
)

// analysis is that of one failure.
type analysis struct {
	tree   *srctree.Tree
	built  time.Time // files changed later are not what was compiled; zero when unknown
	scopes map[string]*scope
}

// Explain returns a copy of f without secrets, as fault.Redacted makes it, and with
// its Cause. The variables of f are those that it is explained by.
func Explain(f fault.Failure, tree *srctree.Tree) fault.Failure {
	a := &analysis{tree: tree, built: cmp.Or(f.Built, f.At), scopes: map[string]*scope{}}
	// The texts of errors are looked for as they are, without a mask.
	f.Cause = fault.Cause{Error: a.located(f.Error)}
	f = fault.Redacted(f)

	var frames []srctree.Frame
	root := -1 // the app's innermost call
	for i, c := range f.Calls[:min(len(f.Calls), maxCalls)] {
		frames = append(frames, tree.Frame(c.Frame))
		if frames[i].Own && root < 0 {
			root = i
		}
	}
	c := a.why(f, frames, root)
	c.Error = f.Cause.Error
	if len(c.Why) == 0 {
		c.Why = causedBy(c.Error)
	}
	if root >= 0 {
		held := onlyError(f.Calls[root].Vars)
		if e, ok := fault.ErrorIn(held); ok && c.Error == nil && len(e.Causes) > 0 {
			c.Error, c.ErrorOf = a.located(&e), held.Name
		}
		if len(c.Why) == 0 && f.How == fault.Status && held.Name != "" {
			c.Why = []fault.Prose{fault.Say("%s wrote this response; %s was not nil.", frames[root].Rel+":"+strconv.Itoa(frames[root].Line), held.Name)}
		}
	}
	for i, frame := range frames[:min(len(frames), maxSets)] {
		if frame.Own {
			c.Sets = append(c.Sets, a.sets(i, frame, f.Calls[i])...)
		}
	}
	f.Cause = c
	return f
}

// located is a chain that notes where its texts are found. An error alone is what the
// failure says itself.
func (a *analysis) located(e *fault.Error) *fault.Error {
	if e == nil || len(e.Causes) == 0 {
		return e
	}
	noted := located(*e, a.makers())
	return &noted
}

// causedBy tells the last error of a chain, if there is one.
func causedBy(e *fault.Error) []fault.Prose {
	if e == nil || len(e.Causes) != 1 {
		return nil
	}
	for len(e.Causes) == 1 {
		e = &e.Causes[0]
	}
	if len(e.Causes) > 0 || e.Text == "" {
		return nil
	}
	text, typ := strings.ReplaceAll(e.Text, "\n", "␊"), strings.ReplaceAll(e.Type, "\n", "␊")
	return []fault.Prose{fault.Say("It is caused by %s, an error of type %s.", fault.Cut(text, 200), fault.Cut(typ, 100))}
}

// onlyError is the one error variable that is not nil, the zero Value when there are
// more, or none.
func onlyError(vars []fault.Value) (only fault.Value) {
	for _, v := range vars {
		if v.Type == "error" && !v.Nil && !v.Gone && !v.Shadowed && v.Unreadable == "" {
			if only.Name != "" {
				return fault.Value{}
			}
			only = v
		}
	}
	return only
}
