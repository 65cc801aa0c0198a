package devserver

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"devrun/devserver/internal/console"
	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/inspect"
)

// more reads a value of a frame, and its children from one on, as far as the page
// does not show them. It is read now, from the parked goroutine. A step of the path
// is the number of a child as the page has it, or "=" and the key of a map's entry.
//
// The value that is asked for is shown also where it is a secret: the page offers
// that only behind a reveal. What looks like a secret below it is left out.
func (s *failures) more(ctx context.Context, id string, frame int, path []string, from int) (any, error) {
	q, err := s.ask(id, frame)
	if err != nil {
		return nil, err
	}
	p, _, err := q.in.inspect(q.info)
	if err != nil {
		return nil, err
	}
	chain, err := p.Part(ctx, uint64(q.Goroutine), frame, livePath(q.Calls[frame].Vars, path), from)
	err = wentOn(p, q.mark, err)
	switch {
	case errors.Is(err, inspect.ErrGone):
		return nil, console.Gone{Why: goneWith}
	case errors.Is(err, errWentOn):
		return nil, console.Gone{Why: goneOn}
	case err != nil:
		return nil, err
	}
	return shown(withoutSecrets(q.Failure, frame, chain)), nil
}

// livePath is a path through the values of the page as it leads through those of
// the process: the page lists a map's entries in an order of its own.
func livePath(list []fault.Value, path []string) []string {
	path = slices.Clone(path)
	isMap := false
	for i, step := range path {
		n, err := strconv.Atoi(step)
		if err != nil || n < 0 || n >= len(list) {
			break
		}
		if isMap {
			path[i] = "=" + list[n].Name
		}
		isMap, list = list[n].Kind == fault.Map, list[n].Children
	}
	return path
}

// withoutSecrets is the last of chain as the page of f would show it there, below
// the others.
func withoutSecrets(f fault.Failure, frame int, chain []fault.Value) fault.Value {
	v := chain[len(chain)-1]
	path := make([]int, len(chain))
	for _, above := range slices.Backward(chain[:len(chain)-1]) {
		above.Children = []fault.Value{v}
		v = above
	}
	f.Calls = slices.Clone(f.Calls)
	vars := f.Calls[frame].Vars
	path[0] = len(vars)
	f.Calls[frame].Vars = append(slices.Clip(vars), v)
	if r, ok := fault.At(fault.Redacted(f), frame, path); ok && !r.Redacted {
		return r
	}
	return chain[len(chain)-1]
}

// shown is a value as the page's script takes it.
func shown(v fault.Value) evalChild {
	c := evalChild{
		Name: v.Name, Type: v.Type, Kind: string(v.Kind), Text: v.Text, Nil: v.Nil, Cycle: v.Cycle, More: v.More,
		Cut: v.Cut, Len: v.Len, Redacted: v.Redacted, Unreadable: v.Unreadable,
	}
	if v.Kind == fault.String {
		c.More = 0
	}
	for _, child := range v.Children {
		c.Children = append(c.Children, shown(child))
	}
	return c
}
