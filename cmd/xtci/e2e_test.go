package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/docker/dockertest"
	"github.com/anuket-project/xtci/testcases"
)

// jenkinsImage is a stand-in for Jenkins in a container that can do what its
// jobs' scripts do: busybox for a shell, and Docker's command.
func jenkinsImage(t *testing.T, engine *docker.Engine) string {
	t.Helper()
	busybox, err := exec.LookPath("busybox")
	if err == nil && len(dockertest.Libraries(t, busybox)) > 0 {
		err = fmt.Errorf("%s is not static: install busybox-static", busybox)
	}
	command, dockerErr := exec.LookPath("docker")
	if err != nil || dockerErr != nil {
		dockertest.Absent(t, "busybox", fmt.Errorf("the stand-in for Jenkins needs a shell and Docker's command: %w, %w", err, dockerErr))
	}
	rootfs := dockertest.Rootfs{
		Files: map[string]string{
			"/standin": dockertest.Build(t, "./jenkins/jenkinstest/standin"), "/usr/bin/docker": command,
		},
		Folders: []string{"/tmp", "/var/jenkins_home"},
		Changes: []string{`ENTRYPOINT ["/standin"]`, "ENV PATH=/bin:/usr/bin", "ENV XTCI_STANDIN_DELAY=500ms", "ENV XTCI_STANDIN_QUIET=100ms"},
	}
	for _, applet := range strings.Fields("sh basename cat chmod chown cut dirname env find grep head id kill ls mkdir mv rm sed sleep tail test touch tr true") {
		rootfs.Files["/bin/"+applet] = busybox
	}
	for _, library := range dockertest.Libraries(t, command) {
		rootfs.Files[library] = library
	}
	return dockertest.Shared(t, engine, "jenkins-shell-standin", rootfs)
}

// newJenkinsHost has a stack with everything, Jenkins stood in unless an image
// of the real one is named, which the engine has or can pull.
func newJenkinsHost(t *testing.T, tiers ...string) *host {
	t.Helper()
	h := newCampaignHost(t, tiers...)
	image := os.Getenv("XTCI_TEST_JENKINS_IMAGE")
	if image == "" {
		image = jenkinsImage(t, dockertest.Connect(t))
	} else {
		h.patience = time.Hour // every job waits its quiet period there
	}
	h.environ = append(
		h.environ, "XTCI_STACK_JENKINS_ENABLED=true", "XTCI_STACK_JENKINS_IMAGE="+image,
		fmt.Sprintf("XTCI_STACK_JENKINS_PORT=%d", dockertest.Port(t)),
		"XTCI_ENV_FUNCTEST_STANDIN_PASS=all", "XTCI_ENV_FUNCTEST_STANDIN_FAIL=nothing",
	)
	return h
}

// download gets the archive at a link.
func (h *host) download(link string) string {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, link, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		h.t.Fatalf("%s: %s", link, answer.Status)
	}
	file, err := os.Create(filepath.Join(h.t.TempDir(), "campaign.zip"))
	if err != nil {
		h.t.Fatal(err)
	}
	defer file.Close()
	if _, err := io.Copy(file, answer.Body); err != nil {
		h.t.Fatal(err)
	}
	return file.Name()
}

// archiveLink is the link that run printed.
func archiveLink(t *testing.T, out string) string {
	t.Helper()
	for line := range strings.Lines(out) {
		if link, ok := strings.CutPrefix(line, "archive: "); ok {
			return strings.TrimSpace(link)
		}
	}
	t.Fatalf("no archive is named in:\n%s", out)
	return ""
}

func lastWord(out string) string {
	words := strings.Fields(out)
	return words[len(words)-1]
}

// An archiveContent is what an archive says and holds, but for names of
// campaigns and times, and for what tells how the containers were run.
type archiveContent struct {
	Files   []string
	Verdict string
	Cases   []any
	Specs   any
}

func whatCounts(t *testing.T, archive, tag string) (c archiveContent) {
	t.Helper()
	z, err := zip.OpenReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, file := range z.File {
		if !testcases.IsOwnFile(path.Base(file.Name)) {
			c.Files = append(c.Files, strings.ReplaceAll(file.Name, tag, "TAG"))
		}
	}
	slices.Sort(c.Files)
	report, err := z.Open(artifacts.ReportJSON)
	if err != nil {
		t.Fatal(err)
	}
	defer report.Close()
	text, err := io.ReadAll(report)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(bytes.ReplaceAll(text, []byte(tag), []byte("TAG")), &c); err != nil {
		t.Fatal(err)
	}
	forget(c.Cases)
	for _, of := range c.Cases {
		delete(of.(map[string]any), "seconds") // of the case: those of checks are from its files
	}
	return c
}

// forget removes from a report when things were, and the lines of logs, in
// which containers also print how they were started.
func forget(in any) {
	switch in := in.(type) {
	case []any:
		for _, value := range in {
			forget(value)
		}
	case map[string]any:
		for _, key := range []string{"started", "stopped", "line"} {
			delete(in, key)
		}
		for _, value := range in {
			forget(value)
		}
	}
}

// From nothing to a reviewed archive, with nobody's hand in between: the
// stack, its jobs, a campaign over Jenkins' API, containers, records in the
// test DB, files in MinIO, the archive over the file server.
func TestEndToEnd(t *testing.T) {
	t.Parallel()
	h := newJenkinsHost(t)
	h.run(0, "up")
	if out, _ := h.run(0, "jobs", "diff"); strings.Contains(out, "create") || strings.Contains(out, "update") {
		t.Errorf("jobs differ after up: %s", out)
	}
	out, _ := h.run(0, "run", "--via", "jenkins", "--tag", "END2END_1")
	archive := h.download(archiveLink(t, out))
	out, _ = h.run(0, "review", archive, "--key", h.key())
	if !strings.Contains(out, "verdict: CONFORMANT") {
		t.Errorf("review:\n%s", out)
	}

	// whoever runs the campaign, the archive says the same
	want := whatCounts(t, archive, "END2END_1")
	tag := uniqueTag(t)
	out, _ = h.run(0, "run", "--tag", tag)
	if diff := cmp.Diff(want, whatCounts(t, h.download(lastWord(out)), tag)); diff != "" {
		t.Errorf("run by Jenkins, and by xtci with the stack:\n%s", diff)
	}
	tag = uniqueTag(t)
	h.run(0, "run", "--tag", tag, "--no-stack")
	if diff := cmp.Diff(want, whatCounts(t, h.archive(tag), tag)); diff != "" {
		t.Errorf("run by Jenkins, and by xtci without a stack:\n%s", diff)
	}

	out, errs := h.run(1, "run", "--via", "jenkins", "--tag", "END2END_2", "-p", "FUNCTEST_STANDIN_FAIL=sig_apps")
	if !strings.Contains(errs, "sig_apps") {
		t.Errorf("the run does not say what failed:\n%s", errs)
	}
	out, _ = h.run(1, "review", h.download(archiveLink(t, out)), "--key", h.key())
	if !strings.Contains(out, "NOT CONFORMANT") || !strings.Contains(out, "sig_apps: failure") {
		t.Errorf("review:\n%s", out)
	}
	h.run(0, "down", "--purge", "--yes")
}

func TestLeftRunningAndFollowedAgain(t *testing.T) {
	t.Parallel()
	h := newJenkinsHost(t, "healthcheck")
	h.environ = append(h.environ, "XTCI_ENV_FUNCTEST_STANDIN_SLOW=8s")
	h.run(0, "up")
	if _, errs := h.run(3, "run", "--via", "jenkins", "--attach"); !strings.Contains(errs, "no build of") {
		t.Errorf("nothing to attach to: %s", errs)
	}
	if _, errs := h.run(2, "run", "--via", "jenkins", "--tag", "short"); !strings.Contains(errs, "at least 8") {
		t.Errorf("a short tag: %s", errs)
	}
	cmd, _, errs := h.command(t.Context(), "run", "--via", "jenkins", "--tag", "LEFT_RUNNING")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dockertest.Until(t, time.Minute, "a test runs", func(context.Context) error {
		if !strings.Contains(errs.String(), "k8s_quick") {
			return errors.New("it does not")
		}
		return nil
	})
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its exit code tells
	if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(errs.String(), "--attach --tag LEFT_RUNNING") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	// of 24 cases two ran: not conformant, whoever asks
	out, _ := h.run(1, "run", "--via", "jenkins", "--attach", "--tag", "LEFT_RUNNING", "-o", "json")
	var answer struct {
		BuildTag string `json:"build_tag"`
		Result   string
		Verdict  string
		Archive  string
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &answer); err != nil || answer.BuildTag != "LEFT_RUNNING" || answer.Result != "SUCCESS" || answer.Verdict != "not conformant" {
		t.Errorf("attached: %+v, %v\n%s", answer, err, out)
	}
	h.download(answer.Archive)
}
