package devserver

import (
	"context"

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
	syncs   answers[struct{}]
	agreed  answers[wire.Terms]
}

// listen hands on what the process says, and tells its end.
func (in *image) listen(said func(*image, wire.Message), left func(*image)) {
	for m := range in.channel.Messages() {
		switch m.Kind {
		case wire.Peeked: // the loop may be waiting for who waits for this
			in.peeks.deliver(m.Seq, m.Memory)
		case wire.Synced:
			in.syncs.deliver(m.Seq, nil)
		case wire.Agreed: // connections wait
			in.agreed.deliver(m.Seq, m.Terms)
		default:
			said(in, m)
		}
	}
	in.peeks.close()
	in.agreed.close()
	left(in)
	in.syncs.close()
}

// sync waits until all has been handed on that the process had to say before.
func (in *image) sync(ctx context.Context) {
	seq, answer := in.syncs.expect()
	defer in.syncs.forget(seq)
	_ = in.channel.Send(wire.Message{Kind: wire.Sync, Seq: seq}) // of one that has ended, the rest is still being read
	select {
	case <-answer:
	case <-ctx.Done():
	}
}

// send tells the hook something, without making the caller wait. A process that cannot
// be told is on its way out.
func (in *image) send(m wire.Message) { go func() { _ = in.channel.Send(m) }() }
