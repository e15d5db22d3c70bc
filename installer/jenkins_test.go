package installer

import (
	"strings"
	"testing"
	"time"

	"github.com/anuket-project/xtci/internal/docker/dockertest"
)

// withJenkins adds the stand-in for Jenkins, which starts slowly as the real
// one does, and takes its configuration.
func (l *lab) withJenkins() {
	l.t.Helper()
	jenkins := &l.site.Stack.Jenkins
	jenkins.Enabled, jenkins.Port = true, dockertest.Port(l.t)
	jenkins.Image = dockertest.Shared(l.t, l.engine, "jenkins-standin", dockertest.Rootfs{
		Files:   map[string]string{"/standin": dockertest.Build(l.t, "./jenkins/jenkinstest/standin")},
		Folders: []string{"/tmp", "/var/jenkins_home"},
		Changes: []string{`ENTRYPOINT ["/standin"]`, "ENV XTCI_STANDIN_DELAY=500ms"},
	})
}

func TestJenkinsIsWaitedFor(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.site.Stack.Minio.Enabled = false
	l.withJenkins()
	l.site.Stack.Jenkins.Password = `it's "${HOME}" $1 \ ^ #`
	l.up()
	l.healthy()
	if plan := l.up(); plan != "" {
		t.Errorf("again: %s", plan)
	}
	// another password: Jenkins is told, by a restart
	l.site.Stack.Jenkins.Password = "another"
	if plan := l.up(); plan != "recreate "+l.site.Stack.Name+"-jenkins: its files changed\n" {
		t.Errorf("plan: %s", plan)
	}
	l.healthy()
}

func TestAWrongPasswordIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.site.Stack.Minio.Enabled = false
	l.withJenkins()
	l.up()
	endpoints, err := l.site.Outside()
	if err != nil {
		t.Fatal(err)
	}
	other := newLab(t)
	other.site.Stack.Minio.Enabled = false
	other.site.Stack.Jenkins = l.site.Stack.Jenkins
	other.site.Stack.Jenkins.External.URL, other.site.Stack.Jenkins.Password = endpoints.Jenkins, "sesame"
	started := time.Now()
	err = other.fails("jenkins:")
	if waited := time.Since(started); waited > other.site.Stack.Jenkins.Timeout/2 || strings.Contains(err.Error(), "sesame") {
		t.Errorf("after %s: %v", waited, err)
	}
	other.site.Stack.Jenkins.Password = "admin"
	other.up()
	other.healthy()
}
