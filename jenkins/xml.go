package jenkins

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The elements of config.xml, in the order and with the defaults in which
// Jenkins itself saves them (spec/jenkins-samples/multijob-config-canonical.xml):
// so a job that was saved once is no other one.

// list is an element with elements of any names in it.
type list struct {
	Elements []any
}

// add appends an element if there is one.
func (l *list) add(elements ...any) { l.Elements = append(l.Elements, elements...) }

// text is characters, with line breaks as they are: encoding/xml writes
// references for them, and nobody could read a script any more.
type text string

// MarshalXML writes the element with its text.
func (t text) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	for _, r := range string(t) {
		if r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == utf8.RuneError || r == '\ufffe' || r == '\uffff' {
			return fmt.Errorf("%s: XML cannot hold the character %s", start.Name.Local, strconv.QuoteRune(r))
		}
	}
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;").Replace(string(t))
	return e.EncodeElement(struct {
		Inner string `xml:",innerxml"`
	}{escaped}, start)
}

type none struct{}

type nullSCM struct {
	Class string `xml:"class,attr"`
}

// project is what freestyle projects and MultiJobs have in common.
type project struct {
	Actions          none    `xml:"actions"`
	Description      text    `xml:"description"`
	KeepDependencies bool    `xml:"keepDependencies"`
	Properties       list    `xml:"properties"`
	SCM              nullSCM `xml:"scm"`
	CanRoam          bool    `xml:"canRoam"`
	Disabled         bool    `xml:"disabled"`
	BlockDownstream  bool    `xml:"blockBuildWhenDownstreamBuilding"`
	BlockUpstream    bool    `xml:"blockBuildWhenUpstreamBuilding"`
	Triggers         list    `xml:"triggers"`
	ConcurrentBuild  bool    `xml:"concurrentBuild"`
	Builders         list    `xml:"builders"`
	Publishers       list    `xml:"publishers"`
	Wrappers         list    `xml:"buildWrappers"`
}

type freestyleProject struct {
	XMLName xml.Name `xml:"project"`
	project
}

type multiJobProject struct {
	XMLName xml.Name `xml:"com.tikal.jenkins.plugins.multijob.MultiJobProject"`
	project
	PollSubjobs bool `xml:"pollSubjobs"`
}

type parametersProperty struct {
	XMLName     xml.Name `xml:"hudson.model.ParametersDefinitionProperty"`
	Definitions list     `xml:"parameterDefinitions"`
}

type stringParameter struct {
	XMLName     xml.Name `xml:"hudson.model.StringParameterDefinition"`
	Name        text     `xml:"name"`
	Description text     `xml:"description"`
	Default     text     `xml:"defaultValue"`
	Trim        bool     `xml:"trim"`
}

type textParameter struct {
	XMLName     xml.Name `xml:"hudson.model.TextParameterDefinition"`
	Name        text     `xml:"name"`
	Description text     `xml:"description"`
	Default     text     `xml:"defaultValue"`
	Trim        bool     `xml:"trim"`
}

type randomParameter struct {
	XMLName     xml.Name `xml:"hudson.plugins.random__string__parameter.RandomStringParameterDefinition"`
	Name        text     `xml:"name"`
	Description text     `xml:"description"`
	Message     text     `xml:"failedValidationMessage"`
}

type labelParameter struct {
	XMLName         xml.Name `xml:"org.jvnet.jenkins.plugins.nodelabelparameter.LabelParameterDefinition"`
	Name            text     `xml:"name"`
	Description     text     `xml:"description"`
	Default         text     `xml:"defaultValue"`
	AllNodes        bool     `xml:"allNodesMatchingLabel"`
	TriggerIfResult string   `xml:"triggerIfResult"`
	NodeEligibility class    `xml:"nodeEligibility"`
}

type class struct {
	Class string `xml:"class,attr"`
}

type blockerProperty struct {
	XMLName xml.Name `xml:"hudson.plugins.buildblocker.BuildBlockerProperty"`
	Use     bool     `xml:"useBuildBlocker"`
	Level   string   `xml:"blockLevel"`
	Queue   string   `xml:"scanQueueFor"`
	Jobs    text     `xml:"blockingJobs"`
}

type timerTrigger struct {
	XMLName xml.Name `xml:"hudson.triggers.TimerTrigger"`
	Spec    text     `xml:"spec"`
}

type shellStep struct {
	XMLName  xml.Name `xml:"hudson.tasks.Shell"`
	Command  text     `xml:"command"`
	Unstable int      `xml:"unstableReturn,omitempty"`
}

type copyStep struct {
	XMLName       xml.Name     `xml:"hudson.plugins.copyartifact.CopyArtifact"`
	Project       text         `xml:"project"`
	Filter        text         `xml:"filter"`
	Target        text         `xml:"target"`
	Excludes      text         `xml:"excludes"`
	Selector      copySelector `xml:"selector"`
	NoFingerprint bool         `xml:"doNotFingerprintArtifacts"`
}

type copySelector struct {
	Class    string `xml:"class,attr"`
	Fallback bool   `xml:"fallbackToLastSuccessful,omitempty"`
	Filter   string `xml:"upstreamFilterStrategy"`
	Upstream bool   `xml:"allowUpstreamDependencies"`
}

type phaseStep struct {
	XMLName   xml.Name `xml:"com.tikal.jenkins.plugins.multijob.MultiJobBuilder"`
	Name      text     `xml:"phaseName"`
	Jobs      list     `xml:"phaseJobs"`
	Condition string   `xml:"continuationCondition"`
	Execution string   `xml:"executionType"`
}

type phaseJob struct {
	XMLName           xml.Name `xml:"com.tikal.jenkins.plugins.multijob.PhaseJobsConfig"`
	Name              text     `xml:"jobName"`
	CurrentParameters bool     `xml:"currParams"`
	Aggregated        bool     `xml:"aggregatedTestResults"`
	ExposedSCM        bool     `xml:"exposedSCM"`
	Disable           bool     `xml:"disableJob"`
	MaxRetries        int      `xml:"maxRetries"`
	Retry             bool     `xml:"enableRetryStrategy"`
	EnableCondition   bool     `xml:"enableCondition"`
	AbortAll          bool     `xml:"abortAllJob"`
	Configs           none     `xml:"configs"`
	KillOn            string   `xml:"killPhaseOnJobResultCondition"`
	OnlyIfChanges     bool     `xml:"buildOnlyIfSCMChanges"`
	ConditionIfSame   bool     `xml:"applyConditionOnlyIfNoSCMChanges"`
}

type mailerPublisher struct {
	XMLName      xml.Name `xml:"hudson.tasks.Mailer"`
	Recipients   text     `xml:"recipients"`
	NotEvery     bool     `xml:"dontNotifyEveryUnstableBuild"`
	ToIndividual bool     `xml:"sendToIndividuals"`
}

type mailPublisher struct {
	XMLName     xml.Name `xml:"hudson.plugins.emailext.ExtendedEmailPublisher"`
	Recipients  text     `xml:"recipientList"`
	Triggers    list     `xml:"configuredTriggers"`
	ContentType text     `xml:"contentType"`
	Subject     text     `xml:"defaultSubject"`
	Body        text     `xml:"defaultContent"`
	Attachments text     `xml:"attachmentsPattern"`
	PreSend     text     `xml:"presendScript"`
	PostSend    text     `xml:"postsendScript"`
	AttachLog   bool     `xml:"attachBuildLog"`
	CompressLog bool     `xml:"compressBuildLog"`
	ReplyTo     text     `xml:"replyTo"`
	From        text     `xml:"from"`
	SaveOutput  bool     `xml:"saveOutput"`
	Disabled    bool     `xml:"disabled"`
}

// mailTrigger is an event of which a mail is sent: its name says which.
type mailTrigger struct {
	XMLName  xml.Name
	Email    mailContent `xml:"email"`
	Failures int         `xml:"failureCount,omitempty"`
}

type mailContent struct {
	Subject     text `xml:"subject"`
	Body        text `xml:"body"`
	Providers   list `xml:"recipientProviders"`
	Attachments text `xml:"attachmentsPattern"`
	AttachLog   bool `xml:"attachBuildLog"`
	CompressLog bool `xml:"compressBuildLog"`
	ReplyTo     text `xml:"replyTo"`
	ContentType text `xml:"contentType"`
}

type listProvider struct {
	XMLName xml.Name `xml:"hudson.plugins.emailext.plugins.recipients.ListRecipientProvider"`
}

type timeoutWrapper struct {
	XMLName    xml.Name        `xml:"hudson.plugins.build__timeout.BuildTimeoutWrapper"`
	Strategy   timeoutStrategy `xml:"strategy"`
	Operations list            `xml:"operationList"`
}

type timeoutStrategy struct {
	Class      string `xml:"class,attr"`
	Minutes    int    `xml:"timeoutMinutes,omitempty"`
	Seconds    int    `xml:"timeoutSecondsString,omitempty"`
	Percentage int    `xml:"timeoutPercentage,omitempty"`
	Builds     int    `xml:"numberOfBuilds,omitempty"`
	Default    int    `xml:"timeoutMinutesElasticDefault,omitempty"`
}

type abortOperation struct {
	XMLName xml.Name `xml:"hudson.plugins.build__timeout.operations.AbortOperation"`
}

type failOperation struct {
	XMLName xml.Name `xml:"hudson.plugins.build__timeout.operations.FailOperation"`
}

type listView struct {
	XMLName         xml.Name   `xml:"hudson.model.ListView"`
	Name            text       `xml:"name"`
	Description     text       `xml:"description"`
	FilterExecutors bool       `xml:"filterExecutors"`
	FilterQueue     bool       `xml:"filterQueue"`
	Properties      class      `xml:"properties"`
	JobNames        comparator `xml:"jobNames"`
	JobFilters      none       `xml:"jobFilters"`
	Columns         list       `xml:"columns"`
	Regex           text       `xml:"includeRegex"`
	Recurse         bool       `xml:"recurse"`
}

type comparator struct {
	Comparator class `xml:"comparator"`
}

// column is a column of a view: its name says which.
type column struct {
	XMLName xml.Name
}
