package jenkinstest

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A job is a project: its file, and what was loaded of it.
type job struct {
	name   string
	file   []byte // config.xml as it is kept
	config *node  // what was loaded, without what no plugin knows
	next   int    // the next build's number
	builds []*build
}

func (j *job) multi() bool    { return j.config.name == multiJobRoot }
func (j *job) disabled() bool { return j.config.value("disabled") == "true" }

func (j *job) class() string {
	if j.multi() {
		return multiJobRoot
	}
	return freestyleClass
}

func (j *job) buildClass() string {
	if j.multi() {
		return "com.tikal.jenkins.plugins.multijob.MultiJobBuild"
	}
	return "hudson.model.FreeStyleBuild"
}

// build returns a build by its number or by a name such as lastBuild.
func (j *job) build(id string) *build {
	if id == "firstBuild" && len(j.builds) > 0 {
		return j.builds[0]
	}
	number, err := strconv.Atoi(id)
	for _, b := range slices.Backward(j.builds) {
		ended := b.ended()
		switch {
		case err == nil && b.number == number, id == "lastBuild",
			id == "lastCompletedBuild" && ended,
			id == "lastSuccessfulBuild" && ended && b.result == success,
			id == "lastStableBuild" && ended && b.result == success,
			id == "lastFailedBuild" && ended && b.result == failure,
			id == "lastUnsuccessfulBuild" && ended && b.result != success:
			return b
		}
	}
	return nil
}

// running returns a build that has not ended.
func (j *job) running() *build {
	for _, b := range j.builds {
		if !b.ended() {
			return b
		}
	}
	return nil
}

// estimate is how long a build is expected to take: the mean of the last three
// that were good, or of any when none was; -1 when there is none.
func (j *job) estimate() time.Duration {
	mean := func(wanted func(*build) bool) time.Duration {
		var sum time.Duration
		n := 0
		for _, b := range slices.Backward(j.builds) {
			if b.ended() && wanted(b) && n < 3 {
				sum += b.duration
				n++
			}
		}
		if n == 0 {
			return -1
		}
		return sum / time.Duration(n)
	}
	if good := mean(func(b *build) bool { return b.result == success }); good >= 0 {
		return good
	}
	return mean(func(b *build) bool { return b.result == failure })
}

// color is that of the ball beside the job.
func (j *job) color() string {
	color := "notbuilt"
	if b := j.build("lastCompletedBuild"); b != nil {
		color = ball(b.result)
	}
	if j.disabled() {
		color = "disabled"
	}
	if j.running() != nil {
		color += "_anime"
	}
	return color
}

func ball(result string) string {
	switch result {
	case success:
		return "blue"
	case unstable:
		return "yellow"
	case failure:
		return "red"
	case aborted:
		return "aborted"
	}
	return "notbuilt"
}

// A definition is a parameter of a job.
type definition struct{ class, name, description, value string }

const (
	randomClass = "hudson.plugins.random__string__parameter.RandomStringParameterDefinition"
	labelClass  = "org.jvnet.jenkins.plugins.nodelabelparameter.LabelParameterDefinition"
	nodeClass   = "org.jvnet.jenkins.plugins.nodelabelparameter.NodeParameterDefinition"
)

// definitions are the parameters of a job, in order.
func (j *job) definitions() []definition {
	var found []definition
	list := j.config.child("properties").child("hudson.model.ParametersDefinitionProperty").child("parameterDefinitions")
	for _, n := range list.elements() {
		d := definition{class: n.name, name: n.value("name"), description: n.value("description"), value: n.value("defaultValue")}
		switch n.name {
		case "hudson.model.ChoiceParameterDefinition":
			if choices := n.all("string"); len(choices) > 0 {
				d.value = choices[0].content()
			}
		case nodeClass:
			if nodes := n.all("string"); len(nodes) > 0 {
				d.value = nodes[0].content()
			}
		}
		found = append(found, d)
	}
	return found
}

// A param is the value of a parameter in a build.
type param struct{ Class, Name, Value string }

// valueClass is the class of a parameter's value, by that of its definition.
func valueClass(definition string) string {
	class := strings.TrimSuffix(strings.ReplaceAll(definition, "__", "_"), "Definition") + "Value"
	if definition == "hudson.model.ChoiceParameterDefinition" {
		return "hudson.model.StringParameterValue"
	}
	return class
}

// values returns the values of a build's parameters: those given, and defaults.
// Unknown names are ignored.
func (j *job) values(given map[string]string) []param {
	var values []param
	for _, d := range j.definitions() {
		value, ok := given[d.name]
		if !ok {
			value = d.value
			if d.class == randomClass {
				value = randomTag()
			}
		}
		values = append(values, param{valueClass(d.class), d.name, value})
	}
	return values
}

// validTag is what the random-string parameter accepts.
var validTag = regexp.MustCompile(`^[a-zA-Z0-9_,-]{8,}$`)

// badParam returns the random string that is not valid, if there is one.
func badParam(params []param) (param, bool) {
	for _, p := range params {
		if p.Class == valueClass(randomClass) && !validTag.MatchString(p.Value) {
			return p, true
		}
	}
	return param{}, false
}

// label is the node that a build's parameters ask for, or empty.
func label(params []param) string {
	for _, p := range params {
		if p.Class == valueClass(labelClass) || p.Class == valueClass(nodeClass) {
			return p.Value
		}
	}
	return ""
}

// blockers returns the expressions of jobs that block this one.
func (j *job) blockers() []*regexp.Regexp {
	blocker := j.config.child("properties").child("hudson.plugins.buildblocker.BuildBlockerProperty")
	if blocker == nil || blocker.value("useBuildBlocker") != "true" {
		return nil
	}
	var expressions []*regexp.Regexp
	for line := range strings.SplitSeq(blocker.value("blockingJobs"), "\n") {
		if e, err := regexp.Compile("^(?:" + line + ")$"); err == nil && line != "" {
			expressions = append(expressions, e)
		}
	}
	return expressions
}

// minTimeout is the shortest timeout, in minutes: the plugin raises others.
const minTimeout = 3

// timeout is how many minutes a build may take, or 0, and its result then.
func (j *job) timeout() (minutes float64, result string) {
	wrapper := j.config.child("buildWrappers").child("hudson.plugins.build__timeout.BuildTimeoutWrapper")
	minutes, err := strconv.ParseFloat(strings.TrimSpace(wrapper.child("strategy").child("timeoutMinutes").content()), 64)
	if err != nil {
		return 0, ""
	}
	result = aborted
	if wrapper.child("operationList").child("hudson.plugins.build__timeout.operations.FailOperation") != nil {
		result = failure
	}
	return max(minutes, minTimeout), result
}
