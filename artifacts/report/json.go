package report

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/anuket-project/xtci/testcases"
)

// SchemaID is the address of the JSON schema of report.json, which is
// docs/report.schema.json of this module.
const SchemaID = "https://github.com/anuket-project/xtci/docs/report.schema.json"

// schemaVersion is raised when a field changes its meaning or goes away
// (docs/report.md).
const schemaVersion = 1

// JSON writes the report for programs: one object, described by
// docs/report.schema.json.
func JSON(w io.Writer, a *testcases.Assessment) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(newDocument(a)); err != nil {
		return fmt.Errorf("write report.json: %w", err)
	}
	return nil
}

// The types below are report.json. They repeat those of package testcases on
// purpose: what is published stays as it is when the domain moves on.

type document struct {
	Schema        string          `json:"schema"`
	Version       int             `json:"version"`
	BuildTag      string          `json:"build_tag"`
	Release       string          `json:"release"`
	Specification docSpecText     `json:"specification"`
	Verdict       string          `json:"verdict"`
	Reasons       []string        `json:"reasons"`
	Waivers       []docWaiver     `json:"waivers"`
	Findings      []docFinding    `json:"findings"`
	Summary       docSummary      `json:"summary"`
	Cases         []docCase       `json:"cases"`
	Specs         []docSpec       `json:"specs"`
	Traceability  docTraceability `json:"traceability"`
	Provenance    docProvenance   `json:"provenance"`
}

type docSpecText struct {
	Title   string `json:"title"`
	Version string `json:"version"`
	URL     string `json:"url"`
}

type docWaiver struct {
	Case    string `json:"case"`
	Verdict string `json:"verdict"`
	Reason  string `json:"reason"`
}

type docSummary struct {
	Mandatory docVerdicts `json:"mandatory"`
	Optional  docVerdicts `json:"optional"`
	Specs     tally       `json:"specs"`
}

type docVerdicts struct {
	Pass       int `json:"pass"`
	Fail       int `json:"fail"`
	Conflict   int `json:"conflict"`
	Incomplete int `json:"incomplete"`
	Missing    int `json:"missing"`
}

func (v *docVerdicts) add(verdict testcases.CaseVerdict) {
	switch verdict {
	case testcases.VerdictPass:
		v.Pass++
	case testcases.VerdictFail:
		v.Fail++
	case testcases.VerdictConflict:
		v.Conflict++
	case testcases.VerdictIncomplete:
		v.Incomplete++
	default:
		v.Missing++
	}
}

type docCase struct {
	Name         string           `json:"name"`
	Description  string           `json:"description"`
	Mandatory    bool             `json:"mandatory"`
	Level        string           `json:"level"`
	Tier         string           `json:"tier"`
	Container    string           `json:"container"`
	Requirements []docRequirement `json:"requirements"`
	Verdict      string           `json:"verdict"`
	Recorded     *string          `json:"recorded"`
	RecordedFrom string           `json:"recorded_from,omitempty"`
	Derived      *string          `json:"derived"`
	Complete     bool             `json:"complete"`
	NotChecked   string           `json:"not_checked,omitempty"`
	Waiver       string           `json:"waiver,omitempty"`
	Counts       docCounts        `json:"counts"`
	Job          string           `json:"job,omitempty"`
	Build        string           `json:"build,omitempty"`
	Folder       string           `json:"folder,omitempty"`
	Started      string           `json:"started,omitempty"`
	Stopped      string           `json:"stopped,omitempty"`
	Seconds      float64          `json:"seconds,omitempty"`
	Earlier      []docEarlier     `json:"earlier"`
	Findings     []docFinding     `json:"findings"`
	Facts        []docFact        `json:"facts"`
	Missing      []docMissing     `json:"missing"`
	Checks       []docCheck       `json:"checks"`
}

type docRequirement struct {
	ID    string `json:"id"`
	Title string `json:"title,omitempty"`
	URL   string `json:"url,omitempty"`
}

type docCounts struct {
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Skipped int `json:"skipped"`
	Errors  int `json:"errors"`
	Missing int `json:"missing"`
	Extra   int `json:"extra"`
}

type docEarlier struct {
	Folder   string  `json:"folder"`
	Criteria *string `json:"criteria"`
	Stopped  string  `json:"stopped,omitempty"`
}

type docFinding struct {
	Kind     string `json:"kind"`
	Text     string `json:"text"`
	Evidence string `json:"evidence,omitempty"`
	Line     int    `json:"line,omitempty"`
}

type docFact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type docMissing struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

type docCheck struct {
	Name        string      `json:"name"`
	Status      string      `json:"status"`
	Class       string      `json:"class,omitempty"`
	Seconds     float64     `json:"seconds,omitempty"`
	Reason      string      `json:"reason,omitempty"`
	Where       string      `json:"where,omitempty"`
	Evidence    string      `json:"evidence,omitempty"`
	Line        int         `json:"line,omitempty"`
	Informative bool        `json:"informative,omitempty"`
	Extra       bool        `json:"extra,omitempty"`
	Attempts    int         `json:"attempts,omitempty"`
	Flaked      bool        `json:"flaked,omitempty"`
	Severity    string      `json:"severity,omitempty"`
	Remedy      string      `json:"remedy,omitempty"`
	Title       string      `json:"title,omitempty"`
	Link        string      `json:"link,omitempty"`
	Requirement string      `json:"requirement,omitempty"`
	Figures     []docFigure `json:"figures,omitempty"`
}

type docFigure struct {
	Name  string   `json:"name"`
	Value *float64 `json:"value"`
	Unit  string   `json:"unit,omitempty"`
}

type docSpec struct {
	Name    string   `json:"name"`
	Status  string   `json:"status"`
	Class   string   `json:"class,omitempty"`
	Reason  string   `json:"reason,omitempty"`
	Cases   []string `json:"cases,omitempty"`
	Missing bool     `json:"missing,omitempty"`
	Flaked  bool     `json:"flaked,omitempty"`
}

type docTraceability struct {
	Requirements   []docCoverage      `json:"requirements"`
	Features       []docFeature       `json:"features"`
	Contradictions []docContradiction `json:"contradictions"`
}

type docCoverage struct {
	ID         string       `json:"id"`
	Title      string       `json:"title"`
	Document   string       `json:"document"`
	Level      string       `json:"level,omitempty"`
	URL        string       `json:"url"`
	Traces     []string     `json:"traces,omitempty"`
	CoveredBy  []docCovered `json:"covered_by"`
	Checks     *tally       `json:"checks,omitempty"`
	NotCovered string       `json:"not_covered,omitempty"`
}

type docCovered struct {
	Case    string  `json:"case"`
	Verdict *string `json:"verdict"`
	ByText  bool    `json:"by_text,omitempty"`
}

type docFeature struct {
	SIG       string `json:"sig"`
	Label     string `json:"label"`
	Mandatory bool   `json:"mandatory"`
	URL       string `json:"url,omitempty"`
	Specs     tally  `json:"specs"`
}

type docContradiction struct {
	Kind    string   `json:"kind"`
	Subject string   `json:"subject"`
	Text    string   `json:"text"`
	Cases   []string `json:"cases,omitempty"`
	URL     string   `json:"url,omitempty"`
}

type docProvenance struct {
	Tool              string            `json:"tool"`
	Engine            string            `json:"engine"`
	Release           string            `json:"release"`
	SiteDigest        string            `json:"site_digest,omitempty"`
	SiteSource        *docSiteSource    `json:"site_source,omitempty"`
	Scenario          string            `json:"scenario,omitempty"`
	KubernetesVersion string            `json:"kubernetes_version,omitempty"`
	Cluster           string            `json:"cluster,omitempty"`
	Nodes             []string          `json:"nodes,omitempty"`
	Images            map[string]string `json:"images,omitempty"`
	Started           string            `json:"started,omitempty"`
	Stopped           string            `json:"stopped,omitempty"`
}

type docSiteSource struct {
	URL    string `json:"url"`
	Digest string `json:"digest"`
	Commit string `json:"commit,omitempty"`
}

func newDocument(a *testcases.Assessment) document {
	d := document{
		Schema:       SchemaID,
		Version:      schemaVersion,
		BuildTag:     a.BuildTag,
		Release:      a.Provenance.Release,
		Verdict:      string(a.Verdict),
		Reasons:      append([]string{}, a.Reasons...),
		Waivers:      []docWaiver{},
		Findings:     newFindings("", a.Findings),
		Cases:        []docCase{},
		Specs:        make([]docSpec, len(a.Specs)),
		Traceability: newTraceability(a),
		Provenance:   newProvenance(&a.Provenance),
	}
	if a.Catalog != nil {
		d.Release = a.Catalog.Release
		d.Specification = docSpecText(a.Catalog.Specification)
	}
	for i := range a.Outcomes {
		o := &a.Outcomes[i]
		if o.Waiver != "" {
			d.Waivers = append(d.Waivers, docWaiver{Case: caseOf(o).Name, Verdict: string(o.Verdict), Reason: o.Waiver})
		}
		d.Cases = append(d.Cases, newCase(a.Catalog, o))
		if caseOf(o).Mandatory {
			d.Summary.Mandatory.add(o.Verdict)
		} else {
			d.Summary.Optional.add(o.Verdict)
		}
	}
	for i := range a.Specs {
		s := &a.Specs[i]
		d.Specs[i] = docSpec{
			Name: s.Name, Status: string(s.Status), Class: string(s.Class), Reason: s.Reason,
			Cases: s.Cases, Missing: s.Missing, Flaked: s.Flaked,
		}
	}
	d.Summary.Specs = tallySpecs(a.Specs)
	return d
}

func newCase(catalog *testcases.Catalog, o *testcases.Outcome) docCase {
	c := caseOf(o)
	d := docCase{
		Name: c.Name, Description: c.Description, Mandatory: c.Mandatory, Level: string(c.Level),
		Tier: c.Tier, Container: c.Container,
		Requirements: []docRequirement{},
		Verdict:      string(o.Verdict), Recorded: criteria(o.Recorded), RecordedFrom: o.RecordedFrom,
		Derived: criteria(o.Derived), Complete: o.Complete, NotChecked: o.NotChecked, Waiver: o.Waiver,
		Counts: docCounts{
			Passed: o.Counts.Passed, Failed: o.Counts.Failed, Skipped: o.Counts.Skipped,
			Errors: o.Counts.Errors, Missing: o.Counts.Missing, Extra: o.Counts.Extra,
		},
		Job: o.Job, Build: o.Build, Folder: o.Folder,
		Started: o.Started, Stopped: o.Stopped, Seconds: seconds(o.Seconds),
		Earlier:  []docEarlier{},
		Findings: newFindings(o.Folder, o.Findings),
		Facts:    []docFact{},
		Missing:  []docMissing{},
		Checks:   []docCheck{},
	}
	for _, id := range c.Requirements {
		d.Requirements = append(d.Requirements, newRequirement(catalog, id))
	}
	for _, e := range o.Earlier {
		d.Earlier = append(d.Earlier, docEarlier{Folder: e.Folder, Criteria: criteria(e.Criteria), Stopped: e.Stopped})
	}
	for _, f := range o.Facts {
		d.Facts = append(d.Facts, docFact(f))
	}
	for _, m := range o.Missing {
		d.Missing = append(d.Missing, docMissing(m))
	}
	for _, check := range reported(o) {
		d.Checks = append(d.Checks, newCheck(o.Folder, check))
	}
	return d
}

func newRequirement(catalog *testcases.Catalog, id string) docRequirement {
	if catalog != nil {
		if r, ok := catalog.Requirement(id); ok {
			return docRequirement{ID: id, Title: r.Title, URL: r.URL}
		}
	}
	return docRequirement{ID: id}
}

func newCheck(folder string, c *testcases.Check) docCheck {
	d := docCheck{
		Name: c.Name, Status: string(c.Status), Class: string(c.Class), Seconds: seconds(c.Seconds),
		Reason: c.Reason, Where: c.Where,
		Evidence: evidencePath(folder, c.Source), Line: c.Source.Line,
		Informative: c.Informative, Extra: c.Extra, Attempts: c.Attempts, Flaked: c.Flaked,
		Severity: c.Severity, Remedy: c.Remedy, Title: c.Title, Link: c.Link, Requirement: c.Requirement,
	}
	for _, f := range c.Figures {
		d.Figures = append(d.Figures, docFigure{Name: f.Name, Value: finite(f.Value), Unit: f.Unit})
	}
	return d
}

func newFindings(folder string, findings []testcases.Finding) []docFinding {
	docs := make([]docFinding, len(findings))
	for i, f := range findings {
		docs[i] = docFinding{Kind: string(f.Kind), Text: f.Text, Evidence: evidencePath(folder, f.Source), Line: f.Source.Line}
	}
	return docs
}

func newTraceability(a *testcases.Assessment) docTraceability {
	t := docTraceability{
		Requirements:   []docCoverage{},
		Features:       []docFeature{},
		Contradictions: []docContradiction{},
	}
	for _, c := range coverages(a) {
		t.Requirements = append(t.Requirements, newCoverage(&c))
	}
	if a.Catalog == nil {
		return t
	}
	for i := range a.Catalog.Features {
		f := &a.Catalog.Features[i]
		t.Features = append(t.Features, docFeature{
			SIG: f.SIG, Label: f.Label, Mandatory: f.Mandatory, URL: f.URL, Specs: featureTally(f, a.Specs),
		})
	}
	for _, c := range a.Catalog.Contradictions {
		t.Contradictions = append(t.Contradictions, docContradiction(c))
	}
	return t
}

func newCoverage(c *coverage) docCoverage {
	r := c.requirement
	d := docCoverage{
		ID: r.ID, Title: r.Title, Document: r.Document, Level: string(r.Level), URL: r.URL, Traces: r.Traces,
		CoveredBy: []docCovered{}, NotCovered: r.NotCovered,
	}
	if c.checks != (tally{}) {
		d.Checks = &c.checks
	}
	for _, by := range c.cases {
		covered := docCovered{Case: by.testcase.Name, ByText: by.byText}
		if by.outcome != nil {
			verdict := string(by.outcome.Verdict)
			covered.Verdict = &verdict
		}
		d.CoveredBy = append(d.CoveredBy, covered)
	}
	return d
}

func newProvenance(p *testcases.Provenance) docProvenance {
	return docProvenance{
		Tool: p.Tool, Engine: p.Engine, Release: p.Release, SiteDigest: p.SiteDigest, SiteSource: (*docSiteSource)(p.SiteSource), Scenario: p.Scenario,
		KubernetesVersion: p.KubernetesVersion, Cluster: p.Cluster, Nodes: p.Nodes, Images: p.Images,
		Started: p.Started, Stopped: p.Stopped,
	}
}

// criteria is PASS, FAIL, or null when nothing was recorded or derived.
func criteria(c testcases.Criteria) *string {
	if c == testcases.CriteriaNone {
		return nil
	}
	s := string(c)
	return &s
}
