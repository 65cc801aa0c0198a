package devserver

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// memory is the file, in the user's cache, with the addresses that an app
// asked for when it last ran. It is a convenience: where it can't be read or
// written, there is nothing to remember.
type memory struct{ path string }

// newMemory returns the memory in dir of one app in one configuration; there is none
// if dir is "".
func newMemory(dir string, cfg Config, environ []string) memory {
	if dir == "" {
		return memory{}
	}
	what := append([]string{cfg.Dir, cfg.Package, cfg.Addr, cfg.Host}, cfg.Args...)
	for _, e := range environ { // the usual ways to say where to listen
		if name, _, _ := strings.Cut(e, "="); name == "PORT" || name == "HOST" || name == "ADDR" {
			what = append(what, e)
		}
	}
	id := sha256.Sum256([]byte(strings.Join(what, "\x00")))
	return memory{filepath.Join(dir, hex.EncodeToString(id[:12]))}
}

// maxRemembered bounds what is taken from the file: nobody's app opens more
// ports, and the file may not be what it should be.
const maxRemembered = 8

// read returns the addresses, host:port each.
func (m memory) read() []string {
	b, err := os.ReadFile(m.path)
	if err != nil || len(b) > 4096 {
		return nil
	}
	var addrs []string
	for line := range strings.Lines(string(b)) {
		addr := strings.TrimSpace(line)
		if _, port, err := net.SplitHostPort(addr); err == nil && port != "0" && len(addrs) < maxRemembered {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

func (m memory) write(addrs []string) {
	if m.path == "" {
		return
	}
	os.WriteFile(m.path, []byte(strings.Join(addrs, "\n")+"\n"), 0o600)
}
