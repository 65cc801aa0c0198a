package build

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"devrun/devserver/internal/fault"
)

var update = flag.Bool("update", false, "build the modules in testdata again and record output and diagnostics")

// A record in testdata is a module that does not build: its files, each after a
// line "-- name --", possibly "flags", then what go build printed, "output", and
// the diagnostics, "want". The module is at recordDir.
const recordDir = "/src/app"

type section struct{ name, text string }

func readRecord(t *testing.T, path string) []section {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var sections []section
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(name, " --\n") {
			sections = append(sections, section{name: strings.TrimSuffix(name, " --\n")})
			continue
		}
		sections[len(sections)-1].text += line
	}
	return sections
}

func get(sections []section, name string) string {
	for _, s := range sections {
		if s.name == name {
			return s.text
		}
	}
	return ""
}

// buildRecord builds a record's module in a new directory and returns what the go
// command printed, as if it had been at recordDir.
func buildRecord(t *testing.T, sections []section) string {
	t.Helper()
	base := t.TempDir()
	dir := filepath.Join(base, "app")
	for _, s := range sections {
		if s.name == "flags" || s.name == "output" || s.name == "want" {
			continue
		}
		path := filepath.Join(dir, filepath.FromSlash(s.name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(s.text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"build", "-o", filepath.Join(base, "out")}
	if flags := strings.TrimSpace(get(sections, "flags")); flags != "" {
		args = append(args, flags)
	}
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PWD="+dir, "GOTOOLCHAIN=local", "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatal("the module builds")
	}
	return strings.ReplaceAll(string(out), base, filepath.Dir(recordDir))
}

// show writes diagnostics for people: position and package, then the message.
func show(list []fault.Diagnostic) string {
	var b strings.Builder
	for _, d := range list {
		fmt.Fprintf(&b, "[%s] %s\n%s\n", d.Package, d.Pos(), d.Message)
	}
	return b.String()
}

// recordDirs places packages as the graph would.
var recordDirs = map[string]string{"example.com/app": recordDir, "example.com/app/sub": recordDir + "/sub"}

func TestParseRecorded(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no records", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			sections := readRecord(t, path)
			if *update {
				output := buildRecord(t, sections)
				sections = withResult(sections, output, show(parse(output, recordDir, recordDirs)))
				writeRecord(t, path, sections)
			}
			output := get(sections, "output")
			if got, want := show(parse(output, recordDir, recordDirs)), get(sections, "want"); got != want || got == "" {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			checkNothingLost(t, output)
		})
	}
}

// TestParseLive builds some of the modules with the go command that is installed,
// whose words may differ but whose positions do not.
func TestParseLive(t *testing.T) {
	for _, name := range []string{"syntax", "types", "two_packages", "missing_imports", "import_cycle", "go_mod", "embed", "outside", "link_no_main", "assembly_below"} {
		t.Run(name, func(t *testing.T) {
			sections := readRecord(t, filepath.Join("testdata", name+".txt"))
			positions := func(output string) string {
				var list []string
				for _, d := range parse(output, recordDir, nil) {
					list = append(list, fmt.Sprintf("[%s] %s\n", d.Package, d.Pos()))
				}
				slices.Sort(list) // packages are compiled side by side
				return strings.Join(list, "")
			}
			output := buildRecord(t, sections)
			if got, want := positions(output), positions(get(sections, "output")); got != want {
				t.Errorf("got\n%s\nwant\n%s\nfrom\n%s", got, want, output)
			}
		})
	}
}

func withResult(sections []section, output, want string) []section {
	var files []section
	for _, s := range sections {
		if s.name != "output" && s.name != "want" {
			files = append(files, s)
		}
	}
	return append(files, section{"output", output}, section{"want", want})
}

func writeRecord(t *testing.T, path string, sections []section) {
	t.Helper()
	var b strings.Builder
	for _, s := range sections {
		fmt.Fprintf(&b, "-- %s --\n%s", s.name, s.text)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
}

// checkNothingLost: each line is left out on purpose or ends in a line of a message.
func checkNothingLost(t *testing.T, output string) {
	t.Helper()
	p := newParser(recordDir, nil)
	p.read(output)
	if strings.TrimSpace(output) != "" && len(p.list) == 0 {
		t.Fatalf("no diagnostic for %q", output)
	}
	ends := map[string]bool{}
	for _, d := range p.list {
		for line := range strings.Lines(d.Message) {
			ends[strings.TrimSpace(line)] = true
		}
	}
	for _, line := range p.left {
		ends[strings.TrimSpace(line)] = true
	}
lines:
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		for i := range line {
			if ends[line[i:]] {
				continue lines
			}
		}
		t.Errorf("lost %q of\n%s", line, output)
	}
}

func FuzzParse(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		_, output, _ := strings.Cut(string(text), "-- output --\n")
		output, _, _ = strings.Cut(output, "-- want --\n")
		f.Add(output)
	}
	f.Add("# a\nx.c: In f:\n\tdeep\nx.go:99999999999999999999:1: y\nx.go:1:2: note: z\n# [c]\nusage: link x\n")
	f.Fuzz(func(t *testing.T, output string) {
		checkNothingLost(t, output)
		for _, d := range parse(output, recordDir, nil) {
			if strings.TrimSpace(d.Message) == "" || (d.File == "") != (d.Rel == "") || d.Line < 0 || d.Col < 0 {
				t.Errorf("%+v from %q", d, output)
			}
		}
	})
}
