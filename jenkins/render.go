package jenkins

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
)

// document writes an element as a whole document.
func document(element any) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("<?xml version='1.0' encoding='UTF-8'?>\n")
	encoder := xml.NewEncoder(&b)
	encoder.Indent("", "  ")
	if err := encoder.Encode(element); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// XML returns the job's config.xml.
func (j Job) XML() ([]byte, error) {
	p := project{Description: text(j.Description), SCM: nullSCM{"hudson.scm.NullSCM"}, CanRoam: true}
	if j.Blocker != nil {
		p.Properties.add(blockerProperty{
			Use: true, Level: j.Blocker.Level, Queue: j.Blocker.Queue, Jobs: text(strings.Join(j.Blocker.Jobs, "\n")),
		})
	}
	if len(j.Parameters) > 0 {
		var property parametersProperty
		for _, parameter := range j.Parameters {
			property.Definitions.add(parameter.element())
		}
		p.Properties.add(property)
	}
	for _, schedule := range j.Timed {
		p.Triggers.add(timerTrigger{Spec: text(schedule)})
	}
	for _, c := range j.Copies {
		p.Builders.add(c.element())
	}
	if j.Shell != nil {
		p.Builders.add(shellStep{Command: text(j.Shell.Script), Unstable: j.Shell.Unstable})
	}
	for _, phase := range j.Phases {
		p.Builders.add(phase.element())
	}
	for _, mail := range j.Mails {
		p.Publishers.add(mail.element())
	}
	if j.Timeout != nil {
		p.Wrappers.add(j.Timeout.element())
	}
	var element any = freestyleProject{project: p}
	if j.Kind == KindMultiJob {
		element = multiJobProject{project: p}
	}
	config, err := document(element)
	if err != nil {
		return nil, fmt.Errorf("config.xml of job %s: %w", j.Name, err)
	}
	return config, nil
}

func (p Parameter) element() any {
	name, value := text(p.Name), text(p.Default)
	switch p.Kind {
	case ParameterRandom:
		return randomParameter{Name: name}
	case ParameterLabel:
		return labelParameter{
			Name: name, Default: value, TriggerIfResult: "allCases",
			NodeEligibility: class{"org.jvnet.jenkins.plugins.nodelabelparameter.node.AllNodeEligibility"},
		}
	case ParameterText:
		return textParameter{Name: name, Default: value}
	default:
		return stringParameter{Name: name, Default: value}
	}
}

func (c Copy) element() any {
	return copyStep{
		Project: text(c.From), Filter: text(c.Filter), Target: ".",
		Selector: copySelector{Class: "hudson.plugins.copyartifact.TriggeredBuildSelector", Fallback: c.OrLast, Filter: "UseGlobalSetting"},
	}
}

func (p Phase) element() any {
	execution := "PARALLEL"
	if p.Sequential {
		execution = "SEQUENTIALLY"
	}
	step := phaseStep{Name: text(p.Name), Condition: p.Condition, Execution: execution}
	kill := p.KillOn
	if kill == "" {
		kill = "NEVER" // without it MultiJob's console shows an exception for each job
	}
	for _, name := range p.Jobs {
		step.Jobs.add(phaseJob{Name: text(name), CurrentParameters: true, AbortAll: p.AbortAll, KillOn: kill})
	}
	return step
}

// trigger is the class of an event of email-ext, and how many failures make it.
func (e MailEvent) trigger() (name string, failures int) {
	const triggers = "hudson.plugins.emailext.plugins.trigger."
	switch e {
	case MailAlways:
		return triggers + "AlwaysTrigger", 0
	case MailFirstFailure:
		return triggers + "FirstFailureTrigger", 1
	case MailStillFailing:
		return triggers + "StillFailingTrigger", 0
	case MailFixed:
		return triggers + "FixedTrigger", 0
	case MailSuccess:
		return triggers + "SuccessTrigger", 0
	case MailUnstable:
		return triggers + "UnstableTrigger", 0
	case MailAborted:
		return triggers + "AbortedTrigger", 0
	default:
		return triggers + "FailureTrigger", 0
	}
}

func (m Mail) element() any {
	if m.Plain {
		return mailerPublisher{Recipients: text(m.Recipients)}
	}
	publisher := mailPublisher{
		Recipients: text(m.Recipients), ContentType: "default", Subject: text(m.Subject), Body: text(m.Body),
		PreSend: "$DEFAULT_PRESEND_SCRIPT", PostSend: "$DEFAULT_POSTSEND_SCRIPT", AttachLog: m.AttachLog, ReplyTo: "$DEFAULT_REPLYTO",
	}
	if m.Subject == "" {
		publisher.Subject = "$DEFAULT_SUBJECT"
	}
	if m.Body == "" {
		publisher.Body = "$DEFAULT_CONTENT"
	}
	for _, event := range m.On {
		name, failures := event.trigger()
		publisher.Triggers.add(mailTrigger{
			XMLName: xml.Name{Local: name}, Failures: failures,
			Email: mailContent{
				Subject: "$PROJECT_DEFAULT_SUBJECT", Body: "$PROJECT_DEFAULT_CONTENT", ReplyTo: "$PROJECT_DEFAULT_REPLYTO",
				ContentType: "project", Providers: list{[]any{listProvider{}}},
			},
		})
	}
	return publisher
}

func (t Timeout) element() any {
	const strategies = "hudson.plugins.build_timeout.impl."
	minutes := int(t.After.Minutes())
	var wrapper timeoutWrapper
	switch t.Kind {
	case TimeoutNoActivity:
		wrapper.Strategy = timeoutStrategy{Class: strategies + "NoActivityTimeOutStrategy", Seconds: int(t.After.Seconds())}
	case TimeoutElastic:
		wrapper.Strategy = timeoutStrategy{
			Class: strategies + "ElasticTimeOutStrategy", Percentage: t.Percentage, Builds: 3, Default: minutes,
		}
	case TimeoutLikely:
		wrapper.Strategy = timeoutStrategy{Class: strategies + "LikelyStuckTimeOutStrategy"}
	default:
		wrapper.Strategy = timeoutStrategy{Class: strategies + "AbsoluteTimeOutStrategy", Minutes: minutes}
	}
	if t.Fail {
		wrapper.Operations.add(failOperation{})
	} else {
		wrapper.Operations.add(abortOperation{})
	}
	return wrapper
}

// XML returns the view's config.xml.
func (v View) XML() ([]byte, error) {
	view := listView{
		Name: text(v.Name), Description: text(v.Description), Properties: class{"hudson.model.View$PropertyList"},
		JobNames: comparator{class{"hudson.util.CaseInsensitiveComparator"}}, Regex: text(v.Regex),
	}
	for _, name := range [...]string{"Status", "Weather", "Job", "LastSuccess", "LastFailure", "LastDuration"} {
		view.Columns.add(column{xml.Name{Local: "hudson.views." + name + "Column"}})
	}
	config, err := document(view)
	if err != nil {
		return nil, fmt.Errorf("config.xml of view %s: %w", v.Name, err)
	}
	return config, nil
}
