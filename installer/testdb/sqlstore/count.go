package sqlstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/anuket-project/xtci/installer/testdb"
)

// Count counts the documents that a query matches. All of them, those of a
// range of dates, and those with one value of a searched field (beside others
// that all documents have) are counted already. Otherwise it goes through
// those with the rarest value, or of the range.
func (s *Store) Count(ctx context.Context, c testdb.Collection, q testdb.Query) (int, error) {
	t, err := tableOf(c)
	if err != nil {
		return 0, err
	}
	n, err := s.count(ctx, t, q)
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", c, s.explain(err))
	}
	return int(n), nil
}

func (s *Store) count(ctx context.Context, t table, q testdb.Query) (int64, error) {
	dated := q.From != nil || q.To != nil
	if dated && len(q.Filters) == 0 && !t.shared {
		return s.countRange(ctx, t, q)
	}
	sel, err := s.selection(ctx, t, q, true)
	if err != nil || sel.none {
		return 0, err
	}
	var n int64
	switch {
	case sel.left != nil:
		q.Limit, q.Offset = 0, 0
		err = s.find(ctx, t, q, func(testdb.Document) bool { n++; return true })
	case t.shared || dated:
		n, err = s.countRows(ctx, sel)
	case len(sel.counts) == 0:
		n = sel.all
	case len(sel.counts) == 1 || sel.counts[1] == sel.all: // the others match always
		n = sel.counts[0]
	default:
		n, err = s.countRows(ctx, sel)
	}
	return n, err
}

func (s *Store) countRows(ctx context.Context, sel selection) (n int64, err error) {
	err = s.reader.QueryRowContext(ctx, s.d.sql(`SELECT count(*) FROM `+sel.from(s.d)), sel.args...).Scan(&n)
	return n, err
}

// counters returns how many documents there are in all, and how many have
// each of the values, at one moment. Dates have no counters of their own:
// their index tells, few being the same.
func (s *Store) counters(ctx context.Context, t table, values []testdb.Filter) (all int64, each []int64, err error) {
	statement, args := `SELECT `, []any{}
	for i, v := range append([]testdb.Filter{{Path: everything}}, values...) {
		if i > 0 {
			statement += `, `
		}
		if v.Path == startDate {
			statement += `(SELECT count(*) FROM ` + t.name + ` WHERE start_date = ?)`
			args = append(args, s.d.text(v.Value))
			continue
		}
		statement += `coalesce((SELECT n FROM counters WHERE collection = ? AND field = ? AND value = ?), 0)`
		args = append(args, s.d.text(string(t.collection)), s.d.text(v.Path), s.d.text(v.Value))
	}
	counts := make([]int64, 1+len(values))
	into := make([]any, len(counts))
	for i := range counts {
		into[i] = &counts[i]
	}
	err = s.reader.QueryRowContext(ctx, s.d.sql(statement), args...).Scan(into...)
	return counts[0], counts[1:], err
}

// countRange counts by days what lies between the first and the last day of a
// range, and by the index of dates what lies on these two.
func (s *Store) countRange(ctx context.Context, t table, q testdb.Query) (int64, error) {
	from, to := ends(q)
	var n int64
	if from >= to {
		return 0, nil
	}
	indexed := t.name + s.d.indexedBy(t.name, startDate)
	if day(from) == day(to) {
		err := s.reader.QueryRowContext(ctx, s.d.sql(`SELECT count(*) FROM `+indexed+` WHERE start_date >= ? AND start_date < ?`),
			s.d.text(from), s.d.text(to)).Scan(&n)
		return n, err
	}
	days := `FROM counters WHERE collection = ? AND field = ? AND value > ? AND value < ?`
	between := []any{s.d.text(string(t.collection)), s.d.text(startDay), s.d.text(day(from)), s.d.text(day(to))}
	// The first day ends where the next one with results begins.
	statement := `SELECT CAST(
		(SELECT coalesce(sum(n), 0) ` + days + `) +
		(SELECT count(*) FROM ` + indexed + ` WHERE start_date >= ? AND start_date < coalesce((SELECT value ` + days + ` ORDER BY value LIMIT 1), ?)) +
		(SELECT count(*) FROM ` + indexed + ` WHERE start_date >= ? AND start_date < ?) AS BIGINT)`
	args := slices.Concat(between, []any{s.d.text(from)}, between, []any{s.d.text(day(to)), s.d.text(day(to)), s.d.text(to)})
	err := s.reader.QueryRowContext(ctx, s.d.sql(statement), args...).Scan(&n)
	return n, err
}
