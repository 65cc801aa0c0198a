package errormail

import (
	"context"
	"fmt"
	"log/slog"
	"path"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"devrun/sample/internal/scrub"
)

// report is one error as it is mailed.
type report struct {
	at        time.Time
	message   string
	place     string // of the call that logged it
	requestID string
	userID    string
	err       string
	stack     string

	key   string    // of reports that are the same error
	more  int       // how many others like it are not mailed
	since time.Time // when those began
}

// handler makes reports of records. What it has no field for is left out.
type handler struct {
	m       *Mailer
	known   report // from WithAttrs
	grouped bool   // what is still to come belongs to a group
}

func (h handler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }

func (h handler) WithGroup(name string) slog.Handler {
	h.grouped = h.grouped || name != ""
	return h
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		h.add(&h.known, a)
	}
	return h
}

// Handle never waits for a mail.
func (h handler) Handle(_ context.Context, r slog.Record) error {
	if r.Level < slog.LevelError {
		return nil
	}
	rep := h.known
	rep.at, rep.message = r.Time, scrub.Line(clip(r.Message, maxText))
	if rep.at.IsZero() {
		rep.at = h.m.clock.Now()
	}
	if r.PC != 0 {
		f, _ := runtime.CallersFrames([]uintptr{r.PC}).Next()
		rep.place = f.File + ":" + strconv.Itoa(f.Line)
	}
	r.Attrs(func(a slog.Attr) bool { h.add(&rep, a); return true })
	rep.key = rep.fingerprint()
	h.m.take(rep)
	return nil
}

// add is the list of what may be mailed.
func (h handler) add(r *report, a slog.Attr) {
	v := a.Value.Resolve()
	if h.grouped || v.Kind() == slog.KindGroup {
		return
	}
	text := v.String()
	if b, ok := v.Any().([]byte); ok {
		text = string(b)
	}
	switch a.Key {
	case "request_id":
		r.requestID = scrub.Line(clip(text, maxText))
	case "user_id":
		r.userID = scrub.Line(clip(text, maxText))
	case "err", "error":
		r.err = scrub.Line(clip(text, maxText))
	case "stack":
		r.stack = clip(text, maxStack)
	}
}

// So many bytes of a text and of a stack trace are kept and mailed.
const (
	maxText  = 4 << 10
	maxStack = 64 << 10
)

// clip keeps the beginning of s, in memory of its own.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.Clone(s[:n]) + "…"
}

// body is the text of the mail.
func (r report) body() string {
	var b strings.Builder
	b.WriteString(r.message + "\n\n")
	if r.more > 0 {
		fmt.Fprintf(&b, "and %d more since %s\n\n", r.more, r.since.Local().Format(time.DateTime))
	}
	for _, f := range []struct{ name, value string }{
		{"time", r.at.Local().Format(time.DateTime)}, {"request", r.requestID}, {"user", r.userID}, {"error", r.err}, {"logged at", r.place},
	} {
		if f.value != "" {
			fmt.Fprintf(&b, "%s: %s\n", f.name, f.value)
		}
	}
	if r.stack != "" {
		b.WriteString("\n")
		for line := range strings.Lines(strings.TrimSpace(r.stack)) {
			text := strings.TrimLeft(strings.TrimRight(line, "\r\n"), "\t")
			if strings.HasPrefix(line, "\t") {
				b.WriteString("\t")
			}
			b.WriteString(scrub.Line(text) + "\n")
		}
	}
	return b.String()
}

var (
	numbers = regexp.MustCompile(`0x[0-9a-fA-F]+|\d+`)
	frame   = regexp.MustCompile(`(?m)^(\S.*)\n\t(\S.*:\d+)(?: \+0x[0-9a-f]+)?\r?$`)
)

// fingerprint is the same for errors that have the same cause as far as can be
// told: what they say but for the numbers, and where they happened. The request
// is no part of it.
func (r report) fingerprint() string {
	said, place := r.err, site(r.stack, r.place)
	if said == "" {
		said = r.message
	}
	if place == "" {
		place = r.place
	}
	return numbers.ReplaceAllString(said, "#") + " at " + place
}

// site is the line of the stack that panicked, or else the one that came upon the
// error: past what is Go's own, and past the file that logged, where errors of
// many places arrive.
func site(stack, logged string) string {
	frames := frame.FindAllStringSubmatch(stack, -1)
	handling := logged[:strings.LastIndex(logged, ":")+1]
	for i, f := range frames {
		if strings.HasPrefix(f[1], "panic(") {
			frames, handling = frames[i+1:], ""
			break
		}
	}
	for _, f := range frames {
		dir := path.Dir(f[2])
		switch {
		case strings.HasSuffix(dir, "/src/runtime"), strings.HasSuffix(dir, "/src/runtime/debug"):
		case handling != "" && strings.HasPrefix(f[2], handling):
		default:
			return f[2]
		}
	}
	return ""
}
