package logfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/slogtest"
	"time"
)

// first is what every first line of a record looks like.
var first = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING|ERROR|CRITICAL): .* \[in .+:\d+\]$`)

// at handles a record of a known time and place, and returns what is written.
func at(t *testing.T, level slog.Level, msg string, attrs ...slog.Attr) string {
	t.Helper()
	var out bytes.Buffer
	r := slog.NewRecord(time.Date(2026, 11, 22, 16, 55, 4, 56_900_000, time.Local), level, msg, 0)
	r.AddAttrs(attrs...)
	if err := NewHandler(&out, slog.LevelDebug).Handle(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestLines(t *testing.T) {
	for _, c := range []struct {
		level slog.Level
		msg   string
		attrs []slog.Attr
		want  string
	}{
		{slog.LevelInfo, "Microblog startup", nil, "INFO: Microblog startup"},
		{slog.LevelDebug, "a", nil, "DEBUG: a"},
		{slog.LevelDebug - 8, "a", nil, "DEBUG: a"},
		{slog.LevelWarn, "a", nil, "WARNING: a"},
		{slog.LevelError, "Exception on / [GET]", nil, "ERROR: Exception on / [GET]"},
		{slog.LevelError + 4, "a", nil, "CRITICAL: a"},
		{slog.LevelInfo, "", nil, "INFO: "},
		{slog.LevelInfo, "a\n2026-11-22 16:55:04,156 INFO: forged\x1b[31m", nil, `INFO: a\n2026-11-22 16:55:04,156 INFO: forged\x1b[31m`},
		{slog.LevelInfo, "m", []slog.Attr{slog.Int("n", 7), slog.String("s", "a b"), slog.String("empty", ""), slog.Bool("ok", true)}, `INFO: m n=7 s="a b" empty="" ok=true`},
		{slog.LevelInfo, "m", []slog.Attr{slog.String("a", "x\ny"), slog.String("b=c d", "[in evil.go:1]")}, `INFO: m a="x\ny" "b=c d"="[in evil.go:1]"`},
		{slog.LevelInfo, "m", []slog.Attr{slog.Any("err", errors.New("no such user")), slog.Any("nil", nil)}, `INFO: m err="no such user" nil=<nil>`},
		{slog.LevelInfo, "m", []slog.Attr{slog.Group("r", slog.Int("id", 1), slog.Group("u", slog.Int("id", 2))), slog.Group("empty")}, `INFO: m r.id=1 r.u.id=2`},
		{slog.LevelInfo, "m", []slog.Attr{slog.Duration("took", 1500*time.Millisecond), slog.Any("b", []byte("text"))}, `INFO: m took=1.5s b=text`},
		{slog.LevelInfo, "jürgen ✓ \u202egnp", nil, `INFO: jürgen ✓ \u202egnp`},
	} {
		if got, want := at(t, c.level, c.msg, c.attrs...), "2026-11-22 16:55:04,056 "+c.want+" [in unknown:0]\n"; got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

func TestStackIsBelow(t *testing.T) {
	stack := "goroutine 7 [running]:\nmain.f(0x1)\n\t/app/f.go:12 +0x1d\r\n2026-11-22 16:55:04,156 INFO: forged [in x:1]\n\n"
	got := at(t, slog.LevelError, "m", slog.Int("n", 1), slog.String("stack", stack), slog.Int("o", 2), slog.Group("g", slog.String("stack", "s")))
	want := "2026-11-22 16:55:04,056 ERROR: m n=1 o=2 g.stack=s [in unknown:0]\n" +
		"  goroutine 7 [running]:\n  main.f(0x1)\n  \t/app/f.go:12 +0x1d\n  2026-11-22 16:55:04,156 INFO: forged [in x:1]\n"
	if got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
	for _, s := range []any{[]byte("a\nb"), errors.New("a\nb")} {
		if got := at(t, slog.LevelError, "m", slog.Any("stack", s)); !strings.HasSuffix(got, ": m [in unknown:0]\n  a\n  b\n") {
			t.Errorf("%q", got)
		}
	}
	if got := at(t, slog.LevelError, "m", slog.String("stack", "")); strings.Count(got, "\n") != 1 {
		t.Errorf("%q", got)
	}
}

func TestPlaceOfTheCall(t *testing.T) {
	var out bytes.Buffer
	_, file, line, _ := runtime.Caller(0)
	slog.New(NewHandler(&out, slog.LevelInfo)).With("a", 1).Info("here")
	if want := fmt.Sprintf(" INFO: here a=1 [in %s:%d]\n", file, line+1); !strings.HasSuffix(out.String(), want) {
		t.Errorf("%s\nwant %s", &out, want)
	}
}

func TestLevel(t *testing.T) {
	var out bytes.Buffer
	var level slog.LevelVar
	log := slog.New(NewHandler(&out, &level))
	log.Debug("no")
	level.Set(slog.LevelDebug)
	log.Debug("yes")
	level.Set(slog.LevelError)
	log.Warn("no")
	if strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), "DEBUG: yes ") {
		t.Errorf("%s", &out)
	}
}

// The rules that the standard library has for handlers.
func TestHandlerRules(t *testing.T) {
	var out bytes.Buffer
	slogtest.Run(t, func(t *testing.T) slog.Handler {
		if strings.HasSuffix(t.Name(), "/zero-time") {
			t.Skip("a line has a time")
		}
		out.Reset()
		return NewHandler(&out, slog.LevelInfo)
	}, func(t *testing.T) map[string]any { return parse(t, out.String()) })
}

// parse reads a line back.
func parse(t *testing.T, line string) map[string]any {
	m := regexp.MustCompile(`^(\S+ \S+) (\w+): (.*?)((?: \S+=\S+)*) \[in .+:\d+\]\n$`).FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("%q", line)
	}
	all := map[string]any{slog.TimeKey: m[1], slog.LevelKey: m[2], slog.MessageKey: m[3]}
	for _, pair := range strings.Fields(m[4]) {
		key, value, _ := strings.Cut(pair, "=")
		path, into := strings.Split(key, "."), all
		for _, name := range path[:len(path)-1] {
			if into[name] == nil {
				into[name] = map[string]any{}
			}
			into = into[name].(map[string]any)
		}
		if v, err := strconv.Unquote(value); err == nil {
			value = v
		}
		into[path[len(path)-1]] = value
	}
	return all
}

// However it is fed, a record is one line that looks like one, and indented ones
// below it.
func FuzzHandler(f *testing.F) {
	f.Add("a\nb", "key", "value\r\n", "stack\n\t/a.go:1\n")
	f.Add("", "", "", "")
	f.Fuzz(func(t *testing.T, msg, key, value, stack string) {
		var out bytes.Buffer
		slog.New(NewHandler(&out, slog.LevelInfo)).WithGroup(key).With(key, value).Error(msg, key, value, slog.Group("", "stack", stack))
		slog.New(NewHandler(&out, slog.LevelInfo)).Error(msg, "stack", stack, key, value)
		records := 0
		for line := range strings.Lines(out.String()) {
			switch {
			case first.MatchString(strings.TrimSuffix(line, "\n")):
				records++
			case !strings.HasPrefix(line, "  "):
				t.Errorf("%q", line)
			}
			if strings.ContainsAny(line, "\r\x1b\u2028\u0085") || !strings.HasSuffix(line, "\n") {
				t.Errorf("%q", line)
			}
		}
		if records != 2 {
			t.Errorf("%d records in %q", records, out.String())
		}
	})
}

// A handler and a File together: what the app uses.
func TestHandlerOnAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logs", "microblog.log")
	for range 3 {
		f := open(t, path, 10240, 10)
		slog.New(NewHandler(f, slog.LevelInfo)).Info("Microblog startup")
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	for _, line := range lines {
		if !first.MatchString(line) || !strings.Contains(line, " INFO: Microblog startup [in ") {
			t.Errorf("%q", line)
		}
	}
	if len(lines) != 3 {
		t.Errorf("%d lines", len(lines))
	}
}
