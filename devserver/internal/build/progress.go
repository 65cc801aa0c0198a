package build

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"devrun/devserver/internal/gocmd"
)

// slowAfter is when a build begins to tell how far it is: one after a save is
// over by then.
const slowAfter = 2 * time.Second

// progress takes the names of packages that `go build -v` prints out of its
// output, and counts them.
type progress struct {
	to    io.Writer // all else
	known func(string) bool
	tell  func(done, of int)

	mu   sync.Mutex
	line []byte // begun and not ended
	done int
	of   int // 0 until it is known
}

func newProgress(r Request, to io.Writer) *progress {
	return &progress{to: to, tell: r.Progress, known: func(line string) bool {
		_, ok := r.PackageDirs[line]
		return ok || r.HookPattern != "" && (line == r.HookPattern || strings.HasPrefix(line, r.HookPattern+"/"))
	}}
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
		line := p.line[:i+1]
		if p.known(string(line[:i])) {
			p.done++
			p.told()
		} else if _, err := p.to.Write(line); err != nil {
			return len(b), err
		}
		p.line = p.line[i+1:]
	}
}

// end passes on a last line without an end, to a writer in memory.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.to.Write(p.line)
	p.line = nil
}

func (p *progress) told() {
	if p.of > 0 {
		p.of = max(p.of, p.done)
		p.tell(p.done, p.of)
	}
}

// count finds out how much there is to do, once it is clear that it takes long:
// what has begun by then, and what the go command would still build.
func (p *progress) count(ctx context.Context, c gocmd.Command, args []string) {
	select {
	case <-time.After(slowAfter):
	case <-ctx.Done():
		return
	}
	// The flags of go build without "-o FILE".
	list := slices.Concat([]string{"list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}"}, args[4:])
	out, _, err := c.Output(ctx, list...)
	if err != nil {
		return // the build itself says what is wrong
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of = p.done + bytes.Count(bytes.TrimSpace(out), []byte("\n")) + 1
	p.told()
}
