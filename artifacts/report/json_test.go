package report

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/anuket-project/xtci/testcases"
)

const schemaFile = "../../docs/report.schema.json"

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	schema, err := compiler.Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestJSONFollowsItsSchema(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t)
	for name, a := range map[string]*testcases.Assessment{
		"small":               sample(),
		"large":               large(),
		"empty":               {Verdict: testcases.NotConformant},
		"case of no catalog":  {Verdict: testcases.NotConformant, Outcomes: []testcases.Outcome{{Verdict: testcases.VerdictMissing}}},
		"empty catalog":       {Verdict: testcases.Conformant, Catalog: &testcases.Catalog{}},
		"requirement unknown": {Verdict: testcases.Conformant, Catalog: &testcases.Catalog{}, Outcomes: []testcases.Outcome{{Case: &testcases.Case{Requirements: []string{"nowhere"}}, Verdict: testcases.VerdictPass}}},
	} {
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(render(t, JSON, a)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := schema.Validate(document); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSchemaRefusesWrongDocuments(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t)
	valid := string(render(t, JSON, sample()))
	tests := map[string]struct{ old, new string }{
		"another version":      {`"version": 1,`, `"version": 2,`},
		"unknown verdict":      {`"verdict": "not conformant"`, `"verdict": "fine"`},
		"unknown field":        {`"verdict": "not conformant"`, `"verdict": "not conformant", "score": 1`},
		"unknown case verdict": {`"verdict": "incomplete"`, `"verdict": "nearly"`},
		"missing field":        {`"complete": true,`, ``},
		"recorded as a word":   {`"recorded": "PASS"`, `"recorded": "pass"`},
		"negative count":       {`"skipped": 5`, `"skipped": -5`},
		"check without status": {`"status": "pass",`, ``},
		"line 0":               {`"line": 17`, `"line": 0`},
	}
	for name, tt := range tests {
		wrong := strings.Replace(valid, tt.old, tt.new, 1)
		if wrong == valid {
			t.Errorf("%s: the document has no %s", name, tt.old)
			continue
		}
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(wrong))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := schema.Validate(document); err == nil {
			t.Errorf("%s: the schema accepts it", name)
		}
	}
}

// The schema must list every word that the domain has: a new one in package
// testcases would otherwise make documents that their schema refuses.
func TestSchemaListsEveryWordOfTheDomain(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	type enum struct {
		Enum []any `json:"enum"`
	}
	var schema struct {
		Properties struct{ Verdict enum }
		Defs       struct {
			Status, Class, Verdict, Criteria, Level enum
			Finding                                 struct {
				Properties struct{ Kind enum }
			}
		} `json:"$defs"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	words := domainWords(t)
	for typeName, listed := range map[string]enum{
		"Status": schema.Defs.Status, "Class": schema.Defs.Class, "CaseVerdict": schema.Defs.Verdict,
		"CampaignVerdict": schema.Properties.Verdict, "FindingKind": schema.Defs.Finding.Properties.Kind, "Level": schema.Defs.Level,
	} {
		if len(words[typeName]) == 0 {
			t.Errorf("package testcases has no constants of type %s", typeName)
		}
		for _, word := range words[typeName] {
			if !slices.Contains(listed.Enum, any(word)) {
				t.Errorf("%s %q is not in %s", typeName, word, schemaFile)
			}
		}
	}
}

// domainWords are the values of the typed constants of package testcases, by
// the name of their type.
func domainWords(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("../../testcases/*.go")
	if err != nil {
		t.Fatal(err)
	}
	words := make(map[string][]string)
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			typeName, ok := spec.Type.(*ast.Ident)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
				word, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				words[typeName.Name] = append(words[typeName.Name], word)
			}
			return true
		})
	}
	return words
}

func TestJSONHasEverything(t *testing.T) {
	t.Parallel()
	a := large()
	var d document
	if err := json.Unmarshal(render(t, JSON, a), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Specs) != 7052 {
		t.Errorf("%d specs, want each of the 7,052 once", len(d.Specs))
	}
	if len(d.Cases) != len(a.Outcomes) {
		t.Errorf("%d cases, want %d", len(d.Cases), len(a.Outcomes))
	}
	for _, c := range d.Cases {
		for _, check := range c.Checks {
			if check.Class == string(testcases.ClassNotSelected) {
				t.Errorf("%s repeats %s, which it does not select", c.Name, check.Name)
			}
		}
	}
	want := tally{Passed: 775, Failed: 40, Skipped: 27, NotSelected: 6210}
	if diff := cmp.Diff(want, d.Summary.Specs); diff != "" {
		t.Errorf("specs in the summary (-want +got):\n%s", diff)
	}
}
