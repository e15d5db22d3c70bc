package jenkins

import (
	"slices"
	"strings"
	"time"

	"github.com/anuket-project/xtci/config"
)

// A Requirement is a plugin without which a graph does not work. Jenkins drops
// what a missing plugin would understand without a word (spec/jenkins.md).
type Requirement struct {
	Plugin string // its short name
	// NeededBy says what needs it, as the site calls it.
	NeededBy string
}

// Plugins are what the graph needs, by name. Each plugin is there once for
// everything that needs it.
func (g Graph) Plugins() []Requirement {
	var all []Requirement
	need := func(plugin, by string) {
		if r := (Requirement{plugin, by}); !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	for _, job := range g.Jobs {
		if job.Kind == KindMultiJob {
			need("jenkins-multijob-plugin", "campaigns and their phases")
		}
		if job.Blocker != nil {
			need("build-blocker-plugin", "campaigns that wait for each other (jobs.properties: build-blocker)")
		}
		for _, parameter := range job.Parameters {
			switch parameter.Kind {
			case ParameterRandom:
				need("random-string-parameter", "the parameter build_tag")
			case ParameterLabel:
				need("nodelabelparameter", "the parameter node (jobs.use_node)")
			}
		}
		if len(job.Copies) > 0 {
			need("copyartifact", "files of another job (jobs.artifacts_from)")
		}
		for _, mail := range job.Mails {
			if mail.Plain {
				need("mailer", "mails (jobs.publishers: email)")
			} else {
				need("email-ext", "mails (jobs.publishers: email-ext)")
			}
		}
		if job.Timeout != nil {
			need("build-timeout", "timeouts of campaigns (jobs.wrappers: timeout)")
		}
	}
	slices.SortFunc(all, func(a, b Requirement) int { return strings.Compare(a.Plugin, b.Plugin) })
	return all
}

// usualPercentage of the average is what a build may take with an elastic
// timeout that says nothing.
const usualPercentage = 150

func timeout(wrapper config.JobWrapper) *Timeout {
	w := wrapper.Timeout
	t := &Timeout{Kind: TimeoutKind(w.Type), After: time.Duration(w.Timeout) * time.Minute, Percentage: w.ElasticPercentage, Fail: w.Fail}
	if t.Kind == "" {
		t.Kind = TimeoutAbsolute
	}
	if t.Percentage == 0 {
		t.Percentage = usualPercentage
	}
	return t
}
