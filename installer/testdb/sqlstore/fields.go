package sqlstore

import (
	"bytes"
	"encoding/json"
	"iter"
	"strings"

	"github.com/anuket-project/xtci/installer/testdb"
)

// members iterates over the members of a JSON object: the name, decoded, and
// the value as it is written. Anything but an object has none. It is made for
// valid JSON; of other input it makes what it can.
func members(object []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		i := skipSpace(object, 0)
		if i == len(object) || object[i] != '{' {
			return
		}
		i = skipSpace(object, i+1)
		for i < len(object) && object[i] == '"' {
			end := skipString(object, i)
			name, ok := text(object[i:end])
			i = skipSpace(object, end)
			if !ok || i == len(object) || object[i] != ':' {
				return
			}
			i = skipSpace(object, i+1)
			end = skipValue(object, i)
			if !yield(name, object[i:end]) {
				return
			}
			i = skipSpace(object, end)
			if i < len(object) && object[i] == ',' {
				i = skipSpace(object, i+1)
			}
		}
	}
}

// text decodes a JSON string; other values are none.
func text(value []byte) (string, bool) {
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return "", false
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1]), true
	}
	var s string
	err := json.Unmarshal(value, &s)
	return s, err == nil
}

// matches reports whether an object has that text at that path. A name may
// have dots itself: a.b is the member b of a, and the member "a.b". Of a name
// that is there twice, either may match.
func matches(object []byte, path, want string) bool {
	for name, value := range members(object) {
		if name == path {
			if s, ok := text(value); ok && s == want {
				return true
			}
		}
		rest, ok := strings.CutPrefix(path, name)
		if ok && strings.HasPrefix(rest, ".") && matches(value, rest[1:], want) {
			return true
		}
	}
	return false
}

// matchesAll reports whether a document satisfies all filters.
func matchesAll(body []byte, filters []testdb.Filter) bool {
	// Text without an escape is written as it is: most bodies need no closer look.
	escaped := len(filters) > 0 && bytes.IndexByte(body, '\\') >= 0
	for _, f := range filters {
		if !escaped && !bytes.Contains(body, []byte(f.Value)) {
			return false
		}
		if !matches(body, f.Path, f.Value) {
			return false
		}
	}
	return true
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString returns where the string that begins at i ends.
func skipString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// skipValue returns where the value that begins at i ends.
func skipValue(b []byte, i int) int {
	for depth := 0; i < len(b); {
		switch b[i] {
		case '"':
			i = skipString(b, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			if depth < 0 { // of the object around it
				return i
			}
			i++
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i
			}
			i++
		default: // a number or literal, or within a list or an object
			i++
			continue
		}
		if depth == 0 {
			return i
		}
	}
	return len(b)
}
