package testdb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// A fieldKind says what a field takes.
type fieldKind int

const (
	anyJSON       fieldKind = iota
	nameText                // a text; a number is taken as its text
	tagText                 // any JSON; a number is taken as its text, so that it can be found
	dateText                // any JSON; compared when it is a text
	installerList           // those of a scenario
)

// A field is one key of a document.
type field struct {
	name    string
	kind    fieldKind
	initial string // the JSON of a field that was not given
	own     bool   // set by the server alone
}

// fieldsOf lists the keys of a collection's documents, in the order in which
// the old server happened to write them (spec/testapi-xtesting.md, a.2, a.3).
func fieldsOf(c Collection) []field {
	const null, empty = "null", `""`
	id := field{name: "_id", initial: empty, own: true}
	created := field{name: "creation_date", initial: empty, own: true}
	creator := field{name: "creator", initial: empty, own: true}
	switch c {
	case Pods:
		return []field{
			{name: "role", initial: empty},
			{name: "name", kind: nameText},
			creator,
			{name: "details", initial: empty},
			{name: "mode", initial: empty},
			id, created,
		}
	case Projects:
		return []field{id, created, {name: "description", initial: null}, {name: "name", kind: nameText}, creator}
	case TestCases:
		return []field{
			{name: "project_name", kind: nameText},
			{name: "run", initial: null},
			{name: "description", initial: null},
			{name: "tags", initial: null},
			created,
			{name: "dependencies", initial: null},
			{name: "tier", initial: null},
			{name: "trust", initial: `"Silver"`},
			{name: "blocking", initial: null},
			{name: "name", kind: nameText},
			{name: "ci_loop", initial: null},
			{name: "url", initial: null},
			{name: "version", initial: null},
			{name: "criteria", initial: null},
			{name: "domains", initial: null},
			id,
			{name: "catalog_description", initial: null},
		}
	case Scenarios:
		return []field{
			{name: "name", kind: nameText},
			creator, id, created,
			{name: "installers", kind: installerList, initial: "[]"},
		}
	case Results:
		return []field{
			{name: "project_name", kind: nameText},
			{name: "scenario", kind: tagText, initial: null},
			{name: "stop_date", kind: dateText, initial: null},
			{name: "case_name", kind: nameText},
			{name: "build_tag", kind: tagText, initial: null},
			{name: "version", kind: tagText, initial: null},
			{name: "pod_name", kind: nameText},
			{name: "criteria", initial: null},
			{name: "installer", kind: tagText, initial: null},
			id,
			{name: "start_date", kind: dateText, initial: null},
			{name: "details", initial: null},
		}
	case DeployResults:
		return []field{
			{name: "build_id", initial: null},
			{name: "upstream_build_id", initial: null},
			{name: "scenario", kind: nameText},
			{name: "stop_date", kind: dateText, initial: null},
			{name: "start_date", kind: dateText, initial: null},
			{name: "upstream_job_name", kind: tagText, initial: null},
			{name: "version", kind: tagText, initial: null},
			{name: "pod_name", kind: nameText},
			{name: "criteria", initial: null},
			{name: "installer", kind: nameText},
			id,
			{name: "job_name", kind: tagText, initial: null},
			{name: "details", initial: null},
		}
	}
	return nil
}

// fieldOf finds a key of a collection's documents.
func fieldOf(c Collection, key string) (field, bool) {
	for _, f := range fieldsOf(c) {
		if f.name == key {
			return f, true
		}
	}
	return field{}, false
}

// maxText bounds, in bytes, the texts that documents are found by.
const maxText = 1024

// object is a JSON object as it was read, not yet checked.
type object map[string]json.RawMessage

// parseObject reads a JSON object; ok is false for any other JSON.
func parseObject(raw json.RawMessage) (o object, ok bool) {
	if json.Unmarshal(raw, &o) != nil || o == nil {
		return nil, false
	}
	return o, true
}

// text returns a field as text. A number is its text; all else is none.
func (o object) text(key string) (string, bool) {
	raw := bytes.TrimSpace(o[key])
	if len(raw) == 0 {
		return "", false
	}
	switch c := raw[0]; {
	case c == '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err == nil
	case c == '-' || c >= '0' && c <= '9':
		return string(raw), true
	}
	return "", false
}

// missing says that a required field is absent, null or empty, as the old
// server sees it.
func (o object) missing(key string) bool {
	raw := string(bytes.TrimSpace(o[key]))
	return raw == "" || raw == "null" || raw == `""`
}

func (o object) set(key, text string) { o[key] = pythonText(text) }

// NewDocument makes a document of a JSON object that has its _id: it drops
// the keys that the collection has not, adds those that are missing, and
// writes all as the server answers it. It is what an import stores, too.
func NewDocument(c Collection, raw json.RawMessage) (Document, error) {
	checked, err := parseJSON(raw)
	if err != nil {
		return Document{}, err
	}
	o, ok := parseObject(checked)
	if !ok {
		return Document{}, errors.New("it is not an object")
	}
	return newDocument(c, o)
}

func newDocument(c Collection, o object) (Document, error) {
	id, ok := o.text("_id")
	if ok {
		id, ok = parseObjectID(id)
	}
	if !ok {
		return Document{}, errors.New("_id must be 24 hexadecimal digits")
	}
	o.set("_id", id)
	body := []byte{'{'}
	for i, f := range fieldsOf(c) {
		value, err := f.value(o)
		if err != nil {
			return Document{}, err
		}
		if i > 0 {
			body = append(body, ", "...)
		}
		body = append(append(append(body, '"'), f.name...), `": `...)
		body = append(body, value...)
	}
	return Document{ID: id, Key: keyOf(c, id, o), Body: append(body, '}')}, nil
}

// value returns the JSON to store of a field of an object.
func (f field) value(o object) ([]byte, error) {
	raw, given := o[f.name]
	if !given {
		raw = json.RawMessage(f.initial)
	}
	raw = bytes.TrimSpace(raw)
	switch f.kind {
	case nameText:
		s, ok := o.text(f.name)
		if !ok || s == "" {
			return nil, fmt.Errorf("%s must be a text", f.name)
		}
		if s == "." || s == ".." {
			return nil, fmt.Errorf("%s must not be %s, which no path can name", f.name, s)
		}
		return storableText(f.name, s)
	case tagText:
		if s, ok := o.text(f.name); ok {
			return storableText(f.name, s)
		}
	case dateText:
		if s, ok := o.text(f.name); ok && raw[0] == '"' {
			return storableText(f.name, s)
		}
	case installerList:
		return installersValue(raw)
	}
	return python(raw), nil
}

// storableText returns a text that documents are found by as JSON.
func storableText(key, s string) ([]byte, error) {
	if len(s) > maxText {
		return nil, fmt.Errorf("%s must not be longer than %d bytes", key, maxText)
	}
	if strings.ContainsRune(s, 0) {
		return nil, fmt.Errorf("%s must not hold the character NUL", key)
	}
	return pythonText(s), nil
}

// keyOf is what a document of that object is kept unique by.
func keyOf(c Collection, id string, o object) string {
	switch c {
	case Results, DeployResults:
		return id
	case TestCases:
		project, _ := o.text("project_name")
		name, _ := o.text("name")
		return CaseKey(project, name)
	}
	name, _ := o.text("name")
	return name
}

// sameJSON compares two values, whatever the order of their keys.
func sameJSON(a, b json.RawMessage) bool {
	decode := func(raw json.RawMessage) (v any, err error) {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		return v, decoder.Decode(&v)
	}
	x, errX := decode(a)
	y, errY := decode(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}
