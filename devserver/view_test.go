package devserver

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"devrun/devserver/internal/inspect"
	"devrun/devserver/internal/wire"
)

// A hook has 100,000 bytes from address 1000 on, each the last byte of its address.
func remembered(m wire.Memory) *wire.Memory {
	for i := range min(m.Size, wire.MaxPeek) {
		if at := m.Addr + uint64(i); at < 1000 || at >= 101_000 {
			break
		} else {
			m.Bytes = append(m.Bytes, byte(at))
		}
	}
	return &m
}

func TestRecall(t *testing.T) {
	peeks := &answers[wire.Memory]{}
	asked := 0
	r := &recall{peeks: peeks, send: func(m wire.Message) error {
		asked++
		go peeks.deliver(m.Seq, remembered(*m.Memory))
		return nil
	}}
	for _, c := range []struct {
		addr         int64
		size, n, ask int
		err          error
	}{
		{1000, 8, 8, 1, nil},
		{1000, 100_000, 100_000, 2, nil}, // more than fits one answer
		{100_990, 100, 10, 1, inspect.ErrNothing},
		{101_000, 1, 0, 1, inspect.ErrNothing},
		{5, 8, 0, 1, inspect.ErrNothing},
		{2000, 0, 0, 0, nil},
	} {
		asked = 0
		b := make([]byte, c.size)
		n, err := r.ReadAt(b, c.addr)
		if n != c.n || err != c.err || asked != c.ask {
			t.Errorf("%d bytes at %d: %d, %v after %d questions", c.size, c.addr, n, err, asked)
		}
		for i := range n {
			if b[i] != byte(c.addr+int64(i)) {
				t.Fatalf("byte %d at %d is %d", i, c.addr, b[i])
			}
		}
	}
	peeks.close()
	if n, err := r.ReadAt(make([]byte, 8), 1000); n != 0 || err != io.EOF {
		t.Errorf("of a process that has ended: %d, %v", n, err)
	}
}

// What ends while an answer is awaited is gone at once; what cannot do it says why.
func TestRecallFails(t *testing.T) {
	peeks := &answers[wire.Memory]{}
	r := &recall{peeks: peeks}
	r.send = func(m wire.Message) error {
		peeks.deliver(m.Seq, &wire.Memory{Error: "the app cannot read its own memory: too many open files"})
		return nil
	}
	if n, err := r.ReadAt(make([]byte, 8), 1000); n != 0 || err == nil || err.Error() != "the app cannot read its own memory: too many open files" {
		t.Errorf("%d, %v", n, err)
	}
	broken := errors.New("broken pipe")
	r.send = func(wire.Message) error { return broken }
	if n, err := r.ReadAt(make([]byte, 8), 1000); n != 0 || err != broken || len(peeks.wanted) != 0 {
		t.Errorf("%d, %v, %d questions are open", n, err, len(peeks.wanted))
	}
	r.send = func(wire.Message) error { go peeks.close(); return nil }
	if n, err := r.ReadAt(make([]byte, 8), 1000); n != 0 || err != io.EOF {
		t.Errorf("%d, %v", n, err)
	}
}

// An app that stands still is waited for once, and read again when it goes on.
func TestRecallLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peeks := &answers[wire.Memory]{}
		var asked []wire.Message
		r := &recall{peeks: peeks, send: func(m wire.Message) error { asked = append(asked, m); return nil }}
		b := make([]byte, 8)
		began := time.Now()
		for range 1000 {
			if n, err := r.ReadAt(b, 1000); n != 0 || err != errMute {
				t.Fatalf("%d, %v", n, err)
			}
		}
		if d := time.Since(began); d != recallWithin || len(asked) != 1 {
			t.Errorf("it took %v and %d questions", d, len(asked))
		}
		peeks.deliver(asked[0].Seq, remembered(*asked[0].Memory)) // it goes on
		r.send = func(m wire.Message) error { peeks.deliver(m.Seq, remembered(*m.Memory)); return nil }
		if n, err := r.ReadAt(b, 2000); n != 8 || err != nil || b[0] != byte(2000%256) {
			t.Errorf("%d, %v, %v", n, err, b)
		}
	})
}
