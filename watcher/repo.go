package watcher

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
)

// repo says where the ignore rules of a tree come from.
type repo struct {
	top     string   // resolved path; rules are matched from here down
	rel     string   // slash path from top to the tree's root
	sources []source // rule files above the tree's root, lowest precedence first
	lock    string   // is there while git changes the files; "" outside any repository
}

type source struct{ base, path string }

// findRepo looks upward from root, a resolved directory, for the repository it
// is part of. Outside any, the tree's own .gitignore files still count.
func findRepo(root string) repo {
	top := root
	for !exists(filepath.Join(top, ".git")) {
		up := filepath.Dir(top)
		if up == top {
			return repo{top: root}
		}
		top = up
	}
	r := repo{top: top}
	work := gitDir(filepath.Join(top, ".git"))
	r.lock = filepath.Join(work, "index.lock")
	git := commonDir(work)
	if global := excludesFile(git); global != "" {
		r.sources = append(r.sources, source{"", global})
	}
	r.sources = append(r.sources, source{"", filepath.Join(git, "info", "exclude")})
	rel, err := filepath.Rel(top, root)
	if err != nil || rel == "." {
		return r
	}
	r.rel = filepath.ToSlash(rel)
	at, base := top, ""
	for element := range strings.SplitSeq(r.rel, "/") {
		r.sources = append(r.sources, source{base, filepath.Join(at, ".gitignore")})
		at, base = filepath.Join(at, element), join(base, element)
	}
	return r
}

// load reads the sources into a chain. When their text is what old was made of,
// it returns old itself, so that a changed pointer means changed rules.
func (r repo) load(old *rules) *rules {
	var chain *rules
	same := true
	olds := old.list()
	for i, src := range r.sources {
		// A file that is missing or cannot be read has no rules.
		text, err := os.ReadFile(src.path)
		if err != nil {
			text = nil
		}
		chain = newRules(chain, src.base, string(text))
		same = same && i < len(olds) && olds[i].base == src.base && olds[i].text == chain.text
	}
	if same && len(olds) == len(r.sources) {
		return old
	}
	return chain
}

// list returns the chain, lowest precedence first.
func (r *rules) list() []*rules {
	if r == nil {
		return nil
	}
	return append(r.parent.list(), r)
}

// gitDir resolves ".git", which in a linked worktree or submodule is a file
// that names the directory.
func gitDir(dot string) string {
	if text, err := os.ReadFile(dot); err == nil {
		dir := strings.TrimSpace(strings.TrimPrefix(string(text), "gitdir:"))
		return absolute(filepath.Dir(dot), dir)
	}
	return dot
}

// commonDir is the directory that holds info/exclude and the configuration, which a
// linked worktree shares with others.
func commonDir(git string) string {
	if text, err := os.ReadFile(filepath.Join(git, "commondir")); err == nil {
		return absolute(git, strings.TrimSpace(string(text)))
	}
	return git
}

// excludesFile finds core.excludesFile: the repository's own setting, else the
// user's, else git's default place. Configuration includes are not followed.
func excludesFile(git string) string {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "" // then only the repository can name one
	}
	config := os.Getenv("XDG_CONFIG_HOME")
	if config == "" && home != "" {
		config = filepath.Join(home, ".config")
	}
	for _, file := range []string{
		filepath.Join(git, "config"), filepath.Join(home, ".gitconfig"), filepath.Join(config, "git", "config"),
	} {
		if value := excludesSetting(file); value != "" && filepath.IsAbs(file) {
			if rest, ok := strings.CutPrefix(value, "~/"); ok {
				return filepath.Join(home, rest)
			}
			return value
		}
	}
	if config == "" {
		return ""
	}
	return filepath.Join(config, "git", "ignore")
}

// excludesSetting reads core.excludesFile from one configuration file; "" when
// it has none.
func excludesSetting(file string) (value string) {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	core := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") {
			core = strings.EqualFold(line, "[core]")
			continue
		}
		key, v, ok := strings.Cut(line, "=")
		if ok && core && strings.EqualFold(strings.TrimSpace(key), "excludesfile") {
			value = strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	return value
}

func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// join is path.Join for two clean slash paths, without its cost.
func join(base, name string) string {
	if base == "" {
		return name
	}
	return base + "/" + name
}
