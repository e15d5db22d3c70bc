package sqlstore_test

import (
	"encoding/json"
	"strings"

	"github.com/anuket-project/xtci/installer/testdb"
)

// A model says what a query answers, in the plainest way: documents in the
// order of their insertion, decoded and compared one by one.
type model []entry

type entry struct {
	doc    testdb.Document
	object map[string]any
}

func newEntry(doc testdb.Document) entry {
	var object map[string]any
	if err := json.Unmarshal(doc.Body, &object); err != nil {
		return entry{} // which nothing finds
	}
	return entry{doc, object}
}

func (m model) docs() []testdb.Document {
	return m.find(testdb.Query{})
}

func (m model) find(q testdb.Query) []testdb.Document {
	var found []testdb.Document
	for i := range m {
		e := m[i]
		if q.Newest {
			e = m[len(m)-1-i]
		}
		if selects(q, e.object) {
			found = append(found, e.doc)
		}
	}
	found = found[min(q.Offset, len(found)):]
	if q.Limit > 0 {
		found = found[:min(q.Limit, len(found))]
	}
	return found
}

func (m model) count(q testdb.Query) int {
	q.Limit, q.Offset = 0, 0
	return len(m.find(q))
}

// selects compares a decoded body with a query.
func selects(q testdb.Query, object map[string]any) bool {
	for _, f := range q.Filters {
		if !hasText(object, f.Path, f.Value) {
			return false
		}
	}
	if q.From == nil && q.To == nil {
		return true
	}
	date, ok := object["start_date"].(string)
	return ok && (q.From == nil || date >= *q.From) && (q.To == nil || date < *q.To)
}

// hasText tries every way in which a path can be cut into names.
func hasText(value any, path, want string) bool {
	object, ok := value.(map[string]any)
	if !ok {
		return false
	}
	if s, ok := object[path].(string); ok && s == want {
		return true
	}
	for i := range len(path) {
		if path[i] != '.' {
			continue
		}
		if inner, ok := object[path[:i]]; ok && hasText(inner, path[i+1:], want) {
			return true
		}
	}
	return false
}

// campaigns is what the results amount to, the newest first.
func (m model) campaigns() []testdb.CampaignRow {
	var list []testdb.CampaignRow
	place := map[string]int{}
	for i := range m {
		r := m[len(m)-1-i].object
		tag, _ := r["build_tag"].(string)
		if tag == "" {
			continue
		}
		if _, ok := place[tag]; !ok {
			place[tag] = len(list)
			list = append(list, testdb.CampaignRow{BuildTag: tag})
		}
		row := &list[place[tag]]
		row.Results++
		criteria, _ := r["criteria"].(string)
		switch strings.ToUpper(criteria) {
		case "PASS":
			row.Passed++
		case "FAIL":
			row.Failed++
		}
		if s, _ := r["start_date"].(string); s != "" && (row.Started == "" || s < row.Started) {
			row.Started = s
		}
		if s, _ := r["stop_date"].(string); s > row.Stopped {
			row.Stopped = s
		}
	}
	return list
}
