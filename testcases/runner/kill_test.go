package runner_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/testcases"
	"github.com/anuket-project/xtci/testcases/runner"
)

const killTag = "KILLTEST"

// A killed campaign is run by the real binary under a prefix of its own.
type killed struct {
	binary, recording, prefix string
	cases                     []string
	// ended counts the jobs that said on stderr how they ended, by case.
	ended map[string]int
}

// bigSize is large enough that writing it takes a while in which the process
// can be killed, and packs to a few kilobytes.
const bigSize = 24 << 20

func newKilled(t *testing.T) *killed {
	t.Helper()
	dir := t.TempDir()
	k := &killed{binary: filepath.Join(dir, "xtci"), recording: filepath.Join(dir, "recording"), prefix: filepath.Join(dir, "prefix"), ended: map[string]int{}}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", k.binary, "github.com/anuket-project/xtci/cmd/xtci")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	catalog, err := testcases.Load("v1.23")
	if err != nil {
		t.Fatal(err)
	}
	var big bytes.Buffer
	w := gzip.NewWriter(&big)
	if _, err := w.Write(make([]byte, bigSize)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, job := range testcases.NewPlan(catalog, "functest-kubernetes", testcases.ScopeAll).Jobs() {
		name := job.Case.Name
		k.cases = append(k.cases, name)
		write(t, filepath.Join(k.recording, name, "functest-kubernetes.log"), []byte("log of "+name))
		write(t, filepath.Join(k.recording, name, "record.json"), fmt.Appendf(nil, `{"case_name":%q,"criteria":"PASS","details":{}}`, name))
		if slices.Contains([]string{"k8s_smoke", "k8s_conformance", "sig_auth", "kube_hunter", "netperf"}, name) {
			write(t, filepath.Join(k.recording, name, "big.bin.gz"), big.Bytes())
		}
	}
	slices.Sort(k.cases)
	return k
}

func write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (k *killed) command(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), k.binary, append(args, "--set", "stack.prefix="+k.prefix)...)
	cmd.Dir = filepath.Dir(k.prefix) // where no xtci.yaml is
	return cmd
}

// runUntil runs the campaign and kills it as soon as the condition holds; nil
// lets it run to its end. It says whether the process was killed.
func (k *killed) runUntil(t *testing.T, condition func() bool, args ...string) (wasKilled bool) {
	t.Helper()
	cmd := k.command(t, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	var err error
	for done := false; !done; {
		select {
		case err = <-exited:
			done = true
		default:
			if !wasKilled && condition != nil && condition() {
				wasKilled = true
				if err := cmd.Process.Kill(); err != nil {
					t.Log(err) // it ended by itself
				}
			}
			if wasKilled || condition == nil {
				err, done = <-exited, true
			}
		}
	}
	if wasKilled = wasKilled && !cmd.ProcessState.Exited(); !wasKilled && err != nil {
		t.Fatalf("%v: %v\n%s", args, err, &stderr)
	}
	for line := range strings.Lines(stderr.String()) {
		if name, ok := endedCase(line); ok {
			k.ended[name]++
		}
	}
	return wasKilled
}

// endedCase is the case of a line such as "[ 1/24] passed  k8s_smoke", unless
// it was done by an earlier process.
func endedCase(line string) (name string, ok bool) {
	_, after, ok := strings.Cut(line, "] ")
	words := strings.Fields(after)
	if !ok || len(words) < 2 || strings.Contains(line, "done earlier") {
		return "", false
	}
	return words[1], true
}

// half says whether a file is half-written that has at least so many bytes.
func (k *killed) half(least int64) bool {
	found, err := filepath.Glob(filepath.Join(k.prefix, "artifacts", ".part-*"))
	return err == nil && slices.ContainsFunc(found, func(name string) bool {
		info, err := os.Stat(name)
		return err == nil && info.Size() >= least
	})
}

// halfOf says whether the big file of a case is half-written.
func (k *killed) halfOf(name string) bool {
	return k.half(1<<20) && k.at(name, runner.StateRunning)
}

// at says how far a case is, as the journal on disk has it.
func (k *killed) at(name string, state runner.State) bool {
	journal, err := runner.OpenJournal(filepath.Join(k.prefix, "campaigns"), killTag)
	if err != nil {
		return false
	}
	for _, job := range journal.Jobs {
		if job.Case == name {
			return job.State == state
		}
	}
	return false
}

// resume is the command that goes on with the campaign.
func (k *killed) resume() []string {
	return []string{"run", "--replay", k.recording, "--tag", killTag, "--resume"}
}

// killed begins a campaign and kills it at many points, going on with it each
// time. It returns how many of them it met.
func (k *killed) killed(t *testing.T) (kills int) {
	t.Helper()
	run := []string{"run", "--replay", k.recording, "--tag", killTag}
	for i, point := range []struct {
		name      string
		condition func() bool
	}{
		{"a file of a parallel phase is half-written", func() bool { return k.halfOf("k8s_smoke") }},
		{"a sequential job begins", func() bool { return k.at("xrally_kubernetes", runner.StateRunning) }},
		{"a file of a sequential phase is half-written", func() bool { return k.halfOf("k8s_conformance") }},
		{"any file is half-written", func() bool { return k.half(0) }},
		{"a job has ended", func() bool { return k.at("sig_apps", runner.StatePassed) }},
		{"a later file is half-written", func() bool { return k.halfOf("sig_auth") }},
		{"the last sequential job begins", func() bool { return k.at("sig_storage_serial", runner.StateRunning) }},
		{"a file of a later parallel phase is half-written", func() bool { return k.halfOf("kube_hunter") }},
	} {
		if i > 0 {
			removeHalf(t, k.prefix) // so that the next condition is met by the next process
		}
		if k.runUntil(t, point.condition, run...) {
			kills++
			t.Logf("killed when %s", point.name)
		}
		run = k.resume()
	}
	return kills
}

// A campaign is killed at many points and goes on each time. In the end it is
// as if nothing had happened: each job was run to its end once.
func TestKilledCampaignGoesOn(t *testing.T) {
	t.Parallel()
	k := newKilled(t)
	const enough, rounds = 4, 5
	for round := 1; k.killed(t) < enough; round++ { // a busy machine may look too late
		if round == rounds {
			t.Fatalf("in %d campaigns not one was killed at %d points: the conditions are no good", rounds, enough)
		}
		if err := os.RemoveAll(k.prefix); err != nil {
			t.Fatal(err)
		}
		clear(k.ended)
	}
	k.runUntil(t, nil, k.resume()...)
	for _, name := range k.cases {
		if k.ended[name] > 1 {
			t.Errorf("%s was run to its end %d times", name, k.ended[name])
		}
		if !k.at(name, runner.StatePassed) {
			t.Errorf("%s has not passed", name)
		}
	}
	k.checkIndex(t)

	// publish is killed too, and leaves no half archive
	archive := filepath.Join(k.prefix, "artifacts", killTag+".zip")
	removeHalf(t, k.prefix)
	folders, err := filepath.Glob(filepath.Join(k.prefix, "artifacts", killTag, "*-netperf-*"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("folders of netperf: %v, %v", folders, err)
	}
	write(t, filepath.Join(folders[0], ".part-LEFT"), []byte("half"))
	if k.runUntil(t, func() bool { return k.half(0) }, "publish", killTag) {
		t.Log("killed when the archive is half-written")
		if _, err := os.Stat(archive); err == nil {
			t.Error("there is an archive already")
		}
	}
	k.runUntil(t, nil, "publish", killTag)
	k.checkArchive(t, archive)
}

// removeHalf removes what kills left.
func removeHalf(t *testing.T, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(name string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(filepath.Base(name), ".part-") {
			err = os.Remove(name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkIndex wants one record of each case, with links to whole files.
func (k *killed) checkIndex(t *testing.T) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(k.prefix, "artifacts", killTag+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var index struct{ Results []testcases.Record }
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, record := range index.Results {
		names = append(names, record.CaseName)
		var details struct{ Links []string }
		if err := json.Unmarshal(record.Details, &details); err != nil || len(details.Links) == 0 {
			t.Errorf("%s: links %v, %v", record.CaseName, details.Links, err)
		}
		for _, link := range details.Links {
			info, err := os.Stat(filepath.Join(k.prefix, "artifacts", link))
			if err != nil || filepath.Base(link) == "big.bin" && info.Size() != bigSize {
				t.Errorf("%s: %v %v", link, info, err)
			}
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff(k.cases, names); diff != "" {
		t.Errorf("cases with a record (-want +got):\n%s", diff)
	}
}

// checkArchive wants an untouched archive without half-written files.
func (k *killed) checkArchive(t *testing.T, archive string) {
	t.Helper()
	z, err := zip.OpenReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, file := range z.File {
		if strings.Contains(file.Name, ".part-") {
			t.Errorf("the archive holds %s", file.Name)
		}
	}
	cmd := k.command(t, "review", archive, "-o", "json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var review struct {
		Integrity struct {
			Untouched bool
			Problems  []json.RawMessage
		}
	}
	err = json.NewDecoder(out).Decode(&review)
	if _, drained := io.Copy(io.Discard, out); drained != nil {
		t.Error(drained)
	}
	cmd.Wait() //nolint:errcheck // such a campaign is not conformant
	if err != nil || !review.Integrity.Untouched {
		t.Errorf("review: %s, %v", review.Integrity.Problems, err)
	}
}

// interrupt begins a campaign, and interrupts it in the middle.
func (k *killed) interrupt(t *testing.T) (code int, stdout, stderr string) {
	t.Helper()
	cmd := k.command(t, "run", "--replay", k.recording, "--tag", killTag)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for !k.halfOf("k8s_conformance") && !k.at("netperf", runner.StatePassed) { // whichever is seen
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() //nolint:errcheck // its exit code is looked at
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// Ctrl-C is no failure: the program says how to go on, and what runs then is
// what was not done.
func TestInterruptedProgramSaysHowToGoOn(t *testing.T) {
	t.Parallel()
	k := newKilled(t)
	var code int
	var stdout, stderr string
	const interrupted, rounds = 130, 5
	for round := 1; code != interrupted && round <= rounds; round++ { // a busy machine may interrupt it too late
		if err := os.RemoveAll(k.prefix); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr = k.interrupt(t)
	}
	if code != interrupted || stdout != "" {
		t.Errorf("exit code %d, want %d; stdout %q", code, interrupted, stdout)
	}
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	last := lines[max(len(lines)-2, 0):]
	if !strings.HasPrefix(last[0], "xtci: interrupted: ") || !strings.Contains(last[len(last)-1], "campaign "+killTag+" can go on: xtci run --resume --tag "+killTag+" --replay ") {
		t.Errorf("stderr ends with %q", last)
	}
	if k.half(0) {
		t.Error("a half-written file is left")
	}
	k.runUntil(t, nil, "run", "--replay", k.recording, "--tag", killTag, "--resume")
	k.checkIndex(t)
}
