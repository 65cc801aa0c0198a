// Package suite is what the tests of all packages have in common. It is for tests
// and no part of devrun.
//
// There are two suites. The short one, `go test ./...`, has the main path of every
// behaviour, and does the same each time. The long one has everything else: the tests
// named TestLong…, which begin with [Long]. A random test begins with a [Seed] there.
// The zoo, SUITE=zoo, is run by itself.
package suite

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// Patience is how long a fact may take to come true. It is long because the
// machine may be busy; nothing waits for it when all is well.
const Patience = 2 * time.Minute

// Until waits for a fact: until check returns nil. The test fails with check's last
// error if that takes longer than [Patience].
func Until(t testing.TB, fact string, check func() error) {
	t.Helper()
	Within(t, Patience, fact, check)
}

// Within is Until for a fact that takes its time on an idle machine, too.
func Within(t testing.TB, limit time.Duration, fact string, check func() error) {
	t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(5 * time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v: %v", fact, limit, err)
		}
	}
}

// Long skips a test of the long suite, unless that is what runs: SUITE=long.
func Long(t testing.TB) {
	t.Helper()
	if !IsLong() {
		t.Skip("of the long suite")
	}
}

// IsLong says which suite runs, for what is done once in the short one and with more
// of everything in the long one.
func IsLong() bool { return os.Getenv("SUITE") == "long" }

// Zoo skips a test of the zoo, unless that is what runs: SUITE=zoo.
func Zoo(t testing.TB) {
	t.Helper()
	if os.Getenv("SUITE") != "zoo" {
		t.Skip("of the zoo")
	}
}

// Seed is what a random test of the long suite begins with: SEED of the
// environment, else another one each time. It is printed with a failure. One that has
// failed becomes a test of the short suite.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if s := os.Getenv("SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("SEED: %v", err)
		}
	}
	t.Logf("SEED=%d", seed)
	return seed
}

// FreePort is a TCP port of 127.0.0.1 that nothing listens on and that no other test
// gets until this one has ended. It is from below the range that outgoing connections
// and port 0 use, so that it stays free until the test takes it.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := 20000 + int(nextPort.Add(1))%10000
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		// UDP of the same number, which no test uses, says that the port is taken.
		held, err := net.ListenPacket("udp", addr)
		if err != nil {
			continue
		}
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			t.Cleanup(func() { held.Close() })
			return port
		}
		held.Close()
	}
	t.Fatal("no free port")
	return 0
}

// nextPort is where the search begins: elsewhere for the tests of each package.
var nextPort atomic.Int64

func init() { nextPort.Store(int64(os.Getpid() * 37)) }
