package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/anuket-project/xtci/config/playbook"
)

// TestPublicPlaybooks reads and renders every playbook in the checkouts that
// XTCI_TEST_PUBLIC names, parted by colons: those of the role itself, and of
// projects that have campaigns for it (make test-public). Where one checkout is
// the role, and ansible-playbook and jenkins-jobs (Jenkins Job Builder) are
// there, the jobs are compared with those that the role's own template makes:
// names, kinds, parameters, triggers, phases, and the containers they start.
func TestPublicPlaybooks(t *testing.T) {
	checkouts := filepath.SplitList(os.Getenv("XTCI_TEST_PUBLIC"))
	if len(checkouts) == 0 {
		t.Skip("NO PLAYBOOKS OF OTHERS ARE READ: name checkouts by XTCI_TEST_PUBLIC (make test-public)")
	}
	reference := newReference(t, checkouts)
	for _, checkout := range checkouts {
		for _, file := range playbooksIn(t, checkout) {
			name, err := filepath.Rel(filepath.Dir(checkout), file)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				testPublic(t, file, reference)
			})
		}
	}
}

// playbooksIn are the files that are lists of plays and name the role.
func playbooksIn(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !slices.Contains([]string{".yml", ".yaml"}, filepath.Ext(name)) {
			return err
		}
		text, err := os.ReadFile(name)
		if err == nil && bytes.Contains(text, []byte("collivier.xtesting")) && bytes.Contains(text, []byte("hosts:")) && playbook.Is(text) {
			files = append(files, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

const publicAddress = "192.0.2.10"

func testPublic(t *testing.T, file string, reference *jobBuilder) {
	t.Helper()
	var told bytes.Buffer
	a := &app{out: io.Discard, err: &told, configFile: file, output: "text", sets: []string{
		"wiring=classic", "archive.by=container", "address=" + publicAddress,
	}}
	read, err := a.playbook(file)
	if err != nil {
		t.Fatal(err)
	}
	sites, err := a.sites()
	if err != nil {
		t.Fatal(err)
	}
	graph, err := a.graphs(sites)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]jobFacts{}
	for _, job := range graph.Jobs {
		text, err := job.XML()
		if err != nil {
			t.Fatal(err)
		}
		got[job.Name] = factsOf(t, job.Name, text)
	}
	for _, view := range graph.Views {
		got["view "+view.Name] = jobFacts{Kind: "view", Triggers: []string{view.Regex}}
	}
	t.Logf("READ %d campaigns, %d jobs and views, %d findings", len(read.Campaigns), len(got), len(read.Findings))
	if reference == nil {
		return
	}
	want := reference.jobs(t, file)
	if len(want) == 0 {
		t.Log("NOT COMPARED: the role makes no jobs in Jenkins of it")
		return
	}
	t.Logf("COMPARED %d jobs and views", len(want))
	known := knownDifferences(want, got, read.Findings)
	for _, difference := range known {
		t.Log("KNOWN DIFFERENCE: " + difference)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(jobFacts{}, "Quoted")); diff != "" {
		t.Errorf("jobs (-role +xtci):\n%s", diff)
	}
}

// knownDifferences takes what is known to differ, and named in
// docs/playbooks.md, out of what is compared. It returns what it took.
func knownDifferences(want, got map[string]jobFacts, findings []playbook.Finding) []string {
	var known []string
	images := func(name string) bool { return strings.HasSuffix(name, "-pull") || strings.HasSuffix(name, "-rmi") }
	kubernetes := !slices.ContainsFunc(slices.Collect(maps.Keys(want)), images)
	supported := !slices.ContainsFunc(findings, func(f playbook.Finding) bool {
		return f.Level == playbook.LevelWarning && (f.Variable == "kubernetes_deploy" || f.Variable == "use_kubernetes")
	})
	if kubernetes && !supported {
		known = append(known, "jobs in Kubernetes: images are not removed and pulled, and volumes are in the workspace")
		for name, facts := range got {
			if images(name) {
				delete(got, name)
				continue
			}
			facts.Phases = slices.DeleteFunc(facts.Phases, func(line string) bool {
				return strings.HasPrefix(line, "remove former images ") || strings.HasPrefix(line, "pull containers ") || images(strings.Fields(line)[0])
			})
			got[name] = facts
		}
		for _, all := range []map[string]jobFacts{want, got} {
			for name, facts := range all {
				facts.Starts = slices.DeleteFunc(facts.Starts, func(line string) bool { return strings.HasPrefix(line, "-v ") })
				all[name] = facts
			}
		}
	}
	if slices.ContainsFunc(slices.Collect(maps.Values(want)), func(f jobFacts) bool { return f.Quoted }) {
		known = append(known, "the role's scripts hand volumes with $JOB_NAME or $WORKSPACE to Docker as they are, between quotes: here they are paths")
	}
	return known
}

// jobFacts are what people and other jobs see of a job, and what it starts.
type jobFacts struct {
	Kind                         string
	Parameters, Triggers, Phases []string
	Blocker, Copies, Around      []string
	Starts                       []string
	Quoted                       bool // Docker is told of variables rather than their values
}

// element is any XML.
type element struct {
	XMLName  xml.Name
	Text     string    `xml:",chardata"`
	Elements []element `xml:",any"`
}

// all are the elements below one that have a name.
func (e element) all(name string) []element {
	var found []element
	for _, below := range e.Elements {
		if below.XMLName.Local == name {
			found = append(found, below)
		}
		found = append(found, below.all(name)...)
	}
	return found
}

func (e element) text(name string) string {
	if found := e.all(name); len(found) > 0 {
		return strings.TrimSpace(found[0].Text)
	}
	return ""
}

// parsed is the XML of a job or a view.
func parsed(t *testing.T, name string, text []byte) element {
	t.Helper()
	var root element
	text = regexp.MustCompile(`^<\?xml[^>]*\?>`).ReplaceAll(bytes.TrimSpace(text), nil) // some say that it is version 1.1
	if err := xml.Unmarshal(text, &root); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return root
}

func factsOf(t *testing.T, name string, text []byte) jobFacts {
	t.Helper()
	root := parsed(t, name, text)
	f := jobFacts{Kind: root.XMLName.Local}
	defaults := map[string]string{}
	for _, list := range root.all("parameterDefinitions") {
		for _, p := range list.Elements {
			value := p.text("defaultValue")
			f.Parameters = append(f.Parameters, strings.Join([]string{p.XMLName.Local, p.text("name"), value}, " "))
			defaults[p.text("name")] = value
		}
	}
	for _, trigger := range root.all("hudson.triggers.TimerTrigger") {
		f.Triggers = append(f.Triggers, trigger.text("spec"))
	}
	for _, phase := range root.all("com.tikal.jenkins.plugins.multijob.MultiJobBuilder") {
		f.Phases = append(f.Phases, strings.Join([]string{phase.text("phaseName"), phase.text("continuationCondition"), phase.text("executionType")}, " "))
		for _, job := range phase.all("com.tikal.jenkins.plugins.multijob.PhaseJobsConfig") {
			kill := job.text("killPhaseOnJobResultCondition")
			if kill == "" {
				kill = "NEVER" // as MultiJob takes it
			}
			f.Phases = append(f.Phases, strings.Join([]string{"  ", job.text("jobName"), job.text("currParams"), kill, job.text("abortAllJob")}, " "))
		}
	}
	for _, blocker := range root.all("hudson.plugins.buildblocker.BuildBlockerProperty") {
		f.Blocker = append(f.Blocker, strings.TrimSpace(blocker.text("blockingJobs")), blocker.text("blockLevel"), blocker.text("scanQueueFor"))
	}
	for _, artifact := range root.all("hudson.plugins.copyartifact.CopyArtifact") {
		f.Copies = append(f.Copies, artifact.text("project")+artifact.text("projectName")+" "+artifact.text("filter"))
	}
	for _, part := range [...]string{"publishers", "buildWrappers"} {
		for _, list := range root.all(part) {
			for _, e := range list.Elements {
				f.Around = append(f.Around, e.XMLName.Local+" "+e.text("recipientList")+e.text("recipients")+e.text("timeoutMinutes"))
			}
		}
	}
	for _, shell := range root.all("hudson.tasks.Shell") {
		calls := starts(t, name, shell.text("command"), defaults)
		f.Quoted = f.Quoted || strings.Contains(calls, "$JOB_NAME") || strings.Contains(calls, "$WORKSPACE")
		calls = strings.NewReplacer("$JOB_NAME", name, "$WORKSPACE", "/data/jenkins/workspace/"+name).Replace(calls)
		f.Starts = append(f.Starts, sortedCalls(calls)...)
	}
	return f
}

// dockerStub writes its arguments into a file, a line each.
const dockerStub = "#!/bin/sh\nprintf '%s\\n' CALL \"$@\" >>\"$CALLS\"\n"

// starts runs the script of a job with a docker that only says what it was
// told, and returns that, or how it failed.
func starts(t *testing.T, name, script string, parameters map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for _, tool := range [...]string{"docker", "chown"} {
		if err := os.WriteFile(filepath.Join(dir, tool), []byte(dockerStub), 0o700); err != nil { //nolint:gosec // it is to be run
			t.Fatal(err)
		}
	}
	for tool, text := range map[string]string{"chown": "#!/bin/sh\n", "sudo": "#!/bin/sh\nexec \"$@\"\n", "podman": "#!/bin/sh\nshift\nexec docker \"$@\"\n"} {
		if err := os.WriteFile(filepath.Join(dir, tool), []byte(text), 0o700); err != nil { //nolint:gosec // it is to be run
			t.Fatal(err)
		}
	}
	calls := filepath.Join(dir, "calls")
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + dir + ":/usr/bin:/bin", "CALLS=" + calls, "WORKSPACE=" + filepath.Join(dir, "workspace"), "JOB_NAME=" + name, "BUILD_ID=7",
		"BUILD_NUMBER=7", "BUILD_TAG=EXAMPLE12345", "HOME=" + dir,
	}
	for parameter, value := range parameters {
		if parameter != "build_tag" {
			cmd.Env = append(cmd.Env, parameter+"="+value)
		}
	}
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Sprintf("%v: %s", err, output)
	}
	raw, err := os.ReadFile(calls)
	if err != nil {
		return err.Error()
	}
	return strings.ReplaceAll(string(raw), dir, "DIR")
}

// sortedCalls joins options with their values and sorts them: no engine minds
// their order.
func sortedCalls(raw string) []string {
	var all []string
	for call := range strings.SplitSeq(strings.TrimPrefix(raw, "CALL\n"), "CALL\n") {
		words := strings.Split(strings.TrimSuffix(call, "\n"), "\n")
		var options []string
		i := 1
		for i < len(words) && strings.HasPrefix(words[i], "-") {
			option := words[i]
			if slices.Contains([]string{"-e", "-v", "-p"}, option) && i+1 < len(words) {
				i++
				option += " " + words[i]
			}
			if key := regexp.MustCompile(`^-e AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY)=`).FindString(option); key != "" {
				option = key // the root's with the role
			}
			options = append(options, option)
			i++
		}
		slices.Sort(options)
		all = append(all, words[0])
		all = append(all, options...)
		all = append(all, words[i:]...)
	}
	return all
}

// jobBuilder makes jobs by the role's own template.
type jobBuilder struct {
	roles     string // a folder with the role, of which only the template is left
	inventory string
}

// newReference is nil where there is nothing to compare with.
func newReference(t *testing.T, checkouts []string) *jobBuilder {
	t.Helper()
	for _, tool := range [...]string{"ansible-playbook", "jenkins-jobs"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Logf("NOT COMPARED WITH THE ROLE'S JOBS, WITHOUT %s (apt-get install ansible-core jenkins-job-builder)", tool)
			return nil
		}
	}
	i := slices.IndexFunc(checkouts, func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, "templates", "run.yaml.j2"))
		return err == nil
	})
	if i < 0 {
		t.Log("NOT COMPARED WITH THE ROLE'S JOBS, WITHOUT A CHECKOUT OF THE ROLE (github.com/collivier/ansible-role-xtesting)")
		return nil
	}
	checkout, err := filepath.Abs(checkouts[i])
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	role := filepath.Join(dir, "collivier.xtesting")
	if err := os.MkdirAll(filepath.Join(role, "tasks"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, part := range [...]string{"defaults", "templates"} {
		if err := os.Symlink(filepath.Join(checkout, part), filepath.Join(role, part)); err != nil {
			t.Fatal(err)
		}
	}
	const task = `- ansible.builtin.template:
    src: run.yaml.j2
    dest: "{{ reference_dir }}/{{ now(fmt='%s%f') }}.yaml"
  when: jenkins_create_jobs and not deps_only
`
	files := map[string]string{
		filepath.Join(role, "tasks", "main.yml"): task,
		filepath.Join(dir, "inventory"):          "127.0.0.1 ansible_connection=local\n[xtestingci]\n127.0.0.1\n",
	}
	for name, text := range files {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &jobBuilder{dir, filepath.Join(dir, "inventory")}
}

// jobs are those of the role for a playbook, whose own tasks are left out.
func (b *jobBuilder) jobs(t *testing.T, file string) map[string]jobFacts {
	t.Helper()
	out := t.TempDir()
	copied := t.TempDir() // with its host_vars and all
	if err := os.CopyFS(copied, os.DirFS(filepath.Dir(file))); err != nil {
		t.Fatal(err)
	}
	plays := filepath.Join(copied, filepath.Base(file))
	if err := os.WriteFile(plays, onlyRoles(t, file), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "ansible-playbook", "-i", b.inventory, plays, "-e",
		`{"reference_dir": "`+out+`", "ansible_default_ipv4": {"address": "`+publicAddress+`"}}`)
	cmd.Env = append(os.Environ(), "ANSIBLE_ROLES_PATH="+b.roles, "ANSIBLE_GATHERING=explicit", "ANSIBLE_NOCOWS=1", "HOME="+t.TempDir())
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ansible-playbook: %v: %s", err, output)
	}
	made, err := filepath.Glob(filepath.Join(out, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]jobFacts{}
	for _, definition := range made { // the later ones replace what the earlier have, as in Jenkins
		xmls := filepath.Join(out, strings.TrimSuffix(filepath.Base(definition), ".yaml"))
		cmd := exec.CommandContext(t.Context(), "jenkins-jobs", "--flush-cache", "test", "--config-xml", "-o", xmls, definition)
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("jenkins-jobs: %v: %s", err, output)
		}
		found, err := filepath.Glob(filepath.Join(xmls, "*", "config.xml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range found {
			text, err := os.ReadFile(one)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Base(filepath.Dir(one))
			switch {
			case gate.MatchString(name):
			case bytes.Contains(text, []byte("<hudson.model.ListView")):
				all["view "+name] = jobFacts{Kind: "view", Triggers: []string{parsed(t, name, text).text("includeRegex")}}
			default:
				all[name] = factsOf(t, name, text)
			}
		}
	}
	return all
}

// gate are the jobs of gates, which xtci does not have.
var gate = regexp.MustCompile(`-(docker|review|tox|trivy|grype|sbom|build|dep-pull|dep-rmi|gate|push)(-|$)`)

// onlyRoles is a playbook with nothing but what its calls of the role need.
func onlyRoles(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var kept bytes.Buffer
	skip := false
	for line := range strings.Lines(string(text)) {
		if key := regexp.MustCompile(`^( {2}|- )([a-z_]+):`).FindStringSubmatch(line); key != nil {
			skip = slices.Contains([]string{"tasks", "pre_tasks", "post_tasks", "handlers", "environment"}, key[2])
		}
		if !skip {
			kept.WriteString(line)
		}
	}
	return kept.Bytes()
}
