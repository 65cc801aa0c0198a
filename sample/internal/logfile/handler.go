package logfile

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"devrun/sample/internal/scrub"
)

// stackKey is the attribute that is a stack trace.
const stackKey = "stack"

// handler is immutable but for what mu guards.
type handler struct {
	mu    *sync.Mutex
	w     io.Writer
	level slog.Leveler

	groups string // "a.b.", before the keys of attributes to come
	attrs  string // " a.b.key=value" of those that are known
	stack  string // the lines below the record
}

// NewHandler returns a handler that writes each record of at least level to w, in
// one Write and in the format of Python's logging:
//
//	2026-11-22 16:55:04,156 ERROR: message key=value [in /app/users.go:87]
//
// The time is local. Attributes follow the message; those of a group have its
// name before their key, as in request.id=7. An attribute "stack" outside of
// groups follows on lines of its own, which are indented: a line that begins with
// a digit is the beginning of a record, whatever a message or an attribute
// consists of.
func NewHandler(w io.Writer, level slog.Leveler) slog.Handler {
	return &handler{mu: new(sync.Mutex), w: w, level: level}
}

func (h *handler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level.Level() }

func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	with := *h
	with.groups += name + "."
	return &with
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	for _, a := range attrs {
		with.add(a)
	}
	return &with
}

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	all := *h
	r.Attrs(func(a slog.Attr) bool { all.add(a); return true })
	at := r.Time
	if at.IsZero() {
		at = time.Now()
	}
	line := stamp(at) + " " + levelName(r.Level) + ": " + scrub.Line(r.Message) + all.attrs + " [in " + where(r.PC) + "]\n" + all.stack
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.w, line)
	return err
}

// add appends an attribute to what h knows. The callers have made h a copy.
func (h *handler) add(a slog.Attr) {
	v := a.Value.Resolve()
	switch {
	case v.Kind() == slog.KindGroup:
		inner := *h
		if a.Key != "" {
			inner.groups += a.Key + "."
		}
		for _, a := range v.Group() {
			inner.add(a)
		}
		h.attrs, h.stack = inner.attrs, inner.stack
	case a.Equal(slog.Attr{}):
	case h.groups+a.Key == stackKey:
		h.stack += stackLines(text(v))
	default:
		h.attrs += " " + quoted(h.groups+a.Key) + "=" + quoted(text(v))
	}
}

func text(v slog.Value) string {
	switch v.Kind() {
	case slog.KindTime:
		return v.Time().Format(time.RFC3339Nano)
	case slog.KindAny:
		if b, ok := v.Any().([]byte); ok {
			return string(b)
		}
		return fmt.Sprint(v.Any()) // also of a method that panics
	}
	return v.String()
}

// quoted is s as it is if that can be told from what is around it.
func quoted(s string) string {
	if s == "" || s != scrub.Line(s) || strings.ContainsAny(s, " \"=[]") {
		return strconv.Quote(s)
	}
	return s
}

func stackLines(stack string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimRight(stack, "\n")) {
		text := strings.TrimLeft(strings.TrimRight(line, "\r\n"), "\t")
		indent := len(strings.TrimRight(line, "\r\n")) - len(text)
		b.WriteString("  " + strings.Repeat("\t", indent) + scrub.Line(text) + "\n")
	}
	return b.String()
}

// stamp is Python's asctime.
func stamp(t time.Time) string {
	t = t.Local()
	return t.Format("2006-01-02 15:04:05") + fmt.Sprintf(",%03d", t.Nanosecond()/int(time.Millisecond))
}

// levelName is Python's.
func levelName(l slog.Level) string {
	switch {
	case l >= slog.LevelError+4:
		return "CRITICAL"
	case l >= slog.LevelError:
		return "ERROR"
	case l >= slog.LevelWarn:
		return "WARNING"
	case l >= slog.LevelInfo:
		return "INFO"
	}
	return "DEBUG"
}

// where is the place of the call that logged.
func where(pc uintptr) string {
	if pc == 0 {
		return "unknown:0"
	}
	f, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	return scrub.Line(f.File) + ":" + strconv.Itoa(f.Line)
}
