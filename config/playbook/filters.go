package playbook

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/nikolalohinski/gonja/v2/builtins"
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/parser"
)

// templates are what templates can use: expressions with the filters, tests
// and methods that neither reach out nor make much of little. There are no
// statements, no functions and no way to files.
var templates = sync.OnceValue(func() *exec.Environment {
	return &exec.Environment{
		Filters:           exec.NewFilterSet(filters()),
		Tests:             builtins.Tests,
		ControlStructures: exec.NewControlStructureSet(map[string]parser.ControlStructureParser{}),
		Context:           exec.EmptyContext(),
		Methods: exec.Methods{
			Bool: exec.NewMethodSet(map[string]exec.Method[bool]{}), Int: exec.NewMethodSet(map[string]exec.Method[int]{}),
			Float: exec.NewMethodSet(map[string]exec.Method[float64]{}), List: exec.NewMethodSet(map[string]exec.Method[[]any]{}),
			Str: textMethods(), Dict: mappingMethods(),
		},
	}
})

// plainFilters are the library's that are taken as they are.
var plainFilters = []string{
	"abs", "capitalize", "count", "d", "default", "first", "float", "int", "items", "last", "length", "list", "lower",
	"max", "min", "reject", "rejectattr", "reverse", "round", "select", "selectattr", "sort", "string", "sum",
	"title", "tojson", "trim", "unique", "upper", "urlencode",
}

func filters() map[string]exec.FilterFunction {
	all := map[string]exec.FilterFunction{}
	for _, name := range plainFilters {
		if f, ok := builtins.Filters.Get(name); ok {
			all[name] = f
		}
	}
	for name, f := range map[string]func(in *exec.Value, args arguments) (any, error){
		"replace": filterReplace, "join": filterJoin, "split": filterSplit,
		"bool": filterBool, "ternary": filterTernary, "mandatory": filterMandatory,
		"basename": onText(path.Base), "dirname": onText(path.Dir),
		"regex_replace": filterRegexReplace, "regex_search": filterRegexSearch,
		"b64encode": onText(func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }), "b64decode": filterB64decode,
		"quote":   onText(func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'" }),
		"to_json": filterJSON, "combine": filterCombine, "dict2items": filterItems,
		"union": filterUnion, "difference": filterDifference, "intersect": filterIntersect, "flatten": filterFlatten,
	} {
		all[name] = func(_ *exec.Evaluator, in *exec.Value, params *exec.VarArgs) *exec.Value {
			if in.IsError() {
				return in
			}
			result, err := f(in, arguments{params})
			if err != nil {
				return exec.AsValue(fmt.Errorf("filter %s: %w", name, err))
			}
			return exec.AsValue(result)
		}
	}
	return all
}

func filterNames() []string { return slices.Sorted(maps.Keys(filters())) }

// arguments are those of a filter.
type arguments struct{ *exec.VarArgs }

// at is the argument at a place, or of a name; fallback if there is none.
func (a arguments) at(i int, name string, fallback any) *exec.Value {
	if v, ok := a.KwArgs[name]; ok {
		return v
	}
	if i < len(a.Args) {
		return a.Args[i]
	}
	return exec.AsValue(fallback)
}

func onText(f func(string) string) func(*exec.Value, arguments) (any, error) {
	return func(in *exec.Value, _ arguments) (any, error) { return f(in.String()), nil }
}

// replaced replaces text, unless that grows it too much.
func replaced(s, old, by string) (string, error) {
	if n := strings.Count(s, old); len(s)+n*(len(by)-len(old)) > maxText {
		return "", errTooLong
	}
	return strings.ReplaceAll(s, old, by), nil
}

func filterReplace(in *exec.Value, a arguments) (any, error) {
	return replaced(in.String(), a.at(0, "old", "").String(), a.at(1, "new", "").String())
}

func filterJoin(in *exec.Value, a arguments) (any, error) {
	var parts []string
	for _, element := range elements(in) {
		parts = append(parts, exec.AsValue(element).String())
	}
	return joined(parts, a.at(0, "d", "").String())
}

func joined(parts []string, by string) (string, error) {
	total := len(by) * len(parts)
	for _, p := range parts {
		total += len(p)
	}
	if total > maxText {
		return "", errTooLong
	}
	return strings.Join(parts, by), nil
}

func filterSplit(in *exec.Value, a arguments) (any, error) {
	return split(in.String(), a.at(0, "sep", "").String()), nil
}

func split(s, by string) []any {
	parts := strings.Fields(s)
	if by != "" {
		parts = strings.Split(s, by)
	}
	all := make([]any, len(parts))
	for i, p := range parts {
		all[i] = p
	}
	return all
}

// filterBool is Ansible's: words, and 1, are true.
func filterBool(in *exec.Value, _ arguments) (any, error) {
	if in.IsString() {
		return slices.Contains([]string{"yes", "on", "1", "true"}, strings.ToLower(in.String())), nil
	}
	return in.IsTrue(), nil
}

func filterTernary(in *exec.Value, a arguments) (any, error) {
	_, named := a.KwArgs["none_val"]
	switch {
	case in.IsNil() && (len(a.Args) > 2 || named):
		return a.at(2, "none_val", nil).ToGoSimpleType(false), nil
	case in.IsTrue():
		return a.at(0, "true_val", nil).ToGoSimpleType(false), nil
	default:
		return a.at(1, "false_val", nil).ToGoSimpleType(false), nil
	}
}

func filterMandatory(in *exec.Value, _ arguments) (any, error) {
	if in.IsNil() {
		return nil, errors.New("the value is not there")
	}
	return in.ToGoSimpleType(false), nil
}

// backReference is Python's way to name a group: \1 or \g<1>.
var backReference = regexp.MustCompile(`\\(?:([0-9]{1,2})|g<([0-9A-Za-z_]+)>)`)

const maxExpression = 1 << 10

func expression(text string) (*regexp.Regexp, error) {
	if len(text) > maxExpression {
		return nil, fmt.Errorf("the regular expression is longer than %d bytes", maxExpression)
	}
	return regexp.Compile(text)
}

func filterRegexReplace(in *exec.Value, a arguments) (any, error) {
	re, err := expression(a.at(0, "pattern", "").String())
	if err != nil {
		return nil, err
	}
	by := backReference.ReplaceAllString(strings.ReplaceAll(a.at(1, "replacement", "").String(), "$", "$$"), "$${$1$2}")
	s := in.String()
	if (len(s)+1)*(len(by)+1) > maxText*16 {
		return nil, errTooLong
	}
	result := re.ReplaceAllString(s, by)
	if len(result) > maxText {
		return nil, errTooLong
	}
	return result, nil
}

func filterRegexSearch(in *exec.Value, a arguments) (any, error) {
	re, err := expression(a.at(0, "pattern", "").String())
	if err != nil {
		return nil, err
	}
	if found := re.FindString(in.String()); found != "" {
		return found, nil
	}
	return nil, nil //nolint:nilnil // nothing was found
}

func filterB64decode(in *exec.Value, _ arguments) (any, error) {
	decoded, err := base64.StdEncoding.DecodeString(in.String())
	return string(decoded), err
}

func filterJSON(in *exec.Value, _ arguments) (any, error) {
	encoded, err := json.Marshal(in.ToGoSimpleType(false))
	if err == nil && len(encoded) > maxText {
		err = errTooLong
	}
	return string(encoded), err
}

func filterCombine(in *exec.Value, a arguments) (any, error) {
	all := map[string]any{}
	for _, source := range append([]*exec.Value{in}, a.Args...) {
		m, ok := source.ToGoSimpleType(false).(map[string]any)
		if !ok {
			return nil, errors.New("it takes mappings alone")
		}
		maps.Copy(all, m)
	}
	return all, nil
}

func filterItems(in *exec.Value, _ arguments) (any, error) {
	m, ok := in.ToGoSimpleType(false).(map[string]any)
	if !ok {
		return nil, errors.New("it takes a mapping")
	}
	var all []any
	for _, key := range slices.Sorted(maps.Keys(m)) {
		all = append(all, map[string]any{"key": key, "value": m[key]})
	}
	return all, nil
}

// elements are those of a list; of anything else, that alone.
func elements(v *exec.Value) []any {
	simple := v.ToGoSimpleType(false)
	if list, ok := simple.([]any); ok {
		return list
	}
	if simple == nil {
		return nil
	}
	return []any{simple}
}

// has compares as text: what sets are made of here is names.
func has(list []any, element any) bool {
	return slices.ContainsFunc(list, func(other any) bool { return fmt.Sprint(other) == fmt.Sprint(element) })
}

func filterUnion(in *exec.Value, a arguments) (any, error) {
	return unique(append(elements(in), elements(a.at(0, "", nil))...))
}

func filterDifference(in *exec.Value, a arguments) (any, error) {
	without := elements(a.at(0, "", nil))
	return unique(slices.DeleteFunc(elements(in), func(e any) bool { return has(without, e) }))
}

func filterIntersect(in *exec.Value, a arguments) (any, error) {
	with := elements(a.at(0, "", nil))
	return unique(slices.DeleteFunc(elements(in), func(e any) bool { return !has(with, e) }))
}

const maxSet = 1000

func unique(list []any) (any, error) {
	if len(list) > maxSet {
		return nil, fmt.Errorf("more than %d elements", maxSet)
	}
	all := []any{}
	for _, e := range list {
		if !has(all, e) {
			all = append(all, e)
		}
	}
	return all, nil
}

func filterFlatten(in *exec.Value, _ arguments) (any, error) {
	all := []any{}
	var add func([]any)
	add = func(list []any) {
		for _, e := range list {
			if inner, ok := e.([]any); ok {
				add(inner)
			} else {
				all = append(all, e)
			}
		}
	}
	add(elements(in))
	return all, nil
}

// plainTextMethods are the library's that are taken as they are.
var plainTextMethods = []string{"capitalize", "endswith", "find", "lower", "lstrip", "rstrip", "startswith", "strip", "title", "upper"}

func textMethodNames() []string {
	return slices.Sorted(slices.Values(append([]string{"join", "replace", "split"}, plainTextMethods...)))
}

// textMethods are those of Python's str that templates are known to use.
func textMethods() *exec.MethodSet[string] {
	methods := map[string]exec.Method[string]{
		"replace": func(self string, _ *exec.Value, params *exec.VarArgs) (any, error) {
			a := arguments{params}
			return replaced(self, a.at(0, "old", "").String(), a.at(1, "new", "").String())
		},
		"join": func(self string, _ *exec.Value, params *exec.VarArgs) (any, error) {
			var parts []string
			for _, element := range elements(arguments{params}.at(0, "", nil)) {
				parts = append(parts, exec.AsValue(element).String())
			}
			return joined(parts, self)
		},
		"split": func(self string, _ *exec.Value, params *exec.VarArgs) (any, error) {
			return split(self, arguments{params}.at(0, "sep", "").String()), nil
		},
	}
	for _, name := range plainTextMethods {
		if m, ok := builtins.Methods.Str.Get(name); ok {
			methods[name] = m
		}
	}
	return exec.NewMethodSet(methods)
}

var mappingMethodNames = [...]string{"get", "items", "keys", "values"}

// mappingMethods are those of Python's dict that change nothing.
func mappingMethods() *exec.MethodSet[map[string]any] {
	methods := map[string]exec.Method[map[string]any]{}
	for _, name := range mappingMethodNames {
		if m, ok := builtins.Methods.Dict.Get(name); ok {
			methods[name] = m
		}
	}
	return exec.NewMethodSet(methods)
}
