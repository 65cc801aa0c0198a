package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"
)

// The migrations of each database, in the order of the numbers in their names.
//
//go:embed migrations
var migrations embed.FS

// migrateInTurn migrates, again for as long as another process has the database.
// SQLite itself does not wait where two who read it both want to write, which is so
// while a new file gets its write-ahead log: one of them is turned away.
func (s *Store) migrateInTurn(ctx context.Context) error {
	end := time.After(busyFor)
	for {
		err := s.migrate(ctx)
		if err == nil || !s.dialect.busy(err) {
			return err
		}
		select {
		case <-end:
			return err
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// migrate brings the tables up to date in one transaction. A second process
// that starts at the same time waits for it, and then finds nothing to do.
func (s *Store) migrate(ctx context.Context) error {
	steps, err := fs.Glob(migrations, path.Join("migrations", s.dialect.migrations, "*.sql"))
	if err != nil {
		return err
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	if s.dialect.lock != "" {
		if _, err := tx.ExecContext(ctx, s.dialect.lock); err != nil {
			return fmt.Errorf("wait for other migrations: %w", err)
		}
	}
	if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)`); err != nil {
		return fmt.Errorf("prepare the migrations: %w", err)
	}
	var version int
	if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM schema_version`).Scan(&version); err != nil {
		return fmt.Errorf("read the version of the database: %w", err)
	}
	if version > len(steps) {
		return fmt.Errorf("it is at version %d and this microblog knows %d: run the newer one", version, len(steps))
	}
	for i, step := range steps[version:] {
		number, _, _ := strings.Cut(path.Base(step), "_")
		if n, err := strconv.Atoi(number); err != nil || n != version+i+1 {
			return fmt.Errorf("migration %s should have the number %d", step, version+i+1)
		}
		statements, err := fs.ReadFile(migrations, step)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, string(statements)); err != nil {
			return fmt.Errorf("migrate with %s: %w", step, err)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO schema_version (version) VALUES ($1)`, version+i+1); err != nil {
			return fmt.Errorf("note the version of the database: %w", err)
		}
	}
	return tx.Commit()
}
