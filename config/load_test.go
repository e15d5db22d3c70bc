package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	want := func(change func(*Site)) Site {
		s := Default()
		change(&s)
		return s
	}
	for _, test := range []struct {
		name    string
		file    string
		environ []string
		set     []string
		want    Site
	}{
		{name: "defaults", want: Default()},
		{name: "an empty file", file: "# nothing yet\n", want: Default()},
		{
			name: "names of environment variables keep their case",
			file: "env:\n  http_proxy: http://a\n  HTTP_PROXY: http://b\n  with.dot: 1\n",
			want: Site{}, // with.dot is refused below
		},
		{
			name: "no variable at all", file: "env: {DEPLOY_SCENARIO: null, A: ''}\n",
			want: want(func(s *Site) { s.Env, s.EnvOrder = map[string]string{"A": ""}, []string{"A"} }),
		},
		{
			name:    "file, environment, flags, each over the one before",
			file:    "project: from-file\nfailure: continue\nstack:\n  prefix: /from/file\n",
			environ: []string{"PATH=/bin", "XTCI_TEST_DEMAND=docker", "XTCI_PROJECT=from-env", "XTCI_STACK_PREFIX=/from/env", "XTCI_ENV_HTTP_PROXY=http://p"},
			set:     []string{"stack.prefix=/from/set", "env.Mixed_Case=x"},
			want: want(func(s *Site) {
				s.Project, s.Failure, s.Stack.Prefix = "from-env", FailureContinue, "/from/set"
				s.Env["HTTP_PROXY"], s.Env["Mixed_Case"] = "http://p", "x"
				s.EnvOrder = append(s.EnvOrder, "HTTP_PROXY", "Mixed_Case")
			}),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := Options{Environ: test.environ, Set: test.set}
			if test.file != "" {
				o.File = filepath.Join(t.TempDir(), "xtci.yaml")
				if err := os.WriteFile(o.File, []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := Load(o)
			if test.want.Project == "" {
				if err == nil || !strings.Contains(err.Error(), "env:") {
					t.Fatalf("got %v, want an error that names env", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("site (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, file string
		environ    []string
		set        []string
		want       []string // in the message
	}{
		{name: "a misspelt key", file: "project: x\nrelaese: v1.23\n", want: []string{"xtci.yaml:2", `"relaese"`, `"release"`}},
		{name: "a misspelt nested key", file: "stack:\n  prefx: /x\n", want: []string{"xtci.yaml:2", `"stack.prefx"`, `"stack.prefix"`}},
		{name: "a wrong type", file: "project: [a]\n", want: []string{"xtci.yaml:1: a list cannot be used here: want a text"}},
		{name: "a text for a number", file: "stack:\n  jenkins: {port: abc}\n", want: []string{`xtci.yaml:2: "abc" cannot be used here: want a whole number`}},
		{name: "a time without its unit", file: "suites:\n- {container: a, tests: [b], timeout: 5}\n", want: []string{`xtci.yaml:2: "5" cannot be used here: want a time with its unit, such as 90s`}},
		{name: "two wrong types", file: "stack:\n  minio: {port: x}\nvolumes: {a: b}\n", want: []string{`xtci.yaml:2: "x" cannot`, "xtci.yaml:3: a mapping cannot be used here: want a list of texts"}},
		{name: "no keys at all", file: "hello\n", want: []string{`xtci.yaml:1: "hello" cannot be used here: want keys and their values`}},
		{name: "a flag with a text for a number", set: []string{"stack.jenkins.port=abc"}, want: []string{"--set stack.jenkins.port=abc: want a whole number"}},
		{name: "a flag with a time without its unit", set: []string{"stack.jenkins.timeout=90"}, want: []string{"--set stack.jenkins.timeout=90: want a time with its unit, such as 90s"}},
		{name: "a variable that is neither true nor false", environ: []string{"XTCI_STACK_FILES_ENABLED=maybe"}, want: []string{"XTCI_STACK_FILES_ENABLED: want true or false"}},
		{name: "no YAML", file: "\t:\n", want: []string{"xtci.yaml"}},
		{name: "a file that is not there", want: []string{"absent.yaml"}},
		{name: "a value that is not one of two", set: []string{"failure=maybe"}, want: []string{"failure", `"maybe"`, "stop or continue"}},
		{name: "a flag without a value", set: []string{"failure"}, want: []string{"--set failure", "KEY=VALUE"}},
		{name: "a flag for a key that is none", set: []string{"stack.prefx=1"}, want: []string{`"stack.prefix"`}},
		{name: "a variable for a key that is none", environ: []string{"XTCI_PROJEKT=1"}, want: []string{"XTCI_PROJEKT", `"project"`}},
		{name: "a misspelt key in a list", file: "suites:\n- container: a\n  tests: [b]\n- contaner: c\n", want: []string{"xtci.yaml:4", `"suites.contaner"`, `"suites.container"`}},
		{name: "a misspelt key below a list in a list", file: "jobs:\n  properties:\n  - build-blocker:\n      blocking-job: [x]\n", want: []string{"xtci.yaml:4", `"jobs.properties.build-blocker.blocking-jobs"`}},
		{name: "a wrong type in a list", file: "suites:\n- container: a\n  privileged: maybe\n", want: []string{`xtci.yaml:3: "maybe" cannot be used here: want true or false`}},
		{name: "a list that is none", file: "suites: {container: a}\n", want: []string{"xtci.yaml:1: a mapping cannot be used here: want a list"}},
		{name: "two keys at one tag", file: "docker_tags:\n- {a: {}, b: {}}\n", want: []string{"xtci.yaml", "line 2", "one tag"}},
		{name: "a variable twice", file: "suites:\n- container: a\n  tests: [b]\n  env: {A: 1, A: 2}\n", want: []string{"xtci.yaml", `line 4`}},
		{name: "a test twice", file: "suites:\n- {container: a, tests: [b, b]}\n", want: []string{"suites[0].tests", `"b"`, "once"}},
		{name: "less memory than Docker takes", file: "suites:\n- {container: a, tests: [b], memory: 5m}\n", want: []string{"suites[0].memory", `"5m"`, "512m"}},
		{name: "memory that is none", file: "suites:\n- {container: a, tests: [b], memory: much}\n", want: []string{"suites[0].memory", `"much"`}},
		{name: "fewer processors than none", file: "suites:\n- {container: a, tests: [b], cpus: -1}\n", want: []string{"suites[0].cpus", `"-1"`}},
		{name: "processors that are no number", file: "suites:\n- {container: a, tests: [b], cpus: .nan}\n", want: []string{"suites[0].cpus"}},
		{name: "no tests", file: "suites:\n- {container: a}\n", want: []string{"suites[0].tests", "name the tests"}},
		{name: "an image for a container", file: "suites:\n- {container: 'a:v1', tests: [b]}\n", want: []string{"suites[0].container", `"a:v1"`}},
		{name: "an execution that is none", file: "suites:\n- {container: a, tests: [b], execution: both}\n", want: []string{"suites[0].execution", `"both"`, "parallel or sequential"}},
		{name: "a volume that is none", set: []string{"volumes=/only"}, want: []string{"volumes", `"/only"`, "HOST-PATH"}},
		{name: "a flag for an element of a list", set: []string{"suites.container=a"}, want: []string{`"suites.container"`, "file"}},
		{name: "a flag for a list of structures", set: []string{"docker_tags=v1.23"}, want: []string{`"docker_tags"`, "file"}},
		{name: "a timeout without minutes", file: "jobs:\n  wrappers:\n  - timeout: {fail: true}\n", want: []string{"jobs.wrappers[0].timeout.timeout", "minutes"}},
		{name: "a publisher that says nothing", file: "jobs:\n  publishers: [{}]\n", want: []string{"jobs.publishers[0]", "email"}},
		{name: "a project that is no name", set: []string{"project=../x"}, want: []string{"project", `"../x"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := Options{Environ: test.environ, Set: test.set, File: filepath.Join(t.TempDir(), "absent.yaml")}
			if test.file != "" {
				o.File = filepath.Join(t.TempDir(), "xtci.yaml")
				if err := os.WriteFile(o.File, []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if test.environ != nil || test.set != nil {
				o.File = ""
			}
			_, err := Load(o)
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not name %s", err, part)
				}
			}
		})
	}
}

func TestDigestTellsSitesApart(t *testing.T) {
	t.Parallel()
	digest := func(s Site) string {
		t.Helper()
		d, err := s.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	other, moved, suites := Default(), Default(), Default()
	suites.Suites = []Suite{{Container: "a", Tests: []string{"b"}}}
	if digest(Default()) == digest(suites) {
		t.Error("other suites have the same digest")
	}
	other.Env["X"] = "1"
	moved.Stack.Prefix = "/elsewhere"
	if digest(Default()) == digest(other) {
		t.Error("another environment has the same digest")
	}
	if digest(Default()) != digest(moved) {
		t.Error("the folder for results changes what is tested")
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("project: x\nenv: {A: b}\n")
	f.Add("stack: {prefix: /x}\n")
	f.Fuzz(func(t *testing.T, text string) {
		file := filepath.Join(t.TempDir(), "xtci.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		site, err := Load(Options{File: file})
		if err == nil && site.Project == "" {
			t.Errorf("accepted a site without a project: %q", text)
		}
	})
}

func TestLoadSuites(t *testing.T) {
	t.Parallel()
	root := 0
	file := filepath.Join(t.TempDir(), "xtci.yaml")
	text := `
repo: registry.example/lab
dport: 5000
env: {Z: '1', DEPLOY_SCENARIO: k8-x, A: 'two words'}
volumes: ['/a:/b']
docker_tags:
- v1.23
- 2023.1: {node: arm, branch: stable/2023.1, DASHBOARD_URL: 'http://d', lower: x}
- latest:
suites:
- container: first
  tests: [one, two]
- container: second
  repo: _
  dport: 443
  docker_tags: [old]
  tests: [three]
  execution: sequential
  condition: always
  env: {B: 2, A: ''}
  volumes: []
  published_ports: ['80:80']
  privileged: true
  memory: 4g
  cpus: 1.5
  network: host
  uid: 0
  timeout: 3h
  exclude: [{tag: old, test: three}]
jobs:
  extra_prefix: night-
  triggers: []
  publishers:
  - email-ext: {recipients: root@localhost, failure: false, first-failure: true, fixed: true}
  wrappers:
  - timeout: {timeout: 90, fail: true, type: absolute}
stack: {minio: {mirrors: []}}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	site, err := Load(Options{File: file, Set: []string{"jobs.extra_suffix=-run", "env.B=3"}})
	if err != nil {
		t.Fatal(err)
	}
	no := false
	want := Default()
	want.Repo, want.DPort = "registry.example/lab", 5000
	want.Env = map[string]string{"Z": "1", "DEPLOY_SCENARIO": "k8-x", "A": "two words", "B": "3"}
	want.EnvOrder = []string{"Z", "DEPLOY_SCENARIO", "A", "B"}
	want.Volumes = []string{"/a:/b"}
	want.DockerTags = []DockerTag{
		{Name: "v1.23"},
		{Name: "2023.1", Node: "arm", Branch: "stable/2023.1", Env: Env{{"DASHBOARD_URL", "http://d"}, {"lower", "x"}}},
		{Name: "latest"},
	}
	want.Suites = []Suite{
		{Container: "first", Tests: []string{"one", "two"}},
		{
			Container: "second", Repo: "_", DPort: 443, DockerTags: []DockerTag{{Name: "old"}}, Tests: []string{"three"},
			Execution: ExecutionSequential, Condition: ConditionAlways, Env: &Env{{"B", "2"}, {"A", ""}}, Volumes: []string{},
			PublishedPorts: []string{"80:80"}, Privileged: true, Memory: "4g", CPUs: 1.5, Network: "host", UID: &root, Timeout: 3 * time.Hour,
			Exclude: []Exclusion{{Tag: "old", Test: "three"}},
		},
	}
	want.Jobs.ExtraPrefix, want.Jobs.ExtraSuffix, want.Jobs.Triggers = "night-", "-run", []JobTrigger{}
	want.Jobs.Publishers = []JobPublisher{{EmailExt: &EmailExt{Recipients: "root@localhost", Failure: &no, FirstFailure: true, Fixed: true}}}
	want.Jobs.Wrappers = []JobWrapper{{Timeout: &JobTimeout{Timeout: 90, Fail: true, Type: "absolute"}}}
	want.Stack.Minio.Mirrors = []string{}
	if diff := cmp.Diff(want, site); diff != "" {
		t.Errorf("site (-want +got):\n%s", diff)
	}
	variables := Env{{"Z", "1"}, {"DEPLOY_SCENARIO", "k8-x"}, {"A", "two words"}, {"B", "3"}}
	if diff := cmp.Diff(variables, site.Variables()); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
}
