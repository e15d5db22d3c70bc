package jenkinstest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Results, from good to bad.
const (
	success  = "SUCCESS"
	unstable = "UNSTABLE"
	failure  = "FAILURE"
	aborted  = "ABORTED"
)

// badness orders results.
func badness(result string) int {
	switch result {
	case success:
		return 0
	case unstable:
		return 1
	case failure:
		return 2
	}
	return 3
}

func worse(a, b string) string {
	if badness(a) > badness(b) {
		return a
	}
	return b
}

// A build is a run of a job. Its fields are guarded by the server's lock, but
// for the console.
type build struct {
	job       *job
	number    int
	queueID   int
	params    []param
	handed    bool
	causes    []cause
	executor  int
	estimated time.Duration

	timestamp, started time.Time // since when it is, and since when it runs
	duration           time.Duration
	building           bool
	inProgress         bool // false at the real end
	result             string
	sub                []subBuild
	log                console

	stopOnce   sync.Once
	stop       chan struct{} // closed when it is to be aborted
	stopWhy    string        // what the console says then
	stopResult string
	done       chan struct{} // closed at the real end
}

func (b *build) ended() bool { return !b.inProgress }

// abort asks a build to end, with a result. The caller has the lock.
func (b *build) abort(why, result string) {
	if b.ended() {
		return
	}
	b.stopOnce.Do(func() {
		b.stopWhy, b.stopResult = why, result
		close(b.stop)
	})
}

func (b *build) stopped() bool {
	select {
	case <-b.stop:
		return true
	default:
		return false
	}
}

// eta is how long it will still take, as far as is known.
func (b *build) eta() string {
	if b.estimated < 0 {
		return "N/A"
	}
	return spanText(max(b.estimated-time.Since(b.timestamp), 0))
}

// env is the environment of a build's steps.
func (s *Server) env(b *build, workspace string) *environment {
	e := newEnvironment(s.o.Environ)
	number := strconv.Itoa(b.number)
	for _, v := range [][2]string{
		{"JENKINS_HOME", s.o.Home},
		{"HUDSON_HOME", s.o.Home},
		{"JENKINS_SERVER_COOKIE", "durable-" + s.bootID},
		{"HUDSON_SERVER_COOKIE", s.bootID},
		{"HUDSON_COOKIE", fmt.Sprintf("%s-%s-%d", s.bootID, b.job.name, b.number)},
		{"CI", "true"},
		{"BUILD_NUMBER", number},
		{"BUILD_ID", number},
		{"BUILD_DISPLAY_NAME", "#" + number},
		{"BUILD_TAG", "jenkins-" + strings.ReplaceAll(b.job.name, "/", "-") + "-" + number},
		{"JOB_NAME", b.job.name},
		{"JOB_BASE_NAME", b.job.name},
		{"EXECUTOR_NUMBER", strconv.Itoa(b.executor)},
		{"NODE_NAME", "built-in"},
		{"NODE_LABELS", "built-in"},
		{"WORKSPACE", workspace},
		{"WORKSPACE_TMP", workspace + "@tmp"},
	} {
		e.set(v[0], v[1])
	}
	if root := s.o.RootURL; root != "" {
		root = strings.TrimSuffix(root, "/") + "/"
		e.set("JENKINS_URL", root)
		e.set("HUDSON_URL", root)
		e.set("JOB_URL", root+"job/"+b.job.name+"/")
		e.set("BUILD_URL", root+"job/"+b.job.name+"/"+number+"/")
	}
	for _, p := range b.params {
		e.set(p.Name, p.Value)
	}
	return e
}

// run runs a build to its end.
func (s *Server) run(b *build) {
	s.mu.Lock()
	b.started = time.Now()
	config := b.job.config
	minutes, verdict := b.job.timeout()
	b.log.printf("%s", startedBy(b.causes))
	s.mu.Unlock()
	if minutes > 0 {
		overtime := time.AfterFunc(time.Duration(minutes*float64(s.o.Minute)), func() {
			b.log.printf("Build timed out (after %g minutes). Marking the build as %s.\n", minutes, map[string]string{aborted: "aborted", failure: "failed"}[verdict])
			s.locked(func() { b.abort("", verdict) })()
		})
		defer overtime.Stop()
	}
	result := s.steps(b, config)
	s.mu.Lock()
	if b.stopped() {
		result = b.stopResult
		b.log.printf("Build was aborted\n%s", b.stopWhy)
	} else if worst := b.worst(); worst != success {
		result = worst // a MultiJob is what its jobs are
	}
	b.result, b.building = result, false
	s.mu.Unlock()
	s.pause(b)
	b.log.printf("Finished: %s\n", result)
	b.log.finish()
	s.mu.Lock()
	defer s.mu.Unlock()
	b.inProgress, b.duration = false, time.Since(b.started)
	s.executors[b.executor] = false
	s.keepBuild(b)
	close(b.done)
	s.maintain()
}

// worst is the worst result of a MultiJob's builds, without those that were
// aborted with others.
func (b *build) worst() string {
	result := success
	for _, sub := range b.sub {
		if sub.build != nil && !sub.aborted && sub.build.result != "" {
			result = worse(result, sub.build.result)
		}
	}
	return result
}

// pause is what is done after the steps.
func (s *Server) pause(b *build) {
	if s.o.PostBuild <= 0 {
		return
	}
	timer := time.NewTimer(s.o.PostBuild)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.stop:
	}
}

// startedBy is how a console begins.
func startedBy(causes []cause) string {
	var text strings.Builder
	for _, c := range causes {
		if c.Upstream == "" {
			fmt.Fprintf(&text, "Started by user %s%s\n", userNote(), c.User)
			continue
		}
		fmt.Fprintf(&text, "Started by upstream project \"%s\" build number %d\noriginally caused by:\n", c.Upstream, c.UpstreamNo)
		for _, o := range c.Origin {
			fmt.Fprintf(&text, " Started by user %s%s\n", userNote(), o.User)
		}
	}
	return text.String() + "Running as SYSTEM\n[EnvInject] - Loading node environment variables.\n"
}

// steps runs the builders of a job and returns the result.
func (s *Server) steps(b *build, config *node) string {
	workspace, release, err := s.workspace(b)
	if err != nil {
		b.log.printf("ERROR: %v\n", err)
		return failure
	}
	defer release()
	b.log.printf("Building in workspace %s\n", workspace)
	if p, bad := badParam(b.params); bad {
		b.log.printf("ERROR: Invalid value for parameter [%s] specified: %s\n", p.Name, p.Value)
		return failure
	}
	env := s.env(b, workspace)
	result := success
	for _, step := range config.child("builders").elements() {
		if b.stopped() {
			return aborted
		}
		outcome, goOn, name := success, true, "Execute shell"
		switch step.name {
		case "hudson.tasks.Shell":
			outcome = s.shell(b, step, workspace, env)
			goOn = badness(outcome) <= badness(unstable)
		case "com.tikal.jenkins.plugins.multijob.MultiJobBuilder":
			name, goOn = "MultiJob Phase", s.phase(b, step)
			if !goOn {
				outcome = failure
			}
		case "hudson.plugins.copyartifact.CopyArtifact":
			outcome, goOn, name = failure, false, "Copy artifacts from another project"
			b.log.printf("ERROR: Unable to find project for artifact copy: %s\nThis may be due to incorrect project name or permission settings; see help for project name in job configuration.\n", step.value("project"))
		}
		result = worse(result, outcome)
		if !goOn {
			if !b.stopped() {
				b.log.printf("Build step '%s' marked build as failure\n", name)
			}
			break
		}
	}
	return result
}

// workspace makes the folder in which a build runs: its own, if another build
// of the job has the job's.
func (s *Server) workspace(b *build) (dir string, release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	base := filepath.Join(s.o.Home, "workspace", b.job.name)
	if custom := b.job.config.value("customWorkspace"); custom != "" {
		base = custom
	}
	dir = base
	for n := 2; s.workspaces[dir]; n++ {
		dir = fmt.Sprintf("%s@%d", base, n)
	}
	if err := errors.Join(os.MkdirAll(dir, 0o755)); err != nil {
		return "", nil, err
	}
	s.workspaces[dir] = true
	return dir, s.locked(func() { delete(s.workspaces, dir) }), nil
}
