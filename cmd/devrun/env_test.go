package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/joho/godotenv"
)

// envDir is a directory with .env files, given as name, text pairs.
func envDir(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		put(t, dir, files[i], files[i+1])
	}
	return dir
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// heard is an Env and what it said.
func heard(dir string, environ ...string) (*Env, *[]string) {
	var notices []string
	return NewEnv(dir, environ, func(s string) { notices = append(notices, s) }), &notices
}

// Of the .env files a later one wins, the environment wins over all of them, and the
// app gets what is left but for devrun's own.
func TestALaterFileWinsAndTheEnvironmentOverAll(t *testing.T) {
	dir := envDir(t,
		".env", "APP_ENV=development\nA=1\nB=1\nC=1\nD=1\nE=1\nF=${E}2\n",
		".env.local", "B=2\nC=2\nD=2\nE=2\n",
		".env.development", "C=3\nD=3\nE=3\n",
		".env.development.local", "D=4\nE=4\n",
		".env.production", "A=no\n",
		".env.production.local", "B=no\n",
	)
	e, _ := heard(dir, "E=5", "EMPTY=", "DEVRUN_GRACE=1s", "DEVRUN_FD=3", "DEVRUN_TAKEOVER=1", "DEVRUN_HOOK_PARK=3", "DEVRUN_REQUIRE_CHROMIUM=1")
	environ, files, err := e.Load()
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"A=1", "APP_ENV=development", "B=2", "C=3", "D=4", "E=5", "EMPTY=", "F=12"}; !slices.Equal(environ, want) {
		t.Errorf("environment %q, want %q", environ, want)
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimPrefix(f, dir+string(filepath.Separator)))
	}
	if want := []string{".env", ".env.local", ".env.development", ".env.development.local"}; !slices.Equal(names, want) {
		t.Errorf("files %q, want %q", names, want)
	}
}

// The mode is that of APP_ENV, else of FLASK_ENV, else production, and the app is
// told.
func TestWhatTheModeIs(t *testing.T) {
	for _, c := range []struct {
		environ []string
		dotenv  string
		want    Mode
	}{
		{nil, "", Production},
		{[]string{"APP_ENV=", "FLASK_ENV="}, "", Production},
		{[]string{"APP_ENV=development"}, "APP_ENV=production", Development},
		{[]string{"FLASK_ENV=development"}, "", Development},
		{[]string{"FLASK_ENV=development"}, "APP_ENV=production", Production},
		{[]string{"APP_ENV=production", "FLASK_ENV=development"}, "", Production},
		{nil, "FLASK_ENV=development", Development},
		{[]string{"APP_ENV="}, "APP_ENV=development", Development},
	} {
		e, _ := heard(envDir(t, ".env", c.dotenv), c.environ...)
		environ, _, err := e.Load()
		if err != nil || e.Mode() != c.want || !slices.Contains(environ, "APP_ENV="+string(c.want)) {
			t.Errorf("%q and %q: %s, %v, the app gets %q; want %s", c.environ, c.dotenv, e.Mode(), err, environ, c.want)
		}
	}
}

// A .env file that changes counts at once for the app; one that is broken, or changes
// the mode, is refused.
func TestLoadAgain(t *testing.T) {
	dir := envDir(t, ".env", "APP_ENV=development\nA=1\nB=1\n")
	e, notices := heard(dir)
	load := func(want string, wantErr string) {
		t.Helper()
		environ, files, err := e.Load()
		if got := strings.Join(environ, " "); got != want || fmt.Sprint(err) != wantErr {
			t.Errorf("environment %q, %v; want %q, %s", got, err, want, wantErr)
		}
		if len(files) != 4 || !strings.HasSuffix(files[3], ".env.development.local") {
			t.Errorf("files to watch: %q", files)
		}
	}
	load("A=1 APP_ENV=development B=1", "<nil>")
	put(t, dir, ".env", "APP_ENV=development\nB=2\n")
	load("APP_ENV=development B=2", "<nil>")
	put(t, dir, ".env", "APP_ENV=development\nB=\"\n")
	load("", ".env line 2: unclosed quote")
	if text, _, _ := e.Lookup("B"); text != "2" {
		t.Errorf("after an error B is %q", text)
	}
	put(t, dir, ".env", "APP_ENV=production\n")
	load("", "APP_ENV was development and is production now")
	put(t, dir, ".env", "APP_ENV=development\nDEVRUN_GRACE=9s\n")
	load("APP_ENV=development", "<nil>")
	load("APP_ENV=development", "<nil>")
	if want := []string{`DEVRUN_GRACE changed to "9s"; restart devrun to use it`}; !slices.Equal(*notices, want) {
		t.Errorf("notices %q, want %q", *notices, want)
	}
}

// A .env file that sets what every program gets, as LD_PRELOAD, is told of once.
func TestVariablesThatReachFurtherAreSaidOnce(t *testing.T) {
	dir := envDir(t, ".env", "PATH=/evil\nLD_PRELOAD=/x.so\nGOFLAGS=-mod=mod\n")
	e, notices := heard(dir, "PATH=/bin")
	for range 2 {
		environ, _, err := e.Load()
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"APP_ENV=production", "GOFLAGS=-mod=mod", "LD_PRELOAD=/x.so", "PATH=/bin"}; !slices.Equal(environ, want) {
			t.Errorf("environment %q, want %q", environ, want)
		}
	}
	want := []string{
		".env line 2 sets LD_PRELOAD, which every program that devrun starts inherits",
		".env line 3 sets GOFLAGS, which every program that devrun starts inherits",
	}
	if !slices.Equal(*notices, want) {
		t.Errorf("notices %q, want %q", *notices, want)
	}
}

// The files a user may come to have, and those an attacker may wish for.
var dotenvs = []struct {
	name, text string
	vars       map[string]string
	err        string // what follows the name of the file
}{
	{name: "usual", text: "A=1\nexport B=two words # comment\n\n# C=no\nD: yaml\nE=\n F = \"a#b\" # c\nG='$A ${B}'\n",
		vars: map[string]string{"A": "1", "B": "two words", "D": "yaml", "E": "", "F": "a#b", "G": "$A ${B}"}},
	{name: "no newline at the end", text: "A=1", vars: map[string]string{"A": "1"}},
	{name: "several lines", text: "A=\"1\n2\"\nB='3\n4'\n", vars: map[string]string{"A": "1\n2", "B": "3\n4"}},
	{name: "BOM and CRLF", text: "\uFEFFA=1\r\nB=\"2\"\r\n", vars: map[string]string{"A": "1", "B": "2"}},
	{name: "no commands", text: "A=$(rm -rf ~)\nB=`id`\nC=\"$(id)\"\n", vars: map[string]string{"A": "$(rm -rf ~)", "B": "`id`", "C": "$(id)"}},
	{name: "a variable refers to one above", text: "A=1\nB=${A}2$A\nC=${D}\nD=4\n", vars: map[string]string{"A": "1", "B": "121", "C": "", "D": "4"}},
	{name: "each refers to the other", text: "A=${B}\nB=${A}\n", vars: map[string]string{"A": "", "B": ""}},
	{name: "doubled sixty times", text: "A=ha\n" + strings.Repeat("A=${A}${A}\n", 60), err: " line 17: the values grow to more than 1 MB"},
	{name: "many of middling size", text: "A=" + strings.Repeat("x", 1000) + "\n" + strings.Repeat("B=$A\n", 2000), err: " line 1047: the values grow to more than 1 MB"},
	{name: "a million lines", text: strings.Repeat("\n", 1<<20), vars: map[string]string{}},
	{name: "too big", text: strings.Repeat("#\n", 1<<19+1), err: ": is longer than 1 MB"},
	{name: "unclosed quote", text: "A=1\n\nB=\"two\nC=3\n", err: " line 3: unclosed quote"},
	{name: "unclosed by a backslash", text: `A="\"` + "\n", err: " line 1: unclosed quote"},
	{name: "after the quote", text: "A='it's'\n", err: " line 1: something follows the closing quote"},
	{name: "NUL", text: "A=1\nB=\"x\n\x00\"\n", err: " line 3: a NUL byte in it"},
	{name: "old Mac", text: "A=1\rB=2\r", err: " line 1: a carriage return without a newline in it"},
	{name: "no =", text: "# x\nA=1\nhello\n", err: " line 3: no = in it"},
	{name: "no name", text: "=1\n", err: " line 1: the text before = is not a variable name"},
	{name: "two names", text: "A B=1\n", err: " line 1: the text before = is not a variable name"},
	{name: "no name after export", text: "export =1\n", err: " line 1: the text before = is not a variable name"},
	{name: "a binary", text: "\x7fELF\x02\x01=\n", err: " line 1: the text before = is not a variable name"},
}

// A .env file gives the values that it has, or a sentence with the line that is
// wrong. The files are those that a user may come to have, and those that an attacker
// may wish for.
func TestDotenvFiles(t *testing.T) {
	for _, c := range dotenvs {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(envDir(t, ".env", c.text), ".env")
			vars, err := readDotenv(path)
			if c.err != "" {
				if err == nil || err.Error() != ".env"+c.err {
					t.Errorf("error %v, want .env%s", err, c.err)
				}
				return
			}
			if err != nil || len(vars) != len(c.vars) {
				t.Fatalf("%v, %v", vars, err)
			}
			for name, want := range c.vars {
				if got := vars[name].text; got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		})
	}
}

// A .env file that is let through is read by godotenv with the same names and within
// the bounds.
func FuzzDotenv(f *testing.F) {
	for _, c := range dotenvs {
		if len(c.text) < 10_000 {
			f.Add(c.text)
		}
	}
	f.Add("export\tA=1\nexport=2\nexport B\n")
	f.Add("A=\u00a0\"x\"\nB=\\\"\nC=\"\\\\\"\n")
	f.Fuzz(func(t *testing.T, src string) {
		src = strings.ReplaceAll(src, "\r\n", "\n")
		found, err := checkDotenv(src)
		if err != nil {
			return
		}
		values, err := godotenv.Unmarshal(src)
		if err != nil {
			t.Fatal(err)
		}
		names, total := map[string]bool{}, 0
		for _, a := range found {
			names[a.name] = true
			if _, ok := values[a.name]; !ok {
				t.Fatalf("%q is not read by godotenv", a.name)
			}
			if row := strings.Split(src, "\n")[a.line-1]; !strings.Contains(row, a.name) {
				t.Fatalf("%q is not on line %d", a.name, a.line)
			}
		}
		for name, v := range values {
			if total += len(v); !names[name] {
				t.Fatalf("%q is read by godotenv alone", name)
			}
		}
		if total > maxDotenv {
			t.Fatalf("%d bytes", total)
		}
	})
}
