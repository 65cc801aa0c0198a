package inspect

import (
	"context"
	"io"
	"reflect"
	"testing"
)

// counted is a memory that another process is asked for.
type counted struct {
	io.ReaderAt
	reads int
}

func (c *counted) ReadAt(b []byte, addr int64) (n int, err error) {
	c.reads++
	return c.ReaderAt.ReadAt(b, addr)
}

// A memory of which each read is a question to the app shows the same, and is
// asked little: a page of a dozen calls takes some tens of questions.
func TestFewReads(t *testing.T) {
	a := theApp(t)
	c := &counted{ReaderAt: a.mem}
	p, err := a.b.Attach(a.cmd.Process.Pid, c)
	if err != nil {
		t.Fatal(err)
	}
	if c.reads > 100 {
		t.Errorf("%d reads to attach", c.reads)
	}
	all := 0
	for name, id := range a.ids {
		if name == "spin" || name == "mutated" { // not the same from one look to the next
			continue
		}
		want, err := a.p.Calls(context.Background(), id, Limits{})
		if err != nil {
			t.Fatal(name, err)
		}
		c.reads = 0
		got, err := p.Calls(context.Background(), id, Limits{})
		if err != nil {
			t.Fatal(name, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: it does not show the same", name)
		}
		if most := 60; len(got) < 3 || c.reads > most && name != "maps" { // large ones are in many places
			t.Errorf("%s: %d reads for %d calls", name, c.reads, len(got))
		}
		all += c.reads
	}
	t.Logf("%d reads for %d goroutines", all, len(a.ids)-2)
}
