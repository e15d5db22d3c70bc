package jenkins_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/jenkins"
	"github.com/anuket-project/xtci/testcases"
)

// defaults are the options of a site that says nothing.
func defaultOptions(site config.Site) jenkins.Options {
	return jenkins.Options{
		Owner: "xtci", Network: "xtci", Workspace: "/var/lib/xtci/jenkins/workspace",
		Services: jenkins.Services{
			S3: "http://minio:9000", Bucket: "s3://xtesting", Files: "http://127.0.0.1:8181",
			TestDB: "http://testdb:8000/api/v1", TestDBX: "http://127.0.0.1:8000/api/v1",
			AccessKey: "xtci-jobs", SecretKey: "a secret",
		},
		Host: jenkins.Services{S3: "http://127.0.0.1:9000", TestDB: "http://127.0.0.1:8000/api/v1"},
		Archive: jenkins.Archive{
			Image: "xtci.local/xtci:test", Args: []string{"--set", "project=" + site.Project}, User: "1000:1000",
			Volumes: []string{"/var/lib/xtci/keys:/var/lib/xtci/keys"},
		},
		StopOnFailure: site.Failure == config.FailureStop, Jobs: site.Jobs,
	}
}

// classic are the options of wiring: classic with archive.by: container.
func classicOptions(site config.Site) jenkins.Options {
	o := defaultOptions(site)
	o.Classic, o.Network, o.Workspace = true, "bridge", "/data/jenkins/workspace"
	o.Services = jenkins.Services{
		S3: "http://192.0.2.10:9000", Bucket: "s3://xtesting", Files: "http://192.0.2.10:8181",
		TestDB: "http://192.0.2.10:8000/api/v1", TestDBX: "http://192.0.2.10:8000/api/v1",
		AccessKey: "xtesting", SecretKey: "xtesting",
	}
	o.Archive = jenkins.Archive{ByContainer: true}
	return o
}

// graph is that of a site with some options.
func graphOf(t *testing.T, site config.Site, options jenkins.Options) jenkins.Graph {
	t.Helper()
	if options.Classic {
		site.Wiring = config.WiringClassic
	}
	catalog, err := testcases.Load(site.Release)
	if err != nil {
		t.Fatal(err)
	}
	var graphs []jenkins.Graph
	for _, plan := range testcases.Plans(site, catalog, testcases.ScopeAll) {
		g, err := jenkins.NewGraph(plan, options)
		if err != nil {
			t.Fatal(err)
		}
		graphs = append(graphs, g)
	}
	all, err := jenkins.Merge(graphs...)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A document is what a test reads of a config.xml, by itself and not with the
// structures that wrote it.
type configXML struct {
	XMLName    xml.Name
	Blockers   []string      `xml:"properties>hudson.plugins.buildblocker.BuildBlockerProperty>blockingJobs"`
	Level      string        `xml:"properties>hudson.plugins.buildblocker.BuildBlockerProperty>blockLevel"`
	Queue      string        `xml:"properties>hudson.plugins.buildblocker.BuildBlockerProperty>scanQueueFor"`
	Parameters parameterList `xml:"properties>hudson.model.ParametersDefinitionProperty>parameterDefinitions"`
	Timers     []string      `xml:"triggers>hudson.triggers.TimerTrigger>spec"`
	Shells     []string      `xml:"builders>hudson.tasks.Shell>command"`
	Phases     []phaseXML    `xml:"builders>com.tikal.jenkins.plugins.multijob.MultiJobBuilder"`
	Regex      string        `xml:"includeRegex"`
	Columns    listOfNames   `xml:"columns"`
}

type parameterList struct {
	List []struct {
		XMLName xml.Name
		Name    string `xml:"name"`
		Default string `xml:"defaultValue"`
	} `xml:",any"`
}

type phaseXML struct {
	Name      string   `xml:"phaseName"`
	Condition string   `xml:"continuationCondition"`
	Execution string   `xml:"executionType"`
	Jobs      []string `xml:"phaseJobs>com.tikal.jenkins.plugins.multijob.PhaseJobsConfig>jobName"`
	Current   []bool   `xml:"phaseJobs>com.tikal.jenkins.plugins.multijob.PhaseJobsConfig>currParams"`
}

type listOfNames struct {
	List []struct{ XMLName xml.Name } `xml:",any"`
}

// read reads the XML of a job or view.
func readXML(t *testing.T, of interface{ XML() ([]byte, error) }) configXML {
	t.Helper()
	text, err := of.XML()
	if err != nil {
		t.Fatal(err)
	}
	var d configXML
	if err := xml.Unmarshal(text, &d); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return d
}

// job returns a job of a graph.
func jobOf(t *testing.T, g jenkins.Graph, name string) jenkins.Job {
	t.Helper()
	i := slices.IndexFunc(g.Jobs, func(j jenkins.Job) bool { return j.Name == name })
	if i < 0 {
		t.Fatalf("no job %s", name)
	}
	return g.Jobs[i]
}

// standIn is a docker that starts nothing and notes how it was called: the
// arguments and the environment. $RECORD/COMMAND, if it is there, says what
// else it does for a command such as run.
const standIn = `#!/bin/sh
call=$(mktemp "$RECORD/call.$(date +%s%N).XXXXXX")
env -0 >"$call.env"
printf '%s\0' "$@" >"$call.args.new"
mv "$call.args.new" "$call.args"
rm "$call"
if [ -f "$RECORD/$1" ]; then . "$RECORD/$1"; fi
`

// A call is one call of the docker that stands in.
type call struct {
	args []string
	env  map[string]string
}

// A bench is where scripts run: an agent with a docker that stands in.
type bench struct {
	t         *testing.T
	workspace string // the folder of all workspaces
	record    string
	path      string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, workspace: t.TempDir(), record: t.TempDir(), path: t.TempDir()}
	if err := os.WriteFile(filepath.Join(b.path, "docker"), []byte(standIn), 0o755); err != nil {
		t.Fatal(err)
	}
	return b
}

// on has docker do something for a command.
func (b *bench) on(command, script string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.record, command), []byte(script), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// command prepares a script as Jenkins runs it: its shell, workspace and
// environment, which is that of the build and nothing else.
func (b *bench) command(ctx context.Context, name, script string, env map[string]string) *exec.Cmd {
	b.t.Helper()
	workspace := filepath.Join(b.workspace, name)
	if err := os.MkdirAll(workspace, 0o755); err != nil {
		b.t.Fatal(err)
	}
	file := filepath.Join(b.t.TempDir(), "jenkins.sh")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		b.t.Fatal(err)
	}
	words := []string{"/bin/sh", "-xe", file}
	if interpreter, ok := strings.CutPrefix(script, "#!"); ok {
		line, _, _ := strings.Cut(interpreter, "\n")
		words = append(strings.Fields(line), file)
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir = workspace
	all := map[string]string{
		"PATH": b.path + ":/usr/local/bin:/usr/bin:/bin", "HOME": b.workspace, "RECORD": b.record,
		"WORKSPACE": workspace, "JOB_NAME": name, "BUILD_ID": "7", "BUILD_NUMBER": "7", "BUILD_TAG": "G2K7M0Q4ZX1P",
	}
	for key, value := range env {
		all[key] = value
	}
	for key, value := range all {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	return cmd
}

// run runs a script to its end.
func (b *bench) run(name, script string, env map[string]string) (status int, console string) {
	b.t.Helper()
	cmd := b.command(b.t.Context(), name, script, env)
	output, err := cmd.CombinedOutput()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return failed.ExitCode(), string(output)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return 0, string(output)
}

// calls are those of docker so far, in order, that begin with command, or all.
func (b *bench) calls(command string) []call {
	b.t.Helper()
	files, err := filepath.Glob(filepath.Join(b.record, "call.*.args"))
	if err != nil {
		b.t.Fatal(err)
	}
	slices.Sort(files)
	var calls []call
	for _, file := range files {
		c := call{args: b.words(file), env: map[string]string{}}
		for _, pair := range b.words(strings.TrimSuffix(file, "args") + "env") {
			name, value, _ := strings.Cut(pair, "=")
			c.env[name] = value
		}
		if command == "" || c.args[0] == command {
			calls = append(calls, c)
		}
	}
	return calls
}

func (b *bench) words(file string) []string {
	b.t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.Split(string(bytes.TrimSuffix(raw, []byte{0})), "\x00")
}

// started is a container as docker run was told to start it.
type started struct {
	Image   string
	Command []string
	Env     map[string]string
	Volumes []string
	Ports   []string
	Flags   map[string]string // all others that matter to what runs
}

// parse reads the arguments of docker run.
func (c call) parse(t *testing.T) started {
	t.Helper()
	s := started{Env: map[string]string{}, Flags: map[string]string{}}
	words := c.args[1:]
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		name, value, joined := strings.Cut(words[0], "=")
		words = words[1:]
		if name == "--rm" {
			s.Flags[name] = "true"
			continue
		}
		if !joined {
			value, words = words[0], words[1:]
		}
		switch name {
		case "-e":
			key, text, given := strings.Cut(value, "=")
			if !given { // docker takes it from its environment
				var ok bool
				if text, ok = c.env[key]; !ok {
					continue
				}
			}
			s.Env[key] = text
		case "-v":
			s.Volumes = append(s.Volumes, value)
		case "-p":
			s.Ports = append(s.Ports, value)
		case "--label":
			label, text, _ := strings.Cut(value, "=")
			s.Flags[label] = text
		default:
			s.Flags[name] = value
		}
	}
	slices.Sort(s.Volumes)
	slices.Sort(s.Ports)
	if len(words) == 0 {
		t.Fatalf("no image in %q", c.args)
	}
	s.Image, s.Command = words[0], words[1:]
	return s
}
