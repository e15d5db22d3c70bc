package transfer

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"

	"github.com/anuket-project/xtci/installer/testdb"
)

// maxDocuments is how many documents one import takes, for its memory's sake.
const maxDocuments = 10_000_000

// A spool keeps the documents of an import in a temporary file, to give them
// back in the order of their ids.
type spool struct {
	file    *os.File
	w       *bufio.Writer
	size    int64
	n       int
	entries map[testdb.Collection][]entry
}

// An entry is where a document is in the file: its key, then its body.
type entry struct {
	id     [12]byte
	key    uint16
	body   uint32
	offset int64
}

// newSpool makes a spool in a folder; empty is that of the system.
func newSpool(folder string) (*spool, error) {
	file, err := os.CreateTemp(folder, "xtci-import-*")
	if err != nil {
		return nil, fmt.Errorf("make a temporary file for the import (TMPDIR says where): %w", err)
	}
	return &spool{file: file, w: bufio.NewWriterSize(file, 1<<20), entries: map[testdb.Collection][]entry{}}, nil
}

// close removes the file.
func (s *spool) close() error {
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}

// add keeps a document. Its key has no more than two names, its body no more
// than maxJSON bytes.
func (s *spool) add(c testdb.Collection, d testdb.Document) error {
	if s.n == maxDocuments {
		return fmt.Errorf("it has more than %d documents: import it in parts", maxDocuments)
	}
	e := entry{key: uint16(len(d.Key)), body: uint32(len(d.Body)), offset: s.size} //nolint:gosec // both are bounded
	if _, err := hex.Decode(e.id[:], []byte(d.ID)); err != nil {
		return fmt.Errorf("_id %q: %w", d.ID, err)
	}
	for _, part := range [][]byte{[]byte(d.Key), d.Body} {
		if _, err := s.w.Write(part); err != nil {
			return s.failure(err)
		}
		s.size += int64(len(part))
	}
	s.entries[c] = append(s.entries[c], e)
	s.n++
	return nil
}

// sorted gives the documents of a collection back, the oldest first. Those of
// the same id come in the order they were added.
func (s *spool) sorted(c testdb.Collection) iter.Seq2[testdb.Document, error] {
	return func(yield func(testdb.Document, error) bool) {
		if err := s.w.Flush(); err != nil {
			yield(testdb.Document{}, s.failure(err))
			return
		}
		entries := s.entries[c]
		slices.SortStableFunc(entries, func(a, b entry) int { return bytes.Compare(a.id[:], b.id[:]) })
		for _, e := range entries {
			d, err := s.load(e)
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

func (s *spool) load(e entry) (testdb.Document, error) {
	both := make([]byte, int(e.key)+int(e.body))
	if _, err := s.file.ReadAt(both, e.offset); err != nil {
		return testdb.Document{}, s.failure(err)
	}
	return testdb.Document{ID: hex.EncodeToString(e.id[:]), Key: string(both[:e.key]), Body: both[e.key:]}, nil
}

func (s *spool) failure(err error) error {
	return fmt.Errorf("keep documents in a temporary file (TMPDIR says where; there must be room for all of them as JSON): %w", err)
}
