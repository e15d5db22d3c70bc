package jenkinstest

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The facts of spec/jenkins.md, one test for each of its paragraphs.

func TestStart(t *testing.T) {
	t.Parallel()
	s, err := Start(Options{Home: t.TempDir(), Refused: 50 * time.Millisecond, NotReady: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	var seen []string
	eventually(t, "it is ready", func() bool {
		response, err := http.Get(s.URL + "/login")
		state := "refused"
		switch {
		case err == nil:
			state = fmt.Sprintf("%d %q %s", response.StatusCode, response.Header.Get("X-Jenkins"), response.Header.Get("Content-Type"))
			response.Body.Close()
		case !errors.Is(err, syscall.ECONNREFUSED):
			t.Fatal(err)
		}
		if len(seen) == 0 || seen[len(seen)-1] != state {
			seen = append(seen, state)
		}
		return strings.HasPrefix(state, "200")
	})
	want := `refused, 503 "" text/html;charset=utf-8, 200 "2.426.2" text/html;charset=utf-8`
	if got := strings.Join(seen, ", "); got != want {
		t.Errorf("got %s", got)
	}
}

func TestPasswordsAndTokens(t *testing.T) {
	t.Parallel()
	s := New(t, Options{})
	if r := login(t, s, "admin", "wrong").get("/api/json"); r.code != http.StatusUnauthorized || r.header.Get("WWW-Authenticate") != `Basic realm="Jenkins"` {
		t.Errorf("wrong password where anonymous may read: %d %v", r.code, r.header)
	}
	if r := login(t, s, "admin", "admin").get("/api/json"); r.code != http.StatusOK || r.header.Get("Set-Cookie") != "" {
		t.Errorf("right password: %d, cookie %q", r.code, r.header.Get("Set-Cookie"))
	}
	if r := login(t, s, "admin", "admin").get("/login"); !strings.Contains(r.header.Get("Set-Cookie"), "; Path=/; HttpOnly") {
		t.Errorf("cookie of /login: %q", r.header.Get("Set-Cookie"))
	}
	// An API token needs neither crumb nor cookie.
	u := admin(t, s)
	r := u.post("/me/descriptorByName/jenkins.security.ApiTokenProperty/generateNewToken", "newTokenName", "x")
	data, _ := parseJSON(t, r.body).(map[string]any)["data"].(map[string]any)
	value, _ := data["tokenValue"].(string)
	if r := login(t, s, "admin", value).do(http.MethodPost, "/createItem?name=x", "text/xml", "<project/>"); r.code != http.StatusOK {
		t.Errorf("with a token: %d %s", r.code, r.body)
	}
}

func TestCrumbs(t *testing.T) {
	t.Parallel()
	s := New(t, Options{})
	u := admin(t, s)
	refused := func(what string, r reply) {
		t.Helper()
		if r.code != http.StatusForbidden || r.header.Get("Content-Type") != "text/html;charset=iso-8859-1" ||
			!strings.Contains(string(r.body), "No valid crumb was included in the request") {
			t.Errorf("%s: %d %v %s", what, r.code, r.header, r.body)
		}
	}
	crumb := u.crumb
	u.crumb = ""
	refused("without a crumb", u.post("/reload"))
	other := login(t, s, "admin", "admin")
	other.crumb = crumb
	refused("the crumb without its cookie", other.post("/reload"))
	u.crumb, u.name = crumb, ""
	refused("cookie and crumb without the user", u.post("/reload"))
	u.name = "admin"
	if r := u.post("/reload"); r.code != http.StatusFound {
		t.Errorf("in a header: %d", r.code)
	}
	u.crumb = ""
	if r := u.post("/reload?Jenkins-Crumb=" + crumb); r.code != http.StatusFound {
		t.Errorf("in the query: %d", r.code)
	}
	if r := u.post("/reload", "Jenkins-Crumb", crumb); r.code != http.StatusFound {
		t.Errorf("in the form: %d", r.code)
	}
	if r := u.get("/crumbIssuer/api/xml?xpath=concat(//crumbRequestField,%22:%22,//crumb)"); string(r.body) != "Jenkins-Crumb:"+crumb {
		t.Errorf("as XML: %s", r.body)
	}
	if err := s.Restart(0, 0); err != nil {
		t.Fatal(err)
	}
	u.crumb = crumb
	refused("after a restart", u.post("/reload"))
	u.newCrumb()
	if r := u.post("/reload"); r.code != http.StatusFound {
		t.Errorf("with a new one: %d", r.code)
	}
	if r := u.post("/j_spring_security_check", "j_username", "admin", "j_password", "no"); r.code != http.StatusFound || !strings.HasSuffix(r.header.Get("Location"), "/loginError") {
		t.Errorf("a bad login by form: %d %s", r.code, r.header.Get("Location"))
	}
}

func TestAnonymous(t *testing.T) {
	t.Parallel()
	s := New(t, Options{})
	a := admin(t, s)
	a.create("secret", "<project/>")
	item := a.path(a.post("/job/secret/build?delay=60sec").header.Get("Location"))
	u := login(t, s, "", "")
	for path, code := range map[string]int{
		"/api/json": 200, "/job/secret/api/json": 404, "/job/none/api/json": 404, item + "api/json": 404, "/pluginManager/api/json": 403,
		"/computer/api/json": 200, "/asynchPeople/api/json": 200, "/crumbIssuer/api/json": 200,
	} {
		if r := u.get(path); r.code != code {
			t.Errorf("GET %s: %d, want %d", path, r.code, code)
		}
	}
	if r := u.get("/api/json"); !strings.Contains(string(r.body), `"jobs":[]`) || !strings.Contains(string(r.body), `"url":null`) {
		t.Errorf("jobs are seen: %s", r.body)
	}
	if r := u.get("/asynchPeople/api/json"); !strings.Contains(string(r.body), "admin") {
		t.Errorf("people: %s", r.body)
	}
	u.newCrumb()
	if r := u.do(http.MethodPost, "/createItem?name=x", "text/xml", "<project/>"); r.code != http.StatusForbidden || !strings.Contains(string(r.body), "Authentication required") {
		t.Errorf("create: %d %s", r.code, r.body)
	}
}

func TestCreateItem(t *testing.T) {
	t.Parallel()
	s := New(t, Options{Plugins: PluginsWithout(MultiJob)})
	u := admin(t, s)
	u.create("Job", "<project/>")
	const xml = "text/xml; charset=utf-8"
	for _, test := range []struct {
		query, contentType, body string
		code                     int
		message                  string // of X-Error, or in the page
	}{
		{"name=job", xml, "<project/>", 400, "A job already exists with the name  job"},
		{"", xml, "<project/>", 400, "Query parameter 'name' is required"},
		{"name=", xml, "<project/>", 400, "No name is specified"},
		{"name=a/b", xml, "<project/>", 400, "/  is an unsafe character"},
		{"name=x", "", "<project/>", 400, "No Content-Type header set"},
		{"name=x", "application/x-www-form-urlencoded", "a=b", 400, "No mode given"},
		{"name=x&mode=copy&from=none", "", "", 400, "No such job: none"},
		{"name=x", xml, "<project", 500, "Logging ID="},
		{"name=x", xml, "", 500, "Logging ID="},
		{"name=x", xml, "<no.such.Project/>", 500, "Logging ID="},
		{"name=x", xml, multiJob(""), 500, "Logging ID="}, // its plugin is not there
		{"name=x", "application/xml", "<project/>", 200, ""},
	} {
		r := u.do(http.MethodPost, "/createItem?"+test.query, test.contentType, test.body)
		said := r.header.Get("X-Error")
		if test.code == 500 {
			said = string(r.body)
		}
		if r.code != test.code || !strings.Contains(said, test.message) || test.code == 200 && len(r.body) > 0 {
			t.Errorf("%s %q: %d %q %s", test.query, test.body, r.code, r.header.Get("X-Error"), r.body)
		}
	}
	if r := u.post("/createItem?name=copy&mode=copy&from=Job"); r.code != http.StatusFound || !strings.HasSuffix(r.header.Get("Location"), "/job/copy/configure") {
		t.Errorf("copy: %d %v", r.code, r.header)
	}
	if got := fmt.Sprint(s.Jobs()); got != "[Job copy x]" {
		t.Errorf("jobs: %s", got)
	}
	if r := u.get("/checkJobName?value=a%2Fb"); r.code != http.StatusOK {
		t.Errorf("checkJobName: %d", r.code)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	s := New(t, Options{Plugins: PluginsWithout("git", "copyartifact")})
	u := admin(t, s)
	config := `<project><scm class="hudson.plugins.git.GitSCM"><configVersion>2</configVersion></scm><builders>` +
		`<hudson.plugins.copyartifact.CopyArtifact><project>x</project></hudson.plugins.copyartifact.CopyArtifact>` + shellStep("true") +
		`<no.such.Step/></builders><typo>1</typo></project>`
	u.create("x", config)
	has := func(when string, words string, want bool) {
		t.Helper()
		r := u.get("/job/x/config.xml")
		if r.code != http.StatusOK || r.header.Get("Content-Type") != "application/xml" {
			t.Errorf("%s: %d %v", when, r.code, r.header)
		}
		for word := range strings.FieldsSeq(words) {
			if strings.Contains(string(r.body), word) != want {
				t.Errorf("%s, %s is there: %v\n%s", when, word, !want, r.body)
			}
		}
	}
	has("before a save", "GitSCM CopyArtifact no.such.Step typo Shell", true)
	if r := u.do(http.MethodPost, "/job/x/config.xml", "text/xml", config+" "); r.code != http.StatusOK || len(r.body) != 0 {
		t.Errorf("update: %d %s", r.code, r.body)
	}
	has("an update is no save", "GitSCM CopyArtifact no.such.Step typo Shell", true)
	if r := u.post("/job/x/disable"); r.code != http.StatusFound {
		t.Errorf("disable: %d", r.code)
	}
	has("after a save", "GitSCM CopyArtifact no.such.Step typo", false)
	has("after a save", "version='1.1' hudson.scm.NullSCM Shell <disabled>true</disabled>", true)
	if r := u.post("/job/x/build"); r.code != http.StatusConflict {
		t.Errorf("build of a disabled job: %d", r.code)
	}
	for path, code := range map[string]int{"/job/none/config.xml": 404, "/job/x/config.xml": 500} {
		if r := u.do(http.MethodPost, path, "text/xml", "<project"); r.code != code {
			t.Errorf("POST %s: %d, want %d", path, r.code, code)
		}
	}
	if r := u.get("/job/x"); r.code != http.StatusFound {
		t.Errorf("without the slash: %d", r.code)
	}
	if r := u.post("/job/x/confirmRename?newName=y"); r.code != http.StatusFound || u.get("/job/y/api/json").code != http.StatusOK {
		t.Errorf("rename: %d", r.code)
	}
	if r := u.do(http.MethodDelete, "/job/y/", "", ""); r.code != http.StatusNoContent || u.get("/job/y/config.xml").code != http.StatusNotFound {
		t.Errorf("delete: %d", r.code)
	}
	if r := u.post("/job/y/doDelete"); r.code != http.StatusNotFound {
		t.Errorf("delete again: %d", r.code)
	}
}

func TestTriggers(t *testing.T) {
	t.Parallel()
	s := New(t, Options{QuietPeriod: time.Minute})
	u := admin(t, s)
	u.create("plain", shell("true"))
	u.create("asks", shell("true", parameters("A=1", "B=2")))
	u.create("random", shell("true", parameters("build_tag")))
	code := func(what string, want int, r reply) string {
		t.Helper()
		if r.code != want {
			t.Errorf("%s: %d %s, want %d", what, r.code, r.body, want)
		}
		return r.header.Get("Location")
	}
	first := code("plain", 201, u.post("/job/plain/build"))
	if !strings.HasPrefix(first, s.URL+"/queue/item/") || !strings.HasSuffix(first, "/") {
		t.Errorf("Location: %s", first)
	}
	if again := code("plain again", 201, u.post("/job/plain/build")); again != first {
		t.Errorf("the same is merged: %s and %s", first, again)
	}
	if r := u.post("/job/asks/build"); r.code != 400 || string(r.body) != "Nothing is submitted" {
		t.Errorf("build of a job that asks: %d %s", r.code, r.body)
	}
	one := code("asks", 201, u.post("/job/asks/buildWithParameters", "A", "x"))
	if two := code("asks", 201, u.post("/job/asks/buildWithParameters?A=x&unknown=1")); two != one {
		t.Errorf("unknown parameters are ignored: %s and %s", one, two)
	}
	if two := code("asks", 201, u.post("/job/asks/buildWithParameters", "A", "y")); two == one {
		t.Error("other parameters are merged")
	}
	if r := u.get(u.path(one) + "api/json"); !strings.Contains(string(r.body), `"params":"\nA=x\nB=2"`) {
		t.Errorf("parameters: %s", r.body)
	}
	drawn := code("random", 201, u.post("/job/random/buildWithParameters"))
	if code("random", 201, u.post("/job/random/buildWithParameters")) == drawn {
		t.Error("random strings are merged")
	}
	code("parameters of a job that asks for none", 500, u.post("/job/plain/buildWithParameters", "A", "x"))
	code("GET", 405, u.get("/job/plain/build"))
	if at := code("json", 201, u.post("/job/asks/build?delay=0sec", "json", `{"parameter":[{"name":"A","value":"z"}]}`)); at != s.URL+"/job/asks/" {
		t.Errorf("Location after json: %s", at)
	}
	eventually(t, "the one without a delay overtakes", func() bool { return u.get("/job/asks/1/api/json").code == 200 })
	if r := u.get("/job/asks/1/api/json"); strings.Contains(string(r.body), `"name":"B"`) {
		t.Errorf("B was not in the form: %s", r.body)
	}
	id := strings.Trim(strings.TrimPrefix(first, s.URL+"/queue/item/"), "/")
	code("cancel", 204, u.post("/queue/cancelItem?id="+id))
	code("cancel what left", 500, u.post("/queue/cancelItem?id="+id))
	code("cancel nothing", 404, u.post("/queue/cancelItem?id=999"))
	code("no such item", 404, u.get("/queue/item/999/api/json"))
	code("never built", 404, u.get("/job/plain/lastBuild/api/json"))
	if r := u.get("/job/plain/api/json?tree=lastBuild[number]"); !strings.Contains(string(r.body), `"lastBuild":null`) {
		t.Errorf("lastBuild: %s", r.body)
	}
}

func TestQuietDownAndRestartKeepTheQueue(t *testing.T) {
	t.Parallel()
	s := New(t, Options{})
	u := admin(t, s)
	u.create("x", shell("true"))
	u.create("running", shell("sleep 60"))
	u.post("/job/running/build")
	eventually(t, "it runs", func() bool { return strings.Contains(s.Console("running", "1"), "+ sleep") })
	u.post("/quietDown")
	item := u.path(u.post("/job/x/build").header.Get("Location"))
	if r := u.get(item + "api/json"); !strings.Contains(string(r.body), "Jenkins is about to shut down") {
		t.Errorf("why: %s", r.body)
	}
	if err := s.Restart(time.Millisecond, 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what waited runs", func() bool { return strings.Contains(s.Console("x", "1"), "Finished: SUCCESS") })
	if got := s.Console("running", "1"); !strings.HasSuffix(got, "Finished: ABORTED\n") {
		t.Errorf("what ran: %s", got)
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	s := New(t, Options{})
	u := admin(t, s)
	print := `printf '%s\n' "<$BUILD_TAG|$build_tag|$JOB_NAME|$BUILD_ID|$BUILD_NUMBER|${WORKSPACE##*/}|${JENKINS_URL-none}|$V>"`
	u.create("plain", shell(print))
	u.create("tagged", shell(print, parameters("build_tag", "V=")))
	u.build("plain")
	if got := s.Console("plain", "1"); !strings.Contains(got, "\n<jenkins-plain-1||plain|1|1|plain|none|>\n") {
		t.Errorf("without the parameter: %s", got)
	}
	u.build("tagged", "build_tag", "MY-tag_1,2", "V", "a \"b\"\n'$c'")
	if got := s.Console("tagged", "1"); !strings.Contains(got, "\n<MY-tag_1,2||tagged|1|1|tagged|none|a \"b\"\n'$c'>\n") {
		t.Errorf("with it: %s", got)
	}
	if b := u.build("tagged", "build_tag", "mytag"); b.Result != failure || !strings.Contains(s.Console("tagged", "2"), "\nERROR: Invalid value for parameter [build_tag] specified: mytag\n") {
		t.Errorf("a short one: %+v %s", b, s.Console("tagged", "2"))
	}
	u.build("tagged", "V", "1")
	var b struct {
		Actions []struct{ Parameters []param }
	}
	u.json("/job/tagged/3", &b)
	if tag := b.Actions[0].Parameters[0].Value; len(tag) != 12 || strings.Trim(tag, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		t.Errorf("the random string: %q", tag)
	}
}

func TestPhases(t *testing.T) {
	t.Parallel()
	s := New(t, Options{})
	u := admin(t, s)
	for name, command := range map[string]string{"good": "true", "bad": "exit 3", "last": `echo "tag $BUILD_TAG"`} {
		u.create(name, shell(command, parameters("build_tag")))
	}
	u.create("stop", multiJob(parameters("build_tag"), phase("1", "PARALLEL", "SUCCESSFUL", "bad", "good"), phase("2", "PARALLEL", "SUCCESSFUL", "last")))
	u.create("go-on", multiJob(parameters("build_tag"), phase("1", "SEQUENTIALLY", "ALWAYS", "bad", "missing", "good"), phase("2", "PARALLEL", "ALWAYS", "last")))
	u.create("skips", multiJob(parameters("build_tag"), phase("1", "PARALLEL", "SUCCESSFUL", "missing", "good")))
	ran := func(name string) string {
		var b struct {
			Result    string
			SubBuilds []struct{ JobName, PhaseName, Result string }
		}
		u.json("/job/"+name+"/1", &b)
		text := b.Result
		for _, sub := range b.SubBuilds {
			text += fmt.Sprintf(" %s:%s:%s", sub.PhaseName, sub.JobName, sub.Result)
		}
		return text
	}
	u.build("stop", "build_tag", "CAMPAIGN1")
	if got := ran("stop"); got != "FAILURE 1:bad:FAILURE 1:good:SUCCESS" && got != "FAILURE 1:good:SUCCESS 1:bad:FAILURE" {
		t.Errorf("SUCCESSFUL: %s", got)
	}
	u.build("go-on", "build_tag", "CAMPAIGN2")
	if got := ran("go-on"); got != "FAILURE 1:bad:FAILURE 1:good:SUCCESS 2:last:SUCCESS" {
		t.Errorf("ALWAYS: %s", got)
	}
	if got := s.Console("last", "1"); !strings.Contains(got, "\ntag CAMPAIGN2\n") || !strings.HasPrefix(got, "Started by upstream project \"go-on\" build number 1\n") {
		t.Errorf("the tag of the campaign: %s", got)
	}
	u.build("skips", "build_tag", "CAMPAIGN3")
	if got := ran("skips"); got != "SUCCESS 1:good:SUCCESS" {
		t.Errorf("a job that is not there: %s", got)
	}
}

func TestOneExecutorStarvesAMultiJob(t *testing.T) {
	t.Parallel()
	s := New(t, Options{Executors: 1, AbortWait: 50 * time.Millisecond})
	u := admin(t, s)
	u.create("child", shell("sleep 60"))
	u.create("parent", multiJob("", phase("1", "PARALLEL", "SUCCESSFUL", "child")))
	u.post("/job/parent/build")
	var queue struct {
		Items []struct {
			Class string `json:"_class"`
			Why   string
		}
	}
	eventually(t, "the child waits", func() bool {
		u.json("/queue", &queue)
		return len(queue.Items) == 1
	})
	if i := queue.Items[0]; i.Class != "hudson.model.Queue$BuildableItem" || i.Why != "Waiting for next available executor" {
		t.Errorf("got %+v", i)
	}
	if r := u.post("/job/parent/1/stop"); r.code != http.StatusFound {
		t.Errorf("stop: %d", r.code)
	}
	eventually(t, "it ends", func() bool { return strings.HasSuffix(s.Console("parent", "1"), "Finished: ABORTED\n") })
	// What was in the queue stays there, and is aborted when it has begun.
	eventually(t, "the child ends", func() bool { return strings.HasSuffix(s.Console("child", "1"), "Finished: ABORTED\n") })
}

func TestBlocked(t *testing.T) {
	t.Parallel()
	s := New(t, Options{})
	u := admin(t, s)
	helloworld(u)
	u.post("/job/helloworld-latest-docker/build")
	eventually(t, "it runs", func() bool { return strings.Contains(s.Console("helloworld-latest-docker", "1"), "+ sleep") })
	item := u.path(u.post("/job/helloworld-latest-daily/buildWithParameters?delay=0sec").header.Get("Location"))
	var i struct {
		Class string `json:"_class"`
		Why   string
	}
	u.json(item, &i)
	if i.Class != "hudson.model.Queue$BlockedItem" || !strings.HasPrefix(i.Why, "Blocked for ") || !strings.HasSuffix(i.Why, " by helloworld-latest-docker.") {
		t.Errorf("got %+v", i)
	}
	u.post("/job/helloworld-latest-docker/1/stop")
	eventually(t, "it is not blocked any more", func() bool { return u.get("/job/helloworld-latest-daily/1/api/json").code == 200 })
}

func TestStopEndsProcesses(t *testing.T) {
	t.Parallel()
	s := New(t, Options{})
	u := admin(t, s)
	mark := filepath.Join(t.TempDir(), "stopped")
	u.create("trap", shell("trap 'echo cleaned; touch "+mark+"' EXIT\ntrap 'exit 1' TERM\nsleep 60"))
	u.create("parent", multiJob("", phase("1", "PARALLEL", "SUCCESSFUL", "trap"), phase("2", "PARALLEL", "SUCCESSFUL", "never")))
	u.create("never", shell("true"))
	u.post("/job/parent/build")
	eventually(t, "the child runs", func() bool { return strings.Contains(s.Console("trap", "1"), "+ sleep") })
	u.post("/job/parent/1/stop")
	eventually(t, "it ends", func() bool { return strings.HasSuffix(s.Console("parent", "1"), "Finished: ABORTED\n") })
	eventually(t, "the child ends", func() bool { return strings.HasSuffix(s.Console("trap", "1"), "Finished: ABORTED\n") })
	if _, err := os.Stat(mark); err != nil || !strings.Contains(s.Console("trap", "1"), "\ncleaned\n") {
		t.Errorf("the trap: %v %s", err, s.Console("trap", "1"))
	}
	if r := u.get("/job/never/1/api/json"); r.code != http.StatusNotFound {
		t.Errorf("the next phase ran: %d", r.code)
	}

	s = New(t, Options{KillAfter: 300 * time.Millisecond})
	u = admin(t, s)
	u.create("deaf", shell("trap '' TERM\nsleep 60"))
	u.post("/job/deaf/build")
	eventually(t, "it runs", func() bool { return strings.Contains(s.Console("deaf", "1"), "+ sleep") })
	u.post("/job/deaf/1/stop")
	eventually(t, "who does not listen is killed", func() bool { return strings.HasSuffix(s.Console("deaf", "1"), "Finished: ABORTED\n") })
}

func TestProgressiveText(t *testing.T) {
	t.Parallel()
	s := New(t, Options{})
	u := admin(t, s)
	gate := filepath.Join(t.TempDir(), "gate")
	u.create("x", shell("echo one\nwhile [ ! -e "+gate+" ]; do sleep .01; done\necho two"))
	if r := u.get("/job/x/1/logText/progressiveText?start=0"); r.code != http.StatusNotFound {
		t.Errorf("not started: %d", r.code)
	}
	u.post("/job/x/build")
	eventually(t, "it speaks", func() bool { return strings.Contains(s.Console("x", "1"), "\none\n") })
	first := u.get("/job/x/1/logText/progressiveText?start=0")
	next := first.header.Get("X-Text-Size")
	if first.header.Get("X-More-Data") != "true" || !strings.Contains(string(first.body), "\r\none\r\n") || next == fmt.Sprint(len(first.body)) {
		t.Errorf("while it runs: %v %q", first.header, first.body)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it ends", func() bool { return strings.Contains(s.Console("x", "1"), "Finished") })
	last := u.get("/job/x/1/logText/progressiveText?start=" + next)
	if _, more := last.header["X-More-Data"]; more || strings.Contains(string(last.body), "one") || !strings.Contains(string(last.body), "\r\ntwo\r\n") {
		t.Errorf("at the end: %v %q", last.header, last.body)
	}
	if beyond := u.get("/job/x/1/logText/progressiveText?start=99999"); !strings.Contains(string(beyond.body), "one") || beyond.header.Get("X-Text-Size") != last.header.Get("X-Text-Size") {
		t.Errorf("beyond the end: %v %q", beyond.header, beyond.body)
	}
	if text := string(u.get("/job/x/1/consoleText").body); strings.Contains(text, "\r") || strings.Contains(text, "\x1b") {
		t.Errorf("consoleText: %q", text)
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	s := New(t, Options{Minute: 20 * time.Millisecond})
	u := admin(t, s)
	u.create("slow", `<project><builders>`+shellStep("sleep 60")+`</builders><buildWrappers><hudson.plugins.build__timeout.BuildTimeoutWrapper>`+
		`<strategy class="hudson.plugins.build_timeout.impl.AbsoluteTimeOutStrategy"><timeoutMinutes>1</timeoutMinutes></strategy>`+
		`<operationList/></hudson.plugins.build__timeout.BuildTimeoutWrapper></buildWrappers></project>`)
	if b := u.build("slow"); b.Result != aborted || !strings.Contains(s.Console("slow", "1"), "Build timed out (after 3 minutes)") {
		t.Errorf("%+v %s", b, s.Console("slow", "1"))
	}
}

func TestPrefix(t *testing.T) {
	t.Parallel()
	s := New(t, Options{Prefix: "/jenkins"})
	u := admin(t, s)
	u.create("x", "<project/>")
	if at := u.post("/job/x/build").header.Get("Location"); !strings.HasPrefix(at, s.URL+"/queue/item/") {
		t.Errorf("Location: %s", at)
	}
	if r := u.get("/login"); r.code != http.StatusOK {
		t.Errorf("login: %d", r.code)
	}
	u = login(t, s, "admin", "admin")
	u.base = strings.TrimSuffix(s.URL, "/jenkins")
	if r := u.get("/api/json"); r.code != http.StatusNotFound {
		t.Errorf("outside of the prefix: %d", r.code)
	}
	if r := u.get("/jenkins"); r.code != http.StatusFound || r.header.Get("Location") != "/jenkins/" {
		t.Errorf("without the slash: %d %v", r.code, r.header)
	}
	if r := u.get("/jenkins/login"); !strings.Contains(r.header.Get("Set-Cookie"), "Path=/jenkins;") {
		t.Errorf("cookie: %v", r.header)
	}
	if r := admin(t, New(t, Options{Prefix: "/"})).get("//api/json"); r.code != http.StatusOK {
		t.Errorf("//api/json: %d", r.code)
	}
}

func TestAnotherStartFindsWhatWasKept(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	s := New(t, Options{Home: home})
	u := admin(t, s)
	helloworld(u)
	u.do(http.MethodPost, "/createView?name=v", "text/xml", string(recorded(t, "view-config-as-posted.xml")))
	u.build("helloworld-latest-daily", "build_tag", "CAMPAIGN1")
	before := u.get("/job/helloworld-latest-daily/1/api/json?tree=result,queueId,subBuilds[jobName,result,phaseName]").body
	s.Close()
	again := New(t, Options{Home: home})
	u = admin(t, again)
	after := u.get("/job/helloworld-latest-daily/1/api/json?tree=result,queueId,subBuilds[jobName,result,phaseName]").body
	if string(before) != string(after) || !strings.Contains(string(after), "helloworld-latest-zip") {
		t.Errorf("before %s\nafter %s", before, after)
	}
	if len(again.Views()) != 1 || len(again.Jobs()) != 10 {
		t.Errorf("views %v, jobs %v", again.Views(), again.Jobs())
	}
	if b := u.build("helloworld-latest-daily", "build_tag", "CAMPAIGN2"); b.Number != 2 {
		t.Errorf("the next build is %d", b.Number)
	}
}

func TestTree(t *testing.T) {
	t.Parallel()
	s := New(t, Options{})
	u := admin(t, s)
	u.create("x", shell("true"))
	for range 3 {
		u.build("x")
	}
	for query, want := range map[string]string{
		"/api/json?tree=jobs[name]":                    `{"_class":"hudson.model.Hudson","jobs":[{"_class":"hudson.model.FreeStyleProject","name":"x"}]}`,
		"/job/x/api/json?tree=builds[number]{0,2}":     `{"_class":"hudson.model.FreeStyleProject","builds":[{"_class":"hudson.model.FreeStyleBuild","number":3},{"_class":"hudson.model.FreeStyleBuild","number":2}]}`,
		"/job/x/api/json?tree=name,builds[number]{2,}": `{"_class":"hudson.model.FreeStyleProject","builds":[{"_class":"hudson.model.FreeStyleBuild","number":1}],"name":"x"}`,
		"/job/x/2/api/json?tree=result":                `{"_class":"hudson.model.FreeStyleBuild","result":"SUCCESS"}`,
	} {
		if got := string(u.get(query).body); got != want {
			t.Errorf("%s: %s", query, got)
		}
	}
}

func TestAPhaseCanBeEndedByOneJob(t *testing.T) {
	t.Parallel()
	s := New(t, Options{})
	u := admin(t, s)
	u.create("bad", shell("exit 1"))
	u.create("next", shell("true"))
	for name, abortAll := range map[string]string{"ends": "true", "goes-on": "false"} {
		jobs := ""
		for _, job := range []string{"bad", "next"} {
			jobs += "<com.tikal.jenkins.plugins.multijob.PhaseJobsConfig><jobName>" + job + "</jobName><abortAllJob>" + abortAll +
				"</abortAllJob><killPhaseOnJobResultCondition>FAILURE</killPhaseOnJobResultCondition></com.tikal.jenkins.plugins.multijob.PhaseJobsConfig>"
		}
		u.create(name, multiJob("", "<com.tikal.jenkins.plugins.multijob.MultiJobBuilder><phaseName>1</phaseName><executionType>SEQUENTIALLY</executionType><phaseJobs>"+
			jobs+"</phaseJobs></com.tikal.jenkins.plugins.multijob.MultiJobBuilder>"))
		u.build(name)
		if ran := strings.Contains(s.Console(name, "1"), "Job : next"); ran != (abortAll == "false") {
			t.Errorf("abortAllJob %s: the next job ran: %v\n%s", abortAll, ran, s.Console(name, "1"))
		}
		if strings.Contains(s.Console(name, "1"), "NullPointerException") {
			t.Errorf("with a condition there is no exception:\n%s", s.Console(name, "1"))
		}
	}
}

func TestAnAbortedSequentialPhaseLeavesItsJobRunning(t *testing.T) {
	t.Parallel()
	s := New(t, Options{})
	u := admin(t, s)
	gate := filepath.Join(t.TempDir(), "gate")
	u.create("child", shell("while [ ! -e "+gate+" ]; do sleep .01; done"))
	u.create("next", shell("true"))
	u.create("parent", multiJob("", phase("1", "SEQUENTIALLY", "SUCCESSFUL", "child", "next")))
	u.post("/job/parent/build")
	eventually(t, "the child runs", func() bool { return strings.Contains(s.Console("child", "1"), "+ sleep") })
	u.post("/job/parent/1/stop")
	eventually(t, "it ends", func() bool { return strings.HasSuffix(s.Console("parent", "1"), "Finished: ABORTED\n") })
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the child ends by itself", func() bool { return strings.HasSuffix(s.Console("child", "1"), "Finished: SUCCESS\n") })
	if r := u.get("/job/next/1/api/json"); r.code != http.StatusNotFound {
		t.Errorf("the next job ran: %d", r.code)
	}
}
