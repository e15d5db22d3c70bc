package jenkins

import "time"

// Managed is in the description of every job and view that xtci makes, with
// the name of the project that it is of: what lacks it is somebody else's.
// People do not see it, because Jenkins shows descriptions as HTML.
func Managed(project string) string { return "<!-- Managed by xtci for " + project + " -->" }

// A Job is one job as Jenkins is told of it.
type Job struct {
	Name        string
	Kind        Kind
	Description string
	// Parameters are asked for in this order.
	Parameters []Parameter
	Blocker    *Blocker
	// Timed are the schedules on which it starts by itself, such as @daily.
	Timed []string
	// Copies are done before Shell, and only in a freestyle job.
	Copies []Copy
	Shell  *Shell
	// Phases are those of a MultiJob.
	Phases []Phase
	Mails  []Mail
	// Timeout aborts or fails the build; nil is never.
	Timeout *Timeout
}

// A Kind is what sort of project a job is.
type Kind string

// The kinds of jobs that campaigns are made of.
const (
	KindFreestyle Kind = "freestyle"
	KindMultiJob  Kind = "multijob"
)

// A Parameter is asked for when a build is started. The build's environment
// has it.
type Parameter struct {
	Kind    ParameterKind
	Name    string
	Default string
}

// A ParameterKind is what sort of value a parameter takes.
type ParameterKind string

// The kinds of parameters.
const (
	ParameterString ParameterKind = "string"
	ParameterText   ParameterKind = "text"   // several lines
	ParameterRandom ParameterKind = "random" // drawn for each build that is not given one
	ParameterLabel  ParameterKind = "label"  // the node to run on, by its name or label
)

// A Blocker keeps a job in the queue while others run.
type Blocker struct {
	Jobs  []string // regular expressions
	Level string   // GLOBAL or NODE
	Queue string   // which waiting jobs block too: DISABLED, ALL or BUILDABLE
}

// A Shell is a build step: a script.
type Shell struct {
	Script string
	// Unstable, if not 0, is the exit status that makes the build unstable
	// and not a failure.
	Unstable int
}

// A Copy copies files that another job archived into the workspace.
// From is the build that started this one's campaign; with OrLast, the job's
// last good one where none did.
type Copy struct {
	From, Filter string
	OrLast       bool
}

// A Phase is one phase of a MultiJob.
type Phase struct {
	Name string
	// Condition is what every job's result must be for the next phase to
	// run: SUCCESSFUL, ALWAYS, COMPLETED, UNSTABLE or FAILURE.
	Condition  string
	Sequential bool
	// Jobs are the names of those that run, with the parameters of the
	// MultiJob itself.
	Jobs []string
	// KillOn is the result of one job that ends the phase, and AbortAll says
	// that the others are aborted then. Empty is never.
	KillOn   string
	AbortAll bool
}

// A Mail is sent when builds end.
type Mail struct {
	Recipients string
	// Plain is by Jenkins's own mailer, for every build that fails and the
	// first that does not any more; otherwise On names the events.
	Plain bool
	On    []MailEvent
	// Subject and Body are the plugin's defaults if empty.
	Subject, Body string
	AttachLog     bool
}

// A MailEvent is what has happened when a mail is sent.
type MailEvent string

// The events that mails can be sent of.
const (
	MailAlways       MailEvent = "always"
	MailFailure      MailEvent = "failure"
	MailFirstFailure MailEvent = "first-failure"
	MailStillFailing MailEvent = "still-failing"
	MailFixed        MailEvent = "fixed"
	MailSuccess      MailEvent = "success"
	MailUnstable     MailEvent = "unstable"
	MailAborted      MailEvent = "aborted"
)

// A Timeout ends builds that take too long.
type Timeout struct {
	Kind TimeoutKind
	// After is how long: of the build, or without output for
	// TimeoutNoActivity. Full minutes, save there.
	After time.Duration
	// Percentage of the average of past builds, for TimeoutElastic.
	Percentage int
	// Fail makes the build a failure; otherwise it is aborted.
	Fail bool
}

// A TimeoutKind is how a timeout is counted.
type TimeoutKind string

// The kinds of timeouts.
const (
	TimeoutAbsolute   TimeoutKind = "absolute"
	TimeoutNoActivity TimeoutKind = "no-activity"
	TimeoutElastic    TimeoutKind = "elastic"
	TimeoutLikely     TimeoutKind = "likely-stuck"
)

// A View is a list of jobs.
type View struct {
	Name        string
	Description string
	Regex       string // of the names of its jobs
}
