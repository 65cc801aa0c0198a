package devserver

import (
	"cmp"
	"context"
	"strings"
	"time"

	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/inspect"
	"devrun/devserver/internal/wire"
)

// readTime bounds how long the variables of a failure may take to be read.
const readTime = 5 * time.Second

// calls reads the frames of a parked goroutine from the point of failure on, with
// their variables, and says in what way they were read.
func (in *image) calls(info *inspect.Binary, goroutine uint64, mark wire.Mark) ([]fault.Call, string, error) {
	p, way, err := in.inspect(info)
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), readTime)
	defer cancel()
	calls, err := p.Calls(ctx, goroutine, inspect.Limits{})
	if err := wentOn(p, mark, err); err != nil {
		return nil, "", err
	}
	for _, c := range calls {
		unwrap(c.Vars)
	}
	return calls, way, nil
}

// wentOn is err, that of reading a goroutine that has failed, or errWentOn if it may
// have gone on meanwhile: it serves another request then, and may look the same.
func wentOn(p *inspect.Process, mark wire.Mark, err error) error {
	is, unread := p.Word(mark.Addr)
	switch {
	case unread != nil:
		return cmp.Or(err, unread)
	case is != mark.Value:
		return errWentOn
	}
	return err
}

// unwrap shows net/http's response writer where the hook's is, as it is without
// devrun; in the text of what it is a part of only its type can be mended.
func unwrap(values []fault.Value) {
	for i := range values {
		v := &values[i]
		if v.Kind == fault.Interface && len(v.Children) == 1 && strings.HasPrefix(v.Children[0].Type, "*hook.writer") {
			for _, field := range v.Children[0].Children {
				if field.Name == "real" {
					v.Text, v.Children = field.Text, field.Children
				}
			}
		}
		v.Text = writers.Replace(v.Text)
		unwrap(v.Children)
	}
}

var writers = strings.NewReplacer("hook.writer1", "http.response", "hook.writer2", "http.http2responseWriter")
