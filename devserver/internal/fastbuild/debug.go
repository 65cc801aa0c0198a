package fastbuild

import (
	"context"
	"errors"
	"os"
	"slices"

	"devrun/devserver/internal/build"
)

// Debug links a binary once more at r.Output, with its debug information: the
// same code at the same addresses. m is what Build said of it, nil for one that go
// build made. Where the link is not known, go build does it, which takes longer.
func (b *Builder) Debug(ctx context.Context, r build.Request, m *Made) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	defer b.end()
	err := b.debug(ctx, r, m)
	if err == nil || ctx.Err() != nil {
		return err
	}
	_ = os.Remove(r.Output) // the linker may have begun it
	r.Debugger = true
	_, err = build.Run(ctx, r)
	return err
}

// debug links without the go command. An error says why that cannot be.
func (b *Builder) debug(ctx context.Context, r build.Request, m *Made) error {
	if m == nil {
		var err error
		if m, err = b.asMade(ctx, r); err != nil {
			return err
		}
	}
	tmp, err := b.temporary()
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	rec := *m.recipe
	rec.linking.after = slices.Clone(rec.linking.after)
	for _, f := range build.DebugFlags {
		if at := slices.Index(rec.linking.after, f[0]); at >= 0 {
			rec.linking.after[at] = f[1]
		}
	}
	if slices.Equal(rec.linking.after, m.recipe.linking.after) {
		return errors.New("the link has no flag for debug information")
	}
	c := &compilation{recipe: &rec, request: r, snapshot: m.snapshot, store: b.store, tmp: tmp}
	c.request.Env = rec.toolEnv(r, tmp)
	return c.link(ctx, m.archives)
}

// errBuiltSince: go build has made what the answers of the go command are too old for.
// The next build is direct, and from then on all is known.
var errBuiltSince = errors.New("the app has been built since the go command was asked")

// asMade is what go build has made of the files as they are, if all of it is known.
func (b *Builder) asMade(ctx context.Context, r build.Request) (*Made, error) {
	rec, snapshot, err := b.snapshot(r, shapes{})
	if err != nil {
		return nil, err
	}
	defer snapshot.forget()
	m := &Made{recipe: rec, request: r, snapshot: snapshot, archives: map[string]archive{}}
	c := &compilation{recipe: rec, snapshot: snapshot}
	for i, p := range rec.packages {
		if p.key != c.key(i, m.archives) {
			return nil, errBuiltSince
		}
		if m.archives[p.path], err = readArchive(p.export); err != nil {
			return nil, err
		}
	}
	return m, ctx.Err()
}
