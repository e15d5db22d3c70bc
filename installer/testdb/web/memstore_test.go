package web

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/anuket-project/xtci/installer/testdb"
)

// memStore is a store for tests, in memory, and not for concurrent writers.
type memStore struct {
	documents map[testdb.Collection][]testdb.Document
	fields    map[string]map[string]string // of each result, those that are text
	// fail, if set, is what every operation returns.
	fail error
	// asked are the queries that were asked.
	asked []testdb.Query
}

var _ testdb.Store = (*memStore)(nil)

func newMemStore() *memStore {
	return &memStore{documents: map[testdb.Collection][]testdb.Document{}, fields: map[string]map[string]string{}}
}

func (s *memStore) index(c testdb.Collection, key string) int {
	return slices.IndexFunc(s.documents[c], func(d testdb.Document) bool { return d.Key == key })
}

func (s *memStore) Insert(_ context.Context, c testdb.Collection, d testdb.Document) error {
	if s.fail != nil {
		return s.fail
	}
	if s.index(c, d.Key) >= 0 {
		return testdb.ErrExists
	}
	s.documents[c] = append(s.documents[c], d)
	s.fields[d.Key] = texts(d.Body)
	return nil
}

func (s *memStore) Get(_ context.Context, c testdb.Collection, key string) (testdb.Document, error) {
	if s.fail != nil {
		return testdb.Document{}, s.fail
	}
	if i := s.index(c, key); i >= 0 {
		return s.documents[c][i], nil
	}
	return testdb.Document{}, testdb.ErrNotFound
}

func (s *memStore) Replace(_ context.Context, c testdb.Collection, key string, d testdb.Document) error {
	if s.fail != nil {
		return s.fail
	}
	i := s.index(c, key)
	if i < 0 {
		return testdb.ErrNotFound
	}
	s.documents[c][i] = d
	s.fields[d.Key] = texts(d.Body)
	return nil
}

func (s *memStore) Delete(_ context.Context, c testdb.Collection, key string) error {
	if s.fail != nil {
		return s.fail
	}
	i := s.index(c, key)
	if i < 0 {
		return testdb.ErrNotFound
	}
	s.documents[c] = slices.Delete(s.documents[c], i, i+1)
	return nil
}

func (s *memStore) matching(c testdb.Collection, q testdb.Query) []testdb.Document {
	var found []testdb.Document
	for _, d := range s.documents[c] {
		if s.matches(d, q) {
			found = append(found, d)
		}
	}
	if q.Newest {
		slices.Reverse(found)
	}
	return found
}

func (s *memStore) matches(d testdb.Document, q testdb.Query) bool {
	fields := s.fields[d.Key]
	for _, filter := range q.Filters {
		if value, ok := fields[filter.Path]; !ok || value != filter.Value {
			return false
		}
	}
	if q.From == nil && q.To == nil {
		return true
	}
	start, ok := fields["start_date"]
	return ok && (q.From == nil || start >= *q.From) && (q.To == nil || start < *q.To)
}

// texts are the fields of a document that are text.
func texts(body []byte) map[string]string {
	var all map[string]any
	if json.Unmarshal(body, &all) != nil {
		return nil
	}
	fields := map[string]string{}
	for name, value := range all {
		if text, ok := value.(string); ok {
			fields[name] = text
		}
	}
	return fields
}

func (s *memStore) Find(ctx context.Context, c testdb.Collection, q testdb.Query) iter.Seq2[testdb.Document, error] {
	return func(yield func(testdb.Document, error) bool) {
		s.asked = append(s.asked, q)
		if err := errors.Join(s.fail, ctx.Err()); err != nil {
			yield(testdb.Document{}, err)
			return
		}
		found := s.matching(c, q)
		found = found[min(q.Offset, len(found)):]
		if q.Limit > 0 {
			found = found[:min(q.Limit, len(found))]
		}
		for _, d := range found {
			if !yield(d, nil) {
				return
			}
		}
	}
}

func (s *memStore) Count(_ context.Context, c testdb.Collection, q testdb.Query) (int, error) {
	return len(s.matching(c, q)), s.fail
}

func (s *memStore) Campaigns(_ context.Context, q testdb.CampaignQuery) ([]testdb.CampaignRow, error) {
	if s.fail != nil {
		return nil, s.fail
	}
	var rows []testdb.CampaignRow
	for _, d := range slices.Backward(s.documents[testdb.Results]) {
		fields := s.fields[d.Key]
		tag, ok := fields["build_tag"]
		if !ok || q.Tag != "" && tag != q.Tag {
			continue
		}
		i := slices.IndexFunc(rows, func(r testdb.CampaignRow) bool { return r.BuildTag == tag })
		if i < 0 {
			i = len(rows)
			rows = append(rows, testdb.CampaignRow{BuildTag: tag})
		}
		row := &rows[i]
		row.Results++
		if strings.EqualFold(fields["criteria"], "PASS") {
			row.Passed++
		} else {
			row.Failed++
		}
		if start, ok := fields["start_date"]; ok && (row.Started == "" || start < row.Started) {
			row.Started = start
		}
		if stop, ok := fields["stop_date"]; ok && stop > row.Stopped {
			row.Stopped = stop
		}
	}
	rows = rows[min(q.Offset, len(rows)):]
	if q.Limit > 0 {
		rows = rows[:min(q.Limit, len(rows))]
	}
	return rows, nil
}

func (s *memStore) Backup(context.Context, string) error           { return s.fail }
func (s *memStore) AddToken(context.Context, string, []byte) error { return s.fail }
func (s *memStore) HasToken(context.Context, []byte) (bool, error) { return false, s.fail }
func (s *memStore) Ping(context.Context) error                     { return s.fail }
func (s *memStore) Close() error                                   { return nil }
