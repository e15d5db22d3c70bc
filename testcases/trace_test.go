package testcases

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTraceGoesBothWays(t *testing.T) {
	t.Parallel()
	trace := loadV123(t).Trace()
	forward, backward := map[string]bool{}, map[string]bool{}
	for _, r := range trace.Requirements {
		for _, name := range slices.Concat(r.Cases, r.Derived) {
			forward[r.Requirement.ID+" "+name] = true
		}
	}
	for _, c := range trace.Cases {
		for _, r := range slices.Concat(c.Requirements, c.Derived) {
			backward[r.ID+" "+c.Case] = true
		}
	}
	if diff := cmp.Diff(forward, backward); diff != "" || len(forward) == 0 {
		t.Errorf("requirement to case, and case to requirement:\n%s", diff)
	}
}

func TestTraceTellsWhatIsSpecifiedFromWhatIsDerived(t *testing.T) {
	t.Parallel()
	for _, c := range loadV123(t).Trace().Cases {
		if c.Case != "sig_storage" {
			continue
		}
		if diff := cmp.Diff([]string{"rc2.kubernetes-api-testing", "rc2.storage-testing", "ra2.sig.storage"}, idsOf(c.Requirements)); diff != "" {
			t.Errorf("specified (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"inf.stg.01", "ra2.stg.001", "ra2.stg.004", "ra2.stg.005"}, idsOf(c.Derived)); diff != "" {
			t.Errorf("derived (-want +got):\n%s", diff)
		}
	}
}

func TestWhatNoCaseCoversSaysWhy(t *testing.T) {
	t.Parallel()
	trace := loadV123(t).Trace()
	uncovered := map[string]string{}
	for _, r := range trace.NotCovered {
		if r.NotCovered == "" {
			t.Errorf("%s does not say why it is not covered", r.ID)
		}
		uncovered[r.ID] = r.NotCovered
	}
	for _, id := range []string{
		"ra2.app.001", "ra2.app.002", "ra2.app.003", "ra2.app.004", "ra2.app.005", "ra2.app.006", "ra2.app.007", // RC2 table 4.1
		"ra2.k8s.014", "ra2.ntw.014", // NetworkPolicy
		"ra2.k8s.015", "ra2.k8s.016", // LoadBalancer, Ingress
		"ra2.k8s.010", "ra2.ntw.013", // dual stack
		"ra2.k8s.012", "ra2.kubernetes-api-policy", "ra2.ch.001",
	} {
		if uncovered[id] == "" {
			t.Errorf("%s is not listed as not covered", id)
		}
	}
	for _, id := range []string{"ra2.k8s.001", "ra2.k8s.012b", "gen.cnt.03", "sec.std.001"} {
		if why := uncovered[id]; why != "" {
			t.Errorf("%s is listed as not covered: %s", id, why)
		}
	}
}

// What the catalogue says of features, tried on the list of specs.
func TestContradictionsOnFeaturesAreTrue(t *testing.T) {
	t.Parallel()
	catalog := loadV123(t)
	specs, err := catalog.Specs()
	if err != nil {
		t.Fatal(err)
	}
	run := map[string]bool{}
	for i := range catalog.Cases {
		for _, name := range newSelection(t, &catalog.Cases[i]).Select(specs) {
			run[name] = true
		}
	}
	found := map[string][]string{}
	for _, f := range catalog.Features {
		if f.Label == "Conformance" || f.Label == "None" {
			continue // no feature: whatever there is
		}
		listed, selected := 0, 0
		for _, name := range specs {
			if f.Matches(name) {
				listed++
				if run[name] {
					selected++
				}
			}
		}
		switch {
		case f.Mandatory && listed == 0:
			found["mandatory but not tested"] = append(found["mandatory but not tested"], f.Label)
		case f.Mandatory && selected == 0:
			found["mandatory but skipped"] = append(found["mandatory but skipped"], f.Label)
		}
	}
	said := map[string][]string{}
	for _, c := range catalog.Contradictions {
		if _, ok := found[c.Kind]; ok {
			said[c.Kind] = append(said[c.Kind], c.Subject)
		}
	}
	for _, names := range found {
		slices.Sort(names)
	}
	for _, names := range said {
		slices.Sort(names)
	}
	if diff := cmp.Diff(found, said); diff != "" {
		t.Errorf("contradictions (-in the list of specs +in the catalogue):\n%s", diff)
	}
}

func TestFeatureMatchesByLabelAndSIG(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		sig, label, spec string
		want             bool
	}{
		{"Node", "Feature:Example", "[sig-node] [Feature:Example] Liveness", true},
		{"Network", "Feature:Example", "[sig-node] [Feature:Example] Liveness", false},
		{"Cluster Lifecycle", "Feature:BootstrapTokens", "[sig-cluster-lifecycle] [Feature:BootstrapTokens] x", true},
		{"Storage", "Feature:Volumes", "[sig-storage] [Feature:VolumesX] x", false},
		{"Storage", "None", "[sig-storage] [NodeFeature:FSGroup] x", false},
		{"Storage", "None", "[sig-storage] x [Conformance]", false},
		{"Storage", "None", "[sig-storage] x [Slow]", true},
		{"Storage", "Conformance", "[sig-storage] x [Conformance]", true},
	} {
		f := Feature{SIG: test.sig, Label: test.label}
		if got := f.Matches(test.spec); got != test.want {
			t.Errorf("%s %s matches %q: %t, want %t", test.sig, test.label, test.spec, got, test.want)
		}
	}
}

func TestOneCaseHasItsFeaturesAndContradictions(t *testing.T) {
	t.Parallel()
	catalog := loadV123(t)
	c, _ := catalog.Case("sig_scheduling_serial")
	var labels []string
	for _, f := range catalog.FeaturesOf(c) {
		labels = append(labels, f.Label)
	}
	want := []string{"Conformance", "None", "Feature:GPUDevicePlugin", "Feature:LocalStorageCapacityIsolation", "Feature:Recreate"}
	if diff := cmp.Diff(want, labels); diff != "" {
		t.Errorf("features (-want +got):\n%s", diff)
	}
	if got := catalog.Execution(c); got != ExecutionSequential {
		t.Errorf("execution %q", got)
	}
	hunter, _ := catalog.Case("kube_hunter")
	if got := catalog.ContradictionsOf(hunter); len(got) != 1 || got[0].Subject != "kube_hunter" {
		t.Errorf("contradictions of kube_hunter: %v", got)
	}
	if got := catalog.Execution(hunter); got != ExecutionParallel {
		t.Errorf("execution %q", got)
	}
}

func idsOf(requirements []Requirement) []string {
	var ids []string
	for _, r := range requirements {
		ids = append(ids, r.ID)
	}
	return ids
}
