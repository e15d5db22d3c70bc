package testdb_test

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/anuket-project/xtci/installer/testdb"
)

// memStore stands in for a database in tests of the server: documents in
// slices, in the order of their insertion.
type memStore struct {
	mu     sync.Mutex
	stored map[testdb.Collection][]testdb.Document
	tokens map[string]string
	// before, if set, is called at the start of every insert and its error
	// returned; ping is what Ping returns; found is called with every
	// document that Find is about to hand over.
	before func(ctx context.Context) error
	ping   error
	found  func() error
}

var _ testdb.Store = (*memStore)(nil)

func newMemStore() *memStore {
	return &memStore{stored: map[testdb.Collection][]testdb.Document{}, tokens: map[string]string{}}
}

func (s *memStore) index(c testdb.Collection, key string) int {
	return slices.IndexFunc(s.stored[c], func(d testdb.Document) bool { return d.Key == key })
}

func (s *memStore) Insert(ctx context.Context, c testdb.Collection, d testdb.Document) error {
	if s.before != nil {
		if err := s.before(ctx); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.index(c, d.Key) >= 0 {
		return testdb.ErrExists
	}
	s.stored[c] = append(s.stored[c], d)
	return nil
}

func (s *memStore) Get(_ context.Context, c testdb.Collection, key string) (testdb.Document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.index(c, key); i >= 0 {
		return s.stored[c][i], nil
	}
	return testdb.Document{}, testdb.ErrNotFound
}

func (s *memStore) Replace(_ context.Context, c testdb.Collection, key string, d testdb.Document) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(c, key)
	if i < 0 {
		return testdb.ErrNotFound
	}
	if d.Key != key && s.index(c, d.Key) >= 0 {
		return testdb.ErrExists
	}
	s.stored[c] = slices.Clone(s.stored[c]) // a list may be read
	s.stored[c][i] = d
	return nil
}

func (s *memStore) Delete(_ context.Context, c testdb.Collection, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(c, key)
	if i < 0 {
		return testdb.ErrNotFound
	}
	s.stored[c] = slices.Delete(slices.Clone(s.stored[c]), i, i+1)
	return nil
}

func (s *memStore) Find(_ context.Context, c testdb.Collection, q testdb.Query) iter.Seq2[testdb.Document, error] {
	return func(yield func(testdb.Document, error) bool) {
		for _, d := range cut(s.matching(c, q), q) {
			if s.found != nil {
				if err := s.found(); err != nil {
					yield(testdb.Document{}, err)
					return
				}
			}
			if !yield(d, nil) {
				return
			}
		}
	}
}

func cut(list []testdb.Document, q testdb.Query) []testdb.Document {
	list = list[min(q.Offset, len(list)):]
	if q.Limit > 0 {
		list = list[:min(q.Limit, len(list))]
	}
	return list
}

func (s *memStore) Count(_ context.Context, c testdb.Collection, q testdb.Query) (int, error) {
	return len(s.matching(c, q)), nil
}

// matching returns what meets a query, in its order, uncut.
func (s *memStore) matching(c testdb.Collection, q testdb.Query) []testdb.Document {
	s.mu.Lock()
	all := s.stored[c]
	s.mu.Unlock()
	var kept []testdb.Document
	for _, d := range all {
		if meets(d, q) {
			kept = append(kept, d)
		}
	}
	if q.Newest {
		slices.Reverse(kept)
	}
	return kept
}

func meets(d testdb.Document, q testdb.Query) bool {
	for _, filter := range q.Filters {
		if text, ok := textAt(d.Body, filter.Path); !ok || text != filter.Value {
			return false
		}
	}
	if q.From == nil && q.To == nil {
		return true
	}
	start, ok := textAt(d.Body, "start_date")
	return ok && (q.From == nil || start >= *q.From) && (q.To == nil || start < *q.To)
}

func textAt(raw json.RawMessage, path string) (text string, ok bool) {
	for name := range strings.SplitSeq(path, ".") {
		var object map[string]json.RawMessage
		if json.Unmarshal(raw, &object) != nil {
			return "", false
		}
		if raw, ok = object[name]; !ok {
			return "", false
		}
	}
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	return text, json.Unmarshal(raw, &text) == nil
}

func (s *memStore) Campaigns(context.Context, testdb.CampaignQuery) ([]testdb.CampaignRow, error) {
	return nil, nil
}

func (s *memStore) Backup(context.Context, string) error { return nil }

func (s *memStore) AddToken(_ context.Context, name string, hash []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[string(hash)] = name
	return nil
}

func (s *memStore) HasToken(_ context.Context, hash []byte) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.tokens[string(hash)]
	return ok, nil
}

func (s *memStore) Ping(context.Context) error { return s.ping }

func (s *memStore) Close() error { return nil }
