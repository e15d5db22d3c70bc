package jenkinstest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// recorded reads an answer of a real Jenkins.
func recorded(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "recorded", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// sameShape says where an answer differs from a recorded one in what it has:
// keys, types and classes. Values differ.
func sameShape(path string, want, got any) []string {
	if want == nil || got == nil {
		return nil // what is null here may be something there
	}
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s: %T, want an object", path, got)}
		}
		var bad []string
		for _, key := range slices.Sorted(maps.Keys(want)) {
			value, ok := got[key]
			if !ok {
				bad = append(bad, path+"."+key+" is missing")
				continue
			}
			if key == "_class" && value != want[key] {
				bad = append(bad, fmt.Sprintf("%s is a %v, want %v", path, value, want[key]))
			}
			bad = append(bad, sameShape(path+"."+key, want[key], value)...)
		}
		for _, key := range slices.Sorted(maps.Keys(got)) {
			if _, ok := want[key]; !ok {
				bad = append(bad, path+"."+key+" was not recorded")
			}
		}
		return bad
	case []any:
		got, ok := got.([]any)
		if !ok {
			return []string{fmt.Sprintf("%s: %T, want a list", path, got)}
		}
		return sameShapes(path, want, got)
	}
	if fmt.Sprintf("%T", want) != fmt.Sprintf("%T", got) {
		return []string{fmt.Sprintf("%s: %T, want %T", path, got, want)}
	}
	return nil
}

// sameShapes compares each recorded element with the first one of its class.
func sameShapes(path string, want, got []any) []string {
	var bad []string
	seen := map[string]bool{}
	for i, w := range want {
		class := classOf(w)
		if seen[class] || class == "" && len(got) == 0 || isOtherAction(w, class) {
			continue
		}
		seen[class] = true
		at := slices.IndexFunc(got, func(g any) bool { return classOf(g) == class })
		if at < 0 {
			bad = append(bad, fmt.Sprintf("%s[%d]: nothing of class %q", path, i, class))
			continue
		}
		bad = append(bad, sameShape(fmt.Sprintf("%s[%d]", path, i), w, got[at])...)
	}
	return bad
}

func classOf(v any) string {
	m, _ := v.(map[string]any)
	class, _ := m["_class"].(string)
	return class
}

// isOtherAction says whether an action is of a plugin that has nothing to do
// with builds.
func isOtherAction(v any, class string) bool {
	m, _ := v.(map[string]any)
	switch class {
	case "org.jenkinsci.plugins.displayurlapi.actions.RunDisplayAction", "org.jenkinsci.plugins.displayurlapi.actions.JobDisplayAction",
		"com.cloudbees.plugins.credentials.ViewCredentialsAction":
		return true
	}
	return len(m) == 0 && m != nil
}

func parseJSON(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
	return v
}
