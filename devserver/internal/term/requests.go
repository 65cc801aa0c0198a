package term

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"devrun/devserver/internal/fault"
)

// maxCalls is how many of the app's calls are listed of a failure; the page has
// the rest.
const maxCalls = 12

// RequestFailed says which request failed, how, and where: why is the sentence
// that the page shows too, "" when devrun is not sure; url leads to the page,
// "" when there is none.
func (t *Terminal) RequestFailed(f fault.Failure, why, url string) {
	request := t.style.bold(requestLine(f.Request))
	if f.How == fault.Status {
		t.statusFailed(f, request, url)
		return
	}
	lines := t.line(t.style.redBold("panic") + " in " + request + t.afterHeader(f, url))
	for line := range strings.SplitSeq(strings.TrimRight(f.Message, "\n"), "\n") {
		lines += "  " + t.style.red(strings.ReplaceAll(line, "\t", "    ")) + "\n"
	}
	if why != "" {
		lines += "  " + visible(why) + "\n"
	}
	if calls := t.calls(f.Calls); calls != "" {
		lines += "\n" + calls + "\n"
	}
	if url != "" && !f.Production.Started {
		what := "console "
		if f.Gone != "" {
			what = "page "
		}
		lines += t.line(what + t.style.address(url) + t.parked(f))
	}
	t.print(lines, false, false)
}

func (t *Terminal) parked(f fault.Failure) string {
	if f.Gone != "" {
		return ""
	}
	of := ""
	if f.Beside {
		of = fmt.Sprintf(" of pid %d", f.Pid)
	}
	return " " + t.style.dim(fmt.Sprintf("(goroutine %d%s parked)", f.Goroutine, of))
}

func (t *Terminal) afterHeader(f fault.Failure, url string) string {
	if !f.Production.Started {
		return ""
	}
	text := " after the header was sent"
	if url != "" {
		text += ", the page is on " + t.style.address(url)
	}
	return text
}

func (t *Terminal) statusFailed(f fault.Failure, request, url string) {
	text := fmt.Sprintf("%s from %s", t.style.redBold(strconv.Itoa(f.Production.Status)), request)
	if at, ok := t.appFrame(frames(f.Calls)); ok {
		text += ", written in " + t.frame(at)
	}
	if url != "" {
		text += ", " + t.style.address(url) + t.parked(f)
	}
	t.say(text)
}

// SameFailure says that a failure has come again, how often since when.
func (t *Terminal) SameFailure(f fault.Failure, times int, since time.Time) {
	what := "same panic in "
	if f.How == fault.Status {
		what = fmt.Sprintf("same %d from ", f.Production.Status)
	}
	t.say(fmt.Sprintf("%s%s, %d times since %s", what, t.style.bold(requestLine(f.Request)), times, since.Format(time.TimeOnly)))
}

// requestLine is the request as a person names it: the query may be long, and
// secret.
func requestLine(r fault.Request) string {
	path, _, _ := strings.Cut(r.URI, "?")
	return r.Method + " " + path
}

// calls lists the app's own calls, the functions in one column and the places
// in another.
func (t *Terminal) calls(calls []fault.Call) string {
	var own []fault.Frame
	for _, f := range frames(calls) {
		if t.IsApp(f.File) {
			own = append(own, f)
		}
	}
	library := len(calls) - len(own)
	more := max(0, len(own)-maxCalls)
	own = own[:len(own)-more]
	widest := 0
	for _, f := range own {
		widest = max(widest, width(visible(function(f))))
	}
	var b strings.Builder
	for i, f := range own {
		name, pad := visible(function(f)), strings.Repeat(" ", widest-width(visible(function(f))))
		if i == 0 {
			name = t.style.bold(name)
		}
		fmt.Fprintf(&b, "  %s%s %s\n", name, pad, t.frame(f))
	}
	if more > 0 {
		fmt.Fprintf(&b, "  %s\n", t.style.dim("+ "+count(more, "more frame")))
	}
	if library > 0 {
		fmt.Fprintf(&b, "  %s\n", t.style.dim("+ "+count(library, "library frame")))
	}
	return b.String()
}

func frames(calls []fault.Call) []fault.Frame {
	all := make([]fault.Frame, len(calls))
	for i, c := range calls {
		all[i] = c.Frame
	}
	return all
}

// function is a function's name without the path of its package, and of package
// main without that too.
func function(f fault.Frame) string {
	head, rest, generic := strings.Cut(f.Func, "[") // type arguments have paths of their own
	head = head[strings.LastIndexByte(head, '/')+1:]
	if generic {
		head += "[" + rest
	}
	return strings.TrimPrefix(head, "main.")
}

// Overview says where devrun's own pages are.
func (t *Terminal) Overview(url string) { t.say("overview " + t.style.address(url)) }

// PIN shows what unlocks the console.
func (t *Terminal) PIN(pin string) { t.say("console PIN " + t.style.cyanBold(pin)) }

// ConsoleOff says why nothing can be evaluated.
func (t *Terminal) ConsoleOff(why string) { t.say(t.style.yellow("console off") + ": " + visible(why)) }

// ConsoleLocked says that wrong PINs have locked the console.
func (t *Terminal) ConsoleLocked(wrong int) {
	t.say(t.style.yellowBold(fmt.Sprintf("%d wrong PINs", wrong)) + ", the console is locked; press " + t.style.bold(string(KeyPIN)) + " for a new one")
}
