package page

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"devrun/devserver/internal/fault"
)

// tag is what happened, in a word or two.
func (v *failureView) tag() string {
	if v.How == fault.Status {
		return strconv.Itoa(v.Production.Status)
	}
	return "panic"
}

// statusLine is "503 Service Unavailable".
func (v *failureView) statusLine() string {
	return strings.TrimSpace(strconv.Itoa(v.Production.Status) + " " + http.StatusText(v.Production.Status))
}

// headline is the message, with its paler beginning apart.
func (v *failureView) headline() (before, text string) {
	text = strings.TrimSpace(v.Message)
	if rest, ok := strings.CutPrefix(text, "runtime error: "); ok {
		return "runtime error:", rest
	}
	if text == "" {
		if v.How == fault.Status {
			if v.Production.Size > 0 {
				return "", v.statusLine() + ", no text in the body"
			}
			return "", v.statusLine() + ", empty body"
		}
		return "", "a panic without text"
	}
	return "", text
}

// asked is "POST /edit_profile".
func (v *failureView) asked() string {
	return strings.TrimSpace(oneLine(v.Request.Method) + " " + oneLine(v.Request.URI))
}

// The plain text is for a terminal of 40 lines.
const (
	textMessage = 6  // lines of the message
	textFrames  = 16 // of the app
	textNotes   = 2
	textVars    = 6
	textWidth   = 160
)

func (v *failureView) text(all bool) string {
	var b strings.Builder
	message := strings.Split(visible(v.message()), "\n")
	if len(message) > textMessage {
		message = append(message[:textMessage-1], "…")
	}
	for i, line := range message {
		message[i] = fault.Cut(line, 4*textWidth)
	}
	fmt.Fprintf(&b, "%s: %s\n", v.tag(), strings.Join(message, "\n    "))
	if all {
		fmt.Fprintf(&b, "%s, goroutine %d, generation %d\n", fault.Cut(v.asked(), textWidth), v.Goroutine, v.Generation)
		if why := v.Cause.String(); why != "" {
			fmt.Fprintf(&b, "\n%s\n", fault.Cut(oneLine(why), 4*textWidth))
		}
	}
	b.WriteByte('\n')
	v.writeFrames(&b, textFrames, all)
	if all {
		for _, n := range v.Notes[:min(len(v.Notes), textNotes)] {
			fmt.Fprintf(&b, "\n%s\n", fault.Cut(oneLine(n), 4*textWidth))
		}
		if v.Values.Way != "" {
			fmt.Fprintf(&b, "\n%s\n", fault.Cut(oneLine(v.Values.Way), 4*textWidth))
		}
	}
	if v.at.ConsoleURL != "" {
		fmt.Fprintf(&b, "\n%s\n", visible(v.at.ConsoleURL))
	}
	return b.String()
}

// message is the headline in one string.
func (v *failureView) message() string {
	before, text := v.headline()
	return strings.TrimPrefix(before+" "+text, " ")
}

// writeFrames lists the app's calls, and the variables of the first where they are
// wanted.
func (v *failureView) writeFrames(b *strings.Builder, most int, vars bool) {
	libs, own := 0, 0
	flush := func() {
		if libs > 0 {
			fmt.Fprintf(b, "  + %s\n", count(libs, "library frame"))
			libs = 0
		}
	}
	hidden := 0
	for i, f := range v.frames {
		if !f.Own && v.root >= 0 || own >= most {
			libs++
			if own >= most && f.Own {
				hidden++
			}
			continue
		}
		own++
		if v.root >= 0 && own <= most/2 {
			flush()
		}
		fmt.Fprintf(b, "  %s  %s\n", fault.Cut(visible(f.Func), textWidth), fault.Cut(visible(f.At()), textWidth))
		if vars && i == v.root {
			v.writeVars(b)
		}
	}
	if hidden > 0 {
		fmt.Fprintf(b, "  + %s\n", count(libs, "more frame"))
	} else {
		flush()
	}
	if n := v.total - len(v.frames); n > 0 {
		fmt.Fprintf(b, "  + %s\n", count(n, "more frame"))
	}
}

// writeVars lists the variables that say most: of the failing line, errors, others.
func (v *failureView) writeVars(b *strings.Builder) {
	budget := rowBudget{left: maxJSONValues, bytes: textWidth}
	n := 0
	for _, g := range budget.groups(v.root, v.Calls[v.root].Vars, v.onLine(v.root), v.Cause.Var, textVars) {
		for _, r := range g.Rows {
			text := r.Text
			switch {
			case r.Name == "":
				continue
			case r.Nil:
				text = "nil"
			case r.Redacted:
				text = "redacted"
			case r.Absent != "":
				text = r.Absent
			}
			fmt.Fprintf(b, "      %s %s = %s\n", r.Name, r.Type, text)
			n++
		}
	}
	if rest := len(v.Calls[v.root].Vars) - n; rest > 0 {
		fmt.Fprintf(b, "      + %s\n", count(rest, "more variable"))
	}
	if !v.Values.Here && v.Values.Why != "" {
		fmt.Fprintf(b, "      no variables: %s\n", fault.Cut(oneLine(v.Values.Why), 4*textWidth))
	}
}

// onLine are the names on the line of a call.
func (v *failureView) onLine(i int) []string {
	f := v.frames[i]
	src := v.source.file(f.Path)
	if src.gone != "" || f.Line < 1 || f.Line > len(src.starts) {
		return nil
	}
	start, end := src.bounds(f.Line)
	var names []string
	dot := false
	for _, t := range src.tokensIn(start, end) {
		if t.ident && !dot {
			names = append(names, string(src.data[t.from:t.to]))
		}
		dot = t.to-t.from == 1 && src.data[t.from] == '.'
	}
	return names
}

// markdown is for pasting somewhere else: no headers, no cookies, no variables. Every
// line that is not devrun's own is indented code, so that nothing in it is markup.
func (v *failureView) markdown(all bool) string {
	head := "## " + v.tag() + "\n\n"
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", visible(v.message()))
	if all {
		fmt.Fprintf(&b, "\n%s, goroutine %d", v.asked(), v.Goroutine)
		if v.pages.app.Go != "" {
			fmt.Fprintf(&b, ", %s", v.pages.app.Go)
		}
		b.WriteByte('\n')
		if why := v.Cause.String(); why != "" {
			fmt.Fprintf(&b, "\n%s\n", why)
		}
		v.writeSource(&b)
	}
	b.WriteByte('\n')
	v.writeFrames(&b, fits[0].items, false)
	return head + indent(b.String())
}

// writeSource is the failing line between its neighbours.
func (v *failureView) writeSource(b *strings.Builder) {
	if v.root < 0 {
		return
	}
	f := v.frames[v.root]
	src := v.source.file(f.Path)
	if src.gone != "" || f.Line < 1 || f.Line > len(src.starts) {
		return
	}
	b.WriteByte('\n')
	for n := max(1, f.Line-2); n <= min(f.Line+1, len(src.starts)); n++ {
		start, end := src.bounds(n)
		mark := " "
		if n == f.Line {
			mark = ">"
		}
		fmt.Fprintf(b, "%s %4d  %s\n", mark, n, fault.Cut(visible(string(src.data[start:end])), maxLine))
	}
}

// comment is the plain report as an html comment, for who reads the source of the
// page; nothing in it can end the comment.
func (v *failureView) comment() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", v.tag(), fault.Cut(visible(v.message()), 2000))
	v.writeFrames(&b, textFrames, false)
	s := strings.NewReplacer("<", "‹", ">", "›").Replace(b.String())
	for strings.Contains(s, "--") {
		s = strings.ReplaceAll(s, "--", "- -")
	}
	return "<!--\n" + s + "-->"
}
