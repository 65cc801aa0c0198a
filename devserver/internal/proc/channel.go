package proc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"devrun/devserver/internal/wire"
)

// Channel is the line to the hook in one process of the app. A process that executes
// the binary again gets another.
type Channel struct {
	Pid int

	line     line // nil where there is no hook
	messages chan wire.Message
	fail     func(error)

	sending sync.Mutex
	mute    error // why no more can be sent
}

// line is a socket, whichever way it was opened.
type line interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// caller is a process at the door.
type caller struct {
	pid int
	line
}

func newChannel(pid int, l line, fail func(error)) *Channel {
	return &Channel{Pid: pid, line: l, messages: make(chan wire.Message, backlog), fail: fail}
}

// Messages gives what the hook says. It is closed when no more can come; Process.Err
// then says whether the app broke it off.
func (c *Channel) Messages() <-chan wire.Message { return c.messages }

// sendTime bounds the wait for an app that does not read: it is stopped, or mad.
const sendTime = 2 * time.Second

// Send tells the hook something. It may be called from any goroutine and waits
// for no answer; an error says that the app cannot be told, now or ever again.
func (c *Channel) Send(m wire.Message) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	if c.line == nil {
		return errors.New("the app has no hook to talk to")
	}
	if c.mute != nil {
		return c.mute
	}
	err := c.line.SetWriteDeadline(time.Now().Add(sendTime))
	if err == nil {
		err = wire.Write(c.line, m)
	}
	if err != nil { // half a line may be out
		c.mute = fmt.Errorf("tell the hook of the app: %w", err)
	}
	return c.mute
}

// receive passes on what the hook says. It goes on to read, and drops, when
// nobody takes it or it is not to be trusted any more: closing the channel
// would tell the hook that devrun is gone, and the app must not wait.
func (c *Channel) receive() {
	if c.line == nil {
		close(c.messages)
		return
	}
	for r := wire.NewReader(c.line); ; {
		m, err := r.Next()
		if err == nil {
			select {
			case c.messages <- m:
				continue
			default:
				err = fmt.Errorf("more than %d messages at once", backlog)
			}
		}
		// It is reset if the process has ended before it has read all that it was told.
		if err != io.EOF && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, syscall.ECONNRESET) {
			c.fail(fmt.Errorf("read what the hook of the app says: %w", err))
		}
		break
	}
	close(c.messages)
	_, _ = io.Copy(io.Discard, c.line) // the error was told, or is the end
}
