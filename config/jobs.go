package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Jobs are the options of the jobs in Jenkins: their names, when they run,
// and what happens around them. The keys are those of the Ansible role and of
// Jenkins Job Builder, where those have them.
type Jobs struct {
	// MultiProjects puts the project into the names of jobs, so that several
	// can share one Jenkins.
	MultiProjects bool `yaml:"multi_projects" json:"multi_projects"`
	// MultiRepos puts the repository into the names of jobs.
	MultiRepos bool `yaml:"multi_repos" json:"multi_repos"`
	// ExtraPrefix follows the project in names.
	ExtraPrefix string `yaml:"extra_prefix" json:"extra_prefix"`
	// ExtraSuffix ends the names of tests.
	ExtraSuffix string `yaml:"extra_suffix" json:"extra_suffix"`
	// CampaignSuffix ends the names of campaigns.
	CampaignSuffix string `yaml:"campaign_suffix" json:"campaign_suffix"`

	// Triggers start campaigns. Without the key it is one a day; an empty list
	// is never.
	Triggers []JobTrigger `yaml:"triggers" json:"triggers"`
	// Properties are properties of campaigns. Without the key a campaign waits
	// for the builds and reviews of its tag.
	Properties []JobProperty `yaml:"properties" json:"properties"`
	// Publishers tell of a campaign's end.
	Publishers []JobPublisher `yaml:"publishers" json:"publishers"`
	// Wrappers are put around campaigns.
	Wrappers []JobWrapper `yaml:"wrappers" json:"wrappers"`
	// InPhase is how campaigns run their jobs.
	InPhase InPhase `yaml:"job_properties" json:"job_properties"`

	// UseNode gives all jobs a parameter that says on which node they run.
	UseNode bool `yaml:"use_node" json:"use_node"`
	// ArtifactsFrom is a job whose archived files are mounted instead of the
	// host's: of every volume, the file of that name.
	ArtifactsFrom string `yaml:"artifacts_from" json:"artifacts_from"`
	// ViewRegex chooses the jobs of the view. Empty is all campaigns of the
	// project.
	ViewRegex string `yaml:"view_regex" json:"view_regex"`

	// NodeName is who tests, in records. Empty is the project.
	NodeName string `yaml:"node_name" json:"node_name"`
	// Workspace is the folder of the Docker host under which Jenkins has its
	// workspaces. Empty is that of the stack's own Jenkins.
	Workspace string `yaml:"workspace" json:"workspace"`
	// KeysFile is a file that the scripts of jobs read, with the lines
	// AWS_ACCESS_KEY_ID=... and AWS_SECRET_ACCESS_KEY=... as a shell reads
	// them. Empty is that the jobs hold the key of the object store.
	KeysFile string `yaml:"keys_file" json:"keys_file"`
	// RemoveImages has every campaign remove all images first, and pull them
	// again.
	RemoveImages bool `yaml:"remove_images" json:"remove_images"`
	// Offline makes no jobs that pull or remove images.
	Offline bool `yaml:"offline" json:"offline"`
}

// A JobTrigger starts a campaign.
type JobTrigger struct {
	// Timed is a schedule in Jenkins's form, such as @daily or H 2 * * 1-5.
	Timed string `yaml:"timed" json:"timed"`
}

// A JobProperty is a property of campaigns: exactly one of its keys is there.
type JobProperty struct {
	// BuildBlocker keeps a campaign waiting while other jobs run.
	BuildBlocker *BuildBlocker `yaml:"build-blocker" json:"build-blocker,omitempty"`
}

// BuildBlocker keeps a campaign waiting while other jobs run.
type BuildBlocker struct {
	// BlockingJobs are regular expressions of their names, in which {tag}
	// stands for the campaign's tag.
	BlockingJobs []string `yaml:"blocking-jobs" json:"blocking-jobs"`
	// BlockLevel says where they run: GLOBAL (anywhere) or NODE (on the node of
	// the campaign).
	BlockLevel string `yaml:"block-level" json:"block-level,omitempty"`
	// QueueScanning says which jobs in the queue count, too: DISABLED, ALL or
	// BUILDABLE.
	QueueScanning string `yaml:"queue-scanning" json:"queue-scanning,omitempty"`
}

// A JobPublisher tells of a campaign's end: exactly one of its keys is there.
type JobPublisher struct {
	// EmailExt sends mails by the email-ext plugin.
	EmailExt *EmailExt `yaml:"email-ext" json:"email-ext,omitempty"`
	// Email sends mails by Jenkins's own mailer.
	Email *Email `yaml:"email" json:"email,omitempty"`
}

// EmailExt are mails by the email-ext plugin.
type EmailExt struct {
	// Recipients are addresses, separated by blanks or commas.
	Recipients string `yaml:"recipients" json:"recipients"`
	// Subject is that of the mail. Empty is the plugin's.
	Subject string `yaml:"subject" json:"subject,omitempty"`
	// Body is that of the mail. Empty is the plugin's.
	Body string `yaml:"body" json:"body,omitempty"`
	// AttachLog attaches the console of the campaign.
	AttachLog bool `yaml:"attach-build-log" json:"attach-build-log,omitempty"`
	// Always sends a mail whatever the result.
	Always bool `yaml:"always" json:"always,omitempty"`
	// Failure sends one when a campaign failed; true if not given.
	Failure *bool `yaml:"failure" json:"failure,omitempty"`
	// FirstFailure sends one when a campaign failed and that before did not.
	FirstFailure bool `yaml:"first-failure" json:"first-failure,omitempty"`
	// StillFailing sends one when a campaign failed as that before did.
	StillFailing bool `yaml:"still-failing" json:"still-failing,omitempty"`
	// Fixed sends one when a campaign succeeded and that before did not.
	Fixed bool `yaml:"fixed" json:"fixed,omitempty"`
	// Success sends one when a campaign succeeded.
	Success bool `yaml:"success" json:"success,omitempty"`
	// Unstable sends one when a campaign was unstable.
	Unstable bool `yaml:"unstable" json:"unstable,omitempty"`
	// Aborted sends one when a campaign was aborted.
	Aborted bool `yaml:"aborted" json:"aborted,omitempty"`
}

// Email are mails by Jenkins's own mailer.
type Email struct {
	// Recipients are addresses, separated by blanks.
	Recipients string `yaml:"recipients" json:"recipients"`
}

// A JobWrapper is put around campaigns: exactly one of its keys is there.
type JobWrapper struct {
	// Timeout ends campaigns that take too long.
	Timeout *JobTimeout `yaml:"timeout" json:"timeout,omitempty"`
}

// JobTimeout ends campaigns that take too long.
type JobTimeout struct {
	// Timeout is the time in minutes, from 1 on.
	Timeout int `yaml:"timeout" json:"timeout"`
	// Fail has a campaign that took too long fail, not be aborted.
	Fail bool `yaml:"fail" json:"fail,omitempty"`
	// Type is absolute, no-activity, elastic or likely-stuck. Empty is
	// absolute.
	Type string `yaml:"type" json:"type,omitempty"`
	// ElasticPercentage is how long, in percent of what campaigns took before,
	// one may take with the type elastic.
	ElasticPercentage int `yaml:"elastic-percentage" json:"elastic-percentage,omitempty"`
}

// InPhase is how a campaign runs the jobs of a phase.
type InPhase struct {
	// KillPhaseOn is the result of one job that ends its phase: FAILURE,
	// UNSTABLE or NEVER. Empty is NEVER.
	KillPhaseOn string `yaml:"kill-phase-on" json:"kill-phase-on"`
	// AbortAllJob aborts the jobs of a phase that still run when it is ended.
	AbortAllJob bool `yaml:"abort-all-job" json:"abort-all-job"`
}

func defaultJobs() Jobs {
	return Jobs{MultiProjects: true, MultiRepos: true, CampaignSuffix: "-daily"}
}

// Schedules are the schedules on which campaigns start.
func (j Jobs) Schedules() []string {
	if j.Triggers == nil {
		return []string{"@daily"}
	}
	var schedules []string
	for _, trigger := range j.Triggers {
		schedules = append(schedules, trigger.Timed)
	}
	return schedules
}

var jobNamePart = regexp.MustCompile(`^[A-Za-z0-9._-]*$`)

// validate returns the first thing that is wrong with the options of jobs.
func (j Jobs) validate() error {
	for key, value := range map[string]string{
		"jobs.extra_prefix": j.ExtraPrefix, "jobs.extra_suffix": j.ExtraSuffix, "jobs.campaign_suffix": j.CampaignSuffix,
	} {
		if !jobNamePart.MatchString(value) {
			return &ValueError{key, value, "use letters, digits, dots, dashes and underscores"}
		}
	}
	for _, trigger := range j.Triggers {
		if strings.TrimSpace(trigger.Timed) == "" {
			return &ValueError{"jobs.triggers", trigger.Timed, "give a schedule, such as timed: '@daily'"}
		}
	}
	if j.KeysFile != "" && !strings.HasPrefix(j.KeysFile, "/") {
		return &ValueError{"jobs.keys_file", j.KeysFile, "give a path that begins with a slash"}
	}
	if !slices.Contains([]string{"", "FAILURE", "UNSTABLE", "NEVER"}, j.InPhase.KillPhaseOn) {
		return &ValueError{"jobs.job_properties.kill-phase-on", j.InPhase.KillPhaseOn, "use FAILURE, UNSTABLE or NEVER"}
	}
	for i, property := range j.Properties {
		if err := property.BuildBlocker.validate(fmt.Sprintf("jobs.properties[%d].build-blocker", i)); err != nil {
			return err
		}
	}
	for i, publisher := range j.Publishers {
		if (publisher.EmailExt == nil) == (publisher.Email == nil) {
			return &ValueError{fmt.Sprintf("jobs.publishers[%d]", i), "", "give email-ext or email"}
		}
	}
	for i, wrapper := range j.Wrappers {
		if err := wrapper.Timeout.validate(fmt.Sprintf("jobs.wrappers[%d].timeout", i)); err != nil {
			return err
		}
	}
	return nil
}

func (b *BuildBlocker) validate(key string) error {
	if b == nil {
		return &ValueError{strings.TrimSuffix(key, ".build-blocker"), "", "give build-blocker"}
	}
	if len(b.BlockingJobs) == 0 {
		return &ValueError{key + ".blocking-jobs", "", "give regular expressions of the names of jobs"}
	}
	if !slices.Contains([]string{"", "GLOBAL", "NODE"}, b.BlockLevel) {
		return &ValueError{key + ".block-level", b.BlockLevel, "use GLOBAL or NODE"}
	}
	if !slices.Contains([]string{"", "DISABLED", "ALL", "BUILDABLE"}, b.QueueScanning) {
		return &ValueError{key + ".queue-scanning", b.QueueScanning, "use DISABLED, ALL or BUILDABLE"}
	}
	return nil
}

func (t *JobTimeout) validate(key string) error {
	if t == nil {
		return &ValueError{strings.TrimSuffix(key, ".timeout"), "", "give timeout"}
	}
	if !slices.Contains([]string{"", "absolute", "no-activity", "elastic", "likely-stuck"}, t.Type) {
		return &ValueError{key + ".type", t.Type, "use absolute, no-activity, elastic or likely-stuck"}
	}
	if t.Timeout < 1 && t.Type != "likely-stuck" || t.Timeout > int(365*24*time.Hour/time.Minute) {
		return &ValueError{key + ".timeout", fmt.Sprint(t.Timeout), "give minutes, from 1 on"}
	}
	return nil
}
