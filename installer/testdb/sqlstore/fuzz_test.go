package sqlstore_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"github.com/anuket-project/xtci/installer/testdb"
)

// FuzzFilterPath compares the answers for any path, value and details with
// those of decoding the document. What is in the path and the value is never SQL.
func FuzzFilterPath(f *testing.F) {
	for _, seed := range [][3]string{
		{"details.k", "x", `{"k":"x"}`},
		{"details.a.b", "x", `{"a.b":"x"}`},
		{"details.a.b.c", "x", `{"a":{"b.c":"x"},"a.b":{"c":7}}`},
		{`details.q"`, "x", `{"q\"":"x"}`},
		{`details."k"`, "x", `{"k":"x"}`},
		{"details.k') OR 1=1 --", "x", `{"k":"y"}`},
		{"details.k", "' OR '1'='1", `{"k":"y"}`},
		{"details.$.k", "x", `{"$":{"k":"x"}}`},
		{"details[0]", "x", `["x"]`},
		{"details.0", "x", `["x"]`},
		{"details", "x", `"x"`},
		{"details", "1.10", `1.10`},
		{"details.k", "12", `{"k":12}`},
		{"details.k", "ä\n", `{"k":"\u00e4\n"}`},
		{"details.", "", `{"":""}`},
		{"details.k", "2", `{"k":"1","k":"2"}`},
		{"build_tag", "t", `null`},
		{"build_tag; DROP TABLE results", "t", `null`},
		{"", "", `{}`},
		{"details.k", "\x00", `{"k":"\u0000"}`},
		{"start_date", "2026", `{}`},
		{"details.k", "\ufffd", `{"k":"\ud800"}`},
		{"details.a", "x", ` { "b" : [ { "a" : "x" } ] , "a" : "x" } `},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	s := open(f, filepath.Join(f.TempDir(), "test.db"))
	var next atomic.Int64
	f.Fuzz(func(t *testing.T, path, value, details string) {
		if !json.Valid([]byte(details)) || !utf8.ValidString(details) || len(details) > 1<<16 {
			t.Skip("no details")
		}
		n := int(next.Add(1))
		tag := fmt.Sprint("fuzz-", n)
		object := fmt.Sprintf(`{"_id": %q, "build_tag": %q, "version": null, "start_date": "2026", "details": %s}`, id(n), tag, details)
		doc := testdb.Document{ID: id(n), Key: id(n), Body: json.RawMessage(object)}
		check(t, s.Insert(t.Context(), testdb.Results, doc), nil)
		// The tag bounds what is looked at to this document.
		q := testdb.Query{Filters: []testdb.Filter{{Path: "build_tag", Value: tag}, {Path: path, Value: value}}}
		want := 0
		if reached(t, object, path, value) {
			want = 1
		}
		diff(t, fmt.Sprintf("%q = %q in %s", path, value, object), want, len(all(t, s.Find(t.Context(), testdb.Results, q))))
		n, err := s.Count(t.Context(), testdb.Results, q)
		check(t, err, nil)
		diff(t, "count", want, n)
	})
}

// reached reports whether a text is at a path of an object: decoding it, and
// writing down the path to every text in objects. Of a name that is there
// twice both count.
func reached(t *testing.T, object, path, value string) bool {
	decoder := json.NewDecoder(strings.NewReader(object))
	found := false
	var walk func(at string, countable bool)
	walk = func(at string, countable bool) {
		token, err := decoder.Token()
		check(t, err, nil)
		switch token := token.(type) {
		case string:
			found = found || countable && at == path && token == value
		case json.Delim:
			for decoder.More() {
				if token == '[' {
					walk("", false)
					continue
				}
				name, err := decoder.Token()
				check(t, err, nil)
				inner, _ := name.(string)
				if at != "\x00root" {
					inner = at + "." + inner
				}
				walk(inner, countable)
			}
			_, err := decoder.Token()
			check(t, err, nil)
		}
	}
	walk("\x00root", true)
	return found
}
