package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/anuket-project/xtci/installer/testdb"
)

// A Store is a testdb.Store in an SQL database. Documents of the collections
// Results and DeployResults are only added, never changed or removed.
type Store struct {
	name   string // of the database, for people: no password
	d      dialect
	reader *sql.DB // many connections
	writer *sql.DB // one connection, of writeLoop

	// The statements of the writer, prepared once; only writeLoop uses them.
	prepared map[string]*sql.Stmt

	writes    chan *write
	closing   chan struct{}
	closeOnce sync.Once
	written   chan struct{} // closed when writeLoop has ended
	closeErr  error
}

var _ testdb.Store = (*Store)(nil)

// A dialect is what one database does in another way.
type dialect interface {
	// migrations is the folder of the schema's steps, one file each.
	migrations() string
	// sql writes a statement with its placeholders, question marks, in the
	// way of the database.
	sql(statement string) string
	// text is a value of the type that text columns have.
	text(s string) any
	// lock is the statement, or "", that a writing transaction begins with
	// to be the only one, of all processes.
	lock() string
	// indexedBy names the index of a column to use, or that of seq for "",
	// where that can be said.
	indexedBy(table, column string) string
	// list is a FROM item, list, with the numbers value that are listed in
	// its one argument, and the ORDER BY, if needed, for their order.
	list() (item, order string)
	listed(seqs []int64) any
	// full says whether an error is that of a full disk, and undone whether
	// a transaction that ended with the error is sure not to be stored.
	full(err error) bool
	undone(err error) bool
	// committed is called by the writer after each commit.
	committed(ctx context.Context, writer *sql.DB)
	backup(ctx context.Context, file string) error
}

// IsPostgres says whether a DSN is that of a PostgreSQL database, and not a file.
func IsPostgres(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

// Open opens the database of a DSN, brings its schema up to date and starts
// the writer. The DSN is the URL of a PostgreSQL database (postgres://...), or
// the path of an SQLite file, which is made if it is not there, for its owner
// alone.
func Open(ctx context.Context, dsn string) (*Store, error) {
	open := openSQLite
	if IsPostgres(dsn) {
		open = openPostgres
	}
	s, err := open(ctx, dsn)
	if err != nil {
		return nil, fmt.Errorf("open the test DB: %w", err)
	}
	if err := migrate(ctx, s.writer, s.d, migrationFiles); err != nil {
		return nil, errors.Join(fmt.Errorf("open the test DB %s: %w", s.name, s.explain(err)), s.reader.Close(), s.writer.Close())
	}
	s.prepared = map[string]*sql.Stmt{}
	s.writes = make(chan *write)
	s.closing = make(chan struct{})
	s.written = make(chan struct{})
	go s.writeLoop(context.WithoutCancel(ctx))
	return s, nil
}

// Close waits for the changes that are being written, and closes the database.
// Changes that have not been begun return an error.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		<-s.written
		// The last connection of SQLite cleans up, so the writer goes last.
		s.closeErr = errors.Join(s.reader.Close(), s.writer.Close())
	})
	return s.closeErr
}

// Ping reads from the database and writes to its disk.
func (s *Store) Ping(ctx context.Context) error {
	var n int64
	if err := s.reader.QueryRowContext(ctx, `SELECT n FROM probe`).Scan(&n); err != nil {
		return fmt.Errorf("read from the test DB: %w", s.explain(err))
	}
	err := s.write(ctx, 0, func(ctx context.Context, b *batch) error {
		_, err := b.exec(ctx, `UPDATE probe SET n = n + 1`)
		return err
	})
	if err != nil {
		return fmt.Errorf("write to the test DB: %w", err)
	}
	return nil
}

// Backup writes a consistent copy of an SQLite database to a new file, for its
// owner alone, while others read and write. What they write during the copy
// stays in the write-ahead log until it is done. PostgreSQL has its own tool.
func (s *Store) Backup(ctx context.Context, file string) error {
	if err := s.d.backup(ctx, file); err != nil {
		return fmt.Errorf("copy the test DB %s to %s: %w", s.name, file, s.explain(err))
	}
	return nil
}

// AddToken adds the hash of a token, with a name for people. It returns
// testdb.ErrExists for a hash that is there already.
func (s *Store) AddToken(ctx context.Context, name string, hash []byte) error {
	err := s.write(ctx, 0, func(ctx context.Context, b *batch) error {
		return b.insert(ctx, `INSERT INTO tokens (hash, name) VALUES (?, ?) ON CONFLICT DO NOTHING`, hash, s.d.text(name))
	})
	if err != nil {
		return fmt.Errorf("add token %s: %w", name, err)
	}
	return nil
}

// HasToken reports whether a token of that hash was added.
func (s *Store) HasToken(ctx context.Context, hash []byte) (bool, error) {
	var n int
	err := s.reader.QueryRowContext(ctx, s.d.sql(`SELECT count(*) FROM tokens WHERE hash = ?`), hash).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("look a token up: %w", s.explain(err))
	}
	return n > 0, nil
}

// explain makes a full disk testdb.ErrFull.
func (s *Store) explain(err error) error {
	if err != nil && s.d.full(err) {
		return fmt.Errorf("%w: %s: %w", testdb.ErrFull, s.name, err)
	}
	return err
}
