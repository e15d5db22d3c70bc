package jenkins_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/jenkins"
	"github.com/anuket-project/xtci/jenkins/jenkinstest"
)

// A target is the Jenkins that contract tests run against: the stand-in, or a
// real one where XTCI_TEST_JENKINS_URL, _USER and _PASSWORD name it. Its jobs
// and views have a prefix of their own and are removed at the end.
type target struct {
	*jenkins.Client
	t              *testing.T
	url            string
	user, password string
	prefix         string
	standin        *jenkinstest.Server // nil for a real one
	raw            *http.Client
	crumb          string
}

// newTarget returns the target for a test.
func newTarget(t *testing.T) *target {
	t.Helper()
	target := &target{
		t: t, url: os.Getenv("XTCI_TEST_JENKINS_URL"), user: os.Getenv("XTCI_TEST_JENKINS_USER"), password: os.Getenv("XTCI_TEST_JENKINS_PASSWORD"),
		prefix: "xtci-" + strings.ToLower(rand.Text()[:8]) + "-",
	}
	if target.url == "" {
		target.standin = jenkinstest.New(t, jenkinstest.Options{Executors: 4})
		target.url, target.user, target.password = target.standin.URL, "admin", "admin"
	}
	target.url = strings.TrimRight(target.url, "/")
	target.Client = connect(t, target.url, target.user, target.password)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	target.raw = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(target.clean)
	return target
}

func connect(t *testing.T, address, user, password string) *jenkins.Client {
	t.Helper()
	client, err := jenkins.New(jenkins.ClientOptions{URL: address, User: user, Password: config.Secret(password)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// clean removes what has the prefix.
func (g *target) clean() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var all struct{ Jobs, Views []struct{ Name string } }
	if err := g.JSON(ctx, "/api/json?tree=jobs[name],views[name]", &all); err != nil {
		g.t.Errorf("clean up: %v", err)
	}
	for _, v := range all.Views {
		if strings.HasPrefix(v.Name, g.prefix) {
			if err := g.DeleteView(ctx, v.Name); err != nil {
				g.t.Errorf("clean up: %v", err)
			}
		}
	}
	for _, j := range all.Jobs {
		if strings.HasPrefix(j.Name, g.prefix) {
			if err := g.DeleteJob(ctx, j.Name); err != nil {
				g.t.Errorf("clean up: %v", err)
			}
		}
	}
}

// A reply is an answer to a raw request.
type reply struct {
	code   int
	header http.Header
	body   string
}

// do sends a request without the client under test.
func (g *target) do(ctx context.Context, method, path, contentType, body string) (reply, error) {
	if method == http.MethodPost && g.crumb == "" {
		var issued struct{ Crumb string }
		if err := g.JSON(ctx, "/crumbIssuer/api/json", &issued); err != nil {
			return reply{}, err
		}
		g.crumb = issued.Crumb
	}
	request, err := http.NewRequestWithContext(ctx, method, g.url+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	request.SetBasicAuth(g.user, g.password)
	if method == http.MethodPost {
		request.Header.Set("Jenkins-Crumb", g.crumb)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := g.raw.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, string(text)}, err
}

// JSON reads an answer.
func (g *target) JSON(ctx context.Context, path string, into any) error {
	r, err := g.do(ctx, http.MethodGet, path, "", "")
	if err != nil {
		return err
	}
	if r.code != http.StatusOK {
		return fmt.Errorf("GET %s: %d", path, r.code)
	}
	return jsonUnmarshal(r.body, into)
}

func (g *target) get(path string) reply { g.t.Helper(); return g.must(http.MethodGet, path, "", "") }

func (g *target) post(path string, form ...string) reply {
	g.t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	return g.must(http.MethodPost, path, "application/x-www-form-urlencoded", values.Encode())
}

func (g *target) must(method, path, contentType, body string) reply {
	g.t.Helper()
	r, err := g.do(g.t.Context(), method, path, contentType, body)
	if err != nil {
		g.t.Fatal(err)
	}
	return r
}

// create makes a job of the target's prefix and returns its name.
func (g *target) create(name, config string) string {
	g.t.Helper()
	if err := g.CreateJob(g.t.Context(), g.prefix+name, config); err != nil {
		g.t.Fatal(err)
	}
	return g.prefix + name
}

// item is the number of the queue item that an answer names.
func (g *target) item(r reply) (id int) {
	g.t.Helper()
	if _, err := fmt.Sscanf(strings.TrimPrefix(r.header.Get("Location"), g.url), "/queue/item/%d/", &id); err != nil {
		g.t.Fatal(err)
	}
	return id
}

// save makes Jenkins save a job, and so rewrite its file.
func (g *target) save(name string) {
	g.t.Helper()
	for _, verb := range []string{"disable", "enable"} {
		if r := g.post("/job/" + name + "/" + verb); r.code != http.StatusFound {
			g.t.Fatalf("%s %s: %d", verb, name, r.code)
		}
	}
}

// run runs a job to its end, and returns its outcome and its console.
func (g *target) run(name string, params map[string]string) (jenkins.Outcome, string) {
	g.t.Helper()
	outcome, _ := g.follow(name, params)
	return outcome, g.console(outcome.Build)
}

// follow runs a job to its end, and returns what was told of it.
func (g *target) follow(name string, params map[string]string) (jenkins.Outcome, []jenkins.Event) {
	g.t.Helper()
	queued, err := g.Trigger(g.t.Context(), name, params)
	if err != nil {
		g.t.Fatal(err)
	}
	build, err := g.Await(g.t.Context(), queued, quick(), nil)
	if err != nil {
		g.t.Fatal(err)
	}
	var events []jenkins.Event
	outcome, err := g.Follow(g.t.Context(), build, quick(), func(e jenkins.Event) { events = append(events, e) })
	if err != nil {
		g.t.Fatal(err)
	}
	return outcome, events
}

// console is the console of a build, without hidden notes.
func (g *target) console(b jenkins.Build) string {
	g.t.Helper()
	return g.get(fmt.Sprintf("/job/%s/%d/consoleText", b.Job, b.Number)).body
}

// quick asks often: tests have no time.
func quick() jenkins.FollowOptions {
	return jenkins.FollowOptions{Poll: 20 * time.Millisecond, Away: time.Minute}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, true func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(time.Minute)
	for !true() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("never came: %s", what)
		}
	}
}

// tag returns a build tag that nobody else has.
func tag() string { return "XTCI-" + rand.Text()[:12] }
