package devserver

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"

	"devrun/devserver/internal/console"
	"devrun/devserver/internal/expr"
	"devrun/devserver/internal/inspect"
	"devrun/devserver/internal/wire"
)

// asking is what it takes to ask a frame of a failure something.
type asking struct {
	failure
	frame int
	info  *inspect.Binary
}

// ask prepares a question to a frame.
func (s *failures) ask(id string, frame int) (q asking, err error) {
	ended := !s.queue.do(func() {
		f := s.byID(id)
		switch {
		case f == nil:
			err = console.ErrUnknown
		case f.Gone != "":
			err = console.Gone{Why: f.Gone}
		case !f.Values.Here:
			err = errors.New(f.Values.Why)
		case frame < 0 || frame >= len(f.Calls):
			err = console.ErrFrame
		default:
			q = asking{failure: *f, frame: frame}
			q.info, _ = f.app.binary.Info() // it is there: the variables were read with it
		}
	})
	if ended {
		err = console.Gone{Why: "devrun is stopping"}
	}
	return q, err
}

// place is where the frame is, for the type checker.
func (q asking) place(ctx context.Context) (expr.Frame, *expr.Package, error) {
	p, _, err := q.in.inspect(q.info)
	if err != nil {
		return expr.Frame{}, nil, err
	}
	s, err := p.Scope(ctx, uint64(q.Goroutine), q.frame)
	if err = wentOn(p, q.mark, err); err == nil && s.PC != q.Calls[q.frame].PC {
		err = errWentOn
	}
	if err != nil {
		return expr.Frame{}, nil, err
	}
	f := expr.Frame{
		Func: s.Func, File: s.File, Line: s.Line, PC: s.PC,
		FuncPC: q.info.FuncPC, TypeAddr: q.info.TypeAddr,
		Global: func(symbol string) (uint64, bool) {
			if addr, _, ok := q.info.Global(symbol); ok {
				return addr, true
			}
			return q.info.Symbol(symbol)
		},
	}
	for _, v := range s.Vars {
		f.Vars = append(f.Vars, expr.Var{Name: v.Name, Line: v.Line, Type: v.Link, Addr: v.Addr, Unusable: v.Gone})
	}
	pkg, err := q.app.binary.Package(ctx, s.Func)
	return f, pkg, err
}

// evaluated is what came of an expression, for the page.
type evaluated struct {
	Text     string      `json:"text"`
	Type     string      `json:"type"`
	Kind     string      `json:"kind,omitempty"`
	TookMS   float64     `json:"took_ms"`
	Panic    string      `json:"panic,omitempty"`
	Error    string      `json:"error,omitempty"`
	Second   *second     `json:"second,omitempty"`
	Children []evalChild `json:"children,omitempty"`
	More     int64       `json:"more,omitempty"`
}

// second is what the value says of itself.
type second struct {
	Text string `json:"text"`
	Type string `json:"type"`
}

type evalChild struct {
	Name     string      `json:"name"`
	Type     string      `json:"type"`
	Kind     string      `json:"kind,omitempty"`
	Text     string      `json:"text"`
	Nil      bool        `json:"nil,omitempty"`
	Cycle    string      `json:"cycle,omitempty"`
	Children []evalChild `json:"children,omitempty"`
	More     int64       `json:"more,omitempty"`

	Cut        int64  `json:"cut,omitempty"` // bytes of a string that text leaves out
	Len        int64  `json:"len,omitempty"`
	Redacted   bool   `json:"redacted,omitempty"`
	Unreadable string `json:"unreadable,omitempty"`
}

// eval evaluates src in a frame of a failure. What is wrong with src is part of
// the answer.
func (s *failures) eval(ctx context.Context, id string, frame int, src string) (any, error) {
	began := time.Now()
	q, err := s.ask(id, frame)
	if err != nil {
		return nil, err
	}
	place, pkg, err := q.place(ctx)
	if err != nil {
		return nil, err
	}
	took := func() float64 { return float64(time.Since(began).Microseconds()) / 1000 }
	x, err := pkg.Compile(place, q.session, src)
	if err != nil {
		return evaluated{Error: err.Error(), TookMS: took()}, nil
	}
	seq, answer := q.in.results.expect()
	defer q.in.results.forget(seq)
	if err := q.in.channel.Send(wire.Message{Kind: wire.Eval, ID: q.id, Seq: seq, Expr: x}); err != nil {
		return nil, err
	}
	select {
	case v := <-answer:
		if v == nil {
			return nil, console.Gone{Why: "The goroutine is no longer parked, so nothing can be evaluated any more."}
		}
		return evaluatedOf(*v, took()), nil
	case <-ctx.Done():
		return nil, errors.New("the app has not answered")
	}
}

func evaluatedOf(v wire.EvalValue, ms float64) evaluated {
	e := evaluated{Text: v.Text, Type: v.Type, Kind: v.Kind, TookMS: ms, Panic: v.Panic, Error: v.Error, Children: evalChildren(v.Children), More: v.More}
	if v.Panic != "" {
		e.Type = v.PanicType
	}
	if v.Method != "" {
		e.Second = &second{v.String, v.Method + "()"}
	}
	return e
}

func evalChildren(list []wire.EvalValue) []evalChild {
	var out []evalChild
	for _, v := range list {
		c := evalChild{Name: v.Name, Type: v.Type, Kind: v.Kind, Text: v.Text, Nil: v.Nil, Children: evalChildren(v.Children), More: v.More}
		if v.Cycle {
			c.Cycle = "a value further up"
		}
		out = append(out, c)
	}
	return out
}

// complete says what may follow at pos in src.
func (s *failures) complete(ctx context.Context, id string, frame int, src string, pos int) (any, error) {
	q, err := s.ask(id, frame)
	if err != nil {
		return nil, err
	}
	place, pkg, err := q.place(ctx)
	if err != nil {
		return nil, err
	}
	type item struct {
		Name string `json:"name"`
		Type string `json:"type"`
		Kind string `json:"kind"`
	}
	items := []item{}
	for _, c := range pkg.Complete(place, q.session, src, pos) {
		items = append(items, item{c.Name, c.Type, c.Kind})
	}
	from := strings.LastIndexFunc(src[:pos], func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) + 1
	return map[string]any{"items": items, "from": from}, nil
}
