package jenkins

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustNormal(t *testing.T, document string) []string {
	t.Helper()
	lines, err := normal(document)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// asPosted is the recorded MultiJob as Jenkins Job Builder posts it.
func asPosted() string {
	phase := func(name string, jobs ...string) string {
		text := `<com.tikal.jenkins.plugins.multijob.MultiJobBuilder>
      <phaseName>` + name + `</phaseName><continuationCondition>SUCCESSFUL</continuationCondition><executionType>PARALLEL</executionType><phaseJobs>`
		for _, job := range jobs {
			text += `<com.tikal.jenkins.plugins.multijob.PhaseJobsConfig><jobName>helloworld-` + job + `</jobName><currParams>true</currParams><configs/>
<abortAllJob>false</abortAllJob><aggregatedTestResults>false</aggregatedTestResults><enableRetryStrategy>false</enableRetryStrategy></com.tikal.jenkins.plugins.multijob.PhaseJobsConfig>`
		}
		return text + `</phaseJobs></com.tikal.jenkins.plugins.multijob.MultiJobBuilder>`
	}
	return `<?xml version="1.0" encoding="utf-8"?>
<com.tikal.jenkins.plugins.multijob.MultiJobProject>
  <concurrentBuild>false</concurrentBuild>
  <!-- a comment -->
  <canRoam>true</canRoam>
  <properties>
    <hudson.plugins.buildblocker.BuildBlockerProperty>
      <useBuildBlocker>true</useBuildBlocker>
      <blockingJobs>^helloworld-latest(-daily|-docker|-review)$</blockingJobs>
      <blockLevel>GLOBAL</blockLevel><scanQueueFor>DISABLED</scanQueueFor>
    </hudson.plugins.buildblocker.BuildBlockerProperty>
    <hudson.model.ParametersDefinitionProperty><parameterDefinitions>
      <hudson.plugins.random__string__parameter.RandomStringParameterDefinition>
        <name>build_tag</name><description/><failedValidationMessage/>
      </hudson.plugins.random__string__parameter.RandomStringParameterDefinition>
    </parameterDefinitions></hudson.model.ParametersDefinitionProperty>
  </properties>
  <scm class="hudson.scm.NullSCM"/>
  <triggers class="vector"><hudson.triggers.TimerTrigger><spec>@daily</spec></hudson.triggers.TimerTrigger></triggers>
  <description><![CDATA[<!-- Managed by Jenkins Job Builder -->]]></description>
  <builders>` + phase("remove former images", "127_0_0_1-hello-latest-rmi", "opnfv-xtesting-latest-rmi") +
		phase("pull containers", "127_0_0_1-hello-latest-pull", "opnfv-xtesting-latest-pull") +
		phase("127.0.0.1/hello:latest", "127_0_0_1-hello-latest-hello") +
		phase("opnfv/xtesting:latest", "opnfv-xtesting-latest-first", "opnfv-xtesting-latest-second") +
		phase("dump all campaign data", "latest-zip") + `
  </builders>
  <publishers/><buildWrappers/>
</com.tikal.jenkins.plugins.multijob.MultiJobProject>`
}

func TestWhatJenkinsSavedIsWhatWasPosted(t *testing.T) {
	t.Parallel()
	saved, err := os.ReadFile(filepath.Join("jenkinstest", "testdata", "recorded", "multijob-config-canonical.xml"))
	if err != nil {
		t.Fatal(err)
	}
	if lines := differences(mustNormal(t, string(saved)), mustNormal(t, asPosted())); lines != nil {
		t.Errorf("it differs:\n%s", strings.Join(lines, "\n"))
	}
}

func TestDifferences(t *testing.T) {
	t.Parallel()
	const base = `<project><description>d</description><canRoam>true</canRoam><properties/><builders>` +
		`<hudson.tasks.Shell><command>one
two</command></hudson.tasks.Shell><hudson.tasks.Shell><command>three</command></hudson.tasks.Shell></builders></project>`
	for name, test := range map[string]struct {
		replace string
		by      string
		want    []string // nil is no difference
	}{
		"version of XML":         {`<project>`, `<?xml version='1.1' encoding='UTF-8'?><project>`, nil},
		"plugin":                 {`<project>`, `<project plugin="a@1">`, nil},
		"a flag that is off":     {`<properties/>`, `<properties/><disabled>false</disabled><keepDependencies>false</keepDependencies><maxRetries>0</maxRetries>`, nil},
		"an empty field":         {`<properties/>`, `<actions/><publishers></publishers><configs class="empty-list"/><scm class="hudson.scm.NullSCM"/>`, nil},
		"nothing where empty":    {`<properties/>`, "\n  ", nil},
		"what a view has":        {`<properties/>`, `<properties class="hudson.model.View$PropertyList"/><jobNames><comparator class="hudson.util.CaseInsensitiveComparator"/></jobNames>`, nil},
		"order of fields":        {`<description>d</description><canRoam>true</canRoam>`, `<canRoam>true</canRoam><description>d</description>`, nil},
		"entities":               {`>d<`, `>&#100;<`, nil},
		"line ends":              {"one\n", "one&#xd;\n", nil},
		"indentation":            {`<builders>`, "<builders>\n    \n", nil},
		"a class of collections": {`<builders>`, `<builders class="vector">`, nil},

		"a flag that is on":     {`<properties/>`, `<disabled>true</disabled>`, []string{"+  <disabled>true"}},
		"a flag that was on":    {`<canRoam>true</canRoam>`, ``, []string{"-  <canRoam>true"}},
		"text":                  {`>d<`, `> d<`, []string{"-  <description>d", "+  <description> d"}},
		"blanks in a script":    {"\ntwo", "\n two", []string{"-        | two", "+        |  two"}},
		"order of steps":        {`three`, `four`, []string{"-      <command>three", "+      <command>four"}},
		"an empty step more":    {`</builders>`, `<hudson.tasks.Shell/></builders>`, []string{"+    <hudson.tasks.Shell>"}},
		"a class":               {`<properties/>`, `<scm class="hudson.plugins.git.GitSCM"/>`, []string{`+  <scm class="hudson.plugins.git.GitSCM">`}},
		"a property of a class": {`<properties/>`, `<properties><a.B><c>1</c></a.B></properties>`, []string{"+  <properties>", "+    <a.B>", "+      <c>1", "+    </a.B>", "+  </properties>"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := strings.Replace(base, test.replace, test.by, 1)
			if other == base {
				t.Fatal("nothing was replaced")
			}
			var got []string
			for _, line := range differences(mustNormal(t, base), mustNormal(t, other)) {
				if line[0] != ' ' {
					got = append(got, line)
				}
			}
			if diff := cmp.Diff(trim(test.want), trim(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if back := differences(mustNormal(t, other), mustNormal(t, base)); (back == nil) != (test.want == nil) {
				t.Errorf("the other way round: %q", back)
			}
		})
	}
}

// trim leaves out the indentation of lines.
func trim(lines []string) []string {
	var out []string
	for _, line := range lines {
		out = append(out, line[:1]+strings.TrimLeft(line[1:], " "))
	}
	return out
}

func TestDifferencesKeepTheOrderOfLists(t *testing.T) {
	t.Parallel()
	parameters := func(classes ...string) string {
		text := "<x><parameterDefinitions>"
		for _, class := range classes {
			text += "<" + class + "><name>n</name></" + class + ">"
		}
		return text + "</parameterDefinitions></x>"
	}
	if differences(mustNormal(t, parameters("a.B", "a.C")), mustNormal(t, parameters("a.C", "a.B"))) == nil {
		t.Error("another order of parameters is a difference")
	}
	if differences(mustNormal(t, "<x><s>1</s><s>0</s></x>"), mustNormal(t, "<x><s>1</s></x>")) == nil {
		t.Error("a 0 in a list is a difference")
	}
}

func TestBadDocuments(t *testing.T) {
	t.Parallel()
	for _, document := range []string{"", "text", "<a>", "<a/><b/>", "<a></b>", strings.Repeat("<a>", 300), "<a>\x00</a>"} {
		if lines, err := normal(document); err == nil {
			t.Errorf("%.40q: %q", document, lines)
		}
	}
}

func TestManyLinesThatDifferAreListed(t *testing.T) {
	t.Parallel()
	lines := func(n int, prefix string) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprint(prefix, i))
		}
		return all
	}
	if got := differences(lines(3000, "a"), lines(3000, "b")); len(got) != 6000 {
		t.Errorf("%d lines", len(got))
	}
}

func FuzzNormal(f *testing.F) {
	f.Add(asPosted())
	f.Add("<?xml version='1.1'?><a b='c'><d.e/>x<f>\r\n</f></a>")
	f.Fuzz(func(t *testing.T, document string) {
		lines, err := normal(document)
		if err == nil && len(lines) == 0 {
			t.Error("a document without lines")
		}
		if differences(lines, lines) != nil {
			t.Error("a document differs from itself")
		}
	})
}

func TestMessages(t *testing.T) {
	t.Parallel()
	jetty := `<html><head><title>Error 403 No valid crumb was included in the request</title></head><body><h2>HTTP ERROR 403</h2></body></html>`
	oops := `<!DOCTYPE html><html><head><title>Jenkins</title><script>var x = "<b>";</script></head><body><style>a{}</style><h1>Oops!</h1>` +
		`<p>A problem occurred while processing the request.</p><p>Logging ID=1234</p></body></html>`
	for _, test := range []struct {
		header, contentType, body, want string
	}{
		{"A job already exists with the name  x ", "text/html", "<p>long</p>", "A job already exists with the name x"},
		{"", "text/html;charset=iso-8859-1", jetty, "No valid crumb was included in the request"},
		{"", "text/html", oops, "Oops! A problem occurred while processing the request. Logging ID=1234"},
		{"", "text/html", "<h1>Access Denied</h1><p>joe is missing the Job/Create permission</p>", "joe is missing the Job/Create permission"},
		{"", "text/plain", "Nothing is\n submitted", "Nothing is submitted"},
		{"", "text/plain", strings.Repeat("ü", 500), strings.Repeat("ü", 200) + "…"},
		{"", "", "", ""},
	} {
		header := http.Header{}
		header.Set("Content-Type", test.contentType)
		if test.header != "" {
			header.Set("X-Error", test.header)
		}
		if got := messageOf(header, []byte(test.body)); got != test.want {
			t.Errorf("%.60q: %q, want %q", test.body, got, test.want)
		}
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	console := "Started by user admin\nRunning as SYSTEM\n[EnvInject] - Loading node environment variables.\nBuilding in workspace /w\n+ docker run x\n" +
		"\x1b[31mno such image\x1b[0m\r\n10%\r50%\r100%\n\nBuild step 'Execute shell' marked build as failure\nFinished: FAILURE\n"
	want := []string{"+ docker run x", "no such image", "100%"}
	if diff := cmp.Diff(want, lastLines(console, 3, tells)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := lastLines(strings.Repeat("x", 1000), 3, tells); len(got) != 1 || len(got[0]) != maxLine+len("…") {
		t.Errorf("a long line: %q", got)
	}
	var end tail
	for i := range 100_000 {
		fmt.Fprintf(&end, "line %d\n", i)
	}
	if got := lastLines(string(end.bytes), 2, tells); len(end.bytes) > 2*tailBytes || cmp.Diff([]string{"line 99998", "line 99999"}, got) != "" {
		t.Errorf("%d bytes, %q", len(end.bytes), got)
	}
}
