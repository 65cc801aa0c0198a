package fastbuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"devrun/devserver/internal/build"
)

// way is all that a compile of p depends on but for the files of one time: a way
// that has once given the go command's archive need not be proved again.
func (rec *recipe) way(p *pkg) string {
	return fmt.Sprintf("%s %s %q %q %t", p.path, rec.compiler, p.args(), p.importMap, len(p.patterns) > 0)
}

// prove compiles each package as the go command did and compares. A package may
// be compiled by Build once that has gone well; main, and what is near to it, comes
// first, as it is what is edited most. What devrun adds does not change in a run, and
// so need not be compiled. What was compiled must not have moved since
// the go command was asked, or be in memory still.
func (b *Builder) prove(ctx context.Context, rec *recipe, r build.Request) (moved bool, err error) {
	tmp, err := b.temporary()
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(tmp)
	r.Background = true
	r.Env = rec.toolEnv(r, tmp)
	c := &compilation{recipe: rec, request: r, snapshot: rec.snapshot, tmp: tmp}
	exports := map[string]archive{}
	for _, p := range rec.packages {
		exports[p.path] = archive{path: p.export}
	}
	for i := len(rec.packages) - 1; i >= 0; i-- {
		p := rec.packages[i]
		if p.proven.Load() || p.other != "" || rec.snapshot.added(p) {
			continue
		}
		err := c.proof(ctx, i, exports)
		var (
			refused *refusal
			stale   *staleError
		)
		switch {
		case errors.Is(err, errMoved), errors.Is(err, os.ErrNotExist), errors.As(err, &stale):
			moved = true
			continue
		case errors.As(err, &refused) || errors.Is(err, errDiffers):
			b.Disable(fmt.Sprintf("%s compiled directly is not what go build makes of it (%v; %s)", p.path, err, rec.goVersion))
			return false, nil
		case err != nil:
			return false, err
		}
		b.mu.Lock()
		b.proven[rec.way(p)] = true
		b.mu.Unlock()
		p.proven.Store(true)
	}
	rec.snapshot.forget()
	return moved, nil
}

var errDiffers = errors.New("the archives differ")

// proof makes package i once more and compares it with the go command's archive.
func (c *compilation) proof(ctx context.Context, i int, exports map[string]archive) error {
	p := c.recipe.packages[i]
	output := filepath.Join(c.tmp, "proof.a")
	config, err := c.importConfig(p, exports)
	if err != nil {
		return err
	}
	if _, err := c.compile(ctx, i, config, output, p.buildID); err != nil {
		return err
	}
	ours, err := os.ReadFile(output)
	if err != nil {
		return err
	}
	theirs, err := os.ReadFile(p.export)
	if err != nil {
		return err
	}
	if !bytes.Equal(ours, theirs) {
		return fmt.Errorf("%w at byte %d of %d", errDiffers, commonPrefix(ours, theirs), len(theirs))
	}
	return nil
}

func commonPrefix(a, b []byte) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
