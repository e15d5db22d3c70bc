package testdb

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPython(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, src, want string }{
		{"spaces", "{ \"a\":1,\n\"b\":[1,2,{}] }", `{"a": 1, "b": [1, 2, {}]}`},
		{"numbers as sent", `[1.50,1e3,-0,12345678901234567890]`, `[1.50, 1e3, -0, 12345678901234567890]`},
		{"ASCII only", `"café €😀"`, `"caf\u00e9 \u20ac\ud83d\ude00"`},
		{"escapes Python does not write", `"\/\u0041\u00E9\u007f"`, `"/A\u00e9\u007f"`},
		{"escapes Python writes", `"\"\\\b\f\n\r\t\u0001\u000a"`, `"\"\\\b\f\n\r\t\u0001\n"`},
		{"delete", "\"\x7f\"", `"\u007f"`},
		{"half a pair stays", `"\ud800x\uDC00"`, `"\ud800x\udc00"`},
		{"punctuation inside strings", `{"a,b:c":"{\",:"}`, `{"a,b:c": "{\",:"}`},
		{"HTML as it is", `"<b>&"`, `"<b>&"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := string(python([]byte(test.src))); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestParseJSON(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth)
	for _, test := range []struct{ name, src, want, err string }{
		{name: "plain", src: `{"a": 1}`, want: `{"a": 1}`},
		{name: "numbers that are none", src: `{"NaN": [NaN, -Infinity, Infinity, "NaN"]}`, want: `{"NaN": ["NaN", "-Infinity", "Infinity", "NaN"]}`},
		{name: "as deep as may be", src: deep, want: deep},
		{name: "too deep", src: "[" + deep + "]", err: "it nests deeper than 500 levels"},
		{name: "much too deep", src: strings.Repeat("[", 1<<20), err: "No JSON object could be decoded: "},
		{name: "brackets in strings do not nest", src: `"` + strings.Repeat("[", 600) + `"`, want: `"` + strings.Repeat("[", 600) + `"`},
		{name: "cut", src: `{"a": NaN`, err: "No JSON object could be decoded: unexpected end of JSON input"},
		{name: "cut in a string", src: `{"a\`, err: "No JSON object could be decoded: "},
		{name: "not UTF-8", src: "\"\xff\"", err: "it is not UTF-8"},
		{name: "byte order mark", src: "\ufeff{}", err: "No JSON object could be decoded: invalid character"},
		{name: "two values", src: `{} {}`, err: "No JSON object could be decoded: invalid character '{' after top-level value"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseJSON([]byte(test.src))
			if test.err == "" && (err != nil || string(got) != test.want) {
				t.Errorf("got %s, %v, want %s", got, err, test.want)
			}
			if test.err != "" && (err == nil || !strings.HasPrefix(err.Error(), test.err)) {
				t.Errorf("error %v, want %s", err, test.err)
			}
		})
	}
}

func TestPythonRepr(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"x":         `u'x'`,
		"it's":      `u"it's"`,
		`'"`:        `u'\'"'`,
		"a\\\n\t\r": `u'a\\\n\t\r'`,
		"é€😀\x01":   `u'\xe9\u20ac\U0001f600\x01'`,
		"":          `u''`,
	} {
		if got := pythonRepr(s); got != want {
			t.Errorf("pythonRepr(%q) = %s, want %s", s, got, want)
		}
	}
}

// FuzzBody: whatever a client sends is refused, or stored as JSON of the
// same meaning in Python's writing, the same however often it is read.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"name": "x", "details": {"a.b": [1, null, {"$c": true}]}, "mode": "caf\u00e9 \ud800"}`,
		`{"name": 12}`, `{"name": NaN}`, `{"name": "\u0000"}`, `{"name": "😀\u007f\/"}`, `[1]`, `null`, `{"name": `,
		`{"name": "s", "installers": [{"installer": "i", "versions": [{"version": "v", "projects": [{"project": "p"}]}]}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		raw, err := parseJSON(body)
		if err != nil {
			return
		}
		if !json.Valid(raw) {
			t.Fatalf("%q was taken as JSON", body)
		}
		written := python(raw)
		if !sameJSON(raw, written) {
			t.Fatalf("%s became %s", raw, written)
		}
		if again := python(written); string(again) != string(written) {
			t.Fatalf("%s became %s the second time", written, again)
		}
		for _, c := range written {
			if c < ' ' || c >= utf8.RuneSelf-1 {
				t.Fatalf("%q is not printable ASCII", written)
			}
		}
		o, ok := parseObject(raw)
		if !ok {
			return
		}
		for _, c := range []Collection{Pods, Projects, TestCases, Results, DeployResults, Scenarios} {
			checkDocument(t, c, o)
		}
	})
}

func checkDocument(t *testing.T, c Collection, o object) {
	t.Helper()
	given := object{}
	for key, value := range o {
		given[key] = value
	}
	for _, f := range fieldsOf(c) {
		if f.kind == nameText && given.missing(f.name) {
			given.set(f.name, "some")
		}
	}
	given.set("_id", "0123456789abcdef01234567")
	document, err := newDocument(c, given)
	if err != nil {
		return
	}
	if !storableKey(c, document.Key) {
		t.Fatalf("%s: the key %q cannot be found", c, document.Key)
	}
	stored, ok := parseObject(document.Body)
	if !ok || len(stored) != len(fieldsOf(c)) {
		t.Fatalf("%s: %s has not all keys", c, document.Body)
	}
	again, err := NewDocument(c, document.Body)
	if err != nil || string(again.Body) != string(document.Body) || again.Key != document.Key {
		t.Fatalf("%s: %s became %s: %v", c, document.Body, again.Body, err)
	}
}
