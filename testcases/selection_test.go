package testcases

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// selected counts what each case selects of Kubernetes v1.23.17's 7,052 specs,
// by an independent count.
var selected = map[string]int{
	"k8s_quick":                1,
	"k8s_smoke":                1,
	"k8s_conformance":          325,
	"k8s_conformance_serial":   19,
	"sig_api_machinery":        43,
	"sig_api_machinery_serial": 2,
	"sig_apps":                 34,
	"sig_apps_serial":          6,
	"sig_auth":                 14,
	"sig_cluster_lifecycle":    4,
	"sig_instrumentation":      4,
	"sig_network":              62,
	"sig_node":                 64,
	"sig_scheduling_serial":    14,
	"sig_storage":              232,
	"sig_storage_serial":       28,
}

// selectedOldest differs for the first patch releases, which list 7,042.
var selectedOldest = map[string]int{"sig_apps_serial": 5, "sig_network": 59, "sig_node": 60}

func TestCasesSelectAsManySpecsAsAnIndependentCount(t *testing.T) {
	t.Parallel()
	catalog := loadV123(t)
	specs, err := catalog.Specs()
	if err != nil {
		t.Fatal(err)
	}
	oldest := slices.DeleteFunc(slices.Clone(specs), func(name string) bool {
		return slices.Contains(catalog.SpecList.Varying, name)
	})
	if len(specs) != 7052 || len(oldest) != 7042 {
		t.Fatalf("%d specs, %d without the varying ones: want 7052 and 7042", len(specs), len(oldest))
	}
	counted := map[string]int{}
	for i := range catalog.Cases {
		c := &catalog.Cases[i]
		if c.Focus == "" {
			continue
		}
		selection := newSelection(t, c)
		counted[c.Name] = len(selection.Select(specs))
		want := selected[c.Name]
		if fewer, ok := selectedOldest[c.Name]; ok {
			want = fewer
		}
		if n := len(selection.Select(oldest)); n != want {
			t.Errorf("%s selects %d of the 7042 specs, want %d", c.Name, n, want)
		}
	}
	if diff := cmp.Diff(selected, counted); diff != "" {
		t.Errorf("selected of the 7052 specs (-want +got):\n%s", diff)
	}
}

// The container hands ginkgo one expression; we try its alternatives one by
// one to name the one that matched. Both must agree on every spec.
func TestSelectionAgreesWithTheWholeExpression(t *testing.T) {
	t.Parallel()
	catalog := loadV123(t)
	specs, err := catalog.Specs()
	if err != nil {
		t.Fatal(err)
	}
	for i := range catalog.Cases {
		c := &catalog.Cases[i]
		if c.Focus == "" {
			continue
		}
		focus, skip := regexp.MustCompile(c.Focus), regexp.MustCompile(c.Skip)
		selection := newSelection(t, c)
		for _, spec := range specs {
			want := focus.MatchString(spec) && (c.Skip == "" || !skip.MatchString(spec))
			if got, why := selection.Match(spec); got != want {
				t.Errorf("%s: %q: selected %t (%s), the whole expression says %t", c.Name, spec, got, why, want)
			}
		}
	}
}

func TestMatchSaysWhy(t *testing.T) {
	t.Parallel()
	catalog := loadV123(t)
	for _, test := range []struct{ name, spec, want string }{
		{"sig_network", "[sig-network] Services should function for pod-Service: http", ""},
		{"sig_network", "[sig-network] Networking [Feature:SCTP] should work", "[Feature:SCTP] is in the skip list of sig_network"},
		{"sig_network", "[sig-network] LoadBalancers should be able to create an internal type load balancer [Slow]", "load.balancer is in the skip list of sig_network"},
		{"sig_network", "[sig-node] Pods should be submitted and removed", "not in the focus of sig_network"},
		{"sig_storage", "[sig-storage] In-tree Volumes [Driver: nfs] works", "[Driver:.+] is in the skip list of sig_storage"},
		{"sig_api_machinery", "[sig-api-machinery] ResourceQuota [Feature:CrossNamespacePodAffinity] works", "[Feature:CrossNamespacePodAffinity] is in the skip list of sig_api_machinery"},
		{"k8s_conformance", "[sig-node] NoExecuteTaintManager Single Pod [Conformance]", "NoExecuteTaintManager is in the skip list of k8s_conformance"},
		{"k8s_quick", "[sig-node] Pods should be submitted and removed [Conformance]", ""},
		{"kube_hunter", "[sig-node] Pods should be submitted and removed", "not in the focus of kube_hunter"},
	} {
		t.Run(test.name+" "+test.spec, func(t *testing.T) {
			t.Parallel()
			c, ok := catalog.Case(test.name)
			if !ok {
				t.Fatalf("no case %s", test.name)
			}
			selected, why := newSelection(t, c).Match(test.spec)
			if selected != (test.want == "") || why != test.want {
				t.Errorf("Match = %t, %q; want %q", selected, why, test.want)
			}
		})
	}
}

func TestNewSelectionNamesTheExpressionThatDoesNotCompile(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ focus, skip, want string }{
		{"(", "", "focus of x: "},
		{"a", "b|(c", "skip of x: "},
		{"a", "b|*", "skip of x: "},
	} {
		_, err := NewSelection(&Case{Name: "x", Focus: test.focus, Skip: test.skip})
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("focus %q, skip %q: error %v, want %s...", test.focus, test.skip, err, test.want)
		}
	}
}

func TestSplitAlternatives(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		expression string
		want       []string
	}{
		{"", nil},
		{"a", []string{"a"}},
		{`\[a\]|b`, []string{`\[a\]`, "b"}},
		{"(a|b)|c", []string{"(a|b)", "c"}},
		{"[a|b]|c", []string{"[a|b]", "c"}},
		{`a\|b|c`, []string{`a\|b`, "c"}},
		{`[\]|]|c`, []string{`[\]|]`, "c"}},
		{`[]|]|c`, []string{`[]|]`, "c"}},
		{`[^]|]|c`, []string{`[^]|]`, "c"}},
		{`\[Feature:X]|c`, []string{`\[Feature:X]`, "c"}},
	} {
		if diff := cmp.Diff(test.want, splitAlternatives(test.expression)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.expression, diff)
		}
	}
}

func FuzzSplitAlternatives(f *testing.F) {
	f.Add(`\[Serial\]|\[Disruptive\]|NoExecuteTaintManager`, "x [Serial]")
	f.Add(`(a|b)|[c|d]|\Q|\E`, "|")
	f.Add(`(?i)a|B`, "b")
	f.Fuzz(func(t *testing.T, expression, spec string) {
		parts := splitAlternatives(expression)
		if joined := strings.Join(parts, "|"); joined != expression {
			t.Fatalf("parts of %q join to %q", expression, joined)
		}
		selection, err := NewSelection(&Case{Name: "x", Focus: "", Skip: expression})
		if err != nil || selection == nil {
			t.Fatalf("without a focus nothing is compiled: %v", err)
		}
		whole, err := regexp.Compile(expression)
		if err != nil {
			return
		}
		selection, err = NewSelection(&Case{Name: "x", Focus: "(?s:.*)", Skip: expression})
		if err != nil {
			return // refused is fine, a different answer is not
		}
		want := expression == "" || !whole.MatchString(spec)
		if got, _ := selection.Match(spec); got != want {
			t.Fatalf("skip %q of %q: selected %t, the whole expression says %t", expression, spec, got, want)
		}
	})
}

// BenchmarkSelection selects for all cases from the whole list, as judging a
// campaign does.
func BenchmarkSelection(b *testing.B) {
	catalog, err := Load("v1.23")
	if err != nil {
		b.Fatal(err)
	}
	specs, err := catalog.Specs()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for i := range catalog.Cases {
			selection, err := NewSelection(&catalog.Cases[i])
			if err != nil {
				b.Fatal(err)
			}
			selection.Select(specs)
		}
	}
}

func newSelection(t *testing.T, c *Case) *Selection {
	t.Helper()
	s, err := NewSelection(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func loadV123(t *testing.T) *Catalog {
	t.Helper()
	c, err := Load("v1.23")
	if err != nil {
		t.Fatal(err)
	}
	return c
}
