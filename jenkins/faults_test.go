package jenkins_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/jenkins"
	"github.com/anuket-project/xtci/jenkins/jenkinstest"
)

// What a real Jenkins cannot be made to do for a test: these run against the
// stand-in alone.

// standin starts a stand-in and a client of it.
func standin(t *testing.T, o jenkinstest.Options) (*jenkinstest.Server, *jenkins.Client) {
	t.Helper()
	s := jenkinstest.New(t, o)
	return s, connect(t, s.URL, "admin", "admin")
}

// create makes a job on a stand-in.
func create(t *testing.T, c *jenkins.Client, name, config string) {
	t.Helper()
	if err := c.CreateJob(t.Context(), name, config); err != nil {
		t.Fatal(err)
	}
}

// trigger starts a job and waits until it runs.
func trigger(t *testing.T, c *jenkins.Client, job string, params map[string]string) jenkins.Build {
	t.Helper()
	queued, err := c.Trigger(t.Context(), job, params)
	if err != nil {
		t.Fatal(err)
	}
	build, err := c.Await(t.Context(), queued, quick(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return build
}

func TestAStartingJenkinsIsWaitedFor(t *testing.T) {
	t.Parallel()
	_, c := standin(t, jenkinstest.Options{Refused: 200 * time.Millisecond, NotReady: 300 * time.Millisecond})
	if _, err := c.Version(t.Context()); err == nil {
		t.Error("it says its version before it is there")
	}
	create(t, c, "x", "<project/>") // nothing was sent of it before Jenkins was there
}

func TestAJenkinsThatStaysAwayIsAnError(t *testing.T) {
	t.Parallel()
	s := jenkinstest.New(t, jenkinstest.Options{NotReady: time.Hour})
	c, err := jenkins.New(jenkins.ClientOptions{URL: s.URL, User: "admin", Password: "secret-word", Patience: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Check(t.Context(), jenkins.Requirements{})
	if err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "Jenkins may still be starting") || strings.Contains(err.Error(), "secret-word") {
		t.Errorf("starting: %v", err)
	}
	s.Close()
	_, err = c.Check(t.Context(), jenkins.Requirements{})
	if err == nil || !strings.Contains(err.Error(), "refused") || strings.Contains(err.Error(), "secret-word") {
		t.Errorf("not there: %v", err)
	}
	if err := c.CreateJob(t.Context(), "x", "<project/>"); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("create: %v", err)
	}
}

func TestSomethingElseIsNoJenkins(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"html": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>It works!</html>") },
		"json": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://sso.example/login?token=hidden", http.StatusFound)
		},
		"huge": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Jenkins", "2")
			for range 33 {
				_, _ = w.Write(make([]byte, 1<<20))
			}
		},
	} {
		server := httptest.NewServer(answer)
		t.Cleanup(server.Close)
		_, err := connect(t, server.URL, "admin", "admin").Check(t.Context(), jenkins.Requirements{})
		if err == nil || strings.Contains(err.Error(), "hidden") || name == "html" && !errors.Is(err, jenkins.ErrNotJenkins) || name == "json" && !errors.Is(err, jenkins.ErrNotJenkins) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, address := range []string{"", "ftp://host", "http://", "http://user:hidden@host/", "http://host/?a=b", "http://h ost:hidden"} {
		if _, err := jenkins.New(jenkins.ClientOptions{URL: address}); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestNothingIsSentTwice(t *testing.T) {
	t.Parallel()
	s, c := standin(t, jenkinstest.Options{})
	create(t, c, "first", "<project/>")
	s.Requests()
	s.Cut(1)
	if err := c.CreateJob(t.Context(), "x", "<project/>"); err == nil {
		t.Error("the connection was cut, and that is no error")
	}
	if asked := s.Requests(); len(asked) != 0 {
		t.Errorf("the POST was sent again: %v", asked)
	}
	s.Cut(2)
	if _, err := c.JobConfig(t.Context(), "first"); err != nil {
		t.Errorf("a GET is not sent again: %v", err)
	}
}

func TestASessionSurvivesARestart(t *testing.T) {
	t.Parallel()
	s, c := standin(t, jenkinstest.Options{Auth: 50 * time.Millisecond})
	create(t, c, "a", "<project/>")
	create(t, c, "b", "<project/>")
	crumbs := func() (n int) {
		for _, r := range s.Requests() {
			if strings.HasPrefix(r.Path, "/crumbIssuer") {
				n++
			}
		}
		return n
	}
	if n := crumbs(); n != 1 {
		t.Errorf("%d crumbs for two POSTs", n)
	}
	if err := s.Restart(50*time.Millisecond, 50*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	create(t, c, "c", "<project/>")
	if n := crumbs(); n != 1 {
		t.Errorf("%d crumbs after the restart", n)
	}
}

func TestAPasswordIsCheckedOnce(t *testing.T) {
	t.Parallel()
	s, c := standin(t, jenkinstest.Options{Auth: 100 * time.Millisecond})
	create(t, c, "a", "<project/>")
	began := time.Now()
	for i := range 10 {
		create(t, c, fmt.Sprint(i), "<project/>")
	}
	if took := time.Since(began); took > 900*time.Millisecond {
		t.Errorf("10 requests took %s: each password was checked", took)
	}
	token := s.Token("admin")
	s.Requests()
	create(t, connect(t, s.URL, "admin", token), "with-a-token", "<project/>")
	for _, r := range s.Requests() {
		if strings.Contains(r.Path, "j_spring_security_check") {
			t.Error("the token was sent as a password")
		}
	}
}

func TestMissingPluginsAreNamed(t *testing.T) {
	t.Parallel()
	_, c := standin(t, jenkinstest.Options{Plugins: jenkinstest.PluginsWithout(jenkinstest.BuildBlocker, jenkinstest.MultiJob), Executors: 1})
	graph := jenkins.Graph{Jobs: []jenkins.Job{{
		Name: "daily", Kind: jenkins.KindMultiJob, Blocker: &jenkins.Blocker{}, Parameters: []jenkins.Parameter{{Kind: jenkins.ParameterRandom, Name: "build_tag"}},
	}}}
	problems, err := c.Check(t.Context(), graph.Requirements())
	if err != nil || len(problems) != 3 || !strings.Contains(problems[0].What, "build-blocker-plugin") || !strings.Contains(problems[1].What, "jenkins-multijob-plugin") ||
		!strings.Contains(problems[2].What, "1 executors") {
		t.Errorf("got %v, %v", problems, err)
	}
	err = c.CreateJob(t.Context(), "daily", multiJobOf(""))
	if err == nil || !strings.Contains(err.Error(), "Logging ID=") || !strings.Contains(err.Error(), "plugin") {
		t.Errorf("create: %v", err)
	}
}

func TestPermissionsThatLackAreNamed(t *testing.T) {
	t.Parallel()
	s := jenkinstest.New(t, jenkinstest.Options{Users: []jenkinstest.User{
		{Name: "reader", Password: "reader", Permissions: []string{jenkinstest.Read, jenkinstest.JobRead}},
	}})
	problems, err := connect(t, s.URL, "reader", "reader").Check(t.Context(), jenkins.Requirements{Plugins: []jenkins.Requirement{{Plugin: "git", NeededBy: "x"}}})
	if err != nil || len(problems) != 2 || !strings.Contains(problems[0].What, "reader is missing the Job/Create permission") || !strings.Contains(problems[1].What, "which plugins there are") {
		t.Errorf("got %v, %v", problems, err)
	}
}

func TestTheVanishedIsApplied(t *testing.T) {
	t.Parallel()
	s, c := standin(t, jenkinstest.Options{Plugins: jenkinstest.PluginsWithout("git")})
	want := jenkins.Wanted{Projects: []string{"p"}, Jobs: []jenkins.Document{{Name: "x", XML: "<project>" + describedAs(jenkins.Managed("p")) +
		`<scm class="hudson.plugins.git.GitSCM"><configVersion>2</configVersion></scm></project>`}}}
	if _, err := c.Apply(t.Context(), want, jenkins.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Save("x"); err != nil {
		t.Fatal(err)
	}
	changes, err := c.Diff(t.Context(), want)
	if err != nil || len(changes) != 1 || changes[0].Action != jenkins.Update || !slices.ContainsFunc(changes[0].Lines, func(line string) bool {
		return strings.HasPrefix(line, "+") && strings.Contains(line, "GitSCM")
	}) {
		t.Errorf("got %+v, %v", changes, err)
	}
}

// A gate lets a job of the stand-in go on when its file is there.
type gate string

func newGate(t *testing.T) gate { return gate(filepath.Join(t.TempDir(), "gate")) }

func (g gate) wait() string { return "while [ ! -e " + string(g) + " ]; do sleep .01; done" }

func (g gate) open(t *testing.T) {
	t.Helper()
	if err := writeFile(string(g)); err != nil {
		t.Error(err)
	}
}

func TestFollowSurvivesCutConnections(t *testing.T) {
	t.Parallel()
	s, c := standin(t, jenkinstest.Options{Executors: 3})
	g := newGate(t)
	create(t, c, "child", freestyleOf(g.wait()))
	create(t, c, "parent", multiJobOf("", phaseOf("one", "PARALLEL", "SUCCESSFUL", "child")))
	build := trigger(t, c, "parent", nil)
	var kinds []jenkins.EventKind
	outcome, err := c.Follow(t.Context(), build, quick(), func(e jenkins.Event) {
		kinds = append(kinds, e.Kind)
		switch e.Kind {
		case jenkins.JobStarted:
			s.CloseConnections()
			s.Cut(3)
		case jenkins.Back:
			g.open(t)
		}
	})
	if err != nil || !outcome.Good() {
		t.Fatalf("%+v, %v", outcome, err)
	}
	want := []jenkins.EventKind{
		jenkins.BuildStarted, jenkins.PhaseStarted, jenkins.JobStarted, jenkins.Lost, jenkins.Back, jenkins.JobEnded, jenkins.BuildEnded,
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFollowSurvivesARestart(t *testing.T) {
	t.Parallel()
	s, c := standin(t, jenkinstest.Options{Executors: 3})
	create(t, c, "child", freestyleOf("echo working\nsleep 600"))
	create(t, c, "parent", multiJobOf("", phaseOf("one", "PARALLEL", "SUCCESSFUL", "child")))
	build := trigger(t, c, "parent", nil)
	restarted := make(chan error, 1)
	var kinds []jenkins.EventKind
	outcome, err := c.Follow(t.Context(), build, quick(), func(e jenkins.Event) {
		kinds = append(kinds, e.Kind)
		if e.Kind == jenkins.JobStarted {
			go func() { restarted <- s.Restart(200*time.Millisecond, 200*time.Millisecond) }()
		}
	})
	if err := <-restarted; err != nil {
		t.Fatal(err)
	}
	if err != nil || outcome.Result != jenkins.ResultAborted || len(outcome.Jobs) != 1 || outcome.Jobs[0].Result != jenkins.ResultAborted {
		t.Errorf("%+v, %v", outcome, err)
	}
	if !slices.Contains(kinds, jenkins.Lost) || !slices.Contains(kinds, jenkins.Back) || kinds[len(kinds)-1] != jenkins.BuildEnded {
		t.Errorf("events: %v", kinds)
	}
}

func TestAwaitSurvivesARestart(t *testing.T) {
	t.Parallel()
	s, c := standin(t, jenkinstest.Options{Executors: 1})
	create(t, c, "busy", freestyleOf("sleep 600"))
	create(t, c, "x", freestyleOf("true", asksFor("build_tag")))
	trigger(t, c, "busy", nil)
	queued, err := c.Trigger(t.Context(), "x", map[string]string{"build_tag": "CAMPAIGN1"})
	if err != nil {
		t.Fatal(err)
	}
	restarted := make(chan error, 1)
	var why []string
	build, err := c.Await(t.Context(), queued, quick(), func(text string) {
		why = append(why, text)
		go func() { restarted <- s.Restart(100*time.Millisecond, 100*time.Millisecond) }()
	})
	if err := errors.Join(err, <-restarted); err != nil {
		t.Fatal(err)
	}
	if build != (jenkins.Build{Job: "x", Number: 1}) || len(why) != 1 || why[0] != "Waiting for next available executor" {
		t.Errorf("got %v, waited for %q", build, why)
	}
	// By now Jenkins has forgotten the item, and knows the build by it.
	if err := s.Restart(0, 0); err != nil {
		t.Fatal(err)
	}
	if again, err := c.Await(t.Context(), queued, quick(), nil); err != nil || again != build {
		t.Errorf("after the build: %v, %v", again, err)
	}
	if found, err := c.Find(t.Context(), "x", "build_tag", "CAMPAIGN1"); err != nil || found != build {
		t.Errorf("find: %v, %v", found, err)
	}
}

func TestATriggerWhoseAnswerIsLostIsFound(t *testing.T) {
	t.Parallel()
	s := jenkinstest.New(t, jenkinstest.Options{})
	var cut atomic.Bool
	transport := http.DefaultTransport
	c, err := jenkins.New(jenkins.ClientOptions{URL: s.URL, User: "admin", Password: "admin", Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		response, err := transport.RoundTrip(r)
		if err == nil && strings.HasSuffix(r.URL.Path, "/buildWithParameters") && cut.CompareAndSwap(false, true) {
			response.Body.Close()
			return nil, errors.Join(context.DeadlineExceeded, errors.New("connection lost"))
		}
		return response, err
	})})
	if err != nil {
		t.Fatal(err)
	}
	create(t, c, "x", freestyleOf("true", asksFor("build_tag", "V=1")))
	queued, err := c.Trigger(t.Context(), "x", map[string]string{"build_tag": "CAMPAIGN1"})
	if err != nil || queued.ID != 1 {
		t.Fatalf("%+v, %v", queued, err)
	}
	cut.Store(false)
	if _, err := c.Trigger(t.Context(), "x", map[string]string{"V": "2"}); err == nil {
		t.Error("a build that cannot be told from others was found")
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestABuildThatJenkinsLostIsGone(t *testing.T) {
	t.Parallel()
	s, c := standin(t, jenkinstest.Options{})
	create(t, c, "x", freestyleOf("true"))
	build := trigger(t, c, "x", nil)
	if _, err := c.Follow(t.Context(), build, quick(), nil); err != nil {
		t.Fatal(err)
	}
	if !s.Forget("x") {
		t.Fatal("there was nothing to forget")
	}
	if _, err := c.Follow(t.Context(), build, quick(), nil); !errors.Is(err, jenkins.ErrGone) {
		t.Errorf("got %v", err)
	}
}

func TestAJenkinsThatIsAwayForTooLongIsGivenUp(t *testing.T) {
	t.Parallel()
	s, c := standin(t, jenkinstest.Options{})
	create(t, c, "x", freestyleOf("sleep 600"))
	build := trigger(t, c, "x", nil)
	o := jenkins.FollowOptions{Poll: 20 * time.Millisecond, Away: 300 * time.Millisecond}
	_, err := c.Follow(t.Context(), build, o, func(e jenkins.Event) {
		if e.Kind == jenkins.BuildStarted {
			s.Close()
		}
	})
	if err == nil || !strings.Contains(err.Error(), "no Jenkins for") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err = c.Follow(ctx, build, quick(), func(e jenkins.Event) {
		if e.Kind == jenkins.Lost {
			cancel(errors.New("enough"))
		}
	})
	if err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("cancelled: %v", err)
	}
}

func TestExpectedTimesComeFromPastBuilds(t *testing.T) {
	t.Parallel()
	_, c := standin(t, jenkinstest.Options{Executors: 3})
	create(t, c, "child", freestyleOf("sleep .3"))
	create(t, c, "parent", multiJobOf("", phaseOf("one", "PARALLEL", "SUCCESSFUL", "child")))
	for i := range 2 {
		var events []jenkins.Event
		if _, err := c.Follow(t.Context(), trigger(t, c, "parent", nil), quick(), func(e jenkins.Event) { events = append(events, e) }); err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			started := e.Kind == jenkins.BuildStarted || e.Kind == jenkins.JobStarted
			if known := e.Run.Expected >= 300*time.Millisecond && e.Run.Expected < 10*time.Second; started && known != (i == 1) {
				t.Errorf("build %d, %s %s: expected to take %s", i+1, e.Kind, e.Run.Job, e.Run.Expected)
			}
			if e.Kind == jenkins.JobEnded && (e.Run.Elapsed < 300*time.Millisecond || e.Run.Elapsed > 10*time.Second) {
				t.Errorf("took %s", e.Run.Elapsed)
			}
		}
	}
}

func TestWhatRunsIsNotRemoved(t *testing.T) {
	t.Parallel()
	_, c := standin(t, jenkinstest.Options{})
	create(t, c, "old", freestyleOf("sleep 600", describedAs(jenkins.Managed("p"))))
	build := trigger(t, c, "old", nil)
	changes, err := c.Apply(t.Context(), jenkins.Wanted{Projects: []string{"p"}}, jenkins.ApplyOptions{Prune: true})
	if err != nil || len(changes) != 1 || changes[0].Why != "it is running" {
		t.Errorf("got %+v, %v", changes, err)
	}
	if _, err := c.JobConfig(t.Context(), "old"); err != nil {
		t.Errorf("it is gone: %v", err)
	}
	if err := c.Stop(t.Context(), build); err != nil {
		t.Fatal(err)
	}
}

func TestAnApplyThatFailsStops(t *testing.T) {
	t.Parallel()
	_, c := standin(t, jenkinstest.Options{Plugins: jenkinstest.PluginsWithout(jenkinstest.MultiJob)})
	owner := describedAs(jenkins.Managed("p"))
	want := jenkins.Wanted{Projects: []string{"p"}, Jobs: []jenkins.Document{
		{Name: "child", XML: freestyleOf("true", owner)}, {Name: "parent", XML: multiJobOf(owner)},
	}, Views: []jenkins.Document{{Name: "v", XML: listViewOf("x", owner)}}}
	var done []string
	_, err := c.Apply(t.Context(), want, jenkins.ApplyOptions{Progress: func(n, total int, change jenkins.Change) {
		done = append(done, fmt.Sprint(n, "/", total, " ", change))
	}})
	if err == nil || !strings.HasPrefix(err.Error(), "create the job parent: POST /createItem: 500 ") {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]string{"1/3 create job child"}, done); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want.Jobs[0].XML = freestyleOf("true")
	if _, err := c.Apply(t.Context(), want, jenkins.ApplyOptions{}); err == nil || !strings.Contains(err.Error(), "does not say that xtci made it") {
		t.Errorf("without a mark: %v", err)
	}
}

func TestAPrefixIsPartOfAllPaths(t *testing.T) {
	t.Parallel()
	_, c := standin(t, jenkinstest.Options{Prefix: "/ci"})
	create(t, c, "x", freestyleOf("true"))
	if outcome, err := c.Follow(t.Context(), trigger(t, c, "x", nil), quick(), nil); err != nil || !outcome.Good() {
		t.Errorf("%+v, %v", outcome, err)
	}
	if link := c.BuildURL(jenkins.Build{Job: "x", Number: 1}); !strings.HasSuffix(link, "/ci/job/x/1/") {
		t.Errorf("link: %s", link)
	}
}

func TestNoSecretsInErrors(t *testing.T) {
	t.Parallel()
	s := jenkinstest.New(t, jenkinstest.Options{})
	c, err := jenkins.New(jenkins.ClientOptions{URL: s.URL, User: "admin", Password: config.Secret("wrong-secret"), Patience: -1})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		c.CreateJob(t.Context(), "x", "<project/>"),
		c.Stop(t.Context(), jenkins.Build{Job: "x", Number: 1}),
		c.DeleteView(t.Context(), "x"),
	} {
		if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, c), "wrong-secret") {
			t.Errorf("got %+v", err)
		}
	}
}

func TestStopEmptiesTheQueue(t *testing.T) {
	t.Parallel()
	s, c := standin(t, jenkinstest.Options{Executors: 2})
	create(t, c, "runs", freestyleOf("sleep 600"))
	create(t, c, "waits", freestyleOf("true"))
	create(t, c, "parent", multiJobOf("", phaseOf("one", "PARALLEL", "SUCCESSFUL", "runs", "waits")))
	build := trigger(t, c, "parent", nil)
	outcome, err := c.Follow(t.Context(), build, quick(), func(e jenkins.Event) {
		if e.Kind == jenkins.JobStarted && e.Run.Job == "runs" {
			if err := c.Stop(t.Context(), build); err != nil {
				t.Errorf("stop: %v", err)
			}
		}
	})
	var results []string
	for _, run := range outcome.Jobs {
		results = append(results, run.Job+" "+run.Result)
	}
	slices.Sort(results)
	if diff := cmp.Diff([]string{"runs ABORTED", "waits NOT_BUILT"}, results); err != nil || outcome.Result != jenkins.ResultAborted || diff != "" {
		t.Errorf("%s, %v\n%s", outcome.Result, err, diff)
	}
	if console := s.Console("waits", "1"); console != "" {
		t.Errorf("what waited has begun:\n%s", console)
	}
}
