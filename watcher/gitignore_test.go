package watcher

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"devrun/devserver/suite"
)

// TestIgnoreAgreesWithGit: what is ignored is what git ignores. git is asked about
// every path of generated repositories whose every directory may have generated
// rules.
func TestIgnoreAgreesWithGit(t *testing.T) {
	if decisions, ignored := agreesWithGit(t, 1); ignored < decisions/20 || ignored > decisions*19/20 {
		t.Errorf("%d decisions of which %d ignored prove little", decisions, ignored)
	}
}

func TestLongIgnoreAgreesWithGit(t *testing.T) { suite.Long(t); agreesWithGit(t, suite.Seed(t)) }

func agreesWithGit(t *testing.T, seed uint64) (decisions, ignored int) {
	git := needGit(t)
	r := rand.New(rand.NewPCG(seed, 0))
	for round := 0; round < 8 || decisions < 3000; round++ {
		top := t.TempDir()
		run(t, top, git, "init", "-q", "--template=")
		empty := filepath.Join(t.TempDir(), "empty")
		write(t, empty, "")
		var paths []string
		dirs := map[string]bool{}
		var grow func(dir string, depth int)
		grow = func(dir string, depth int) {
			if r.IntN(3) == 0 || depth == 0 {
				write(t, filepath.Join(top, dir, ".gitignore"), ignoreText(r))
				paths = append(paths, join(dir, ".gitignore"))
			}
			seen := map[string]bool{}
			for range 4 + r.IntN(5) {
				name := pathName(r)
				if seen[name] {
					continue
				}
				seen[name] = true
				path := join(dir, name)
				paths = append(paths, path)
				if depth < 4 && r.IntN(2) == 0 {
					dirs[path] = true
					mkdir(t, filepath.Join(top, path))
					grow(path, depth+1)
				} else {
					must(t, os.Link(empty, filepath.Join(top, path))) // cheaper than a new file
				}
			}
		}
		grow("", 0)
		write(t, filepath.Join(top, ".git", "info", "exclude"), ignoreText(r))

		cmd := exec.Command(git, "-c", "core.excludesFile=", "check-ignore", "--no-index", "--stdin", "-z")
		cmd.Dir = top
		cmd.Stdin = strings.NewReader(strings.Join(paths, "\x00") + "\x00")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil && cmd.ProcessState.ExitCode() != 1 { // 1: nothing is ignored
			t.Fatalf("git check-ignore: %v\n%s", err, &stderr)
		}
		want := map[string]bool{}
		for path := range strings.SplitSeq(string(out), "\x00") {
			want[path] = true
		}
		o := oracle{top: top, base: newRules(nil, "", read(t, filepath.Join(top, ".git", "info", "exclude"))), cache: map[string]*rules{}}
		for _, path := range paths {
			decisions++
			if want[path] {
				ignored++
			}
			if got := o.ignored(t, path, dirs[path]); got != want[path] {
				t.Fatalf("%q (directory: %v): ignored %v, git says %v\n%s", path, dirs[path], got, want[path], o.describe(t, path))
			}
		}
	}
	t.Logf("%d decisions, %d ignored", decisions, ignored)
	return decisions, ignored
}

// oracle walks down to a path as a scan does: nothing below an ignored directory
// is asked for, nor are its rules read.
type oracle struct {
	top   string
	base  *rules
	cache map[string]*rules
}

func (o oracle) rules(t *testing.T, dir string) *rules {
	if r, ok := o.cache[dir]; ok {
		return r
	}
	r := o.base
	if dir != "" {
		up, _, _ := cutLast(dir)
		r = o.rules(t, up)
	}
	if file := filepath.Join(o.top, dir, ".gitignore"); exists(file) {
		r = newRules(r, dir, read(t, file))
	}
	o.cache[dir] = r
	return r
}

func (o oracle) ignored(t *testing.T, path string, dir bool) bool {
	up, _, nested := cutLast(path)
	if nested && o.ignored(t, up, true) {
		return true
	}
	return o.rules(t, up).ignored(path, dir)
}

func (o oracle) describe(t *testing.T, path string) string {
	up, _, _ := cutLast(path)
	var s strings.Builder
	for _, r := range o.rules(t, up).list() {
		fmt.Fprintf(&s, "%q: %q\n", r.base, r.text)
	}
	return s.String()
}

func cutLast(path string) (dir, name string, nested bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}

// pathName makes names from few letters, so that patterns meet them often, and
// from characters that patterns treat in their own way.
func pathName(r *rand.Rand) string {
	if r.IntN(3) == 0 {
		return []string{"foo", "bar", "foo.go", "a", "b", "a.go", "ab", "abc", "x y", "#a", "!a", "a ", "a]", "[a", "a-b", "é", "A", "1", `a\b`, "a*"}[r.IntN(20)]
	}
	return letters(r, "abc.A1-", 1+r.IntN(3), "a")
}

func letters(r *rand.Rand, from string, n int, first string) string {
	s := first
	for range n {
		s += string(from[r.IntN(len(from))])
	}
	return s
}

func ignoreText(r *rand.Rand) string {
	var s strings.Builder
	if r.IntN(20) == 0 {
		s.WriteString("\ufeff")
	}
	for range 1 + r.IntN(8) {
		s.WriteString(ignoreLine(r))
		s.WriteString([]string{"\n", "\n", "\n", "\r\n"}[r.IntN(4)])
	}
	if r.IntN(4) == 0 {
		s.WriteString(ignoreLine(r)) // no newline at the end
	}
	return s.String()
}

func ignoreLine(r *rand.Rand) string {
	if r.IntN(6) == 0 {
		return []string{
			"", "#a", `\#a`, `\!a`, "/", "//", "!", "!/", "a ", `a\ `, `a\  `, "**", "**/", "/**", "**/a", "a/**", "a/**/b", "*", "/*", "!*/",
			"a**", "a**/b", "**a", "***", "a/***/b", "[", "[a", "[]", "[]a]", "[!a]*", "[^a]*", "a[b-", "a[[:alpha:]]", "a[[:digit:]-]", "a[[:nope:]]",
			"a[[:alpha]b", `a\`, `a\/`, "?", "a?", "*.go", "!*.go", "a/", "/a/", "!a", "foo/bar", "/foo", "foo/*", "a[a-c]", `a[\]]`, `[\[]a`, "\ta", "a\t", "*/a", "*/*/a", "a*a*a*b",
			"a[/]b", "**/**", "a/**/", "x y", "a//b", "./a", "a/../b", "a[!/]*", `a\*`, "[A-Z]", "[z-a]", "[--a]", "[a-]", `**\/a`, "a/b/**/c",
		}[r.IntN(70)]
	}
	var s strings.Builder
	if r.IntN(4) == 0 {
		s.WriteByte('!')
	}
	if r.IntN(5) == 0 {
		s.WriteByte('/')
	}
	for range 1 + r.IntN(4) {
		s.WriteString([]string{
			"a", "b", "a", "ab", "foo", "bar", "*", "**", "?", "[ab]", "[a-c]", "[!a]", "[^1]", "[[:upper:]]", "[]]", "[[:alnum:]-]", `\a`, `\*`, "/", "/", ".", "-", ".go", "**/", "/**", "A",
		}[r.IntN(26)])
	}
	if r.IntN(4) == 0 {
		s.WriteByte('/')
	}
	if r.IntN(12) == 0 {
		s.WriteByte(' ')
	}
	return s.String()
}

// No pattern takes long to match.
func TestManyStarsTakeNoTime(t *testing.T) {
	r := newRules(nil, "", strings.Repeat("a*", 30)+"b\n"+strings.Repeat("**/a*", 12)+"c")
	began := time.Now()
	if r.ignored(strings.Repeat("a", 250), false) || r.ignored(strings.Repeat("a/", 100)+"a", false) {
		t.Error("matched a name without the last letter")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

// What editors write beside a file, and directories that no app is in, are ignored
// without a rule.
func TestBuiltinNames(t *testing.T) {
	for name, want := range map[string]bool{
		".git": true, "node_modules": true, ".idea": true, ".DS_Store": true, "4913": true, ".main.go.swp": true, "main.go~": true,
		".#main.go": true, "#main.go#": true, "main.go___jb_tmp___": true, ".goutputstream-ABC": true, "sedXy12Zq": true, "main.go.123456": true,
		"vendor": false, "testdata": false, "main.go": false, ".gitignore": false, ".env": false, "sediments": false, "#": false, "4914": false, "v1.go.tmpl": false, "": false,
	} {
		if got := builtin(name); got != want {
			t.Errorf("%q: ignored %v, want %v", name, got, want)
		}
	}
}

// The rules of the directories above, of the user and of .git/info count, too.
func TestRulesComeFromTheWholeRepository(t *testing.T) {
	git := needGit(t)
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", "")
	top := filepath.Join(resolve(t.TempDir()), "top")
	mkdir(t, top)
	run(t, top, git, "init", "-q")
	write(t, filepath.Join(home, ".gitconfig"), "[user]\n\tname = x\n[core]\n\texcludesFile = ~/global\n")
	write(t, filepath.Join(home, "global"), "*.global\n")
	write(t, filepath.Join(top, ".git/info/exclude"), "*.exclude\n")
	write(t, filepath.Join(top, ".gitignore"), "*.top\n!kept.exclude\n/sub/app/anchored\n")
	write(t, filepath.Join(top, "sub/.gitignore"), "*.sub\n")
	mkdir(t, filepath.Join(top, "sub/app"))

	repo := findRepo(filepath.Join(top, "sub/app"))
	rules := repo.load(nil)
	for name, want := range map[string]bool{
		"a.global": true, "a.exclude": true, "kept.exclude": false, "a.top": true, "anchored": true, "a.sub": true, "a.go": false,
	} {
		if got := rules.ignored(repo.rel+"/"+name, false); got != want {
			t.Errorf("%s: ignored %v, want %v", name, got, want)
		}
	}
	if repo.load(rules) != rules {
		t.Error("rules whose text did not change are other rules")
	}
	write(t, filepath.Join(top, "sub/.gitignore"), "*.other\n")
	if repo.load(rules) == rules {
		t.Error("rules whose text changed are the same rules")
	}

	// A linked worktree has its own .git file and the exclude file of the first.
	run(t, top, git, "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-q", "--allow-empty", "-m", "x")
	linked := filepath.Join(filepath.Dir(top), "linked")
	run(t, top, git, "worktree", "add", "-q", linked)
	if repo := findRepo(linked); !repo.load(nil).ignored("a.exclude", false) {
		t.Errorf("a linked worktree does not see info/exclude: %v", repo.sources)
	}
}
