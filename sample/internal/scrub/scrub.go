// Package scrub keeps what visitors typed, and what is secret, out of logs and
// mails.
package scrub

import (
	"context"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line returns s with everything made visible that is not a printable character
// or a space, as in a Go string: what follows a line break in s is no line of its
// own, and a terminal is not driven by it.
func Line(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if unicode.IsPrint(r) && !(r == utf8.RuneError && size == 1) {
			b.WriteString(s[i : i+size])
		} else {
			q := strconv.Quote(s[i : i+size])
			b.WriteString(q[1 : len(q)-1])
		}
		i += size
	}
	return b.String()
}

// longest is how many bytes of a text are looked at, which takes time.
const longest = 16 << 10

// gone stands for what was taken out.
const gone = "…"

// rules are applied in turn, before what is quoted is taken out.
var rules = []struct {
	find *regexp.Regexp
	with string
}{
	// What a database adds is made of values, to the end.
	{regexp.MustCompile(`(?is)(\bdetail|\bparameters|\bargs|\barguments|\[sql)\s*[:=].*`), "$1: " + gone},
	{regexp.MustCompile(`(?is)\bkey \([^)]*\)=\(.*`), "Key " + gone},
	{regexp.MustCompile(`(?s)(unable to encode ).*( into )`), "$1" + gone + "$2"},
	// Credentials, in addresses and beside a name, and hashes of passwords.
	{regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s]*@`), "$1" + gone + "@"},
	{regexp.MustCompile(`(?i)(\w*(?:password|passwd|secret|token|cookie|authorization)\w*\s*[=:]).*`), "$1 " + gone},
	{regexp.MustCompile(`(?:\$(?:argon2\w*|scrypt|2[abxy])\$|\b(?:scrypt|pbkdf2):)\S*`), gone},
	{regexp.MustCompile(`[\pL\pN._%+-]+@[\pL\pN.-]+`), gone + "@" + gone},
}

// name is the name of a part of the schema, which says what is wrong and was not
// typed by a visitor.
var name = regexp.MustCompile(`\b((?:constraint|relation|column|table|index) )"(\w{1,63})"`)

// opening is a single quote that is no apostrophe, closing one that may be none.
var (
	opening = regexp.MustCompile(`(?:^|[\s(\[{=:,])'`)
	closing = regexp.MustCompile(`'(?:$|[^\pL\pN])`)
)

// Text returns the text of an error without what it may have been made of: what
// is quoted, the detail, parameters and arguments of a query, credentials, hashes
// of passwords and addresses of mail. It takes rather too much. What an error
// quotes in no way, as in "no user john", it cannot tell from the program's
// words: quote it (%q) or leave it out. Of a text that is longer than 16 kB it
// looks at the beginning, and the rest is left out.
func Text(s string) string {
	if len(s) > longest {
		s = s[:longest] + gone
	}
	for _, r := range rules {
		s = r.find.ReplaceAllString(s, r.with)
	}
	// In private quotes for a moment. No value can stand for them: a value in
	// quotes goes with all that is in it.
	s = strings.Map(func(r rune) rune {
		if r == '\x00' || r == '\x01' {
			return -1
		}
		return r
	}, s)
	s = name.ReplaceAllString(s, "$1\x00$2\x01")
	s = between(s, strings.Index(s, `"`), strings.LastIndex(s, `"`))
	s = between(s, strings.Index(s, "`"), strings.LastIndex(s, "`"))
	if first := opening.FindStringIndex(s); first != nil {
		last := -1
		for _, at := range closing.FindAllStringIndex(s[first[1]:], -1) {
			last = first[1] + at[0]
		}
		s = between(s, first[1]-1, last)
	}
	return strings.NewReplacer("\x00", `"`, "\x01", `"`).Replace(s)
}

// between takes out what is between two quotes; without a second one, all that
// follows the first. A quote within a value is nowhere escaped, so that the value
// ends at the last one.
func between(s string, first, last int) string {
	switch {
	case first < 0:
		return s
	case last <= first:
		return s[:first+1] + gone
	}
	return s[:first+1] + gone + s[last:]
}

// handler scrubs errors on their way to another handler.
type handler struct{ next slog.Handler }

// Handler returns a handler in front of next that applies Text to the attributes
// that are errors, and to the strings called "err" and "error". One that is in
// front of all others scrubs for all of them.
func Handler(next slog.Handler) slog.Handler { return handler{next} }

func (h handler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }
func (h handler) WithGroup(name string) slog.Handler             { return handler{h.next.WithGroup(name)} }
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.next.WithAttrs(scrubbed(attrs))}
}

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool { clean.AddAttrs(attr(a)); return true })
	return h.next.Handle(ctx, clean)
}

func scrubbed(attrs []slog.Attr) []slog.Attr {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = attr(a)
	}
	return clean
}

func attr(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindGroup:
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(scrubbed(v.Group())...)}
	case slog.KindString:
		if a.Key == "err" || a.Key == "error" {
			return slog.String(a.Key, Text(v.String()))
		}
	case slog.KindAny:
		if err, ok := v.Any().(error); ok {
			return slog.String(a.Key, Text(message(err)))
		}
	}
	return slog.Attr{Key: a.Key, Value: v}
}

// message is the text of an error, also of one that cannot say it.
func message(err error) (s string) {
	defer func() {
		if v := recover(); v != nil {
			s = "an error whose text cannot be had"
		}
	}()
	return err.Error()
}
