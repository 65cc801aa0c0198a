package main

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"devrun/devserver/suite"
	"devrun/sample/pgtest"
)

// database is an empty one for a test.
type database struct {
	name   string // sqlite or postgres
	url    string
	shared *server // that start gives, nil for one of the test's own
}

// onOne runs a test on SQLite; in the long suite it is onBoth.
func onOne(t *testing.T, test func(t *testing.T, db database)) {
	if suite.IsLong() {
		onBoth(t, test)
		return
	}
	t.Parallel()
	test(t, onSQLite(t))
}

// onBoth runs a test on SQLite and on PostgreSQL, side by side with others.
func onBoth(t *testing.T, test func(t *testing.T, db database)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, onSQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, onPostgres(t))
	})
}

// everywhere is onOne, in production; in the long suite it is on both once more in
// development under devrun, which the tests share one after the other.
func everywhere(t *testing.T, test func(t *testing.T, db database)) {
	onOne(t, test)
	if !suite.IsLong() {
		return
	}
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name+" under devrun", func(t *testing.T) {
			t.Parallel()
			test(t, underDevrun(t, name))
		})
	}
}

func onSQLite(t *testing.T) database {
	return database{name: "sqlite", url: "sqlite:///" + filepath.ToSlash(filepath.Join(t.TempDir(), "test.db"))}
}

// postgres is the server that the tests share. It starts when a test needs it.
var postgres struct {
	sync.Once
	server *pgtest.Server
	err    error
}

func onPostgres(t *testing.T) database {
	t.Helper()
	pgtest.Need(t)
	postgres.Do(func() { postgres.server, postgres.err = pgtest.Start() })
	if postgres.err != nil {
		t.Fatal(postgres.err)
	}
	url, err := postgres.server.Database()
	if err != nil {
		t.Fatal(err)
	}
	return database{name: "postgres", url: url}
}

func stopPostgres() {
	if postgres.server == nil {
		return
	}
	if err := postgres.server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// another is an empty one of the same kind.
func another(t *testing.T, db database) database {
	t.Helper()
	if db.name == "postgres" {
		return onPostgres(t)
	}
	return onSQLite(t)
}

// open is a look at what microblog keeps, beside microblog.
func (d database) open(t *testing.T) *sql.DB {
	t.Helper()
	driver, dsn := "pgx", d.url
	if path, ok := strings.CutPrefix(d.url, "sqlite:///"); ok {
		driver, dsn = "sqlite", "file:"+path+"?_busy_timeout=10000"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// count is the one number that a query gives.
func (d database) count(t *testing.T, query string, args ...any) (n int) {
	t.Helper()
	if err := d.open(t).QueryRow(query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func (d database) lastSeen(t *testing.T, username string) (at time.Time) {
	t.Helper()
	if err := d.open(t).QueryRow(`SELECT last_seen FROM "user" WHERE username = $1`, username).Scan(&at); err != nil {
		t.Fatal(err)
	}
	return at
}
