package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	// readers bounds the connections that read, and so their page caches.
	readers = 4
	// lockWait is how long to wait for another process that writes.
	lockWait = 10 * time.Second
	// The log is copied into the database after each logPages pages of
	// 4 KiB. That leaves it growing while there is always a reader; from
	// maxLog bytes on, the writer waits logWait for the readers to be done
	// and empties it, and tries again after each retryLog bytes more.
	logPages = 4000
	maxLog   = 64 << 20
	retryLog = 16 << 20
	logWait  = 100 * time.Millisecond
	// fullBelow is how much room there is on a disk that is called full
	// when SQLite says only that a write has failed.
	fullBelow = 1 << 20
)

// sqliteFile is the dialect of SQLite, and its file.
type sqliteFile struct {
	path    string
	nextLog int64 // the size of the log at which to empty it; the writer's
}

func openSQLite(ctx context.Context, path string) (*Store, error) {
	if path == "" {
		return nil, errors.New("no file is named")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := create(path); err != nil {
		return nil, err
	}
	d := &sqliteFile{path: path, nextLog: maxLog}
	writer, err := d.connect(1, "synchronous(FULL)", fmt.Sprintf("wal_autocheckpoint(%d)", logPages),
		fmt.Sprintf("journal_size_limit(%d)", maxLog), "cache_size(-16384)", "temp_store(MEMORY)") // its statement journals, of a few pages
	if err != nil {
		return nil, err
	}
	if err := useLog(ctx, writer); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), writer.Close())
	}
	reader, err := d.connect(readers, "query_only(ON)", "cache_size(-4096)")
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	return &Store{name: path, d: d, reader: reader, writer: writer}, nil
}

// connect opens connections to the file, with pragmas for each. A transaction
// takes the lock for writing when it begins, so that it never fails half way.
func (f *sqliteFile) connect(connections int, pragmas ...string) (*sql.DB, error) {
	query := url.Values{
		"_txlock":    {"immediate"},
		"_defensive": {"1"},
		"_dqs":       {"0"},
		"_error_rc":  {"1"},
		"_pragma":    append([]string{fmt.Sprintf("busy_timeout(%d)", lockWait.Milliseconds()), "trusted_schema(OFF)"}, pragmas...),
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: f.path, RawQuery: query.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// create makes an empty file for its owner alone, if there is none. It is
// made under another name: closing a file takes SQLite's locks on it away.
func create(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFile(filepath.Dir(path))
}

// useLog turns the write-ahead log on. SQLite does not wait for others who do
// the same, so this does.
func useLog(ctx context.Context, db *sql.DB) error {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		var mode string
		err := db.QueryRowContext(ctx, `PRAGMA journal_mode = WAL`).Scan(&mode)
		if err == nil && mode != "wal" {
			return fmt.Errorf("its file system has no shared memory, which the write-ahead log of SQLite needs (journal mode %s)", mode)
		}
		if err == nil || code(err)&0xff != sqlite3.SQLITE_BUSY {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return err
		}
	}
}

func (*sqliteFile) migrations() string { return "migrations/sqlite" }

func (*sqliteFile) sql(statement string) string { return statement }

func (*sqliteFile) text(s string) any { return s }

func (*sqliteFile) lock() string { return "" } // BEGIN IMMEDIATE is it

func (*sqliteFile) indexedBy(table, column string) string {
	if column == "" {
		return ` NOT INDEXED` // but by seq
	}
	return ` INDEXED BY ` + table + `_` + column
}

func (*sqliteFile) list() (item, order string) { return `json_each(?) AS list`, `` }

func (*sqliteFile) listed(seqs []int64) any {
	list, err := json.Marshal(seqs)
	if err != nil {
		return `[]` // numbers can be written
	}
	return string(list)
}

// code is the extended result code of SQLite, or 0.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

func (f *sqliteFile) full(err error) bool {
	switch c := code(err); {
	case c&0xff == sqlite3.SQLITE_FULL, c == sqlite3.SQLITE_IOERR_SHMSIZE:
		return true
	case c&0xff == sqlite3.SQLITE_IOERR:
		// A quota and a failing fsync come without their reason.
		var disk syscall.Statfs_t
		return syscall.Statfs(filepath.Dir(f.path), &disk) == nil && disk.Bavail*uint64(disk.Bsize) < fullBelow
	default:
		return false
	}
}

func (*sqliteFile) undone(error) bool { return true }

// committed empties the log when it has grown large.
func (f *sqliteFile) committed(ctx context.Context, writer *sql.DB) {
	log, err := os.Stat(f.path + "-wal")
	if err != nil || log.Size() < f.nextLog {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, logWait)
	defer cancel()
	var busy, pages, copied int
	err = writer.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &copied)
	if f.nextLog = maxLog; err != nil || busy != 0 {
		f.nextLog = log.Size() + retryLog
	}
}

// backup copies into a file of another name first: what has the name is whole
// and on disk.
func (f *sqliteFile) backup(ctx context.Context, file string) (err error) {
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fs.ErrExist
		}
		return err
	}
	dir := filepath.Dir(file)
	part, err := os.CreateTemp(dir, filepath.Base(file)+".part-*")
	if err != nil {
		return err
	}
	defer os.Remove(part.Name())
	if err := part.Close(); err != nil {
		return err
	}
	db, err := f.connect(1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, part.Name()); err != nil {
		return err
	}
	if err := syncFile(part.Name()); err != nil {
		return err
	}
	// Unlike a renaming, a link never replaces what has come meanwhile.
	if err := os.Link(part.Name(), file); err != nil {
		return err
	}
	return syncFile(dir)
}

// syncFile brings a file, or the names in a directory, to disk.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
