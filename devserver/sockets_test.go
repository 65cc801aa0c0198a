//go:build unix

package devserver

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

// What an ended process has left behind is removed, and nothing else.
func TestRemoveSockets(t *testing.T) {
	for _, c := range []struct {
		name  string
		since func(t *testing.T, path string, l *net.UnixListener) // what has happened since it was bound
		stays bool
	}{
		{"left behind", func(t *testing.T, _ string, l *net.UnixListener) { l.Close() }, false},
		{"a child listens", func(*testing.T, string, *net.UnixListener) {}, true},
		{"another program's now", func(t *testing.T, path string, l *net.UnixListener) {
			if err := os.Rename(path, path+".old"); err != nil {
				t.Fatal(err)
			}
			bindSocket(t, path).Close()
		}, true},
		{"a file now", func(t *testing.T, path string, l *net.UnixListener) {
			l.Close()
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			l := bindSocket(t, path)
			defer l.Close()
			var a app
			a.binds(path)
			c.since(t, path, l)
			if err := a.removeSockets(); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(path); (err == nil) != c.stays {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// bindSocket listens at path and leaves the file there when it is closed.
func bindSocket(t *testing.T, path string) *net.UnixListener {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	return l
}
