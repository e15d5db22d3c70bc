package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/anuket-project/xtci/internal/recording"
	"github.com/anuket-project/xtci/testcases"
)

// A driver runs one case as the driver of functest-kubernetes of that name
// would (spec/testapi-xtesting.md, d).
type driver struct {
	*runTests
	*attempt
	logger string // its own
	work   func() error
}

func (r *runTests) driver(one *attempt) *driver {
	d := &driver{runTests: r, attempt: one}
	switch one.of.Driver {
	case "e2e_testing":
		d.logger, d.work = "functest_kubernetes.k8stest", d.e2e
	case "xrally_kubernetes":
		d.logger, d.work = "functest_kubernetes.rally.rally_kubernetes", d.rally
	case "kube_hunter":
		d.logger, d.work = "functest_kubernetes.security.security", d.hunter
	case "kube_bench":
		d.logger, d.work = "functest_kubernetes.security.security", d.bench
	case "netperf":
		d.logger, d.work = "functest_kubernetes.netperf.netperf", d.netperf
	case "k8s_vims", "helm_vims":
		d.logger, d.work = "functest_kubernetes.ims.ims", d.vims
	default:
		d.logger = "functest_kubernetes.cnf_conformance.conformance"
	}
	return d
}

// unmet says which of the driver's requirements is not met: "" for none.
func (d *driver) unmet() string {
	told := d.orders.told("SKIP", d.of.Name)
	switch {
	case d.work == nil: // nothing was recorded of it
		return "cnf-testsuite is not compiled for arm and arm64 for the time being"
	case told && d.of.Driver == "netperf":
		return "launch or plotperf is missing"
	case told:
		return "the stand-in was told to skip it"
	}
	return ""
}

// construct is what can go wrong before a driver runs: those that load the
// kubeconfig at once raise without it.
func (d *driver) construct() error {
	switch d.of.Driver {
	case "kube_hunter", "kube_bench", "k8s_vims", "helm_vims":
		if !d.hasKubeconfig() {
			return &raised{"kubernetes.config.config_exception.ConfigException: Invalid kube-config file. No configuration found."}
		}
	}
	return nil
}

func (d *driver) hasKubeconfig() bool { return exists(d.at(kubeconfig)) }

// run runs the case, with the troubles that it was told to have.
func (d *driver) run() error {
	if err := d.awaitGoOn(); err != nil {
		return err
	}
	d.start = time.Now()
	err := d.trouble()
	if exception, ok := errors.AsType[*raised](err); ok && d.of.Focus != "" && !d.orders.told("RAISE", d.of.Name) {
		d.say("ERROR", "Error with running kubetest:%s", traceback(exception.text)) // that driver catches all
		err = nil
	} else if err == nil {
		err = d.work()
	}
	if errors.Is(err, errNoTimes) {
		d.start, d.stop = time.Time{}, time.Time{}
		return nil
	}
	d.stop = time.Now()
	return err
}

// errNoTimes is of a driver that gives up before it sets its times: the case
// fails, and is published, but not pushed.
var errNoTimes = errors.New("the driver did not set its times")

// say logs a message of the driver's.
func (d *driver) say(level, format string, args ...any) {
	d.logs.log(d.logger, level, format, args...)
}

// decide draws the result from how many percent were reached.
func (d *driver) decide(percent float64) {
	d.status = statusFail
	if percent >= float64(d.of.Criteria) {
		d.status = statusPass
	}
}

// A staging says where a case's results come from.
type staging int

const (
	recorded staging = iota
	passing
	failing
)

func (d *driver) staging() staging {
	switch name := d.of.Name; {
	case d.orders.told("FAIL", name):
		return failing
	case d.orders.told("PASS", name):
		return passing
	}
	return recorded
}

// recording opens what was recorded of the case.
func (d *driver) recording() (recording.FS, error) {
	tier, _ := d.find(d.of.Name)
	return recording.Open(d.at(filepath.Join(recordingDir, tier, d.of.Name)))
}

// recordedDetails are those of the record that was pushed.
func (d *driver) recordedDetails() (map[string]any, error) {
	files, err := d.recording()
	if err != nil {
		return nil, err
	}
	defer files.Close()
	record, err := testcases.ReadRecord(files, d.of.Name)
	if err != nil {
		return nil, err
	}
	if record == nil {
		return nil, errors.New("nothing was recorded of " + d.of.Name)
	}
	details, err := decodeObject(record.Details)
	delete(details, "links")
	return details, err
}

// spoken is what the driver logged when it was recorded: what stands between
// the messages of Xtesting, such as a pod's output.
func (d *driver) spoken() (string, error) {
	files, err := d.recording()
	if err != nil {
		return "", err
	}
	defer files.Close()
	raw, err := fs.ReadFile(files, logName)
	if err != nil {
		return "", err
	}
	var texts []string
	starts := logStart.FindAllSubmatchIndex(raw, -1)
	for i, at := range starts {
		end := len(raw)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		if strings.HasPrefix(string(raw[at[2]:at[3]]), "functest_kubernetes.") {
			texts = append(texts, strings.TrimSuffix(string(raw[at[1]:end]), "\n"))
		}
	}
	return strings.Join(texts, "\n"), nil
}

// logStart begins a message: its time, logger and level.
var logStart = regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - (\S+) - [A-Z]+ - `)

// copyRecorded puts the recorded files of the case into its folder, but for
// those that are left out.
func (d *driver) copyRecorded(without func(name string) bool) error {
	files, err := d.recording()
	if err != nil {
		return err
	}
	defer files.Close()
	return fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || name == testcases.RecordFile || name == logName || without(name) {
			return err
		}
		in, err := files.Open(name)
		if err != nil {
			return err
		}
		defer in.Close()
		return d.write(name, in)
	})
}

// write writes a file into the folder of the case.
func (d *driver) write(name string, content io.Reader) error {
	target := d.results(d.of.Name, name)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	out, err := os.Create(target)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, content)
	return errors.Join(err, out.Close())
}

func (d *driver) writeText(name, content string) error {
	return d.write(name, bytes.NewBufferString(content))
}
