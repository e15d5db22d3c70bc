package jenkinstest

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// helloworld is the campaign that was recorded, as it was posted.
func helloworld(u *user) {
	u.t.Helper()
	names := map[string]string{}
	for _, image := range []string{"127_0_0_1-hello-latest", "opnfv-xtesting-latest"} {
		for _, verb := range []string{"rmi", "pull"} {
			names["helloworld-"+image+"-"+verb] = "true"
		}
	}
	names["helloworld-127_0_0_1-hello-latest-hello"] = "sleep .05"
	names["helloworld-opnfv-xtesting-latest-first"] = "sleep .4"
	names["helloworld-opnfv-xtesting-latest-second"] = "true"
	names["helloworld-latest-zip"] = "true"
	for name, command := range names {
		u.create(name, shell(command))
	}
	u.create("helloworld-latest-docker", shell("sleep 5"))
	u.create("helloworld-latest-daily", postedDaily())
}

// postedDaily is the recorded MultiJob before Jenkins rewrote it: other order,
// no plugins, nothing that has its default.
func postedDaily() string {
	property := `<hudson.plugins.buildblocker.BuildBlockerProperty><useBuildBlocker>true</useBuildBlocker>
      <blockingJobs>^helloworld-latest(-daily|-docker|-review)$</blockingJobs>
      <blockLevel>GLOBAL</blockLevel><scanQueueFor>DISABLED</scanQueueFor></hudson.plugins.buildblocker.BuildBlockerProperty>`
	parameter := `<hudson.model.ParametersDefinitionProperty><parameterDefinitions>
      <hudson.plugins.random__string__parameter.RandomStringParameterDefinition><name>build_tag</name><description/><failedValidationMessage/>
      </hudson.plugins.random__string__parameter.RandomStringParameterDefinition></parameterDefinitions></hudson.model.ParametersDefinitionProperty>`
	job := func(name string) string { return "helloworld-" + name }
	return `<?xml version="1.0" encoding="utf-8"?>` + multiJob(
		`<description>&lt;!-- Managed by Jenkins Job Builder --&gt;</description><properties>`+property+parameter+`</properties>
  <scm class="hudson.scm.NullSCM"/><canRoam>true</canRoam>
  <triggers class="vector"><hudson.triggers.TimerTrigger><spec>@daily</spec></hudson.triggers.TimerTrigger></triggers>`,
		phase("remove former images", "PARALLEL", "SUCCESSFUL", job("127_0_0_1-hello-latest-rmi"), job("opnfv-xtesting-latest-rmi")),
		phase("pull containers", "PARALLEL", "SUCCESSFUL", job("127_0_0_1-hello-latest-pull"), job("opnfv-xtesting-latest-pull")),
		phase("127.0.0.1/hello:latest", "PARALLEL", "SUCCESSFUL", job("127_0_0_1-hello-latest-hello")),
		phase("opnfv/xtesting:latest", "PARALLEL", "SUCCESSFUL", job("opnfv-xtesting-latest-first"), job("opnfv-xtesting-latest-second")),
		phase("dump all campaign data", "PARALLEL", "SUCCESSFUL", job("latest-zip")),
	)
}

func TestASaveWritesWhatJenkinsWrote(t *testing.T) {
	t.Parallel()
	s := New(t, Options{})
	u := admin(t, s)
	u.create("daily", postedDaily())
	if posted := s.Config("daily"); strings.Contains(posted, "plugin=") || !strings.HasPrefix(posted, `<?xml version="1.0"`) {
		t.Errorf("before a save it is as it was posted, got %s", posted)
	}
	if err := s.Save("daily"); err != nil {
		t.Fatal(err)
	}
	got := string(u.get("/job/daily/config.xml").body)
	if diff := cmp.Diff(string(recorded(t, "multijob-config-canonical.xml")), got); diff != "" {
		t.Errorf("(-recorded +got):\n%s", diff)
	}
}

func TestAnswersHaveTheRecordedShape(t *testing.T) {
	t.Parallel()
	s := New(t, Options{})
	u := admin(t, s)
	helloworld(u)
	compare := func(name string, r reply) {
		t.Helper()
		if r.code != http.StatusOK {
			t.Fatalf("%s: %d %s", name, r.code, r.body)
		}
		for _, bad := range sameShape("", parseJSON(t, recorded(t, name)), parseJSON(t, r.body)) {
			t.Errorf("%s: %s", name, bad)
		}
	}
	if b := u.build("helloworld-latest-daily", "x", "unknown names are ignored"); b.Result != success {
		t.Fatalf("%+v\n%s", b, s.Console("helloworld-latest-daily", "1"))
	}
	item := u.path(u.post("/job/helloworld-latest-daily/buildWithParameters?delay=60sec").header.Get("Location"))
	compare("queue-waiting.json", u.get(item+"api/json"))
	if r := u.post("/queue/cancelItem?id=" + strings.Trim(item[len("/queue/item/"):], "/")); r.code != http.StatusNoContent {
		t.Errorf("cancel: %d", r.code)
	}
	compare("queue-cancelled.json", u.get(item+"api/json"))

	item = u.path(u.post("/job/helloworld-latest-daily/buildWithParameters?delay=0sec").header.Get("Location"))
	eventually(t, "a child runs", func() bool {
		return strings.Contains(string(u.get("/job/helloworld-latest-daily/2/api/json").body), "and counting")
	})
	next := u.path(u.post("/job/helloworld-latest-daily/buildWithParameters?delay=0sec").header.Get("Location"))
	compare("multijob-building.json", u.get("/job/helloworld-latest-daily/2/api/json"))
	compare("queue-left.json", u.get(item+"api/json"))
	compare("queue-blocked.json", u.get(next+"api/json"))
	if why := string(u.get(next + "api/json").body); !regexp.MustCompile(`"why":"Build #2 is already in progress \(ETA: [^"]+\)"`).MatchString(why) {
		t.Errorf("why it is blocked: %s", why)
	}
	eventually(t, "the third ends", func() bool {
		return strings.HasSuffix(s.Console("helloworld-latest-daily", "3"), "Finished: SUCCESS\n")
	})
	compare("multijob-done.json", u.get("/job/helloworld-latest-daily/2/api/json"))
	compare("child-build.json", u.get("/job/helloworld-opnfv-xtesting-latest-first/2/api/json"))
	compare("job.json", u.get("/job/helloworld-latest-daily/api/json"))
}

func TestAConsoleReadsAsRecorded(t *testing.T) {
	t.Parallel()
	s := New(t, Options{Executors: 3})
	u := admin(t, s)
	helloworld(u)
	u.build("helloworld-latest-daily", "a", "b")
	steady := func(text string) []string {
		text = regexp.MustCompile(`[0-9]{2}:[0-9]{2}:[0-9]{2}`).ReplaceAllString(text, "TIME")
		text = regexp.MustCompile(`Build : #[0-9]+`).ReplaceAllString(text, "Build : #N")
		text = regexp.MustCompile(`workspace .*/workspace/`).ReplaceAllString(text, "workspace /var/jenkins_home/workspace/")
		// not all of the plugin's messages end their line
		text = regexp.MustCompile(`quiet period|Finished|java\.lang|    >> Job`).ReplaceAllString(text, "\n$0")
		lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
		// What two jobs at once write of their course is mixed by chance.
		mixed := func(line string) bool {
			return strings.HasPrefix(line, "quiet period") || strings.HasPrefix(line, "Finished Build") || strings.HasPrefix(line, "java.lang")
		}
		for from := 0; from < len(lines); from++ {
			to := from
			for to < len(lines) && mixed(lines[to]) {
				to++
			}
			slices.Sort(lines[from:to])
			from = max(from, to)
		}
		return lines
	}
	want, got := steady(string(recorded(t, "multijob-console.txt"))), steady(s.Console("helloworld-latest-daily", "1"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-recorded +got):\n%s", diff)
	}
}

func TestViewsKeepWhatWasPosted(t *testing.T) {
	t.Parallel()
	s := New(t, Options{})
	u := admin(t, s)
	u.create("helloworld-latest-daily", "<project/>")
	u.create("other", "<project/>")
	posted := string(recorded(t, "view-config-as-posted.xml"))
	create := func(name, config string) reply {
		return u.do(http.MethodPost, "/createView?name="+name, "text/xml", config)
	}
	if r := create("helloworld", posted); r.code != http.StatusOK || len(r.body) != 0 {
		t.Fatalf("create: %d %s", r.code, r.body)
	}
	if r := create("helloworld", posted); r.code != http.StatusBadRequest || r.header.Get("X-Error") != `A view already exists with the name "helloworld"` {
		t.Errorf("again: %d %q", r.code, r.header.Get("X-Error"))
	}
	if r := create("bad", "<hudson.model.ListView>"); r.code != http.StatusInternalServerError {
		t.Errorf("malformed: %d", r.code)
	}
	if r := create("regex", strings.Replace(posted, "^helloworld-[a-z0-9.]+-daily$", "[", 1)); r.code != http.StatusOK {
		t.Errorf("an expression that is none: %d", r.code)
	}
	jobs := func(view string) (names []string) {
		var v struct{ Jobs []struct{ Name string } }
		u.json("/view/"+view, &v)
		for _, j := range v.Jobs {
			names = append(names, j.Name)
		}
		return names
	}
	if got := fmt.Sprint(jobs("helloworld"), jobs("regex"), jobs("all")); got != "[helloworld-latest-daily] [] [helloworld-latest-daily other]" {
		t.Errorf("jobs of views: %s", got)
	}
	if r := u.do(http.MethodPost, "/view/helloworld/config.xml", "text/xml", strings.Replace(posted, "daily", "none", 1)); r.code != http.StatusOK || len(jobs("helloworld")) != 0 {
		t.Errorf("update: %d, %v", r.code, jobs("helloworld"))
	}
	if r := u.post("/view/helloworld/doDelete"); r.code != http.StatusFound {
		t.Errorf("delete: %d", r.code)
	}
	if r := u.get("/view/helloworld/config.xml"); r.code != http.StatusNotFound {
		t.Errorf("gone: %d", r.code)
	}
}
