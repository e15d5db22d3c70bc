package sqlstore

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/anuket-project/xtci/installer/testdb"
)

const (
	startDate = "start_date"
	// startDay is the counter of start_date by its first ten bytes, which
	// are the day. Dates are any text; the beginnings of texts are in the
	// order of the texts, so it works for all.
	startDay = "start_day"
	// everything is the counter of all documents of a collection.
	everything = ""
)

// day returns the beginning of a date that it is counted by.
func day(date string) string { return date[:min(len(date), 10)] }

// A tally is what a batch adds to the counters and campaigns. It is written
// once per batch, in a fixed order.
type tally struct {
	counters  map[counterKey]counter
	campaigns map[string]testdb.CampaignRow
	last      map[string]int64 // of the campaigns
}

type counterKey struct{ collection, field, value string }

type counter struct{ n, first, last int64 }

// add counts a result.
func (t *tally) add(in table, seq int64, r row) {
	if t.counters == nil {
		t.counters = map[counterKey]counter{}
		t.campaigns = map[string]testdb.CampaignRow{}
		t.last = map[string]int64{}
	}
	count := func(field, value string) {
		key := counterKey{string(in.collection), field, value}
		c, ok := t.counters[key]
		if !ok {
			c.first = seq
		}
		t.counters[key] = counter{c.n + 1, min(c.first, seq), max(c.last, seq)}
	}
	count(everything, "")
	for field, value := range r.columns {
		if field == startDate {
			count(startDay, day(value))
		} else {
			count(field, value)
		}
	}
	if tag := r.columns["build_tag"]; tag != "" && in.collection == testdb.Results {
		t.addCampaign(tag, seq, r)
	}
}

func (t *tally) addCampaign(tag string, seq int64, r row) {
	c := t.campaigns[tag]
	c.Results++
	switch strings.ToUpper(r.columns["criteria"]) {
	case "PASS":
		c.Passed++
	case "FAIL":
		c.Failed++
	}
	if started := r.columns[startDate]; c.Started == "" || started != "" && started < c.Started {
		c.Started = started
	}
	c.Stopped = max(c.Stopped, searched(r.stopped))
	t.campaigns[tag] = c
	t.last[tag] = max(t.last[tag], seq)
}

// flush writes the tally into the batch's transaction.
func (t *tally) flush(ctx context.Context, b *batch) error {
	text := b.s.d.text
	byKey := func(a, b counterKey) int {
		return cmp.Or(cmp.Compare(a.collection, b.collection), cmp.Compare(a.field, b.field), cmp.Compare(a.value, b.value))
	}
	for _, key := range slices.SortedFunc(maps.Keys(t.counters), byKey) {
		c := t.counters[key]
		_, err := b.exec(ctx, `INSERT INTO counters (collection, field, value, n, first, last) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (collection, field, value) DO UPDATE SET n = counters.n + excluded.n, last = excluded.last`,
			text(key.collection), text(key.field), text(key.value), c.n, c.first, c.last)
		if err != nil {
			return err
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(t.campaigns)) {
		c := t.campaigns[tag]
		_, err := b.exec(ctx, `INSERT INTO campaigns (build_tag, results, passed, failed, started, stopped, last) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (build_tag) DO UPDATE SET
				results = campaigns.results + excluded.results,
				passed = campaigns.passed + excluded.passed,
				failed = campaigns.failed + excluded.failed,
				started = CASE WHEN campaigns.started = ? OR excluded.started <> ? AND excluded.started < campaigns.started
					THEN excluded.started ELSE campaigns.started END,
				stopped = CASE WHEN excluded.stopped > campaigns.stopped THEN excluded.stopped ELSE campaigns.stopped END,
				last = excluded.last`,
			text(tag), c.Results, c.Passed, c.Failed, text(c.Started), text(c.Stopped), t.last[tag], text(""), text(""))
		if err != nil {
			return err
		}
	}
	return nil
}
