package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/anuket-project/xtci/installer/testdb"
)

// routes are those of the API's table (spec/testapi-xtesting.md, a.1, a.2),
// and what is new.
func routes() map[string][]string {
	const api = "/api/v1"
	return map[string][]string{
		"/versions": {"get"}, api + "/profile": {"get"},
		api + "/pods": {"get", "post"}, api + "/pods/{name}": {"get", "delete"},
		api + "/projects": {"get", "post"}, api + "/projects/{name}": {"get", "put", "delete"},
		api + "/projects/{project}/cases": {"get", "post"}, api + "/projects/{project}/cases/{name}": {"get", "put", "delete"},
		api + "/results": {"get", "post"}, api + "/results/{id}": {"get"},
		api + "/deployresults": {"get", "post"}, api + "/deployresults/{id}": {"get"},
		api + "/scenarios": {"get", "post"}, api + "/scenarios/{name}": {"get", "put", "delete"},
		api + "/scenarios/{name}/scores": {"post"}, api + "/scenarios/{name}/trust_indicators": {"post"},
		api + "/scenarios/{name}/customs":    {"post", "put", "delete"},
		api + "/scenarios/{name}/projects":   {"post", "put", "delete"},
		api + "/scenarios/{name}/versions":   {"post", "put", "delete"},
		api + "/scenarios/{name}/installers": {"post", "put", "delete"},
		api + "/scenarios/{name}/owner":      {"put"},
		"/healthz":                           {"get"}, "/metrics": {"get"}, "/openapi.json": {"get"},
	}
}

// document is the description as it is, not only what the page shows of it.
func document(t testing.TB) map[string]any {
	t.Helper()
	d, err := jsonschema.UnmarshalJSON(bytes.NewReader(openAPI))
	if err != nil {
		t.Fatal(err)
	}
	return d.(map[string]any)
}

// child goes down a path of names, and fails where there is none.
func child(t testing.TB, in any, path ...string) any {
	t.Helper()
	for i, name := range path {
		object, ok := in.(map[string]any)
		if !ok || object[name] == nil {
			t.Fatalf("no %s", strings.Join(path[:i+1], "/"))
		}
		in = object[name]
	}
	return in
}

// walk visits every object of a document with the path to it.
func walk(v any, path string, visit func(path string, object map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		visit(path, v)
		for name, value := range v {
			walk(value, path+"/"+name, visit)
		}
	case []any:
		for i, value := range v {
			walk(value, fmt.Sprintf("%s/%d", path, i), visit)
		}
	}
}

func TestDocumentHasEveryRoute(t *testing.T) {
	t.Parallel()
	got := map[string][]string{}
	for path, item := range child(t, document(t), "paths").(map[string]any) {
		for method := range item.(map[string]any) {
			got[path] = append(got[path], method)
		}
		slices.Sort(got[path])
	}
	want := routes()
	for path := range want {
		slices.Sort(want[path])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paths and methods (-want +got):\n%s", diff)
	}
}

// What the document says a path has, the server has, and no more.
func TestDocumentIsOfTheServer(t *testing.T) {
	t.Parallel()
	server := testdb.NewServer(newMemStore(), testdb.Options{Health: true, PerPage: true})
	for path, item := range child(t, document(t), "paths").(map[string]any) {
		if path == "/metrics" || path == "/openapi.json" {
			continue // they are mounted beside the API
		}
		for _, method := range []string{"get", "post", "put", "delete", "patch"} {
			w := httptest.NewRecorder()
			address := regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, "x")
			server.ServeHTTP(w, httptest.NewRequest(strings.ToUpper(method), address, strings.NewReader("{}")))
			_, described := item.(map[string]any)[method]
			if has := w.Code != http.StatusMethodNotAllowed && !strings.Contains(w.Body.String(), "404: Not Found"); has != described {
				t.Errorf("%s %s: described %v, but the server answers %d %s", method, path, described, w.Code, w.Body)
			}
		}
	}
}

// Every operation is whole: an id of its own, words, answers, and a
// parameter for each variable of its path.
func TestOperations(t *testing.T) {
	t.Parallel()
	d := document(t)
	tags := map[any]bool{}
	for _, tag := range child(t, d, "tags").([]any) {
		tags[child(t, tag, "name")] = true
	}
	ids := map[any]string{}
	for path, item := range child(t, d, "paths").(map[string]any) {
		for method, operation := range item.(map[string]any) {
			at := method + " " + path
			id := child(t, operation, "operationId")
			if ids[id] != "" {
				t.Errorf("%s and %s are both %s", at, ids[id], id)
			}
			ids[id] = at
			if child(t, operation, "summary") == "" {
				t.Errorf("%s has no summary", at)
			}
			for _, tag := range child(t, operation, "tags").([]any) {
				if !tags[tag] {
					t.Errorf("%s has the unknown tag %s", at, tag)
				}
			}
			checkAnswers(t, at, method, operation)
			checkParameters(t, d, at, path, operation)
		}
	}
}

func checkAnswers(t *testing.T, at, method string, operation any) {
	t.Helper()
	answers := child(t, operation, "responses").(map[string]any)
	want := []string{"200"}
	security := child(t, operation, "security").([]any)
	if method == "get" {
		if len(security) != 0 {
			t.Errorf("%s reads, and takes a token", at)
		}
	} else {
		want = append(want, "401", "403", "507")
		// Without a token, or with one: it depends on the server.
		if diff := cmp.Diff([]any{map[string]any{}, map[string]any{"token": []any{}}}, security); diff != "" {
			t.Errorf("security of %s (-want +got):\n%s", at, diff)
		}
	}
	if operation.(map[string]any)["requestBody"] != nil {
		want = append(want, "400", "413")
	} else if method == "post" || method == "put" {
		t.Errorf("%s takes no body", at)
	}
	for _, code := range want {
		if answers[code] == nil {
			t.Errorf("%s has no answer %s", at, code)
		}
	}
}

func checkParameters(t *testing.T, d any, at, path string, operation any) {
	t.Helper()
	var variables []string
	seen := map[string]bool{}
	parameters, _ := operation.(map[string]any)["parameters"].([]any)
	for _, p := range parameters {
		if ref, ok := p.(map[string]any)["$ref"].(string); ok {
			p = child(t, d, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
		}
		name, in := child(t, p, "name").(string), child(t, p, "in").(string)
		if seen[in+name] {
			t.Errorf("%s has %s twice", at, name)
		}
		seen[in+name] = true
		child(t, p, "schema")
		child(t, p, "description")
		if in == "path" {
			variables = append(variables, "{"+name+"}")
			if child(t, p, "required") != true {
				t.Errorf("%s: %s must be required", at, name)
			}
		}
	}
	if diff := cmp.Diff(regexp.MustCompile(`\{\w+\}`).FindAllString(path, -1), variables); diff != "" {
		t.Errorf("%s: variables of the path and parameters (-want +got):\n%s", at, diff)
	}
}

// Every reference leads somewhere, and every component is referred to.
func TestReferences(t *testing.T) {
	t.Parallel()
	d := document(t)
	used := map[string]bool{}
	walk(d, "", func(_ string, object map[string]any) {
		if ref, ok := object["$ref"].(string); ok {
			child(t, d, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
			used[ref] = true
		}
	})
	for kind, all := range child(t, d, "components").(map[string]any) {
		for name := range all.(map[string]any) {
			if ref := "#/components/" + kind + "/" + name; kind != "securitySchemes" && !used[ref] {
				t.Errorf("nothing refers to %s", ref)
			}
		}
	}
	if scheme := child(t, d, "components", "securitySchemes", "token"); child(t, scheme, "name") != "X-Auth-Token" || child(t, scheme, "in") != "header" {
		t.Error("the token is not sent in X-Auth-Token")
	}
}

// compiler knows the document, so that references between schemas resolve.
func compiler(t testing.TB) *jsonschema.Compiler {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("openapi.json", document(t)); err != nil {
		t.Fatal(err)
	}
	return c
}

// pointer escapes a path to a part of the document for a URL.
func pointer(path string) string {
	var parts []string
	for part := range strings.SplitSeq(path, "\x00") {
		part = strings.NewReplacer("~", "~0", "/", "~1").Replace(part)
		parts = append(parts, strings.NewReplacer("{", "%7B", "}", "%7D").Replace(part))
	}
	return "openapi.json#/" + strings.Join(parts, "/")
}

// Every schema is one, and takes the examples that are beside it.
func TestSchemasAndExamples(t *testing.T) {
	t.Parallel()
	c := compiler(t)
	d := document(t)
	for name := range child(t, d, "components", "schemas").(map[string]any) {
		if _, err := c.Compile(pointer("components\x00schemas\x00" + name)); err != nil {
			t.Errorf("schema %s: %v", name, err)
		}
	}
	schemas, examples := 0, 0
	visit := func(prefix string, v any) {
		var down func(path string, v any)
		down = func(path string, v any) {
			object, ok := v.(map[string]any)
			if !ok {
				return
			}
			if object["schema"] != nil {
				schemas++
				schema, err := c.Compile(pointer(path + "\x00schema"))
				if err != nil {
					t.Errorf("%q: %v", path, err)
					return
				}
				if example, ok := object["example"]; ok {
					examples++
					if err := schema.Validate(example); err != nil {
						t.Errorf("example of %q: %v", path, err)
					}
				}
			}
			for name, value := range object {
				if name != "example" && name != "schema" {
					down(path+"\x00"+name, value)
				}
			}
		}
		down(prefix, v)
	}
	visit("paths", child(t, d, "paths"))
	visit("components\x00parameters", child(t, d, "components", "parameters"))
	visit("components\x00responses", child(t, d, "components", "responses"))
	if schemas < 90 || examples < 60 {
		t.Errorf("only %d schemas and %d examples were looked at", schemas, examples)
	}
}

// Schemas take what the real server answered (spec/transcripts) and refuse
// what it never does.
func TestSchemasByMeaning(t *testing.T) {
	t.Parallel()
	c := compiler(t)
	for _, tt := range []struct {
		schema, value string
		valid         bool
	}{
		{"Results", `{"pagination": {"current_page": 1, "total_pages": 0}, "results": []}`, true},
		{"Results", `{"results": []}`, true}, // page=0
		{"Results", `{"pagination": {"current_page": 1}, "results": []}`, false},
		{"NewResult", `{"pod_name": "p", "project_name": "functest", "case_name": "c", "criteria": "pass", "details": {"a.b": [[1]]}}`, true},
		{"NewResult", `{"pod_name": "p", "project_name": "functest", "case_name": "c", "criteria": "SKIP"}`, false},
		{"NewResult", `{"pod_name": "p", "project_name": "functest", "case_name": "c"}`, false},
		{"NewResult", `{"pod_name": null, "project_name": "functest", "case_name": "c", "criteria": "PASS"}`, false},
		{"Result", `{"_id": "6b047e27e1a8195eb668bafa"}`, false},
		{"ObjectId", `"6B047E27E1A8195EB668BAFA"`, false},
		{"Created", `{"href": "http://127.0.0.1:8000/api/v1/pods/a"}`, true},
		{"Created", `{}`, false},
		{"Error", `{"error": "No Body", "code": 400}`, true},
		{"NewScenario", `{"name": "s", "installers": [{"installer": "i", "versions": [{"version": "v", "projects": [{"project": "p", "customs": ["x"]}]}]}]}`, true},
		{"NewScenario", `{"name": "s", "installers": [{"versions": []}]}`, false},
	} {
		schema, err := c.Compile(pointer("components\x00schemas\x00" + tt.schema))
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(tt.value))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); (err == nil) != tt.valid {
			t.Errorf("%s takes %s: %v, want valid %v", tt.schema, tt.value, err, tt.valid)
		}
	}
}

// What the server stores and answers is as the schemas say.
func TestServerAnswersAsDescribed(t *testing.T) {
	t.Parallel()
	d, c := document(t), compiler(t)
	server := testdb.NewServer(newMemStore(), testdb.Options{Health: true})
	answer := func(method, path string, body any) any {
		t.Helper()
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(method, path, bytes.NewReader(raw))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		value, err := jsonschema.UnmarshalJSON(w.Body)
		if err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
		return value
	}
	validate := func(path, method string, value any) {
		t.Helper()
		schema, err := c.Compile(pointer(strings.Join([]string{"paths", path, method, "responses", "200", "content", "application/json", "schema"}, "\x00")))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s %s: %v", method, path, err)
		}
	}
	for _, step := range []struct{ list, one string }{
		{"/api/v1/pods", "/api/v1/pods/{name}"},
		{"/api/v1/projects", "/api/v1/projects/{name}"},
		{"/api/v1/projects/{project}/cases", "/api/v1/projects/{project}/cases/{name}"},
		{"/api/v1/results", "/api/v1/results/{id}"},
		{"/api/v1/deployresults", "/api/v1/deployresults/{id}"},
		{"/api/v1/scenarios", "/api/v1/scenarios/{name}"},
	} {
		address := strings.ReplaceAll(step.list, "{project}", "functest")
		body := child(t, d, "paths", step.list, "post", "requestBody", "content", "application/json", "example")
		created := answer(http.MethodPost, address, body)
		validate(step.list, "post", created)
		validate(step.list, "get", answer(http.MethodGet, address, nil))
		href := child(t, created, "href").(string)
		validate(step.one, "get", answer(http.MethodGet, strings.TrimPrefix(href, "http://example.com"), nil))
	}
	for _, path := range []string{"/versions", "/api/v1/profile", "/healthz"} {
		validate(path, "get", answer(http.MethodGet, path, nil))
	}
}

func TestAPIPage(t *testing.T) {
	t.Parallel()
	page := get(t, handler(t, newMemStore(), Options{}), "/openapi").Body.String()
	for path, methods := range routes() {
		for _, method := range methods {
			if want := `<span class="method ` + method + `">` + method + `</span> <code>` + path + `</code>`; !strings.Contains(page, want) {
				t.Errorf("the page does not show %s %s", method, path)
			}
		}
	}
	for _, want := range []string{"X-Auth-Token", "per_page", "integer, 20 unless given, in the query", `list of <a href="#schema-Pod">Pod</a>`, "string, in the path, required"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, match := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !strings.Contains(page, `id="`+match[1]+`"`) {
			t.Errorf("nothing has the id %s", match[1])
		}
	}
}
