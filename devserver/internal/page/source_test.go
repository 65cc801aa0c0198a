package page

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// plainText shows an excerpt as lines: the number, "!" for the class bad, and the
// text with the mark in brackets.
func plainText(e excerpt) string {
	if e.Gone != "" {
		return "gone: " + e.Gone
	}
	var b strings.Builder
	for _, l := range e.Lines {
		b.WriteString(l.N)
		if l.Class == "bad" {
			b.WriteByte('!')
		}
		b.WriteByte(' ')
		for _, s := range l.Spans {
			switch {
			case s.Mark:
				b.WriteString("[" + s.Text + "]")
			case s.Class == "g":
				b.WriteString(strings.Repeat("_", len([]rune(s.Text))))
			default:
				b.WriteString(s.Text)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestExcerptColumn(t *testing.T) {
	for name, test := range map[string]struct {
		line string
		col  int
		want string
	}{
		"first":       {"usre.Name = 1", 1, "1! [usre].Name = 1\n ^^^^\n"},
		"tab":         {"\tif x {\ty = 22 }", 13, "1! \tif x {\ty = [22] }\n \t      \t    ^^\n"},
		"bytes":       {`s := "é" + x`, 13, "1! s := \"é\" + [x]\n ___________^\n"},
		"wide":        {`s := "漢字"; usre()`, 17, "1! s := \"漢字\"; [usre]()\n ___________^^^^\n"},
		"wide token":  {`漢字()`, 1, "1! [漢字]()\n ^^^^\n"},
		"inside rune": {`漢字()`, 2, "1! [漢字]()\n ^^^^\n"},
		"combining":   {"e\u0301x := 1", 1, "1! [e]\u0301x := 1\n ^\n"},
		"end":         {"x := ", 6, "1! x := []\n      ^\n"},
		"behind end":  {"x := 1", 900, "1! x := 1[]\n       ^\n"},
		"blank":       {"a  b", 2, "1! a[ ] b\n  ^\n"},
		"operator":    {"a <<= b", 3, "1! a [<<=] b\n   ^^^\n"},
		"paren":       {"var _ T = (*store)(nil)", 11, "1! var _ T = [(*store)](nil)\n           ^^^^^^^^\n"},
		"address":     {"var _ = &server{}", 9, "1! var _ = [&server{}]\n         ^^^^^^^^^\n"},
		"no column":   {"x := 1", 0, "1! x := 1\n"},
		"empty":       {"", 1, "1! []\n ^\n"},
	} {
		t.Run(name, func(t *testing.T) {
			// The parser needs a package clause to see expressions; a //line comment of
			// the scanner's own must not matter.
			text := test.line
			at := 1
			if strings.HasPrefix(text, "var") {
				text, at = "package p\n"+text, 2
			}
			f := fileOf(t, "a.go", text)
			got := plainText(f.excerpt(at, at, at, test.col, "bad", ""))
			if want := strings.Replace(test.want, "1!", strconv.Itoa(at)+"!", 1); got != want {
				t.Errorf("got\n%q\nwant\n%q", got, want)
			}
		})
	}
}

func fileOf(t *testing.T, name, text string) *source {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	write(t, path, text)
	return newSources(time.Time{}).file(path)
}

func TestExcerptLines(t *testing.T) {
	unix := "package p\n\nfunc f() {\n\tx\n}\n"
	for name, text := range map[string]string{"unix": unix, "dos": strings.ReplaceAll(unix, "\n", "\r\n"), "no final newline": strings.TrimSuffix(unix, "\n")} {
		got := plainText(fileOf(t, "a.go", text).excerpt(1, 7, 4, 2, "bad", " note"))
		if want := "1 package p\n2 \n3 func f() {\n4! \t[x]\n \t^ note\n5 }\n"; got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
	// The compiler speaks of the line behind the last one when a file ends too soon.
	if got := plainText(fileOf(t, "a.go", "package p\nfunc f() {\n").excerpt(2, 6, 3, 1, "bad", "")); got != "2 func f() {\n3! []\n ^\n" {
		t.Errorf("end of file: got\n%s", got)
	}
	for _, at := range []int{0, -1, 7, 1 << 30} {
		if e := fileOf(t, "a.go", unix).excerpt(at-3, at+3, at, 1, "bad", ""); e.Gone == "" {
			t.Errorf("line %d: %+v", at, e)
		}
	}
}

func TestHighlight(t *testing.T) {
	text := "package p\r\n\r\nvar a = `raw \"\r\nfunc return // 1`\r\n/* one\r\nif */ var b = 'x' + 0x1f + nil // end\r\nvar c = \"open\r\nfunc d() {}\r\n"
	want := []string{
		"k:package| p", "", "k:var| a = |s:`raw \"", "s:func return // 1`", "c:/* one", "c:if */| |k:var| b = |s:'x'| + |d:0x1f| + |k:nil| |c:// end",
		"k:var| c = |s:\"open", "k:func| d() {}", "",
	}
	e := fileOf(t, "a.go", text).excerpt(1, 9, 9, 0, "bad", "")
	for i, l := range e.Lines {
		var parts []string
		for _, s := range l.Spans {
			if s.Class != "" {
				parts = append(parts, s.Class+":"+s.Text)
			} else {
				parts = append(parts, s.Text)
			}
		}
		if got := strings.Join(parts, "|"); got != want[i] {
			t.Errorf("line %d: %s, want %s", i+1, got, want[i])
		}
	}
	if len(e.Lines) != len(want) {
		t.Errorf("%d lines, want %d", len(e.Lines), len(want))
	}
}

func TestExcerptNotUTF8(t *testing.T) {
	got := plainText(fileOf(t, "a.go", "package p\n\xff\xfe := \x1b[2J \u202e usre\x00").excerpt(2, 2, 2, 16, "bad", ""))
	if want := "2! \ufffd\ufffd := ␛[2J [U+202E] [usre]␀\n ____________________^^^^\n"; got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func TestLongLine(t *testing.T) {
	f := fileOf(t, "a.go", "package p\nvar x = `"+strings.Repeat("漢", 600_000)+"` + usre + "+strings.Repeat("y", 5000)+"\n")
	col := len("var x = `") + 3*600_000 + len("` + ") + 1
	e := f.excerpt(2, 2, 2, col, "bad", "")
	got := plainText(e)
	if len(got) > 3*maxLine || !strings.Contains(got, "[usre]") || !strings.HasPrefix(got, "2! …漢") || strings.Count(got, "^") != 4 {
		t.Errorf("%d bytes: %.400s", len(got), got)
	}
	if got := plainText(f.excerpt(2, 2, 2, 0, "bad", "")); !strings.HasPrefix(got, "2! var x") || len(got) > 2*maxLine {
		t.Errorf("%d bytes: %.400s", len(got), got)
	}
}

func TestSourceUnavailable(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big.go")
	write(t, big, strings.Repeat("x", 2<<20+1))
	write(t, filepath.Join(dir, ".env"), "SECRET=1")
	write(t, filepath.Join(dir, "id_rsa"), "secret")
	write(t, filepath.Join(dir, ".hidden.go"), "secret")
	if err := os.Mkdir(filepath.Join(dir, "dir.go"), 0o777); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.go")
	if err := os.Symlink("gone.go", link); err != nil {
		t.Skip(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "gone.go"):    "gone.go is not there any more",
		filepath.Join(dir, "dir.go"):     "dir.go is not a regular file",
		filepath.Join(dir, ".env"):       ".env is not a source file",
		filepath.Join(dir, ".hidden.go"): ".hidden.go is not a source file",
		filepath.Join(dir, "id_rsa"):     "id_rsa is not a source file",
		"/etc/passwd":                    "passwd is not a source file",
		big:                              "big.go is larger than 2 MB",
		link:                             "link.go is not there any more",
		"<autogenerated>":                "the message names no file on disk",
		"main.go":                        "the message names no file on disk",
		"javascript:alert(1)":            "the message names no file on disk",
		"":                               "the message names no file on disk",
	} {
		if e := newSources(time.Time{}).file(path).excerpt(1, 3, 1, 1, "bad", ""); e.Gone != want || e.Lines != nil {
			t.Errorf("%s: %+v, want %s", path, e, want)
		}
	}
}

func TestFunction(t *testing.T) {
	text := "package p\n\n// F does\n// things.\nfunc F() {\n\tx()\n}\n\nvar v = 1\n\nfunc G() {\n" + strings.Repeat("\tx()\n", 40) + "}\n"
	f := fileOf(t, "a.go", text)
	for at, want := range map[int][2]int{
		6:  {3, 7},   // short: whole, with its comment
		9:  {2, 16},  // no function
		11: {11, 18}, // long: not beyond its own lines
		30: {23, 37},
		50: {43, 52},
	} {
		if from, to := f.function(at, 7); [2]int{from, to} != want {
			t.Errorf("line %d: %d to %d, want %v", at, from, to, want)
		}
	}
	broken := fileOf(t, "a.go", "func {{{")
	if from, to := broken.function(1, 7); from != -6 || to != 8 {
		t.Errorf("broken: %d to %d", from, to)
	}
}

func TestSimilar(t *testing.T) {
	f := fileOf(t, "a.go", "package p\nfunc f(user, users int, handler string) { user++; hnadler(); usre = 1 }")
	for name, want := range map[string]string{"usre": "user", "hnadlr": "hnadler", "handlerr": "handler", "unknown": "", "us": "", "userss": "users"} {
		if got := f.similar(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func FuzzSource(f *testing.F) {
	f.Add([]byte(appSource), 5, 2)
	f.Add([]byte("package p\r\nvar x = `a\r\nb` /* c"), 2, 9)
	f.Add([]byte("\xff\x00func {{{ (*"), 1, 12)
	f.Fuzz(func(t *testing.T, data []byte, at, col int) {
		s := &source{data: data, starts: lineStarts(data), tokens: scan(data)}
		from, to := s.function(at, 7)
		e := s.excerpt(from, to, at, col, "bad", "")
		if e.Gone == "" && (len(e.Lines) == 0 || len(e.Lines) > maxFunc+2) {
			t.Errorf("%d lines, from %d to %d", len(e.Lines), from, to)
		}
		marks := 0
		for _, l := range e.Lines {
			for _, sp := range l.Spans {
				if sp.Mark {
					marks++
				}
				if strings.ContainsFunc(sp.Text, hidden) || strings.Contains(sp.Text, "\n") {
					t.Errorf("span %q", sp.Text)
				}
			}
		}
		if e.Gone == "" && col > 0 && marks == 0 {
			t.Errorf("no mark: %s", plainText(e))
		}
		s.similar("usre")
	})
}
