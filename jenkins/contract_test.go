package jenkins_test

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/jenkins"
)

// The contract of Jenkins, as spec/jenkins.md records it. These tests run
// against the stand-in, and against a real Jenkins where one is given: make
// test-jenkins.

func TestContractCheck(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	problems, err := g.Check(t.Context(), jenkins.Requirements{MultiJobs: true, Plugins: []jenkins.Requirement{
		{Plugin: "jenkins-multijob-plugin", NeededBy: "phases"},
		{Plugin: "build-blocker-plugin", NeededBy: "the blocker"},
		{Plugin: "random-string-parameter", NeededBy: "build_tag"},
		{Plugin: "no-such-plugin", NeededBy: "this test"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []jenkins.Problem{{
		What: "the plugin no-such-plugin is missing, needed by this test", Advice: "install it in Manage Jenkins, Plugins",
	}}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if version, err := g.Version(t.Context()); err != nil || !regexp.MustCompile(`^2\.`).MatchString(version) {
		t.Errorf("version %q, %v", version, err)
	}
}

func TestContractWrongPassword(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	_, err := connect(t, g.url, g.user, "not "+g.password).Check(t.Context(), jenkins.Requirements{})
	refused, ok := errors.AsType[*jenkins.StatusError](err)
	if !ok || refused.Code != http.StatusUnauthorized || strings.Contains(err.Error(), "not "+g.password) {
		t.Errorf("got %v", err)
	}
	problems, err := connect(t, g.url, "", "").Check(t.Context(), jenkins.Requirements{})
	if refused, ok := errors.AsType[*jenkins.StatusError](err); ok && refused.Code == http.StatusForbidden {
		return // nobody may see anything
	}
	if err != nil || len(problems) != 1 || !strings.Contains(problems[0].What, "nobody is logged in") {
		t.Errorf("nobody: %v, %v", problems, err)
	}
}

func TestContractCreate(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	g.create("Job", "<project/>")
	for _, test := range []struct {
		name, config string
		code         int
		message      string
	}{
		{g.prefix + "job", "<project/>", 400, "A job already exists with the name"},
		{"", "<project/>", 400, "No name is specified"},
		{g.prefix + "a/b", "<project/>", 400, "/ is an unsafe character"},
		{g.prefix + "x", "<project", 500, "Logging ID="},
		{g.prefix + "x", "", 500, "Logging ID="},
		{g.prefix + "x", "<no.such.Project/>", 500, "Logging ID="},
	} {
		err := g.CreateJob(t.Context(), test.name, test.config)
		refused, ok := errors.AsType[*jenkins.StatusError](err)
		if !ok || refused.Code != test.code || !strings.Contains(refused.Message, test.message) || strings.Contains(err.Error(), "<") {
			t.Errorf("%s %q: %v", test.name, test.config, err)
		}
	}
	if r := g.get("/job/" + g.prefix + "x/api/json"); r.code != http.StatusNotFound {
		t.Errorf("what was refused is there: %d", r.code)
	}
	if err := g.UpdateJob(t.Context(), g.prefix+"none", "<project/>"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("update of nothing: %v", err)
	}
	if err := g.UpdateJob(t.Context(), g.prefix+"Job", "<project"); err == nil || !strings.Contains(err.Error(), "500") {
		t.Errorf("a malformed update: %v", err)
	}
	for range 2 { // the second finds nothing, which is as well
		if err := g.DeleteJob(t.Context(), g.prefix+"Job"); err != nil {
			t.Errorf("delete: %v", err)
		}
	}
	if err := g.CreateView(t.Context(), g.prefix+"v", "<hudson.model.ListView>"); err == nil || !strings.Contains(err.Error(), "500") {
		t.Errorf("a malformed view: %v", err)
	}
}

// wanted is a small campaign with a view.
func (g *target) wanted() jenkins.Wanted {
	owner := describedAs("A test. " + jenkins.Managed(g.prefix))
	daily := multiJobOf(owner+`<properties><hudson.plugins.buildblocker.BuildBlockerProperty><useBuildBlocker>true</useBuildBlocker>`+
		`<blockingJobs>^`+g.prefix+`(-daily|-docker)$</blockingJobs><blockLevel>GLOBAL</blockLevel><scanQueueFor>DISABLED</scanQueueFor>`+
		`</hudson.plugins.buildblocker.BuildBlockerProperty>`+strings.TrimPrefix(asksFor("build_tag", "DEPLOY_SCENARIO=a & b"), "<properties>")+
		`<scm class="hudson.scm.NullSCM"/><triggers class="vector"><hudson.triggers.TimerTrigger><spec>@yearly</spec></hudson.triggers.TimerTrigger></triggers>`+
		`<concurrentBuild>false</concurrentBuild>`, phaseOf("one", "PARALLEL", "SUCCESSFUL", g.prefix+"a", g.prefix+"b"), phaseOf("two", "SEQUENTIALLY", "ALWAYS", g.prefix+"zip"))
	w := jenkins.Wanted{
		Projects: []string{g.prefix},
		Jobs:     []jenkins.Document{{Name: g.prefix + "daily", XML: daily}},
		Views:    []jenkins.Document{{Name: g.prefix + "view", XML: listViewOf("^"+g.prefix+"daily$", owner)}},
	}
	for _, name := range []string{"a", "b", "zip"} {
		w.Jobs = append(w.Jobs, jenkins.Document{Name: g.prefix + name, XML: freestyleOf("set -eu\necho '<"+name+"> & $BUILD_TAG'\n", owner, asksFor("build_tag"))})
	}
	return w
}

// actions lists what was done or is to be done.
func actions(changes []jenkins.Change) []string {
	var list []string
	for _, c := range changes {
		list = append(list, fmt.Sprintf("%s %s %s", c.Action, c.Kind, c.Name[strings.LastIndexByte(c.Name, '-')+1:]))
	}
	return list
}

func TestContractApply(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	want := g.wanted()
	apply := func(what string, o jenkins.ApplyOptions, done ...string) {
		t.Helper()
		changes, err := g.Apply(t.Context(), want, o)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if diff := cmp.Diff(done, actions(changes)); diff != "" {
			t.Errorf("%s (-want +got):\n%s\n%v", what, diff, changes)
		}
	}
	apply("first", jenkins.ApplyOptions{}, "create job a", "create job b", "create job daily", "create job zip", "create view view")
	apply("again", jenkins.ApplyOptions{})
	for _, name := range []string{"a", "daily", "zip"} {
		g.save(g.prefix + name)
	}
	apply("after Jenkins saved them", jenkins.ApplyOptions{})

	if err := g.UpdateJob(t.Context(), g.prefix+"b", freestyleOf("echo other", describedAs(jenkins.Managed(g.prefix)), asksFor("build_tag"))); err != nil {
		t.Fatal(err)
	}
	g.post("/job/" + g.prefix + "zip/disable")
	apply("somebody changed two", jenkins.ApplyOptions{}, "update job b", "update job zip")
	apply("again", jenkins.ApplyOptions{})

	want.Jobs, want.Views = want.Jobs[:3], nil // zip and the view go
	apply("less is wanted", jenkins.ApplyOptions{}, "remove job zip", "remove view view")
	apply("pruned", jenkins.ApplyOptions{Prune: true}, "remove job zip", "remove view view")
	apply("again", jenkins.ApplyOptions{Prune: true})
	if r := g.get("/job/" + g.prefix + "zip/api/json"); r.code != http.StatusNotFound {
		t.Errorf("zip is still there: %d", r.code)
	}
}

func TestContractOthersAreNotTouched(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	g.create("a", freestyleOf("echo theirs", describedAs("Made by hand")))
	g.create("theirs", freestyleOf("echo theirs", describedAs(jenkins.Managed("another-project"))))
	g.create("B", freestyleOf("echo theirs", describedAs(jenkins.Managed(g.prefix))))
	before := g.get("/job/" + g.prefix + "a/config.xml").body
	_, err := g.Apply(t.Context(), g.wanted(), jenkins.ApplyOptions{Prune: true})
	conflict, ok := errors.AsType[*jenkins.ConflictError](err)
	if !ok || len(conflict.Changes) != 2 {
		t.Fatalf("got %v", err)
	}
	if r := g.get("/job/" + g.prefix + "daily/api/json"); r.code != http.StatusNotFound {
		t.Errorf("something was written all the same: %d", r.code)
	}
	if err := g.DeleteJob(t.Context(), g.prefix+"B"); err != nil {
		t.Fatal(err)
	}
	changes, err := g.Apply(t.Context(), g.wanted(), jenkins.ApplyOptions{Prune: true, Adopt: true})
	want := []string{"update job a", "create job b", "create job daily", "create job zip", "create view view"}
	if diff := cmp.Diff(want, actions(changes)); err != nil || diff != "" {
		t.Errorf("adopted: %v\n%s", err, diff)
	}
	if after := g.get("/job/" + g.prefix + "a/config.xml").body; after == before {
		t.Error("the adopted job is as it was")
	}
	if r := g.get("/job/" + g.prefix + "theirs/api/json"); r.code != http.StatusOK {
		t.Errorf("the job of another project: %d", r.code)
	}
}

func TestContractParametersBecomeEnvironment(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	print := `printf '%s\n' "<$BUILD_TAG|$build_tag|$JOB_NAME|$BUILD_ID|$BUILD_NUMBER|$V>"`
	plain := g.create("plain", freestyleOf(print))
	tagged := g.create("tagged", freestyleOf(print, asksFor("build_tag", "V=default")))
	outcome, console := g.run(plain, nil)
	if want := fmt.Sprintf("\n<jenkins-%s-1||%s|1|1|>\n", plain, plain); !outcome.Good() || !strings.Contains(console, want) {
		t.Errorf("without the parameter: %+v, no %q in\n%s", outcome, want, console)
	}
	name := tag()
	outcome, console = g.run(tagged, map[string]string{"build_tag": name, "V": "a \"b\" $c 'd' [e]\nf\\g"})
	if want := fmt.Sprintf("\n<%s||%s|1|1|a \"b\" $c 'd' [e]\nf\\g>\n", name, tagged); !outcome.Good() || !strings.Contains(console, want) {
		t.Errorf("with it: %+v, no %q in\n%s", outcome, want, console)
	}
	if outcome.Params["build_tag"] != name {
		t.Errorf("parameters: %v", outcome.Params)
	}
	outcome, console = g.run(tagged, nil)
	if !regexp.MustCompile(`\n<[0-9A-Z]{12}\|\|[^|]*\|2\|2\|default>\n`).MatchString(console) {
		t.Errorf("defaults: %+v\n%s", outcome, console)
	}
	for params, message := range map[string]string{"V2": "it has no parameter V2", "build_tag": `build_tag="mytag" is no tag`} {
		_, err := g.Trigger(t.Context(), tagged, map[string]string{params: "mytag"})
		if err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%s=mytag: %v", params, err)
		}
	}
	if _, err := g.Trigger(t.Context(), g.prefix+"none", nil); err == nil || !strings.Contains(err.Error(), "there is no such job") {
		t.Errorf("no such job: %v", err)
	}
}

func TestContractAShortTagFailsTheBuild(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	name := g.create("tagged", freestyleOf("echo ran", asksFor("build_tag")))
	r := g.post("/job/"+name+"/buildWithParameters?delay=0sec", "build_tag", "mytag")
	if r.code != http.StatusCreated {
		t.Fatalf("trigger: %d %s", r.code, r.body)
	}
	build, err := g.Await(t.Context(), jenkins.Queued{Job: name, ID: g.item(r)}, quick(), nil)
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := g.Follow(t.Context(), build, quick(), nil)
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Join(outcome.Reason, "\n")
	if outcome.Result != jenkins.ResultFailure || !strings.Contains(said, "ERROR: Invalid value for parameter [build_tag] specified: mytag") || strings.Contains(said, "Finished") {
		t.Errorf("got %+v", outcome)
	}
}

func TestContractPhases(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	asks := asksFor("build_tag")
	good := g.create("good", freestyleOf("true", asks))
	bad := g.create("bad", freestyleOf("echo the reason\nexit 3", asks))
	last := g.create("last", freestyleOf(`echo "tag=$BUILD_TAG"`, asks))
	stop := g.create("stop", multiJobOf(asks, phaseOf("one", "PARALLEL", "SUCCESSFUL", bad, good), phaseOf("two", "PARALLEL", "SUCCESSFUL", last)))
	goOn := g.create("go-on", multiJobOf(asks, phaseOf("one", "SEQUENTIALLY", "ALWAYS", good, g.prefix+"missing", bad), phaseOf("two", "PARALLEL", "ALWAYS", last)))
	names := func(outcome jenkins.Outcome) map[string]string {
		results := map[string]string{}
		for _, run := range outcome.Jobs {
			results[run.Phase+" "+strings.TrimPrefix(run.Job, g.prefix)] = run.Result
		}
		return results
	}
	outcome, _ := g.run(stop, map[string]string{"build_tag": tag()})
	if diff := cmp.Diff(map[string]string{"one bad": "FAILURE", "one good": "SUCCESS"}, names(outcome)); outcome.Result != "FAILURE" || diff != "" {
		t.Errorf("SUCCESSFUL: %s\n%s", outcome.Result, diff)
	}
	name := tag()
	outcome, events := g.follow(goOn, map[string]string{"build_tag": name})
	if diff := cmp.Diff(map[string]string{"one bad": "FAILURE", "one good": "SUCCESS", "two last": "SUCCESS"}, names(outcome)); outcome.Result != "FAILURE" || diff != "" {
		t.Errorf("ALWAYS: %s\n%s", outcome.Result, diff)
	}
	if console := g.console(jenkins.Build{Job: last, Number: 1}); !strings.Contains(console, "tag="+name+"\n") {
		t.Errorf("the tag of the campaign is not that of its jobs:\n%s", console)
	}
	var told []string
	for _, e := range events {
		if e.Kind == jenkins.PhaseStarted || e.Kind == jenkins.JobEnded {
			told = append(told, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", e.Kind, e.Phase, strings.TrimPrefix(e.Run.Job, g.prefix), e.Run.Result)))
		}
	}
	want := []string{
		"phase-started one", "job-ended one good SUCCESS", "job-ended one bad FAILURE", "phase-started two", "job-ended two last SUCCESS",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	for _, run := range outcome.Jobs {
		said := strings.Join(run.Reason, "|")
		if run.Job == bad && !strings.Contains(said, "the reason|+ exit 3") || run.Job != bad && said != "" {
			t.Errorf("the reason of %s: %q", run.Job, said)
		}
	}
}

func TestContractQueue(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	name := g.create("x", freestyleOf("true"))
	first := g.post("/job/" + name + "/build?delay=60sec").header.Get("Location")
	if !regexp.MustCompile(`^` + regexp.QuoteMeta(g.url) + `/queue/item/[0-9]+/$`).MatchString(first) {
		t.Fatalf("Location: %s", first)
	}
	if again := g.post("/job/" + name + "/build?delay=60sec").header.Get("Location"); again != first {
		t.Errorf("the same is not merged: %s and %s", first, again)
	}
	var item struct {
		Class string `json:"_class"`
		Why   string
	}
	path := strings.TrimPrefix(first, g.url)
	if err := g.JSON(t.Context(), path+"api/json", &item); err != nil || item.Class != "hudson.model.Queue$WaitingItem" || !strings.HasPrefix(item.Why, "In the quiet period. Expires in ") {
		t.Errorf("waiting: %+v, %v", item, err)
	}
	queued := jenkins.Queued{Job: name, ID: g.item(reply{header: http.Header{"Location": {first}}})}
	if err := g.Cancel(t.Context(), queued); err != nil {
		t.Errorf("cancel: %v", err)
	}
	if _, err := g.Await(t.Context(), queued, quick(), nil); !errors.Is(err, jenkins.ErrCancelled) {
		t.Errorf("await what was cancelled: %v", err)
	}
	if err := g.Cancel(t.Context(), queued); err != nil {
		t.Errorf("cancel again: %v", err)
	}
	if _, err := g.Await(t.Context(), jenkins.Queued{Job: name, ID: 1 << 30}, quick(), nil); !errors.Is(err, jenkins.ErrGone) {
		t.Errorf("await nothing: %v", err)
	}
	for path, code := range map[string]int{
		"/job/" + name + "/build": 405, "/job/" + name + "/lastBuild/api/json": 404, "/job/" + name + "/1/logText/progressiveText?start=0": 404,
	} {
		if r := g.get(path); r.code != code {
			t.Errorf("GET %s: %d, want %d", path, r.code, code)
		}
	}
	if r := g.post("/job/"+name+"/buildWithParameters", "A", "x"); r.code != 500 {
		t.Errorf("parameters of a job without any: %d", r.code)
	}
	g.post("/job/" + name + "/disable")
	if r := g.post("/job/" + name + "/build"); r.code != http.StatusConflict {
		t.Errorf("a disabled job: %d", r.code)
	}
	if _, err := g.Trigger(t.Context(), name, nil); err == nil || !strings.Contains(err.Error(), "the job is disabled") {
		t.Errorf("trigger of a disabled job: %v", err)
	}
}

func TestContractStop(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	slow := g.create("slow", freestyleOf("trap 'echo cleaned up' EXIT\ntrap 'exit 1' TERM\necho started\nsleep 300"))
	never := g.create("never", freestyleOf("true"))
	parent := g.create("parent", multiJobOf("", phaseOf("one", "PARALLEL", "SUCCESSFUL", slow), phaseOf("two", "PARALLEL", "ALWAYS", never)))
	queued, err := g.Trigger(t.Context(), parent, nil)
	if err != nil {
		t.Fatal(err)
	}
	build, err := g.Await(t.Context(), queued, quick(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := g.Find(t.Context(), parent, "", ""); err != nil || found != build {
		t.Errorf("what runs: %v, %v", found, err)
	}
	outcome, err := g.Follow(t.Context(), build, quick(), func(e jenkins.Event) {
		if e.Kind == jenkins.JobStarted {
			eventually(t, "it says that it started", func() bool {
				return strings.Contains(g.get("/job/"+slow+"/1/consoleText").body, "\nstarted\n")
			})
			if err := g.Stop(t.Context(), build); err != nil {
				t.Errorf("stop: %v", err)
			}
		}
	})
	if err != nil || outcome.Result != jenkins.ResultAborted || len(outcome.Jobs) != 1 || outcome.Jobs[0].Result != jenkins.ResultAborted {
		t.Errorf("got %+v, %v", outcome, err)
	}
	if console := g.console(jenkins.Build{Job: slow, Number: 1}); !strings.Contains(console, "\ncleaned up\n") {
		t.Errorf("the trap did not run:\n%s", console)
	}
	if _, err := g.Find(t.Context(), parent, "", ""); !errors.Is(err, jenkins.ErrGone) {
		t.Errorf("something runs: %v", err)
	}
}

func TestContractLog(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	name := g.create("x", freestyleOf("echo one\nsleep 1\necho two"))
	queued, err := g.Trigger(t.Context(), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	build, err := g.Await(t.Context(), queued, quick(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	var start int64
	parts := 0
	eventually(t, "the console ends", func() bool {
		part, err := g.Log(t.Context(), build, start)
		if err != nil {
			t.Fatal(err)
		}
		if part.Text != "" {
			parts++
		}
		text.WriteString(part.Text)
		start = part.Next
		return !part.More
	})
	if diff := cmp.Diff(g.console(build), text.String()); diff != "" || parts < 2 || !strings.Contains(text.String(), "\none\n") {
		t.Errorf("in %d parts (-console +parts):\n%s", parts, diff)
	}
	if _, err := g.Log(t.Context(), build, start+1000); !errors.Is(err, jenkins.ErrGone) {
		t.Errorf("beyond the end: %v", err)
	}
	if lines, err := g.Tail(t.Context(), build, 2); err != nil || cmp.Diff([]string{"two", "Finished: SUCCESS"}, lines) != "" {
		t.Errorf("tail: %q, %v", lines, err)
	}
}

func TestContractStopEndsTheJobOfASequentialPhase(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	slow := g.create("slow", freestyleOf("echo started\nsleep 300"))
	never := g.create("never", freestyleOf("true"))
	parent := g.create("parent", multiJobOf("", phaseOf("one", "SEQUENTIALLY", "ALWAYS", slow, never)))
	build := trigger(t, g.Client, parent, nil)
	outcome, err := g.Follow(t.Context(), build, quick(), func(e jenkins.Event) {
		if e.Kind == jenkins.JobStarted {
			if err := g.Stop(t.Context(), build); err != nil {
				t.Errorf("stop: %v", err)
			}
		}
	})
	if err != nil || outcome.Result != jenkins.ResultAborted || len(outcome.Jobs) != 1 || outcome.Jobs[0].Result != jenkins.ResultAborted {
		t.Errorf("got %+v, %v", outcome, err)
	}
	if r := g.get("/job/" + never + "/1/api/json"); r.code != http.StatusNotFound {
		t.Errorf("the next job ran: %d", r.code)
	}
}
