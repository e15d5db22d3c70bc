package jenkinstest

import (
	"maps"
	"slices"
	"strings"
)

// An environment ignores case and keeps the first spelling of a name: so a
// parameter build_tag takes the place of BUILD_TAG, and $build_tag is empty.
type environment struct {
	names  map[string]string // lower case to the spelling
	values map[string]string // lower case to the value
}

func newEnvironment(inherited []string) *environment {
	e := &environment{names: map[string]string{}, values: map[string]string{}}
	for _, pair := range inherited {
		if name, value, ok := strings.Cut(pair, "="); ok {
			e.set(name, value)
		}
	}
	return e
}

func (e *environment) set(name, value string) {
	key := strings.ToLower(name)
	if _, ok := e.names[key]; !ok {
		e.names[key] = name
	}
	e.values[key] = value
}

// list returns NAME=value, sorted.
func (e *environment) list() []string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(e.names)) {
		pairs = append(pairs, e.names[key]+"="+e.values[key])
	}
	return pairs
}
