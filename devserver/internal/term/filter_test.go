package term

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTheAppCannotRewriteTheScreen(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "time=17:30:01 level=INFO msg=listening\n", "time=17:30:01 level=INFO msg=listening\n"},
		{"colours", "\x1b[1;38;5;208mred\x1b[0m \x1b[38:2::1:2:3mx\x1b[m\n", "\x1b[1;38;5;208mred\x1b[0m \x1b[38:2::1:2:3mx\x1b[m\n"},
		{"progress", "10%\r20%\b\b\b\tdone\a\r\n", "10%\r20%\b\b\b\tdone\a\r\n"},
		{"letters", "žluťoučký 界 \u00a0 🙂\n", "žluťoučký 界 \u00a0 🙂\n"},
		{"latin-1", "caf\xe9\n", "caf\xe9\n"},
		{"clear", "\x1b[2J\x1b[H", "^[[2J^[[H"},
		{"cursor up", "\x1b[1A\x1b[K", "^[[1A^[[K"},
		{"alternate screen", "\x1b[?1049h", "^[[?1049h"},
		{"keyboard mode that ends like a colour", "\x1b[>4;2m", "^[[>4;2m"},
		{"title", "\x1b]0;owned\aafter\a", "^[]0;owned^Gafter\a"},
		{"clipboard", "\x1b]52;c;cm0gLXJmIC8=\x1b\\", "^[]52;c;cm0gLXJmIC8=^[\\"},
		{"link", "\x1b]8;;http://evil\x1b\\bank\x1b]8;;\x1b\\", "^[]8;;http://evil^[\\bank^[]8;;^[\\"},
		{"device control", "\x1bP$q\"p\x1b\\", "^[P$q\"p^[\\"},
		{"reset", "\x1bc", "^[c"},
		{"two escapes", "\x1b\x1b[31mx", "^[\x1b[31mx"},
		{"newline within", "\x1b[3\n1mx", "^[[3\n1mx"},
		{"character set", "\x0e\x0f\x1b(0", "^N^O^[(0"},
		{"answerback, form feed, delete, nul", "\x05\x0c\x7f\x00", "^E^L^?^@"},
		{"8-bit CSI", "\x9b2J", `\x9b2J`},
		{"8-bit CSI in UTF-8", "\u009b2J\u009d0;x", `\u009b2J\u009d0;x`},
		{"endless colour", "\x1b[" + strings.Repeat("1;", 100) + "m", "^[[" + strings.Repeat("1;", 100) + "m"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for size := 1; size <= len(c.in); size++ {
				if got := inPieces([]byte(c.in), size); string(got) != c.want {
					t.Fatalf("in pieces of %d: got %q, want %q", size, got, c.want)
				}
			}
		})
	}
}

func inPieces(in []byte, size int) []byte {
	var f filter
	var at cursor
	var out []byte
	for len(in) > 0 {
		n := min(size, len(in))
		out = append(out, f.pass(&at, in[:n])...)
		in = in[n:]
	}
	return append(out, f.flush(&at)...)
}

func TestWhereTheCursorIs(t *testing.T) {
	for in, want := range map[string]cursor{
		"line\n":                   {fresh: true},
		"line":                     {},
		"50%\r":                    {},
		"line\n\r":                 {fresh: true},
		"\x1b[31mline\n\x1b[0m":    {fresh: true},
		"\x1b[31mline\n":           {fresh: true, coloured: true},
		"\x1b[0;1mline\n\x1b[00;m": {fresh: true},
		"line\n\t":                 {},
		"line\n\x1b[2J":            {},
		"line\n界":                  {},
	} {
		at := cursor{fresh: true}
		var f filter
		f.pass(&at, []byte(in))
		if at != want {
			t.Errorf("after %q: %+v, want %+v", in, at, want)
		}
	}
}

var allowed = regexp.MustCompile(`\x1b\[[0-9;:]*m`)

func FuzzFilter(f *testing.F) {
	for _, s := range []string{"plain\n", "\x1b[31mred\x1b[0m", "\x1b]0;t\x07", "\xc2\x9b2J", "\x1b[3", "\xe7\x95", "a\x1b\x1b[m", "\x1bP\x9c"} {
		f.Add([]byte(s), uint8(1))
	}
	f.Fuzz(func(t *testing.T, in []byte, size uint8) {
		whole := inPieces(in, len(in)+1)
		if pieces := inPieces(in, int(size)+1); !bytes.Equal(whole, pieces) {
			t.Fatalf("in pieces of %d: %q, at once: %q", int(size)+1, pieces, whole)
		}
		rest := allowed.ReplaceAll(whole, nil)
		for len(rest) > 0 {
			r, size := utf8.DecodeRune(rest)
			switch {
			case r == utf8.RuneError && size == 1:
				if rest[0] >= 0x80 && rest[0] <= 0x9f {
					t.Fatalf("C1 control %#x in %q", rest[0], whole)
				}
			case controls(r) && r >= 0x7f && r <= 0x9f, r < ' ' && !strings.ContainsRune("\n\r\t\b\a", r):
				t.Fatalf("control %#x in %q", r, whole)
			}
			rest = rest[size:]
		}
		if utf8.Valid(in) && bytes.IndexFunc(in, func(r rune) bool { return r < ' ' || r >= 0x7f && r <= 0x9f }) < 0 && !bytes.Equal(in, whole) {
			t.Fatalf("text was changed: %q became %q", in, whole)
		}
	})
}

func TestTextFromOutsideIsVisible(t *testing.T) {
	for in, want := range map[string]string{
		"žluť 界.go":        "žluť 界.go",
		"a\x1b]52;c;x\ab":  "a^[]52;c;x^Gb",
		"a\nb\tc\x7f":      "a^Jb^Ic^?",
		"\u009b2J":         `\u009b2J`,
		"\xff\x9b":         `\xff\x9b`,
		"\u202egp.exe":     `\u202egp.exe`,
		"a\ufffdb":         "a\ufffdb",
		"a\ufffdb\u2028\a": "a\ufffdb\\u2028^G",
	} {
		if got := visible(in); got != want {
			t.Errorf("visible(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestWrapLosesNothing(t *testing.T) {
	const line = "    cannot use (*store)(nil) (value of type *store) as Usersvalueinvariabledeclarationthatislong e\u0301 界界界界界界界界界界界界界界"
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
	for max := 2; max < 120; max++ {
		rows := wrap(line, max)
		if got := squeeze(strings.Join(rows, "")); got != squeeze(line) {
			t.Fatalf("at %d: %q", max, rows)
		}
		for _, row := range rows {
			if width(row) > max {
				t.Fatalf("at %d the row %q takes %d", max, row, width(row))
			}
		}
	}
}
