package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

//go:embed migrations
var migrationFiles embed.FS

// migrate brings the schema up to date: the files of the dialect in the order
// of their numbers, 1 and up without a gap, each in a transaction of its own,
// never back. Processes that do so at the same time wait for each other.
func migrate(ctx context.Context, db *sql.DB, d dialect, files fs.FS) error {
	steps, err := fs.Glob(files, d.migrations()+"/*.sql")
	if err != nil {
		return err
	}
	for {
		more, err := migrateOnce(ctx, db, d, files, steps)
		if err != nil {
			return err
		}
		if !more {
			return nil
		}
	}
}

// migrateOnce takes the next step, if there is one.
func migrateOnce(ctx context.Context, db *sql.DB, d dialect, files fs.FS, steps []string) (more bool, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer tx.Rollback() //nolint:errcheck // it does nothing after a commit, and there is nothing to undo else
	if lock := d.lock(); lock != "" {
		if _, err := tx.ExecContext(ctx, lock); err != nil {
			return false, err
		}
	}
	const table = `CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, name TEXT NOT NULL)`
	if _, err := tx.ExecContext(ctx, table); err != nil {
		return false, err
	}
	var version int
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM schema_version`).Scan(&version); err != nil {
		return false, err
	}
	switch {
	case version > len(steps):
		return false, fmt.Errorf("it was made by a newer xtci: its schema has version %d, this xtci knows %d; use the newer one", version, len(steps))
	case version == len(steps):
		return false, nil
	}
	name := steps[version]
	number, _, _ := strings.Cut(path.Base(name), "_")
	if n, err := strconv.Atoi(number); err != nil || n != version+1 {
		return false, fmt.Errorf("schema step %s should have the number %d", name, version+1)
	}
	statements, err := fs.ReadFile(files, name)
	if err != nil {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, string(statements)); err != nil {
		return false, fmt.Errorf("schema step %s: %w", name, err)
	}
	if _, err := tx.ExecContext(ctx, d.sql(`INSERT INTO schema_version (version, name) VALUES (?, ?)`), version+1, path.Base(name)); err != nil {
		return false, err
	}
	return true, tx.Commit()
}
