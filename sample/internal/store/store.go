// Package store keeps users and posts in a SQL database: SQLite, which needs no
// set-up, or PostgreSQL.
//
// Every change is one statement. So there is no transaction that a failing
// request could leave open, and nothing to roll back by hand.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// What a caller may have to tell apart.
var (
	ErrNotFound      = errors.New("not found")
	ErrUsernameTaken = errors.New("the username is taken")
	ErrEmailTaken    = errors.New("the email address is taken")
)

// Store is safe for use by many goroutines, and by many processes at once.
type Store struct {
	db      traced
	dialect dialect
}

const (
	connections = 10               // that a process opens at most
	busyFor     = 10 * time.Second // how long a locked database is waited for
)

// Open connects to the database of an address and brings its tables up to
// date. The address is one of
//
//	sqlite:///file.db             relative to the working directory
//	sqlite:////var/lib/file.db    absolute
//	postgres://user:password@host/database
func Open(ctx context.Context, address string) (*Store, error) {
	d, dsn, err := parse(address)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open(d.driver, dsn)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", d.name, err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	s := &Store{db: traced{db}, dialect: d}
	if err := s.migrateInTurn(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", d.name, err), db.Close())
	}
	return s, nil
}

// Close ends the connections.
func (s *Store) Close() error { return s.db.Close() }

// parse says which database an address is of, and its name for the driver.
func parse(address string) (dialect, string, error) {
	if file, ok := strings.CutPrefix(address, "sqlite:///"); ok && file != "" {
		path, err := filepath.Abs(filepath.FromSlash(file))
		d := sqlite
		d.name += " " + path
		return d, sqliteDSN(path), err
	}
	scheme, _, ok := strings.Cut(address, "://")
	if ok && (scheme == "postgres" || scheme == "postgresql") {
		return postgres, address, nil
	}
	// The address itself may hold a password.
	return dialect{}, "", errors.New("DATABASE_URL is neither sqlite:///file.db nor postgres://user:password@host/database")
}

// sqliteDSN asks for a write-ahead log, so that readers and a writer do not
// wait for each other, and for a transaction to take the write lock when it
// begins, so that two of them never fail because both have read first.
func sqliteDSN(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/…
	}
	options := url.Values{
		"_busy_timeout": {strconv.FormatInt(busyFor.Milliseconds(), 10)},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"NORMAL"},
		"_foreign_keys": {"on"},
		"_txlock":       {"immediate"},
		"_time_format":  {"sqlite"},
		"_timezone":     {"UTC"},
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: options.Encode()}).String()
}

// traced logs each statement at the level of debugging, without its arguments:
// those are what visitors typed.
type traced struct{ *sql.DB }

func (t traced) ExecContext(ctx context.Context, statement string, args ...any) (sql.Result, error) {
	slog.DebugContext(ctx, "sql", "statement", statement)
	return t.DB.ExecContext(ctx, statement, args...)
}

func (t traced) QueryContext(ctx context.Context, statement string, args ...any) (*sql.Rows, error) {
	slog.DebugContext(ctx, "sql", "statement", statement)
	return t.DB.QueryContext(ctx, statement, args...)
}

func (t traced) QueryRowContext(ctx context.Context, statement string, args ...any) *sql.Row {
	slog.DebugContext(ctx, "sql", "statement", statement)
	return t.DB.QueryRowContext(ctx, statement, args...)
}
