package lint

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/testcases"
)

const smoke = "functest-kubernetes-smoke"

func tags(names ...string) []config.DockerTag {
	var all []config.DockerTag
	for _, name := range names {
		all = append(all, config.DockerTag{Name: name})
	}
	return all
}

// good is a suite of which there is nothing to say.
func good() config.Suite {
	return config.Suite{Container: smoke, Tests: []string{"k8s_conformance"}, Timeout: 3 * time.Hour}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*Subject)
		want   []string // level rule key: part of the text
	}{
		"the default site": {change: func(s *Subject) {}},
		"nothing wrong":    {change: func(s *Subject) { s.Site.Suites = []config.Suite{good()} }},
		"latest": {
			change: func(s *Subject) { s.Site.DockerTags = tags("latest") },
			want:   []string{"warning tag-latest docker_tags[0]: all suites"},
		},
		"latest of a suite": {
			change: func(s *Subject) {
				suite := good()
				suite.DockerTags = tags("v1.23", "latest")
				s.Site.Suites = []config.Suite{suite}
			},
			want: []string{"warning tag-latest suites[0].docker_tags[1]: functest-kubernetes-smoke run latest"},
		},
		"another release": {
			change: func(s *Subject) { s.Site.DockerTags = tags("v1.24") },
			want:   []string{"warning tag-not-release docker_tags[0]: images of v1.24, and are judged by the catalogue of v1.23"},
		},
		"tags that no suite has": {change: func(s *Subject) {
			suite := good()
			suite.DockerTags = tags("v1.23")
			s.Site.DockerTags, s.Site.Suites = tags("v1.24"), []config.Suite{suite}
		}},
		"another branch": {
			change: func(s *Subject) { s.Site.DockerTags = []config.DockerTag{{Name: "v1.23", Branch: "stable/v1.22"}} },
			want:   []string{"warning tag-not-release docker_tags[0]: of the branch stable/v1.22"},
		},
		"its own branch": {change: func(s *Subject) {
			s.Branch, s.Site.DockerTags = "stable/v1.23", []config.DockerTag{{Name: "v1.23", Branch: "stable/v1.23"}}
		}},
		"in another branch": {
			change: func(s *Subject) { s.Branch = "stable/v1.22" },
			want:   []string{"warning tag-not-release docker_tags[0]: in the branch stable/v1.22"},
		},
		"unknown test": {
			change: func(s *Subject) {
				suite := good()
				suite.Tests = []string{"k8s_conformance", "k8s_conformanc_serial", "netperf"}
				s.Site.Suites = []config.Suite{suite}
			},
			want: []string{
				"warning test-unknown suites[0].tests[1]: did you mean k8s_conformance_serial?",
				"warning test-elsewhere suites[0].tests[2]: netperf is in functest-kubernetes-benchmarking",
			},
		},
		"unknown container": {
			change: func(s *Subject) {
				s.Site.Suites = []config.Suite{{Container: "xtesting", Tests: []string{"first"}, Timeout: time.Hour}}
			},
			want: []string{"note test-unknown suites[0].container: xtesting is no container of v1.23"},
		},
		"excluded": {
			change: func(s *Subject) {
				suite := good()
				suite.Tests = append(suite.Tests, "sig_apps")
				suite.Exclude = []config.Exclusion{{Test: "sig_apps"}, {Tag: "v1.9", Test: "sig_apps"}}
				s.Site.Suites = []config.Suite{suite}
			},
			want: []string{
				"note test-excluded suites[0].tests[1]: no job is made",
				"warning exclude-nothing suites[0].exclude[1]: no v1.9 sig_apps",
			},
		},
		"timeouts of the role": {
			change: func(s *Subject) { s.Playbook, s.Site.Suites = true, []config.Suite{good()} },
			want:   []string{"warning timeout-ignored suites[0].timeout: ignores the timeout 3h of functest-kubernetes-smoke"},
		},
		"no timeout": {
			change: func(s *Subject) {
				suite := good()
				suite.Timeout = 0
				s.Site.Suites = []config.Suite{suite}
			},
			want: []string{"note timeout-none suites: functest-kubernetes-smoke: without"},
		},
		"timeouts of campaigns": {
			change: func(s *Subject) {
				s.Site.Jobs.Wrappers = []config.JobWrapper{
					{Timeout: &config.JobTimeout{Timeout: 3}},
					{Timeout: &config.JobTimeout{Timeout: 2}},
					{Timeout: &config.JobTimeout{Timeout: 60, Type: "likely-stuck"}},
					{Timeout: &config.JobTimeout{Timeout: 1, Type: "no-activity"}},
					{Timeout: &config.JobTimeout{Type: "likely-stuck"}},
				}
			},
			want: []string{
				"warning timeout-ignored jobs.wrappers[1]: 2 min, and takes 3 min",
				"warning timeout-ignored jobs.wrappers[2]: with likely-stuck",
			},
		},
		"ports": {
			change: func(s *Subject) {
				alone, twice := good(), good()
				alone.PublishedPorts = []string{"8080:80", "192.0.2.1:9000:1", "127.0.0.1:9000:1", "8181:53/udp", ":80"}
				twice.PublishedPorts = []string{"7000:1", "127.0.0.1:7000:2", "127.0.0.2:7001:2", "127.0.0.3:7001:2"}
				s.Site.Suites = []config.Suite{alone, twice}
			},
			want: []string{
				"error port-twice suites[0].published_ports[0]: port 8080, which Jenkins of the stack",
				"error port-twice suites[0].published_ports[2]: port 127.0.0.1:9000, which MinIO of the stack",
				"error port-twice suites[1].published_ports[1]: port 127.0.0.1:7000, which functest-kubernetes-smoke",
			},
		},
		"ports side by side": {
			change: func(s *Subject) {
				s.Site.PublishedPorts = []string{"7000:1"}
				one, two := good(), good()
				one.Tests, two.Tests = append(one.Tests, "sig_apps"), append(two.Tests, "sig_apps")
				two.Execution = config.ExecutionSequential
				s.Site.Suites = []config.Suite{one, two}
			},
			want: []string{"error port-twice published_ports[0]: side by side"},
		},
		"kubeconfig at a wrong place": {
			change: func(s *Subject) {
				s.Site.Kubeconfig = ""
				s.Site.Volumes = []string{"/x:/x", "/k:/home/xtesting/.kube/config:ro"}
				s.Site.Suites = []config.Suite{good()}
			},
			want: []string{"error kubeconfig-target volumes[1]: at /home/xtesting/.kube/config, and opnfv/functest-kubernetes-smoke:v1.23 look for it at /root/.kube/config"},
		},
		"kubeconfig of a suite at a wrong place": {
			change: func(s *Subject) {
				s.Site.Kubeconfig = ""
				suite := good()
				suite.DockerTags, suite.Volumes = tags("v1.24"), []string{"/k:/root/.kube/config"}
				s.Site.Suites = []config.Suite{suite}
			},
			want: []string{
				"warning tag-not-release suites[0].docker_tags[0]: v1.24",
				"error kubeconfig-target suites[0].volumes[0]: look for it at /home/xtesting/.kube/config",
			},
		},
		"kubeconfig in a folder": {change: func(s *Subject) {
			s.Site.Kubeconfig, s.Site.Volumes = "", []string{"/k:/root/.kube"}
		}},
		"kubeconfig by a variable": {change: func(s *Subject) {
			s.Site.Kubeconfig, s.Site.Env = "", map[string]string{"KUBECONFIG": "/x"}
		}},
		"no kubeconfig": {
			change: func(s *Subject) { s.Site.Kubeconfig, s.Site.Suites = "", []config.Suite{good()} },
			want:   []string{"warning kubeconfig-missing kubeconfig: tests cannot reach the cluster"},
		},
		"images that are gone": {
			change: func(s *Subject) {
				s.Site.Stack.Minio.Image, s.Site.Stack.Minio.Mirrors = "minio/minio:RELEASE.2025-03-12T18-04-18Z", nil
				s.Site.Stack.Registry.Image = "minio/minio" // not enabled
			},
			want: []string{"error image-gone stack.minio.image: use quay.io/minio/minio:RELEASE.2025-03-12T18-04-18Z"},
		},
		"gone, with a mirror": {
			change: func(s *Subject) {
				s.Site.Stack.Minio.Image, s.Site.Stack.Minio.Mirrors = "minio/minio:1", []string{"docker.io/minio/minio:1", "lab/minio:1"}
			},
			want: []string{"warning image-gone stack.minio.image: the mirror lab/minio:1"},
		},
		"gone, and not needed": {change: func(s *Subject) {
			s.Site.Stack.Minio.Image, s.Site.Stack.Minio.External.Endpoint = "minio/minio:1", "https://s3.lab"
		}},
		"a suite that is gone": {
			change: func(s *Subject) {
				s.Site.Suites = []config.Suite{{Container: "mongodb", Repo: "bitnami", Tests: []string{"x"}, Timeout: time.Hour, DockerTags: tags("8")}}
			},
			want: []string{"note test-unknown", "error image-gone suites[0]: use docker.io/bitnamilegacy/mongodb:8"},
		},
		"variables of jobs": {
			change: func(s *Subject) {
				s.Site.Env = map[string]string{"S3_DST_URL": "x"}
				s.Site.DockerTags = []config.DockerTag{{Name: "v1.23", Env: config.Env{{Name: "NODE_NAME"}}}}
				suite := good()
				suite.Env = &config.Env{{Name: "BUILD_TAG"}, {Name: "OTHER"}}
				s.Site.Suites = []config.Suite{suite}
			},
			want: []string{
				"warning env-overridden env.S3_DST_URL: by each job itself", "warning env-overridden docker_tags[0].NODE_NAME: no effect",
				"warning env-overridden suites[0].env.BUILD_TAG: no effect",
			},
		},
		"default passwords": {
			change: func(s *Subject) { s.Site.Stack.Bind, s.Site.Stack.Jenkins.Password = "0.0.0.0", "chosen" },
			want:   []string{"warning password-default stack.bind: stack.minio.jobs_secret_key, stack.minio.secret_key"},
		},
		"passwords of one's own": {change: func(s *Subject) {
			stack := &s.Site.Stack
			stack.Bind, stack.Jenkins.Password, stack.Minio.SecretKey, stack.Minio.JobsSecretKey = "0.0.0.0", "a", "b", "c"
		}},
		"a release without a specification": {
			change: func(s *Subject) { s.Site.Release = "v1.34" },
			want:   []string{"note release-unspecified release: v1.34", "note release-unlisted release: v1.34"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Subject{Site: config.Default()}
			test.change(&s)
			var err error
			if s.Catalog, err = testcases.Load(s.Site.Release); err != nil {
				t.Fatal(err)
			}
			if err := s.Site.Validate(); err != nil {
				t.Fatalf("the site of the test is none: %v", err)
			}
			findings, err := Check(s)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range findings {
				got = append(got, string(f.Level)+" "+f.Rule+" "+f.Key+": "+f.Text)
			}
			if len(got) != len(test.want) {
				t.Fatalf("found\n%s\nwant %d:\n%s", strings.Join(got, "\n"), len(test.want), strings.Join(test.want, "\n"))
			}
			for i, want := range test.want {
				subject, text, _ := strings.Cut(want, ": ")
				if !strings.HasPrefix(got[i], subject) || !strings.Contains(got[i], text) {
					t.Errorf("found %s\nwant %s", got[i], want)
				}
			}
		})
	}
}

// Every finding is of a rule, and each rule says what to do.
func TestRules(t *testing.T) {
	t.Parallel()
	var ids []string
	for _, rule := range Rules() {
		if slices.Contains(ids, rule.ID) {
			t.Errorf("%s is there twice", rule.ID)
		}
		ids = append(ids, rule.ID)
		if rule.Text == "" || rule.Help == "" || !slices.Contains([]Level{LevelError, LevelWarning, LevelNote}, rule.Level) {
			t.Errorf("%s lacks something: %+v", rule.ID, rule)
		}
	}
}

func TestGone(t *testing.T) {
	t.Parallel()
	all, err := goneImages()
	if err != nil || len(all) == 0 {
		t.Fatalf("%d lines are read, and %v", len(all), err)
	}
	for _, g := range all {
		if g.From == "" || g.Instead == "" || g.Why == "" || !strings.HasPrefix(g.Source, "https://") {
			t.Errorf("%+v lacks something", g)
		}
	}
	for image, want := range map[string]string{
		"minio/minio":                     "quay.io/minio/minio:latest",
		"docker.io/minio/mc:1":            "quay.io/minio/mc:1",
		"index.docker.io/minio/mc:1":      "quay.io/minio/mc:1",
		"minio/minio:1@sha256:00":         "quay.io/minio/minio@sha256:00",
		"quay.io/minio/minio:1":           "",
		"localhost/minio/minio:1":         "",
		"registry.lab:5000/minio/minio":   "",
		"minio":                           "",
		"opnfv/minio/minio":               "",
		"bitnami/mongodb:8":               "docker.io/bitnamilegacy/mongodb:8",
		"bitnami/mongodb:latest":          "",
		"bitnamilegacy/mongodb:8":         "",
		"docker.io/library/mongo:8.0.6":   "",
		"opnfv/xtesting-jenkins:lts-slim": "",
	} {
		if _, got := whereNow(all, image); got != want {
			t.Errorf("%s is now %q, want %q", image, got, want)
		}
	}
	for _, image := range []string{config.Default().Stack.Jenkins.Image, config.Default().Stack.Minio.Image, config.Default().Stack.Registry.Image} {
		if _, instead := whereNow(all, image); instead != "" {
			t.Errorf("%s is a default, and gone", image)
		}
	}
}

func TestReadPort(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]published{
		"1:2":               {port: "1", protocol: "tcp"},
		"127.0.0.1:1:2":     {address: "127.0.0.1", port: "1", protocol: "tcp"},
		"[::1]:1:2/udp":     {address: "::1", port: "1", protocol: "udp"},
		"127.0.0.1:1:2/tcp": {address: "127.0.0.1", port: "1", protocol: "tcp"},
		"2":                 {},
		"127.0.0.1::2":      {},
	} {
		if got, ok := readPort(text); ok != (want.port != "") || ok && got != want {
			t.Errorf("%s is read as %+v, %t", text, got, ok)
		}
	}
}
