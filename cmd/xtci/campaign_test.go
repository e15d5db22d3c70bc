package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anuket-project/xtci/internal/cluster/clustertest"
	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/docker/dockertest"
	"github.com/anuket-project/xtci/testcases"
	"github.com/anuket-project/xtci/testcases/runner"
	"github.com/anuket-project/xtci/testcases/runner/functeststandin/standintest"
)

// newCampaignHost has a site whose suites are stand-ins for the containers of
// functest-kubernetes, all or of some tiers, and a stand-in for the API server
// of a cluster.
func newCampaignHost(t *testing.T, tiers ...string) *host {
	t.Helper()
	h := newHost(t)
	engine := dockertest.Connect(t)
	catalog, err := testcases.Load("v1.23")
	if err != nil {
		t.Fatal(err)
	}
	cluster := clustertest.Start(t, clustertest.Options{})
	cluster.Set(func(s *clustertest.State) { s.UID = rand.Text() }) // campaigns lock it
	h.cluster = cluster
	var site strings.Builder
	fmt.Fprintf(&site, "kubeconfig: %s\nfailure: continue\nsuites:\n", cluster.Kubeconfig(t, time.Now().Add(24*time.Hour)))
	for _, phase := range catalog.Phases {
		if len(tiers) > 0 && !slices.Contains(tiers, phase.Name) {
			continue
		}
		repo, image, _ := strings.Cut(standintest.Image(t, engine, phase.Name), "/")
		container, tag, _ := strings.Cut(image, ":")
		fmt.Fprintf(&site, "- {repo: %s, container: %s, docker_tags: [%s], execution: %s, tests: [", repo, container, tag, phase.Execution)
		for i := range catalog.Cases {
			if c := &catalog.Cases[i]; c.Tier == phase.Name && c.Default {
				fmt.Fprintf(&site, "%s, ", c.Name)
			}
		}
		site.WriteString("]}\n")
	}
	h.config = filepath.Join(t.TempDir(), "xtci.yaml")
	if err := os.WriteFile(h.config, []byte(site.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return h
}

// tagOf makes a build tag that nobody else has, and removes what is left of
// its campaign at the end.
func uniqueTag(t *testing.T) string {
	t.Helper()
	tag := strings.ToUpper(dockertest.Name(t))
	tag = "RUN" + tag[len(tag)-8:]
	dockertest.Cleanup(t, dockertest.Connect(t), map[string]string{runner.LabelCampaign: tag})
	return tag
}

// left wants that a campaign left no container and no network.
func left(t *testing.T, tag string) {
	t.Helper()
	engine := dockertest.Connect(t)
	labels := map[string]string{runner.LabelCampaign: tag}
	containers, err := engine.Containers(t.Context(), labels)
	if err != nil || len(containers) > 0 {
		t.Errorf("containers are left: %v, %v", containers, err)
	}
	networks, err := engine.Networks(t.Context(), labels)
	if err != nil || len(networks) > 0 {
		t.Errorf("networks are left: %v, %v", networks, err)
	}
}

func (h *host) archive(tag string) string {
	return filepath.Join(h.prefix, "artifacts", tag+".zip")
}

func (h *host) key() string { return filepath.Join(h.prefix, "keys", "signing.pub") }

func TestRunOnDocker(t *testing.T) {
	t.Parallel()
	h := newCampaignHost(t)
	tag := uniqueTag(t)
	out, errs := h.run(0, "run", "--tag", tag, "--set", "env.FUNCTEST_STANDIN_PASS=all")
	if !strings.Contains(out, "24 passed, 0 failed, 0 not run") {
		t.Errorf("run: %s%s", out, errs)
	}
	left(t, tag)
	out, _ = h.run(0, "review", h.archive(tag), "--key", h.key(), "-o", "json")
	var review struct {
		Report struct{ Provenance testcases.Provenance }
	}
	if err := json.Unmarshal([]byte(out), &review); err != nil {
		t.Fatalf("%v\n%.500s", err, out)
	}
	p := review.Report.Provenance
	if len(p.Images) != 5 || len(p.Nodes) == 0 || !strings.HasPrefix(p.Engine, "Docker ") || p.KubernetesVersion == "" || p.SiteDigest == "" {
		t.Errorf("provenance: %+v", p)
	}
}

func TestRunOnDockerThatFails(t *testing.T) {
	t.Parallel()
	h := newCampaignHost(t)
	tag := uniqueTag(t)
	out, _ := h.run(1, "run", "--tag", tag, "--set", "env.FUNCTEST_STANDIN_PASS=all",
		"--set", "env.FUNCTEST_STANDIN_FAIL=sig_apps", "--set", "env.FUNCTEST_STANDIN_CRASH=netperf=137", "--set", "env.FUNCTEST_STANDIN_NOPUSH=sig_auth")
	if !strings.Contains(out, "21 passed, 3 failed, 0 not run") {
		t.Errorf("run: %s", out)
	}
	left(t, tag)
	h.run(0, "publish", tag)
	out, _ = h.run(1, "review", h.archive(tag), "--key", h.key())
	for _, name := range []string{"NOT CONFORMANT", "sig_apps", "netperf", "sig_auth"} {
		if !strings.Contains(out, name) {
			t.Errorf("the review does not say %s:\n%s", name, out)
		}
	}
}

func TestAPartIsNotConformant(t *testing.T) {
	t.Parallel()
	h := newCampaignHost(t)
	tag := uniqueTag(t)
	h.run(1, "run", "--tag", tag, "--tests", "k8s_quick,sig_apps,sig_auth", "--skip", "sig_auth", "--set", "env.FUNCTEST_STANDIN_PASS=all")
	h.run(0, "publish", tag)
	out, _ := h.run(1, "review", h.archive(tag), "--key", h.key())
	if !strings.Contains(out, "NOT CONFORMANT") || !strings.Contains(out, "missing") {
		t.Errorf("review: %s", out)
	}
	h.run(2, "run", "--tests", "sig_app")
	h.run(2, "run", "--tier", "nowhere")
}

// wait waits until a job of the campaign runs, and returns its container.
func waitRunning(t *testing.T, tag string) docker.ContainerState {
	t.Helper()
	engine := dockertest.Connect(t)
	var running docker.ContainerState
	dockertest.Until(t, time.Minute, "a container of the campaign runs", func(ctx context.Context) error {
		containers, err := engine.Containers(ctx, map[string]string{runner.LabelCampaign: tag})
		if err != nil {
			return err
		}
		for _, container := range containers {
			if container.Running() {
				running = container
				return nil
			}
		}
		return fmt.Errorf("%d containers, none runs", len(containers))
	})
	return running
}

func TestInterruptedRunsGoOn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		signals []syscall.Signal
		code    int
	}{
		{"Ctrl-C once: what runs goes on to its end", []syscall.Signal{syscall.SIGINT}, 130},
		{"Ctrl-C twice: it is stopped", []syscall.Signal{syscall.SIGINT, syscall.SIGINT}, 130},
		{"killed", []syscall.Signal{syscall.SIGKILL}, -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newCampaignHost(t)
			tag := uniqueTag(t)
			args := []string{"run", "--tag", tag, "--tests", "sig_apps,sig_auth,sig_node", "--set", "env.FUNCTEST_STANDIN_PASS=all", "--set", "env.FUNCTEST_STANDIN_SLOW=3s"}
			cmd, _, errs := h.command(t.Context(), args...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			waitRunning(t, tag)
			for i, signal := range test.signals {
				if i > 0 { // the first has been understood
					dockertest.Until(t, 10*time.Second, "the interrupt is understood", func(context.Context) error {
						if !strings.Contains(errs.String(), "interrupt again") {
							return fmt.Errorf("it says %s", errs)
						}
						return nil
					})
				}
				if err := cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
			}
			_ = cmd.Wait() // its exit code tells
			if code := cmd.ProcessState.ExitCode(); code != test.code {
				t.Errorf("exit code %d, want %d: %s", code, test.code, errs)
			}
			if test.code > 0 && !strings.Contains(errs.String(), "--resume") {
				t.Errorf("it does not say how to go on: %s", errs)
			}
			if _, err := os.Stat(h.archive(tag)); test.code > 0 && len(test.signals) == 1 && err != nil {
				t.Errorf("what ran was not archived: %v", err)
			}
			out, _ := h.run(1, append(args, "--resume")...) // a part is not conformant
			if !strings.Contains(out, "3 passed, 0 failed, 0 not run") {
				t.Errorf("resumed: %s", out)
			}
			left(t, tag)
		})
	}
}

func TestOneCampaignACluster(t *testing.T) {
	t.Parallel()
	h := newCampaignHost(t)
	tag := uniqueTag(t)
	cmd, _, _ := h.command(t.Context(), "run", "--tag", tag, "--tests", "sig_apps", "--set", "env.FUNCTEST_STANDIN_PASS=all", "--set", "env.FUNCTEST_STANDIN_SLOW=5s")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitRunning(t, tag)
	if _, errs := h.run(2, "run", "--tag", uniqueTag(t), "--tests", "sig_apps"); !strings.Contains(errs, "a campaign runs against this cluster already") {
		t.Errorf("the second campaign: %s", errs)
	}
	_ = cmd.Wait() // its exit code tells
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("the first campaign exits %d", code)
	}
}

// events reads what a run said as JSON, line by line.
func runEvents(t *testing.T, out string) (events []map[string]any) {
	t.Helper()
	for line := range strings.Lines(out) {
		event := map[string]any{}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("the line %.200q: %v", line, err)
		}
		if event["time"] == "" || event["event"] == "" {
			t.Errorf("without a time or kind: %s", line)
		}
		events = append(events, event)
	}
	return events
}

// A stack that is up gets the results; what failed can be run again, and the
// archive tells of both runs.
func TestRunWithTheStackAndAgain(t *testing.T) {
	t.Parallel()
	h := newCampaignHost(t)
	tag := uniqueTag(t)
	h.run(0, "up")
	args := []string{"run", "--tag", tag, "--set", "env.FUNCTEST_STANDIN_PASS=all", "-o", "json"}
	out, _ := h.run(1, append(args, "--set", "env.FUNCTEST_STANDIN_FAIL=sig_apps")...)
	events := runEvents(t, out)
	first, last := events[0], events[len(events)-1]
	if first["event"] != "campaign" || first["results"] != "stack" || first["total"] != 24.0 {
		t.Errorf("the first event: %v", first)
	}
	if last["event"] != "end" || last["verdict"] != "not conformant" || fmt.Sprint(last["jobs"]) != "map[failed:1 not_run:0 passed:23]" {
		t.Errorf("the last event: %v", last)
	}
	ended := map[string]string{}
	for _, event := range events {
		if event["event"] == "case" {
			ended[fmt.Sprint(event["case"])] = fmt.Sprint(event["state"])
		}
	}
	if len(ended) != 24 || ended["sig_apps"] != "failed" || ended["k8s_quick"] != "passed" {
		t.Errorf("cases: %v", ended)
	}
	out, _ = h.run(1, "review", h.download(fmt.Sprint(last["archive"])), "--key", h.key())
	if !strings.Contains(out, "sig_apps: failure") {
		t.Errorf("review:\n%s", out)
	}

	if _, errs := h.run(2, append(args, "--resume", "--no-stack")...); !strings.Contains(errs, "has its results in the stack") {
		t.Errorf("resumed without the stack: %s", errs)
	}
	out, _ = h.run(0, append(args, "--resume", "--retry-failed", "1")...)
	events = runEvents(t, out)
	ran := 0
	for _, event := range events {
		if event["event"] == "case" && event["state"] == "running" {
			ran++
			if event["case"] != "sig_apps" || event["build"] != 2.0 {
				t.Errorf("run again: %v", event)
			}
		}
	}
	if ran != 1 {
		t.Errorf("%d cases were run again", ran)
	}
	archive := h.download(fmt.Sprint(events[len(events)-1]["archive"]))
	out, _ = h.run(0, "review", archive, "--key", h.key())
	if !strings.Contains(out, "verdict: CONFORMANT") || !strings.Contains(out, "it was run 2 times under this build tag") {
		t.Errorf("review:\n%s", out)
	}
	out, _ = h.run(0, "review", archive, "--key", h.key(), "-o", "json")
	var review struct {
		Report struct{ Provenance testcases.Provenance }
	}
	if err := json.Unmarshal([]byte(out), &review); err != nil {
		t.Fatal(err)
	}
	if p := review.Report.Provenance; !strings.HasPrefix(p.Engine, "Docker ") || len(p.Nodes) == 0 || len(p.Images) != 5 {
		t.Errorf("provenance: %+v", p)
	}
	left(t, tag)
	h.run(0, "down", "--purge", "--yes")

	if _, errs := h.run(2, append(args, "--resume")...); !strings.Contains(errs, "no campaign") { // purged
		t.Errorf("resumed after the purge: %s", errs)
	}
}

func TestAResumeWantsItsStack(t *testing.T) {
	t.Parallel()
	h := newCampaignHost(t, "healthcheck")
	tag := uniqueTag(t)
	h.run(0, "up")
	args := []string{"run", "--tag", tag, "--set", "env.FUNCTEST_STANDIN_PASS=all"}
	out, _ := h.run(1, args...)
	if !strings.Contains(out, "All data were successfully published:") {
		t.Errorf("run: %s", out)
	}
	h.run(0, "down")
	if _, errs := h.run(2, append(args, "--resume")...); !strings.Contains(errs, "which is not up: xtci up") {
		t.Errorf("resumed without its stack: %s", errs)
	}
	out, _ = h.run(1, "run", "--tag", uniqueTag(t), "--set", "env.FUNCTEST_STANDIN_PASS=all") // another does without
	if !strings.Contains(out, "archive: "+h.prefix) {
		t.Errorf("run without a stack: %s", out)
	}
}

// Results of two clusters must never be judged as those of one.
func TestAResumeWantsItsCluster(t *testing.T) {
	t.Parallel()
	h := newCampaignHost(t, "healthcheck")
	tag := uniqueTag(t)
	args := []string{"run", "--tag", tag, "--set", "env.FUNCTEST_STANDIN_PASS=all"}
	h.run(1, append(args, "--tests", "k8s_quick")...)
	var own string
	h.cluster.Set(func(s *clustertest.State) { own, s.UID = s.UID, rand.Text() })
	if _, errs := h.run(2, append(args, "--resume")...); !strings.Contains(errs, "was begun against another cluster (kube-system "+own) {
		t.Errorf("resumed against another cluster: %s", errs)
	}
	h.cluster.Set(func(s *clustertest.State) { s.UID = own })
	out, errs := h.run(1, append(args, "--resume", "--set", "env.MORE=1")...)
	if !strings.Contains(out, "2 passed, 0 failed") || !strings.Contains(errs, "the site has changed") {
		t.Errorf("resumed with another site: %s%s", out, errs)
	}
	out, _ = h.run(1, "review", h.archive(tag), "--key", h.key(), "-o", "json")
	if !strings.Contains(out, ", then sha256:") || !strings.Contains(out, own) {
		t.Error("the archive does not say that the site was changed, or not which cluster it was")
	}
}
