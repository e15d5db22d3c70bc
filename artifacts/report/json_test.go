package report

import (
	"bytes"
	"encoding/json"
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
		"negative count":       {`"skipped":5`, `"skipped":-5`},
		"check without status": {`"status":"pass",`, ``},
		"line 0":               {`"line":17`, `"line":0`},
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
	if got := strings.Count(string(render(t, JSON, a)), "\n"); got < 7052 {
		t.Errorf("%d lines, want one for each spec at least", got)
	}
}

func TestLayOutKeepsTheDocument(t *testing.T) {
	t.Parallel()
	compact, err := json.Marshal(newDocument(sample()))
	if err != nil {
		t.Fatal(err)
	}
	var back bytes.Buffer
	if err := json.Compact(&back, layOut(compact)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(compact), back.String()); diff != "" {
		t.Errorf("laid out and compacted again (-want +got):\n%s", diff)
	}
}
