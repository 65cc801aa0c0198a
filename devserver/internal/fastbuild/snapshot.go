package fastbuild

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"devrun/devserver/internal/build"
	"devrun/devserver/internal/gocmd"
	"devrun/devserver/internal/stamp"
)

// snapshot is what the files of an app are at one time, with their contents: what is
// saved later has no part in what is made of it.
type snapshot struct {
	fixed    map[string]string // state of each of the recipe's fixed files
	overlay  map[string]string // path in the build -> file to read instead
	packages []packageSnapshot // in the order of the recipe's
}

type packageSnapshot struct {
	files    []file // all of source in its directory, sorted
	embeds   []file // what go:embed puts in, sorted
	embedded map[string][]string
	shape    string
}

type file struct {
	name string      // slashed, in the package's directory
	path string      // where to read it
	at   stamp.Stamp // what is written twice may have its content again
	old  bool        // when it was looked at: a later write cannot leave the stamp as it is
	sum  [sha256.Size]byte
	text []byte // nil after forget
}

// isSource tells what may be a part of the build, or decide on it, by its name.
func isSource(name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || strings.HasSuffix(name, "_test.go") {
		return false
	}
	ext := filepath.Ext(name)
	return ext == ".go" || slices.Contains(gocmd.SourceExts, ext) || name == "default.pgo" || name == "go.mod"
}

// takeSnapshot reads all files that may change. Shapes are kept in known for the next
// time.
func (r *recipe) takeSnapshot(req build.Request, known shapes) (*snapshot, error) {
	l := &snapshot{fixed: map[string]string{}, packages: make([]packageSnapshot, len(r.packages))}
	for _, path := range r.fixed {
		l.fixed[path] = stateOf(path)
	}
	tool, err := gocmd.Find()
	if err != nil {
		return nil, err
	}
	for _, path := range []string{tool, r.compiler, r.linking.linker} {
		l.fixed[path] = stamp.Now(path).String()
	}
	if l.overlay, err = overlaid(req.Overlay); err != nil {
		return nil, err
	}
	added := map[string][]string{} // names by directory
	for path := range l.overlay {
		added[filepath.Dir(path)] = append(added[filepath.Dir(path)], filepath.Base(path))
	}
	fresh := shapes{}
	for i, p := range r.packages {
		if l.packages[i], err = p.snapshot(added[p.dir], l.overlay, known, fresh); err != nil {
			return nil, err
		}
	}
	for _, p := range r.packages {
		delete(added, p.dir)
	}
	for dir, names := range added { // the hook's, which another devrun may have otherwise
		for _, name := range names {
			path := filepath.Join(dir, name)
			l.fixed[path] = stateOf(l.overlay[path])
		}
	}
	clear(known)
	for sum, s := range fresh {
		known[sum] = s
	}
	return l, nil
}

// moved reports that the files of a build are not what is in its snapshot any more.
func (r *recipe) moved(req build.Request, l *snapshot) bool {
	now, err := r.takeSnapshot(req, shapes{})
	return err != nil || !now.same(l)
}

func (p *pkg) snapshot(added []string, overlay map[string]string, known, fresh shapes) (packageSnapshot, error) {
	var l packageSnapshot
	entries, err := os.ReadDir(p.dir)
	if err != nil && !(errors.Is(err, fs.ErrNotExist) && len(added) > 0) {
		return l, err
	}
	names := slices.Clone(added)
	for _, e := range entries {
		if isSource(e.Name()) && !e.IsDir() && !slices.Contains(added, e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	var b strings.Builder
	var imports []string
	for _, name := range names {
		f := file{name: name, path: filepath.Join(p.dir, name)}
		if actual := overlay[f.path]; actual != "" {
			f.path = actual
		}
		if err := f.read(); err != nil {
			return l, err
		}
		l.files = append(l.files, f)
		if filepath.Ext(name) != ".go" {
			continue
		}
		s, ok := known[f.sum]
		if !ok {
			s = shapeOf(f.text)
		}
		fresh[f.sum] = s
		fmt.Fprintf(&b, "%s: %s\n", name, s.text)
		if slices.Contains(p.files, name) {
			imports = append(imports, s.imports...) // which file of a package imports is all the same
		} else {
			fmt.Fprintf(&b, "%q\n", s.imports)
		}
	}
	slices.Sort(imports)
	fmt.Fprintf(&b, "%q\n", slices.Compact(imports))
	l.shape = b.String()
	return l, p.findEmbedded(&l)
}

func (p *pkg) findEmbedded(l *packageSnapshot) (err error) {
	if len(p.patterns) == 0 {
		return nil
	}
	if l.embedded, err = embedded(p.dir, p.patterns); err != nil {
		return fmt.Errorf("%s: %w", p.dir, err)
	}
	var names []string
	for _, n := range l.embedded {
		names = append(names, n...)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		f := file{name: name, path: filepath.Join(p.dir, filepath.FromSlash(name))}
		if err := f.read(); err != nil {
			return err
		}
		l.embeds = append(l.embeds, f)
	}
	return nil
}

// read takes the content as it is now.
func (f *file) read() (err error) {
	began := time.Now()
	fi, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	f.at, f.old = stamp.Of(fi), began.Sub(fi.ModTime()) > resolution
	f.text, err = os.ReadFile(f.path)
	f.sum = sha256.Sum256(f.text)
	return err
}

// resolution is how far apart two writes are at most that leave the same time: some
// file systems count in steps of two seconds.
const resolution = 2100 * time.Millisecond

// settled reports that the file is what was looked at, as its time would tell.
func (f *file) settled() bool { return f.old && stamp.Now(f.path) == f.at }

// copy writes what f was when it was looked at, or returns errMoved where that is
// not to be had any more.
func (f file) copy(to string) error {
	if f.text == nil {
		sum := f.sum
		if err := f.read(); err != nil {
			return err
		}
		if f.sum != sum {
			return errMoved
		}
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.WriteFile(to, f.text, 0o600)
}

// added reports that a package is not the user's: the overlay has all of it.
func (l *snapshot) added(p *pkg) bool {
	return !slices.ContainsFunc(p.files, func(name string) bool { return l.overlay[filepath.Join(p.dir, name)] == "" })
}

// errMoved is a file that was written between two snapshots.
var errMoved = errors.New("a file was written while it was built")

// forget frees the contents, when they have been compiled.
func (l *snapshot) forget() {
	for _, p := range l.packages {
		for _, files := range [][]file{p.files, p.embeds} {
			for i := range files {
				files[i].text = nil
			}
		}
	}
}

// named is the file of a name.
func named(files []file, name string) (file, bool) {
	i, ok := slices.BinarySearchFunc(files, name, func(f file, name string) int { return strings.Compare(f.name, name) })
	if !ok {
		return file{}, false
	}
	return files[i], true
}

// same reports that all has the same content.
func (l *snapshot) same(o *snapshot) bool {
	return bytes.Equal(l.sum(), o.sum())
}

// untouched reports that nothing was written since o, not even to what it was.
func (l *snapshot) untouched(o *snapshot) bool {
	return bytes.Equal(l.hash(true), o.hash(true))
}

func (l *snapshot) sum() []byte { return l.hash(false) }

func (l *snapshot) hash(stamps bool) []byte {
	h := sha256.New()
	// What stands in for a file of the overlay is looked at with its package.
	fmt.Fprintf(h, "%q\n%q\n", l.fixed, slices.Sorted(maps.Keys(l.overlay))) // fmt sorts maps
	for _, p := range l.packages {
		fmt.Fprintf(h, "%q\n%q\n", p.shape, p.embedded)
		for _, f := range slices.Concat(p.files, p.embeds) {
			fmt.Fprintf(h, "%q %x\n", f.name, f.sum)
			if stamps {
				fmt.Fprintf(h, "%s\n", f.at)
			}
		}
	}
	return h.Sum(nil)
}

// overlaid reads the file of -overlay.
func overlaid(name string) (map[string]string, error) {
	if name == "" {
		return nil, nil
	}
	replace, err := gocmd.ReadOverlay(name)
	if err != nil {
		return nil, err
	}
	for path, actual := range replace {
		if actual == "" || !filepath.IsAbs(path) || !filepath.IsAbs(actual) || !isSource(filepath.Base(path)) {
			return nil, fmt.Errorf("%s does more than to add files", name)
		}
	}
	return replace, nil
}

// stateOf is the content of a file, the names in a directory, or that there is
// neither.
func stateOf(path string) string {
	if entries, err := os.ReadDir(path); err == nil {
		names := []string{"directory"}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return strings.Join(names, "/")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "absent"
		}
		return err.Error()
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
