package testcases

import (
	"bytes"
	"compress/gzip"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// table25 is RC2 table 2.5: container, test suite, requirements.
const table25 = `
smoke xrally_kubernetes Kubernetes API testing
smoke k8s_conformance Kubernetes API testing
smoke k8s_conformance_serial Kubernetes API testing
smoke sig_api_machinery Kubernetes API testing
smoke sig_api_machinery_serial Kubernetes API testing
smoke sig_apps Kubernetes API testing
smoke sig_apps_serial Kubernetes API testing
smoke sig_auth Kubernetes API testing
smoke sig_cluster_lifecycle Kubernetes API testing
smoke sig_instrumentation Kubernetes API testing
smoke sig_network Kubernetes API testing
smoke sig_node Kubernetes API testing
smoke sig_scheduling_serial Kubernetes API testing
smoke sig_storage Kubernetes API testing
smoke sig_storage_serial Kubernetes API testing
security kube_hunter Security testing
security kube_bench_master Security testing
security kube_bench_node Security testing
benchmarking xrally_kubernetes_full Kubernetes API benchmarking
benchmarking netperf Dataplane benchmarking
cnf k8s_vims Opensource CNF onboarding and testing
cnf helm_vims Opensource CNF onboarding and testing
`

func TestMandatoryCasesAreThoseOfTable25(t *testing.T) {
	t.Parallel()
	catalog := loadV123(t)
	var got []string
	for _, c := range catalog.Cases {
		if !c.Mandatory {
			continue
		}
		tier := strings.TrimSuffix(strings.TrimPrefix(c.Container, "opnfv/functest-kubernetes-"), ":v1.23")
		requirement, _ := catalog.Requirement(c.Requirements[0])
		got = append(got, tier+" "+c.Name+" "+requirement.Title)
	}
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(table25), "\n"), got); diff != "" {
		t.Errorf("mandatory cases (-want +got):\n%s", diff)
	}
}

func TestCasesOutsideTable25AreOptional(t *testing.T) {
	t.Parallel()
	type outside struct {
		Name    string
		Default bool
		Level   Level
	}
	var got []outside
	for _, c := range loadV123(t).Cases {
		if !c.Mandatory {
			got = append(got, outside{c.Name, c.Default, c.Level})
		}
	}
	want := []outside{{"k8s_quick", true, LevelMay}, {"k8s_smoke", true, LevelMay}, {"cnf_testsuite", false, LevelMay}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("optional cases (-want +got):\n%s", diff)
	}
}

func TestScenariosAreTheRowsOfTable21(t *testing.T) {
	t.Parallel()
	catalog := loadV123(t)
	c, _ := catalog.Case("xrally_kubernetes_full")
	names := map[string]bool{}
	for _, s := range c.Scenarios {
		names[s.Name] = true
		if s.Iterations != 10 {
			t.Errorf("%s has %d iterations, want 10", s.Name, s.Iterations)
		}
	}
	if len(c.Scenarios) != 22 || len(names) != 22 {
		t.Errorf("%d scenarios, %d names, want 22", len(c.Scenarios), len(names))
	}
}

// The lists of the specification and the container's expressions say the
// same, but for what the case's notes name.
func TestContainersSkipWhatTheSpecificationLists(t *testing.T) {
	t.Parallel()
	missing, added := map[string][]string{}, map[string][]string{}
	for _, c := range loadV123(t).Cases {
		if c.Listed == nil {
			continue
		}
		var container []string
		for _, alternative := range splitAlternatives(c.Skip) {
			container = append(container, plain(alternative))
		}
		missing[c.Name] = without(c.Listed.Skip, container)
		added[c.Name] = without(container, c.Listed.Skip)
		for _, name := range slices.Concat(missing[c.Name], added[c.Name]) {
			if !strings.Contains(strings.ReplaceAll(strings.Join(c.Notes, "\n"), `\`, ""), name) {
				t.Errorf("%s: no note names the difference %s", c.Name, name)
			}
		}
	}
	maps.DeleteFunc(missing, func(_ string, names []string) bool { return len(names) == 0 })
	wantMissing := map[string][]string{
		"sig_api_machinery_serial": {"[Feature:CustomResourceValidationExpressions]"},
		"sig_apps_serial":          {"[Feature:StatefulSetAutoDeletePVC]"},
		"sig_storage":              {"[Driver:+]"},
		"sig_storage_serial":       {"[Driver:+]"},
	}
	if diff := cmp.Diff(wantMissing, missing); diff != "" {
		t.Errorf("listed and not skipped (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"[Serial]", "[Conformance]"}, added["sig_network"]); diff != "" {
		t.Errorf("skipped by sig_network and not listed (-want +got):\n%s", diff)
	}
}

func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(others, name) })
}

func TestFeatureTablesHoldAllRows(t *testing.T) {
	t.Parallel()
	catalog := loadV123(t)
	mandatory := 0
	for _, f := range catalog.Features {
		if f.Mandatory {
			mandatory++
		}
	}
	if len(catalog.Features) != 79 || mandatory != 37 {
		t.Errorf("%d features, %d mandatory: want 79 and 37", len(catalog.Features), mandatory)
	}
}

func TestLinksArePinnedToTheRelease(t *testing.T) {
	t.Parallel()
	catalog := loadV123(t)
	links := []string{catalog.Specification.URL}
	for _, r := range catalog.Requirements {
		links = append(links, r.URL)
	}
	for _, f := range catalog.Features {
		links = append(links, f.URL)
	}
	for _, c := range catalog.Contradictions {
		links = append(links, c.URL)
	}
	for _, s := range catalog.Software {
		links = append(links, s.URL)
	}
	for _, c := range catalog.Cases {
		if c.Listed != nil {
			links = append(links, c.Listed.URL)
		}
	}
	for i, link := range links {
		u, err := url.Parse(link)
		if err != nil {
			t.Errorf("%q: %v", link, err)
			continue
		}
		if u.Scheme != "https" || u.Host != "cntt.readthedocs.io" || !strings.Contains(u.Path, "/en/stable-moselle/") {
			t.Errorf("%s is not pinned to stable-moselle", link)
		}
		if i > 0 && u.Fragment == "" {
			t.Errorf("%s points at no section", link)
		}
	}
}

func TestEveryConformanceTestIsASpec(t *testing.T) {
	t.Parallel()
	catalog := loadV123(t)
	specs, err := catalog.Specs()
	if err != nil {
		t.Fatal(err)
	}
	tests, err := catalog.Documentation()
	if err != nil {
		t.Fatal(err)
	}
	joined := 0
	for _, spec := range specs {
		test, ok := tests[NormalName(spec)]
		if ok {
			joined++
		}
		if conformance := strings.Contains(spec, "[Conformance]"); conformance != ok {
			t.Errorf("%q: conformance test %t, documented %t", spec, conformance, ok)
		}
		if ok && (test.Title == "" || !strings.HasPrefix(test.Link, "https://github.com/kubernetes/kubernetes/")) {
			t.Errorf("%q: title %q, link %q", spec, test.Title, test.Link)
		}
	}
	if joined != 346 || len(tests) != 346 {
		t.Errorf("%d of %d conformance tests are specs, want 346 of 346", joined, len(tests))
	}
}

func TestSpecNamesKeepTheirBlanks(t *testing.T) {
	t.Parallel()
	specs, err := loadV123(t).Specs()
	if err != nil {
		t.Fatal(err)
	}
	blanks, names := 0, map[string]bool{}
	for _, spec := range specs {
		names[spec] = true
		if strings.HasSuffix(spec, " ") {
			blanks++
		}
	}
	if blanks != 11 || len(names) != len(specs) {
		t.Errorf("%d names end in a blank, want 11; %d different of %d", blanks, len(names), len(specs))
	}
	for _, name := range loadV123(t).SpecList.Varying {
		if !names[name] {
			t.Errorf("varying name %q is not in the list", name)
		}
	}
}

func TestNormalName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"[sig-node] a":               "[sig-node] a",
		"[It] [sig-node] a":          "[sig-node] a",
		" [sig-node]  a \t b ":       "[sig-node] a b",
		"[sig-node] [It] in between": "[sig-node] [It] in between",
		"":                           "",
	} {
		if got := NormalName(name); got != want {
			t.Errorf("NormalName(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestUnknownReleaseNamesTheKnown(t *testing.T) {
	t.Parallel()
	_, err := Load("v1.99")
	if err == nil || !strings.Contains(err.Error(), `"v1.99"`) || !strings.Contains(err.Error(), "v1.23") {
		t.Errorf("error %v, want one that names v1.99 and v1.23", err)
	}
	if _, err := Load("../catalog/v1.23"); err == nil {
		t.Error("a path is no release")
	}
	if _, err := (&Catalog{Release: "v9"}).Specs(); err == nil {
		t.Error("a catalogue that was not loaded has no specs")
	}
}

// small is a whole catalogue. Tests break it line by line.
const small = `release: v1.9
specification: {title: T, version: V, url: 'https://example.org/'}
phases:
  - {name: smoke, container: 'a:v1.9', execution: parallel}
cases:
  - name: one
    description: D
    project: p
    tier: smoke
    container: a:v1.9
    mandatory: true
    level: must
    default: true
    criteria: 100
    driver: e2e_testing
    focus: a
    skip: 'b|c'
    requirements: [r.1]
requirements:
  - {id: r.1, title: T, document: RC2, level: must, url: 'https://example.org/#1'}
  - {id: r.2, title: T, document: RA2, url: 'https://example.org/#2', traces: [r.1], not_covered: no test}
features: []
contradictions:
  - {kind: k, subject: s, text: t, cases: [one]}
software: []
spec_list: {file: specs.txt.gz, version: v1.9.1, count: 2, varying: []}
conformance: {file: conformance.tsv.gz, count: 1}
kubeconfig: /k
`

func TestAReleaseIsAddedByDataAlone(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{
		"catalog/v1.23.yaml":         {Data: []byte("release: v1.23")},
		"catalog/v1.9.yaml":          {Data: []byte(small)},
		"catalog/specs.txt.gz":       {Data: pack(t, "a \nab\n")},
		"catalog/conformance.tsv.gz": {Data: pack(t, "codename\ttitle\trelease\tlink\na  [Conformance]\tTitle\tv1.2\thttps://example.org\n")},
	}
	if diff := cmp.Diff([]string{"v1.9", "v1.23"}, releases(files)); diff != "" {
		t.Errorf("releases (-want +got):\n%s", diff)
	}
	catalog, err := load(files, "v1.9")
	if err != nil {
		t.Fatal(err)
	}
	specs, err := catalog.Specs()
	if diff := cmp.Diff([]string{"a ", "ab"}, specs); err != nil || diff != "" {
		t.Errorf("specs: %v (-want +got):\n%s", err, diff)
	}
	tests, err := catalog.Documentation()
	want := map[string]Documentation{"a [Conformance]": {Title: "Title", Release: "v1.2", Link: "https://example.org"}}
	if diff := cmp.Diff(want, tests); err != nil || diff != "" {
		t.Errorf("documentation: %v (-want +got):\n%s", err, diff)
	}
	if _, err := load(files, "v1.23"); err == nil || !strings.Contains(err.Error(), "catalog/v1.23.yaml") {
		t.Errorf("an empty catalogue: error %v, want one that names the file", err)
	}
}

func TestListsMustBeWhole(t *testing.T) {
	t.Parallel()
	const heading = "codename\ttitle\trelease\tlink\n"
	for name, test := range map[string]struct{ specs, conformance, want string }{
		"too few specs":    {"a\n", heading + "a\tT\tv1\tl\n", "specs.txt.gz: 1 specs, want 2"},
		"too many tests":   {"a\nb\n", heading + "a\tT\tv1\tl\nb\tT\tv1\tl\n", "conformance.tsv.gz: 2 tests, want 1"},
		"a field too few":  {"a\nb\n", heading + "a\tT\tv1\n", "conformance.tsv.gz:2: 3 fields"},
		"nothing at all":   {"a\nb\n", "", "conformance.tsv.gz: 0 tests, want 1"},
		"headings and end": {"a\nb\n", heading, "conformance.tsv.gz: 0 tests, want 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			catalog, err := load(fstest.MapFS{
				"catalog/v1.9.yaml":          {Data: []byte(small)},
				"catalog/specs.txt.gz":       {Data: pack(t, test.specs)},
				"catalog/conformance.tsv.gz": {Data: pack(t, test.conformance)},
			}, "v1.9")
			if err != nil {
				t.Fatal(err)
			}
			_, err = catalog.Specs()
			if err == nil {
				_, err = catalog.Documentation()
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

func TestUnreadableListsAreNamed(t *testing.T) {
	t.Parallel()
	whole := pack(t, "a\nb\n")
	for name, data := range map[string][]byte{"no gzip": []byte("a\nb\n"), "cut off": whole[:len(whole)-6]} {
		catalog, err := load(fstest.MapFS{
			"catalog/v1.9.yaml":    {Data: []byte(small)},
			"catalog/specs.txt.gz": {Data: data},
		}, "v1.9")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := catalog.Specs(); err == nil || !strings.Contains(err.Error(), "specs.txt.gz") {
			t.Errorf("%s: error %v, want one that names the file", name, err)
		}
		if _, err := catalog.Documentation(); err == nil || !strings.Contains(err.Error(), "conformance.tsv.gz") {
			t.Errorf("missing file: error %v, want one that names it", err)
		}
	}
}

func TestMistakesAreRefusedWithFileAndLine(t *testing.T) {
	t.Parallel()
	if _, err := decodeCatalog("c.yaml", []byte(small)); err != nil {
		t.Fatal(err)
	}
	second := "  - name: one\n" + between(small, "    description: D\n", "requirements:\n  -")
	for name, test := range map[string]struct{ old, new, want string }{
		"unknown key":             {"    criteria: 100", "    criterion: 100", "line 14: field criterion not found"},
		"wrong type":              {"    criteria: 100", "    criteria: all", "line 14: cannot unmarshal"},
		"no YAML":                 {"features: []", "features: [", "c.yaml: yaml: line"},
		"key twice":               {"features: []", "features: []\nfeatures: []", "line 23: mapping key \"features\" already defined"},
		"criteria of 0":           {"    criteria: 100", "    criteria: 0", "c.yaml:14: criteria of one is 0"},
		"case twice":              {"requirements:\n  -", second + "requirements:\n  -", "c.yaml:19: case one is there twice"},
		"no cases":                {small[strings.Index(small, "cases:"):strings.Index(small, "requirements:\n  -")], "cases: []\n", "no cases"},
		"no phases":               {"  - {name: smoke, container: 'a:v1.9', execution: parallel}\n", "", "no phases"},
		"phase twice":             {"cases:\n  - name", "  - {name: smoke, container: b, execution: parallel}\ncases:\n  - name", "c.yaml:5: phase smoke is there twice"},
		"unknown execution":       {"execution: parallel", "execution: at once", `c.yaml:4: execution of smoke is "at once"`},
		"unknown tier":            {"    tier: smoke", "    tier: smok", `c.yaml:9: unknown tier "smok" of one`},
		"other container":         {"    container: a:v1.9", "    container: a:v1.8", "c.yaml:10: container of one is a:v1.8, but its tier's is a:v1.9"},
		"unknown level":           {"    level: must", "    level: shall", `c.yaml:12: level of one is "shall"`},
		"mandatory without must":  {"    level: must", "    level: should", "c.yaml:12: one is mandatory, but its level"},
		"no driver":               {"    driver: e2e_testing", "    driver: ''", "c.yaml:6: one has no driver"},
		"focus of another driver": {"    driver: e2e_testing", "    driver: netperf", "c.yaml:6: one: driver netperf with focus"},
		"no focus":                {"    focus: a\n", "", "c.yaml:6: one: driver e2e_testing with focus"},
		"focus does not compile":  {"    focus: a", "    focus: '('", "c.yaml:6: focus of one: error parsing regexp"},
		"skip does not compile":   {"    skip: 'b|c'", "    skip: 'b|(c'", "c.yaml:6: skip of one: error parsing regexp"},
		"unknown requirement":     {"requirements: [r.1]", "requirements: [r.1, r.9]", "c.yaml:18: one names the unknown requirement r.9"},
		"no requirement":          {"requirements: [r.1]", "derived: [r.1]", "c.yaml:6: one traces to no requirement"},
		"unknown trace":           {"traces: [r.1]", "traces: [r.9]", "c.yaml:21: r.2 names the unknown requirement r.9"},
		"requirement twice":       {"id: r.2", "id: r.1", "c.yaml:21: requirement r.1 is there twice"},
		"covered and not covered": {"requirements: [r.1]", "requirements: [r.1, r.2]", "c.yaml:21: r.2 is said to be not covered"},
		"neither":                 {", not_covered: no test", "", "c.yaml:21: no case traces to r.2"},
		"no link":                 {"url: 'https://example.org/#2'", "url: 'chapter02.html'", `c.yaml:21: "chapter02.html" is no https URL`},
		"unknown case":            {"cases: [one]", "cases: [two]", "c.yaml:24: unknown case two"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broken := strings.Replace(small, test.old, test.new, 1)
			if broken == small {
				t.Fatalf("%q is not in the catalogue", test.old)
			}
			_, err := decodeCatalog("c.yaml", []byte(broken))
			if err == nil || !strings.Contains(err.Error(), "c.yaml") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

func TestTheReleaseIsThatOfTheFileName(t *testing.T) {
	t.Parallel()
	_, err := load(fstest.MapFS{"catalog/v1.10.yaml": {Data: []byte(small)}}, "v1.10")
	if err == nil || !strings.Contains(err.Error(), `catalog/v1.10.yaml: release is "v1.9"`) {
		t.Errorf("error %v", err)
	}
}

// between returns the text from one mark, included, to another.
func between(text, from, to string) string {
	text = text[strings.Index(text, from):]
	return text[:strings.Index(text, to)]
}

func pack(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
