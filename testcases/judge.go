package testcases

import (
	"fmt"
	"slices"
	"strings"
)

// A Run is what is known of one run of a case.
type Run struct {
	Case *Case
	// Record is what the container pushed, or nil.
	Record *Record
	// LogCriteria is the result that the container's own log names. It
	// stands in for the record only when RecordLost is set.
	LogCriteria string
	// RecordLost says that records of the campaign are known to be lost:
	// the index of a classic zip holds one page (spec/jobs.md, fault 3).
	RecordLost bool
	// Evidence is what a parser derived; HasEvidence whether there was a
	// folder with files to parse.
	Evidence    Evidence
	HasEvidence bool

	Job, Build, Folder string
	Earlier            []EarlierRun
}

// A Judge holds what verdicts are measured by.
type Judge struct {
	catalog *Catalog
	specs   []string // of the release, as its newest patch release lists them
	varying map[string]bool
	docs    map[string]Documentation
}

// NewJudge returns the judge of a catalogue's release.
func NewJudge(catalog *Catalog) (*Judge, error) {
	specs, err := catalog.Specs()
	if err != nil {
		return nil, err
	}
	docs, err := catalog.Documentation()
	if err != nil {
		return nil, err
	}
	j := &Judge{catalog: catalog, specs: specs, varying: map[string]bool{}, docs: docs}
	for _, name := range catalog.SpecList.Varying {
		j.varying[name] = true
	}
	return j, nil
}

// Campaign judges a whole campaign. Waivers give, by case, a reviewer's
// reason to accept it in spite of its findings.
func (j *Judge) Campaign(tag string, runs []Run, waivers map[string]string) (*Assessment, error) {
	a := &Assessment{BuildTag: tag, Catalog: j.catalog}
	lists := map[string][]string{} // by container: its suites run one binary
	for _, run := range runs {
		if image := run.Case.Container; run.Case.Focus != "" && lists[image] == nil {
			lists[image] = j.sharedList(runs, image)
		}
	}
	copied := copies(runs)
	for i := range j.catalog.Cases {
		c := &j.catalog.Cases[i]
		run := Run{Case: c}
		if at := slices.IndexFunc(runs, func(r Run) bool { return r.Case.Name == c.Name }); at >= 0 {
			run = runs[at]
		} else if !c.Default {
			continue // nobody asked for it
		}
		run.Evidence.Findings = slices.Concat(run.Evidence.Findings, copied[c.Name])
		outcome, err := j.outcome(run, lists[c.Container])
		if err != nil {
			return nil, err
		}
		if reason, ok := waivers[c.Name]; ok && outcome.Verdict != VerdictPass {
			outcome.Waiver = reason
		}
		a.Outcomes = append(a.Outcomes, outcome)
	}
	a.conclude()
	a.Specs = j.mergeSpecs(a.Outcomes)
	return a, nil
}

// Case judges one run by itself.
func (j *Judge) Case(run Run) (Outcome, error) {
	return j.outcome(run, j.sharedList([]Run{run}, run.Case.Container))
}

// WithoutWaivers returns the assessment as it is when nothing is waived.
func (a *Assessment) WithoutWaivers() *Assessment {
	plain := *a
	plain.Outcomes = slices.Clone(a.Outcomes)
	for i := range plain.Outcomes {
		plain.Outcomes[i].Waiver = ""
	}
	plain.conclude()
	return &plain
}

// Add adds findings about the campaign as a whole, and draws the verdict again.
func (a *Assessment) Add(findings ...Finding) {
	a.Findings = append(a.Findings, findings...)
	a.conclude()
}

// conclude draws the verdict on the campaign from those on its mandatory
// cases. Optional cases never change it.
func (a *Assessment) conclude() {
	a.Verdict, a.Reasons = Conformant, []string{}
	mandatory := 0
	for i := range a.Outcomes {
		outcome := &a.Outcomes[i]
		if !outcome.Case.Mandatory {
			continue
		}
		mandatory++
		switch {
		case outcome.Verdict == VerdictPass:
		case outcome.Waiver != "":
			if a.Verdict == Conformant {
				a.Verdict = ConformantWithWaivers
			}
		default:
			a.Verdict = NotConformant
			a.Reasons = append(a.Reasons, fmt.Sprintf("%s: %s", outcome.Case.Name, outcome.Summary()))
		}
	}
	for _, finding := range a.Findings {
		if finding.Kind == FindingIncomplete {
			a.Verdict = NotConformant
			a.Reasons = append(a.Reasons, finding.Text)
		}
	}
	switch {
	case a.Catalog != nil && !a.Catalog.Specified():
		a.Verdict = NoSpecification
		a.Reasons = append(a.Reasons, fmt.Sprintf("no version of RC2 is of %s: no case is mandatory, and there is nothing to conform to", a.Catalog.Release))
	case mandatory == 0:
		a.Verdict = NotConformant
		a.Reasons = append(a.Reasons, "the catalogue names no mandatory case")
	}
}

// Summary says in one sentence what the verdict on the case rests on.
func (o *Outcome) Summary() string {
	if o.Verdict == VerdictPass {
		return fmt.Sprintf("pass: %s", o.Counts)
	}
	summary, mark := string(o.Verdict), ": "
	if o.Verdict == VerdictFail && !o.has(FindingFailure) { // no file shows it
		summary, mark = summary+": recorded FAIL", "; "
	}
	for _, kind := range []FindingKind{FindingConflict, FindingFailure, FindingIncomplete} {
		at := slices.IndexFunc(o.Findings, func(f Finding) bool { return f.Kind == kind })
		if at < 0 {
			continue
		}
		summary += mark + o.Findings[at].Text
		if kind != FindingConflict { // a conflict is with something
			break
		}
		mark = "; "
	}
	return summary
}

// String gives the counts in words, leaving out what is zero.
func (n Counts) String() string {
	parts := []string{fmt.Sprintf("%d passed", n.Passed)}
	for _, part := range []struct {
		n    int
		word string
	}{{n.Failed, "failed"}, {n.Errors, "broke off"}, {n.Skipped, "skipped"}, {n.Missing, "not executed"}, {n.Extra, "not selected but run"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.word))
		}
	}
	return strings.Join(parts, ", ")
}

// outcome judges one run by what its binary lists, as all suites of its
// container show it together.
func (j *Judge) outcome(run Run, shared []string) (Outcome, error) {
	o := Outcome{
		Case: run.Case, Checks: run.Evidence.Checks, Facts: run.Evidence.Facts,
		Findings: slices.Clone(run.Evidence.Findings), Missing: []MissingCheck{},
		Job: run.Job, Build: run.Build, Folder: run.Folder, Earlier: run.Earlier,
	}
	o.recorded(run)
	if !run.HasEvidence && run.Record != nil {
		o.find(FindingIncomplete, "no evidence: the campaign holds no file of this case")
	}
	if run.HasEvidence && run.Case.Focus != "" {
		if err := j.completeSpecs(&o, shared); err != nil {
			return o, err
		}
	}
	o.earlier(run)
	o.completeScenarios(run.HasEvidence)
	o.completeWithoutFocus()
	o.compareRecord(run)
	j.annotate(&o)
	o.Counts = Count(o.Checks)
	o.Counts.Missing = len(o.Missing)
	o.derive(run.HasEvidence && !run.Evidence.NotParsed)
	o.judge(run)
	slices.SortStableFunc(o.Findings, func(a, b Finding) int { return a.Kind.order() - b.Kind.order() })
	return o, nil
}

func (o *Outcome) find(kind FindingKind, format string, args ...any) {
	o.Findings = append(o.Findings, Finding{Kind: kind, Text: fmt.Sprintf(format, args...)})
}

// earlier notes that earlier runs of the case did not pass: who reads of a pass
// is to know how many it took.
func (o *Outcome) earlier(run Run) {
	failed := 0
	for _, earlier := range run.Earlier {
		if earlier.Criteria != CriteriaPass {
			failed++
		}
	}
	if failed > 0 {
		o.find(FindingNote, "it was run %d times under this build tag: the newest run counts, %d of the earlier did not record PASS", len(run.Earlier)+1, failed)
	}
}

func (o *Outcome) has(kind FindingKind) bool {
	return slices.ContainsFunc(o.Findings, func(f Finding) bool { return f.Kind == kind })
}

// recorded takes over what the container pushed.
func (o *Outcome) recorded(run Run) {
	if run.Record != nil {
		o.Recorded, o.RecordedFrom = run.Record.Criteria, "record"
		if o.Recorded != CriteriaPass && o.Recorded != CriteriaFail {
			o.find(FindingIncomplete, "its record says %q, where Xtesting writes PASS or FAIL: no container pushed it", firstLine(string(o.Recorded)))
		}
		o.Started, o.Stopped = text(run.Record.StartDate), text(run.Record.StopDate)
		o.Seconds = elapsed(o.Started, o.Stopped)
		return
	}
	if c := Criteria(run.LogCriteria); run.RecordLost && (c == CriteriaPass || c == CriteriaFail) {
		o.Recorded, o.RecordedFrom = c, "log"
		o.find(FindingNote, "its record is not in the index, which holds one page only: the result is taken from the container's log")
		return
	}
	switch {
	case run.LogCriteria != "":
		o.find(FindingIncomplete, "no record was pushed; the container's log says %s", run.LogCriteria)
	case run.HasEvidence:
		o.find(FindingIncomplete, "no record was pushed and the container's log names no result: it crashed, or was stopped")
	default:
		o.find(FindingIncomplete, "no record: the case was not run, was skipped, or crashed before it pushed its result")
	}
}

// annotate adds what the documentation says of the checks that ran.
func (j *Judge) annotate(o *Outcome) {
	requirement := ""
	if n := len(o.Case.Requirements); n > 0 {
		requirement = o.Case.Requirements[min(1, n-1)] // the section with the list of tests, after that of table 2.5
	}
	for i := range o.Checks {
		check := &o.Checks[i]
		if check.Requirement == "" {
			check.Requirement = requirement
		}
		if !check.Ran() {
			continue
		}
		if doc, ok := j.docs[NormalName(check.Name)]; ok {
			check.Title, check.Link = doc.Title, doc.Link
		}
	}
}

// derive says what the raw files amount to. Checks that only inform do not
// count, nor do passes of what the case does not select; evidence without any
// check is a failure, except of kube-hunter, for which finding nothing is good
// news.
func (o *Outcome) derive(hasEvidence bool) {
	o.Complete = !o.has(FindingIncomplete)
	if !hasEvidence {
		o.Derived = CriteriaNone
		return
	}
	passed, bad, shown := 0, 0, false // shown: something that the case is about
	var first *Check
	for i := range o.Checks {
		switch check := &o.Checks[i]; {
		case check.Status == StatusPass:
			passed++
			shown = shown || !check.Extra
		case check.Informative:
			shown = true
		case check.Status == StatusFail, check.Status == StatusError:
			if bad++; first == nil {
				first = check
			}
		}
	}
	if bad > 0 {
		o.find(FindingFailure, "%d of %d checks failed (first: %q: %s)", bad, bad+passed, first.Name, firstLine(first.Reason))
	}
	nothing := !shown && (o.Case.Driver != "kube_hunter" || !o.Complete)
	if nothing && bad == 0 && o.Complete {
		o.find(FindingFailure, "no check that the case selects passed")
	}
	o.Derived = CriteriaPass
	if nothing || o.has(FindingFailure) {
		o.Derived = CriteriaFail
	}
}

// firstLine keeps a reason short enough for a sentence.
func firstLine(reason string) string {
	line, _, _ := strings.Cut(reason, "\n")
	const most = 200
	if runes := []rune(line); len(runes) > most {
		return string(runes[:most]) + " [...]"
	}
	return line
}

// judge compares what was recorded with what was derived.
func (o *Outcome) judge(run Run) {
	switch {
	case o.Recorded == CriteriaNone && !run.HasEvidence:
		o.Verdict = VerdictMissing
	case o.Recorded == CriteriaPass && o.has(FindingFailure):
		o.Verdict = VerdictConflict
		o.find(FindingConflict, "recorded PASS, but the raw files say FAIL%s", o.whyRecordedPass(run))
	case o.Recorded == CriteriaFail && o.Derived == CriteriaPass && o.Complete:
		o.Verdict = VerdictConflict
		o.find(FindingConflict, "recorded FAIL, but the raw files say PASS%s", o.whyRecordedFail())
	case o.Recorded == CriteriaFail || o.has(FindingFailure):
		o.Verdict = VerdictFail
	case o.Complete && o.Recorded == CriteriaPass && o.Derived == CriteriaPass:
		o.Verdict = VerdictPass
	default:
		o.Verdict = VerdictIncomplete
	}
}

// whyRecordedPass and whyRecordedFail name the known faults of the containers
// (spec/testapi-xtesting.md, section d), where they can be what happened.
func (o *Outcome) whyRecordedPass(run Run) string {
	ginkgoFailed := slices.ContainsFunc(run.Evidence.Findings, func(f Finding) bool { return f.Kind == FindingFailure })
	for i := range o.Checks {
		switch check := &o.Checks[i]; {
		case check.Class == ClassSetup, check.Class == ClassTeardown:
			ginkgoFailed = true
		case check.Status == StatusFail, check.Status == StatusError:
			return "" // the container does see failed specs
		}
	}
	if o.Case.Driver != "e2e_testing" || !ginkgoFailed {
		return ""
	}
	return ": the container compares the numbers of ginkgo's summary and ignores ginkgo's own verdict"
}

func (o *Outcome) whyRecordedFail() string {
	switch {
	case o.Case.Driver == "kube_hunter" && o.Counts.Failed == 0:
		return ": a known fault of the container, which takes a report without any vulnerability for a failure"
	case o.Case.Driver == "e2e_testing":
		return ": the container may not have understood ginkgo's summary, of which it does not know every form, such as the one with flaked specs"
	default:
		return ""
	}
}

// order puts findings into the order in which they matter.
func (k FindingKind) order() int {
	return slices.Index([]FindingKind{FindingConflict, FindingFailure, FindingIncomplete, FindingNote}, k)
}

// Count counts checks by what became of them, informative ones included.
func Count(checks []Check) Counts {
	var n Counts
	for i := range checks {
		switch checks[i].Status {
		case StatusPass:
			n.Passed++
		case StatusFail:
			n.Failed++
		case StatusError:
			n.Errors++
		case StatusSkip:
			n.Skipped++
		}
		if checks[i].Extra {
			n.Extra++
		}
	}
	return n
}
