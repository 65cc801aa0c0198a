package suite

import (
	"net"
	"strconv"
	"sync"
	"testing"
)

// No two tests have one port at once, and none has a port that the system gives to
// whoever asks for any.
func TestFreePort(t *testing.T) {
	var mu sync.Mutex
	had := map[int]bool{}
	t.Run("until the test ends", func(test *testing.T) {
		for range 4 {
			test.Run("", func(t *testing.T) {
				t.Parallel()
				for range 100 {
					port := FreePort(test)
					mu.Lock()
					if had[port] {
						t.Errorf("%d is given twice", port)
					}
					had[port] = true
					mu.Unlock()
					nextPort.Add(-1) // as another process would, which begins nearby
				}
			})
		}
	})
	for port := range had {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if port < 20000 || port >= 30000 {
			t.Errorf("%d", port)
		}
	}
}
