package sqlstore

import (
	"context"
	"slices"
	"strings"

	"github.com/anuket-project/xtci/installer/testdb"
)

const (
	// fewInRange is how many results of a range of dates are read by the
	// index of dates and sorted, for every step of a walk. Of more, enough
	// are met soon when walking in the order of insertion.
	fewInRange = 2000
	// afterAll is after every text in UTF-8.
	afterAll = "\xff"
)

// A selection is a query made ready: what SQL does, and what is left to do.
type selection struct {
	table table
	// none says that nothing can match.
	none  bool
	where []string
	args  []any
	index string // the column whose index is read; "" is the order of insertion
	// all is how many documents there are, and counts how many have each
	// value that is asked for, the fewest first: all read at one moment.
	all    int64
	counts []int64
	// left says whether a body satisfies what SQL did not look at; nil is
	// nothing left.
	left func(body []byte) bool
}

// selection prepares a query. It reads the index that has the fewest rows
// for it, by the counters.
func (s *Store) selection(ctx context.Context, t table, q testdb.Query, counting bool) (selection, error) {
	sel := selection{table: t}
	dated := q.From != nil || q.To != nil
	if t.shared {
		sel.add(`collection = ?`, s.d.text(string(t.collection)))
		if len(q.Filters) > 0 || dated {
			sel.left = func(body []byte) bool { return matchesAll(body, q.Filters) && inRange(body, q.From, q.To) }
		}
		return sel, nil
	}
	if err := s.selectFields(ctx, &sel, q.Filters); err != nil || !dated {
		return sel, err
	}
	n, err := s.selectRange(ctx, &sel, q)
	if (sel.index == "" || n < sel.counts[0]) && (n <= fewInRange || counting) {
		sel.index = startDate
	}
	return sel, err
}

// selectFields adds the filters, with a column or without.
func (s *Store) selectFields(ctx context.Context, sel *selection, filters []testdb.Filter) error {
	var indexed, left []testdb.Filter
	for _, f := range filters {
		if !slices.Contains(sel.table.columns, f.Path) {
			left = append(left, f)
			continue
		}
		f.Value = searched(f.Value)
		switch i := slices.IndexFunc(indexed, func(other testdb.Filter) bool { return other.Path == f.Path }); {
		case i < 0:
			indexed = append(indexed, f)
			sel.add(f.Path+` = ?`, s.d.text(f.Value))
		case indexed[i] != f: // a field has one value
			sel.none = true
		}
	}
	if len(left) > 0 {
		sel.left = func(body []byte) bool { return matchesAll(body, left) }
	}
	all, counts, err := s.counters(ctx, sel.table, indexed)
	if err != nil {
		return err
	}
	if len(counts) > 0 {
		fewest := slices.Min(counts)
		sel.none = sel.none || fewest == 0
		sel.index = indexed[slices.Index(counts, fewest)].Path
	}
	sel.all, sel.counts = all, slices.Sorted(slices.Values(counts))
	return nil
}

// selectRange adds the range of dates of a query, with the sequence numbers
// that its days lie between, and returns about how many results it has.
func (s *Store) selectRange(ctx context.Context, sel *selection, q testdb.Query) (int64, error) {
	from, to := ends(q)
	var n, first, last int64
	err := s.reader.QueryRowContext(ctx, s.d.sql(`SELECT CAST(coalesce(sum(n), 0) AS BIGINT), coalesce(min(first), 0), coalesce(max(last), 0)
		FROM counters WHERE collection = ? AND field = ? AND value >= ? AND value <= ?`),
		s.d.text(string(sel.table.collection)), s.d.text(startDay), s.d.text(day(from)), s.d.text(day(to))).Scan(&n, &first, &last)
	sel.none = sel.none || n == 0
	sel.add(startDate+` >= ?`, s.d.text(from))
	sel.add(startDate+` < ?`, s.d.text(to))
	sel.add(`seq >= ?`, first)
	sel.add(`seq <= ?`, last)
	return n, err
}

// ends returns the ends of a range of dates, the open ones too.
func ends(q testdb.Query) (from, to string) {
	to = afterAll
	if q.From != nil {
		from = *q.From
	}
	if q.To != nil {
		to = *q.To
	}
	return from, to
}

// inRange reports whether a document's start_date lies in a range. Without a
// range every document does.
func inRange(body []byte, from, to *string) bool {
	if from == nil && to == nil {
		return true
	}
	date, isText := "", false
	for name, value := range members(body) {
		if name == startDate {
			date, isText = text(value)
		}
	}
	return isText && (from == nil || date >= *from) && (to == nil || date < *to)
}

func (sel *selection) add(condition string, arg any) {
	sel.where, sel.args = append(sel.where, condition), append(sel.args, arg)
}

// from is the FROM and WHERE of the selection.
func (sel *selection) from(d dialect) string {
	from := sel.table.name
	if !sel.table.shared {
		from += d.indexedBy(sel.table.name, sel.index)
	}
	if len(sel.where) > 0 {
		from += ` WHERE ` + strings.Join(sel.where, ` AND `)
	}
	return from
}
