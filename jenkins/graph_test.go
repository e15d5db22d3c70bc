package jenkins_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/jenkins"
	"github.com/anuket-project/xtci/testcases"
)

var update = flag.Bool("update", false, "write the golden files anew")

// nasty is a value that no quoting must be lost on.
const nasty = "two  words\nand [brackets] \"double\" 'single' $HOME `date` \\ * ; } %s"

// full is a site that uses every option.
func fullSite() config.Site {
	site := config.Default()
	root, no := 0, false
	site.Env = map[string]string{"DEPLOY_SCENARIO": "k8-x", "NASTY": nasty, "http_proxy": "http://a", "HTTP_PROXY": "http://b"}
	site.EnvOrder = []string{"DEPLOY_SCENARIO", "NASTY", "http_proxy", "HTTP_PROXY"}
	site.DockerTags = []config.DockerTag{
		{Name: "v1.23", Node: "arm && big", Env: config.Env{{Name: "DASHBOARD_URL", Value: nasty}}},
		{Name: "v1.24"},
	}
	site.Volumes = []string{"/etc/some thing:/etc/x:ro"}
	site.Suites = []config.Suite{
		{Container: "functest-kubernetes-healthcheck", Tests: []string{"k8s_quick", "k8s_smoke"}, Condition: config.ConditionAlways},
		{
			Container: "functest-kubernetes-smoke", Tests: []string{"sig_apps", "sig_node"}, Execution: config.ExecutionSequential,
			Timeout: 90 * time.Minute, Privileged: true, Memory: "4g", CPUs: 1.5, Network: "host", UID: &root, GID: &root, PublishedPorts: []string{"127.0.0.1:80:8080"},
			Exclude: []config.Exclusion{{Tag: "v1.24", Test: "sig_node"}},
		},
		{Container: "lab/own", Repo: "registry.example/x", DPort: 5000, Tests: []string{"hello"}, Network: "kind", Env: &config.Env{{Name: "ONLY", Value: "this"}}},
	}
	site.Jobs.ExtraPrefix, site.Jobs.ExtraSuffix, site.Jobs.CampaignSuffix = "night-", "-run", "-weekly"
	site.Jobs.Triggers = []config.JobTrigger{{Timed: "@weekly"}, {Timed: "H 2 * * 1-5"}}
	site.Jobs.Properties = []config.JobProperty{{BuildBlocker: &config.BuildBlocker{
		BlockingJobs: []string{"^functest-kubernetes-(pi-)*{tag}-(daily|docker)$", "^other$"}, BlockLevel: "NODE", QueueScanning: "ALL",
	}}}
	site.Jobs.Publishers = []config.JobPublisher{
		{EmailExt: &config.EmailExt{Recipients: "root@localhost", Failure: &no, FirstFailure: true, Fixed: true}},
		{Email: &config.Email{Recipients: "a@b c@d"}},
	}
	site.Jobs.Wrappers = []config.JobWrapper{{Timeout: &config.JobTimeout{Timeout: 90, Fail: true, Type: "absolute"}}}
	site.Jobs.InPhase = config.InPhase{KillPhaseOn: "FAILURE", AbortAllJob: true}
	site.Jobs.UseNode, site.Jobs.ArtifactsFrom, site.Jobs.ViewRegex = true, "kind", "^night-.*$"
	return site
}

// graphs are those of all kinds of options.
func allGraphs(t *testing.T) map[string]jenkins.Graph {
	t.Helper()
	plain, all := config.Default(), fullSite()
	going := config.Default()
	going.Failure, going.Jobs.RemoveImages, going.Jobs.KeysFile = config.FailureContinue, true, "/etc/xtci/jobs.env"
	byContainer := defaultOptions(plain)
	byContainer.Archive = jenkins.Archive{ByContainer: true}
	return map[string]jenkins.Graph{
		"default": graphOf(t, plain, defaultOptions(plain)), "classic": graphOf(t, plain, classicOptions(plain)), "continue": graphOf(t, going, defaultOptions(going)),
		"full": graphOf(t, all, defaultOptions(all)), "full-classic": graphOf(t, all, classicOptions(all)), "container": graphOf(t, plain, byContainer),
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	all := allGraphs(t)
	const plain = "functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-"
	const other = "functest-kubernetes-night-opnfv-functest-kubernetes-smoke-v1.23-"
	for name, jobs := range map[string][]string{
		"default":   {"functest-kubernetes-v1.23-daily", "functest-kubernetes-v1.23-zip", plain + "sig_apps", plain + "pull", plain + "rmi"},
		"classic":   {"functest-kubernetes-v1.23-daily", "functest-kubernetes-v1.23-zip", plain + "sig_apps", plain + "pull", plain + "rmi"},
		"continue":  {plain + "sig_apps", plain + "rmi"},
		"container": {"functest-kubernetes-v1.23-zip"},
		"full": {
			"functest-kubernetes-night-v1.23-weekly", "functest-kubernetes-night-v1.23-zip", other + "sig_apps-run",
			"functest-kubernetes-night-registry_example-x-lab-own-v1.23-hello-run",
		},
		"full-classic": {"functest-kubernetes-night-v1.24-weekly", other + "sig_apps-run"},
	} {
		for _, jobName := range jobs {
			golden(t, filepath.Join(name, jobName+".xml"), jobOf(t, all[name], jobName))
		}
		golden(t, filepath.Join(name, "view.xml"), all[name].Views[0])
	}
}

// golden compares the XML of a job or view with a file in testdata.
func golden(t *testing.T, name string, of interface{ XML() ([]byte, error) }) {
	t.Helper()
	got, err := of.XML()
	if err != nil {
		t.Error(err)
		return
	}
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Error(err)
		return
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// Every script of every kind passes shellcheck, as a script of POSIX sh.
func TestScriptsPassShellcheck(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Skipf("NOT TESTED, WITHOUT SHELLCHECK: %v (Debian has it)", err)
	}
	dir := t.TempDir()
	args := []string{"--shell=sh", "--norc"}
	seen := map[string]bool{}
	for kind, g := range allGraphs(t) {
		for _, j := range g.Jobs {
			if j.Shell == nil || seen[j.Shell.Script] {
				continue
			}
			seen[j.Shell.Script] = true
			if !strings.HasPrefix(j.Shell.Script, "#!/bin/sh\n") || !strings.Contains(j.Shell.Script, "\nset -eu\n") || strings.Contains(j.Shell.Script, "eval ") {
				t.Errorf("%s of %s: want #!/bin/sh, set -eu and no eval", j.Name, kind)
			}
			file := filepath.Join(dir, kind+"-"+j.Name+".sh")
			if err := os.WriteFile(file, []byte(j.Shell.Script), 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, file)
		}
	}
	output, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	if err != nil {
		t.Errorf("shellcheck of %d scripts: %v\n%s", len(args)-2, err, output)
	}
}

// The default graph has the names, kinds, parameters and phases of the
// classic one, which people have in bookmarks; but all phases run, so that
// the archive is made.
func TestDefaultGraphHasTheClassicNames(t *testing.T) {
	t.Parallel()
	site := config.Default()
	got, want := graphOf(t, site, defaultOptions(site)), graphOf(t, site, classicOptions(site))
	for i, j := range want.Jobs {
		if got.Jobs[i].Name != j.Name || got.Jobs[i].Kind != j.Kind {
			t.Errorf("job %d is %s, a %s; want %s, a %s", i, got.Jobs[i].Name, got.Jobs[i].Kind, j.Name, j.Kind)
		}
	}
	campaign := readXML(t, jobOf(t, got, "functest-kubernetes-v1.23-daily"))
	if diff := cmp.Diff(expectedPhases("ALWAYS"), campaign.Phases); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(campaignParameters, describeParameters(campaign.Parameters)); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Views, got.Views); diff != "" {
		t.Errorf("views (-want +got):\n%s", diff)
	}
}

func TestPlugins(t *testing.T) {
	t.Parallel()
	names := func(g jenkins.Graph) []string {
		var all []string
		for _, r := range g.Plugins() {
			all = append(all, r.Plugin)
			if r.NeededBy == "" {
				t.Errorf("%s is needed by nothing", r.Plugin)
			}
		}
		return all
	}
	all := allGraphs(t)
	need := []string{"build-blocker-plugin", "jenkins-multijob-plugin", "random-string-parameter"}
	if got := names(all["default"]); !slices.Equal(got, need) {
		t.Errorf("default needs %v", got)
	}
	need = []string{
		"build-blocker-plugin", "build-timeout", "copyartifact", "email-ext", "jenkins-multijob-plugin", "mailer", "nodelabelparameter", "random-string-parameter",
	}
	if got := names(all["full"]); !slices.Equal(got, need) {
		t.Errorf("full needs %v", got)
	}
}

func TestMergeRefuses(t *testing.T) {
	t.Parallel()
	a := jenkins.Job{Name: "a"}
	for _, test := range []struct {
		name   string
		graphs []jenkins.Graph
		want   string
	}{
		{"two jobs of one name", []jenkins.Graph{{Jobs: []jenkins.Job{a}}, {Jobs: []jenkins.Job{{Name: "A"}}}}, "the name A"},
		{"two views of one name", []jenkins.Graph{{Views: []jenkins.View{{Name: "v"}}}, {Views: []jenkins.View{{Name: "v", Regex: "."}}}}, "the name v"},
		{"a name that Jenkins refuses", []jenkins.Graph{{Jobs: []jenkins.Job{{Name: "a/b"}}}}, `"a/b"`},
		{"a name that is too long", []jenkins.Graph{{Jobs: []jenkins.Job{{Name: strings.Repeat("a", 256)}}}}, "255"},
	} {
		if _, err := jenkins.Merge(test.graphs...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	both, err := jenkins.Merge(jenkins.Graph{Jobs: []jenkins.Job{a}}, jenkins.Graph{Jobs: []jenkins.Job{a}})
	if err != nil || len(both.Jobs) != 1 {
		t.Errorf("the same job twice: %d jobs, %v", len(both.Jobs), err)
	}
}

func TestXMLRefusesWhatItCannotHold(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"a\x01b", "a\xffb"} {
		j := jenkins.Job{Name: "j", Parameters: []jenkins.Parameter{{Kind: jenkins.ParameterString, Name: "P", Default: value}}}
		if _, err := j.XML(); err == nil || !strings.Contains(err.Error(), "job j") || !strings.Contains(err.Error(), "defaultValue") {
			t.Errorf("%q: %v", value, err)
		}
	}
}

func TestGraphOfABigSite(t *testing.T) {
	t.Parallel()
	site := config.Default()
	site.Suites = nil
	for i := range 15 {
		site.DockerTags = append(site.DockerTags, config.DockerTag{Name: "v1." + string(rune('a'+i))})
	}
	if g := graphOf(t, site, defaultOptions(site)); len(g.Jobs) != 15*36 || len(g.Views) != 1 {
		t.Errorf("%d jobs and %d views", len(g.Jobs), len(g.Views))
	}
}

func FuzzScriptKeepsValues(f *testing.F) {
	f.Add(nasty)
	f.Add("")
	f.Add("'\\''$(rm -rf /)\n")
	f.Add("\n")
	catalog, err := testcases.Load("v1.23")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if len(value) > 1<<16 || strings.ContainsAny(value, "\x00\r") {
			return
		}
		site := config.Default()
		site.Env, site.EnvOrder = map[string]string{"A": value}, nil
		site.DockerTags = []config.DockerTag{{Name: "v1.23", Env: config.Env{{Name: "B", Value: value}}}}
		g, err := jenkins.NewGraph(testcases.Plans(site, catalog, testcases.ScopeAll)[0], defaultOptions(site))
		if err != nil {
			t.Fatal(err)
		}
		j := jobOf(t, g, "functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-sig_apps")
		b := newBench(t)
		status, console := b.run(j.Name, j.Shell.Script, nil)
		runs := b.calls("run")
		if status != 0 || len(runs) != 1 {
			t.Fatalf("status %d: %s", status, console)
		}
		if got := runs[0].parse(t).Env; got["A"] != value || got["B"] != value {
			t.Errorf("got %q and %q, want %q", got["A"], got["B"], value)
		}
	})
}
