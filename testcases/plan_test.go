package testcases

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/config"
)

// The phases of a campaign of functest-kubernetes v1.23 that run tests, and
// their jobs in order (spec/jobs.md).
var phasesOfV123 = []PlanPhase{
	{Name: "opnfv/functest-kubernetes-healthcheck:v1.23", Jobs: []Job{
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-healthcheck-v1.23-k8s_quick"},
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-healthcheck-v1.23-k8s_smoke"},
	}},
	{Name: "opnfv/functest-kubernetes-smoke:v1.23", Sequential: true, Jobs: []Job{
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-xrally_kubernetes"},
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-k8s_conformance"},
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-k8s_conformance_serial"},
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-sig_api_machinery"},
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-sig_api_machinery_serial"},
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-sig_apps"},
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-sig_apps_serial"},
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-sig_auth"},
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-sig_cluster_lifecycle"},
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-sig_instrumentation"},
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-sig_network"},
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-sig_node"},
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-sig_scheduling_serial"},
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-sig_storage"},
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-sig_storage_serial"},
	}},
	{Name: "opnfv/functest-kubernetes-security:v1.23", Jobs: []Job{
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-security-v1.23-kube_hunter"},
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-security-v1.23-kube_bench_master"},
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-security-v1.23-kube_bench_node"},
	}},
	{Name: "opnfv/functest-kubernetes-benchmarking:v1.23", Jobs: []Job{
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-benchmarking-v1.23-xrally_kubernetes_full"},
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-benchmarking-v1.23-netperf"},
	}},
	{Name: "opnfv/functest-kubernetes-cnf:v1.23", Jobs: []Job{
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-cnf-v1.23-k8s_vims"},
		{Name: "functest-kubernetes-opnfv-functest-kubernetes-cnf-v1.23-helm_vims"},
	}},
}

func TestPlanIsTheJobGraphOfXtestingCI(t *testing.T) {
	t.Parallel()
	plan := NewPlan(loadV123(t), "functest-kubernetes", ScopeAll)
	jobs := plan.Jobs()
	if len(jobs) != 24 {
		t.Errorf("%d jobs, want 24", len(jobs))
	}
	for _, job := range jobs {
		if job.Case == nil || !strings.HasSuffix(job.Name, "-v1.23-"+job.Case.Name) {
			t.Errorf("%s runs %+v", job.Name, job.Case)
		}
	}
	var phases []PlanPhase
	for _, phase := range plan.Phases {
		named := PlanPhase{Name: phase.Name, Sequential: phase.Sequential}
		for _, job := range phase.Jobs {
			named.Jobs = append(named.Jobs, Job{Name: job.Name})
		}
		phases = append(phases, named)
	}
	if diff := cmp.Diff(phasesOfV123, phases); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}
}

func TestPlanOfASiteThatSaysNothing(t *testing.T) {
	t.Parallel()
	plan := NewPlan(loadV123(t), "functest-kubernetes", ScopeAll)
	container := Container{
		Image: "opnfv/functest-kubernetes-smoke:v1.23", Env: config.Env{{Name: "DEPLOY_SCENARIO", Value: "k8-nosdn-nofeature-noha"}},
		Volumes: []string{"/home/opnfv/functest-kubernetes/config:/root/.kube/config:ro"}, UID: 1000, GID: 1000,
	}
	smoke := plan.Phases[1]
	if diff := cmp.Diff(container, smoke.Jobs[0].Container); diff != "" {
		t.Errorf("container (-want +got):\n%s", diff)
	}
	if smoke.Jobs[0].Timeout != 3*time.Hour || plan.Phases[0].Jobs[0].Timeout != 0 {
		t.Errorf("timeouts %s and %s", smoke.Jobs[0].Timeout, plan.Phases[0].Jobs[0].Timeout)
	}
	if len(smoke.Named) != len(smoke.Jobs) {
		t.Errorf("%d names of %d jobs", len(smoke.Named), len(smoke.Jobs))
	}
	smoke.Jobs, smoke.Named, plan.Phases = nil, nil, nil
	want := PlanPhase{
		Name: "opnfv/functest-kubernetes-smoke:v1.23", Sequential: true, Image: "opnfv/functest-kubernetes-smoke:v1.23",
		Pull:   "functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-pull",
		Remove: "functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-rmi",
	}
	if diff := cmp.Diff(want, smoke); diff != "" {
		t.Errorf("phase (-want +got):\n%s", diff)
	}
	container.Image = "opnfv/functest-kubernetes-healthcheck:v1.23"
	wanted := Plan{
		Release: "v1.23", Project: "functest-kubernetes", Tag: DockerTag{Name: "v1.23"}, Campaign: "functest-kubernetes-v1.23-daily",
		Archive:  "functest-kubernetes-v1.23-zip",
		View:     View{"functest-kubernetes", "^functest-kubernetes-[a-z0-9.]+-daily$"},
		Env:      container.Env,
		Archives: []ArchiveJob{{Name: "functest-kubernetes-v1.23-zip", Container: container}},
	}
	if diff := cmp.Diff(wanted, plan); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

// Names by the rules of spec/jobs.md, where a site says more.
func TestPlanNames(t *testing.T) {
	t.Parallel()
	suite := config.Suite{Container: "smoke", Tests: []string{"sig_apps"}}
	for _, test := range []struct {
		name                               string
		change                             func(*config.Site)
		campaign, archive, view, regex     string
		phase, image, pull, remove, sigApp string
	}{
		{
			name: "defaults", change: func(*config.Site) {},
			campaign: "p-v1.23-daily", archive: "p-v1.23-zip", view: "p", regex: "^p-[a-z0-9.]+-daily$",
			phase: "opnfv/smoke:v1.23", image: "opnfv/smoke:v1.23",
			pull: "p-opnfv-smoke-v1.23-pull", remove: "p-opnfv-smoke-v1.23-rmi", sigApp: "p-opnfv-smoke-v1.23-sig_apps",
		},
		{
			name: "neither project nor repository", change: func(s *config.Site) { s.Jobs.MultiProjects, s.Jobs.MultiRepos = false, false },
			campaign: "p-v1.23-daily", archive: "p-v1.23-zip", view: "p", regex: "^p-[a-z0-9.]+-daily$",
			phase: "opnfv/smoke:v1.23", image: "opnfv/smoke:v1.23",
			pull: "smoke-v1.23-pull", remove: "smoke-v1.23-rmi", sigApp: "smoke-v1.23-sig_apps",
		},
		{
			name: "prefix and suffixes", change: func(s *config.Site) {
				s.Jobs.MultiProjects, s.Jobs.ExtraPrefix, s.Jobs.ExtraSuffix, s.Jobs.CampaignSuffix = false, "4-", "-run", "-weekly"
			},
			campaign: "p-4-v1.23-weekly", archive: "p-4-v1.23-zip", view: "p-4", regex: "^p-4-[a-z0-9.]+-weekly$",
			phase: "opnfv/smoke:v1.23", image: "opnfv/smoke:v1.23",
			pull: "4-opnfv-smoke-v1.23-pull", remove: "4-opnfv-smoke-v1.23-rmi", sigApp: "4-opnfv-smoke-v1.23-sig_apps-run",
		},
		{
			name: "a registry and its port", change: func(s *config.Site) { s.Repo, s.DPort = "docker.io/opnfv", 5000 },
			campaign: "p-v1.23-daily", archive: "p-v1.23-zip", view: "p", regex: "^p-[a-z0-9.]+-daily$",
			phase: "docker.io/opnfv/smoke:v1.23", image: "docker.io/opnfv:5000/smoke:v1.23",
			pull: "p-docker_io-opnfv-smoke-v1.23-pull", remove: "p-docker_io-opnfv-smoke-v1.23-rmi", sigApp: "p-docker_io-opnfv-smoke-v1.23-sig_apps",
		},
		{
			name: "a suite without a repository", change: func(s *config.Site) { s.Suites[0].Repo, s.DPort = "_", 5000 },
			campaign: "p-v1.23-daily", archive: "p-v1.23-zip", view: "p", regex: "^p-[a-z0-9.]+-daily$",
			phase: "_/smoke:v1.23", image: "smoke:v1.23",
			pull: "p-_-smoke-v1.23-pull", remove: "p-_-smoke-v1.23-rmi", sigApp: "p-_-smoke-v1.23-sig_apps",
		},
		{
			name: "a view of its own", change: func(s *config.Site) { s.Jobs.ViewRegex, s.Project = "^night-.*$", "q" },
			campaign: "q-v1.23-daily", archive: "q-v1.23-zip", view: "q", regex: "^night-.*$",
			phase: "opnfv/smoke:v1.23", image: "opnfv/smoke:v1.23",
			pull: "q-opnfv-smoke-v1.23-pull", remove: "q-opnfv-smoke-v1.23-rmi", sigApp: "q-opnfv-smoke-v1.23-sig_apps",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			site := config.Default()
			site.Project, site.Suites = "p", []config.Suite{suite}
			test.change(&site)
			plan := Plans(site, loadV123(t), ScopeAll)[0]
			phase := plan.Phases[0]
			want := []string{test.campaign, test.archive, test.view, test.regex, test.phase, test.image, test.pull, test.remove, test.sigApp}
			got := []string{plan.Campaign, plan.Archive, plan.View.Name, plan.View.Regex, phase.Name, phase.Image, phase.Pull, phase.Remove, phase.Jobs[0].Name}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlansOfTags(t *testing.T) {
	t.Parallel()
	root := 0
	site := config.Default()
	site.DockerTags = []config.DockerTag{{Name: "v1.23"}, {Name: "v1.24", Node: "arm", Env: config.Env{{Name: "K", Value: "v"}}}}
	site.Volumes = []string{"/config.{tag}:/c"}
	site.Suites = []config.Suite{
		{
			Container: "own", DockerTags: []config.DockerTag{{Name: "a"}, {Name: "b", Node: "n"}}, Tests: []string{"t", "u"}, UID: &root,
			Env: &config.Env{}, Volumes: []string{}, Network: "host", Privileged: true, Exclude: []config.Exclusion{{Tag: "b", Test: "t"}},
		},
		{Container: "smoke", Tests: []string{"sig_apps"}, PublishedPorts: []string{"1:1"}},
	}
	plans := Plans(site, loadV123(t), ScopeAll)
	if len(plans) != 2 {
		t.Fatalf("%d campaigns, want 2", len(plans))
	}
	plan := plans[1]
	if plan.Campaign != "functest-kubernetes-v1.24-daily" || plan.Tag.Node != "arm" {
		t.Errorf("second is %s on %s", plan.Campaign, plan.Tag.Node)
	}
	own := Job{
		Name: "functest-kubernetes-opnfv-own-a-t", Case: &Case{Name: "t", Project: "functest-kubernetes", Tier: "own", Container: "opnfv/own:a", Level: LevelMay},
		Container: Container{
			Image: "opnfv/own:a", Env: config.Env{}, Volumes: []string{site.Kubeconfig + ":/root/.kube/config:ro"}, Network: "host", Privileged: true, GID: 1000,
		},
	}
	if diff := cmp.Diff(own, plan.Phases[0].Jobs[0]); diff != "" {
		t.Errorf("test with a tag of its own (-want +got):\n%s", diff)
	}
	smoke := plan.Phases[1].Jobs[0]
	want := Container{
		Image: "opnfv/smoke:v1.24", Env: site.Variables(), Fixed: config.Env{{Name: "K", Value: "v"}}, Ports: []string{"1:1"},
		Volumes: []string{site.Kubeconfig + ":/home/xtesting/.kube/config:ro", "/config.v1.24:/c"}, UID: 1000, GID: 1000,
	}
	if diff := cmp.Diff(want, smoke.Container); diff != "" || smoke.Node != "arm" {
		t.Errorf("test on %s (-want +got):\n%s", smoke.Node, diff)
	}
	if smoke.Case.Requirements == nil {
		t.Error("the catalogue knows sig_apps, the plan does not")
	}
	if len(plan.Spare) != 1 || plan.Spare[0].Jobs[0].Name != "functest-kubernetes-opnfv-own-b-u" || plan.Spare[0].Named[0] != "functest-kubernetes-opnfv-own-b-t" {
		t.Errorf("spare %+v", plan.Spare)
	}
	if len(plan.Archives) != 2 || plan.Archives[1].Name != "functest-kubernetes-b-zip" || plan.Archives[1].Node != "n" {
		t.Errorf("archives %+v", plan.Archives)
	}
}

func TestPlanOfAScope(t *testing.T) {
	t.Parallel()
	catalog := loadV123(t)
	for _, test := range []struct {
		scope            Scope
		phases, jobs     int
		first, inPhaseOf string
	}{
		{ScopeAll, 5, 24, "k8s_quick", "healthcheck"},
		{ScopeMandatory, 4, 22, "xrally_kubernetes", "smoke"}, // the phase without jobs is left out
		{ScopeOptional, 1, 2, "k8s_quick", "healthcheck"},
	} {
		t.Run(string(test.scope), func(t *testing.T) {
			t.Parallel()
			plan := NewPlan(catalog, "functest-kubernetes", test.scope)
			jobs := plan.Jobs()
			if len(plan.Phases) != test.phases || len(jobs) != test.jobs {
				t.Fatalf("%d phases and %d jobs, want %d and %d", len(plan.Phases), len(jobs), test.phases, test.jobs)
			}
			if jobs[0].Case.Name != test.first || !strings.Contains(plan.Phases[0].Name, test.inPhaseOf) {
				t.Errorf("begins with %s in %s", jobs[0].Case.Name, plan.Phases[0].Name)
			}
			for _, job := range jobs {
				if test.scope != ScopeAll && job.Case.Mandatory != (test.scope == ScopeMandatory) {
					t.Errorf("%s is not in scope", job.Case.Name)
				}
				if !job.Case.Default {
					t.Errorf("%s does not run by default", job.Case.Name)
				}
			}
		})
	}
}

func TestParseScope(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"all", "mandatory", "optional"} {
		if got, err := ParseScope(name); err != nil || string(got) != name {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "All", "none", "mandatory "} {
		if got, err := ParseScope(name); err == nil || got != "" || !strings.Contains(err.Error(), "mandatory, optional or all") {
			t.Errorf("%q: got %q, %v", name, got, err)
		}
	}
}

func TestJobName(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ project, container, name, want string }{
		{"functest-kubernetes", "opnfv/functest-kubernetes-smoke:v1.23", "sig_apps", "functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-sig_apps"},
		{"p", "docker.io/opnfv/smoke:v1.23", "sig_apps", "p-docker_io-opnfv-smoke-v1.23-sig_apps"},
		{"p", "smoke:v1.23", "sig_apps", "p-smoke-v1.23-sig_apps"},
	} {
		if got := JobName(test.project, &Case{Name: test.name, Container: test.container}); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}
