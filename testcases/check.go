package testcases

// Status is what one check came to.
type Status string

// The four states of a check.
const (
	StatusPass  Status = "pass"
	StatusFail  Status = "fail"
	StatusSkip  Status = "skip"
	StatusError Status = "error" // it broke off instead of failing an assertion: panic, interrupt, set-up or tear-down
)

// Class refines a status: why a check was skipped, or how it failed.
type Class string

// Classes of skipped checks.
const (
	ClassNotSelected Class = "not selected" // the case's focus or skip list leaves it out
	ClassSkipped     Class = "skipped"      // it ran and skipped itself, for the reason it gives
	ClassPending     Class = "pending"      // marked as pending in the test's source
	ClassDryRun      Class = "dry run"      // listed as passed, but nothing was executed
	ClassUnexplained Class = "unexplained"  // selected, listed as skipped, and nothing says why
	ClassWarning     Class = "warning"      // a CIS control that needs a human: manual, or it could not be decided
)

// Classes of failed or broken checks.
const (
	ClassFailure     Class = "failure"
	ClassTimeout     Class = "timeout"
	ClassPanic       Class = "panic"
	ClassInterrupted Class = "interrupted"
	ClassAborted     Class = "aborted"
	ClassSetup       Class = "set-up"    // BeforeSuite, a Rally context, a deployment
	ClassTeardown    Class = "tear-down" // AfterSuite
)

// A Check is one single test in a case: an e2e spec, a Rally scenario, a CIS
// control, a vulnerability, a network path, a SIP test.
type Check struct {
	Name    string  `json:"name"`
	Status  Status  `json:"status"`
	Class   Class   `json:"class,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`

	// Reason says why the check failed or was skipped, in the words of the
	// tool where it has any: the assertion, not the log.
	Reason string `json:"reason,omitempty"`
	// Where is the place in the test's own source that the tool names.
	Where string `json:"where,omitempty"`
	// Source is the place in the evidence that the check was read from.
	Source Source `json:"source,omitzero"`

	// Informative marks a check that is shown but never decides: a CIS
	// control, a low or medium vulnerability, a network figure (RC2 2.2).
	Informative bool `json:"informative,omitempty"`
	// Extra marks a check that ran although the case does not select it.
	Extra bool `json:"extra,omitempty"`
	// Attempts is how often the check ran, when more than once.
	Attempts int `json:"attempts,omitempty"`
	// Flaked marks a check that failed and passed on a later attempt.
	Flaked bool `json:"flaked,omitempty"`

	// Severity is the tool's own word for how bad a finding is.
	Severity string `json:"severity,omitempty"`
	// Remedy is what the tool says should be done.
	Remedy string `json:"remedy,omitempty"`
	// Title and Link come from the documentation of the test, if it has any.
	Title string `json:"title,omitempty"`
	Link  string `json:"link,omitempty"`
	// Requirement is the id, in the catalogue, of what the check traces to.
	Requirement string `json:"requirement,omitempty"`

	// Figures are what was measured.
	Figures []Figure `json:"figures,omitempty"`
}

// Ran says whether the check was executed: it passed, failed, broke, or
// started and skipped itself.
func (c *Check) Ran() bool {
	return c.Status != StatusSkip || c.Class == ClassSkipped
}

// A Figure is one measured value with its unit.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"`
}

// Source is a place in the evidence: a file, relative to the folder of the
// case, and a line in it, counted from 1 (0: the file as a whole).
type Source struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// Evidence is what a parser derives from the raw files of one case.
type Evidence struct {
	Checks []Check
	// Findings are about the evidence as a whole, not about one check.
	Findings []Finding
	// Facts are what the files say of the run itself: versions, seeds, totals.
	Facts []Fact
	// NotParsed says that there are files in a format that nobody reads: they
	// say neither PASS nor FAIL.
	NotParsed bool
}

// A Fact is something that the evidence says of itself, such as the version
// of the tool that wrote it.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// FindingKind says what a finding does to the verdict on its case.
type FindingKind string

// Kinds of findings, the worst first.
const (
	FindingFailure    FindingKind = "failure"    // the case did not pass
	FindingIncomplete FindingKind = "incomplete" // evidence is missing, cut off, unreadable or contradicts itself
	FindingConflict   FindingKind = "conflict"   // recorded and derived differ
	FindingNote       FindingKind = "note"       // worth knowing, decides nothing
)

// A Finding is one sentence on a case's evidence, for the person reading.
type Finding struct {
	Kind   FindingKind `json:"kind"`
	Text   string      `json:"text"`
	Source Source      `json:"source,omitzero"`
}

// Worse says whether a is worse news than b for the same check: a failure
// beats a pass, and having run beats having been skipped.
func Worse(a, b Status) bool { return rank(a) > rank(b) }

func rank(s Status) int {
	switch s {
	case StatusSkip:
		return 1
	case StatusPass:
		return 2
	case StatusFail:
		return 3
	default:
		return 4
	}
}
