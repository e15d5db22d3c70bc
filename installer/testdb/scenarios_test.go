package testdb_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/installer/testdb"
)

// testScenarios goes through all that can be done to a scenario, in order.
func testScenarios(t *testing.T, store testdb.Store) {
	server := testdb.NewServer(store, testdb.Options{})
	const (
		scenarios = "/api/v1/scenarios"
		path      = scenarios + "/os-nosdn"
		installer = "?installer=apex"
		version   = installer + "&version=master"
		project   = version + "&project=functest"
	)
	created := must(t, server, "POST", scenarios, `{"name": "os-nosdn", "unknown": 1, "installers": [{"installer": "apex", "versions": [`+
		`{"version": "master", "owner": "Lucky", "projects": [{"project": "functest", "customs": ["healthcheck", "vping"]}]}]}]}`)
	if want := `{"href": "http://example.com/api/v1/scenarios/os-nosdn"}`; created != want {
		t.Errorf("created %s, want %s", created, want)
	}
	for _, step := range []struct {
		method, target, body string
		status               int
		message              string
	}{
		{"POST", scenarios, `{"name": "os-nosdn"}`, 403, "scenarios [{'name': u'os-nosdn'}] Already Exists"},
		{"POST", scenarios, `{"name": "x", "installers": [1]}`, 400, "Bad Format [installers: "},
		{"GET", path + "2", "", 404, "Could Not Found scenarios [{'name': u'os-nosdn2'}]"},

		{"POST", path + "/scores" + project, `{"date": "2026-11-23", "score": "11/12", "foo": 1}`, 200, ""},
		{"POST", path + "/scores" + project, `[]`, 400, "Bad Format"},
		{"POST", path + "/scores" + version, `{}`, 400, "Bad Request [missing argument project]"},
		{"POST", path + "/scores" + version + "&project=other", `{}`, 404, "Could Not Found scenarios [{'name': u'os-nosdn', 'installers': {'$elemMatch': {'installer': u'apex', 'versions.version': u'master', 'versions.projects.project': u'other'}}}]"},
		{"POST", path + "2/scores" + project, `{}`, 404, "Could Not Found scenarios [{'name': u'os-nosdn2'}]"},
		{"GET", path + "/scores" + project, "", 405, "Method Not Allowed"},
		{"POST", path + "/trust_indicators" + project, `{}`, 200, ""},

		{"POST", path + "/customs" + project, `["vping", "odl"]`, 200, ""},
		{"DELETE", path + "/customs" + project, `["healthcheck"]`, 200, ""},
		{"PUT", path + "/customs" + project, `{"a": 1}`, 400, "Bad Format"},

		{"POST", path + "/projects" + version, `[{"project": "qtip"}, {"project": "bottlenecks"}]`, 200, ""},
		{"POST", path + "/projects" + version, `[{"project": "qtip"}]`, 409, "projects [[u'qtip']] Already Exists"},
		{"PUT", path + "/projects" + version, `[{"project": "a"}, {"project": "a"}]`, 409, "projects [[u'a']] Already Exists"},
		{"POST", path + "/projects" + version, `[{"project": "p", "score": null}]`, 400, `Bad Format [json: unknown field "score"]`},
		{"POST", path + "/projects" + version, `[{}]`, 400, "Bad Format [project Missing]"},
		{"POST", path + "/projects" + version, "", 400, "No Body"},
		{"DELETE", path + "/projects" + version, `["bottlenecks"]`, 200, ""},
		{"PUT", path + "/owner" + version, `{"owner": "Happy"}`, 200, ""},
		{"PUT", path + "/owner" + version, `[]`, 400, "the body must be a JSON object"},
		{"PUT", path + "/owner" + installer + "&version=x", `{"owner": "Happy"}`, 404, "'versions.version': u'x'"},

		{"POST", path + "/versions" + installer, `[{"version": "Euphrates"}, {"version": "Fraser"}]`, 200, ""},
		{"DELETE", path + "/versions" + installer, `["Fraser"]`, 200, ""},
		{"POST", path + "/versions?installer=x", `[{"version": "Euphrates"}]`, 404, "'installer': u'x'"},
		{"POST", path + "/installers", `[{"installer": "daisy"}, {"installer": "fuel"}]`, 200, ""},
		{"DELETE", path + "/installers", `["daisy"]`, 200, ""},
		{"PUT", path, `{"name": "renamed"}`, 200, `"name": "renamed"`},
		{"PUT", scenarios + "/renamed", `{"installers": []}`, 400, "installers cannot be changed"},
	} {
		answer := ask(t, server, step.method, step.target, step.body)
		refused(t, answer, step.status, step.message)
		if step.status == http.StatusOK && step.message == "" && answer.Body.Len() != 0 {
			t.Errorf("%s %s: %s, want nothing", step.method, step.target, answer.Body)
		}
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(must(t, server, "GET", scenarios+"/renamed", "")), &got); err != nil {
		t.Fatal(err)
	}
	delete(got, "_id")
	delete(got, "creation_date")
	var want map[string]any
	if err := json.Unmarshal([]byte(`{"name": "renamed", "creator": "", "installers": [
		{"installer": "apex", "versions": [
			{"version": "master", "owner": "Happy", "projects": [
				{"project": "functest", "customs": ["vping", "odl"],
				 "scores": [{"date": "2026-11-23", "score": "11/12"}], "trust_indicators": [{"date": null, "status": "silver"}]},
				{"project": "qtip", "customs": [], "scores": [], "trust_indicators": []}]},
			{"version": "Euphrates", "owner": null, "projects": []}]},
		{"installer": "fuel", "versions": []}]}`), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("scenario (-want +got):\n%s", diff)
	}
	must(t, server, "PUT", scenarios+"/renamed/customs"+project, `["a", "a"]`)
	must(t, server, "PUT", scenarios+"/renamed/projects"+version, `[{"project": "one"}]`)
	must(t, server, "PUT", scenarios+"/renamed/versions"+installer, `[{"version": "two"}]`)
	must(t, server, "PUT", scenarios+"/renamed/installers", `[{"installer": "three"}]`)
	must(t, server, "DELETE", scenarios+"/renamed", "")
	refused(t, ask(t, server, "DELETE", scenarios+"/renamed", ""), http.StatusNotFound, "Could Not Found")
}

func testScenarioFilters(t *testing.T, store testdb.Store) {
	server := testdb.NewServer(store, testdb.Options{})
	const scenarios = "/api/v1/scenarios"
	must(t, server, "POST", scenarios, `{"name": "a", "installers": [{"installer": "apex", "versions": [{"version": "master", "projects": [{"project": "functest"}]}]}]}`)
	must(t, server, "POST", scenarios, `{"name": "b", "installers": [{"installer": "fuel", "versions": [{"version": "master"}, {"version": "v2", "projects": [{"project": "qtip"}]}]}]}`)
	must(t, server, "POST", scenarios, `{"name": "c"}`)
	for query, want := range map[string][]string{
		"":                             {"a", "b", "c"},
		"?name=b":                      {"b"},
		"?name=B":                      nil,
		"?installer=apex":              {"a"},
		"?version=master":              {"a", "b"},
		"?installer=apex&project=qtip": nil,
		"?version=master&project=qtip": {"b"}, // of one installer, not of one version, as ever
		"?project=functest&name=a":     {"a"},
		"?creator=":                    {"a", "b", "c"},
		"?foo=bar":                     nil,
		"?_id=x":                       nil,
		"?name=%00":                    nil,
	} {
		var list struct{ Scenarios []struct{ Name string } }
		if err := json.Unmarshal([]byte(must(t, server, "GET", scenarios+query, "")), &list); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, scenario := range list.Scenarios {
			names = append(names, scenario.Name)
		}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("GET %s (-want +got):\n%s", query, diff)
		}
	}
}
