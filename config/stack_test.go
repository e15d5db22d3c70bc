package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func TestLoadStack(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "xtci.yaml")
	content := `wiring: classic
address: 192.0.2.10
stack:
  bind: 0.0.0.0
  prefix: ` + t.TempDir() + `
  jenkins: {image: registry.lab/jenkins@sha256:1, mirrors: [a/b, c/d], timeout: 90s, executors: 4}
  minio: {secret_key: "from file", external: {endpoint: "https://s3.lab:9000"}}
  testdb: {engine: opnfv, memory: 1g}
`
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	site, err := Load(Options{
		File: file, Environ: []string{"XTCI_STACK_MINIO_CONSOLE_PORT=19001", "XTCI_STACK_JENKINS_PASSWORD=from env"},
		Set: []string{"stack.files.enabled=false", "stack.minio.mirrors=x/y,z/w"},
	})
	if err != nil {
		t.Fatal(err)
	}
	stack := site.Stack
	want := defaultStack()
	want.Bind, want.Prefix = "0.0.0.0", stack.Prefix
	want.Jenkins.Image, want.Jenkins.Mirrors = "registry.lab/jenkins@sha256:1", []string{"a/b", "c/d"}
	want.Jenkins.Timeout, want.Jenkins.Executors, want.Jenkins.Password = 90*time.Second, 4, "from env"
	want.Minio.SecretKey, want.Minio.External.Endpoint = "from file", "https://s3.lab:9000"
	want.Minio.ConsolePort, want.Minio.Mirrors = 19001, []string{"x/y", "z/w"}
	want.TestDB.Engine, want.TestDB.Memory = EngineOPNFV, "1g"
	want.Files.Enabled = false
	if diff := cmp.Diff(want, stack); diff != "" {
		t.Errorf("stack (-want +got):\n%s", diff)
	}
	if stack.TestDB.MemoryBytes() != 1<<30 || stack.Files.MemoryBytes() != 512<<20 {
		t.Errorf("memory is %d and %d bytes", stack.TestDB.MemoryBytes(), stack.Files.MemoryBytes())
	}
}

func TestStackRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		set  string
		want []string // in the message
	}{
		{"stack.bind=lab.example", []string{"stack.bind", "IP address"}},
		{"stack.name=Lab", []string{"stack.name", "lower-case"}},
		{"stack.prefix=", []string{"stack.prefix", "folder"}},
		{"stack.minio.port=0", []string{"stack.minio.port", "65535"}},
		{"stack.minio.port=8000", []string{"stack.testdb.port", "the same as stack.minio.port"}},
		{"stack.minio.memory=1", []string{"stack.minio.memory", "512m"}},
		{"stack.minio.port=x", []string{"stack.minio.port", "x"}},
		{"stack.minio.memory=2 GB", []string{"stack.minio.memory", "512m"}},
		{"stack.jenkins.timeout=soon", []string{"stack.jenkins.timeout", "want a time with its unit"}},
		{"stack.jenkins.timeout=0s", []string{"stack.jenkins.timeout", "90s"}},
		{"stack.jenkins.executors=1", []string{"stack.jenkins.executors", "wait for ever"}},
		{"stack.minio.bucket=A_b", []string{"stack.minio.bucket"}},
		{"stack.testdb.engine=oracle", []string{"stack.testdb.engine", "xtci or opnfv"}},
		{"stack.minio.external.endpoint=minio:9000", []string{"stack.minio.external.endpoint", "http://HOST:PORT"}},
		{"stack.minio=x", []string{"stack.minio", "keys of its own"}},
		{"stack.minio.prot=1", []string{`"stack.minio.port"`}},
		{"wiring=public", []string{"wiring", "private or classic"}},
		{"archive.by=me", []string{"archive.by", "xtci or container"}},
		{"address=lab", []string{"address", "IP address"}},
	} {
		t.Run(test.set, func(t *testing.T) {
			t.Parallel()
			_, err := Load(Options{Set: []string{test.set}})
			if err == nil {
				t.Fatal("no error")
			}
			for _, text := range test.want {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("the error %q does not say %q", err, text)
				}
			}
		})
	}
}

func TestSecretsDoNotShow(t *testing.T) {
	t.Parallel()
	site := Default()
	site.Stack.Minio.SecretKey = "hunter2"
	asJSON, err := json.Marshal(site)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(site)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("site", "secret", site.Stack.Minio.SecretKey, "minio", site.Stack.Minio)
	for _, text := range []string{string(asJSON), string(asYAML), log.String(), fmt.Sprintf("%v %+v %#v %s", site, site, site, site.Stack.Minio.SecretKey)} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("it shows in %s", text)
		}
	}
	if site.Stack.Minio.SecretKey.Reveal() != "hunter2" {
		t.Error("Reveal does not give it")
	}
}

func TestGeneratePasswords(t *testing.T) {
	t.Parallel()
	load := func(prefix string, set ...string) Site {
		t.Helper()
		site, err := Load(Options{Set: append(set, "stack.prefix="+prefix)})
		if err != nil {
			t.Fatal(err)
		}
		return site
	}
	prefix := filepath.Join(t.TempDir(), "new")
	site := load(prefix, "stack.jenkins.password=chosen")
	keys, err := site.GeneratePasswords()
	if diff := cmp.Diff([]string{"stack.minio.jobs_secret_key", "stack.minio.secret_key"}, keys); diff != "" || err != nil {
		t.Errorf("keys (-want +got): %v\n%s", err, diff)
	}
	if len(site.DefaultPasswords()) > 0 || site.Stack.Jenkins.Password != "chosen" || len(site.Stack.Minio.SecretKey) < 20 {
		t.Errorf("the site has %#v, default ones are %v", site.passwords(), site.DefaultPasswords())
	}
	info, err := os.Stat(site.Secrets())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: want a file that only its owner reads", info, err)
	}
	again := load(prefix)
	if again.Stack.Minio.SecretKey != site.Stack.Minio.SecretKey || again.Stack.Jenkins.Password != "admin" {
		t.Error("the next site does not have what was generated, or more")
	}
	if chosen := load(prefix, "stack.minio.secret_key=mine"); chosen.Stack.Minio.SecretKey != "mine" {
		t.Error("what was generated goes before what the site says")
	}
	if keys, err := again.GeneratePasswords(); err != nil || !slices.Equal(keys, []string{"stack.jenkins.password"}) {
		t.Errorf("generated again: %v, %v", keys, err)
	}
	if last := load(prefix); last.Stack.Minio.SecretKey != site.Stack.Minio.SecretKey || len(last.DefaultPasswords()) > 0 {
		t.Error("generating again changed what was there")
	}
	if err := os.WriteFile(site.Secrets(), []byte("stack.minio.sekret: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(Options{Set: []string{"stack.prefix=" + prefix}}); err == nil || !strings.Contains(err.Error(), "stack.minio.sekret") {
		t.Errorf("an unknown key: %v", err)
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	site := Default()
	site.Stack.Minio.Port, site.Stack.Jenkins.External.URL, site.Stack.Registry.Enabled = 19000, "https://ci.lab/jenkins/", true
	site.Stack.TestDB.External.URL = "http://db.lab:8000/api/v1/"
	for _, test := range []struct {
		name            string
		change          func(*Site)
		inside, outside Endpoints
	}{
		{
			name: "private", change: func(*Site) {},
			inside:  Endpoints{Jenkins: "https://ci.lab/jenkins", S3: "http://minio:9000", TestDB: "http://db.lab:8000", Files: "http://files:8181", Registry: "http://127.0.0.1:5000"},
			outside: Endpoints{Jenkins: "https://ci.lab/jenkins", S3: "http://127.0.0.1:19000", TestDB: "http://db.lab:8000", Files: "http://127.0.0.1:8181", Registry: "http://127.0.0.1:5000"},
		},
		{
			name: "classic, on every address", change: func(s *Site) { s.Wiring, s.Stack.Bind, s.Address = WiringClassic, "0.0.0.0", "192.0.2.10" },
			inside:  Endpoints{Jenkins: "https://ci.lab/jenkins", S3: "http://192.0.2.10:19000", TestDB: "http://db.lab:8000", Files: "http://192.0.2.10:8181", Registry: "http://127.0.0.1:5000"},
			outside: Endpoints{Jenkins: "https://ci.lab/jenkins", S3: "http://192.0.2.10:19000", TestDB: "http://db.lab:8000", Files: "http://192.0.2.10:8181", Registry: "http://127.0.0.1:5000"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := site
			test.change(&s)
			inside, err := s.Inside()
			if diff := cmp.Diff(test.inside, inside); diff != "" || err != nil {
				t.Errorf("inside (-want +got): %v\n%s", err, diff)
			}
			outside, err := s.Outside()
			if diff := cmp.Diff(test.outside, outside); diff != "" || err != nil {
				t.Errorf("outside (-want +got): %v\n%s", err, diff)
			}
		})
	}
}
