package devserver

import (
	"context"
	"go/build"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"devrun/devserver/internal/gocmd"
	"devrun/devserver/internal/gograph"
	"devrun/watcher"
)

// sources are what the app is made of, as the go command said and the files were then.
// They are not changed: newer ones take their place.
type sources struct {
	*gograph.Graph
	rules
	environ Environ           // of the app and of the go command
	shapes  map[string]string // of the Go files, "" for one that may have been saved since
	context build.Context     // that a Go file has to fit
}

// newSources are those that the app has now. The package is found if cfg has none.
func newSources(ctx context.Context, cfg *Config, environ Environ) (*sources, error) {
	asked := time.Now()
	g, err := cfg.graphOf(ctx, environ.Vars)
	if err != nil {
		return nil, err
	}
	return sourcesOf(g, asked, environ, *cfg), nil
}

// sourcesOf are those that g describes, which the go command was asked for at that
// time.
func sourcesOf(g *gograph.Graph, asked time.Time, environ Environ, cfg Config) *sources {
	s := &sources{
		Graph: g, environ: environ, shapes: map[string]string{}, context: build.Default,
		rules: rules{
			packages: map[string]bool{},
			sources:  map[string]bool{},
			embedded: map[string]bool{},
			embedsIn: map[string][]string{},
			modFiles: set(g.ModFiles...),
			envFiles: set(environ.Files...),
		},
	}
	for _, m := range g.Modules {
		s.modules = append(s.modules, m.Dir)
	}
	for _, p := range g.Packages {
		s.packages[p.Dir] = true
		if len(p.EmbedPatterns) > 0 {
			s.embedsIn[p.Dir] = p.EmbedPatterns
		}
		for _, e := range p.Embeds {
			s.embedded[e] = true
		}
		for _, f := range p.Files {
			s.sources[f] = true
			if filepath.Ext(f) == ".go" && !savedSince(f, asked) {
				s.shapes[f] = shape(f)
			}
		}
	}
	c := &s.context
	c.GOOS, c.GOARCH, c.CgoEnabled = g.GOOS, g.GOARCH, true
	c.BuildTags = strings.Split(cfg.Tags, ",")
	if cfg.Race {
		c.BuildTags = append(c.BuildTags, "race")
	}
	for flag := range strings.FieldsSeq(g.GOFLAGS) {
		if _, tags, ok := strings.Cut(flag, "-tags="); ok && cfg.Tags == "" {
			c.BuildTags = append(c.BuildTags, strings.Split(strings.Trim(tags, `'"`), ",")...)
		}
	}
	return s
}

// otherServers are packages that serve HTTP without net/http.
var otherServers = []string{
	"github.com/cloudwego/hertz/pkg/app/server",
	"github.com/lesismal/nbio/nbhttp",
	"github.com/valyala/fasthttp", // also of Fiber
}

func (s *sources) hasOtherServer() bool {
	return slices.ContainsFunc(otherServers, func(path string) bool { return s.Imports[path] })
}

// load asks the go command what the app is made of now.
func (s *sources) load(ctx context.Context, cfg Config) (*sources, error) {
	asked := time.Now()
	g, err := gograph.Load(ctx, cfg.graphOptions(s.environ.Vars))
	if err != nil {
		return nil, err
	}
	g.Packages = withLost(g, s.Graph)
	return sourcesOf(g, asked, s.environ, cfg), nil
}

// withEnviron are the same in another environment.
func (s *sources) withEnviron(e Environ) *sources {
	c := *s
	c.environ, c.envFiles = e, set(e.Files...)
	return &c
}

// withLost are the packages of g and, when g is broken, those of the graph
// before that it has lost: mending the one may well bring back the others, and
// until then a save of theirs is not to be missed.
func withLost(g, before *gograph.Graph) []gograph.Package {
	all := g.Packages
	if !g.Broken() {
		return all
	}
	known := map[string]bool{}
	for _, p := range all {
		known[p.ImportPath] = true
	}
	for _, p := range before.Packages {
		if !known[p.ImportPath] {
			all = append(all, p)
		}
	}
	return all
}

// files are all that the binary is made of.
func (s *sources) files() []string {
	return slices.Concat(keys(s.sources), keys(s.embedded), keys(s.modFiles))
}

// read is what decide has to know of the files of a batch.
func (s *sources) read(b watcher.Batch) []change {
	batch := make([]change, len(b))
	for i, c := range b {
		batch[i] = change{Change: c}
		if filepath.Ext(c.Path) != ".go" || c.Op == watcher.Removed || !s.packages[filepath.Dir(c.Path)] {
			continue
		}
		if s.sources[c.Path] {
			batch[i].reshaped = shape(c.Path) != s.shapes[c.Path]
			continue
		}
		fits, err := s.context.MatchFile(filepath.Split(c.Path))
		batch[i].fits = fits || err != nil // what cannot be read is for the compiler to judge
	}
	return batch
}

// late are changes of sources in directories that were not watched before, made since a
// time: a build may have read the files before, and nobody was told.
func (s *sources) late(before *sources, since time.Time) (b watcher.Batch) {
	for f := range s.sources {
		if !before.packages[filepath.Dir(f)] && !before.sources[f] && savedSince(f, since) {
			b = append(b, watcher.Change{Path: f, Op: watcher.Modified})
		}
	}
	return b
}

// isData reports whether a file is gone or holds what no person writes: databases change
// all the time.
func isData(file string) bool {
	if fi, err := os.Stat(file); err != nil || !fi.Mode().IsRegular() {
		return true
	}
	f, err := os.Open(file)
	if err != nil {
		return true
	}
	defer f.Close()
	begin := make([]byte, 512)
	n, err := f.Read(begin)
	return err != nil && err != io.EOF || slices.Contains(begin[:n], 0)
}

func savedSince(file string, at time.Time) bool {
	fi, err := os.Stat(file)
	return err == nil && fi.ModTime().After(at)
}

// hooks are what the hook's overlay depends on.
func (s *sources) hooks() [6]string {
	return [...]string{s.GOROOT, s.GOMODCACHE, s.MainModule.Path, s.Main.Dir, strconv.FormatBool(s.HasHTTP), s.SysUnix}
}

// shape is the part of a Go file that the go command looks at before it
// compiles: package, imports, constraints and embed patterns. A file that
// does not parse has the shape of its error, so mending it is a change.
func shape(path string) string {
	src, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	file, err := parser.ParseFile(token.NewFileSet(), path, src, parser.ImportsOnly)
	if err != nil {
		return err.Error()
	}
	parts := []string{file.Name.Name}
	for _, i := range file.Imports {
		parts = append(parts, i.Path.Value)
	}
	slices.Sort(parts[1:])
	for line := range strings.Lines(string(src)) {
		for _, directive := range []string{"//go:build", "// +build", "//go:embed"} {
			if strings.HasPrefix(line, directive) {
				parts = append(parts, strings.TrimSpace(line))
			}
		}
	}
	return strings.Join(parts, "\n")
}

// scope is what is watched: everything under the directory that the app
// runs in (templates, assets, packages to be) but for what is ignored, and the
// parts of the app that lie elsewhere or are ignored, as what it opens may be.
func (s *sources) scope(dir string, opened []string) watcher.Scope {
	w := watcher.Scope{Trees: []string{dir}, Exts: append([]string{".go"}, gocmd.SourceExts...)}
	for _, p := range s.Packages {
		w.Dirs = append(w.Dirs, p.Dir)
		w.Files = append(w.Files, p.Embeds...)
		for _, pattern := range p.EmbedPatterns {
			switch root, isDir := embedRoot(p.Dir, pattern); {
			case root == p.Dir: // is watched as a package's; all below it may be much more
			case isDir:
				w.Whole = append(w.Whole, root)
			default:
				w.Files = append(w.Files, root)
			}
		}
	}
	w.Files = slices.Concat(w.Files, s.ModFiles, s.environ.Files, opened)
	return w
}

// embedRoot is what a go:embed pattern of a package in pkg leads to: the lowest directory
// that holds all which it may match, or the file that it names. What is not there yet is
// a directory, as that of a front end that is built later, unless its name has an ending.
func embedRoot(pkg, pattern string) (root string, isDir bool) {
	pattern = strings.TrimPrefix(pattern, "all:")
	if i := strings.IndexAny(pattern, `*?[\`); i >= 0 {
		pattern = pathDir(pattern[:i])
		return filepath.Join(pkg, filepath.FromSlash(pattern)), true
	}
	root = filepath.Join(pkg, filepath.FromSlash(pattern))
	fi, err := os.Stat(root)
	return root, err == nil && fi.IsDir() || err != nil && filepath.Ext(root) == ""
}

func keys(m map[string]bool) []string {
	var s []string
	for k := range m {
		s = append(s, k)
	}
	return s
}
