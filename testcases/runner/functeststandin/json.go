package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// decodeObject reads a JSON object, and keeps numbers as they are written.
func decodeObject(raw []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	object := map[string]any{}
	err := decoder.Decode(&object)
	return object, err
}

// pythonJSON is a value as Python's json.dumps writes it with sorted keys:
// blanks after commas and colons, ASCII alone.
func pythonJSON(value any) string {
	var out strings.Builder
	writeJSON(&out, value)
	return out.String()
}

func writeJSON(out *strings.Builder, value any) {
	switch v := value.(type) {
	case map[string]any:
		out.WriteString("{")
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				out.WriteString(", ")
			}
			writeString(out, key)
			out.WriteString(": ")
			writeJSON(out, v[key])
		}
		out.WriteString("}")
	case []any:
		out.WriteString("[")
		for i, item := range v {
			if i > 0 {
				out.WriteString(", ")
			}
			writeJSON(out, item)
		}
		out.WriteString("]")
	case string:
		writeString(out, v)
	case nil:
		out.WriteString("null")
	default: // bool, int, json.Number
		fmt.Fprint(out, v)
	}
}

func writeString(out *strings.Builder, s string) {
	out.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			out.WriteString(`\` + string(r))
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\r':
			out.WriteString(`\r`)
		case r == '\t':
			out.WriteString(`\t`)
		case r >= ' ' && r < 0x7f:
			out.WriteRune(r)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				hex := strconv.FormatUint(uint64(unit), 16)
				out.WriteString(`\u` + strings.Repeat("0", 4-len(hex)) + hex)
			}
		}
	}
	out.WriteByte('"')
}
