//go:build unix

package main

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// cluster is a PostgreSQL of the tests' own: its data and its socket are in a
// temporary directory, it has no port, and it ends with the tests.
type cluster struct {
	dir string
	cmd *exec.Cmd
	log output
}

var postgres = sync.OnceValues(startPostgres)

// postgresURL returns the addresses of databases, or skips the test where
// PostgreSQL is not installed.
func postgresURL(t *testing.T) func(database string) string {
	t.Helper()
	c, err := postgres()
	if err != nil {
		t.Fatal(err)
	}
	if c == nil {
		if os.Getenv("REQUIRE_POSTGRES") != "" {
			t.Fatal("there is no initdb, neither in PATH nor in /usr/lib/postgresql")
		}
		t.Skip("NOT TESTED ON POSTGRESQL: there is no initdb, neither in PATH nor in /usr/lib/postgresql")
	}
	return c.url
}

func (c *cluster) url(database string) string {
	return fmt.Sprintf("postgres://microblog@/%s?host=%s", database, url.QueryEscape(c.dir))
}

// startPostgres returns nil if PostgreSQL is not installed.
func startPostgres() (*cluster, error) {
	bin := postgresBin()
	if bin == "" {
		fmt.Fprintln(os.Stderr, "sample: no PostgreSQL here, so half of the tests is skipped")
		return nil, nil
	}
	dir, err := os.MkdirTemp("", "microblog-pg-")
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir}
	if err := c.start(bin); err != nil {
		c.stop()
		return nil, fmt.Errorf("start PostgreSQL: %w\n%s", err, c.log.String())
	}
	running = c
	return c, nil
}

var running *cluster

func stopPostgres() {
	if running != nil {
		running.stop()
	}
}

func (c *cluster) start(bin string) error {
	as, err := unprivileged(c.dir)
	if err != nil {
		return err
	}
	data := filepath.Join(c.dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "microblog", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.Dir, initdb.SysProcAttr, initdb.Stdout, initdb.Stderr = c.dir, as, &c.log, &c.log
	if err := initdb.Run(); err != nil {
		return err
	}
	c.cmd = exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", c.dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200", "-c", "shared_buffers=32MB")
	c.cmd.Dir, c.cmd.SysProcAttr, c.cmd.Stdout, c.cmd.Stderr = c.dir, as, &c.log, &c.log
	if err := c.cmd.Start(); err != nil {
		return err
	}
	db, err := sql.Open("pgx", c.url("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if err = db.Ping(); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

func (c *cluster) stop() {
	if c.cmd != nil && c.cmd.Process != nil {
		c.cmd.Process.Signal(syscall.SIGQUIT) // ends at once; the data is of no use any more
		c.cmd.Wait()
	}
	if err := os.RemoveAll(c.dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// postgresBin is the directory of the newest PostgreSQL, "" if there is none.
func postgresBin() string {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path)
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return ""
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(found[len(found)-1])
}

func version(initdb string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb)))) // 0 for what is no version
	return n
}

// unprivileged is how to run as somebody other than root, to whom dir is given:
// PostgreSQL does not run as root.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	as := &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the tests, which stop it
	if os.Getuid() != 0 {
		return as, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return as, os.Chown(dir, int(uid), int(gid))
}

// interrupt asks a process to end.
func interrupt(p *os.Process) { p.Signal(syscall.SIGTERM) }
