package parse

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// decode reads any value into what encoding/json would make of it; numbers
// and names stay words.
func decode(l *literalReader) (any, error) {
	first, err := l.peek()
	if err != nil {
		return nil, err
	}
	switch first {
	case '{':
		values := map[string]any{}
		err := l.object(func(key string) error {
			value, err := decode(l)
			values[key] = value
			return err
		})
		return values, err
	case '[':
		values := []any{}
		err := l.array(func() error {
			value, err := decode(l)
			values = append(values, value)
			return err
		})
		return values, err
	default:
		var text string
		err := l.text(&text)
		return text, err
	}
}

func TestLiterals(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		python bool
		text   string
		want   any
	}{
		"JSON":             {false, "{\"a\": [1, -2.5e3, true, null, \"x\"],\n\"b\": {}}", map[string]any{"a": []any{"1", "-2.5e3", "true", "", "x"}, "b": map[string]any{}}},
		"JSON escapes":     {false, `"\"\\\/\b\f\n\r\t\u00fc\ud83d\ude00\ud83d"`, "\"\\/\b\f\n\r\tü😀\uFFFD"},
		"bytes not UTF-8":  {false, "\"a\xffb\"", "a\uFFFDb"},
		"Python":           {true, `{'a': [True, False, None, 1.0, 1e-05,], 'b': "it's"}`, map[string]any{"a": []any{"True", "False", "", "1.0", "1e-05"}, "b": "it's"}},
		"Python escapes":   {true, `'\'\"\\\a\v\x41\u00fc\U0001f600\101\0\q\/\` + "\n" + `'`, "'\"\\\a\vAü😀A\x00\\q\\/"},
		"JSON is read too": {true, `{"a": [true, null]}`, map[string]any{"a": []any{"true", ""}}},
		"a lone half":      {false, `"\ud83dx"`, "\uFFFDx"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLiteralReader(strings.NewReader(test.text + " \n"))
			l.python = test.python
			got, err := decode(l)
			if err := errors.Join(err, l.end()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("mismatch (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLiteralsRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		python bool
		text   string
		want   string
	}{
		"cut":                     {false, "{\"a\":\n\"b", ":2: cut off"},
		"Python in a JSON file":   {false, "{'a': 1}", `:1: want a key in quotes, found '\''`},
		"Python's name in JSON":   {false, "\n[True]", `:2: "True" is no value`},
		"unknown name":            {true, "[nil]", `"nil" is no value`},
		"trailing comma in JSON":  {false, "[1,]", "want a value, found ']'"},
		"no colon":                {false, `{"a" 1}`, "want a colon after a key"},
		"no comma":                {false, `[1 2]`, "want a comma"},
		"line break in a text":    {false, "[\"a\nb\"]", ":1: a line break"},
		"bad escape":              {false, `"\x41"`, "unknown escape"},
		"bad digits":              {false, `"\u00zz"`, "no character"},
		"bad second half":         {false, `"\ud83d\uzzzz"`, "no character"},
		"line break in an escape": {false, "\"\\u00\n00\"", ":1: a line break"},
		"named character":         {true, `'\N{BULLET}'`, "unknown escape"},
		"beyond Unicode":          {true, `'\UFFFFFFFF'`, "no character"},
		"nested too deeply":       {false, strings.Repeat("[", 100), "more than 64 nested"},
		"more follows":            {false, "[] []", "want the end of the file"},
		"too long":                {false, "[" + strings.Repeat(" ", maxReport), "longer than 64 MiB"},
		"binary":                  {false, "\x80\x81", "want a value, found the byte 0x80"},
		"a key twice":             {false, "{\"a\": 1,\n\"\\u0061\": 2}", `:2: the key "a" stands twice`},
		"a key twice, in Python":  {true, `{'a': {'b': 1, "b": 2}}`, `the key "b" stands twice`},
		"keys without end":        {false, "{" + manyKeys(maxLiteralKeys+1) + "}", "more than 10000 keys"},
		"endless word":            {false, strings.Repeat("9", 100), "want the end"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLiteralReader(strings.NewReader(test.text))
			l.python = test.python
			_, err := decode(l)
			if err == nil {
				err = l.end()
			}
			wantError(t, err, test.want)
		})
	}
}

func manyKeys(n int) string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf(`"%d":0`, i)
	}
	return strings.Join(keys, ",")
}

func TestLongTextsAreCut(t *testing.T) {
	t.Parallel()
	l := newLiteralReader(strings.NewReader(`["` + strings.Repeat("a", 2*maxLiteralText) + `"]`))
	got, err := decode(l)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got.([]any)[0].(string)); n != maxLiteralText {
		t.Errorf("got %d bytes, want %d", n, maxLiteralText)
	}
}

func TestEachLiteralFindsValuesInALog(t *testing.T) {
	t.Parallel()
	log := "[INFO] not a value\n" +
		"2022-09-19 18:00:09,100 - a.b - INFO - {'a': '1'}\n" +
		"{\"cut\n" +
		"  [{'b': ['2',\n'3']}] and more\n" +
		"{'c': '4'}"
	var got []any
	var lines []int
	err := eachLiteral(strings.NewReader(log), func(l *literalReader) {
		lines = append(lines, l.line)
		value, err := decode(l)
		if err == nil {
			got = append(got, value)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []any{map[string]any{"a": "1"}, []any{map[string]any{"b": []any{"2", "3"}}}, map[string]any{"c": "4"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{2, 3, 4, 6}, lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestNullIsAnEmptyListOrObject(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"null", "None"} {
		for kind, read := range map[string]func(*literalReader) error{
			"list": func(l *literalReader) error { return l.array(func() error { return errors.New("it has an element") }) },
			"object": func(l *literalReader) error {
				return l.object(func(string) error { return errors.New("it has a key") })
			},
		} {
			l := newLiteralReader(strings.NewReader(text))
			l.python = true
			if err := read(l); err != nil {
				t.Errorf("%s as %s: %v", text, kind, err)
			}
		}
	}
	l := newLiteralReader(strings.NewReader("nnn"))
	wantError(t, l.array(l.skip), "no value")
}
