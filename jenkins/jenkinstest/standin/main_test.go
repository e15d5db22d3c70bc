package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/jenkins/jenkinstest"
)

func environ(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "jenkins.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestOptions(t *testing.T) {
	t.Parallel()
	secret := write(t, "from a file\n")
	casc := write(t, `
jenkins:
  systemMessage: hello
  numExecutors: 6
  securityRealm:
    local:
      allowsSignup: false
      users:
      - {id: "${USER_ID}", password: "${readFile:`+secret+`}"}
      - {id: other, password: "${NONE:-fallback}^${NONE}"}
unclassified:
  location: {url: "http://jenkins.example/"}
`)
	o, err := options(environ(map[string]string{
		"CASC_JENKINS_CONFIG": casc, "USER_ID": "admin", "JENKINS_OPTS": "--prefix=/ci/ --httpPort=0", "XTCI_STANDIN_DELAY": "10s",
		"XTCI_STANDIN_WITHOUT": "git", "JENKINS_HOME": "/home",
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := jenkinstest.Options{
		Addr: "0.0.0.0:0", Prefix: "/ci", Home: "/home", Executors: 6, RootURL: "http://jenkins.example/",
		Users:       []jenkinstest.User{{Name: "admin", Password: "from a file"}, {Name: "other", Password: "fallback${NONE}"}},
		QuietPeriod: 5 * time.Second, Refused: 2 * time.Second, NotReady: 8 * time.Second, Plugins: jenkinstest.PluginsWithout("git"),
	}
	if diff := cmp.Diff(want, o); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// A folder, as Jenkins takes one too.
	if o, err := options(environ(map[string]string{"CASC_JENKINS_CONFIG": filepath.Dir(casc), "USER_ID": "x"})); err != nil || len(o.Users) != 2 {
		t.Errorf("a folder: %+v, %v", o, err)
	}
	for _, bad := range []map[string]string{
		{"XTCI_STANDIN_DELAY": "soon"},
		{"CASC_JENKINS_CONFIG": "/none"},
		{"CASC_JENKINS_CONFIG": write(t, "jenkins: [")},
		{"CASC_JENKINS_CONFIG": write(t, `{jenkins: {securityRealm: {local: {users: [{id: a, password: "${readFile:/none}"}]}}}}`)},
	} {
		if _, err := options(environ(bad)); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}

// started takes what is printed, and sends the address in it.
type started chan string

func (s started) Write(p []byte) (int, error) {
	_, rest, _ := strings.Cut(string(p), "http://")
	address, _, _ := strings.Cut(rest, "/")
	s <- "http://" + strings.Replace(address, "0.0.0.0", "127.0.0.1", 1)
	return len(p), nil
}

func TestServe(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, ended := make(started, 1), make(chan error, 1)
	home := t.TempDir()
	go func() {
		ended <- serve(ctx, environ(map[string]string{"JENKINS_OPTS": "--httpPort=0", "JENKINS_HOME": home}), out)
	}()
	address := <-out
	response, err := http.Get(address + "/login")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.Header.Get("X-Jenkins") == "" {
		t.Errorf("got %v, %v", response.Header, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
