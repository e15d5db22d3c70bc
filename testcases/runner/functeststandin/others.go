package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/anuket-project/xtci/internal/flawless"
)

// linger is how long a case takes that is told to be slow, and has nothing to
// say meanwhile.
func (d *driver) linger() error { return wait(d.orders.slow(d.of.Name)) }

// rally is the driver of xrally-kubernetes. It catches nothing.
func (d *driver) rally() error {
	if !d.hasKubeconfig() {
		d.say("ERROR", "Cannot check env heath: %s", "no kubeconfig: this is a stand-in")
		return errNoTimes
	}
	if err := d.linger(); err != nil {
		return err
	}
	if err := d.rallyFiles(); err != nil {
		return &raised{pythonError(err)}
	}
	if d.details["pass_sla"] == true {
		d.decide(100)
	}
	return nil
}

func (d *driver) rallyFiles() (err error) {
	// not recorded: Rally's page
	if err := d.writeText(d.of.Name+".html", "<!DOCTYPE html>\n<title>Stand-in</title>\n<p>A stand-in made this, and not Rally.</p>\n"); err != nil {
		return err
	}
	if d.staging() == recorded {
		if d.details, err = d.recordedDetails(); err != nil {
			return err
		}
		// task.json is an export that containers do not leave
		return d.copyRecorded(func(name string) bool { return name == "task.json" })
	}
	failed, seed := 0, 1
	if d.staging() == failing {
		failed = 1
	}
	if d.of.Name == "xrally_kubernetes_full" {
		seed = 2 // no two runs take equally long
	}
	d.details = flawless.Details(d.of)
	d.details["pass_sla"] = failed == 0
	return errors.Join(
		d.writeText("rally.log", "INFO rally.task.engine [-] Task finished\n"),
		d.writeText(d.of.Name+".xml", flawless.RallyXML(d.of.Name, seed, failed)))
}

// hunter is the driver of kube-hunter: 100 when there are vulnerabilities, and
// all are allowed.
func (d *driver) hunter() error {
	if err := d.linger(); err != nil {
		return err
	}
	output, err := d.podOutput(map[staging]string{failing: flawless.HunterJSON("low", "high")}) // what was recorded passes
	if err != nil {
		return err
	}
	d.say("INFO", "\n\n%s", output)
	lines := strings.Split(strings.TrimSpace(output), "\n")
	if d.details, err = decodeObject([]byte(lines[len(lines)-1])); err != nil {
		d.details = map[string]any{}
		d.say("ERROR", "Cannot process results%s", traceback(pythonError(err)))
		return nil
	}
	d.weigh()
	return nil
}

// weigh draws the result from kube-hunter's report.
func (d *driver) weigh() {
	severity, _ := d.of.Args["severity"].(string)
	allowed := map[string][]string{"medium": {"low"}, "high": {"low", "medium"}}[severity]
	var rows [][]string
	good := true
	vulnerabilities, _ := d.details["vulnerabilities"].([]any)
	for _, item := range vulnerabilities {
		one, _ := item.(map[string]any)
		name, level := text(one["vulnerability"]), text(one["severity"])
		if slices.Contains(allowed, level) {
			d.say("WARNING", "Skipping %s (severity is configured as %s)", name, severity)
		} else {
			good = false
		}
		rows = append(rows, []string{text(one["category"]), name, level})
	}
	if len(rows) > 0 {
		d.say("WARNING", "\n\n%s\n", table([]string{"category", "vulnerability", "severity"}, rows...))
	}
	if good && len(rows) > 0 {
		d.decide(100)
	}
}

func text(value any) string { return fmt.Sprint(value) }

// podOutput is what the pod of a case said: recorded, or that which was made
// for the staging.
func (d *driver) podOutput(made map[staging]string) (string, error) {
	if output, ok := made[d.staging()]; ok {
		return output, nil
	}
	output, err := d.spoken()
	return strings.TrimPrefix(output, "\n\n"), err
}

// bench is the driver of kube-bench: it passes whenever there is a report, and
// raises when there is none.
func (d *driver) bench() error {
	if err := d.linger(); err != nil {
		return err
	}
	output, err := d.podOutput(map[staging]string{failing: "the stand-in's pod has no report"})
	if err != nil {
		return err
	}
	d.say("INFO", "\n\n%s", output)
	if d.staging() == failing {
		return &raised{"  File \"<unknown>\", line 1\nSyntaxError: invalid syntax"}
	}
	if d.details, err = d.recordedDetails(); err != nil {
		return &raised{pythonError(err)}
	}
	d.targets()
	d.decide(100)
	return nil
}

// targets says what kube-bench found.
func (d *driver) targets() {
	var rows [][]string
	reports, _ := d.details["report"].([]any)
	for _, item := range reports {
		report, _ := item.(map[string]any)
		tests, _ := report["tests"].([]any)
		for _, item := range tests {
			test, _ := item.(map[string]any)
			rows = append(rows, []string{text(report["node_type"]), text(report["version"]), text(test["desc"]), text(test["pass"]), text(test["fail"]), text(test["warn"])})
			results, _ := test["results"].([]any)
			for _, item := range results {
				if result, _ := item.(map[string]any); result["scored"] == true && result["status"] == "FAIL" {
					d.say("ERROR", "%s\n%s", text(result["test_desc"]), text(result["remediation"]))
				}
			}
		}
	}
	d.say("WARNING", "Targets:\n\n%s\n", table([]string{"node_type", "version", "test_desc", "pass", "fail", "warn"}, rows...))
}

// netperf is the driver of kubernetes/perf-tests' netperf.
func (d *driver) netperf() error {
	if err := d.linger(); err != nil {
		return err
	}
	var err error
	switch {
	case !d.hasKubeconfig():
		err = errors.New("no kubeconfig: this is a stand-in")
	case d.staging() == failing:
		err = errors.New("Command '['launch', '-iterations', '1', '-kubeConfig', '/root/.kube/config']' returned non-zero exit status 1.") //nolint:staticcheck // as Python says it
	default:
		err = d.netperfFiles()
	}
	if err != nil {
		d.say("ERROR", "Can not run Netperf%s", traceback(pythonError(err)))
		return nil
	}
	d.decide(100)
	return nil
}

func (d *driver) netperfFiles() error {
	if err := d.copyRecorded(func(string) bool { return false }); err != nil {
		return err
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		return err
	}
	const svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"200\" height=\"20\"><text y=\"15\">stand-in: no plot</text></svg>\n"
	for _, name := range []string{"netperf", "netperf.bar"} { // not recorded: the plots
		if err := errors.Join(d.writeText(name+".svg", svg), d.writeText(name+".png", picture.String())); err != nil {
			return err
		}
	}
	return nil
}

var liveSummary = regexp.MustCompile(`(?ms)^(\d+) failures out of (\d+) tests run.*\n(\d+) tests skipped$`)

// vims is the driver of Clearwater: 50 for what is deployed, and 50 for the
// tests.
func (d *driver) vims() error {
	if err := d.linger(); err != nil {
		return err
	}
	output, err := d.podOutput(map[staging]string{
		passing: flawless.LiveTest,
		failing: strings.Replace(strings.Replace(flawless.LiveTest, "6505550029) Passed", "6505550029) Failed\n  RuntimeError thrown:\n   - told to by the stand-in", 1), "0 failures", "1 failures", 1),
	})
	if err != nil {
		return err
	}
	d.say("INFO", "%s", output)
	found := liveSummary.FindStringSubmatch(output)
	if found == nil {
		d.say("ERROR", "Cannot parse live tests results%s", traceback("AssertionError"))
		return nil
	}
	failures, _ := strconv.Atoi(found[1]) // digits
	total, _ := strconv.Atoi(found[2])
	skipped, _ := strconv.Atoi(found[3])
	rate := 0.0
	if total > skipped {
		rate = float64(total-skipped-failures) / float64(total-skipped)
	}
	d.decide(50 + 50*rate)
	return nil
}
