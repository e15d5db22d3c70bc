package sqlstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/anuket-project/xtci/installer/testdb"
)

// Count counts the documents that a query matches. For all of them, for one
// searched field, and for a range of dates it reads counters.
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
	switch {
	case t.shared:
	case len(q.Filters) == 0 && dated:
		return s.countRange(ctx, t, q)
	case len(q.Filters) == 0:
		return s.counter(ctx, t, everything, "")
	case len(q.Filters) == 1 && !dated && slices.Contains(t.columns, q.Filters[0].Path):
		return s.counter(ctx, t, q.Filters[0].Path, searched(q.Filters[0].Value))
	}
	var n int64
	sel, err := s.selection(ctx, t, q, true)
	switch {
	case err != nil || sel.none:
	case sel.left != nil:
		q.Limit, q.Offset = 0, 0
		err = s.find(ctx, t, q, func(testdb.Document) bool { n++; return true })
	default:
		err = s.reader.QueryRowContext(ctx, s.d.sql(`SELECT count(*) FROM `+sel.from(s.d)), sel.args...).Scan(&n)
	}
	return n, err
}

// counter returns how many documents have that value in that field. Dates
// have no counters of their own: their index tells, few being the same.
func (s *Store) counter(ctx context.Context, t table, field, value string) (int64, error) {
	var n int64
	var err error
	if field == startDate {
		err = s.reader.QueryRowContext(ctx, s.d.sql(`SELECT count(*) FROM `+t.name+` WHERE start_date = ?`), s.d.text(value)).Scan(&n)
	} else {
		err = s.reader.QueryRowContext(ctx, s.d.sql(`SELECT CAST(coalesce(sum(n), 0) AS BIGINT) FROM counters WHERE collection = ? AND field = ? AND value = ?`),
			s.d.text(string(t.collection)), s.d.text(field), s.d.text(value)).Scan(&n)
	}
	return n, err
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
