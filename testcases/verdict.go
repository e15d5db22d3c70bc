package testcases

import "time"

// CaseVerdict is the verdict on one case.
type CaseVerdict string

// Verdicts on a case. Only VerdictPass lets a mandatory case be conformant.
const (
	VerdictPass       CaseVerdict = "pass"       // recorded PASS, derived PASS, complete
	VerdictFail       CaseVerdict = "fail"       // recorded and derived agree that it failed
	VerdictConflict   CaseVerdict = "conflict"   // recorded and derived differ
	VerdictIncomplete CaseVerdict = "incomplete" // evidence does not show that everything selected was executed
	VerdictMissing    CaseVerdict = "missing"    // neither record nor evidence
)

// Counts are the checks of a case by what became of them.
//
// Passed and Failed count every spec that ran, selected by the case or not;
// Extra says how many were not. Missing counts the selected that did not run.
// Errors are checks that broke off, and set-up or tear-down that failed.
type Counts struct {
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Skipped int `json:"skipped"`
	Errors  int `json:"errors"`
	Missing int `json:"missing"`
	Extra   int `json:"extra"`
}

// A MissingCheck is a check that the case selects and that was not executed.
type MissingCheck struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// An Outcome is the verdict on one case and all that it rests on.
type Outcome struct {
	Case    *Case       `json:"case"`
	Verdict CaseVerdict `json:"verdict"`

	// Recorded is what the container pushed, or what its log says it would
	// have pushed (RecordedFrom tells which); Derived is what its raw files say.
	Recorded     Criteria `json:"recorded"`
	RecordedFrom string   `json:"recorded_from,omitempty"` // "record" or "log"
	Derived      Criteria `json:"derived"`
	Complete     bool     `json:"complete"`
	// NotChecked is why it cannot be known whether the case is complete. It is
	// not complete then.
	NotChecked string `json:"not_checked,omitempty"`
	// Waiver is the reviewer's reason to accept the case in spite of its
	// findings, if there is one.
	Waiver string `json:"waiver,omitempty"`

	Counts   Counts         `json:"counts"`
	Findings []Finding      `json:"findings"`
	Missing  []MissingCheck `json:"missing"`
	Facts    []Fact         `json:"facts"`
	Checks   []Check        `json:"-"`

	// Job and Build name the run; Folder is where its files are in the
	// archive; LogFile is the container's log in it.
	Job    string `json:"job,omitempty"`
	Build  string `json:"build,omitempty"`
	Folder string `json:"folder,omitempty"`
	// Started and Stopped are the record's own words: local time of the
	// container, without zone. Seconds is their difference.
	Started string  `json:"started,omitempty"`
	Stopped string  `json:"stopped,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
	// Earlier are runs of the same case under the same build tag that a
	// newer one replaced. They decide nothing and are shown.
	Earlier []EarlierRun `json:"earlier,omitempty"`
}

// An EarlierRun is a run of a case that a newer run replaced.
type EarlierRun struct {
	Folder   string   `json:"folder"`
	Criteria Criteria `json:"criteria"`
	Stopped  string   `json:"stopped,omitempty"`
}

// CampaignVerdict is the verdict on a whole campaign.
type CampaignVerdict string

// Verdicts on a campaign.
const (
	Conformant            CampaignVerdict = "conformant"
	ConformantWithWaivers CampaignVerdict = "conformant with waivers"
	NotConformant         CampaignVerdict = "not conformant"
	// NoSpecification is the verdict on every campaign of a release that no
	// specification is of: there is nothing to conform to.
	NoSpecification CampaignVerdict = "no specification for this release"
)

// Good says whether a campaign is conformant, with waivers or without.
func (v CampaignVerdict) Good() bool { return v == Conformant || v == ConformantWithWaivers }

// An Assessment is the verdict on a campaign with everything that it rests
// on: what a report shows and a reviewer reads.
type Assessment struct {
	BuildTag string          `json:"build_tag"`
	Verdict  CampaignVerdict `json:"verdict"`
	// Reasons say in a sentence each why the campaign is not conformant.
	Reasons  []string  `json:"reasons"`
	Catalog  *Catalog  `json:"-"`
	Outcomes []Outcome `json:"outcomes"` // in the order of the catalogue
	// Specs are all e2e specs once, merged over the cases.
	Specs []SpecResult `json:"specs"`
	// Findings are about the campaign as a whole, such as records of unknown cases.
	Findings   []Finding  `json:"findings"`
	Provenance Provenance `json:"provenance"`
}

// A SpecResult is one e2e spec over all cases of a campaign: a run in any
// case wins over not being selected in the others, a failure over a pass.
type SpecResult struct {
	Check
	// Cases that executed the spec, or, where none did, that selected it.
	Cases []string `json:"cases,omitempty"`
	// Missing says that a case selected the spec and none executed it.
	Missing bool `json:"missing,omitempty"`
}

// Provenance says where a campaign comes from. What is not known is empty.
type Provenance struct {
	Tool              string            `json:"tool"` // xtci and its version; empty for a classic zip
	Engine            string            `json:"engine"`
	Release           string            `json:"release"`
	SiteDigest        string            `json:"site_digest,omitempty"`
	SiteSource        *SiteSource       `json:"site_source,omitempty"` // nil: a file of the host, or none
	Scenario          string            `json:"scenario,omitempty"`
	KubernetesVersion string            `json:"kubernetes_version,omitempty"`
	Cluster           string            `json:"cluster,omitempty"` // UID of its namespace kube-system
	Nodes             []string          `json:"nodes,omitempty"`
	Images            map[string]string `json:"images,omitempty"` // image to digest
	Started           string            `json:"started,omitempty"`
	Stopped           string            `json:"stopped,omitempty"`
	// Runs are when each container ran, by the clock of the host.
	Runs []RunTimes `json:"runs,omitempty"`
}

// A SiteSource is where a site was fetched from.
type SiteSource struct {
	URL    string `json:"url"`              // without credentials
	Digest string `json:"digest"`           // of the file: sha256:HEX
	Commit string `json:"commit,omitempty"` // of git
}

// String is the source in one line.
func (s *SiteSource) String() string {
	if s == nil {
		return ""
	}
	text := s.URL + ", " + s.Digest
	if s.Commit != "" {
		text += ", commit " + s.Commit
	}
	return text
}

// RunTimes are when one run of a job began and ended, and how, as whoever ran
// it saw it: that is no evidence. Without an end it was interrupted.
type RunTimes struct {
	Case    string    `json:"case"`
	Job     string    `json:"job"`
	Build   int       `json:"build"`
	Started time.Time `json:"started"`
	Stopped time.Time `json:"stopped,omitzero"`
	State   string    `json:"state,omitempty"`  // passed, failed, not run
	Detail  string    `json:"detail,omitempty"` // why it could not be run, or has no record
}
