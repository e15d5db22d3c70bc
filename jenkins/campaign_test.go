package jenkins_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/jenkins"
	"github.com/anuket-project/xtci/jenkins/jenkinstest"
)

// runCampaign runs the jobs of a site in the Jenkins that stands in, with the
// docker that stands in, and returns the result of each, by the end of its
// name.
func runCampaign(t *testing.T, site config.Site, options func(config.Site) jenkins.Options, docker map[string]string) (result string, jobs map[string]string, b *bench) {
	t.Helper()
	b = newBench(t)
	for command, script := range docker {
		b.on(command, script)
	}
	home := t.TempDir()
	server := jenkinstest.New(t, jenkinstest.Options{
		Home: home, Executors: 4, Environ: []string{"PATH=" + b.path + ":" + os.Getenv("PATH"), "RECORD=" + b.record},
	})
	client := connect(t, server.URL, "admin", "admin")
	wanted, err := jenkins.NewWanted(graphOf(t, site, options(site)), site.Project)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Apply(t.Context(), wanted, jenkins.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if changes, err := client.Apply(t.Context(), wanted, jenkins.ApplyOptions{}); err != nil || len(changes) > 0 {
		t.Errorf("applied again: %v, %v", changes, err)
	}
	queued, err := client.Trigger(t.Context(), site.Project+"-v1.23-daily", map[string]string{"build_tag": "XTCI-CAMPAIGN-1", "DEPLOY_SCENARIO": nasty})
	if err != nil {
		t.Fatal(err)
	}
	build, err := client.Await(t.Context(), queued, jenkins.FollowOptions{Poll: 50 * time.Millisecond}, nil)
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := client.Follow(t.Context(), build, jenkins.FollowOptions{Poll: 50 * time.Millisecond}, nil)
	if err != nil {
		t.Fatal(err)
	}
	jobs = map[string]string{}
	for _, run := range outcome.Jobs {
		_, short, _ := strings.Cut(run.Job, "-v1.23-")
		if jobs[short] != "" && jobs[short] != run.Result {
			short = run.Job
		}
		jobs[short] = run.Result
	}
	return outcome.Result, jobs, b
}

// failing makes tests of a name fail.
func failing(name string) map[string]string {
	return map[string]string{"run": `case " $* " in *" ` + name + ` "*) exit 255 ;; esac`}
}

func smallSite() config.Site {
	site := config.Default()
	site.Project = "lab"
	site.Suites = []config.Suite{
		{Container: "smoke", Tests: []string{"one", "two", "three"}, Execution: config.ExecutionSequential},
		{Container: "security", Tests: []string{"four"}},
	}
	return site
}

// The archive is made whatever the outcome, and in the end the campaign says
// what it was.
func TestCampaignIsArchivedWhateverTheOutcome(t *testing.T) {
	t.Parallel()
	stop, going := smallSite(), smallSite()
	going.Failure = config.FailureContinue
	for _, test := range []struct {
		name   string
		site   config.Site
		how    func(config.Site) jenkins.Options
		docker map[string]string
		result string
		jobs   map[string]string
	}{
		{
			"all pass", stop, defaultOptions, nil, "SUCCESS",
			map[string]string{"rmi": "SUCCESS", "pull": "SUCCESS", "one": "SUCCESS", "two": "SUCCESS", "three": "SUCCESS", "four": "SUCCESS", "lab-v1.23-zip": "SUCCESS"},
		},
		{
			"one fails, stop", stop, defaultOptions, failing("one"), "FAILURE",
			map[string]string{"rmi": "SUCCESS", "pull": "SUCCESS", "one": "FAILURE", "two": "SUCCESS", "three": "SUCCESS", "four": "UNSTABLE", "lab-v1.23-zip": "SUCCESS"},
		},
		{
			"one fails, continue", going, defaultOptions, failing("one"), "FAILURE",
			map[string]string{"rmi": "SUCCESS", "pull": "SUCCESS", "one": "FAILURE", "two": "SUCCESS", "three": "SUCCESS", "four": "SUCCESS", "lab-v1.23-zip": "SUCCESS"},
		},
		{
			"the archive fails", going, defaultOptions, failing("publish"), "FAILURE",
			map[string]string{"rmi": "SUCCESS", "pull": "SUCCESS", "one": "SUCCESS", "two": "SUCCESS", "three": "SUCCESS", "four": "SUCCESS", "lab-v1.23-zip": "FAILURE"},
		},
		{
			"an image is nowhere", stop, defaultOptions,
			map[string]string{"pull": "exit 1", "image": "exit 1"},
			"FAILURE",
			map[string]string{"rmi": "SUCCESS", "pull": "FAILURE", "one": "UNSTABLE", "two": "UNSTABLE", "three": "UNSTABLE", "four": "UNSTABLE", "lab-v1.23-zip": "SUCCESS"},
		},
		{
			"one fails, classic", stop, classicOptions, failing("four"), "FAILURE",
			map[string]string{"rmi": "SUCCESS", "pull": "SUCCESS", "one": "SUCCESS", "two": "SUCCESS", "three": "SUCCESS", "four": "FAILURE"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			result, jobs, b := runCampaign(t, test.site, test.how, test.docker)
			if zip, ok := jobs["zip"]; ok {
				jobs["lab-v1.23-zip"] = zip
				delete(jobs, "zip")
			}
			if diff := cmp.Diff(test.jobs, jobs); diff != "" || result != test.result {
				t.Errorf("result %s (-want +got):\n%s", result, diff)
			}
			for _, run := range b.calls("run") {
				got := run.parse(t)
				if got.Env["BUILD_TAG"] != "XTCI-CAMPAIGN-1" {
					t.Errorf("%q has the tag %s", got.Command, got.Env["BUILD_TAG"])
				}
				if got.Command[0] == "run_tests" && got.Env["DEPLOY_SCENARIO"] != nasty {
					t.Errorf("%q has the scenario %q", got.Command, got.Env["DEPLOY_SCENARIO"])
				}
			}
			if archives := slices.DeleteFunc(b.calls("run"), func(c call) bool {
				return !slices.Contains(c.args, "publish") && !slices.Contains(c.args, "zip_campaign")
			}); (len(archives) == 1) != (test.jobs["lab-v1.23-zip"] != "") {
				t.Errorf("%d archives", len(archives))
			}
		})
	}
}
