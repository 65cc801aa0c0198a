package scrub

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
)

// Errors as drivers and the standard library write them. "hunter2" stands for
// what nobody may read in a log.
func TestText(t *testing.T) {
	_, atoi := strconv.Atoi("hunter2")
	_, clock := time.Parse(time.DateOnly, "hunter2")
	_, address := url.Parse(strings.Replace("postgres://app:hunter2@db:5432/app", "5432", "port", 1))
	for in, want := range map[string]string{
		`ERROR: duplicate key value violates unique constraint "ix_user_username" (SQLSTATE 23505)`:               `ERROR: duplicate key value violates unique constraint "ix_user_username" (SQLSTATE 23505)`,
		"duplicate key value violates unique constraint \"ix\"\nDetail: Key (username)=(hunter2) already exists.": "duplicate key value violates unique constraint \"ix\"\nDetail: …",
		`rename: Key (username)=(hunter2) already exists.`:                                                        `rename: Key …`,
		`ERROR: invalid input syntax for type integer: "hunter2" (SQLSTATE 22P02)`:                                `ERROR: invalid input syntax for type integer: "…" (SQLSTATE 22P02)`,
		`ERROR: invalid input syntax for type integer: "a"hunter2" (SQLSTATE 22P02)`:                              `ERROR: invalid input syntax for type integer: "…" (SQLSTATE 22P02)`,
		`invalid input: "a" column "hunter2"`:                                                                     `invalid input: "…" column "hunter2"`,
		`null value in column "username" of relation "user" violates not-null constraint`:                         `null value in column "username" of relation "user" violates not-null constraint`,
		`constraint failed: UNIQUE constraint failed: user.username (2067)`:                                       `constraint failed: UNIQUE constraint failed: user.username (2067)`,
		"failed to connect to `user=app database=hunter2`: 127.0.0.1:5432 (db): connection refused":               "failed to connect to `…`: 127.0.0.1:5432 (db): connection refused",
		`failed to encode args[0]: unable to encode main.U{Name:hunter2} into binary format for int4`:             `failed to encode args[0]: unable to encode … into binary format for int4`,
		`sql: Scan error on column index 0, name "id": converting driver.Value type string ("hunter2") to a int`:  `sql: Scan error on column index 0, name "…") to a int`,
		`sql: no rows in result set`: `sql: no rows in result set`,
		"(sqlite3.IntegrityError) UNIQUE [SQL: UPDATE user SET username=?] [parameters: ('hunter2', '<b>', 1)]": "(sqlite3.IntegrityError) UNIQUE [SQL: …",
		`update user: args: [hunter2 1]`:                                `update user: args: …`,
		`can't evaluate field Foo, it isn't there`:                      `can't evaluate field Foo, it isn't there`,
		`can't take 'hunter2's cat' here`:                               `can't take '…' here`,
		`unfinished "hunter2`:                                           `unfinished "…`,
		`dial postgres://app:hunter2@db:5432/app?x=1: refused`:          `dial postgres://…@db:5432/app?x=1: refused`,
		`cannot parse host=db password=hunter2 user=app`:                `cannot parse host=db password= …`,
		`no such user: hunter2@example.com`:                             `no such user: …@…`,
		`hash $argon2id$v=19$m=65536,t=1,p=4$hunter2$hunter2 of user 1`: `hash … of user 1`,
		`hash scrypt:32768:8:1$hunter2$hunter2 of user 1`:               `hash … of user 1`,
		`runtime error: index out of range [5] with length 3`:           `runtime error: index out of range [5] with length 3`,
		atoi.Error():    `strconv.Atoi: parsing "…": invalid syntax`,
		clock.Error():   `parsing time "…"`,
		address.Error(): `parse "…" after host`,
		"":              "",
	} {
		if strings.Contains(want, "hunter2") && !strings.Contains(in, `column "hunter2"`) {
			t.Errorf("the test wants what it must not: %s", want)
		}
		if got := Text(in); got != want {
			t.Errorf("%s\n gives %s\n want  %s", in, got, want)
		}
	}
}

func TestLongText(t *testing.T) {
	if got := Text(strings.Repeat("word ", 1<<20)); len(got) > longest+len(gone) || !strings.HasSuffix(got, gone) {
		t.Errorf("%d bytes", len(got))
	}
}

// Whatever surrounds it, what is quoted does not come through.
func FuzzText(f *testing.F) {
	f.Add("parsing ", "hunter", ": invalid syntax")
	f.Add("can't ", "a\"b", " constraint \"x\"")
	f.Fuzz(func(t *testing.T, before, value, after string) {
		const secret = "hunter2"
		for _, quote := range []string{`"`, "`"} {
			in := before + quote + value + secret + value + quote + after
			if strings.Contains(before+value+after, secret) || name.MatchString(in) {
				continue
			}
			if got := Text(in); strings.Contains(got, secret) {
				t.Errorf("%q gives %q", in, got)
			}
		}
	})
}

func FuzzLine(f *testing.F) {
	f.Add("a\nb\x1b[31m\u2028\u202e\xff\\ü")
	f.Fuzz(func(t *testing.T, s string) {
		got := Line(s)
		if i := strings.IndexFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%q gives %q", s, got)
		}
		if again := Line(got); again != got {
			t.Errorf("%q gives %q and then %q", s, got, again)
		}
	})
}

type broken struct{}

func (broken) Error() string { panic("no text") }

type valuer struct{ err error }

func (v valuer) LogValue() slog.Value { return slog.AnyValue(v.err) }

func TestHandler(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(Handler(slog.NewTextHandler(&out, nil)))
	err := fmt.Errorf("rename: %w", errors.New(`invalid name "hunter2"`))
	log.With("err", err).WithGroup("g").Error("Exception on /user/susan [GET]",
		"failed", err, slog.Group("in", "error", err.Error()), "deep", valuer{err}, "broken", broken{}, "path", `"kept"`)
	got := out.String()
	if strings.Contains(got, "hunter2") || strings.Count(got, `invalid name \"…\"`) != 4 {
		t.Errorf("%s", got)
	}
	for _, want := range []string{"/user/susan [GET]", `g.path="\"kept\""`, `g.broken="an error whose text cannot be had"`, "g.in.error="} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if log.Enabled(t.Context(), slog.LevelDebug) {
		t.Error("the level is not that of the next handler")
	}
}
