package transfer

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/anuket-project/xtci/installer/testdb"
)

// A Summary is what an import did.
type Summary struct {
	// Collections has a tally of each collection that the history has.
	Collections map[testdb.Collection]*Tally
	// Registered are the pods, projects and cases that results name but
	// that neither the history nor the test DB had; a case is project/case.
	Registered map[testdb.Collection][]string
	// Texts is how many names that the old server had turned into numbers
	// or other values are text again.
	Texts int
	// Skipped are the collections of MongoDB that were left out.
	Skipped []string
	// Dropped are the fields that the test DB has not, as collection.field,
	// and how many documents had them: 100 different ones at most.
	Dropped map[string]int
}

// A Tally counts the documents of a collection.
type Tally struct {
	// Read is how many there were. Imported are new, Present were there
	// already: by their id, or by the name where that is unique.
	Read, Imported, Present int
}

func newSummary() Summary {
	return Summary{
		Collections: map[testdb.Collection]*Tally{},
		Registered:  map[testdb.Collection][]string{},
		Dropped:     map[string]int{},
	}
}

// tally returns the tally of a collection, a new one the first time.
func (s Summary) tally(c testdb.Collection) *Tally {
	if s.Collections[c] == nil {
		s.Collections[c] = &Tally{}
	}
	return s.Collections[c]
}

func (s Summary) imported() (n int) {
	for _, tally := range s.Collections {
		n += tally.Imported
	}
	return n
}

// noteDropped counts the fields of a document that were not kept.
func (s Summary) noteDropped(c testdb.Collection, given []member, kept map[string]json.RawMessage) {
	const most, longest = 100, 100
	for _, m := range given {
		if _, ok := kept[m.name]; ok {
			continue
		}
		field := fmt.Sprintf("%s.%.*s", c, longest, m.name)
		if _, ok := s.Dropped[field]; ok || len(s.Dropped) < most {
			s.Dropped[field]++
		}
	}
}

// String tells a person, in a few lines.
func (s Summary) String() string {
	var b strings.Builder
	for _, c := range collections() {
		if t := s.Collections[c]; t != nil {
			fmt.Fprintf(&b, "%s: %d read, %d imported, %d there already\n", c, t.Read, t.Imported, t.Present)
		}
	}
	for _, c := range collections() {
		if added := s.Registered[c]; len(added) > 0 {
			fmt.Fprintf(&b, "registered, since results name them: %d %s: %s\n", len(added), c, list(added))
		}
	}
	if s.Texts > 0 {
		fmt.Fprintf(&b, "names that the old server had turned into numbers, text again: %d\n", s.Texts)
	}
	if len(s.Dropped) > 0 {
		fields := slices.Sorted(maps.Keys(s.Dropped))
		for i, field := range fields {
			fields[i] = fmt.Sprintf("%s (%d)", field, s.Dropped[field])
		}
		fmt.Fprintf(&b, "fields that the test DB has not, dropped: %s\n", list(fields))
	}
	if len(s.Skipped) > 0 {
		fmt.Fprintf(&b, "collections that are not the test DB's, left out: %s\n", list(s.Skipped))
	}
	return b.String()
}
