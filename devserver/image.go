package devserver

import (
	"devrun/devserver/internal/proc"
	"devrun/devserver/internal/wire"
)

// image is a process of the app while it runs the binary, with the hook in it. One that
// executes the binary anew is another.
type image struct {
	channel *proc.Channel
	view    processView
	results answers[wire.EvalValue]
	peeks   answers[wire.Memory]
}

// listen hands on what the process says, and tells its end.
func (in *image) listen(said func(*image, wire.Message), left func(*image)) {
	for m := range in.channel.Messages() {
		if m.Kind == wire.Peeked { // the loop may be waiting for who waits for this
			in.peeks.deliver(m.Seq, m.Memory)
			continue
		}
		said(in, m)
	}
	in.peeks.close()
	left(in)
}

// send tells the hook something, without making the caller wait. A process that cannot
// be told is on its way out.
func (in *image) send(m wire.Message) { go func() { _ = in.channel.Send(m) }() }
