package main

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/docker/dockertest"
	"github.com/anuket-project/xtci/testcases"
	"github.com/anuket-project/xtci/testcases/runner"
	"github.com/anuket-project/xtci/testcases/runner/functeststandin/standintest"
)

// suite changes the suite of a tier in the host's site: its image, unless ref
// is empty, and keys instead of how its cases are executed.
func (h *host) suite(tier, ref, keys string) {
	h.t.Helper()
	raw, err := os.ReadFile(h.config)
	if err != nil {
		h.t.Fatal(err)
	}
	line := regexp.MustCompile(`repo: ([^,]+), container: (functest-` + tier + `), docker_tags: \[([^]]+)\], execution: [a-z]+, `)
	was := line.FindStringSubmatch(string(raw))
	if was == nil {
		h.t.Fatalf("the site has no suite %s:\n%s", tier, raw)
	}
	repo, container, dockerTag := was[1], was[2], was[3]
	if ref != "" {
		repo, container, _ = strings.Cut(ref, "/")
		container, dockerTag, _ = strings.Cut(container, ":")
	}
	if keys != "" {
		keys += ", "
	}
	now := fmt.Sprintf("repo: %s, container: %s, docker_tags: [%s], %s", repo, container, dockerTag, keys)
	if err := os.WriteFile(h.config, []byte(strings.Replace(string(raw), was[0], now, 1)), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// staged are flags that have the stand-in containers stage something, such as
// CRASH=netperf=137. All else passes.
func staged(orders ...string) []string {
	flags := []string{"--set", "env.FUNCTEST_STANDIN_PASS=all"}
	for _, order := range orders {
		flags = append(flags, "--set", "env.FUNCTEST_STANDIN_"+order)
	}
	return flags
}

// An ended case is how the last run of a case in a campaign ended.
type ended struct {
	State  runner.State
	Detail string
	Build  int
}

// campaign runs one, wants an exit code, and returns how its cases ended.
func (h *host) campaign(code int, tag string, args ...string) (cases map[string]ended, errs string) {
	h.t.Helper()
	out, errs := h.run(code, append([]string{"run", "-o", "json", "--tag", tag}, args...)...)
	return caseEnds(h.t, out), errs
}

// caseEnds reads how cases ended from the events of a campaign.
func caseEnds(t testing.TB, events string) map[string]ended {
	t.Helper()
	cases := map[string]ended{}
	for line := range strings.Lines(events) {
		var event struct { // runEvent is for writing
			Event, Case string
			ended
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("%v in the event %s", err, line)
		}
		if event.Event == string(eventCase) && event.State != runner.StateRunning {
			cases[event.Case] = event.ended
		}
	}
	return cases
}

// packed are the files of a campaign's archive, but for the large ones, by
// case, build and name: sig_apps-1/xtci-run.json.
func (h *host) packed(tag string) map[string]string {
	h.t.Helper()
	archive, err := zip.OpenReader(h.archive(tag))
	if err != nil {
		h.t.Fatal(err)
	}
	defer archive.Close()
	files := map[string]string{}
	folder := regexp.MustCompile(`^[^/]+/.*-([a-z0-9_]+-[0-9]+)/(.+)$`)
	for _, file := range archive.File {
		name := folder.FindStringSubmatch(file.Name)
		if name == nil {
			continue
		}
		content, err := file.Open()
		if err != nil {
			h.t.Fatal(err)
		}
		raw, err := io.ReadAll(io.LimitReader(content, 1<<20))
		if err != nil {
			h.t.Fatal(err)
		}
		files[name[1]+"/"+name[2]] = string(raw)
	}
	return files
}

// verdicts are those of a review of a campaign's archive, by case. The
// archive must be as it was signed, and not conformant.
func (h *host) verdicts(tag string) map[string]testcases.CaseVerdict {
	h.t.Helper()
	out, _ := h.run(1, "review", h.archive(tag), "--key", h.key(), "-o", "json")
	var review struct {
		Report struct {
			Verdict string
			Cases   []struct {
				Name    string
				Verdict testcases.CaseVerdict
			}
		}
		Problems []any
	}
	if err := json.Unmarshal([]byte(out), &review); err != nil {
		h.t.Fatalf("%v\n%.500s", err, out)
	}
	if review.Report.Verdict != string(testcases.NotConformant) || len(review.Problems) > 0 {
		h.t.Errorf("the verdict is %q, with %v", review.Report.Verdict, review.Problems)
	}
	verdicts := map[string]testcases.CaseVerdict{}
	for _, c := range review.Report.Cases {
		verdicts[c.Name] = c.Verdict
	}
	return verdicts
}

// tagged gives an image another name, until the test ends.
func tagged(t *testing.T, image string) (ref string) {
	t.Helper()
	engine := dockertest.Connect(t)
	ref = "xtci-test/" + dockertest.Name(t) + ":v1.23"
	if err := engine.Tag(t.Context(), image, ref); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.RemoveImage(context.WithoutCancel(t.Context()), ref); err != nil && !errors.Is(err, docker.ErrNotFound) {
			t.Error(err)
		}
	})
	return ref
}

// unstartable is an image in which Docker finds nothing that it can run.
func unstartable(t *testing.T, changes ...string) (ref string) {
	t.Helper()
	return dockertest.Shared(t, dockertest.Connect(t), "unstartable", dockertest.Rootfs{
		Contents: map[string]string{"/bin/no-program": "it may not be run\n"}, Changes: append(changes, "ENV PATH=/bin"),
	})
}

// Every way in which a container can end, in one campaign.
func TestEveryEndOfAContainer(t *testing.T) {
	t.Parallel()
	h := newCampaignHost(t)
	tag := uniqueTag(t)
	cnf := tagged(t, unstartable(t, `ENTRYPOINT ["/bin/no-program"]`))
	h.suite("smoke", "", "execution: parallel, memory: 128m")
	h.suite("benchmarking", "", "timeout: 10s")
	h.suite("security", tagged(t, unstartable(t)), "")
	h.suite("cnf", cnf, "")
	args := append([]string{"--skip", "xrally_kubernetes,xrally_kubernetes_full,helm_vims,kube_bench_node,kube_bench_master"}, staged(
		"FAIL=sig_apps,k8s_conformance_serial", "RAISE=sig_auth", "OOM=sig_instrumentation", "DEAF=netperf", "NOPUSH=sig_api_machinery", "FILL=k8s_conformance=2MB",
		"CRASH=k8s_smoke=0,sig_node=70,sig_network=137,sig_storage=139,sig_storage_serial=127",
		"BADRECORD=k8s_conformance_serial=lie,sig_cluster_lifecycle=lie,sig_apps_serial=criteria,sig_scheduling_serial=case,sig_api_machinery_serial=json",
	)...)
	cases, _ := h.campaign(1, tag, args...)
	left(t, tag)
	verdicts, files := h.verdicts(tag), h.packed(tag)
	const half = "e2e.log" // of which a container that crashes leaves a half
	for name, want := range map[string]struct {
		state   runner.State
		says    string // its line, in part
		verdict testcases.CaseVerdict
		run     string // xtci-run.json has
		left    string // in its folder
	}{
		"k8s_quick":       {runner.StatePassed, "", testcases.VerdictPass, `"exit_code": 0`, "e2e.log"},
		"k8s_conformance": {runner.StatePassed, "", testcases.VerdictPass, `"exit_code": 0`, "fill.bin"},

		"sig_apps":          {runner.StateFailed, "", testcases.VerdictFail, `"exit_code": 255`, "e2e.log"},
		"sig_auth":          {runner.StateFailed, "no record", testcases.VerdictIncomplete, `"exit_code": 255`, ""},
		"sig_api_machinery": {runner.StateFailed, "no record", testcases.VerdictIncomplete, `"exit_code": 0`, "e2e.log"},
		// a crash that looks like success
		"k8s_smoke":           {runner.StateFailed, "no record", testcases.VerdictIncomplete, `"exit_code": 0`, half},
		"sig_node":            {runner.StateFailed, "could not write its results (exit code 70)", testcases.VerdictIncomplete, `"exit_code": 70`, half},
		"sig_network":         {runner.StateFailed, "was killed or crashed (exit code 137)", testcases.VerdictIncomplete, `"exit_code": 137`, half},
		"sig_storage":         {runner.StateFailed, "was killed or crashed (exit code 139)", testcases.VerdictIncomplete, `"exit_code": 139`, half},
		"sig_storage_serial":  {runner.StateFailed, "(exit code 127): its image has no run_tests?", testcases.VerdictIncomplete, `"exit_code": 127`, half},
		"sig_instrumentation": {runner.StateFailed, "ran out of memory", testcases.VerdictIncomplete, `"oom_killed": true`, ""},
		"netperf":             {runner.StateFailed, "stopped after its timeout of 10s", testcases.VerdictIncomplete, `"timed_out": true`, ""},

		// records are no evidence
		"k8s_conformance_serial":   {runner.StatePassed, "", testcases.VerdictConflict, `"exit_code": 255`, "e2e.log"},
		"sig_cluster_lifecycle":    {runner.StateFailed, "", testcases.VerdictFail, `"exit_code": 0`, "e2e.log"},
		"sig_apps_serial":          {runner.StateFailed, "no record", testcases.VerdictIncomplete, `"exit_code": 0`, "e2e.log"},
		"sig_scheduling_serial":    {runner.StateFailed, "no record", testcases.VerdictIncomplete, `"exit_code": 0`, "e2e.log"},
		"sig_api_machinery_serial": {runner.StateFailed, "no record", testcases.VerdictIncomplete, `"exit_code": 0`, "e2e.log"},

		// Docker cannot start it
		"kube_hunter": {runner.StateNotRun, `"run_tests": executable file not found`, testcases.VerdictMissing, "", ""},
		"k8s_vims":    {runner.StateNotRun, `"/bin/no-program": permission denied`, testcases.VerdictMissing, "", ""},
	} {
		got := cases[name]
		if got.State != want.state || !strings.Contains(got.Detail, want.says) || want.says == "" && got.Detail != "" {
			t.Errorf("%s: %s: %q, want %s: %q", name, got.State, got.Detail, want.state, want.says)
		}
		if verdicts[name] != want.verdict {
			t.Errorf("the review of %s: %s, want %s", name, verdicts[name], want.verdict)
		}
		if want.run == "" {
			continue
		}
		if run := files[name+"-1/"+testcases.RunFile]; !strings.Contains(run, want.run) {
			t.Errorf("%s of %s does not have %s: %s", testcases.RunFile, name, want.run, run)
		}
		kept := []string{testcases.ConsoleFile, "functest-kubernetes.log"}
		if want.left != "" {
			kept = append(kept, name+"/"+want.left)
		}
		for _, file := range kept {
			if files[name+"-1/"+file] == "" {
				t.Errorf("of %s the archive has no %s", name, file)
			}
		}
	}

	// What ended is not run again, what could not be run is.
	if err := dockertest.Connect(t).Tag(t.Context(), standintest.Image(t, dockertest.Connect(t), "cnf"), cnf); err != nil {
		t.Fatal(err)
	}
	_, errs := h.run(1, append([]string{"run", "--tag", tag, "--resume"}, args...)...)
	left(t, tag)
	if again := strings.Count(errs, ": running\n"); again != 2 || !strings.Contains(errs, "k8s_vims: passed") || !strings.Contains(errs, "kube_hunter: not run") || strings.Count(errs, "done earlier") != len(cases)-again {
		t.Errorf("resumed: %s", errs)
	}
	if verdict := h.verdicts(tag)["k8s_vims"]; verdict != testcases.VerdictPass {
		t.Errorf("the review of k8s_vims, resumed: %s", verdict)
	}
}

// An image that is there at the beginning and gone when it is needed.
func TestAnImageGoesAway(t *testing.T) {
	t.Parallel()
	h := newCampaignHost(t, "healthcheck", "benchmarking")
	tag := uniqueTag(t)
	engine := dockertest.Connect(t)
	image := standintest.Image(t, engine, "benchmarking")
	ref := tagged(t, image)
	h.suite("benchmarking", ref, "")
	args := append([]string{"run", "--offline", "--tests", "k8s_quick,netperf", "--tag", tag}, staged("SLOW=k8s_quick=3s")...)
	cmd, out, errs := h.command(t.Context(), args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitRunning(t, tag)
	if err := engine.RemoveImage(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its exit code tells
	said := out.String() + errs.String()
	if code := cmd.ProcessState.ExitCode(); code != exitNo || !strings.Contains(said, "1 passed, 0 failed, 1 not run") || !strings.Contains(said, "netperf: not run") || !strings.Contains(said, ref) {
		t.Errorf("exit code %d: %s", code, said)
	}
	left(t, tag)
	if verdicts := h.verdicts(tag); verdicts["k8s_quick"] != testcases.VerdictPass || verdicts["netperf"] != testcases.VerdictMissing {
		t.Errorf("the review: %v", verdicts)
	}

	if _, errs := h.run(exitOutside, append(args, "--resume")...); !strings.Contains(errs, "image "+ref+" is not here") {
		t.Errorf("resumed without the image: %s", errs)
	}
	if err := engine.Tag(t.Context(), image, ref); err != nil {
		t.Fatal(err)
	}
	if out, _ := h.run(exitNo, append(args, "--resume")...); !strings.Contains(out, "2 passed, 0 failed, 0 not run") { // a part is not conformant
		t.Errorf("resumed: %s", out)
	}
	left(t, tag)
}

// A container that fills the disk on which results are kept.
func TestResultsFillTheDisk(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: only root can mount a small disk")
	}
	h := newCampaignHost(t, "healthcheck", "benchmarking")
	disk := func(size string, flags uintptr) {
		t.Helper()
		if err := syscall.Mount("xtci-test", h.prefix, "tmpfs", flags, "size="+size); err != nil {
			t.Skipf("NOT TESTED: a small disk cannot be mounted: %v", err)
		}
	}
	if err := os.Mkdir(h.prefix, 0o755); err != nil {
		t.Fatal(err)
	}
	disk("64m", 0)
	t.Cleanup(func() {
		if err := syscall.Unmount(h.prefix, 0); err != nil {
			t.Errorf("unmount the small disk: %v", err)
		}
	})
	tag := uniqueTag(t)
	args := []string{"run", "--tests", "k8s_quick,netperf", "--tag", tag}
	cmd, _, errs := h.command(t.Context(), append(args, staged("FILL=netperf=5GB")...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	says := func(what string) {
		t.Helper()
		dockertest.Until(t, time.Minute, "it says "+what, func(context.Context) error {
			if !strings.Contains(errs.String(), what) {
				return fmt.Errorf("it says %s", errs)
			}
			return nil
		})
	}
	says("no space left on device")
	for _, understood := range []string{"interrupt again", "--resume --tag " + tag} { // nobody makes room
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		says(understood)
	}
	_ = cmd.Wait() // its exit code tells
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || !strings.Contains(errs.String(), "k8s_quick: passed") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	left(t, tag)
	if kept := h.under("artifacts", "e2e.log"); len(kept) != 1 || !strings.Contains(kept[0], "k8s_quick-1/") {
		t.Errorf("what was kept before: %v", kept)
	}
	if parts := h.under("artifacts", ".part-*"); len(parts) > 0 {
		t.Errorf("halves are left in the store: %v", parts)
	}

	disk("200m", syscall.MS_REMOUNT)
	if out, _ := h.run(exitNo, append(append(args, "--resume"), staged()...)...); !strings.Contains(out, "2 passed, 0 failed, 0 not run") { // a part is not conformant
		t.Errorf("resumed: %s", out)
	}
	left(t, tag)
	if verdicts := h.verdicts(tag); verdicts["k8s_quick"] != testcases.VerdictPass || verdicts["netperf"] != testcases.VerdictPass {
		t.Errorf("the review: %v", verdicts)
	}
	if left := h.under("campaigns/results", "*"); len(left) > 0 {
		t.Errorf("what containers left is kept twice: %v", left)
	}
}

// under are the files below a folder of the prefix that have such a name.
func (h *host) under(folder, pattern string) []string {
	h.t.Helper()
	var found []string
	err := filepath.WalkDir(filepath.Join(h.prefix, folder), func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if like, err := filepath.Match(pattern, entry.Name()); err != nil || like {
			found = append(found, name)
		}
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return found
}

// An engine on its way down ends containers first, and answers meanwhile:
// what it ended did not fail, but was not run.
func TestARestartedEngineIsNoFailure(t *testing.T) {
	t.Parallel()
	m := newMidway(t, newCampaignHost(t, "healthcheck", "benchmarking"), "k8s_quick")
	own, shared := dockertest.StartEngine(t, dockertest.EngineOptions{}), m.engine
	m.toEngine(own, "healthcheck")
	own.Take(shared, standintest.Image(t, shared, "benchmarking"))
	m.begin("--tests", "k8s_quick,netperf")
	m.container(m.begun("k8s_quick"))
	own.Restart()
	m.awaitWaiting("k8s_quick", "Docker does not answer")
	if ended := m.awaitCase("k8s_quick", "not run"); !strings.Contains(ended.Detail, "Docker went away while it ran") {
		t.Errorf("after the restart: %+v", ended)
	}
	m.awaitCase("netperf", "passed")
	m.end(exitNo)

	m.begin("--tests", "k8s_quick,netperf", "--resume")
	m.goOn(m.begun("k8s_quick"))
	m.awaitCase("k8s_quick", "passed")
	if end := m.end(exitNo); end.Jobs != (endedJobs{Passed: 2}) { // a part is not conformant
		t.Errorf("resumed: %+v", end)
	}
	labels := map[string]string{runner.LabelCampaign: m.tag}
	containers, err := m.engine.Containers(t.Context(), labels)
	networks, networksErr := m.engine.Networks(t.Context(), labels)
	if err = errors.Join(err, networksErr); err != nil || len(containers)+len(networks) > 0 {
		t.Errorf("left: %v, %v, %v", containers, networks, err)
	}
}
