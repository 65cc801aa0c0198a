// Package pgtest is a PostgreSQL server for tests, and no part of the app. It is
// not internal because devrun's tests of microblog use it, too.
package pgtest

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
)

// patience is how long the server may take to answer; the machine may be busy.
const patience = time.Minute

// Server is a PostgreSQL of the tests' own: its data and its socket are in a
// temporary directory, and it has no port.
type Server struct {
	dir       string
	cmd       *exec.Cmd
	log       bytes.Buffer // written to while a process runs
	databases atomic.Int64
}

// Need skips a test where PostgreSQL cannot be started, and says so aloud. With
// REQUIRE_POSTGRES in the environment the test fails.
func Need(t testing.TB) {
	t.Helper()
	_, err := installed()
	if err == nil {
		return
	}
	if os.Getenv("REQUIRE_POSTGRES") != "" {
		t.Fatal(err)
	}
	aloud.Do(func() { fmt.Fprintln(os.Stderr, "NOT TESTED ON POSTGRESQL:", err) })
	t.Skip("NOT TESTED ON POSTGRESQL: ", err)
}

var aloud sync.Once // a skipped test says nothing without -v

// Start starts a server and waits until it answers. Who starts it stops it.
func Start() (*Server, error) {
	bin, err := installed()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "microblog-pg-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir}
	if err := s.start(bin); err != nil {
		err = errors.Join(err, s.Stop())
		return nil, fmt.Errorf("start PostgreSQL: %w\n%s", err, s.log.String())
	}
	return s, nil
}

func (s *Server) start(bin string) error {
	as, err := unprivileged(s.dir)
	if err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "microblog", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.Dir, initdb.SysProcAttr, initdb.Stdout, initdb.Stderr = s.dir, as, &s.log, &s.log
	if err := initdb.Run(); err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200", "-c", "shared_buffers=32MB")
	cmd.Dir, cmd.SysProcAttr, cmd.Stdout, cmd.Stderr = s.dir, as, &s.log, &s.log
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd = cmd
	db, err := sql.Open("pgx", s.url("postgres"))
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

// Database makes an empty database and returns its address, which is both for
// DATABASE_URL and for the driver pgx.
func (s *Server) Database() (address string, err error) {
	db, err := sql.Open("pgx", s.url("postgres"))
	if err != nil {
		return "", err
	}
	defer db.Close()
	name := fmt.Sprintf("microblog_%d", s.databases.Add(1))
	if _, err := db.Exec("CREATE DATABASE " + name); err != nil {
		return "", err
	}
	return s.url(name), nil
}

func (s *Server) url(database string) string {
	return fmt.Sprintf("postgres://microblog@/%s?host=%s", database, url.QueryEscape(s.dir))
}

// Stop ends the server, also under its clients, and removes its data.
func (s *Server) Stop() error {
	if s.cmd != nil {
		s.cmd.Process.Signal(syscall.SIGQUIT) // at once: the data is of no use any more
		s.cmd.Wait()                          // how it ended says as little
	}
	return os.RemoveAll(s.dir)
}
