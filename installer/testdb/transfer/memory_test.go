package transfer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"

	"github.com/anuket-project/xtci/installer/testdb"
)

// A memoryStore is a Store without a disk that does what an import and an
// export need, and panics at anything else.
type memoryStore struct {
	testdb.Store

	// full, if not nil, is what the insert after so many returns.
	full  error
	after int

	mu        sync.Mutex
	documents map[testdb.Collection][]testdb.Document
	keys      map[string]bool
}

func newMemoryStore() *memoryStore {
	return &memoryStore{documents: map[testdb.Collection][]testdb.Document{}, keys: map[string]bool{}}
}

func (s *memoryStore) Insert(_ context.Context, c testdb.Collection, d testdb.Document) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full != nil && len(s.keys) == s.after {
		return s.full
	}
	key := string(c) + "/" + d.Key
	if s.keys[key] {
		return fmt.Errorf("store %s: %w", key, testdb.ErrExists)
	}
	if !json.Valid(d.Body) {
		return fmt.Errorf("store %s: %q is no JSON", key, d.Body)
	}
	s.keys[key] = true
	s.documents[c] = append(s.documents[c], d)
	return nil
}

func (s *memoryStore) Get(_ context.Context, c testdb.Collection, key string) (testdb.Document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.documents[c] {
		if d.Key == key {
			return d, nil
		}
	}
	return testdb.Document{}, fmt.Errorf("get %s: %w", key, testdb.ErrNotFound)
}

// Find knows the order and filters on top-level fields.
func (s *memoryStore) Find(_ context.Context, c testdb.Collection, q testdb.Query) iter.Seq2[testdb.Document, error] {
	s.mu.Lock()
	all := slices.Clone(s.documents[c])
	s.mu.Unlock()
	if q.Newest {
		slices.Reverse(all)
	}
	return func(yield func(testdb.Document, error) bool) {
		for _, d := range all {
			if matches(d, q.Filters) && !yield(d, nil) {
				return
			}
		}
	}
}

func matches(d testdb.Document, filters []testdb.Filter) bool {
	var fields map[string]any
	if json.Unmarshal(d.Body, &fields) != nil {
		return false
	}
	return !slices.ContainsFunc(filters, func(f testdb.Filter) bool { return fields[f.Path] != f.Value })
}

// bodies are the documents of a collection, the oldest first.
func bodies(t testing.TB, s testdb.Store, c testdb.Collection) []string {
	t.Helper()
	var all []string
	for d, err := range s.Find(t.Context(), c, testdb.Query{}) {
		if err != nil {
			t.Fatalf("read back %s: %v", c, err)
		}
		all = append(all, string(d.Body))
	}
	return all
}

// ids are the ids of the documents of a collection, the oldest first.
func ids(t testing.TB, s testdb.Store, c testdb.Collection) []string {
	t.Helper()
	var all []string
	for d, err := range s.Find(t.Context(), c, testdb.Query{}) {
		if err != nil {
			t.Fatalf("read back %s: %v", c, err)
		}
		all = append(all, d.ID)
	}
	return all
}

func fields(t testing.TB, body string) map[string]any {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return all
}
