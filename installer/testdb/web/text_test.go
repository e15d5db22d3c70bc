package web

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestSafeLink(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://example.org/a?b=c#d":  "https://example.org/a?b=c#d",
		"http://example.org":           "http://example.org",
		"http://192.0.2.10:8181/a b#c": "http://192.0.2.10:8181/a%20b#c",
		"a/b.log":                      "a/b.log",
		"./a:b":                        "./a:b",
		"/files/a":                     "/files/a",
		"javascript:alert(1)":          "",
		"JavaScript://x/%0aalert(1)":   "",
		"java\nscript:alert(1)":        "",
		"data:text/html,x":             "",
		"//example.org/":               "",
		"///example.org/":              "",
		`/\example.org`:                "",
		`\\example.org`:                "",
		"/\t/example.org":              "",
		"https://user:pw@example.org":  "",
		"https:example.org":            "",
		"https:///example.org":         "",
		" https://example.org":         "",
		"#x":                           "",
		"?x":                           "",
		"":                             "",
	} {
		if got := safeLink(address); got != want {
			t.Errorf("safeLink(%q) = %q, want %q", address, got, want)
		}
	}
}

func TestElapsed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ start, stop, want string }{
		{"2026-11-23 18:03:27", "2026-11-23 18:03:27", "0 s"},
		{"2026-11-23 18:03:27", "2026-11-23 18:05:00", "1 min 33 s"},
		{"2026-11-23 23:00:00", "2026-11-24 01:30:59", "2 h 30 min"},
		{"2026-11-23 18:03:27", "2026-11-23 18:03:26", ""},
		{"2026-11-23", "2026-11-23 18:03:26", ""},
		{"", "", ""},
	} {
		if got := elapsed(tt.start, tt.stop); got != tt.want {
			t.Errorf("elapsed(%q, %q) = %q, want %q", tt.start, tt.stop, got, tt.want)
		}
	}
}

func TestPretty(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`null`:     "null",
		`"a"`:      `"a"`,
		`1.10`:     "1.10",
		`{}`:       "{}",
		`[]`:       "[]",
		`[[], {}]`: "[\n  [],\n  {}\n]",
		`{"b": [1, true, null], "a": {"k": "caf\u00e9 <&>"}}`: "{\n  \"b\": [\n    1,\n    true,\n    null\n  ],\n  \"a\": {\n    \"k\": \"café <&>\"\n  }\n}",
		`{"a": 1, "a": 2}`: "{\n  \"a\": 1,\n  \"a\": 2\n}",
	} {
		got, whole := pretty(json.RawMessage(in), 1000)
		if diff := cmp.Diff(want, got); diff != "" || !whole {
			t.Errorf("pretty(%s), whole %v (-want +got):\n%s", in, whole, diff)
		}
	}
	deep := strings.Repeat("[", 500) + strings.Repeat("1,", 1<<20) + "1" + strings.Repeat("]", 500)
	if got, whole := pretty(json.RawMessage(deep), 10_000); len(got) > 10_000 || whole {
		t.Errorf("of deep JSON %d bytes are shown, whole %v", len(got), whole)
	}
	if got, _ := pretty(json.RawMessage(`{"a": `), 1000); !strings.Contains(got, "not JSON") {
		t.Errorf("of what is not JSON: %q", got)
	}
}

func FuzzPretty(f *testing.F) {
	f.Add([]byte(`{"b": [1, true, null, "x"], "a": {"k": {}}}`), 1000)
	f.Add([]byte(`"\ud800"`), 3)
	f.Add([]byte(`]`), 3)
	f.Fuzz(func(t *testing.T, raw []byte, limit int) {
		limit = max(0, min(limit, 1<<16))
		got, whole := pretty(raw, limit)
		if !utf8.ValidString(got) {
			t.Errorf("not UTF-8: %q", got)
		}
		if !whole && len(got) > limit {
			t.Errorf("%d bytes, the limit is %d", len(got), limit)
		}
		if whole && json.Valid(raw) && !json.Valid([]byte(got)) {
			t.Errorf("of JSON it made %q", got)
		}
	})
}
