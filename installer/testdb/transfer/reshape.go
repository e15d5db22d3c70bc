package transfer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/anuket-project/xtci/installer/testdb"
)

// A member is a name in a JSON object and its value.
type member struct {
	name  string
	value json.RawMessage
}

// parseMembers splits an object into its members. What is in them need not be
// JSON: Python writes NaN.
func parseMembers(raw json.RawMessage) ([]member, error) {
	in := &input{r: bufio.NewReader(bytes.NewReader(raw)), name: "in it"}
	if len(raw) == 0 || raw[0] != '{' {
		return nil, errors.New("it is not an object")
	}
	if _, err := in.readByte(); err != nil {
		return nil, in.failure(err)
	}
	var members []member
	for first := true; ; first = false {
		m, ok, err := in.readName(first)
		if err != nil || !ok {
			return members, err
		}
		if _, err := in.peekToken(); err != nil {
			return nil, in.failure(err)
		}
		if m.value, err = in.readValue(); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
}

// joinMembers writes an object.
func joinMembers(members []member) json.RawMessage {
	object := []byte{'{'}
	for i, m := range members {
		if i > 0 {
			object = append(object, ',')
		}
		object = append(append(append(object, quote(m.name)...), ':'), m.value...)
	}
	return append(object, '}')
}

func quote(s string) json.RawMessage {
	raw, _ := json.Marshal(s) // a string can always be marshalled
	return raw
}

// reshape makes the fields of a stored document what they were when they were
// posted: ids and dates of MongoDB become text, and so do names that the old
// server took for literals of Python (spec/testapi-xtesting.md, a.5). Details
// stay. It returns how many names it found that are no text.
func reshape(c testdb.Collection, given []member) (shaped []member, texts int) {
	shaped = slices.Clone(given)
	for i, m := range shaped {
		switch {
		case m.name == "_id":
			shaped[i].value = plainID(m.value)
		case m.name == "creation_date" || m.name == "start_date" || m.name == "stop_date":
			shaped[i].value = plainDate(m.value)
		case isName(c, m.name) && m.value[0] != '"' && string(m.value) != "null":
			shaped[i].value = literal(m.value)
			texts++
		}
	}
	return shaped, texts
}

// isName says whether things are found by a field, so that it must be text.
func isName(c testdb.Collection, field string) bool {
	var names []string
	switch c {
	case testdb.TestCases:
		names = []string{"project_name", "name"}
	case testdb.Results:
		names = []string{"pod_name", "project_name", "case_name", "build_tag", "version", "installer", "scenario"}
	case testdb.DeployResults:
		names = []string{"pod_name", "installer", "scenario", "version", "job_name", "upstream_job_name"}
	default:
		names = []string{"name"}
	}
	return slices.Contains(names, field)
}

// literal is the text that the old server can have made a value of. That it
// was 1.10 and not 1.1 is lost.
func literal(value json.RawMessage) json.RawMessage {
	switch string(value) {
	case "true":
		return quote("True")
	case "false":
		return quote("False")
	}
	var compact bytes.Buffer // dumps and answers have other spaces
	if json.Compact(&compact, value) == nil {
		value = compact.Bytes()
	}
	return quote(string(value))
}

// plainID is the text of an ObjectId.
func plainID(value json.RawMessage) json.RawMessage {
	if id, ok := wrapped(value, "$oid"); ok {
		return id
	}
	return value
}

// wrapped is the value of an object that has that name alone.
func wrapped(value json.RawMessage, name string) (json.RawMessage, bool) {
	if value[0] != '{' {
		return nil, false
	}
	members, err := parseMembers(value)
	if err != nil || len(members) != 1 || members[0].name != name {
		return nil, false
	}
	return members[0].value, true
}

// plainDate is the text of a date as the old server answered it: str() of a
// Python datetime without a zone.
func plainDate(value json.RawMessage) json.RawMessage {
	date, ok := wrapped(value, "$date")
	if !ok {
		return value
	}
	t, ok := parseDate(date)
	if !ok {
		return value
	}
	if t.Nanosecond() == 0 {
		return quote(t.UTC().Format(time.DateTime))
	}
	return quote(t.UTC().Format(pythonTime))
}

// pythonTime is the form of creation dates (spec/testapi-xtesting.md, a.1).
const pythonTime = "2006-01-02 15:04:05.000000"

// parseDate reads what stands under $date: a text, as mongoexport has written
// it in several ways, or milliseconds.
func parseDate(value json.RawMessage) (time.Time, bool) {
	if number, ok := wrapped(value, "$numberLong"); ok {
		value = bytes.Trim(number, `"`)
	}
	if ms, err := strconv.ParseInt(string(value), 10, 64); err == nil {
		return time.UnixMilli(ms), true
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		return time.Time{}, false
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// plainNumbers makes the numbers of MongoDB's canonical extended JSON plain
// ones, in a document of mongoexport, which is known by its _id.
func plainNumbers(document json.RawMessage) json.RawMessage {
	members, err := parseMembers(document)
	if err != nil {
		return document
	}
	exported := slices.ContainsFunc(members, func(m member) bool {
		_, ok := wrapped(m.value, "$oid")
		return m.name == "_id" && ok
	})
	if !exported {
		return document
	}
	var compact bytes.Buffer
	if json.Compact(&compact, document) != nil {
		return document
	}
	// No string can look like this: the quotes in it would be escaped.
	number := regexp.MustCompile(`\{"\$number(?:Int|Long|Double)":"(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"\}`)
	return number.ReplaceAll(compact.Bytes(), []byte("$1"))
}

// fieldsOf are the fields of a document as it is stored.
func fieldsOf(d testdb.Document) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(d.Body, &fields); err != nil {
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	return fields, nil
}
