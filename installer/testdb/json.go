package testdb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep objects and lists may nest. Python's parser gave up
// near 1,000, and so does SQLite's.
const maxDepth = 500

// parseJSON checks what a client sent and returns it as JSON. NaN, Infinity
// and -Infinity, which Python writes though JSON has none, become text.
func parseJSON(body []byte) (json.RawMessage, error) {
	if !utf8.Valid(body) {
		return nil, errors.New("it is not UTF-8")
	}
	if !json.Valid(body) {
		body = quoteConstants(body)
	}
	if !json.Valid(body) {
		var any json.RawMessage
		return nil, fmt.Errorf("No JSON object could be decoded: %w", json.Unmarshal(body, &any)) //nolint:staticcheck // the old server's words
	}
	if depth(body) > maxDepth {
		return nil, fmt.Errorf("it nests deeper than %d levels", maxDepth)
	}
	return body, nil
}

// quoteConstants puts the names of numbers that are none between quotes.
func quoteConstants(src []byte) []byte {
	out := make([]byte, 0, len(src)+16)
	for i := 0; i < len(src); {
		if src[i] == '"' {
			end := stringEnd(src, i)
			out = append(out, src[i:end]...)
			i = end
			continue
		}
		if name := constantAt(src[i:]); name != "" {
			out = append(append(append(out, '"'), name...), '"')
			i += len(name)
			continue
		}
		out = append(out, src[i])
		i++
	}
	return out
}

// constantAt returns the name of a number that is none at the start of src.
func constantAt(src []byte) string {
	for _, name := range []string{"NaN", "Infinity", "-Infinity"} {
		if bytes.HasPrefix(src, []byte(name)) {
			return name
		}
	}
	return ""
}

// stringEnd returns where the string that starts at src[start] ends.
func stringEnd(src []byte, start int) int {
	for i := start + 1; i < len(src); i++ {
		switch src[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(src)
}

// depth returns how deep valid JSON nests.
func depth(src []byte) int {
	deepest, level := 0, 0
	for i := 0; i < len(src); i++ {
		switch src[i] {
		case '"':
			i = stringEnd(src, i) - 1
		case '{', '[':
			level++
			deepest = max(deepest, level)
		case '}', ']':
			level--
		}
	}
	return deepest
}

// python writes valid JSON as Python's json.dumps does, as the old server
// answered it and clients may compare: a space after comma and colon, and
// nothing but printable ASCII. Numbers, and the order of keys, stay as they
// were sent.
func python(src []byte) []byte {
	dst := make([]byte, 0, len(src)+len(src)/16)
	for i := 0; i < len(src); i++ {
		switch c := src[i]; c {
		case ' ', '\t', '\r', '\n':
		case ',', ':':
			dst = append(dst, c, ' ')
		case '"':
			end := stringEnd(src, i)
			dst = appendPythonString(dst, src[i+1:end-1])
			i = end - 1
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// appendPythonString appends the inside of a JSON string between quotes. It
// goes by UTF-16 units, so that half a surrogate pair stays what it was.
func appendPythonString(dst, inside []byte) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(inside); {
		switch c := inside[i]; {
		case c == '\\' && inside[i+1] == 'u':
			unit, _ := strconv.ParseUint(string(inside[i+2:i+6]), 16, 16) // four digits: it is valid JSON
			dst = appendUnit(dst, uint16(unit))
			i += 6
		case c == '\\' && inside[i+1] == '/':
			dst = append(dst, '/')
			i += 2
		case c == '\\':
			dst = append(dst, c, inside[i+1])
			i += 2
		case c < utf8.RuneSelf:
			dst = appendUnit(dst, uint16(c))
			i++
		default:
			r, size := utf8.DecodeRune(inside[i:])
			for _, unit := range utf16.AppendRune(nil, r) {
				dst = appendUnit(dst, unit)
			}
			i += size
		}
	}
	return append(dst, '"')
}

// appendUnit appends a UTF-16 unit as Python writes it inside a string.
func appendUnit(dst []byte, unit uint16) []byte {
	switch unit {
	case '"', '\\':
		return append(dst, '\\', byte(unit))
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	if unit >= ' ' && unit <= '~' {
		return append(dst, byte(unit))
	}
	return fmt.Appendf(dst, `\u%04x`, unit)
}

// pythonText writes a text as JSON, in Python's manner.
func pythonText(s string) []byte {
	raw, _ := json.Marshal(s) // a string can always be marshalled
	return python(raw)
}

// pythonRepr writes a text as Python 2 shows a unicode object, which is how
// the old server names things in its messages: u'caf\xe9'.
func pythonRepr(s string) string {
	quote := byte('\'')
	if bytes.ContainsRune([]byte(s), '\'') && !bytes.ContainsRune([]byte(s), '"') {
		quote = '"'
	}
	out := []byte{'u', quote}
	for _, r := range s {
		switch {
		case r == rune(quote) || r == '\\':
			out = append(out, '\\', byte(r))
		case r == '\n':
			out = append(out, `\n`...)
		case r == '\r':
			out = append(out, `\r`...)
		case r == '\t':
			out = append(out, `\t`...)
		case r >= ' ' && r <= '~':
			out = append(out, byte(r))
		case r <= 0xff:
			out = fmt.Appendf(out, `\x%02x`, r)
		case r <= 0xffff:
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = fmt.Appendf(out, `\U%08x`, r)
		}
	}
	return string(append(out, quote))
}
