package web

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/anuket-project/xtci/installer/testdb"
)

// A record is what pages show of a result, but for its details
// (spec/testapi-xtesting.md, a.3).
type record struct {
	ID        string `json:"-"`
	Case      text   `json:"case_name"`
	Project   text   `json:"project_name"`
	Criteria  text   `json:"criteria"`
	BuildTag  text   `json:"build_tag"`
	Pod       text   `json:"pod_name"`
	Installer text   `json:"installer"`
	Scenario  text   `json:"scenario"`
	Version   text   `json:"version"`
	Start     text   `json:"start_date"`
	Stop      text   `json:"stop_date"`
}

// A text is a field that should be a text. Null is none; other JSON, which
// TestAPI takes too, is shown as it is written.
type text string

// UnmarshalJSON reads any JSON.
func (t *text) UnmarshalJSON(raw []byte) error {
	var s *string
	if json.Unmarshal(raw, &s) != nil {
		*t = text(raw)
	} else if s != nil {
		*t = text(*s)
	}
	return nil
}

func readRecord(d testdb.Document) (record, error) {
	var r record
	if err := json.Unmarshal(d.Body, &r); err != nil {
		return record{}, fmt.Errorf("read the stored result %q: %w", d.ID, err)
	}
	r.ID = d.ID
	return r, nil
}

// readDetails returns the details of a result, nil if it has none.
func readDetails(d testdb.Document) (json.RawMessage, error) {
	var r struct {
		Details json.RawMessage `json:"details"`
	}
	if err := json.Unmarshal(d.Body, &r); err != nil {
		return nil, fmt.Errorf("read the details of the stored result %q: %w", d.ID, err)
	}
	switch string(r.Details) {
	case "null", `""`:
		return nil, nil
	}
	return r.Details, nil
}

// Passed says that PASS was recorded, in any case, as TestAPI compares it.
func (r record) Passed() bool { return strings.EqualFold(string(r.Criteria), "PASS") }

// Took is how long the case ran, "" if that is not known.
func (r record) Took() string { return elapsed(string(r.Start), string(r.Stop)) }

// Badge is what was recorded.
func (r record) Badge() badge {
	switch {
	case r.Passed():
		return badge{"pass", "✓", "PASS"}
	case strings.EqualFold(string(r.Criteria), "FAIL"):
		return badge{"fail", "✗", "FAIL"}
	case r.Criteria == "":
		return badge{"fail", "?", "nothing"}
	}
	return badge{"fail", "?", string(r.Criteria)}
}

// A badge is a status: a word and a symbol, and a colour as well.
type badge struct{ Kind, Symbol, Word string }
