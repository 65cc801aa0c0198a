package term

// Key is a byte from the keyboard.
type Key byte

// The keys of devrun. Whether a byte is one, or belongs to the app, is decided
// by whoever takes it from Keys.
const (
	KeyRestart Key = 'r'
	KeyBuild   Key = 'b'
	KeyPIN     Key = 'p'
	KeyOpen    Key = 'o'
	KeyQuit    Key = 'q'
	KeyHelp    Key = '?'
)

var keyHelp = []struct {
	key  Key
	does string
}{
	{KeyRestart, "restart"},
	{KeyBuild, "build from scratch"},
	{KeyPIN, "new PIN"},
	{KeyOpen, "open the app"},
	{KeyQuit, "quit"},
	{KeyHelp, "this list"},
}

// Keys takes the keyboard: from now on every byte that is typed comes on the
// channel, at once and without echo. Control-C stays a signal. It returns nil
// when In is no terminal, or keys cannot be read on this system; the channel is
// closed by Close and when the terminal hangs up.
//
// While devrun is in the background the keyboard is left alone, and taken again
// when it comes back. Until Close the signal SIGPIPE gives an error on writing
// instead of the end of devrun, which would leave the terminal without echo. A
// panic must pass a deferred Close for the same reason.
func (t *Terminal) Keys() <-chan Key {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keyboard == nil && t.opts.In != nil && !t.closed {
		k, ok := openKeyboard(t.opts.In)
		if !ok {
			return nil
		}
		t.keyboard = k
	}
	if t.keyboard == nil {
		return nil
	}
	return t.keyboard.keys
}
