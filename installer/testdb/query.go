package testdb

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// perPage is how many results a page has.
	perPage = 20
	// maxPerPage is how many a client may ask for where it may.
	maxPerPage = 1000
	// maxPeriod bounds, in days, how far back a period goes: no date is older.
	maxPeriod = 700_000
)

// A listQuery is what GET /results and GET /deployresults were asked for
// (spec/testapi-xtesting.md, a.4).
type listQuery struct {
	Query
	// numbers are fields that must be a number; stores know texts only.
	numbers []numberFilter
	// none says that no document can match.
	none bool
	// last, if positive, cuts the list.
	last int
	// page is the page asked for, from 1; others ask for all, the oldest
	// first.
	page, perPage int
}

// A numberFilter wants a field to be that number, or its text.
type numberFilter struct {
	path  []string
	value int
}

// arguments are a query's keys and values: the last value of a key counts.
type arguments map[string]string

// parseArguments reads a query as the old server does: white space round
// values is dropped, and what is not escaped well stays as it is.
func parseArguments(raw string) (arguments, error) {
	a := arguments{}
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		key, value, _ := strings.Cut(part, "=")
		key, value = unescape(key), unescape(value)
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return nil, fail(http.StatusBadRequest, "The query is not UTF-8")
		}
		a[key] = strings.TrimSpace(value)
	}
	return a, nil
}

// unescape undoes URL escapes, and leaves alone what is none.
func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			out = append(out, ' ')
		case s[i] == '%' && i+2 < len(s):
			if b, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				out = append(out, byte(b))
				i += 2
				continue
			}
			fallthrough
		default:
			out = append(out, s[i])
		}
	}
	return string(out)
}

// number returns an argument as a number.
func (a arguments) number(key string, initial int) (int, error) {
	value, given := a[key]
	if !given {
		return initial, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return 0, fail(http.StatusBadRequest, "%s must be int", key)
	}
	return n, nil
}

// parseListQuery reads the arguments of a list of results.
func parseListQuery(c Collection, raw string, now time.Time, mayPerPage bool) (listQuery, error) {
	a, err := parseArguments(raw)
	if err != nil {
		return listQuery{}, err
	}
	q := listQuery{perPage: perPage}
	if err := q.readPaging(a, mayPerPage); err != nil {
		return listQuery{}, err
	}
	if err := q.readDates(a, now); err != nil {
		return listQuery{}, err
	}
	for _, key := range slices.Sorted(maps.Keys(a)) {
		value := a[key]
		switch key {
		case "last", "page", "descend", "period", "from", "to":
			continue
		case "per_page":
			if mayPerPage {
				continue
			}
		case "project", "pod", "case":
			key += "_name"
		}
		if err := q.readFilter(c, key, value); err != nil {
			return listQuery{}, err
		}
	}
	return q, nil
}

// readPaging reads what part of the list is wanted, and in what order.
func (q *listQuery) readPaging(a arguments, mayPerPage bool) (err error) {
	if q.last, err = a.number("last", 0); err != nil {
		return err
	}
	if q.page, err = a.number("page", 1); err != nil {
		return err
	}
	if mayPerPage {
		if q.perPage, err = a.number("per_page", perPage); err != nil {
			return err
		}
		if q.perPage < 1 || q.perPage > maxPerPage {
			return fail(http.StatusBadRequest, "per_page must be from 1 to %d", maxPerPage)
		}
	}
	descend, given := a["descend"]
	q.Newest = q.page > 0 && (!given || strings.EqualFold(descend, "true"))
	return nil
}

// readDates reads the bounds of start_date: from and to win over period, and
// what has no end ends now.
func (q *listQuery) readDates(a arguments, now time.Time) error {
	const local = "2006-01-02 15:04:05.000000"
	period, err := a.number("period", 0)
	if err != nil {
		return err
	}
	from, hasFrom := a["from"]
	to, hasTo := a["to"]
	if !hasFrom && !hasTo {
		if period <= 0 {
			return nil
		}
		from, hasFrom = now.AddDate(0, 0, -min(period, maxPeriod)).Format(local), true
	}
	if !hasTo {
		to = now.Format(local)
	}
	if hasFrom {
		q.From = &from
	}
	q.To = &to
	if strings.ContainsRune(from+to, 0) {
		q.none = true
	}
	return nil
}

// readFilter reads a condition on one field. Keys that are no field are
// conditions too, which nothing meets.
func (q *listQuery) readFilter(c Collection, key, value string) error {
	top, _, dotted := strings.Cut(key, ".")
	f, known := fieldOf(c, top)
	if strings.Contains(key, "build_id") {
		n, err := strconv.Atoi(value)
		if err != nil {
			return fail(http.StatusBadRequest, "%s must be int", key)
		}
		q.numbers = append(q.numbers, numberFilter{strings.Split(key, "."), n})
	} else {
		q.Filters = append(q.Filters, Filter{Path: key, Value: value})
	}
	// The old server kept _id in another type, so that a text never met it.
	onlyText := f.kind == nameText || f.own
	if !known || f.own || dotted && onlyText || strings.ContainsRune(key+value, 0) {
		q.none = true
	}
	return nil
}

// match says whether a document meets the conditions on numbers.
func (q *listQuery) match(d Document) bool {
	for _, filter := range q.numbers {
		if !filter.match(d.Body) {
			return false
		}
	}
	return true
}

func (f numberFilter) match(raw json.RawMessage) bool {
	for _, name := range f.path {
		o, ok := parseObject(raw)
		if !ok {
			return false
		}
		if raw, ok = o[name]; !ok {
			return false
		}
	}
	s, ok := object{"": raw}.text("")
	if !ok {
		return false
	}
	n, err := strconv.ParseFloat(s, 64)
	return err == nil && n == float64(f.value)
}
