package build

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestArgs(t *testing.T) {
	own := []string{"example.com/app/...", "example.com/lib/..."}
	for name, test := range map[string]struct {
		request Request
		want    string
	}{
		"optimised": {
			Request{Package: "./cmd/app", Output: "/t/bin", Optimised: true, GOFLAGS: "-x -gcflags=-m", LDFlags: "-X main.v=1", GCFlags: "-B", Tags: "a,b",
				Trimpath: true, Overlay: "/t/o", HookPattern: "h", HookLDFlags: "-checklinkname=0", UserPatterns: own},
			"go|build|-o|/t/bin|-tags=a,b|-trimpath|-gcflags=-B|-ldflags=-X main.v=1|./cmd/app",
		},
		"plain": {
			Request{Package: ".", Output: "/t/bin"},
			"go|build|-o|/t/bin|-buildvcs=false|-ldflags=-s=1 -w=1 -compressdwarf=false|.",
		},
		"all": {
			Request{Package: ".", Output: "/t/bin", Race: true, Trimpath: true, Tags: "a", Overlay: "/t/o", UserPatterns: own,
				HookPattern: "example.com/app/hook", HookLDFlags: "-checklinkname=0", GCFlags: "-m", LDFlags: "-s -X 'main.v=1 2'"},
			"go|build|-o|/t/bin|-buildvcs=false|-tags=a|-race|-trimpath|-overlay=/t/o|" +
				"-gcflags=example.com/app/...=-N -l|-gcflags=example.com/lib/...=-N -l|-gcflags=-N -l -m|-gcflags=example.com/app/hook/...=-d=checkptr=0|" +
				"-ldflags=-s=1 -w=1 -compressdwarf=false -checklinkname=0|-ldflags=-s=1 -w=1 -compressdwarf=false -checklinkname=0 -s -X 'main.v=1 2'|.",
		},
		"GOFLAGS": {
			Request{Package: ".", Output: "/t/bin", GOFLAGS: `-mod=vendor '-ldflags=-X "main.v=1 2"' --v -json=true -n=false`, LDFlags: "-s"},
			`go|build|-o|/t/bin|-buildvcs=false|-v=false|-json=false|-n=false|-ldflags=-s=1 -w=1 -compressdwarf=false|-ldflags=-s=1 -w=1 -compressdwarf=false -X "main.v=1 2"|-ldflags=-s=1 -w=1 -compressdwarf=false -s|.`,
		},
		"debugger": {
			Request{Package: ".", Output: "/t/bin", Debugger: true, LDFlags: "example.com/...=-s", HookLDFlags: "-checklinkname=0"},
			"go|build|-o|/t/bin|-buildvcs=false|-ldflags=-s=0 -w=0 -compressdwarf=false -checklinkname=0|" +
				"-ldflags=example.com/...=-s=0 -w=0 -compressdwarf=false -checklinkname=0 -s|.",
		},
		"debug information wanted": {
			Request{Package: ".", Output: "/t/bin", LDFlags: "-w=0"},
			"go|build|-o|/t/bin|-buildvcs=false|-ldflags=-s=1 -w=1 -compressdwarf=false|-ldflags=-w=1 -compressdwarf=false -w=0|.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(Args(test.request), "|"); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestGCFlags(t *testing.T) {
	own := []string{"example.com/app/...", "example.com/lib/..."}
	const ours = "example.com/app/...=-N -l|example.com/lib/...=-N -l|"
	for value, want := range map[string]string{
		"-m":                             "-N -l -m",
		" -l -m":                         "-N -l -m",
		"-l=4":                           "-N -l=4",
		"--N -l":                         "--N -l",
		"-m '-l'":                        "-N -m '-l'",
		"example.com/app/...=":           "example.com/app/...=|example.com/app/...=-N -l",
		"example.com/app=-m":             "example.com/app=-N -l -m",
		"example.com/app/x/...=-m":       "example.com/app/x/...=-N -l -m",
		"./...=-m":                       "./...=-N -l -m",
		"all=-m":                         "all=-m|example.com/app/...=-N -l -m|example.com/lib/...=-N -l -m",
		"...=-m":                         "...=-m|example.com/app/...=-N -l -m|example.com/lib/...=-N -l -m",
		"example.com/...=-m":             "example.com/...=-m|example.com/app/...=-N -l -m|example.com/lib/...=-N -l -m",
		"example.com/ap...=-m":           "example.com/ap...=-m|example.com/app/...=-N -l -m",
		"example.com/application/...=-m": "example.com/application/...=-m",
		"std=-m":                         "std=-m",
		"net/http=-m":                    "net/http=-m",
		".../store=-m":                   ".../store=-N -l -m",
		"example.com/app/.../x=-m":       "example.com/app/.../x=-N -l -m",
		"nonsense":                       "nonsense",
		"=x":                             "=x",
		"'a=b'":                          "'a=b'",
	} {
		got := strings.Join(gcflags(Request{UserPatterns: own, GCFlags: value}), "|")
		want = strings.ReplaceAll(ours+want, "-N -l -l", "-N -l")
		if got != want {
			t.Errorf("%q:\n got %s\nwant %s", value, got, want)
		}
	}
}

// TestFlagsAsTheGoCommandTakesThem looks at the compile and link commands that
// the go command would run.
func TestFlagsAsTheGoCommandTakesThem(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"go.mod":         "module example.com/app\n\ngo 1.25\n",
		"main.go":        "package main\n\nimport _ \"example.com/app/sub\"\nimport _ \"example.com/app/hook\"\n\nfunc main() {}\n",
		"sub/s.go":       "package sub\n\nimport _ \"example.com/app/sub/third\"\n",
		"sub/third/t.go": "package third\n",
		"hook/h.go":      "package hook\n",
	})
	for name, test := range map[string]struct {
		r                Request
		main, sub, third string
		link             string
	}{
		"none":            {main: "-N -l", sub: "-N -l", third: "-N -l"},
		"main's":          {r: Request{GCFlags: "-m"}, main: "-N -l -m", sub: "-N -l", third: "-N -l"},
		"GOFLAGS":         {r: Request{GOFLAGS: "-gcflags=-m -ldflags=-s"}, main: "-N -l -m", sub: "-N -l", third: "-N -l", link: "-s=1 -w=1 -compressdwarf=false -checklinkname=0 -s"},
		"line over both":  {r: Request{GOFLAGS: "-gcflags=-m -ldflags=-s", GCFlags: "-B", LDFlags: "-X=main.a=1"}, main: "-N -l -B", sub: "-N -l", third: "-N -l", link: "-s=1 -w=1 -compressdwarf=false -checklinkname=0 -X=main.a=1"},
		"all then one":    {r: Request{GOFLAGS: "-gcflags=all=-B", GCFlags: "example.com/app/sub=-m"}, main: "-N -l -B", sub: "-N -l -m", third: "-N -l -B"},
		"one then all":    {r: Request{GOFLAGS: "-gcflags=example.com/app/sub=-m", GCFlags: "all=-B"}, main: "-N -l -B", sub: "-N -l -B", third: "-N -l -B"},
		"directories":     {r: Request{GCFlags: "./sub/...=-B"}, main: "-N -l", sub: "-N -l -B", third: "-N -l -B"},
		"no inlining":     {r: Request{GCFlags: "-l"}, main: "-N -l", sub: "-N -l", third: "-N -l"},
		"link by pattern": {r: Request{LDFlags: "example.com/...='-X=main.a=1 2'"}, main: "-N -l", sub: "-N -l", third: "-N -l", link: `-s=1 -w=1 -compressdwarf=false -checklinkname=0 "-X=main.a=1 2"`},
	} {
		t.Run(name, func(t *testing.T) {
			r := test.r
			r.Output, r.Package = filepath.Join(t.TempDir(), "bin"), "."
			r.UserPatterns, r.HookPattern, r.HookLDFlags = []string{"example.com/app/..."}, "example.com/app/hook", "-checklinkname=0"
			args := slices.Insert(Args(r), 2, "-n")
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS="+r.GOFLAGS, "PWD="+dir)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for pkg, want := range map[string]string{
				"main": test.main, "example.com/app/sub": test.sub, "example.com/app/sub/third": test.third, "example.com/app/hook": "-d=checkptr=0",
			} {
				line := lineWith(t, string(out), "/compile -o ", " -p "+pkg+" ")
				_, flags, _ := strings.Cut(line, " -goversion ")
				_, flags, _ = strings.Cut(flags, " ")
				flags, _, _ = strings.Cut(flags, " -nolocalimports")
				if strings.HasPrefix(flags, "-c=") {
					_, flags, _ = strings.Cut(flags, " ")
				}
				if flags != want {
					t.Errorf("%s compiled with %q, want %q", pkg, flags, want)
				}
			}
			want := cmp.Or(test.link, "-s=1 -w=1 -compressdwarf=false -checklinkname=0")
			if link := lineWith(t, string(out), "/link -o "); !strings.Contains(link, " "+want+" -extld") {
				t.Errorf("linked with %q, want %q", link, want)
			}
		})
	}
}

func lineWith(t *testing.T, text string, parts ...string) string {
	t.Helper()
lines:
	for line := range strings.Lines(text) {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				continue lines
			}
		}
		return line
	}
	t.Fatalf("no line with %q in\n%s", parts, text)
	return ""
}

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
