package testcases

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// specified are the releases that a version of RC2 is of, by the tags of the
// images in its table of cases.
var specified = []string{"v1.21", "v1.22", "v1.23", "v1.25", "v1.29"}

func loadAll(t *testing.T) []*Catalog {
	t.Helper()
	var catalogs []*Catalog
	for minor := 21; minor <= 36; minor++ {
		catalog, err := Load(fmt.Sprintf("v1.%d", minor))
		if err != nil {
			t.Fatal(err)
		}
		catalogs = append(catalogs, catalog)
	}
	if known := Releases(); len(known) != len(catalogs) {
		t.Errorf("catalogues of %q, want v1.21 to v1.36", known)
	}
	return catalogs
}

func TestOnlyASpecificationMakesCasesMandatory(t *testing.T) {
	t.Parallel()
	var table []string
	for _, line := range strings.Split(strings.TrimSpace(table25), "\n") {
		table = append(table, strings.Fields(line)[1])
	}
	for _, catalog := range loadAll(t) {
		var mandatory []string
		for _, c := range catalog.Cases {
			if c.Mandatory {
				mandatory = append(mandatory, c.Name)
			}
		}
		if catalog.Specified() != slices.Contains(specified, catalog.Release) {
			t.Errorf("%s: specification %+v", catalog.Release, catalog.Specification)
		}
		if !catalog.Specified() {
			if len(mandatory)+len(catalog.Requirements) > 0 {
				t.Errorf("%s has no specification, but mandatory cases %q and %d requirements", catalog.Release, mandatory, len(catalog.Requirements))
			}
			continue
		}
		if diff := cmp.Diff(table, mandatory); diff != "" { // all versions of RC2 ask for the same 22
			t.Errorf("%s: mandatory cases (-want +got):\n%s", catalog.Release, diff)
		}
	}
}

// Every suite that RC2 lists focus and skip of has them, and the container's
// differences are named.
func TestListsOfTheOtherSpecifications(t *testing.T) {
	t.Parallel()
	for _, catalog := range loadAll(t) {
		for _, c := range catalog.Cases {
			if (c.Listed != nil) != (c.Mandatory && c.Focus != "") {
				t.Errorf("%s: %s: listed %+v", catalog.Release, c.Name, c.Listed)
			}
			if c.Listed == nil || catalog.Release == "v1.23" {
				continue
			}
			notes := strings.Join(c.Notes, "\n")
			var container []string
			for _, alternative := range splitAlternatives(c.Skip) {
				container = append(container, plain(alternative))
			}
			for _, label := range slices.Concat(without(c.Listed.Skip, container), without(container, c.Listed.Skip)) {
				if !strings.Contains(notes, label) {
					t.Errorf("%s: %s: no note names the difference %s", catalog.Release, c.Name, label)
				}
			}
		}
		if full, _ := catalog.Case("xrally_kubernetes_full"); catalog.Specified() != (len(full.Scenarios) == 22) {
			t.Errorf("%s: %d scenarios", catalog.Release, len(full.Scenarios))
		}
	}
}

func TestContainersOfARelease(t *testing.T) {
	t.Parallel()
	for _, catalog := range loadAll(t) {
		for _, phase := range catalog.Phases {
			if phase.Container != "opnfv/functest-kubernetes-"+phase.Name+":"+catalog.Release {
				t.Errorf("%s: container of %s is %s", catalog.Release, phase.Name, phase.Container)
			}
		}
		byDefault := 0
		for _, c := range catalog.Cases {
			if c.Default {
				byDefault++
			}
			if c.Focus != "" && c.Nodes < 1 {
				t.Errorf("%s: %s runs on %d nodes", catalog.Release, c.Name, c.Nodes)
			}
		}
		if byDefault != 24 || len(catalog.Phases) != 5 {
			t.Errorf("%s: %d cases in %d phases, want 24 in 5", catalog.Release, byDefault, len(catalog.Phases))
		}
		// a site may name a tag of another release than its own
		if got := loadV123(t).KubeconfigTarget(catalog.Release); got != catalog.Kubeconfig {
			t.Errorf("%s: kubeconfig is %s, by the tag %s", catalog.Release, catalog.Kubeconfig, got)
		}
	}
}

// What is known of single releases by reading their branches.
func TestWhatChangedBetweenReleases(t *testing.T) {
	t.Parallel()
	of := func(release, name string) *Case {
		catalog, err := Load(release)
		if err != nil {
			t.Fatal(err)
		}
		c, ok := catalog.Case(name)
		if !ok {
			t.Fatalf("%s has no %s", release, name)
		}
		return c
	}
	for _, test := range []struct {
		what      string
		got, want any
	}{
		{"v1.22 hunts for high", of("v1.22", "kube_hunter").Args["severity"], "high"},
		{"v1.24 hunts for nothing", of("v1.24", "kube_hunter").Args["severity"], "none"},
		{"v1.24 skips NodeAuthenticator", strings.Contains(of("v1.24", "sig_auth").Skip, `\[Feature:NodeAuthenticator\]`), true},
		{"v1.23 does not", strings.Contains(of("v1.23", "sig_auth").Skip, "NodeAuthenticator"), false},
		{"v1.29 asks to skip WatchList", slices.Contains(of("v1.29", "sig_api_machinery").Listed.Skip, "[Feature:WatchList]"), true},
		{"v1.25 does not", slices.Contains(of("v1.25", "sig_api_machinery").Listed.Skip, "[Feature:WatchList]"), false},
		{"v1.29 has workload tests", of("v1.29", "cnf_testsuite_workload").Criteria, 50},
		{"v1.32 looks at CNIs", of("v1.32", "cni_smoke").Driver, "cni_smoke"},
		{"but not by default", of("v1.32", "cni_smoke").Default, false},
		{"v1.25's kube-bench", of("v1.25", "kube_bench_node").Images, []string{"aquasec/kube-bench:v0.6.9"}},
		{"nodes", of("v1.36", "k8s_conformance").Nodes, 10},
		{"serial nodes", of("v1.36", "k8s_conformance_serial").Nodes, 1},
	} {
		if diff := cmp.Diff(test.want, test.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.what, diff)
		}
	}
}

// The containers of v1.25 and v1.29 do not run a scenario that RC2 lists.
func TestScenariosThatNoContainerRuns(t *testing.T) {
	t.Parallel()
	var got []string
	for _, catalog := range loadAll(t) {
		for _, contradiction := range catalog.Contradictions {
			if contradiction.Kind == "listed but not run" {
				got = append(got, catalog.Release+" "+contradiction.Subject)
			}
		}
	}
	const hostPath = "Kubernetes.create_and_delete_pod_with_hostpath_volume"
	if diff := cmp.Diff([]string{"v1.25 " + hostPath, "v1.29 " + hostPath}, got); diff != "" {
		t.Errorf("scenarios (-want +got):\n%s", diff)
	}
}

func TestPlanOfOtherReleases(t *testing.T) {
	t.Parallel()
	for _, release := range []string{"v1.29", "v1.33"} {
		catalog, err := Load(release)
		if err != nil {
			t.Fatal(err)
		}
		site := config.Default()
		site.Release = release
		file := filepath.Join("testdata", "plan-"+release+".golden")
		got := planText(Plans(site, catalog, ScopeAll))
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("differs from %s (-want +got); if that is right: go test ./testcases -update\n%s", file, diff)
		}
	}
}

func planText(plans []Plan) string {
	var b strings.Builder
	for _, plan := range plans {
		fmt.Fprintf(&b, "%s, archive %s\n", plan.Campaign, plan.Archive)
		for _, phase := range plan.Phases {
			fmt.Fprintf(&b, "%s, sequential %v, pull %s, remove %s\n", phase.Name, phase.Sequential, phase.Pull, phase.Remove)
			for _, job := range phase.Jobs {
				fmt.Fprintf(&b, "  %s: %s in %s, %v, %q\n", job.Name, job.Case.Name, job.Container.Image, job.Timeout, job.Container.Volumes)
			}
		}
	}
	return b.String()
}

// A tag without a release in it is of the site's; one of another release has
// its own place for the kubeconfig.
func TestKubeconfigOfATag(t *testing.T) {
	t.Parallel()
	catalog := &Catalog{Release: "v1.29", Kubeconfig: "/there"}
	for tag, want := range map[string]string{
		"v1.29": "/there", "v1.29-arm64": "/there", "latest": "/there", "": "/there",
		"v1.23": "/root/.kube/config", "v1.9": "/root/.kube/config", "v1.24-x": "/home/xtesting/.kube/config", "v1.99": "/home/xtesting/.kube/config",
	} {
		if got := catalog.KubeconfigTarget(tag); got != want {
			t.Errorf("%q: %s, want %s", tag, got, want)
		}
	}
}

// A catalogue says what it has, or nothing of it.
func TestCatalogueWithoutSpecification(t *testing.T) {
	t.Parallel()
	bare := strings.NewReplacer(
		"specification: {title: T, version: V, url: 'https://example.org/'}\n", "",
		"    mandatory: true\n    level: must\n", "", "    requirements: [r.1]\n", "",
		between(small, "requirements:\n  -", "features:"), "", "spec_list: {file: specs.txt.gz, version: v1.9.1, count: 2, varying: []}\n", "",
		"conformance: {file: conformance.tsv.gz, count: 1}\n", "",
	).Replace(small)
	catalog, err := decodeCatalog("c.yaml", []byte(bare))
	if err != nil {
		t.Fatalf("%v\n%s", err, bare)
	}
	if catalog.Specified() || catalog.Listed() || catalog.SpecificationText() != "no specification for this release" {
		t.Errorf("specified %v, listed %v, %s", catalog.Specified(), catalog.Listed(), catalog.SpecificationText())
	}
	for name, test := range map[string]struct{ old, new, want string }{
		"mandatory":          {"    default: true", "    default: true\n    mandatory: true", "the release has none"},
		"level":              {"    default: true", "    default: true\n    level: may", "the release has none"},
		"listed":             {"    default: true", "    default: true\n    listed: {focus: a, skip: [], url: 'https://example.org/'}", "the release has none"},
		"no kubeconfig":      {"kubeconfig: /k", "kubeconfig: k", `c.yaml:19: kubeconfig is "k"`},
		"half a list":        {"kubeconfig: /k", "kubeconfig: /k\nspec_list: {count: 2}", "a list of specs needs its file"},
		"half specification": {"kubeconfig: /k", "kubeconfig: /k\nspecification: {version: V}", "needs a title, a version and a URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broken := strings.Replace(bare, test.old, test.new, 1)
			if broken == bare {
				t.Fatalf("%q is not in the catalogue", test.old)
			}
			if _, err := decodeCatalog("c.yaml", []byte(broken)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

func TestDiffOfCatalogs(t *testing.T) {
	t.Parallel()
	from := &Catalog{
		Release: "v1.1", Kubeconfig: "/a", Specification: Specification{"T", "V", "U"}, SpecList: SpecList{File: "f", Count: 2, Version: "v1.1.1"},
		Phases: []Phase{{"smoke", "s:v1.1", "parallel"}, {"old", "o:v1.1", "parallel"}},
		Cases: []Case{
			{Name: "gone", Tier: "old"},
			{
				Name: "both", Tier: "smoke", Driver: "e2e_testing", Criteria: 100, Default: true, Mandatory: true, Level: LevelMust,
				Focus: "a", Skip: `b|\[c\]|(d|e)`, Nodes: 1, Args: map[string]any{"x": 1, "y": true}, Images: []string{"i:1"},
				Dependencies: map[string]string{"K": "v"}, Listed: &FocusList{Focus: "[a]", Skip: []string{"[b]"}},
			},
		},
	}
	to := &Catalog{
		Release: "v1.2", Kubeconfig: "/a", Specification: Specification{"T", "W", "U"},
		Phases: []Phase{{"smoke", "s:v1.2", "sequential"}},
		Cases: []Case{
			{
				Name: "both", Tier: "smoke", Driver: "other", Criteria: 90, Level: LevelMay,
				Focus: "A", Skip: `f|b|(d|e)`, Nodes: 10, Args: map[string]any{"x": 2, "z": nil}, Images: []string{"i:2"},
				Scenarios: []Scenario{{"s", 3}}, Listed: &FocusList{Focus: "A", Skip: []string{"[b]", "[f]"}},
			},
			{Name: "new", Tier: "smoke"},
		},
	}
	want := CatalogDiff{
		From: "v1.1", To: "v1.2",
		Changes: []Change{
			{Field: "specification", From: "T, V", To: "T, W"},
			{Field: "list of specs", From: "2 specs of Kubernetes v1.1.1", To: "no list for this release"},
			{Field: "container of smoke", From: "s:v1.1", To: "s:v1.2"},
			{Field: "execution of smoke", From: "parallel", To: "sequential"},
			{Field: "container of old", From: "o:v1.1"},
		},
		Added: []*Case{&to.Cases[1]}, Removed: []*Case{&from.Cases[0]},
		Changed: []CaseDiff{{"both", []Change{
			{Field: "run by default", From: "true", To: "false"},
			{Field: "mandatory", From: "true", To: "false"},
			{Field: "level", From: "must", To: "may"},
			{Field: "driver", From: "e2e_testing", To: "other"},
			{Field: "criteria", From: "100", To: "90"},
			{Field: "image", Added: []string{"i:2"}, Removed: []string{"i:1"}},
			{Field: "argument x", From: "1", To: "2"},
			{Field: "argument y", From: "true"},
			{Field: "argument z", To: "<nil>"},
			{Field: "skipped unless", Removed: []string{"K matches v"}},
			{Field: "focus", From: "a", To: "A"},
			{Field: "ginkgo nodes", From: "1", To: "10"},
			{Field: "skip", Added: []string{"f"}, Removed: []string{`\[c\]`}},
			{Field: "focus in the specification", From: "a", To: "A"},
			{Field: "skip in the specification", Added: []string{"[f]"}},
			{Field: "scenario", Added: []string{"s, 3 times"}},
		}}},
	}
	if diff := cmp.Diff(want, DiffCatalogs(from, to)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	same := DiffCatalogs(from, from)
	if len(same.Changes)+len(same.Added)+len(same.Removed)+len(same.Changed) != 0 {
		t.Errorf("from itself: %+v", same)
	}
	// one without a specification says nothing of what is mandatory
	to.Specification = Specification{}
	for _, change := range DiffCatalogs(from, to).Changed[0].Changes {
		if strings.Contains(change.Field, "mandatory") || strings.Contains(change.Field, "specification") {
			t.Errorf("without a specification: %+v", change)
		}
	}
}
