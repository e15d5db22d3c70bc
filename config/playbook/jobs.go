package playbook

import (
	"fmt"
	"strings"

	"github.com/anuket-project/xtci/config"
)

// jobs are the options of the jobs in Jenkins.
func (c *converter) jobs() {
	j := &c.site.Jobs
	for name, to := range inOrder(map[string]*bool{
		"jenkins_multi_projects": &j.MultiProjects, "jenkins_multi_repos": &j.MultiRepos,
		"use_node": &j.UseNode, "offline": &j.Offline,
	}) {
		*to = c.truth(name)
		c.from(c.known[name].Site, name)
	}
	for name, to := range inOrder(map[string]*string{
		"jenkins_extra_prefix": &j.ExtraPrefix, "jenkins_extra_suffix": &j.ExtraSuffix, "jenkins_campaign_suffix": &j.CampaignSuffix,
	}) {
		*to = c.text(name)
		c.from(c.known[name].Site, name)
	}
	if c.isGiven("jenkins_view_daily_regex") {
		j.ViewRegex = c.text("jenkins_view_daily_regex")
		c.from("jobs.view_regex", "jenkins_view_daily_regex")
	}
	if c.isGiven("node_name") && c.text("node_name") != c.site.Project {
		j.NodeName = c.text("node_name")
		c.from("jobs.node_name", "node_name")
	}
	if c.truth("use_artifacts") {
		j.ArtifactsFrom = c.text("use_artifacts_from")
		c.from("jobs.artifacts_from", "use_artifacts_from", "use_artifacts")
		if j.ArtifactsFrom == "" {
			c.warn(c.place("use_artifacts"), "use_artifacts", "use_artifacts_from names no job of which files are mounted: those of the host are")
		}
	}
	c.aroundCampaigns(j)
}

// aroundCampaigns are the lists that the role hands on to Jenkins Job Builder.
func (c *converter) aroundCampaigns(j *config.Jobs) {
	if c.isGiven("triggers") {
		j.Triggers = []config.JobTrigger{}
		c.eachKey("triggers", func(p pair) {
			if p.key != "timed" {
				c.warn(p.at, "triggers", p.key+" is not supported: campaigns start by schedule (timed), by hand, or by another job")
				return
			}
			j.Triggers = append(j.Triggers, config.JobTrigger{Timed: c.textOf("triggers", p.value)})
		})
		c.from("jobs.triggers", "triggers")
	}
	if c.isGiven("properties") {
		j.Properties = []config.JobProperty{}
		c.eachKey("properties", func(p pair) {
			if p.key != "build-blocker" {
				c.warn(p.at, "properties", p.key+" is not supported: campaigns have build-blocker")
				return
			}
			j.Properties = append(j.Properties, config.JobProperty{BuildBlocker: c.blocker(p.value)})
		})
		c.from("jobs.properties", "properties")
	}
	if c.isGiven("job_properties") {
		m := c.mappingOf("job_properties", c.value("job_properties"))
		c.unknownKeys("job_properties", m, "kill-phase-on", "abort-all-job")
		if v := m.get("kill-phase-on"); v != nil {
			j.InPhase.KillPhaseOn = c.textOf("job_properties", v)
		}
		if v := m.get("abort-all-job"); v != nil {
			j.InPhase.AbortAllJob = c.truthOf("job_properties", v)
		}
		c.from("jobs.job_properties", "job_properties")
	}
	c.eachKey("jenkins_publishers", func(p pair) {
		switch p.key {
		case "email-ext":
			j.Publishers = append(j.Publishers, config.JobPublisher{EmailExt: c.emailExt(p.value)})
		case "email":
			m := c.mappingOf("jenkins_publishers", p.value)
			c.unknownKeys("jenkins_publishers", m, "recipients")
			j.Publishers = append(j.Publishers, config.JobPublisher{Email: &config.Email{Recipients: m.text("recipients")}})
		default:
			c.warn(p.at, "jenkins_publishers", p.key+" is not supported: campaigns tell of their ends by email-ext or email")
		}
	})
	c.from("jobs.publishers", "jenkins_publishers")
	c.eachKey("jenkins_wrappers", func(p pair) {
		if p.key != "timeout" {
			c.warn(p.at, "jenkins_wrappers", p.key+" is not supported: campaigns have timeout")
			return
		}
		j.Wrappers = append(j.Wrappers, config.JobWrapper{Timeout: c.timeout(p.value)})
	})
	c.from("jobs.wrappers", "jenkins_wrappers")
}

// eachKey goes through a list of mappings with one key each.
func (c *converter) eachKey(variable string, do func(pair)) {
	v := c.value(variable)
	list, ok := v.list()
	if !ok && !v.isNil() {
		c.wrong(v.place, variable, "want a list, and not %s", quotedValue(v))
	}
	for _, element := range list {
		for _, p := range c.mappingOf(variable, element).pairs {
			do(p)
		}
	}
}

func (c *converter) blocker(v *value) *config.BuildBlocker {
	const variable = "properties"
	m := c.mappingOf(variable, v)
	c.unknownKeys(variable, m, "blocking-jobs", "block-level", "queue-scanning", "use-build-blocker")
	jobs := m.get("blocking-jobs")
	if jobs != nil {
		if _, isText := jobs.data.(string); isText {
			jobs = &value{place: jobs.place, data: []*value{jobs}}
		}
	}
	return &config.BuildBlocker{
		BlockingJobs: c.strings(variable, jobs), BlockLevel: m.text("block-level"), QueueScanning: m.text("queue-scanning"),
	}
}

func (c *converter) emailExt(v *value) *config.EmailExt {
	const variable = "jenkins_publishers"
	m := c.mappingOf(variable, v)
	e := &config.EmailExt{Recipients: m.text("recipients"), Subject: m.text("subject"), Body: m.text("body")}
	flags := map[string]*bool{
		"attach-build-log": &e.AttachLog, "always": &e.Always, "first-failure": &e.FirstFailure, "still-failing": &e.StillFailing,
		"fixed": &e.Fixed, "success": &e.Success, "unstable": &e.Unstable, "aborted": &e.Aborted,
	}
	for _, p := range m.pairs {
		switch to := flags[p.key]; {
		case to != nil:
			*to = c.truthOf(variable, p.value)
		case p.key == "failure":
			failure := c.truthOf(variable, p.value)
			e.Failure = &failure
		case p.key != "recipients" && p.key != "subject" && p.key != "body":
			c.warn(p.at, variable, fmt.Sprintf("email-ext: the key %q is not supported, and ignored", clip(p.key)))
		}
	}
	return e
}

func (c *converter) timeout(v *value) *config.JobTimeout {
	const variable = "jenkins_wrappers"
	m := c.mappingOf(variable, v)
	c.unknownKeys(variable, m, "timeout", "fail", "type", "elastic-percentage")
	t := &config.JobTimeout{Type: m.text("type")}
	for key, to := range inOrder(map[string]*int{"timeout": &t.Timeout, "elastic-percentage": &t.ElasticPercentage}) {
		if n := m.get(key); n != nil {
			*to = c.numberOf(variable, n)
		}
	}
	if fail := m.get("fail"); fail != nil {
		t.Fail = c.truthOf(variable, fail)
	}
	return t
}

// trimURL is a URL as the site has it: without a slash at its end.
func trimURL(url string) string { return strings.TrimRight(url, "/") }
