package store

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	sqlitedriver "modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"
)

// dialect is where the two databases differ; the statements are the same.
type dialect struct {
	name       string // in errors
	driver     string
	migrations string // the directory below migrations
	lock       string // run first in a migration, to be the only one
	duplicate  func(error) (index string, ok bool)
	busy       func(error) bool // another has it, and may have let it go by now
}

var sqlite = dialect{
	name:       "the SQLite database",
	driver:     "sqlite",
	migrations: "sqlite",
	duplicate: func(err error) (string, bool) {
		var e *sqlitedriver.Error
		if !errors.As(err, &e) || e.Code() != sqlitelib.SQLITE_CONSTRAINT_UNIQUE {
			return "", false
		}
		return e.Error(), true // names the column
	},
	busy: func(err error) bool {
		var e *sqlitedriver.Error
		return errors.As(err, &e) && e.Code()&0xff == sqlitelib.SQLITE_BUSY // the rest says which lock
	},
}

var postgres = dialect{
	name:       "the PostgreSQL database",
	driver:     "pgx",
	migrations: "postgres",
	lock:       "SELECT pg_advisory_xact_lock(6008123)", // any number that no other program picks
	duplicate: func(err error) (string, bool) {
		var e *pgconn.PgError
		if !errors.As(err, &e) || e.Code != "23505" { // unique_violation
			return "", false
		}
		return e.ConstraintName, true
	},
	busy: func(error) bool { return false }, // its lock waits
}

// taken makes a violated index of users an error that says which.
func (s *Store) taken(err error) error {
	index, ok := s.dialect.duplicate(err)
	switch {
	case ok && strings.Contains(index, "username"):
		return violation{ErrUsernameTaken, err}
	case ok && strings.Contains(index, "email"):
		return violation{ErrEmailTaken, err}
	}
	return err
}

// violation is an error of this package and, as its cause, the database's.
type violation struct{ kind, cause error }

func (v violation) Error() string        { return v.kind.Error() + ": " + v.cause.Error() }
func (v violation) Is(target error) bool { return target == v.kind }
func (v violation) Unwrap() error        { return v.cause }
