package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/anuket-project/xtci/installer/testdb"
)

const (
	// A transaction takes what waits, up to so many changes and bytes: the
	// first in it must not wait for ever, and a log must not grow by it.
	maxWrites     = 256
	maxWriteBytes = 8 << 20
	// writeTimeout bounds a transaction: a PostgreSQL that does not answer
	// must not hold its clients.
	writeTimeout = 30 * time.Second
)

var errClosed = errors.New("the test DB is closed")

// A write is one change that waits for its commit.
type write struct {
	// given says why its caller does not want it any more.
	given func() error
	bytes int
	// apply makes the change. If it returns testdb.ErrExists or ErrNotFound,
	// it has changed nothing.
	apply  func(context.Context, *batch) error
	answer error
	done   chan error
}

// write hands a change to the writer and waits until it is on disk. After an
// error of the context, it may be there or not.
func (s *Store) write(ctx context.Context, bytes int, apply func(context.Context, *batch) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &write{given: ctx.Err, bytes: bytes, apply: apply, done: make(chan error, 1)}
	select {
	case s.writes <- w:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return errClosed
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("gave up while it was being written: %w", ctx.Err())
	}
}

// writeLoop is the one that writes. It ends when the store is being closed,
// after what it has begun.
func (s *Store) writeLoop(ctx context.Context) {
	defer close(s.written)
	for {
		select {
		case first := <-s.writes:
			s.commit(ctx, s.gather(first))
		case <-s.closing:
			return
		}
	}
}

// gather takes the changes that wait by now.
func (s *Store) gather(first *write) []*write {
	writes, bytes := []*write{first}, first.bytes
	for len(writes) < maxWrites && bytes < maxWriteBytes {
		select {
		case w := <-s.writes:
			writes, bytes = append(writes, w), bytes+w.bytes
		default:
			return writes
		}
	}
	return writes
}

// commit makes the changes in one transaction, and answers them. If it fails
// by one of them, each gets its own: none fails for another's sake.
func (s *Store) commit(ctx context.Context, writes []*write) {
	bounded, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	tx, err := s.begin(bounded)
	if err == nil {
		err = s.transact(bounded, tx, writes)
		if err != nil && len(writes) > 1 && s.d.undone(err) {
			for _, w := range writes {
				s.commit(ctx, []*write{w})
			}
			return
		}
	}
	for _, w := range writes {
		if err != nil {
			w.answer = s.explain(err)
		}
		w.done <- w.answer
	}
	if err == nil {
		s.d.committed(bounded, s.writer)
	}
}

// begin begins a transaction, the only one that writes.
func (s *Store) begin(ctx context.Context) (*sql.Tx, error) {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	if lock := s.d.lock(); lock != "" {
		if _, err := tx.ExecContext(ctx, lock); err != nil {
			return nil, errors.Join(err, tx.Rollback())
		}
	}
	return tx, nil
}

// transact makes the changes, notes the answer of each, and commits.
func (s *Store) transact(ctx context.Context, tx *sql.Tx, writes []*write) error {
	defer tx.Rollback() //nolint:errcheck // it does nothing after a commit, and there is nothing to undo else
	b := &batch{s: s, tx: tx}
	changed := false
	for _, w := range writes {
		if w.answer = w.given(); w.answer != nil {
			continue
		}
		w.answer = w.apply(ctx, b)
		if w.answer == nil {
			changed = true
		} else if !errors.Is(w.answer, testdb.ErrExists) && !errors.Is(w.answer, testdb.ErrNotFound) {
			return w.answer
		}
	}
	if !changed {
		return nil
	}
	if err := b.tally.flush(ctx, b); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		if !s.d.undone(err) {
			return fmt.Errorf("it is not known whether it was stored: %w", err)
		}
		return err
	}
	s.prepare(ctx, b.fresh)
	return nil
}

// A batch is the transaction that changes are made in.
type batch struct {
	s     *Store
	tx    *sql.Tx
	tally tally
	fresh []string // statements to be prepared for the next batches
}

// statement returns a statement of the transaction.
func (b *batch) statement(ctx context.Context, statement string) (*sql.Stmt, error) {
	if stmt, ok := b.s.prepared[statement]; ok {
		return b.tx.StmtContext(ctx, stmt), nil
	}
	b.fresh = append(b.fresh, statement)
	return b.tx.PrepareContext(ctx, b.s.d.sql(statement))
}

// prepare keeps the statements that a batch had to prepare for itself. What
// cannot be prepared now is tried again by the next.
func (s *Store) prepare(ctx context.Context, fresh []string) {
	for _, statement := range fresh {
		if s.prepared[statement] == nil {
			if stmt, err := s.writer.PrepareContext(ctx, s.d.sql(statement)); err == nil {
				s.prepared[statement] = stmt
			}
		}
	}
}

// exec runs a statement and returns how many rows it changed.
func (b *batch) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	stmt, err := b.statement(ctx, statement)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// insert runs an INSERT that does nothing on a conflict, which is ErrExists.
func (b *batch) insert(ctx context.Context, statement string, args ...any) error {
	n, err := b.exec(ctx, statement, args...)
	if err == nil && n == 0 {
		return testdb.ErrExists
	}
	return err
}

// number runs a statement that returns one number; none is otherwise.
func (b *batch) number(ctx context.Context, otherwise error, statement string, args ...any) (int64, error) {
	stmt, err := b.statement(ctx, statement)
	if err != nil {
		return 0, err
	}
	var n int64
	err = stmt.QueryRowContext(ctx, args...).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, otherwise
	}
	return n, err
}
