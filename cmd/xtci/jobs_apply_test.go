package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anuket-project/xtci/jenkins/jenkinstest"
)

// A lab is a site with a stand-in for its Jenkins.
type jenkinsLab struct {
	t      *testing.T
	server *jenkinstest.Server
	sets   []string
}

func newJenkinsLab(t *testing.T, o jenkinstest.Options) *jenkinsLab {
	t.Helper()
	s := jenkinstest.New(t, o)
	address, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &jenkinsLab{t: t, server: s, sets: []string{
		"--set", "stack.jenkins.port=" + address.Port(), "--set", "stack.prefix=" + filepath.Join(t.TempDir(), "prefix"),
		"--set", "archive.image=xtci.local/xtci:test",
	}}
}

// run runs a command line that must end with that exit code.
func (l *jenkinsLab) run(code int, args ...string) (stdout, stderr string) {
	l.t.Helper()
	var out, err bytes.Buffer
	a := &app{in: strings.NewReader(""), out: &out, err: &err}
	if got := a.main(l.t.Context(), append(args, l.sets...)); got != code {
		l.t.Fatalf("xtci %s exits %d, want %d\n%s%s", strings.Join(args, " "), got, code, out.String(), err.String())
	}
	return out.String(), err.String()
}

func TestJobsDiffAndApply(t *testing.T) {
	t.Parallel()
	l := newJenkinsLab(t, jenkinstest.Options{})
	out, _ := l.run(1, "jobs", "diff")
	if strings.Count(out, "create job ") != 36 || strings.Count(out, "create view ") != 1 {
		t.Errorf("diff of an empty Jenkins:\n%s", out)
	}
	out, progress := l.run(0, "jobs", "apply")
	if !strings.HasPrefix(out, "36 jobs and 1 view: 37 written (") || !strings.Contains(progress, "[37/37] create  view functest-kubernetes\n") {
		t.Errorf("apply:\n%s%s", out, progress)
	}
	if out, progress = l.run(0, "jobs", "apply"); !strings.HasPrefix(out, "36 jobs and 1 view: 0 written (") || progress != "" {
		t.Errorf("apply again:\n%s%s", out, progress)
	}
	if out, _ = l.run(0, "jobs", "diff"); !strings.HasSuffix(out, " has the jobs that the site wants: 36 jobs and 1 view\n") {
		t.Errorf("diff:\n%s", out)
	}
	out, _ = l.run(0, "jobs", "apply", "--set", "jobs.extra_suffix=-x")
	if strings.Count(out, "left over: job ") != 24 || !strings.Contains(out, "(xtci jobs apply --prune removes it)") {
		t.Errorf("other names:\n%s", out)
	}
	if out, _ = l.run(0, "jobs", "apply", "--prune", "-o", "json", "--set", "jobs.extra_suffix=-x"); !strings.Contains(out, `"written": 24`) {
		t.Errorf("prune:\n%s", out)
	}
	if jobs := l.server.Jobs(); len(jobs) != 36 {
		t.Errorf("%d jobs are left: %v", len(jobs), jobs)
	}
}

func TestJobsDiffShowsLinesAndNoSecrets(t *testing.T) {
	t.Parallel()
	l := newJenkinsLab(t, jenkinstest.Options{})
	l.sets = append(l.sets, "--set", "wiring=classic", "--set", "archive.by=container", "--set", "address=127.0.0.1")
	l.run(0, "jobs", "apply")
	out, _ := l.run(1, "jobs", "diff", "-o", "json", "--set", "stack.minio.jobs_secret_key=very-secret")
	var diff struct {
		Jenkins string
		Changes []struct {
			Kind, Name, Action string
			Lines              []string
		}
	}
	if err := json.Unmarshal([]byte(out), &diff); err != nil || diff.Jenkins != l.server.URL || len(diff.Changes) == 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	if c := diff.Changes[0]; c.Action != "update" || !strings.Contains(strings.Join(c.Lines, "\n"), "[redacted]") || strings.Contains(out, "very-secret") {
		t.Errorf("got %s", out)
	}
	if !strings.Contains(l.server.Config("functest-kubernetes-v1.23-zip"), "AWS_SECRET_ACCESS_KEY") {
		t.Error("the classic jobs have the key in them: this test shows nothing without")
	}
}

func TestJobsApplyLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	l := newJenkinsLab(t, jenkinstest.Options{})
	shared := []string{"--set", "jobs.multi_projects=false"} // so both projects' tests have one name
	l.run(0, append([]string{"jobs", "apply", "--set", "project=one"}, shared...)...)
	l.server.Requests()
	_, errs := l.run(2, append([]string{"jobs", "apply", "--prune", "--set", "project=two"}, shared...)...)
	if !strings.Contains(errs, "is of the project one") || !strings.Contains(errs, "--adopt") || !strings.Contains(errs, "and 29 more") {
		t.Errorf("got %s", errs)
	}
	for _, r := range l.server.Requests() {
		if r.Method == http.MethodPost && r.Path != "/j_spring_security_check" && r.Code != 400 {
			t.Errorf("something was written: %v", r)
		}
	}
	l.run(0, append([]string{"jobs", "apply", "--adopt", "--set", "project=two"}, shared...)...)
}

func TestJobsApplyChecksFirst(t *testing.T) {
	t.Parallel()
	l := newJenkinsLab(t, jenkinstest.Options{Plugins: jenkinstest.PluginsWithout(jenkinstest.BuildBlocker), Executors: 1})
	_, errs := l.run(3, "jobs", "apply")
	for _, want := range []string{"the plugin build-blocker-plugin is missing, needed by", "Jenkins has 1 executors", "--unchecked"} {
		if !strings.Contains(errs, want) {
			t.Errorf("no %q in:\n%s", want, errs)
		}
	}
	if jobs := l.server.Jobs(); len(jobs) != 0 {
		t.Errorf("jobs were made all the same: %v", jobs)
	}
	l.run(0, "jobs", "apply", "--unchecked")
	_, errs = l.run(3, "jobs", "apply", "--set", "stack.jenkins.password=wrong-word")
	if !strings.Contains(errs, "401") || strings.Contains(errs, "wrong-word") {
		t.Errorf("a wrong password:\n%s", errs)
	}
}

func TestJobsApplyWaitsForJenkins(t *testing.T) {
	t.Parallel()
	l := newJenkinsLab(t, jenkinstest.Options{Refused: 200 * time.Millisecond, NotReady: 200 * time.Millisecond})
	l.run(0, "jobs", "apply")
}
