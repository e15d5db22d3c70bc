package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/anuket-project/xtci/internal/flawless"
	"github.com/anuket-project/xtci/testcases"
)

// ginkgoLog is ginkgo's whole output.
const ginkgoLog = "e2e.log"

// e2e is the driver of the Kubernetes e2e suites.
func (d *driver) e2e() error {
	if err := os.MkdirAll(d.results(d.of.Name), 0o755); err != nil {
		return err
	}
	if !d.hasKubeconfig() {
		d.say("ERROR", "Cannot run k8s testcases. Config file not found")
		return errNoTimes
	}
	var exception string
	if output, err := d.kubetest(); err != nil {
		exception = pythonError(err)
	} else {
		exception = d.summarize(output)
	}
	if exception != "" {
		d.say("ERROR", "Error with running kubetest:%s", traceback(exception))
	}
	return nil
}

// kubetest leaves what ginkgo would, and returns its output.
func (d *driver) kubetest() (output string, err error) {
	if err := d.writeText("repositories.yml", repositories); err != nil {
		return "", err
	}
	d.say("INFO", "Starting k8s test: '%s'.", d.commandLine())
	var reports func() error
	if d.staging() == recorded {
		output, reports, err = d.recordedSuite()
	} else {
		output, reports, err = d.madeSuite()
	}
	if err != nil {
		return "", err
	}
	if err := d.play(output); err != nil {
		return "", err
	}
	if err := reports(); err != nil {
		return "", err
	}
	return output, d.writeText(ginkgoLog, output)
}

// repositories is where images come from (spec/transcripts/26).
const repositories = `buildImageRegistry: k8s.gcr.io/build-image
e2eRegistry: gcr.io/kubernetes-e2e-test-images
gcAuthenticatedRegistry: gcr.io/authenticated-image-pulling
gcEtcdRegistry: k8s.gcr.io
gcRegistry: k8s.gcr.io
gcrReleaseRegistry: gcr.io/gke-release
invalidRegistry: invalid.com/invalid
microsoftRegistry: mcr.microsoft.com
privateRegistry: gcr.io/k8s-authenticated-test
promoterE2eRegistry: k8s.gcr.io/e2e-test-images
sampleRegistry: gcr.io/google-samples
sigStorageRegistry: k8s.gcr.io/sig-storage
`

// commandLine is what the real driver calls, as Python prints a list.
func (d *driver) commandLine() string {
	args := []string{
		"ginkgo", "--nodes=" + strconv.Itoa(d.of.Nodes), "--noColor", "/usr/local/bin/e2e.test", "--",
		"-kubeconfig", kubeconfig, "-provider", "local", "-report-dir", "/home/opnfv/functest/results/" + d.of.Name,
		"-ginkgo.focus", d.of.Focus,
	}
	if d.of.Skip != "" {
		args = append(args, "-ginkgo.skip", d.of.Skip)
	}
	args = append(args, "-disable-log-dump", "true")
	for i, arg := range args {
		args[i] = "'" + strings.ReplaceAll(arg, `\`, `\\`) + "'"
	}
	return "[" + strings.Join(args, ", ") + "]"
}

// recordedSuite is a run that was recorded: its output, and what writes its
// reports.
func (d *driver) recordedSuite() (output string, reports func() error, err error) {
	files, err := d.recording()
	if err != nil {
		return "", nil, err
	}
	defer files.Close()
	file, err := files.Open(ginkgoLog)
	if err != nil {
		return "", nil, err
	}
	defer file.Close()
	raw, err := io.ReadAll(file)
	return string(raw), func() error {
		return d.copyRecorded(func(name string) bool { return name == ginkgoLog || name == "repositories.yml" })
	}, err
}

// madeSuite is a run in which everything passed, but for one spec when the case
// is to fail.
func (d *driver) madeSuite() (output string, reports func() error, err error) {
	names, err := d.catalog.Specs()
	if err != nil {
		return "", nil, err
	}
	seed := slices.IndexFunc(d.catalog.Cases, func(c testcases.Case) bool { return c.Name == d.of.Name })
	suite, err := flawless.NewSuite(d.of, names, seed)
	if err != nil {
		return "", nil, err
	}
	if d.staging() == failing {
		suite.First(flawless.Passed, func(s *flawless.Spec) { s.Fate = flawless.Failed })
	}
	took := max(d.orders.slow(d.of.Name), 50*time.Millisecond)
	fit(&suite, took)
	return ginkgoOutput(&suite, took), func() error {
		for node := range suite.Nodes {
			if err := d.writeText(fmt.Sprintf("junit_%02d.xml", node+1), suite.JUnit(node)); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// fit shortens the specs' durations so that all of them fit into the run.
func fit(suite *flawless.Suite, took time.Duration) {
	sum := 0.0
	for i := range suite.Specs {
		sum += suite.Specs[i].Seconds
	}
	factor := took.Seconds() * float64(suite.Nodes) / sum
	if sum == 0 || factor > 1 {
		return
	}
	for i := range suite.Specs {
		suite.Specs[i].Seconds *= factor
	}
}

// ginkgoOutput is what ginkgo 1.16 prints of a run.
func ginkgoOutput(suite *flawless.Suite, took time.Duration) string {
	var out, failures strings.Builder
	n := suite.Count()
	selected := n[flawless.Passed] + n[flawless.Failed]
	now := time.Now()
	fmt.Fprintf(&out, "Running Suite: Kubernetes e2e suite\n===================================\nRandom Seed: %d - Will randomize all specs\nWill run %d of %d specs\n",
		now.Unix(), selected, len(suite.Specs))
	total := selected
	if suite.Nodes > 1 {
		fmt.Fprintf(&out, "Running in parallel across %d nodes\n", suite.Nodes)
		total = -1 // a node does not know
	}
	fmt.Fprintf(&out, "\n%s: INFO: kube-apiserver version: %s\n", now.Format("Jan _2 15:04:05.000"), flawless.ClusterVersion)
	done := map[int]*progress{}
	for i := range suite.Specs {
		spec := &suite.Specs[i]
		node := spec.Node % suite.Nodes
		if done[node] == nil {
			done[node] = &progress{}
		}
		switch p := done[node]; spec.Fate {
		case flawless.Passed:
			p.completed++
			fmt.Fprintf(&out, "•%s\n", p.line("PASSED", spec.Name, total))
		case flawless.Failed:
			p.completed++
			p.failed++
			fmt.Fprintf(&out, "• Failure [%.3f seconds]\n%s\n\n  timed out waiting for the condition\n\n  test/e2e/apps/job.go:53\n------------------------------\n%s\n",
				spec.Seconds, spec.Name, p.line("FAILED", spec.Name, total))
			fmt.Fprintf(&failures, "[Fail] %s \ntest/e2e/apps/job.go:53\n\n", spec.Name)
		default:
			p.skipped++
			out.WriteString("S")
		}
	}
	out.WriteString("\n")
	end, suiteEnd := "PASS", "Test Suite Passed"
	if failed := n[flawless.Failed]; failed > 0 {
		end, suiteEnd = "--- FAIL: TestE2E", "Test Suite Failed"
		plural := "s"
		if failed == 1 {
			plural = ""
		}
		fmt.Fprintf(&out, "\nSummarizing %d Failure%s:\n\n%s", failed, plural, &failures)
	}
	fmt.Fprintf(&out, "\n%s%s\n\nGinkgo ran 1 suite in %s\n%s\n", suite.Summary(took.Seconds()), end, took, suiteEnd)
	return out.String()
}

// A progress is what one node says after each spec.
type progress struct{ completed, skipped, failed int }

func (p *progress) line(fate, name string, total int) string {
	return fmt.Sprintf(`{"msg":%s,"total":%d,"completed":%d,"skipped":%d,"failed":%d}`, pythonJSON(fate+" "+name), total, p.completed, p.skipped, p.failed)
}

// play lets e2e.log grow as ginkgo prints, for as long as the case is to take.
func (d *driver) play(output string) error {
	took := d.orders.slow(d.of.Name)
	if took == 0 {
		return nil
	}
	if d.env.own("E2ELOG") == "end" {
		return wait(took)
	}
	file, err := os.Create(filepath.Join(d.results(d.of.Name), ginkgoLog))
	if err != nil {
		return err
	}
	defer file.Close()
	tick := time.NewTicker(min(max(took/200, 20*time.Millisecond), time.Second))
	defer tick.Stop()
	rest := bytes.NewReader([]byte(output))
	for rest.Len() > 0 {
		<-tick.C
		due := min(int64(float64(len(output))*time.Since(d.start).Seconds()/took.Seconds()), int64(len(output)))
		for due < int64(len(output)) && !utf8.RuneStart(output[due]) {
			due++
		}
		if _, err := io.CopyN(file, rest, max(due-(rest.Size()-int64(rest.Len())), 0)); err != nil {
			return err
		}
	}
	return nil
}

// wait waits.
func wait(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
	return nil
}

var (
	ginkgoVerdict  = regexp.MustCompile(`(?ms)^(FAIL|SUCCESS)!.* ([0-9]+) Passed \| ([0-9]+) Failed \| ([0-9]+) Pending \| ([0-9]+) Skipped`)
	ginkgoFailures = regexp.MustCompile(`(?ms)^(Summarizing [0-9]+ Failure.*)Ran`)
)

// summarize draws the result from ginkgo's output as the real driver does, and
// returns the exception that it meets, if any.
func (d *driver) summarize(output string) (exception string) {
	found := ginkgoVerdict.FindStringSubmatch(output)
	if found == nil {
		return "AssertionError"
	}
	counts := map[string]float64{}
	for i, name := range []string{"passed", "failed", "pending", "skipped"} {
		n, _ := strconv.Atoi(found[2+i]) // digits
		d.details[name], counts[name] = n, float64(n)
	}
	ran := counts["passed"] + counts["failed"] + counts["pending"]
	if ran == 0 {
		return "ZeroDivisionError: division by zero"
	}
	d.decide(100 * counts["passed"] / ran)
	if failures := ginkgoFailures.FindStringSubmatch(output); found[1] == "FAIL" && failures != nil {
		d.say("ERROR", "%s", failures[1])
	}
	return ""
}
