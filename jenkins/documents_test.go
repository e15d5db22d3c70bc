package jenkins_test

import (
	"encoding/json"
	"os"
	"strings"
)

func jsonUnmarshal(text string, into any) error { return json.Unmarshal([]byte(text), into) }

// A document for tests is written by hand, in the forms that Jenkins takes
// (spec/jenkins.md): so these tests do not lean on what writes documents.

func xmlEscape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

func describedAs(text string) string { return "<description>" + xmlEscape(text) + "</description>" }

func shellStepOf(command string) string {
	return "<hudson.tasks.Shell><command>" + xmlEscape(command) + "</command></hudson.tasks.Shell>"
}

// freestyleOf is a job with one shell step.
func freestyleOf(command string, before ...string) string {
	return "<project>" + strings.Join(before, "") + "<canRoam>true</canRoam><builders>" + shellStepOf(command) + "</builders></project>"
}

// asksFor has definitions of string parameters, NAME=default, and of a
// random one where there is no =.
func asksFor(definitions ...string) string {
	var text strings.Builder
	text.WriteString("<properties><hudson.model.ParametersDefinitionProperty><parameterDefinitions>")
	for _, d := range definitions {
		name, value, isString := strings.Cut(d, "=")
		if !isString {
			text.WriteString("<hudson.plugins.random__string__parameter.RandomStringParameterDefinition><name>" + name +
				"</name><description/><failedValidationMessage/></hudson.plugins.random__string__parameter.RandomStringParameterDefinition>")
			continue
		}
		text.WriteString("<hudson.model.StringParameterDefinition><name>" + name + "</name><description/><defaultValue>" + xmlEscape(value) +
			"</defaultValue><trim>false</trim></hudson.model.StringParameterDefinition>")
	}
	text.WriteString("</parameterDefinitions></hudson.model.ParametersDefinitionProperty></properties>")
	return text.String()
}

// phaseOf is a phase of a MultiJob.
func phaseOf(name, execution, condition string, jobs ...string) string {
	text := "<com.tikal.jenkins.plugins.multijob.MultiJobBuilder><phaseName>" + name + "</phaseName><continuationCondition>" + condition +
		"</continuationCondition><executionType>" + execution + "</executionType><phaseJobs>"
	for _, job := range jobs {
		text += "<com.tikal.jenkins.plugins.multijob.PhaseJobsConfig><jobName>" + job + "</jobName><currParams>true</currParams><configs/>" +
			"<killPhaseOnJobResultCondition>NEVER</killPhaseOnJobResultCondition></com.tikal.jenkins.plugins.multijob.PhaseJobsConfig>"
	}
	return text + "</phaseJobs></com.tikal.jenkins.plugins.multijob.MultiJobBuilder>"
}

func multiJobOf(before string, phases ...string) string {
	return "<com.tikal.jenkins.plugins.multijob.MultiJobProject>" + before + "<canRoam>true</canRoam><builders>" + strings.Join(phases, "") +
		"</builders></com.tikal.jenkins.plugins.multijob.MultiJobProject>"
}

func listViewOf(regex string, before ...string) string {
	return "<hudson.model.ListView>" + strings.Join(before, "") + `<properties class="hudson.model.View$PropertyList"/><jobNames>` +
		`<comparator class="hudson.util.CaseInsensitiveComparator"/></jobNames><jobFilters/><columns><hudson.views.StatusColumn/><hudson.views.JobColumn/></columns>` +
		"<includeRegex>" + xmlEscape(regex) + "</includeRegex><recurse>false</recurse></hudson.model.ListView>"
}

func writeFile(name string) error { return os.WriteFile(name, nil, 0o600) }
