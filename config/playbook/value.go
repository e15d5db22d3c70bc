package playbook

import (
	"fmt"
	"strings"
)

// A value is a value of the playbook, with where it stands. Data is nil, bool,
// int64, float64, string, []*value or *mapping.
type value struct {
	place
	data any
	// written is a number as it stands in the file.
	written string
	// encrypted is that of Ansible Vault; raw text is not for Jinja.
	encrypted, raw bool
}

// A place is a line of a file.
type place struct {
	file string
	line int
}

func (p place) String() string { return fmt.Sprintf("%s:%d", p.file, p.line) }

// A mapping keeps its keys in the order in which they are written.
type mapping struct {
	pairs []pair
	index map[string]int
}

type pair struct {
	key   string
	at    place // of the key
	value *value
	// typed is the key where it is not text: 2023.1 as a number.
	typed any
}

func newMapping() *mapping { return &mapping{index: map[string]int{}} }

func (m *mapping) get(key string) *value {
	if m == nil {
		return nil
	}
	if i, ok := m.index[key]; ok {
		return m.pairs[i].value
	}
	return nil
}

// set adds or replaces a key, which keeps its place.
func (m *mapping) set(p pair) {
	if i, ok := m.index[p.key]; ok {
		m.pairs[i] = p
		return
	}
	m.index[p.key] = len(m.pairs)
	m.pairs = append(m.pairs, p)
}

func (v *value) mapping() (*mapping, bool) {
	if v == nil {
		return nil, false
	}
	m, ok := v.data.(*mapping)
	return m, ok
}

func (v *value) list() ([]*value, bool) {
	if v == nil {
		return nil, false
	}
	l, ok := v.data.([]*value)
	return l, ok
}

// isNil says whether there is no value, or null.
func (v *value) isNil() bool { return v == nil || v.data == nil }

// kind names what sort of value it is, for messages.
func (v *value) kind() string {
	if v == nil {
		return "nothing"
	}
	switch v.data.(type) {
	case nil:
		return "nothing"
	case bool:
		return "true or false"
	case int64, float64:
		return "a number"
	case string:
		return "text"
	case []*value:
		return "a list"
	default:
		return "a mapping"
	}
}

// native is the value as Jinja sees it.
func (v *value) native() any {
	switch data := v.data.(type) {
	case []*value:
		list := make([]any, len(data))
		for i, element := range data {
			list[i] = element.native()
		}
		return list
	case *mapping:
		all := make(map[string]any, len(data.pairs))
		for _, p := range data.pairs {
			all[p.key] = p.value.native()
		}
		return all
	case int64:
		return int(data)
	default:
		return data
	}
}

// words are the words of text, or the elements of a list of text: many keys of
// Ansible take both.
func (v *value) words() []string {
	var words []string
	if list, ok := v.list(); ok {
		for _, element := range list {
			words = append(words, text(element.data))
		}
	} else if v != nil && v.data != nil {
		for word := range strings.SplitSeq(text(v.data), ",") {
			words = append(words, strings.TrimSpace(word))
		}
	}
	return words
}
