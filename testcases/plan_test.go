package testcases

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
	for i := range plan.Phases {
		for k := range plan.Phases[i].Jobs {
			plan.Phases[i].Jobs[k].Case = nil // said above
		}
	}
	if diff := cmp.Diff(Plan{Release: "v1.23", Phases: phasesOfV123}, plan); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
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
