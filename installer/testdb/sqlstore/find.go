package sqlstore

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/anuket-project/xtci/installer/testdb"
)

// A step of a scan reads so many documents at most, and stops after so many
// bytes. Between the steps no snapshot is held.
const (
	stepRows  = 500
	stepBytes = 1 << 20
)

// Find streams the documents that a query matches, of those that are there
// when it begins. A document that is changed meanwhile comes as it was or as
// it is. Filters for other than the searched fields read the body of every
// document that the rest of the query leaves.
func (s *Store) Find(ctx context.Context, c testdb.Collection, q testdb.Query) iter.Seq2[testdb.Document, error] {
	return func(yield func(testdb.Document, error) bool) {
		t, err := tableOf(c)
		if err == nil {
			err = s.find(ctx, t, q, func(doc testdb.Document) bool { return yield(doc, nil) })
		}
		if err != nil {
			yield(testdb.Document{}, fmt.Errorf("find %s: %w", c, s.explain(err)))
		}
	}
}

// find gives documents to the caller until it has enough.
func (s *Store) find(ctx context.Context, t table, q testdb.Query, give func(testdb.Document) bool) error {
	sel, err := s.selection(ctx, t, q, false)
	if err != nil || sel.none {
		return err
	}
	w := &walk{s: s, sel: sel, newest: q.Newest, offset: q.Offset, limit: q.Limit}
	if sel.left == nil {
		return w.run(ctx, give)
	}
	// What SQL does not look at cannot be skipped and counted by it.
	w.offset, w.limit = 0, 0
	skip, limit := q.Offset, q.Limit
	return w.run(ctx, func(doc testdb.Document) bool {
		if !sel.left(doc.Body) {
			return true
		}
		if skip > 0 {
			skip--
			return true
		}
		limit--
		return give(doc) && limit != 0
	})
}

// A walk goes through a selection in steps, by sequence numbers: what is
// added meanwhile is beyond its end.
type walk struct {
	s             *Store
	sel           selection
	newest        bool
	offset, limit int // a limit of 0 is none
}

// run gives documents to the caller until it has enough.
func (w *walk) run(ctx context.Context, give func(testdb.Document) bool) error {
	if err := w.bound(ctx); err != nil {
		return err
	}
	where, args := w.sel.where, w.sel.args
	for {
		n := stepRows
		if w.limit > 0 {
			n = min(w.limit, stepRows)
		}
		seqs, err := w.step(ctx, n)
		if err != nil {
			return err
		}
		if more, err := w.give(ctx, seqs, give); err != nil || !more {
			return err
		}
		if len(seqs) < n || n == w.limit {
			return nil
		}
		w.limit = max(0, w.limit-n)
		w.offset = 0
		w.sel.where, w.sel.args = slices.Clip(where), slices.Clip(args)
		if last := seqs[n-1]; w.newest {
			w.sel.add(`seq < ?`, last)
		} else {
			w.sel.add(`seq > ?`, last)
		}
	}
}

// bound ends a walk of several steps from the oldest at the document that is
// the newest now. A walk from the newest has such an end.
func (w *walk) bound(ctx context.Context) error {
	if w.newest || w.limit > 0 && w.limit <= stepRows {
		return nil
	}
	var newest int64
	err := w.s.reader.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM `+w.sel.table.name).Scan(&newest)
	w.sel.add(`seq <= ?`, newest)
	return err
}

// step returns the next sequence numbers, up to n of them.
func (w *walk) step(ctx context.Context, n int) ([]int64, error) {
	order := ` ORDER BY seq`
	if w.newest {
		order = ` ORDER BY seq DESC`
	}
	statement := `SELECT seq FROM ` + w.sel.from(w.s.d) + order + ` LIMIT ? OFFSET ?`
	rows, err := w.s.reader.QueryContext(ctx, w.s.d.sql(statement), append(slices.Clip(w.sel.args), n, w.offset)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	seqs := make([]int64, 0, n)
	for rows.Next() {
		var seq int64
		if err := rows.Scan(&seq); err != nil {
			return nil, err
		}
		seqs = append(seqs, seq)
	}
	return seqs, rows.Err()
}

// give loads documents and gives them to the caller, with no query open
// while the caller has them. It reports whether the caller wants more.
func (w *walk) give(ctx context.Context, seqs []int64, give func(testdb.Document) bool) (bool, error) {
	for len(seqs) > 0 {
		docs, rest, err := w.s.load(ctx, w.sel.table, seqs)
		if err != nil {
			return false, err
		}
		for _, doc := range docs {
			if !give(doc) {
				return false, nil
			}
		}
		seqs = rest
	}
	return true, nil
}

// load reads the documents of those sequence numbers, in that order, until it
// has enough bytes, and returns the numbers that are left.
func (s *Store) load(ctx context.Context, t table, seqs []int64) (docs []testdb.Document, rest []int64, err error) {
	list, order := s.d.list()
	statement := `SELECT d.seq, d.` + t.key() + `, d.id, b.body FROM ` + list + ` CROSS JOIN ` + t.name + ` d CROSS JOIN ` + t.name +
		`_bodies b WHERE d.seq = list.value AND b.seq = d.seq` + order
	rows, err := s.reader.QueryContext(ctx, s.d.sql(statement), s.d.listed(seqs))
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for size := 0; rows.Next(); {
		var seq int64
		var doc testdb.Document
		var body []byte
		if err := rows.Scan(&seq, &doc.Key, &doc.ID, &body); err != nil {
			return nil, nil, err
		}
		doc.Body = body
		docs = append(docs, doc)
		if size += len(body); size >= stepBytes {
			return docs, seqs[slices.Index(seqs, seq)+1:], nil
		}
	}
	return docs, nil, rows.Err()
}
