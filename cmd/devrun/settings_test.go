package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// A flag wins over the environment, the environment over .env files, and those over
// the default.
func TestPrecedence(t *testing.T) {
	for _, c := range []struct {
		name    string
		args    []string
		environ []string
		dotenv  string
		local   string
		want    time.Duration
	}{
		{"default", nil, nil, "", "", 3 * time.Second},
		{"file", nil, nil, "DEVRUN_GRACE=4s", "", 4 * time.Second},
		{"later file", nil, nil, "DEVRUN_GRACE=4s", "DEVRUN_GRACE=5s", 5 * time.Second},
		{"environment", nil, []string{"DEVRUN_GRACE=6s"}, "DEVRUN_GRACE=4s", "DEVRUN_GRACE=5s", 6 * time.Second},
		{"empty variable", nil, []string{"DEVRUN_GRACE="}, "DEVRUN_GRACE=4s", "", 4 * time.Second},
		{"flag", []string{"--grace", "7s"}, []string{"DEVRUN_GRACE=6s"}, "DEVRUN_GRACE=4s", "DEVRUN_GRACE=5s", 7 * time.Second},
		{"flag of no time", []string{"--grace=0"}, []string{"DEVRUN_GRACE=6s"}, "", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := envDir(t, ".env", c.dotenv, ".env.local", c.local)
			inv, err := parse(append(c.args, "-C", dir), c.environ, nil)
			if err != nil || inv.Settings.Grace != c.want {
				t.Errorf("grace %v, %v; want %v", inv.Settings.Grace, err, c.want)
			}
		})
	}
}

// Each setting reaches its field from its flag, from its variable and from a
// file, and not by default.
func TestEverySettingFromEverySource(t *testing.T) {
	field := map[string]func(Settings) any{
		"DEVRUN_ADDR":    func(s Settings) any { return s.Addr },
		"DEVRUN_HOST":    func(s Settings) any { return s.Host },
		"DEVRUN_GRACE":   func(s Settings) any { return s.Grace },
		"DEVRUN_POLL":    func(s Settings) any { return s.Poll },
		"DEVRUN_TAGS":    func(s Settings) any { return s.Tags },
		"DEVRUN_LDFLAGS": func(s Settings) any { return s.LDFlags },
		"DEVRUN_GCFLAGS": func(s Settings) any { return s.GCFlags },
		"DEVRUN_RACE":    func(s Settings) any { return s.Race },
		"DEVRUN_SMTP":    func(s Settings) any { return s.SMTP },
		"DEVRUN_CONSOLE": func(s Settings) any { return s.Console },
		"DEVRUN_PARK":    func(s Settings) any { return s.Park },
		"DEVRUN_PAGES":   func(s Settings) any { return s.Pages },
		"DEVRUN_EDITOR":  func(s Settings) any { return s.Editor },
		"DEVRUN_FORCE":   func(s Settings) any { return s.Force },
		"DEVRUN_VERBOSE": func(s Settings) any { return s.Verbose },
		"NO_COLOR":       func(s Settings) any { return s.NoColor },
		"APP_ENV":        func(s Settings) any { return s.Mode },
	}
	values := map[string]string{
		"DEVRUN_ADDR": ":8081", "DEVRUN_HOST": "0.0.0.0", "DEVRUN_GRACE": "9s", "DEVRUN_POLL": "1m", "DEVRUN_EDITOR": "goland", "APP_ENV": "development",
		"DEVRUN_TAGS": "a,b", "DEVRUN_LDFLAGS": "-X main.v=1", "DEVRUN_GCFLAGS": "-N",
		"DEVRUN_CONSOLE": "off", "DEVRUN_PARK": "3", "DEVRUN_PAGES": "off",
	}
	for _, row := range settings {
		if row.flag == "dir" {
			continue
		}
		value := values[row.env]
		if value == "" {
			value = "true"
		}
		read := func(dotenv string, environ, args []string) any {
			t.Helper()
			inv, err := parse(append(args, "-C", envDir(t, ".env", dotenv)), environ, nil)
			if err != nil {
				t.Errorf("%s: %v", row.env, err)
			}
			return field[row.env](inv.Settings)
		}
		unset, want := read("", nil, nil), read("", []string{row.env + "=" + value}, nil)
		if unset == want {
			t.Errorf("%s=%s changes nothing: %v", row.env, value, want)
		}
		if got := read(row.env+"='"+value+"'", nil, nil); got != want {
			t.Errorf("%s from a file is %v, want %v", row.env, got, want)
		}
		if row.flag != "" {
			if got := read("", nil, []string{"--" + row.flag + "=" + value}); got != want {
				t.Errorf("--%s is %v, want %v", row.flag, got, want)
			}
		}
	}
}

// What parks requests was named hold before: the old names count, in no help, and the
// new ones win over them where both are set in the same place.
func TestTheOldNamesOfPark(t *testing.T) {
	for _, c := range []struct {
		args    []string
		environ string
		dotenv  string
		want    int
	}{
		{nil, "", "", 10},
		{nil, "", "DEVRUN_HOLD=3", 3},
		{nil, "", "DEVRUN_HOLD=3\nDEVRUN_PARK=4", 4},
		{nil, "DEVRUN_HOLD=5", "DEVRUN_PARK=4", 5},
		{[]string{"--hold", "6"}, "DEVRUN_PARK=5", "", 6},
		{[]string{"--park=7", "--hold=6"}, "", "", 7},
	} {
		inv, err := parse(append(c.args, "-C", envDir(t, ".env", c.dotenv)), []string{c.environ}, nil)
		if err != nil || inv.Settings.Park.Requests != c.want {
			t.Errorf("%q, %q and %q: %d, %v; want %d", c.args, c.environ, c.dotenv, inv.Settings.Park.Requests, err, c.want)
		}
	}
	_, err := parse([]string{"--hold", "x", "-C", t.TempDir()}, nil, nil)
	if want := `--hold is "x"; it must be a number from 0 to 1000, optionally followed by ,5xx`; fmt.Sprint(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
	var help bytes.Buffer
	if _, err := parse([]string{"--help"}, nil, &help); err != nil || strings.Contains(strings.ToLower(help.String()), "hold") {
		t.Errorf("the help names them: %v\n%s", err, help.String())
	}
}

// NO_COLOR counts whatever its value is, unless that is empty.
func TestNoColorCountsWhateverItsValueIs(t *testing.T) {
	for _, c := range []struct {
		args    []string
		environ string
		want    bool
	}{
		{nil, "NO_COLOR=", false}, {nil, "NO_COLOR=0", true}, {nil, "NO_COLOR=yes", true},
		{[]string{"--no-color=false"}, "NO_COLOR=1", false}, {[]string{"--no-color"}, "", true},
	} {
		inv, err := parse(append(c.args, "-C", t.TempDir()), []string{c.environ}, nil)
		if err != nil || inv.Settings.NoColor != c.want {
			t.Errorf("%q and %q: %v, %v", c.args, c.environ, inv.Settings.NoColor, err)
		}
	}
}

// An error in one setting is printed without colour if another asks for that.
func TestSettingsNextToAnError(t *testing.T) {
	for _, args := range [][]string{{"--no-color", "--grace", "x"}, {"--no-color", "-C", "/nowhere"}, {"--no-color", "a", "b"}} {
		inv, err := parse(args, nil, nil)
		if err == nil || exitStatus(err) != exitUsage || !inv.Settings.NoColor {
			t.Errorf("%q: %v, no colour is %v", args, err, inv.Settings.NoColor)
		}
	}
}

// What stands before -- is devrun's, and what stands behind it is the app's.
func TestArguments(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		pkg  string
		app  []string
	}{
		{nil, "", nil},
		{[]string{"./cmd/app"}, "./cmd/app", nil},
		{[]string{"./cmd/app", "--race"}, "./cmd/app", nil},
		{[]string{"--"}, "", nil},
		{[]string{"--", "-C", "--help", "--", ""}, "", []string{"-C", "--help", "--", ""}},
		{[]string{"./cmd/app", "--", "serve"}, "./cmd/app", []string{"serve"}},
		{[]string{"--tags", "--", "--", "x"}, "", []string{"x"}},
	} {
		inv, err := parse(append([]string{"-C", dir}, c.args...), nil, nil)
		if err != nil || inv.Settings.Package != c.pkg || !slices.Equal(inv.Settings.Args, c.app) || inv.Settings.Dir != dir {
			t.Errorf("%q: %+v, %v", c.args, inv.Settings, err)
		}
	}
}

// Production that nobody chose is told of.
func TestProductionThatNobodyChoseIsSaid(t *testing.T) {
	const line = "APP_ENV is not set, running in production; APP_ENV=development watches and reloads"
	for environ, want := range map[string]bool{"": true, "APP_ENV=": true, "APP_ENV=production": false, "FLASK_ENV=production": false, "APP_ENV=development": false} {
		inv, err := parse([]string{"-C", t.TempDir()}, []string{environ}, nil)
		if err != nil || slices.Contains(inv.Notices, line) != want {
			t.Errorf("%q: %q, %v", environ, inv.Notices, err)
		}
	}
}

// Development is refused where a variable of a platform is set, unless it is forced.
func TestLooksDeployed(t *testing.T) {
	for _, s := range deployedSigns {
		environ := []string{"APP_ENV=development", s.env + "=x"}
		if _, err := parse([]string{"-C", t.TempDir()}, environ, nil); err == nil || exitStatus(err) != exitUsage {
			t.Errorf("%s: %v", s.env, err)
		}
		for _, allowed := range [][]string{append(environ, "DEVRUN_FORCE=1"), {"APP_ENV=production", s.env + "=x"}, {"APP_ENV=development", "CI=true"}} {
			if _, err := parse([]string{"-C", t.TempDir()}, allowed, nil); err != nil {
				t.Errorf("%q: %v", allowed, err)
			}
		}
		if _, err := parse([]string{"-C", t.TempDir(), "--force"}, environ, nil); err != nil {
			t.Errorf("%s with --force: %v", s.env, err)
		}
	}
}

// An editor is one that is known, or an address with the file in it that runs no
// script.
func TestEditors(t *testing.T) {
	for v, want := range map[string]string{
		"goland":                        editors["goland"],
		"zed://file/{file}:{line}":      "zed://file/{file}:{line}",
		"emacs":                         "",
		"javascript:alert(1)":           "",
		"javascript://x/{file}":         "",
		"vscode://file/":                "",
		"data:text/html,{file}":         "",
		"file://{file}":                 "",
		"vscode://vscode-remote/{file}": "vscode://vscode-remote/{file}",
	} {
		var s Settings
		if err := setEditor(&s, v); s.Editor != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", v, s.Editor, err)
		}
	}
}

// The editor that is set is the one that links open.
func TestLinkTemplate(t *testing.T) {
	for v, want := range map[string]string{
		"vscode":                        "vscode://file{file}:{line}:{col}",
		"sublime":                       "subl://open?url=file://{file}&line={line}&column={col}",
		"vscode://vscode-remote/{file}": "vscode://vscode-remote{file}",
	} {
		inv, err := parse([]string{"-C", t.TempDir(), "--editor", v}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := inv.config().Editor; got != want {
			t.Errorf("%s: %s, want %s", v, got, want)
		}
	}
}

// A mistyped variable or flag is answered with the one that is nearest.
func TestNearest(t *testing.T) {
	names := []string{"DEVRUN_ADDR", "DEVRUN_HOST", "DEVRUN_GRACE", "DEVRUN_TAGS"}
	for name, want := range map[string]string{"DEVRUN_GRASE": "DEVRUN_GRACE", "DEVRUN_ADR": "DEVRUN_ADDR", "DEVRUN_TAG": "DEVRUN_TAGS", "DEVRUN_HOTS": "DEVRUN_HOST"} {
		if got := nearest(name, names); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// documented compares a file, or the part of it between two lines, with what is
// made of the source.
func documented(t *testing.T, path, from, to, want string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !(*update && os.IsNotExist(err) && from == "") {
		t.Fatal(err)
	}
	before, got, after := "", string(b), ""
	if from != "" {
		var ok bool
		if before, got, ok = strings.Cut(got, from); !ok {
			t.Fatalf("%s has no line %s", path, from)
		}
		if got, after, ok = strings.Cut(got, to); !ok {
			t.Fatalf("%s has no line %s", path, to)
		}
	}
	if got == want {
		return
	}
	if !*update {
		was, is := strings.Split(got, "\n"), strings.Split(want, "\n")
		n := 0
		for n < len(was)-1 && n < len(is)-1 && was[n] == is[n] {
			n++
		}
		t.Fatalf("%s does not say what the source says; go test ./cmd/devrun -run '%s$' -update writes it anew; where it differs it says\n%s\nand should say\n%s", path, t.Name(), was[n], is[n])
	}
	if err := os.WriteFile(path, []byte(before+from+want+to+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The help says what the settings are.
func TestHelp(t *testing.T) {
	var b bytes.Buffer
	inv, err := parse([]string{"--help"}, nil, &b)
	if err != nil || !inv.Done {
		t.Fatalf("%+v, %v", inv, err)
	}
	documented(t, "testdata/golden/help.txt", "", "", b.String())
}

// README.md says what the settings are.
func TestReadmeSettings(t *testing.T) {
	table := "\n| variable | flag | default | meaning |\n|---|---|---|---|\n"
	code := func(s string) string {
		if s == "" {
			return ""
		}
		return "`" + s + "`"
	}
	for _, row := range settings {
		flag := ""
		if row.flag != "" {
			flag = strings.TrimSpace("--" + row.flag + " " + row.arg)
		}
		if row.short != "" {
			flag = "-" + row.short + ", " + flag
		}
		table += fmt.Sprintf("| %s | %s | %s | %s |\n", code(row.env), code(flag), code(row.value), row.means)
	}
	documented(t, "../../README.md", "<!-- settings -->", "<!-- /settings -->", table)
}

// .env.example says what the settings are, and is a file that devrun reads.
func TestEnvExample(t *testing.T) {
	text := `# Settings of devrun and variables of the app. Copy this file to .env and take
# the # away from what you set. A flag wins over the environment, the environment
# over these files, and of .env, .env.local, .env.$APP_ENV and
# .env.$APP_ENV.local a later one over an earlier one. The app gets the variables
# of these files, too, but for those that begin with DEVRUN_.
`
	for _, row := range settings {
		if row.env == "" {
			continue
		}
		flag := ""
		if row.flag != "" {
			flag = " (--" + row.flag + ")"
		}
		text += fmt.Sprintf("\n# %s%s\n#%s=%s\n", row.means, flag, row.env, row.value)
	}
	documented(t, "../../.env.example", "", "", text)

	// With the # of every variable taken away it is a file that devrun reads, and says what is
	// so without it.
	var lines []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "# ") {
			lines = append(lines, line[1:])
		}
	}
	dir := envDir(t, ".env", strings.Join(lines, ""))
	inv, err := parse([]string{"-C", dir}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := parse([]string{"-C", t.TempDir()}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	bare.Settings.Dir = dir
	if got, want := fmt.Sprint(inv.Settings), fmt.Sprint(bare.Settings); got != want || len(lines) != len(settings)-1 {
		t.Errorf("%d lines give %s, want %s", len(lines), got, want)
	}
}
