package jenkins_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/jenkins"
	"github.com/anuket-project/xtci/testcases"
)

const (
	smoke    = "functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-"
	security = "functest-kubernetes-opnfv-functest-kubernetes-security-v1.23-"
	health   = "functest-kubernetes-opnfv-functest-kubernetes-healthcheck-v1.23-"
	zip      = "functest-kubernetes-v1.23-zip"
)

// script returns the script of a job.
func scriptOf(t *testing.T, g jenkins.Graph, name string) string {
	t.Helper()
	d := readXML(t, jobOf(t, g, name))
	if len(d.Shells) != 1 {
		t.Fatalf("%s has %d shells", name, len(d.Shells))
	}
	return d.Shells[0]
}

// The default graph starts what the classic one starts, and its values stand
// neither in command lines nor in consoles.
func TestDefaultJobStartsItsContainer(t *testing.T) {
	t.Parallel()
	site := config.Default()
	g := graphOf(t, site, defaultOptions(site))
	b := newBench(t)
	name := smoke + "sig_apps"
	status, console := b.run(name, scriptOf(t, g, name), map[string]string{"DEPLOY_SCENARIO": nasty})
	if status != 0 {
		t.Fatalf("status %d: %s", status, console)
	}
	runs := b.calls("run")
	if len(runs) != 1 {
		t.Fatalf("%d containers: %s", len(runs), console)
	}
	folder := "/G2K7M0Q4ZX1P/" + name + "-7"
	want := started{
		Image: "opnfv/functest-kubernetes-smoke:v1.23", Command: []string{"run_tests", "-t", "sig_apps", "-p", "-r"},
		Env: map[string]string{
			"DEPLOY_SCENARIO": nasty,
			"S3_ENDPOINT_URL": "http://minio:9000", "S3_DST_URL": "s3://xtesting" + folder, "HTTP_DST_URL": "http://127.0.0.1:8181" + folder,
			"AWS_ACCESS_KEY_ID": "xtci-jobs", "AWS_SECRET_ACCESS_KEY": "a secret",
			"TEST_DB_URL": "http://testdb:8000/api/v1/results", "TEST_DB_EXT_URL": "http://127.0.0.1:8000/api/v1/results",
			"NODE_NAME": "functest-kubernetes", "BUILD_TAG": "G2K7M0Q4ZX1P",
		},
		Volumes: []string{
			"/home/opnfv/functest-kubernetes/config:/root/.kube/config:ro",
			"/var/lib/xtci/jenkins/workspace/" + name + "/results/G2K7M0Q4ZX1P-7:/var/lib/xtesting/results",
		},
		Flags: map[string]string{
			"--rm": "true", "--privileged": "false", "--network": "xtci", "--name": "xtci-" + name + "-7", "--stop-timeout": "30",
			"io.xtci.owner": "xtci", "io.xtci.job": name, "io.xtci.build": "7", "io.xtci.build-tag": "G2K7M0Q4ZX1P",
		},
	}
	if diff := cmp.Diff(want, runs[0].parse(t)); diff != "" {
		t.Errorf("container (-want +got):\n%s", diff)
	}
	for _, secret := range []string{"a secret", "[brackets]"} {
		if strings.Contains(console, secret) || slices.ContainsFunc(b.calls(""), func(c call) bool {
			return strings.Contains(strings.Join(c.args, " "), secret)
		}) {
			t.Errorf("%q is seen", secret)
		}
	}
}

// A parameter that another variable of the same name in another case hides is
// found, and one that nobody gave has its default.
func TestVariablesInAnotherCase(t *testing.T) {
	t.Parallel()
	site := fullSite()
	site.Jobs.UseNode = false
	g := graphOf(t, site, defaultOptions(site))
	name := "functest-kubernetes-night-opnfv-functest-kubernetes-healthcheck-v1.23-k8s_quick-run"
	for _, test := range []struct {
		name      string
		given     map[string]string
		low, high string
	}{
		{"as it is", map[string]string{"http_proxy": "x"}, "x", "http://b"},
		{"hidden by Jenkins's own", map[string]string{"HTTP_PROXY": "x"}, "x", "http://b"},
		{"not given", nil, "http://a", "http://b"},
	} {
		b := newBench(t)
		status, console := b.run(name, scriptOf(t, g, name), test.given)
		if status != 0 {
			t.Fatalf("%s: status %d: %s", test.name, status, console)
		}
		env := b.calls("run")[0].parse(t).Env
		if env["http_proxy"] != test.low || env["HTTP_PROXY"] != test.high || env["NASTY"] != nasty || env["DASHBOARD_URL"] != nasty {
			t.Errorf("%s: %q", test.name, env)
		}
	}
}

func TestBuildTag(t *testing.T) {
	t.Parallel()
	site := config.Default()
	g := graphOf(t, site, defaultOptions(site))
	for tag, want := range map[string]int{"G2K7M0Q4ZX1P": 0, "jenkins-a.b-1": 0, "../escape": 1, "": 1, "a b": 1, ".": 1} {
		b := newBench(t)
		status, console := b.run(smoke+"sig_apps", scriptOf(t, g, smoke+"sig_apps"), map[string]string{"BUILD_TAG": tag})
		if status != want || (want == 0) != (len(b.calls("run")) == 1) {
			t.Errorf("%q: status %d: %s", tag, status, console)
		}
	}
}

// What becomes of later phases when a job fails.
func TestFailedPhaseEndsTheCampaign(t *testing.T) {
	t.Parallel()
	stop, going := config.Default(), config.Default()
	going.Failure = config.FailureContinue
	always := config.Default()
	always.Suites = []config.Suite{
		{Container: "functest-kubernetes-smoke", Tests: []string{"sig_apps", "sig_auth"}, Condition: config.ConditionAlways},
		{Container: "functest-kubernetes-security", Tests: []string{"kube_hunter"}},
	}
	for _, test := range []struct {
		name  string
		site  config.Site
		first string // the job that fails
		later map[string]int
	}{
		{"stop", stop, smoke + "sig_apps", map[string]int{smoke + "sig_auth": 0, security + "kube_hunter": 75, health + "k8s_quick": 0, zip: 0}},
		{"a pull", stop, smoke + "pull", map[string]int{smoke + "sig_auth": 75, security + "kube_hunter": 75, zip: 0}},
		{"continue", going, smoke + "sig_apps", map[string]int{smoke + "sig_auth": 0, security + "kube_hunter": 0, zip: 0}},
		{"a suite that may fail", always, smoke + "sig_apps", map[string]int{smoke + "sig_auth": 0, security + "kube_hunter": 0, zip: 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := graphOf(t, test.site, defaultOptions(test.site))
			b := newBench(t)
			for _, command := range []string{"run", "pull"} {
				b.on(command, "exit 9")
			}
			b.on("image", `case $3 in --format) ;; *) exit 1 ;; esac`)
			if status, console := b.run(test.first, scriptOf(t, g, test.first), nil); status == 0 {
				t.Fatalf("it did not fail: %s", console)
			}
			for _, command := range []string{"run", "pull"} {
				b.on(command, "exit 0")
			}
			for _, name := range []string{smoke + "sig_auth", security + "kube_hunter", health + "k8s_quick", zip} {
				want, ok := test.later[name]
				if !ok {
					continue
				}
				before := len(b.calls("run"))
				status, console := b.run(name, scriptOf(t, g, name), nil)
				if status != want || (len(b.calls("run")) > before) != (want == 0) {
					t.Errorf("%s: status %d, want %d: %s", name, status, want, console)
				}
				if want != 0 && !strings.Contains(console, "not run: "+test.first+" failed before") {
					t.Errorf("%s does not say why: %s", name, console)
				}
			}
			// Another campaign is not disturbed, and after the archive this one
			// can be gone on with by hand.
			for _, tag := range []string{"ANOTHER-TAG", "G2K7M0Q4ZX1P"} {
				if status, console := b.run(security+"kube_hunter", scriptOf(t, g, security+"kube_hunter"), map[string]string{"BUILD_TAG": tag}); status != 0 {
					t.Errorf("%s: status %d: %s", tag, status, console)
				}
			}
		})
	}
}

// The status 75 of jobs that do not run is no failure.
func TestNotRunIsUnstable(t *testing.T) {
	t.Parallel()
	site := config.Default()
	g := graphOf(t, site, defaultOptions(site))
	for name, want := range map[string]int{smoke + "sig_apps": 75, smoke + "pull": 0, zip: 0} {
		if got := jobOf(t, g, name).Shell.Unstable; got != want {
			t.Errorf("%s: unstable with %d, want %d", name, got, want)
		}
	}
}

func TestPull(t *testing.T) {
	t.Parallel()
	site := config.Default()
	g := graphOf(t, site, defaultOptions(site))
	for _, test := range []struct {
		name        string
		pull, image string
		status      int
		console     string
	}{
		{"pulled", "exit 0", "echo '{}'", 0, "{}"},
		{"not there, but here", "exit 1", "echo '{}'", 0, "the one that is here is used"},
		{"nowhere", "exit 1", "exit 3", 3, ""},
	} {
		b := newBench(t)
		b.on("pull", test.pull)
		b.on("image", test.image)
		status, console := b.run(smoke+"pull", scriptOf(t, g, smoke+"pull"), nil)
		if status != test.status || !strings.Contains(console, test.console) || len(b.calls("rmi")) > 0 {
			t.Errorf("%s: status %d: %s", test.name, status, console)
		}
	}
}

func TestImagesStay(t *testing.T) {
	t.Parallel()
	site := config.Default()
	for _, remove := range []bool{false, true} {
		site.Jobs.RemoveImages = remove
		g := graphOf(t, site, defaultOptions(site))
		b := newBench(t)
		b.on("image", "exit 1")
		b.on("rmi", "exit 1")
		status, console := b.run(smoke+"rmi", scriptOf(t, g, smoke+"rmi"), nil)
		if status != 0 || (len(b.calls("rmi")) == 1) != remove {
			t.Errorf("remove_images %t: status %d, %d removed: %s", remove, status, len(b.calls("rmi")), console)
		}
	}
}

func TestOfflineTouchesNoImages(t *testing.T) {
	t.Parallel()
	site := config.Default()
	site.Jobs.Offline = true
	g := graphOf(t, site, defaultOptions(site))
	if len(g.Jobs) != 26 || len(jobOf(t, g, "functest-kubernetes-v1.23-daily").Phases) != 6 {
		t.Errorf("%d jobs", len(g.Jobs))
	}
}

func TestArchive(t *testing.T) {
	t.Parallel()
	site := config.Default()
	site.Jobs.KeysFile = filepath.Join(t.TempDir(), "keys env")
	if err := os.WriteFile(site.Jobs.KeysFile, []byte("AWS_ACCESS_KEY_ID=from-file\nAWS_SECRET_ACCESS_KEY='kept secret'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	options := defaultOptions(site)
	options.Services.KeysFile = site.Jobs.KeysFile
	byXtci := graphOf(t, site, options)
	options.Archive = jenkins.Archive{ByContainer: true}
	byContainer := graphOf(t, site, options)
	for _, test := range []struct {
		name    string
		graph   jenkins.Graph
		run     string
		status  int
		command []string
	}{
		{"by xtci", byXtci, "exit 0", 0, []string{"publish", "G2K7M0Q4ZX1P", "--set", "project=functest-kubernetes"}},
		{"by xtci, which fails", byXtci, "exit 3", 3, []string{"publish", "G2K7M0Q4ZX1P", "--set", "project=functest-kubernetes"}},
		{"by a container", byContainer, "echo 'INFO - All data were successfully published:'", 0, []string{"zip_campaign"}},
		{"by a container, which says nothing", byContainer, "echo oh", 1, []string{"zip_campaign"}},
		{"by a container, which fails", byContainer, "exit 2", 2, []string{"zip_campaign"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.on("run", test.run)
			status, console := b.run(zip, scriptOf(t, test.graph, zip), map[string]string{"DEPLOY_SCENARIO": "x"})
			runs := b.calls("run")
			if status != test.status || len(runs) != 1 {
				t.Fatalf("status %d, %d containers: %s", status, len(runs), console)
			}
			got := runs[0].parse(t)
			if !slices.Equal(got.Command, test.command) || got.Env["BUILD_TAG"] != "G2K7M0Q4ZX1P" || got.Env["S3_DST_URL"] != "s3://xtesting" {
				t.Errorf("started %+v", got)
			}
			if got.Env["AWS_ACCESS_KEY_ID"] != "from-file" || got.Env["AWS_SECRET_ACCESS_KEY"] != "kept secret" {
				t.Errorf("keys %q", got.Env)
			}
			if _, err := os.Stat(filepath.Join(b.workspace, ".xtci", "G2K7M0Q4ZX1P")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the campaign's folder is left: %v", err)
			}
		})
	}
}

// Each job records which image it ran.
func TestImageIsRecorded(t *testing.T) {
	t.Parallel()
	site := config.Default()
	g := graphOf(t, site, defaultOptions(site))
	b := newBench(t)
	b.on("image", `case $3 in --format) echo '{"image":"i","id":"sha256:1","digests":["r@sha256:2"]}' ;; esac`)
	b.on("run", `ls "$WORKSPACE"/results/*/sig_apps`)
	status, console := b.run(smoke+"sig_apps", scriptOf(t, g, smoke+"sig_apps"), nil)
	if status != 0 || !strings.Contains(console, "xtci-image.json") {
		t.Fatalf("status %d: %s", status, console)
	}
	raw, err := os.ReadFile(filepath.Join(b.workspace, smoke+"sig_apps", "results", "G2K7M0Q4ZX1P-7", "sig_apps", "xtci-image.json"))
	if err != nil {
		t.Fatal(err)
	}
	var record struct {
		Image, ID string
		Digests   []string
	}
	if err := json.Unmarshal(raw, &record); err != nil || record.ID != "sha256:1" || len(record.Digests) != 1 {
		t.Errorf("record %s: %v", raw, err)
	}
	format := b.calls("image")[1].args[3]
	if format != `{"image":"opnfv/functest-kubernetes-smoke:v1.23","id":{{json .Id}},"digests":{{json .RepoDigests}}}` {
		t.Errorf("asked for %s", format)
	}
}

// Results of earlier builds go, those of this one begin empty.
func TestResultsBeginEmpty(t *testing.T) {
	t.Parallel()
	site := config.Default()
	g := graphOf(t, site, defaultOptions(site))
	b := newBench(t)
	old := filepath.Join(b.workspace, smoke+"sig_apps", "results", "OLD-TAG-1-6")
	if err := os.MkdirAll(old, 0o755); err != nil {
		t.Fatal(err)
	}
	if status, console := b.run(smoke+"sig_apps", scriptOf(t, g, smoke+"sig_apps"), nil); status != 0 {
		t.Fatalf("status %d: %s", status, console)
	}
	if _, err := os.Stat(old); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("old results are left: %v", err)
	}
}

// What a killed Jenkins left running is removed by the next build.
func TestLeftContainersAreRemoved(t *testing.T) {
	t.Parallel()
	site := config.Default()
	g := graphOf(t, site, defaultOptions(site))
	b := newBench(t)
	b.on("ps", "echo one; echo two")
	if status, console := b.run(smoke+"sig_apps", scriptOf(t, g, smoke+"sig_apps"), nil); status != 0 {
		t.Fatalf("status %d: %s", status, console)
	}
	if got := b.calls("rm"); len(got) != 2 || got[0].args[2] != "one" || got[1].args[2] != "two" {
		t.Errorf("removed %+v", got)
	}
	if args := strings.Join(b.calls("ps")[0].args, " "); !strings.Contains(args, "label=io.xtci.job="+smoke+"sig_apps") || !strings.Contains(args, "label=io.xtci.owner=xtci") {
		t.Errorf("asked for %s", args)
	}
}

// A container that runs until it is stopped, as docker does it.
const endless = `
touch "$RECORD/running"
trap '' TERM
while ! [ -f "$RECORD/stopped" ]; do sleep 0.05; done
exit 143
`

// An aborted build stops its container and waits until it is gone. Jenkins
// sends SIGTERM to all processes again and again.
func TestAbortedBuildStopsItsContainer(t *testing.T) {
	t.Parallel()
	site := config.Default()
	g := graphOf(t, site, defaultOptions(site))
	for _, name := range []string{smoke + "sig_apps", zip} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.on("run", endless)
			b.on("stop", `touch "$RECORD/stopped"`)
			cmd := b.command(t.Context(), name, scriptOf(t, g, name), nil)
			var console strings.Builder
			cmd.Stdout, cmd.Stderr = &console, &console
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			cmd.WaitDelay = 20 * time.Second
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			waitFor(t, filepath.Join(b.record, "running"))
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			again := time.NewTicker(20 * time.Millisecond)
			defer again.Stop()
			deadline := time.After(20 * time.Second)
			var err error
			for running := true; running; {
				if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
					t.Fatal(err)
				}
				select {
				case err = <-ended:
					running = false
				case <-again.C:
				case <-deadline:
					t.Fatal("it does not end")
				}
			}
			failed, ok := errors.AsType[*exec.ExitError](err)
			if !ok || failed.ExitCode() != 143 {
				t.Errorf("ended with %v: %s", err, console.String())
			}
			container := "xtci-" + name + "-7"
			stops, removes := b.calls("stop"), b.calls("rm")
			if len(stops) != 1 || !slices.Equal(stops[0].args, []string{"stop", "-t", "30", container}) {
				t.Errorf("stopped %+v", stops)
			}
			if len(removes) != 1 || removes[0].args[2] != container {
				t.Errorf("removed %+v", removes)
			}
		})
	}
}

// waitFor waits until a file is there.
func waitFor(t *testing.T, file string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(file); err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s does not come", file)
		case <-tick.C:
		}
	}
}

func TestTimeoutStopsTheContainer(t *testing.T) {
	t.Parallel()
	site := config.Default()
	site.Suites = []config.Suite{{Container: "c", Tests: []string{"t"}, Timeout: time.Second}}
	g := graphOf(t, site, defaultOptions(site))
	name := "functest-kubernetes-opnfv-c-v1.23-t"
	b := newBench(t)
	b.on("run", endless)
	b.on("stop", `touch "$RECORD/stopped"`)
	start := time.Now()
	status, console := b.run(name, scriptOf(t, g, name), nil)
	if status != 124 || !strings.Contains(console, "timed out after 1s") || len(b.calls("stop")) != 1 {
		t.Errorf("status %d after %s: %s", status, time.Since(start), console)
	}
	if _, err := os.Stat(filepath.Join(b.workspace, ".xtci", "G2K7M0Q4ZX1P", "failed-3")); err != nil {
		t.Errorf("the campaign goes on: %v", err)
	}
	// In time, nothing of the watch is left: it would keep the build's console
	// open.
	site.Suites[0].Timeout = time.Hour
	b = newBench(t)
	if status, console := b.run(name, scriptOf(t, graphOf(t, site, defaultOptions(site)), name), nil); status != 0 {
		t.Errorf("status %d: %s", status, console)
	}
}

// Where a suite has a network of its own, its containers find the services all
// the same.
func TestNetworks(t *testing.T) {
	t.Parallel()
	site := config.Default()
	site.Suites = []config.Suite{
		{Container: "host", Tests: []string{"t"}, Network: "host"},
		{Container: "kind", Tests: []string{"t"}, Network: "kind"},
	}
	g := graphOf(t, site, defaultOptions(site))
	b := newBench(t)
	name := "functest-kubernetes-opnfv-host-v1.23-t"
	if status, console := b.run(name, scriptOf(t, g, name), nil); status != 0 {
		t.Fatalf("status %d: %s", status, console)
	}
	got := b.calls("run")[0].parse(t)
	if got.Flags["--network"] != "host" || got.Env["S3_ENDPOINT_URL"] != "http://127.0.0.1:9000" || got.Env["TEST_DB_URL"] != "http://127.0.0.1:8000/api/v1/results" {
		t.Errorf("started %+v", got)
	}
	b = newBench(t)
	name = "functest-kubernetes-opnfv-kind-v1.23-t"
	b.on("start", "exit 5")
	if status, console := b.run(name, scriptOf(t, g, name), nil); status != 5 {
		t.Fatalf("status %d: %s", status, console)
	}
	created, connected := b.calls("create")[0].parse(t), b.calls("network")[0].args
	if created.Flags["--network"] != "kind" || created.Env["S3_ENDPOINT_URL"] != "http://minio:9000" || !slices.Equal(connected, []string{"network", "connect", "xtci", "xtci-" + name + "-7"}) {
		t.Errorf("created %+v, connected %q", created, connected)
	}
}

func TestReservedNamesAreRefused(t *testing.T) {
	t.Parallel()
	catalog, err := testcases.Load("v1.23")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"PATH", "build_tag", "DOCKER_HOST", "xtci_name"} {
		site := config.Default()
		site.Env[name] = "x"
		plan := testcases.Plans(site, catalog, testcases.ScopeAll)[0]
		if _, err := jenkins.NewGraph(plan, defaultOptions(site)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := jenkins.NewGraph(plan, classicOptions(site)); err != nil {
			t.Errorf("%s, classic: %v", name, err)
		}
	}
}

func TestKeysFileThatIsNotThere(t *testing.T) {
	t.Parallel()
	site := config.Default()
	options := defaultOptions(site)
	options.Services.KeysFile = "/nowhere/jobs.env"
	g := graphOf(t, site, options)
	b := newBench(t)
	status, console := b.run(smoke+"sig_apps", scriptOf(t, g, smoke+"sig_apps"), nil)
	if status != 1 || !strings.Contains(console, "/nowhere/jobs.env") || !strings.Contains(console, "xtci up") || len(b.calls("run")) > 0 {
		t.Errorf("status %d: %s", status, console)
	}
}
