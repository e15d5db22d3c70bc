package report

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/testcases"
)

func parseJUnit(t *testing.T, a *testcases.Assessment) xmlSuites {
	t.Helper()
	var doc xmlSuites
	if err := xml.NewDecoder(bytes.NewReader(render(t, JUnit, a))).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// UnmarshalText lets the tests read back what JUnit wrote.
func (s *xmlSeconds) UnmarshalText([]byte) error { return nil }

func TestJUnitCountersAreThoseOfTheElements(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]*testcases.Assessment{"small": sample(), "large": large(), "empty": {}} {
		doc := parseJUnit(t, a)
		var all xmlSuites
		for _, s := range doc.Suites {
			counted := xmlSuite{Name: s.Name}
			for _, test := range s.Cases {
				counted.add(test)
			}
			got := [4]int{s.Tests, s.Failures, s.Errors, s.Skipped}
			if want := [4]int{counted.Tests, counted.Failures, counted.Errors, counted.Skipped}; got != want {
				t.Errorf("%s: %s says %v tests, failures, errors, skipped and has %v", name, s.Name, got, want)
			}
			all.add(counted)
		}
		got := [3]int{doc.Tests, doc.Failures, doc.Errors}
		if want := [3]int{all.Tests, all.Failures, all.Errors}; got != want {
			t.Errorf("%s: the document says %v tests, failures, errors and has %v", name, got, want)
		}
	}
}

func TestJUnitByMeaning(t *testing.T) {
	t.Parallel()
	tests := make(map[string]xmlTest)
	properties := make(map[string]string)
	for _, s := range parseJUnit(t, sample()).Suites {
		for _, test := range s.Cases {
			tests[s.Name+"/"+test.Name] = test
		}
		for _, p := range s.Properties {
			properties[s.Name+"/"+p.Name] = p.Value
		}
	}
	failure, erred, skipped, passed := "failure", "error", "skipped", "passed"
	for _, row := range []struct{ name, want string }{
		{"campaign/campaign verdict", failure},
		{"k8s_conformance/k8s_conformance evidence", passed},
		{"k8s_conformance/[sig-network] DNS should provide DNS for services [Conformance]", passed},
		{"k8s_conformance/[sig-apps] Job should flake [Conformance]", passed},
		{"sig_network/sig_network evidence", failure},
		{"sig_network/[sig-network] ran by mistake [Feature:SCTP]", failure},
		{"sig_network/[sig-network] Broken by panic", erred},
		{"sig_network/[sig-network] Skipped as pending", skipped},
		{"sig_auth/BeforeSuite", erred},
		{"sig_auth/[sig-auth] ServiceAccounts should mount an API token", erred},
		{"sig_auth/[sig-auth] Unexplained", erred},
		{"kube_hunter/KHV044 Privileged Container", failure},
		{"kube_hunter/KHV002 K8s Version Disclosure", skipped},
		{"kube_bench_master/kube_bench_master evidence", passed},
		{"k8s_vims/k8s_vims evidence", failure},
	} {
		name, want := row.name, row.want
		test, ok := tests[name]
		if !ok {
			t.Errorf("there is no %s", name)
			continue
		}
		got := passed
		switch {
		case test.Failure != nil:
			got = failure
		case test.Error != nil:
			got = erred
		case test.Skipped != nil:
			got = skipped
		}
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if _, ok := tests["k8s_conformance/[sig-storage] not here"]; ok {
		t.Error("a spec that the case does not select is listed")
	}
	want := map[string]string{"verdict": "conflict", "recorded": "PASS", "derived": "FAIL"}
	got := map[string]string{}
	for name := range want {
		got[name] = properties["sig_network/"+name]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("properties of sig_network (-want +got):\n%s", diff)
	}
}

func TestJUnitHoldsNoCharacterThatXMLForbids(t *testing.T) {
	t.Parallel()
	text := string(render(t, JUnit, sample()))
	for _, r := range text {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' {
			t.Fatalf("junit.xml holds %U", r)
		}
	}
	if !strings.Contains(text, "\uFFFD") {
		t.Error("forbidden characters are not replaced by U+FFFD")
	}
	if strings.Contains(text, "<script>") {
		t.Error("hostile text is not escaped")
	}
}

func TestShorten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "", "abcd": "abcd", "abcde": "abc…", "äöüß": "äöüß", "äöüßé": "äöü…"} {
		if got := shorten(text, 4); got != want {
			t.Errorf("shorten(%q, 4) = %q, want %q", text, got, want)
		}
	}
}
