package jenkinstest

import (
	"encoding/xml"
	"slices"
	"strings"
)

// Root classes.
const (
	freestyleRoot = "project"
	multiJobRoot  = "com.tikal.jenkins.plugins.multijob.MultiJobProject"
	listViewRoot  = "hudson.model.ListView"

	freestyleClass = "hudson.model.FreeStyleProject"
	nullSCM        = "hudson.scm.NullSCM"
)

// owner returns the plugin that a class belongs to: empty for Jenkins itself;
// known is false for a class that nobody has.
func owner(class string) (plugin string, known bool) {
	name := strings.ReplaceAll(class, "__", "_") // as the names of elements spell it
	for _, o := range []struct{ prefix, plugin string }{
		{"com.tikal.jenkins.plugins.multijob.", MultiJob},
		{"hudson.plugins.buildblocker.", BuildBlocker},
		{"hudson.plugins.random_string_parameter.", RandomString},
		{"org.jvnet.jenkins.plugins.nodelabelparameter.", "nodelabelparameter"},
		{"hudson.plugins.git.", "git"},
		{"hudson.plugins.emailext.", "email-ext"},
		{"hudson.plugins.build_timeout.", "build-timeout"},
		{"hudson.plugins.copyartifact.", "copyartifact"},
		{"hudson.plugins.throttleconcurrents.", "throttle-concurrents"},
		{"hudson.plugins.timestamper.", "timestamper"},
		{"hudson.plugins.ansicolor.", "ansicolor"},
		{"hudson.plugins.ws_cleanup.", "ws-cleanup"},
		{"hudson.plugins.descriptionsetter.", "description-setter"},
		{"hudson.plugins.parameterizedtrigger.", "parameterized-trigger"},
		{"hudson.tasks.Mailer", "mailer"},
		{"org.jenkinsci.plugins.credentialsbinding.", "credentials-binding"},
		{"com.cloudbees.plugins.credentials.", "credentials"},
		{"org.jenkinsci.plugins.conditionalbuildstep.", "conditional-buildstep"},
		{"org.jenkins_ci.plugins.run_condition.", "run-condition"},
		{"org.jenkinsci.plugins.postbuildscript.", "postbuildscript"},
		{"org.jvnet.hudson.plugins.groovypostbuild.", "groovy-postbuild"},
		{"EnvInject", "envinject"},
		{"org.jenkinsci.plugins.envinject.", "envinject"},
		{"hudson.model.", ""},
		{"hudson.tasks.", ""},
		{"hudson.triggers.", ""},
		{"hudson.scm.", ""},
		{"hudson.views.", ""},
		{"hudson.util.", ""},
		{"hudson.security.", ""},
		{"jenkins.model.", ""},
		{"jenkins.triggers.", ""},
		{"java.", ""},
	} {
		if strings.HasPrefix(name, o.prefix) {
			return o.plugin, true
		}
	}
	return "", false
}

// A saver rewrites documents as a Jenkins with some plugins does when it saves.
type saver struct{ plugins map[string]string }

// has says whether a class can be loaded.
func (s saver) has(class string) bool {
	plugin, known := owner(class)
	return known && (plugin == "" || s.plugins[plugin] != "")
}

// knowsRoot says whether a document of that root can be loaded at all.
func (s saver) knowsRoot(name string) bool {
	switch name {
	case freestyleRoot, freestyleClass:
		return true
	case multiJobRoot:
		return s.has(name)
	}
	return false
}

// A field of a class, in the order in which XStream writes them.
type field struct {
	name string
	// missing is written when the field was not there: false for flags, 0 for
	// numbers. Empty is nothing.
	missing string
	// list is written when it is not there, too.
	list bool
}

func flag(name string) field { return field{name: name, missing: "false"} }
func text(name string) field { return field{name: name} }
func list(name string) field { return field{name: name, list: true} }

// fields returns the fields of the classes whose saved form is recorded. Of
// another class all children are taken as they are.
func fields(class string) []field {
	switch class {
	case freestyleRoot, multiJobRoot:
		all := []field{
			list("actions"), text("description"), text("displayName"), flag("keepDependencies"), list("properties"),
			list("scm"), text("quietPeriod"), text("scmCheckoutRetryCount"), text("assignedNode"), flag("canRoam"), flag("disabled"),
			flag("blockBuildWhenDownstreamBuilding"), flag("blockBuildWhenUpstreamBuilding"), text("jdk"), text("authToken"),
			list("triggers"), flag("concurrentBuild"), text("customWorkspace"), list("builders"), list("publishers"), list("buildWrappers"),
		}
		if class == multiJobRoot {
			all = append(all, flag("pollSubjobs"))
		}
		return all
	case "hudson.plugins.buildblocker.BuildBlockerProperty":
		return []field{flag("useBuildBlocker"), text("blockLevel"), text("scanQueueFor"), text("blockingJobs")}
	case "hudson.plugins.random__string__parameter.RandomStringParameterDefinition":
		return []field{text("name"), text("description"), text("failedValidationMessage")}
	case "hudson.model.StringParameterDefinition", "hudson.model.TextParameterDefinition":
		return []field{text("name"), text("description"), text("defaultValue"), flag("trim")}
	case "com.tikal.jenkins.plugins.multijob.MultiJobBuilder":
		return []field{text("phaseName"), list("phaseJobs"), text("continuationCondition"), text("executionType")}
	case "com.tikal.jenkins.plugins.multijob.PhaseJobsConfig":
		return []field{
			text("jobName"), text("jobAlias"), text("jobProperties"), flag("currParams"), flag("aggregatedTestResults"), flag("exposedSCM"), flag("disableJob"),
			text("parsingRulesPath"),
			{name: "maxRetries", missing: "0"},
			flag("enableRetryStrategy"), flag("enableCondition"),
			flag("abortAllJob"), text("condition"), list("configs"), text("killPhaseOnJobResultCondition"),
			flag("buildOnlyIfSCMChanges"), flag("applyConditionOnlyIfNoSCMChanges"),
		}
	case "hudson.triggers.TimerTrigger":
		return []field{text("spec")}
	case "hudson.tasks.Shell":
		return []field{text("command"), list("configuredLocalRules"), text("unstableReturn")}
	}
	return nil
}

// save returns the document as it is after a save: fields in Jenkins's order,
// those that were missing, plugin attributes, and without what no installed
// plugin knows.
func (s saver) save(n *node) *node {
	saved, _ := s.object(n, n.name, "")
	return saved
}

// object rewrites an element of a class. plugin is that of the element around.
func (s saver) object(n *node, class, plugin string) (saved *node, kept bool) {
	saved = element(n.name)
	for _, a := range n.attrs {
		if a.Name.Local != "plugin" && (a.Name.Local != "class" || n.name != "triggers") {
			saved.attrs = append(saved.attrs, a)
		}
	}
	if own, known := owner(class); known && own != "" && own != plugin {
		plugin = own
		saved.attrs = append(saved.attrs, pluginAttr(own, s.plugins[own]))
	}
	known := fields(class)
	if known == nil {
		s.children(saved, n, plugin)
		return saved, true
	}
	for _, f := range known {
		kid := n.child(f.name)
		switch {
		case kid != nil:
			if rewritten, ok := s.element(kid, plugin); ok {
				saved.kids = append(saved.kids, rewritten)
			}
		case f.missing != "":
			saved.kids = append(saved.kids, leaf(f.name, f.missing))
		case f.list && f.name == "scm":
			saved.kids = append(saved.kids, noSCM())
		case f.list && f.name != "configuredLocalRules":
			saved.kids = append(saved.kids, element(f.name))
		}
	}
	return saved, true
}

// children copies what is in an element of which nothing is known.
func (s saver) children(saved, n *node, plugin string) {
	for _, kid := range n.kids {
		switch {
		case kid.name == textNode && len(n.elements()) == 0:
			saved.kids = append(saved.kids, kid)
		case kid.isElement():
			if rewritten, ok := s.element(kid, plugin); ok {
				saved.kids = append(saved.kids, rewritten)
			}
		}
	}
}

// element rewrites a child: it is dropped when its class cannot be loaded.
func (s saver) element(n *node, plugin string) (saved *node, kept bool) {
	class := n.attr("class")
	isClass := strings.Contains(n.name, ".")
	if isClass {
		class = n.name
	}
	if class != "" && strings.Contains(class, ".") && !s.has(class) {
		if n.name == "scm" {
			return noSCM(), true
		}
		return nil, false
	}
	return s.object(n, class, plugin)
}

func noSCM() *node {
	return &node{name: "scm", attrs: []xml.Attr{{Name: xml.Name{Local: "class"}, Value: nullSCM}}}
}

func pluginAttr(name, version string) xml.Attr {
	return xml.Attr{Name: xml.Name{Local: "plugin"}, Value: name + "@" + version}
}

// loaded returns the document without what cannot be loaded: what Jenkins
// works with, whatever its file still says.
func (s saver) loaded(n *node) *node { return s.save(n) }

// all returns every element of that name below n, in order.
func (n *node) all(name string) []*node {
	var found []*node
	for _, kid := range n.elements() {
		if kid.name == name {
			found = append(found, kid)
		}
		found = slices.Concat(found, kid.all(name))
	}
	return found
}
