package jenkinstest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A user is somebody with a browser's cookies.
type user struct {
	t     *testing.T
	base  string
	http  *http.Client
	name  string
	pass  string
	crumb string
}

func login(t *testing.T, s *Server, name, pass string) *user {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &user{t: t, base: s.URL, name: name, pass: pass, http: &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func admin(t *testing.T, s *Server) *user {
	t.Helper()
	u := login(t, s, "admin", "admin")
	u.newCrumb()
	return u
}

func (u *user) newCrumb() {
	u.t.Helper()
	var issued struct{ Crumb string }
	if err := json.Unmarshal(u.get("/crumbIssuer/api/json").body, &issued); err != nil {
		u.t.Fatal(err)
	}
	u.crumb = issued.Crumb
}

type reply struct {
	code   int
	header http.Header
	body   []byte
}

func (u *user) do(method, path, contentType, body string, header ...string) reply {
	u.t.Helper()
	request, err := http.NewRequestWithContext(u.t.Context(), method, u.base+path, strings.NewReader(body))
	if err != nil {
		u.t.Fatal(err)
	}
	if u.name != "" {
		request.SetBasicAuth(u.name, u.pass)
	}
	if u.crumb != "" {
		request.Header.Set("Jenkins-Crumb", u.crumb)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := u.http.Do(request)
	if err != nil {
		u.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		u.t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, text}
}

func (u *user) get(path string) reply { u.t.Helper(); return u.do(http.MethodGet, path, "", "") }

func (u *user) post(path string, form ...string) reply {
	u.t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	return u.do(http.MethodPost, path, "application/x-www-form-urlencoded", values.Encode())
}

func (u *user) create(name, config string) {
	u.t.Helper()
	if r := u.do(http.MethodPost, "/createItem?name="+url.QueryEscape(name), "text/xml", config); r.code != http.StatusOK {
		u.t.Fatalf("create %s: %d %s", name, r.code, r.body)
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, true func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(20 * time.Second)
	for !true() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("never came: %s", what)
		}
	}
}

// build triggers a job, waits for its end and returns what is known of it.
func (u *user) build(name string, form ...string) (info struct {
	Result string
	Number int
},
) {
	u.t.Helper()
	verb := "/build?delay=0sec"
	if len(form) > 0 {
		verb = "/buildWithParameters?delay=0sec"
	}
	r := u.post("/job/"+name+verb, form...)
	if r.code != http.StatusCreated {
		u.t.Fatalf("trigger %s: %d %s", name, r.code, r.body)
	}
	item := u.path(r.header.Get("Location"))
	eventually(u.t, name+" ends", func() bool {
		var left struct {
			Executable *struct{ URL string }
		}
		u.json(item, &left)
		if left.Executable == nil {
			return false
		}
		var b struct {
			InProgress bool
			Result     string
			Number     int
		}
		u.json(u.path(left.Executable.URL), &b)
		info.Result, info.Number = b.Result, b.Number
		return !b.InProgress
	})
	return info
}

// path is what comes after the server's own address.
func (u *user) path(link string) string {
	u.t.Helper()
	path, ok := strings.CutPrefix(link, u.base)
	if !ok {
		u.t.Fatalf("the link %q does not begin with %s", link, u.base)
	}
	return path
}

func (u *user) json(path string, into any) {
	u.t.Helper()
	r := u.get(strings.TrimSuffix(path, "/") + "/api/json")
	if r.code != http.StatusOK {
		u.t.Fatalf("GET %s: %d", path, r.code)
	}
	if err := json.Unmarshal(r.body, into); err != nil {
		u.t.Fatal(err)
	}
}

// shell is a job with one shell step.
func shell(command string, more ...string) string {
	return "<project>" + strings.Join(more, "") + "<builders>" + shellStep(command) + "</builders></project>"
}

func shellStep(command string) string {
	return "<hudson.tasks.Shell><command>" + strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(command) + "</command></hudson.tasks.Shell>"
}

// parameters are definitions of string parameters, NAME=default, and of a
// random one where there is no =.
func parameters(definitions ...string) string {
	var text strings.Builder
	text.WriteString("<properties><hudson.model.ParametersDefinitionProperty><parameterDefinitions>")
	for _, d := range definitions {
		name, value, isString := strings.Cut(d, "=")
		class := "hudson.plugins.random__string__parameter.RandomStringParameterDefinition"
		if isString {
			class = "hudson.model.StringParameterDefinition"
		}
		text.WriteString("<" + class + "><name>" + name + "</name><description/><defaultValue>" + value + "</defaultValue></" + class + ">")
	}
	text.WriteString("</parameterDefinitions></hudson.model.ParametersDefinitionProperty></properties>")
	return text.String()
}

// phase is a phase of a MultiJob.
func phase(name, execution, condition string, jobs ...string) string {
	text := "<com.tikal.jenkins.plugins.multijob.MultiJobBuilder><phaseName>" + name + "</phaseName><continuationCondition>" + condition +
		"</continuationCondition><executionType>" + execution + "</executionType><phaseJobs>"
	for _, job := range jobs {
		text += "<com.tikal.jenkins.plugins.multijob.PhaseJobsConfig><jobName>" + job + "</jobName><currParams>true</currParams><configs/>" +
			"</com.tikal.jenkins.plugins.multijob.PhaseJobsConfig>"
	}
	return text + "</phaseJobs></com.tikal.jenkins.plugins.multijob.MultiJobBuilder>"
}

func multiJob(before string, phases ...string) string {
	return "<com.tikal.jenkins.plugins.multijob.MultiJobProject>" + before + "<builders>" + strings.Join(phases, "") +
		"</builders></com.tikal.jenkins.plugins.multijob.MultiJobProject>"
}
