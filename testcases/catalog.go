package testcases

// Level is the strength of a test case or requirement in RC2's own words
// (RC2 2.1, Definitions).
type Level string

// The levels of RC2 2.1.
const (
	LevelMust   Level = "must"
	LevelShould Level = "should"
	LevelMay    Level = "may"
)

// A Catalog is everything that the containers and the specification say of the
// test cases of one release. It is data: one embedded YAML file a release.
type Catalog struct {
	Release string `yaml:"release" json:"release"`
	// Specification is empty where no version of it is of the release.
	Specification Specification `yaml:"specification,omitempty" json:"specification"`
	// Kubeconfig is where the containers look for their kubeconfig.
	Kubeconfig string  `yaml:"kubeconfig" json:"kubeconfig"`
	Phases     []Phase `yaml:"phases" json:"phases"`
	Cases      []Case  `yaml:"cases" json:"cases"`
	// Notes say what to know of the catalogue as a whole.
	Notes        []string      `yaml:"notes,omitempty" json:"notes,omitempty"`
	Requirements []Requirement `yaml:"requirements" json:"requirements"`
	Features     []Feature     `yaml:"features" json:"features"`
	// Contradictions are the specification's own: a feature that RA2 calls
	// mandatory and RC2 skips, and the like. They are shown, not resolved.
	Contradictions []Contradiction `yaml:"contradictions" json:"contradictions"`
	Software       []SoftwareTable `yaml:"software" json:"software"`

	// SpecList names the embedded list of the release's e2e specs. Without a
	// file there is none, and no e2e suite can be shown to be complete.
	SpecList SpecList `yaml:"spec_list,omitempty" json:"spec_list"`
	// Conformance names the embedded titles of the release's conformance
	// tests, if they are there.
	Conformance ConformanceList `yaml:"conformance,omitempty" json:"conformance"`

	// Read on first use and kept; set by Load.
	specs         func() ([]string, error)
	documentation func() (map[string]Documentation, error)
}

// Specified says whether a version of the specification is of the release.
// Without one no case is mandatory, and no cluster can be conformant.
func (c *Catalog) Specified() bool { return c.Specification != (Specification{}) }

// Listed says whether the specs of the release's e2e suite are known.
func (c *Catalog) Listed() bool { return c.SpecList.File != "" }

// A Specification is the document that a catalogue was read from.
type Specification struct {
	Title   string `yaml:"title" json:"title,omitempty"`
	Version string `yaml:"version" json:"version,omitempty"`
	URL     string `yaml:"url" json:"url,omitempty"`
}

// A Phase is a container and how its cases run. Cases run in the order of
// the catalogue (RC2 table 2.5, spec/jobs.md).
type Phase struct {
	Name      string `yaml:"name" json:"name"` // healthcheck, smoke, ...
	Container string `yaml:"container" json:"container"`
	Execution string `yaml:"execution" json:"execution"` // ExecutionSequential or ExecutionParallel
}

// How the cases of a phase run.
const (
	ExecutionSequential = "sequential"
	ExecutionParallel   = "parallel"
)

// driverE2E is the driver that runs Kubernetes' e2e suite, the one with a
// focus.
const driverE2E = "e2e_testing"

// A Case is one test case: one run of one container.
type Case struct {
	Name        string `yaml:"name" json:"name"`
	Description string `yaml:"description" json:"description"`
	Project     string `yaml:"project" json:"project"`
	// Tier is the name of the phase that the case belongs to.
	Tier string `yaml:"tier" json:"tier"`
	// Container is the image, with its tag.
	Container string `yaml:"container" json:"container"`
	// Images are further ones that the case starts in the cluster, where its
	// driver names them.
	Images []string `yaml:"images,omitempty" json:"images,omitempty"`
	// Mandatory cases are those of RC2 table 2.5. Without a specification there
	// are none, and no levels.
	Mandatory bool  `yaml:"mandatory" json:"mandatory"`
	Level     Level `yaml:"level,omitempty" json:"level"`
	// Default cases run when a site names none.
	Default bool `yaml:"default" json:"default"`
	// Criteria is the result in percent from which Xtesting says PASS.
	Criteria int            `yaml:"criteria" json:"criteria"`
	Driver   string         `yaml:"driver" json:"driver"`
	Args     map[string]any `yaml:"args,omitempty" json:"args,omitempty"`

	// Focus and Skip are the regular expressions that the container uses;
	// Nodes the parallel ginkgo nodes. Only for the e2e_testing driver.
	Focus string `yaml:"focus,omitempty" json:"focus,omitempty"`
	Skip  string `yaml:"skip,omitempty" json:"skip,omitempty"`
	Nodes int    `yaml:"nodes,omitempty" json:"nodes,omitempty"`
	// Listed are focus and skip as the specification lists them (RC2 2.2).
	Listed *FocusList `yaml:"listed,omitempty" json:"listed,omitempty"`

	// Scenarios are the rows of RC2 table 2.1.
	Scenarios []Scenario `yaml:"scenarios,omitempty" json:"scenarios,omitempty"`
	// Dependencies are environment variables that must match a pattern, or
	// the container skips the case and records nothing.
	Dependencies map[string]string `yaml:"dependencies,omitempty" json:"dependencies,omitempty"`

	// Requirements are ids into the catalogue's requirements: those that the
	// specification names itself, the section in table 2.5 first. For a case
	// outside table 2.5, the section whose tests it runs, if there is one.
	Requirements []string `yaml:"requirements,flow" json:"requirements"`
	// Derived are further ids that match the case by their text alone: RC2
	// and RA2 never say which case covers them.
	Derived []string `yaml:"derived,omitempty" json:"derived,omitempty"`
	// Notes say where text and container differ.
	Notes []string `yaml:"notes,omitempty" json:"notes,omitempty"`
}

// A FocusList is a focus and its skip list as the specification prints them,
// with the section that prints them.
type FocusList struct {
	Focus string   `yaml:"focus" json:"focus"`
	Skip  []string `yaml:"skip" json:"skip"`
	URL   string   `yaml:"url" json:"url"`
}

// A Scenario is one row of RC2 table 2.1.
type Scenario struct {
	Name       string `yaml:"name" json:"name"`
	Iterations int    `yaml:"iterations" json:"iterations"`
}

// A Requirement is something that the specifications ask for, whether or not
// a test case covers it.
type Requirement struct {
	ID       string   `yaml:"id" json:"id"`
	Title    string   `yaml:"title" json:"title"`
	Text     string   `yaml:"text,omitempty" json:"text,omitempty"`
	Document string   `yaml:"document" json:"document"` // RC2, RA2 or RM
	Level    Level    `yaml:"level,omitempty" json:"level,omitempty"`
	URL      string   `yaml:"url" json:"url"`
	Traces   []string `yaml:"traces,omitempty" json:"traces,omitempty"` // ids of what it comes from
	// NotCovered says why no test case covers the requirement. It is empty
	// exactly where a case does.
	NotCovered string `yaml:"not_covered,omitempty" json:"not_covered,omitempty"`
}

// A Feature is one row of RA2's feature tables (RA2 chapter 6).
type Feature struct {
	SIG         string `yaml:"sig" json:"sig"`
	Label       string `yaml:"label" json:"label"`
	Mandatory   bool   `yaml:"mandatory" json:"mandatory"`
	Description string `yaml:"description,omitempty" json:"description,omitempty"`
	// Link is where the table itself points for the feature.
	Link string `yaml:"link,omitempty" json:"link,omitempty"`
	// URL is the table's section.
	URL string `yaml:"url" json:"url"`
}

// A Contradiction is where the specifications disagree with each other or
// with what the containers run.
type Contradiction struct {
	Kind string `yaml:"kind" json:"kind"`
	// Subject is the feature label or requirement id.
	Subject string   `yaml:"subject" json:"subject"`
	Text    string   `yaml:"text" json:"text"`
	Cases   []string `yaml:"cases,omitempty" json:"cases,omitempty"`
	URL     string   `yaml:"url,omitempty" json:"url,omitempty"`
}

// A SoftwareTable is one of RC2's tables 2.2 to 2.4.
type SoftwareTable struct {
	Table string     `yaml:"table" json:"table"`
	Title string     `yaml:"title" json:"title"`
	URL   string     `yaml:"url" json:"url"`
	Rows  []Software `yaml:"rows" json:"rows"`
}

// Software is a program and its version.
type Software struct {
	Name    string `yaml:"name" json:"name"`
	Version string `yaml:"version" json:"version"`
}

// A SpecList is the list of all specs of the release's e2e binary.
type SpecList struct {
	File    string `yaml:"file" json:"file,omitempty"`       // embedded, gzip
	Version string `yaml:"version" json:"version,omitempty"` // patch release that printed it
	Count   int    `yaml:"count" json:"count,omitempty"`
	// Varying are the names that not every patch release lists.
	Varying []string `yaml:"varying" json:"varying,omitempty"`
}

// A ConformanceList is the list of the release's conformance tests.
type ConformanceList struct {
	File  string `yaml:"file" json:"file,omitempty"` // embedded, gzip
	Count int    `yaml:"count" json:"count,omitempty"`
}

// Documentation is what Kubernetes documents of a conformance test.
type Documentation struct {
	Title   string `json:"title"`
	Release string `json:"release"` // the Kubernetes release that introduced it
	Link    string `json:"link"`    // its source
}

// Case returns the case of that name.
func (c *Catalog) Case(name string) (*Case, bool) {
	for i := range c.Cases {
		if c.Cases[i].Name == name {
			return &c.Cases[i], true
		}
	}
	return nil, false
}

// Requirement returns the requirement of that id.
func (c *Catalog) Requirement(id string) (*Requirement, bool) {
	for i := range c.Requirements {
		if c.Requirements[i].ID == id {
			return &c.Requirements[i], true
		}
	}
	return nil, false
}
