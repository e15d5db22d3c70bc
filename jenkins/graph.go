package jenkins

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/testcases"
)

// A Graph is the jobs and views that campaigns need in a Jenkins.
type Graph struct {
	Jobs  []Job
	Views []View
}

// NewGraph returns the jobs of a plan's campaign.
func NewGraph(plan testcases.Plan, options Options) (Graph, error) {
	shell, err := newShell()
	if err != nil {
		return Graph{}, err
	}
	b := &builder{plan: plan, options: options, shell: shell}
	b.number()
	b.phases()
	b.archives()
	graph := Graph{
		Jobs:  append([]Job{b.campaign()}, b.jobs...),
		Views: []View{{Name: plan.View.Name, Description: b.description("Campaigns of " + plan.Project), Regex: plan.View.Regex}},
	}
	if b.err != nil {
		return Graph{}, b.err
	}
	return Merge(graph)
}

// Merge puts graphs together: those of several tags, or of several projects in
// one Jenkins. What is the same in several is there once; two jobs or views
// that differ cannot have one name.
func Merge(graphs ...Graph) (Graph, error) {
	var all Graph
	jobs, views := map[string]int{}, map[string]int{}
	for _, graph := range graphs {
		for _, job := range graph.Jobs {
			if i, ok := jobs[strings.ToLower(job.Name)]; ok {
				if !reflect.DeepEqual(all.Jobs[i], job) {
					return Graph{}, fmt.Errorf("two jobs that differ would have the name %s (Jenkins ignores case): set jobs.extra_prefix, or name the tests of a container in one suite", job.Name)
				}
				continue
			}
			if !jobName.MatchString(job.Name) {
				return Graph{}, fmt.Errorf("job %q: Jenkins takes names of letters, digits, dots, dashes and underscores, 255 at most", job.Name)
			}
			jobs[strings.ToLower(job.Name)] = len(all.Jobs)
			all.Jobs = append(all.Jobs, job)
		}
		for _, view := range graph.Views {
			if i, ok := views[view.Name]; ok {
				if !reflect.DeepEqual(all.Views[i], view) {
					return Graph{}, fmt.Errorf("two views that differ would have the name %s: set jobs.extra_prefix", view.Name)
				}
				continue
			}
			views[view.Name] = len(all.Views)
			all.Views = append(all.Views, view)
		}
	}
	return all, nil
}

var jobName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$`)

// builder makes the jobs of one campaign. It keeps the first error.
type builder struct {
	plan    testcases.Plan
	options Options
	shell   shell
	jobs    []Job
	stages  []stage
	err     error
}

// A stage is a phase of the campaign, with its number from 1 on.
type stage struct {
	number int
	phase  Phase
	marks  bool // a job that fails in it keeps later phases from running
}

// The names of the phases that run no tests (spec/jobs.md).
const (
	phaseRemove  = "remove former images"
	phasePull    = "pull containers"
	phaseArchive = "dump all campaign data"
)

// number makes the campaign's phases, so that jobs know which come before.
func (b *builder) number() {
	stops := b.options.StopOnFailure
	if !b.options.Jobs.Offline {
		var remove, pull Phase
		for _, phase := range b.plan.Phases {
			remove.Jobs = appendNew(remove.Jobs, phase.Remove)
			pull.Jobs = appendNew(pull.Jobs, phase.Pull)
		}
		remove.Name, pull.Name = phaseRemove, phasePull
		b.stage(remove, "", false)
		b.stage(pull, "", stops)
	}
	for _, planned := range b.plan.Phases {
		phase := Phase{Name: planned.Name, Sequential: planned.Sequential}
		for _, job := range planned.Jobs {
			phase.Jobs = append(phase.Jobs, job.Name)
		}
		if b.options.Classic {
			// The role names them all the same, and MultiJob passes over them.
			phase.Jobs = planned.Named
		}
		marks := planned.Condition == config.ConditionSuccessful || planned.Condition == config.ConditionUnstable || planned.Condition == "" && stops
		b.stage(phase, planned.Condition, marks)
	}
	if b.archived() {
		b.stage(Phase{Name: phaseArchive, Jobs: []string{b.plan.Archive}}, "", false)
	}
}

func appendNew(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// archived says whether there is anything to make an archive of, and with.
func (b *builder) archived() bool {
	return b.options.Services.S3 != "" && b.options.Services.TestDB != "" && (len(b.plan.Archives) > 0 || !b.options.Archive.ByContainer)
}

func (b *builder) stage(phase Phase, condition string, marks bool) {
	phase.KillOn, phase.AbortAll = b.options.Jobs.InPhase.KillPhaseOn, b.options.Jobs.InPhase.AbortAllJob
	phase.Condition = "ALWAYS" // jobs look themselves whether to run: templates/parts.sh
	if b.options.Classic {
		phase.Condition = "SUCCESSFUL"
		if condition != "" {
			phase.Condition = strings.ToUpper(condition)
		}
	}
	b.stages = append(b.stages, stage{len(b.stages) + 1, phase, marks})
}

// earlier are the numbers of the phases before one that can keep it from
// running.
func (b *builder) earlier(number int) []int {
	var numbers []int
	for _, s := range b.stages {
		if s.marks && s.number < number {
			numbers = append(numbers, s.number)
		}
	}
	return numbers
}

// place returns the step that has a job; the zero one for a job that no
// campaign runs.
func (b *builder) place(job string) stage {
	for _, s := range b.stages {
		if slices.Contains(s.phase.Jobs, job) {
			return s
		}
	}
	return stage{}
}

func (b *builder) campaign() Job {
	job := Job{
		Name: b.plan.Campaign, Kind: KindMultiJob, Description: b.description("A campaign of " + b.plan.Project + " at " + b.plan.Tag.Name),
		Parameters: b.parameters(b.plan.Tag.Node, b.plan.Env, true), Timed: b.options.Jobs.Schedules(),
	}
	if !b.options.Classic && len(job.Timed) > 1 {
		job.Timed = []string{strings.Join(job.Timed, "\n")} // of several triggers of a kind Jenkins keeps one
	}
	for _, property := range b.options.Jobs.Properties {
		if blocker := property.BuildBlocker; blocker != nil {
			job.Blocker = &Blocker{Level: blocker.BlockLevel, Queue: blocker.QueueScanning}
			for _, expression := range blocker.BlockingJobs {
				job.Blocker.Jobs = append(job.Blocker.Jobs, strings.ReplaceAll(expression, "{tag}", b.plan.Tag.Name))
			}
		}
	}
	if b.options.Jobs.Properties == nil {
		suffix := b.options.Jobs.CampaignSuffix
		prefix := strings.TrimSuffix(b.plan.Campaign, suffix)
		job.Blocker = &Blocker{Jobs: []string{"^" + prefix + "(" + suffix + "|-docker|-review)$"}}
	}
	if job.Blocker != nil {
		if job.Blocker.Level == "" {
			job.Blocker.Level = "GLOBAL"
		}
		if job.Blocker.Queue == "" {
			job.Blocker.Queue = "DISABLED"
		}
	}
	for _, s := range b.stages {
		job.Phases = append(job.Phases, s.phase)
	}
	for _, publisher := range b.options.Jobs.Publishers {
		job.Mails = append(job.Mails, mail(publisher))
	}
	for _, wrapper := range b.options.Jobs.Wrappers {
		job.Timeout = timeout(wrapper)
	}
	return job
}

// description ends with the mark by which xtci knows its own.
func (b *builder) description(text string) string {
	return text + ", made by xtci: it replaces what is changed here. " + Managed(b.plan.Project)
}

// The names of the parameters that are not the site's.
const (
	nodeParameter = "node"
	tagParameter  = "build_tag"
	anyNode       = "built-in"
)

// parameters are those of a job: where it runs, the build tag, and variables.
func (b *builder) parameters(node string, env config.Env, tagged bool) []Parameter {
	var parameters []Parameter
	if b.options.Jobs.UseNode {
		if node == "" {
			node = anyNode
		}
		parameters = append(parameters, Parameter{ParameterLabel, nodeParameter, node})
	}
	if tagged && (b.options.Services.TestDB != "" || !b.options.Classic) {
		parameters = append(parameters, Parameter{ParameterRandom, tagParameter, ""})
	}
	for _, v := range env {
		kind := ParameterString
		if !b.options.Classic {
			if strings.ContainsAny(v.Value, "\r\n") {
				kind = ParameterText
			}
			if slices.ContainsFunc(parameters, func(p Parameter) bool { return strings.EqualFold(p.Name, v.Name) }) {
				continue // Jenkins could not tell them apart: scripts set it
			}
		}
		parameters = append(parameters, Parameter{kind, v.Name, v.Value})
	}
	return parameters
}

func mail(publisher config.JobPublisher) Mail {
	if publisher.EmailExt == nil {
		return Mail{Recipients: publisher.Email.Recipients, Plain: true}
	}
	e := publisher.EmailExt
	m := Mail{Recipients: e.Recipients, Subject: e.Subject, Body: e.Body, AttachLog: e.AttachLog}
	for _, event := range []struct {
		wanted bool
		event  MailEvent
	}{
		{e.Always, MailAlways},
		{e.Unstable, MailUnstable},
		{e.FirstFailure, MailFirstFailure},
		{e.Aborted, MailAborted},
		{e.Failure == nil || *e.Failure, MailFailure},
		{e.StillFailing, MailStillFailing},
		{e.Success, MailSuccess},
		{e.Fixed, MailFixed},
	} {
		if event.wanted {
			m.On = append(m.On, event.event)
		}
	}
	return m
}
