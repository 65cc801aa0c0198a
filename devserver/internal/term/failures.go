package term

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"devrun/devserver/internal/fault"
)

const (
	// maxDiagnostics is how many errors are listed: as the compiler does, and few
	// enough to see what was saved above them.
	maxDiagnostics = 10

	// minMessage is the narrowest column a message is wrapped to, in cells;
	// below that a narrow terminal may wrap by itself.
	minMessage = 24
)

// BuildFailed lists what is wrong. Errors that are not listed are on the page
// at url; "" when there is none.
func (t *Terminal) BuildFailed(diags []fault.Diagnostic, url string) {
	lines := t.line(t.style.redBold("build failed") + summary(diags))
	shown := diags[:min(len(diags), maxDiagnostics)]
	if len(shown) > 0 {
		lines += "\n" + t.diagnostics(shown) + "\n"
	}
	if more := len(diags) - len(shown); more > 0 {
		text := strings.Replace(count(more, "error"), " ", " more ", 1)
		if url != "" {
			text += ", all of them are on " + t.style.address(url)
		}
		lines += t.line(text)
	}
	t.print(lines, false, true)
}

// ErrorPage says where the page is that shows what is wrong; no address gives no line.
func (t *Terminal) ErrorPage(url string) {
	if url != "" {
		t.say("error page " + t.style.address(url))
	}
}

// summary is ", 3 errors in 2 files", as far as there are any.
func summary(diags []fault.Diagnostic) string {
	if len(diags) == 0 {
		return ""
	}
	files := map[string]bool{}
	for _, d := range diags {
		if d.Rel != "" {
			files[d.Rel] = true
		}
	}
	s := ", " + count(len(diags), "error")
	if len(files) > 0 {
		s += " in " + count(len(files), "file")
	}
	return s
}

// diagnostics is a column of positions and a column of messages, wrapped where
// there is a width to wrap to. A position that would take half of the width
// stands on a line of its own.
func (t *Terminal) diagnostics(diags []fault.Diagnostic) string {
	cols, _, tty := t.Size()
	widest := 0
	for _, d := range diags {
		if w := width(visible(d.Pos())); !tty || w <= cols/2 {
			widest = max(widest, w)
		}
	}
	column, room := 2, 0
	if widest > 0 {
		column += widest + 2
	}
	if tty {
		room = max(cols-column, minMessage)
	}
	var b strings.Builder
	for _, d := range diags {
		pos := visible(d.Pos())
		b.WriteString("  ")
		if pos != "" {
			b.WriteString(t.position(d.File, d.Line, d.Col, pos))
		}
		used := 2 + width(pos)
		if used > column {
			b.WriteString("\n")
			used = 0
		}
		for line := range strings.SplitSeq(strings.TrimRight(d.Message, "\n"), "\n") {
			line = visible(strings.ReplaceAll(strings.TrimRight(line, " \t\r"), "\t", "    "))
			for _, row := range wrap(line, room) {
				b.WriteString(strings.TrimRight(strings.Repeat(" ", column-used)+row, " ") + "\n")
				used = 0
			}
		}
	}
	return b.String()
}

// position is a place in a source file, with a link to it.
func (t *Terminal) position(file string, line, col int, text string) string {
	target := fileURL(file)
	if t.opts.FileURL != nil && target != "" {
		target = t.opts.FileURL(file, line, col)
	}
	return t.style.link(target, t.style.boldUnderline(text))
}

// Crashed says that the app died of a panic or a fatal error, and where. The
// runtime's own report has been printed by the app.
func (t *Terminal) Crashed(c fault.Crash) {
	lines := t.line(fmt.Sprintf("%s, %s after %s", t.style.redBold("app crashed"), visible(c.Exit.String()), took(c.Exit.Ran)))
	if len(c.Trace.Goroutines) > 0 {
		g := c.Trace.Goroutines[0] // the one that failed comes first
		if f, ok := t.appFrame(g.Frames); ok {
			lines += fmt.Sprintf("  %s  %s, goroutine %d\n", visible(f.Func), t.frame(f), g.ID)
		}
		if f := g.CreatedBy; f != nil && t.IsApp(f.File) {
			// Which request it was tells more than the handler's name.
			lines += fmt.Sprintf("  started by %s, %s\n", visible(cmp.Or(g.Request(), f.Func)), t.frame(*f))
		}
	}
	t.print(lines, false, false)
}

// appFrame is the innermost call that is the app's own.
func (t *Terminal) appFrame(frames []fault.Frame) (fault.Frame, bool) {
	for _, f := range frames {
		if t.IsApp(f.File) {
			return f, true
		}
	}
	return fault.Frame{}, false
}

// IsApp says whether a file is the app's own.
func (t *Terminal) IsApp(file string) bool {
	rel := t.rel(file)
	return rel != file && !strings.HasPrefix(rel, "vendor"+string(filepath.Separator))
}

// rel is a file below the app's directory as a person there would write it, and
// any other file as it is.
func (t *Terminal) rel(file string) string {
	if t.opts.Root == "" {
		return file
	}
	rel, err := filepath.Rel(t.opts.Root, file)
	if err != nil || !filepath.IsLocal(rel) {
		return file
	}
	return rel
}

func (t *Terminal) frame(f fault.Frame) string {
	return t.position(f.File, f.Line, 0, t.rel(f.File)+":"+strconv.Itoa(f.Line))
}

// Exited says that the app ended by itself, without a crash report; call is
// where it called os.Exit, if that is known.
func (t *Terminal) Exited(e fault.Exit, call *fault.Frame) {
	look := t.style.redBold
	if e.Code == 0 {
		look = t.style.yellowBold
	}
	text := fmt.Sprintf("%s, status %d after %s", look("app exited"), e.Code, took(e.Ran))
	if call != nil {
		text += ": os.Exit called in " + t.frame(*call)
	}
	t.say(text)
}

// KilledBySystem says that a signal which devrun did not send ended the app.
func (t *Terminal) KilledBySystem(e fault.Exit) {
	text := t.style.redBold("app was killed") + " (" + visible(e.String()) + ")"
	if e.MaxRSS > 0 {
		text += ", " + fault.Size(e.MaxRSS) + " in use"
	}
	if e.Signal == "killed" {
		text += "; it may have run out of memory"
	}
	t.say(text)
}

// DoesNotStay says that the app crashed too often to be started again unasked.
func (t *Terminal) DoesNotStay() { t.say("the app does not stay up, waiting for a save") }
