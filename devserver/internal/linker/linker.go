// Package linker has Go's linker begin before it is known what there is to link.
//
// Half of a link is reading symbols, nearly all of packages that no save changes.
// [Make] builds the linker of a toolchain from its own source with a few changes:
// started by [Prelink], it reads archives, gives each name in them a number, and waits
// for its arguments. Then it links as it always does; that numbers stand for names
// changes neither the order of anything nor a byte of what it writes. There is one
// process for each link, so nothing has to be put back.
//
// What has changed on disk since it was read is read again.
package linker

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"devrun/devserver/internal/diskcache"
	"devrun/devserver/internal/gocmd"
)

// The files that are added to the linker, by place below GOROOT.
var (
	//go:embed _loader/ahead.go
	aheadSource []byte
	//go:embed _ld/done.go
	doneSource []byte

	added = map[string][]byte{
		"src/cmd/link/internal/loader/devrun_ahead.go": aheadSource,
		"src/cmd/link/internal/ld/devrun_done.go":      doneSource,
	}
)

// linked is what a linker says when the binary is complete.
const linked = "\x00linked\n"

// kept is how many linkers stay in the cache: one for each of the last toolchains.
const kept = 4

// Make gives the linker that works as tool does, the one of the toolchain in goroot,
// and that [Prelink] can start. It is in cache, a directory that nobody else can write
// to, or is built there with the go command in the environment of c, which takes as
// long as a small program. An error says why there is none.
func Make(ctx context.Context, c gocmd.Command, goroot, tool, cache string) (string, error) {
	if runtime.GOOS != "linux" {
		return "", errors.New("it works on Linux only")
	}
	path, err := place(tool, cache)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	tmp, err := os.MkdirTemp(cache, "build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	overlay, err := writeOverlay(goroot, tmp)
	if err != nil {
		return "", err
	}
	made := filepath.Join(tmp, "link")
	// A toolchain may be in the module cache, where an overlay may put nothing, and
	// needs nothing from there.
	c.Env = append(gocmd.Environ(c.Env, tmp), "GOROOT="+goroot, "GOMODCACHE="+filepath.Join(tmp, "modules"), "GOPROXY=off",
		"GOTOOLCHAIN=local", "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	var out bytes.Buffer
	c.Path, c.Dir, c.Stdout, c.Stderr, c.Background = filepath.Join(goroot, "bin", "go"), tmp, &out, &out, true
	err = c.Run(ctx, "build", "-overlay", overlay, "-o", made, "cmd/link")
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		return "", fmt.Errorf("build the linker anew: %w: %s", err, bytes.TrimSpace(out.Bytes()))
	}
	err = os.Chmod(made, 0o700) // the go command asks the umask only
	if err == nil {
		err = os.Rename(made, path)
	}
	if err != nil {
		return "", err
	}
	return path, tidy(cache, path)
}

// Find gives what [Make] has made, "" for nothing.
func Find(tool, cache string) string {
	path, err := place(tool, cache)
	if err != nil {
		return ""
	}
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// place is where in cache the linker belongs that works as tool does.
func place(tool, cache string) (string, error) {
	stock, err := os.ReadFile(tool)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%v\n%q\n", changes, added)
	h.Write(stock)
	return filepath.Join(cache, fmt.Sprintf("link-%x", h.Sum(nil)[:8])), nil
}

// writeOverlay writes what is changed of the linker in goroot, and the file that
// says what stands for what.
func writeOverlay(goroot, dir string) (string, error) {
	src, err := os.ReadFile(filepath.Join(goroot, filepath.FromSlash(loader)))
	if err != nil {
		return "", fmt.Errorf("the toolchain's own source is needed: %w", err)
	}
	files := maps.Clone(added)
	if files[loader], err = changed(src); err != nil {
		return "", err
	}
	replace := map[string]string{}
	for place, text := range files {
		file := filepath.Join(dir, path.Base(place))
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(goroot, filepath.FromSlash(place))] = file
	}
	file := filepath.Join(dir, "overlay.json")
	return file, gocmd.WriteOverlay(file, replace)
}

// tidy removes the oldest linkers, and what a build has left that was killed.
func tidy(cache, newest string) error {
	old, err := diskcache.Oldest(cache, kept, func(fi fs.FileInfo) bool { return !fi.IsDir() })
	if err != nil {
		return err
	}
	left, err := diskcache.Oldest(cache, 0, func(fi fs.FileInfo) bool { return fi.IsDir() && time.Since(fi.ModTime()) > time.Hour })
	for _, path := range append(old, left...) {
		if path != newest {
			err = errors.Join(err, os.RemoveAll(path))
		}
	}
	return err
}

// Prelinked is a linker that waits for its arguments. Exactly one of Link and End has
// to be called.
type Prelinked struct {
	args *os.File
	said *output
	stop context.CancelFunc
	// ended is closed when the process is gone; err is then what became of it.
	ended chan struct{}
	err   error
	list  string
}

// Prelink starts c, a linker made by [Make], and has it read archives; list is a file
// that it may write for that and that is removed at the end. It takes no time; what
// goes wrong is Link's error.
func Prelink(c gocmd.Command, list string, archives []string) (*Prelinked, error) {
	if err := os.WriteFile(list, []byte(strings.Join(archives, "\n")), 0o600); err != nil {
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, os.Remove(list))
	}
	ctx, stop := context.WithCancel(context.Background())
	b := &Prelinked{args: write, said: &output{complete: make(chan struct{})}, stop: stop, ended: make(chan struct{}), list: list}
	c.Env = append(slices.Clip(c.Env), "DEVRUN_LINK_AHEAD="+list)
	c.Stdin, c.Stdout, c.Stderr = read, b.said, b.said
	go func() {
		defer close(b.ended)
		b.err = c.Run(ctx)
		read.Close()
		os.Remove(list)
	}()
	return b, nil
}

// Link has the linker link, with the arguments of the ordinary one. It returns what
// that prints. When ctx ends the process is gone before Link returns; when all went
// well it is about to go.
func (b *Prelinked) Link(ctx context.Context, args []string) (output string, err error) {
	text, err := json.Marshal(args)
	if err != nil {
		b.End()
		return "", err
	}
	if _, err := b.args.Write(append(text, '\n')); err != nil && !errors.Is(err, syscall.EPIPE) { // it has ended and says why
		b.End()
		return "", fmt.Errorf("tell the linker what to link: %w", err)
	}
	defer b.args.Close()
	select {
	case <-b.said.complete:
	case <-b.ended:
		err = b.err
	case <-ctx.Done():
		b.End()
		return "", ctx.Err()
	}
	return b.said.String(), err
}

// End ends a linker that is not needed. It returns when the process is gone.
func (b *Prelinked) End() {
	b.stop()
	b.args.Close()
	<-b.ended
}

// output is what a linker prints.
type output struct {
	complete chan struct{} // closed when it says that the binary is

	mu   sync.Mutex
	text []byte
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p...)
	if text, ok := bytes.CutSuffix(o.text, []byte(linked)); ok {
		o.text = text
		close(o.complete)
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}
