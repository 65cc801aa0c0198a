package proc

import (
	"errors"
	"io"
	"os"
)

// Input is what the app reads from when Command.StdinTTY is set; otherwise
// writing to it is an error. Bytes are taken as typed: 4 ends the input, 3
// interrupts. A Write waits while the app does not read, until it is gone.
func (p *Process) Input() io.Writer { return input{p.std.input} }

type input struct{ to *os.File }

func (i input) Write(b []byte) (int, error) {
	if i.to == nil {
		return 0, errors.New("the app does not read from a terminal")
	}
	return i.to.Write(b)
}

// Resize tells the app the new size of its terminals. It does nothing when
// the app has none or is gone.
func (p *Process) Resize(rows, cols uint16) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waited {
		return nil
	}
	if err := p.std.resize(rows, cols); err != nil {
		return err
	}
	p.std.resized(p.Pid())
	return nil
}

// ReadsStdin says whether the app is waiting for input right now: a thread of
// it is blocked in read(2) on stdin. One that polls before it reads is not
// seen, and always false is said where there is no /proc.
func (p *Process) ReadsStdin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.waited && readsStdin(p.Pid())
}
