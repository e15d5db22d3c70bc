package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/anuket-project/xtci/jenkins/jenkinstest"
)

// A playbook with two campaigns: Jenkins gets the jobs of both, what one of
// them does not want any more is left over, and what another project has is not
// touched.
func TestPlaybookWithTwoCampaigns(t *testing.T) {
	t.Parallel()
	l := newJenkinsLab(t, jenkinstest.Options{})
	l.run(0, "jobs", "apply", "--set", "project=of-others")
	others := len(l.server.Jobs())
	file := filepath.Join(t.TempDir(), "site.yml")
	write := func(tests string) {
		t.Helper()
		text := `- hosts: 127.0.0.1
  vars: {docker_tags: [v1.23], offline: true}
  roles:
    - {role: collivier.xtesting, project: first, suites: [{container: one, tests: [a]}]}
    - {role: collivier.xtesting, project: second, suites: [{container: two, tests: ` + tests + `}]}
`
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("[b, c]")
	l.sets = append(l.sets, "--set", "address=127.0.0.1", "--site", file)
	out, _ := l.run(0, "jobs", "apply")
	if !strings.HasPrefix(out, "7 jobs and 2 views: 9 written (") {
		t.Errorf("apply: %s", out)
	}
	for _, name := range []string{"first-v1.23-daily", "first-opnfv-one-v1.23-a", "first-v1.23-zip", "second-v1.23-daily", "second-opnfv-two-v1.23-c"} {
		if !slices.Contains(l.server.Jobs(), name) {
			t.Errorf("no job %s", name)
		}
	}
	if out, _ = l.run(0, "jobs", "diff"); !strings.Contains(out, "7 jobs and 2 views") {
		t.Errorf("diff: %s", out)
	}
	write("[b]")
	if out, _ = l.run(0, "jobs", "apply", "--prune"); !strings.Contains(out, "6 jobs and 2 views: ") {
		t.Errorf("apply of one job less: %s", out)
	}
	if jobs := l.server.Jobs(); len(jobs) != others+6 {
		t.Errorf("%d jobs, want %d of others and 6: %v", len(jobs), others, jobs)
	}
	l.run(2, "run", "--via", "jenkins")
	l.sets[len(l.sets)-1] = file + "#2"
	if out, _ = l.run(0, "jobs", "diff"); !strings.Contains(out, "3 jobs and 1 view") {
		t.Errorf("diff of the second: %s", out)
	}
}
