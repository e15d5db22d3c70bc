package jenkins_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/anuket-project/xtci/config"
)

// The classic graph of functest-kubernetes v1.23, as spec/jobs.md has it.
const classicPrefix = "functest-kubernetes-opnfv-functest-kubernetes-"

var classicPhases = []phaseXML{
	{Name: "remove former images", Execution: "PARALLEL", Jobs: []string{
		"healthcheck-v1.23-rmi", "smoke-v1.23-rmi", "security-v1.23-rmi", "benchmarking-v1.23-rmi", "cnf-v1.23-rmi",
	}},
	{Name: "pull containers", Execution: "PARALLEL", Jobs: []string{
		"healthcheck-v1.23-pull", "smoke-v1.23-pull", "security-v1.23-pull", "benchmarking-v1.23-pull", "cnf-v1.23-pull",
	}},
	{Name: "opnfv/functest-kubernetes-healthcheck:v1.23", Execution: "PARALLEL", Jobs: []string{
		"healthcheck-v1.23-k8s_quick", "healthcheck-v1.23-k8s_smoke",
	}},
	{Name: "opnfv/functest-kubernetes-smoke:v1.23", Execution: "SEQUENTIALLY", Jobs: []string{
		"smoke-v1.23-xrally_kubernetes", "smoke-v1.23-k8s_conformance", "smoke-v1.23-k8s_conformance_serial",
		"smoke-v1.23-sig_api_machinery", "smoke-v1.23-sig_api_machinery_serial", "smoke-v1.23-sig_apps", "smoke-v1.23-sig_apps_serial",
		"smoke-v1.23-sig_auth", "smoke-v1.23-sig_cluster_lifecycle", "smoke-v1.23-sig_instrumentation", "smoke-v1.23-sig_network",
		"smoke-v1.23-sig_node", "smoke-v1.23-sig_scheduling_serial", "smoke-v1.23-sig_storage", "smoke-v1.23-sig_storage_serial",
	}},
	{Name: "opnfv/functest-kubernetes-security:v1.23", Execution: "PARALLEL", Jobs: []string{
		"security-v1.23-kube_hunter", "security-v1.23-kube_bench_master", "security-v1.23-kube_bench_node",
	}},
	{Name: "opnfv/functest-kubernetes-benchmarking:v1.23", Execution: "PARALLEL", Jobs: []string{
		"benchmarking-v1.23-xrally_kubernetes_full", "benchmarking-v1.23-netperf",
	}},
	{Name: "opnfv/functest-kubernetes-cnf:v1.23", Execution: "PARALLEL", Jobs: []string{
		"cnf-v1.23-k8s_vims", "cnf-v1.23-helm_vims",
	}},
}

// expectedPhases are the phases with the whole names of jobs, and what is the
// same in all.
func expectedPhases(condition string) []phaseXML {
	var phases []phaseXML
	for _, p := range classicPhases {
		whole := phaseXML{Name: p.Name, Condition: condition, Execution: p.Execution}
		for _, name := range p.Jobs {
			whole.Jobs = append(whole.Jobs, classicPrefix+name)
			whole.Current = append(whole.Current, true)
		}
		phases = append(phases, whole)
	}
	return append(phases, phaseXML{
		Name: "dump all campaign data", Condition: condition, Execution: "PARALLEL",
		Jobs: []string{"functest-kubernetes-v1.23-zip"}, Current: []bool{true},
	})
}

const (
	randomString = "hudson.plugins.random__string__parameter.RandomStringParameterDefinition"
	stringParam  = "hudson.model.StringParameterDefinition"
)

// describe lists parameters, one a line.
func describeParameters(p parameterList) []string {
	var lines []string
	for _, one := range p.List {
		lines = append(lines, strings.TrimSpace(one.XMLName.Local+" "+one.Name+" "+one.Default))
	}
	return lines
}

var campaignParameters = []string{
	randomString + " build_tag", stringParam + " DEPLOY_SCENARIO k8-nosdn-nofeature-noha",
}

func TestClassicGraph(t *testing.T) {
	t.Parallel()
	site := config.Default()
	g := graphOf(t, site, classicOptions(site))
	want := []string{"functest-kubernetes-v1.23-daily", "functest-kubernetes-v1.23-zip"}
	for _, p := range classicPhases {
		for _, name := range p.Jobs {
			want = append(want, classicPrefix+name)
		}
	}
	var got []string
	for _, j := range g.Jobs {
		got = append(got, j.Name)
	}
	slices.Sort(want)
	slices.Sort(got)
	if len(want) != 36 {
		t.Fatalf("the expectation has %d jobs", len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}

	campaign := readXML(t, jobOf(t, g, "functest-kubernetes-v1.23-daily"))
	if campaign.XMLName.Local != "com.tikal.jenkins.plugins.multijob.MultiJobProject" {
		t.Errorf("the campaign is a %s", campaign.XMLName.Local)
	}
	if diff := cmp.Diff(expectedPhases("SUCCESSFUL"), campaign.Phases); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"@daily"}, campaign.Timers); diff != "" {
		t.Errorf("triggers (-want +got):\n%s", diff)
	}
	blocker := []string{"^functest-kubernetes-v1.23(-daily|-docker|-review)$"}
	if !slices.Equal(campaign.Blockers, blocker) || campaign.Level != "GLOBAL" || campaign.Queue != "DISABLED" {
		t.Errorf("blocked by %q, %s, %s", campaign.Blockers, campaign.Level, campaign.Queue)
	}
	if diff := cmp.Diff(campaignParameters, describeParameters(campaign.Parameters)); diff != "" {
		t.Errorf("parameters of the campaign (-want +got):\n%s", diff)
	}

	if len(g.Views) != 1 || g.Views[0].Name != "functest-kubernetes" {
		t.Fatalf("views: %+v", g.Views)
	}
	view := readXML(t, g.Views[0])
	columns := []string{"Status", "Weather", "Job", "LastSuccess", "LastFailure", "LastDuration"}
	for i, column := range view.Columns.List {
		if column.XMLName.Local != "hudson.views."+columns[i]+"Column" {
			t.Errorf("column %d is %s", i, column.XMLName.Local)
		}
	}
	if view.XMLName.Local != "hudson.model.ListView" || view.Regex != "^functest-kubernetes-[a-z0-9.]+-daily$" || len(view.Columns.List) != len(columns) {
		t.Errorf("view %s of %s with %d columns", view.XMLName.Local, view.Regex, len(view.Columns.List))
	}
}

// What every job of the classic graph starts, by running its shell.
func TestClassicJobsStartTheirContainers(t *testing.T) {
	t.Parallel()
	site := config.Default()
	g := graphOf(t, site, classicOptions(site))
	const (
		tag    = "G2K7M0Q4ZX1P"
		bucket = "s3://xtesting"
		files  = "http://192.0.2.10:8181"
	)
	for _, p := range classicPhases {
		for _, short := range p.Jobs {
			t.Run(short, func(t *testing.T) {
				t.Parallel()
				name := classicPrefix + short
				suite, test, _ := strings.Cut(short, "-v1.23-")
				image := "opnfv/functest-kubernetes-" + suite + ":v1.23"
				b := newBench(t)
				config := readXML(t, jobOf(t, g, name))
				if config.XMLName.Local != "project" || len(config.Shells) != 1 {
					t.Fatalf("%s with %d shells", config.XMLName.Local, len(config.Shells))
				}
				env := map[string]string{"DEPLOY_SCENARIO": "k8-by-parameter"}
				status, console := b.run(name, config.Shells[0], env)
				calls := b.calls("")
				if status != 0 || len(calls) != 1 {
					t.Fatalf("status %d, %d calls of docker: %s", status, len(calls), console)
				}
				switch test {
				case "rmi", "pull":
					if diff := cmp.Diff([]string{test, image}, calls[0].args); diff != "" {
						t.Errorf("arguments (-want +got):\n%s", diff)
					}
					if len(config.Parameters.List) > 0 {
						t.Errorf("parameters %+v", config.Parameters.List)
					}
					return
				}
				if diff := cmp.Diff(campaignParameters, describeParameters(config.Parameters)); diff != "" {
					t.Errorf("parameters (-want +got):\n%s", diff)
				}
				folder := "/" + tag + "/" + name + "-7"
				want := started{
					Image: image, Command: []string{"run_tests", "-t", test, "-p", "-r"},
					Env: map[string]string{
						"DEPLOY_SCENARIO": "k8-by-parameter",
						"S3_ENDPOINT_URL": "http://192.0.2.10:9000", "S3_DST_URL": bucket + folder, "HTTP_DST_URL": files + folder,
						"AWS_ACCESS_KEY_ID": "xtesting", "AWS_SECRET_ACCESS_KEY": "xtesting",
						"TEST_DB_URL": "http://192.0.2.10:8000/api/v1/results", "TEST_DB_EXT_URL": "http://192.0.2.10:8000/api/v1/results",
						"NODE_NAME": "functest-kubernetes", "BUILD_TAG": tag,
					},
					Volumes: []string{
						"/data/jenkins/workspace/" + name + "/results:/var/lib/xtesting/results",
						"/home/opnfv/functest-kubernetes/config:/root/.kube/config",
					},
					Flags: map[string]string{"--rm": "true", "--privileged": "false", "--network": "bridge"},
				}
				if diff := cmp.Diff(want, calls[0].parse(t)); diff != "" {
					t.Errorf("container (-want +got):\n%s", diff)
				}
				if left, err := filepath.Glob(filepath.Join(b.workspace, name, "results", "*")); err != nil || len(left) > 0 {
					t.Errorf("results not emptied: %v, %v", left, err)
				}
			})
		}
	}
	t.Run("zip", func(t *testing.T) {
		t.Parallel()
		const name = "functest-kubernetes-v1.23-zip"
		b := newBench(t)
		config := readXML(t, jobOf(t, g, name))
		status, console := b.run(name, config.Shells[0], map[string]string{"DEPLOY_SCENARIO": "k8-by-parameter"})
		calls := b.calls("")
		if status != 0 || len(calls) != 1 {
			t.Fatalf("status %d, %d calls of docker: %s", status, len(calls), console)
		}
		want := started{
			Image: "opnfv/functest-kubernetes-healthcheck:v1.23", Command: []string{"zip_campaign"},
			Env: map[string]string{
				"DEPLOY_SCENARIO": "k8-by-parameter",
				"S3_ENDPOINT_URL": "http://192.0.2.10:9000", "S3_DST_URL": bucket, "HTTP_DST_URL": files,
				"AWS_ACCESS_KEY_ID": "xtesting", "AWS_SECRET_ACCESS_KEY": "xtesting",
				"TEST_DB_URL": "http://192.0.2.10:8000/api/v1/results", "TEST_DB_EXT_URL": "http://192.0.2.10:8000/api/v1/results",
				"NODE_NAME": "functest-kubernetes", "BUILD_TAG": tag,
			},
			Volumes: []string{
				"/data/jenkins/workspace/" + name + "/results:/var/lib/xtesting/results",
				"/home/opnfv/functest-kubernetes/config:/root/.kube/config",
			},
			Flags: map[string]string{"--rm": "true", "--privileged": "false", "--network": "bridge"},
		}
		if diff := cmp.Diff(want, calls[0].parse(t)); diff != "" {
			t.Errorf("container (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(campaignParameters, describeParameters(config.Parameters)); diff != "" {
			t.Errorf("parameters (-want +got):\n%s", diff)
		}
	})
}

// rmi jobs never fail, pull jobs and tests do.
func TestClassicFailures(t *testing.T) {
	t.Parallel()
	site := config.Default()
	g := graphOf(t, site, classicOptions(site))
	for _, test := range []struct {
		name   string
		status int
	}{{"smoke-v1.23-rmi", 0}, {"smoke-v1.23-pull", 9}, {"smoke-v1.23-sig_apps", 9}} {
		b := newBench(t)
		for _, command := range []string{"rmi", "pull", "run"} {
			b.on(command, "exit 9")
		}
		status, console := b.run(classicPrefix+test.name, readXML(t, jobOf(t, g, classicPrefix+test.name)).Shells[0], nil)
		if status != test.status {
			t.Errorf("%s: status %d, want %d: %s", test.name, status, test.status, console)
		}
	}
}

// What a site says arrives in the classic graph, too.
func TestClassicSite(t *testing.T) {
	t.Parallel()
	site := config.Default()
	root := 0
	site.Project, site.Release, site.Kubeconfig = "vnf", "v1.23", ""
	site.Env, site.EnvOrder = map[string]string{"B": "b", "A": "two words [x]"}, []string{"B", "A"}
	site.Repo, site.DPort = "192.0.2.1", 5000
	site.DockerTags = []config.DockerTag{
		{Name: "latest", Node: "arm", Branch: "master", Env: config.Env{{Name: "DASHBOARD_URL", Value: "http://d"}}},
		{Name: "2023.1"},
	}
	site.Suites = []config.Suite{
		{
			Container: "vnf", Tests: []string{"one", "two"}, Privileged: true, Network: "host", UID: &root, PublishedPorts: []string{"80:8080"},
			Volumes: []string{"/etc/vnf.{tag}:/etc/vnf"}, Exclude: []config.Exclusion{{Tag: "2023.1", Test: "two"}}, Condition: config.ConditionAlways,
		},
		{
			Container: "alpine", Repo: "_", DockerTags: []config.DockerTag{{Name: "3.21"}, {Name: "3.20"}}, Tests: []string{"three"},
			Env: &config.Env{{Name: "C", Value: "c"}}, Execution: config.ExecutionSequential,
		},
	}
	site.Jobs.UseNode, site.Jobs.ExtraSuffix = true, "-run"
	g := graphOf(t, site, classicOptions(site))
	var names []string
	for _, j := range g.Jobs {
		names = append(names, j.Name)
	}
	want := []string{
		"vnf-latest-daily", "vnf-2023.1-daily", "vnf-latest-zip", "vnf-2023.1-zip",
		"vnf-192_0_2_1-vnf-latest-rmi", "vnf-192_0_2_1-vnf-latest-pull", "vnf-192_0_2_1-vnf-latest-one-run", "vnf-192_0_2_1-vnf-latest-two-run",
		"vnf-192_0_2_1-vnf-2023.1-rmi", "vnf-192_0_2_1-vnf-2023.1-pull", "vnf-192_0_2_1-vnf-2023.1-one-run",
		"vnf-_-alpine-3.21-rmi", "vnf-_-alpine-3.21-pull", "vnf-_-alpine-3.21-three-run",
		"vnf-_-alpine-3.20-rmi", "vnf-_-alpine-3.20-pull", "vnf-_-alpine-3.20-three-run",
	}
	if diff := cmp.Diff(want, names, cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
	campaign := readXML(t, jobOf(t, g, "vnf-2023.1-daily"))
	phases := fmt.Sprint(campaign.Phases[2:])
	// The role names what it excludes all the same.
	if phases != "[{192.0.2.1/vnf:2023.1 ALWAYS PARALLEL [vnf-192_0_2_1-vnf-2023.1-one-run vnf-192_0_2_1-vnf-2023.1-two-run] [true true]}"+
		" {_/alpine:3.21 SUCCESSFUL SEQUENTIALLY [vnf-_-alpine-3.21-three-run] [true]} {dump all campaign data SUCCESSFUL PARALLEL [vnf-2023.1-zip] [true]}]" {
		t.Errorf("phases %s", phases)
	}
	const label = "org.jvnet.jenkins.plugins.nodelabelparameter.LabelParameterDefinition node "
	for _, test := range []struct {
		job  string
		want []string
	}{
		{"vnf-latest-daily", []string{label + "arm", randomString + " build_tag", stringParam + " B b", stringParam + " A two words [x]"}},
		{"vnf-2023.1-zip", []string{label + "built-in", randomString + " build_tag", stringParam + " B b", stringParam + " A two words [x]"}},
		{"vnf-192_0_2_1-vnf-latest-pull", []string{label + "arm"}},
		{"vnf-_-alpine-3.20-three-run", []string{label + "built-in", randomString + " build_tag", stringParam + " C c"}},
	} {
		if diff := cmp.Diff(test.want, describeParameters(readXML(t, jobOf(t, g, test.job)).Parameters)); diff != "" {
			t.Errorf("parameters of %s (-want +got):\n%s", test.job, diff)
		}
	}
	b := newBench(t)
	const name = "vnf-192_0_2_1-vnf-latest-one-run"
	b.run(name, readXML(t, jobOf(t, g, name)).Shells[0], map[string]string{"A": "two words [x]", "B": `q"'`, "node": "arm"})
	got := b.calls("run")[0].parse(t)
	if got.Image != "192.0.2.1:5000/vnf:latest" || got.Flags["--privileged"] != "true" || got.Flags["--network"] != "host" || !slices.Equal(got.Ports, []string{"80:8080"}) {
		t.Errorf("started %+v", got)
	}
	if got.Env["A"] != "two words [x]" || got.Env["B"] != `q"'` || got.Env["DASHBOARD_URL"] != "http://d" || got.Env["NODE_NAME"] != "arm" {
		t.Errorf("environment %+v", got.Env)
	}
	if diff := cmp.Diff([]string{"/data/jenkins/workspace/" + name + "/results:/var/lib/xtesting/results", "/etc/vnf.latest:/etc/vnf"}, got.Volumes); diff != "" {
		t.Errorf("volumes (-want +got):\n%s", diff)
	}
}
