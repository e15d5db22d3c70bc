package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/testcases"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares output with testdata/<name>.golden.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("differs from %s (-want +got); if that is right: go test ./cmd/xtci -update\n%s", file, diff)
	}
}

// runCatalogCommand runs one command line with a site of its own.
func runCatalogCommand(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	site := filepath.Join(t.TempDir(), "xtci.yaml")
	if err := os.WriteFile(site, []byte("release: v1.23\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, err bytes.Buffer
	a := &app{out: &out, err: &err}
	code = a.main(context.Background(), append([]string{"--config", site, "catalog"}, args...))
	return out.String(), err.String(), code
}

func TestCatalogPrints(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		golden string
		args   []string
	}{
		{"all", nil},
		{"sig_network", []string{"sig_network"}},
		{"sig_storage_serial", []string{"sig_storage_serial"}},
		{"k8s_quick", []string{"k8s_quick"}},
		{"kube_hunter", []string{"kube_hunter"}},
		{"xrally_kubernetes_full", []string{"xrally_kubernetes_full"}},
		{"cnf_testsuite", []string{"cnf_testsuite"}},
		{"sig_node-specs", []string{"sig_node", "--specs"}},
		{"sig_auth-specs-json", []string{"sig_auth", "--specs", "-o", "json"}},
		{"netperf-json", []string{"netperf", "-o", "json"}},
		{"trace", []string{"--trace"}},
		{"releases", []string{"releases"}},
		{"releases-json", []string{"releases", "-o", "json"}},
		{"all-v1.24", []string{"--set", "release=v1.24"}},
		{"all-v1.29", []string{"--set", "release=v1.29"}},
		{"trace-v1.24", []string{"--trace", "--set", "release=v1.24"}},
		{"sig_auth-v1.24", []string{"sig_auth", "--set", "release=v1.24"}},
		{"kube_hunter-v1.29", []string{"kube_hunter", "--set", "release=v1.29"}},
		{"cni_smoke-v1.33-json", []string{"cni_smoke", "--set", "release=v1.33", "-o", "json"}},
		{"diff-v1.23-v1.24", []string{"diff", "v1.23", "v1.24"}},
		{"diff-v1.25-v1.29", []string{"diff", "v1.25", "v1.29"}},
		{"diff-v1.32-v1.31", []string{"diff", "v1.32", "v1.31"}},
		{"diff-v1.23-v1.23", []string{"diff", "v1.23", "v1.23"}},
		{"diff-v1.31-v1.32-json", []string{"diff", "v1.31", "v1.32", "-o", "json"}},
	} {
		t.Run(test.golden, func(t *testing.T) {
			t.Parallel()
			out, stderr, code := runCatalogCommand(t, test.args...)
			if code != exitGood || stderr != "" {
				t.Fatalf("exit code %d, stderr %q", code, stderr)
			}
			golden(t, "catalog/"+test.golden, out)
		})
	}
}

func TestCatalogAsJSONHoldsEverything(t *testing.T) {
	t.Parallel()
	want, err := testcases.Load("v1.23")
	if err != nil {
		t.Fatal(err)
	}
	var got testcases.Catalog
	decodeOutput(t, &got, "-o", "json")
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, &got)); diff != "" {
		t.Errorf("catalogue (-want +got):\n%s", diff)
	}
	var trace testcases.Trace
	decodeOutput(t, &trace, "--trace", "-o", "json")
	if diff := cmp.Diff(want.Trace(), trace); diff != "" {
		t.Errorf("trace (-want +got):\n%s", diff)
	}
	var view caseView
	decodeOutput(t, &view, "k8s_conformance", "-o", "json")
	if n := len(view.Specs.Selected); n != 325 || view.Specs.Listed != 7052 {
		t.Errorf("k8s_conformance selects %d of %d, want 325 of 7052", n, view.Specs.Listed)
	}
	for _, spec := range view.Specs.Selected {
		if spec.Title == "" || spec.Link == "" {
			t.Errorf("%q has no title or no link", spec.Name)
		}
	}
}

func TestCatalogRefusesWrongUse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		want string
		args []string
	}{
		{`no test case "sig_netwrk" in v1.23: did you mean sig_network`, []string{"sig_netwrk"}},
		{"--specs wants a CASE", []string{"--specs"}},
		{"netperf runs no e2e specs", []string{"netperf", "--specs"}},
		{"--trace is about the whole catalogue", []string{"--trace", "sig_network"}},
		{"--trace is about the whole catalogue", []string{"--trace", "--specs"}},
		{"one CASE at most", []string{"sig_network", "sig_node"}},
		{"unknown flag: --spec", []string{"--spec"}},
		{`no catalogue of release "v1.20": known are v1.21, v1.22, v1.23`, []string{"--set", "release=v1.20"}},
		{"the e2e specs of v1.29 are not known", []string{"sig_auth", "--specs", "--set", "release=v1.29"}},
		{`no catalogue of release "v1.37"`, []string{"diff", "v1.36", "v1.37"}},
		{`no catalogue of release "../v1.23"`, []string{"diff", "../v1.23", "v1.24"}},
		{"want FROM TO", []string{"diff", "v1.23"}},
		{"releases takes no arguments", []string{"releases", "v1.23"}},
	} {
		out, stderr, code := runCatalogCommand(t, test.args...)
		if code != exitUsage || out != "" || !strings.Contains(stderr, test.want) {
			t.Errorf("%v: exit code %d, stdout %q, stderr %q; want 2 and %q", test.args, code, out, stderr, test.want)
		}
	}
}

func TestCatalogReportsThatItCannotPrint(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"sig_node"}, {"sig_node", "--specs"}, {"--trace"}, {"-o", "json"}} {
		var stderr bytes.Buffer
		a := &app{out: brokenWriter{}, err: &stderr}
		if code := a.main(context.Background(), append([]string{"catalog"}, args...)); code != exitOutside {
			t.Errorf("%v: exit code %d, stderr %q, want %d", args, code, stderr.String(), exitOutside)
		}
	}
}

// A brokenWriter is a disk that is full, or a reader that has gone.
type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestWriteTextBreaksLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", catalogWidth+1)
	var b bytes.Buffer
	writeText(&b, "  ", "a  b\nc "+long+" d "+strings.Repeat("word ", 30))
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if lines[0] != "  a b c" || lines[1] != "  "+long {
		t.Errorf("first lines: %q", lines[:2])
	}
	for _, line := range lines[2:] {
		if len(line) > catalogWidth || !strings.HasPrefix(line, "  ") || strings.HasSuffix(line, " ") {
			t.Errorf("line %q", line)
		}
	}
}

func decodeOutput(t *testing.T, into any, args ...string) {
	t.Helper()
	out, stderr, code := runCatalogCommand(t, args...)
	if code != exitGood {
		t.Fatalf("%v: exit code %d, stderr %q", args, code, stderr)
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
