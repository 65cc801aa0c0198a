package build

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"devrun/devserver/internal/gocmd"
)

// slowAfter is when a build begins to tell how far it is: most after a save are over by
// then.
const slowAfter = 2 * time.Second

// isName matches the name of a package on a line of its own, as -v prints it.
var isName = regexp.MustCompile(`(?m)^[^\s:#]+$`)

// Counted has r.Progress told how far the go command c is while it compiles r: it returns
// how that is to be run, with a Filter and with args, its verb first, of which flags and
// the package are those that go list takes. ended is to be called then.
func Counted(ctx context.Context, r Request, c gocmd.Command, args, flags []string) (_ gocmd.Command, line []string, ended func()) {
	if r.Progress == nil {
		return c, args, func() {}
	}
	p := newProgress(r)
	ctx, stop := context.WithCancel(ctx)
	go p.count(ctx, c, flags)
	c.Filter = func(to io.Writer) io.WriteCloser {
		p.to = to
		return p
	}
	return c, slices.Insert(slices.Clone(args), 1, "-v"), stop
}

// progress takes the names of packages that the go command prints with -v out of its
// output, and counts them. A name that r.Imports does not have is left there.
type progress struct {
	to    io.Writer // all else
	known func(string) bool
	tell  func(done, of int)

	mu    sync.Mutex
	line  []byte // begun and not ended
	begun map[string]bool
	of    int // 0 until it is known
}

func newProgress(r Request) *progress {
	return &progress{tell: r.Progress, begun: map[string]bool{}, known: r.imports}
}

// imports reports whether a package is known to be one of the app's or of the hook.
func (r Request) imports(path string) bool {
	return r.Imports[path] || r.HookPattern != "" && (path == r.HookPattern || strings.HasPrefix(path, r.HookPattern+"/"))
}

func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line = append(p.line, b...)
	for {
		i := bytes.IndexByte(p.line, '\n')
		if i < 0 {
			return len(b), nil
		}
		line, name := p.line[:i+1], string(p.line[:i])
		if isName.MatchString(name) {
			p.begun[name] = true
			p.told()
		}
		if !p.known(name) {
			if _, err := p.to.Write(line); err != nil {
				return len(b), err
			}
		}
		p.line = p.line[i+1:]
	}
}

// Close passes on a last line without an end.
func (p *progress) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.to.Write(p.line)
	p.line = nil
	return err
}

func (p *progress) told() {
	if p.of > 0 {
		p.of = max(p.of, len(p.begun))
		p.tell(len(p.begun), p.of)
	}
}

// count finds out how much there is to do, once it is clear that it takes long:
// what has begun by then, and what the go command would still build.
func (p *progress) count(ctx context.Context, c gocmd.Command, flags []string) {
	select {
	case <-time.After(slowAfter):
	case <-ctx.Done():
		return
	}
	out, _, err := c.Output(ctx, slices.Concat([]string{"list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}"}, flags)...)
	if err != nil {
		return // the build itself says what is wrong
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	of := len(p.begun)
	for path := range strings.FieldsSeq(string(out)) {
		if !p.begun[path] {
			of++
		}
	}
	if of > len(p.begun) { // else it is the link that takes long
		p.of = of
		p.told()
	}
}

// messages is the output of a failed build without the names of packages that are still
// in it: of what the hook imports, or of what was imported by the last save.
func (r Request) messages(ctx context.Context, c gocmd.Command, output string, flags []string) string {
	if r.Progress == nil || !isName.MatchString(output) {
		return output
	}
	list, _, err := c.Output(ctx, slices.Concat([]string{"list", "-e", "-deps", "-f", "{{.ImportPath}}"}, flags)...)
	if err != nil {
		return output // with more in it than is wrong
	}
	names := map[string]bool{}
	for path := range strings.FieldsSeq(string(list)) {
		names[path] = true
	}
	var kept strings.Builder
	for line := range strings.Lines(output) {
		if !names[strings.TrimSuffix(line, "\n")] {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
