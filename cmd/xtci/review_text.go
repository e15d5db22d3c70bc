package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/internal/term"
	"github.com/anuket-project/xtci/testcases"
)

// printReview prints what a committee needs, the verdict first.
func printReview(w io.Writer, archive string, r *artifacts.Review, scope testcases.Scope) error {
	p := &reviewPrinter{w: w, scope: scope, a: r.Assessment}
	p.head(archive, r.Integrity)
	p.cases("Mandatory cases", true)
	p.cases("Optional cases", false)
	p.failures()
	p.missing()
	p.skips()
	p.findings()
	p.line("")
	p.line("verdict: %s", p.verdict(r.Integrity))
	return p.err
}

// reviewPrinter keeps the first error of many writes.
type reviewPrinter struct {
	w     io.Writer
	scope testcases.Scope
	a     *testcases.Assessment
	err   error
}

func (p *reviewPrinter) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *reviewPrinter) section(title string) {
	p.line("")
	p.line("%s", title)
}

func (p *reviewPrinter) head(archive string, i artifacts.Integrity) {
	from := p.a.Provenance
	p.line("archive:   %s", term.Plain(archive))
	of := "RC2 of " + from.Release
	if !p.a.Catalog.Specified() {
		of = "tests of " + from.Release
	}
	p.line("campaign:  %s, %s", p.a.BuildTag, of)
	if from.KubernetesVersion != "" {
		p.line("cluster:   Kubernetes %s", term.Plain(from.KubernetesVersion))
	}
	if from.Started != "" {
		p.line("run:       %s to %s", term.Plain(from.Started), term.Plain(from.Stopped))
	}
	switch {
	case i.Kind == artifacts.KindClassic:
		p.line("integrity: classic zip")
		for _, problem := range i.Problems {
			p.line("  - %s", term.Plain(problem.String()))
		}
	case !i.Untouched:
		what := "CHANGED since it was signed"
		if onlyOtherKey(i) {
			what = "NOT SIGNED WITH THE KEY that you named"
		}
		p.line("integrity: %s", what)
		for _, problem := range i.Problems {
			p.line("  - %s", term.Plain(problem.String()))
		}
	default:
		p.line("integrity: untouched since it was signed")
	}
	switch {
	case i.Signer == "":
	case i.KnownKey:
		p.line("signed by: %s, the key that you named", i.Signer)
	case i.OtherKey:
		p.line("signed by: %s, another key", i.Signer)
	default:
		p.line("signed by: %s, which may be anybody's key: name the lab's with --key", i.Signer)
	}
	p.line("verdict:   %s", p.verdict(i))
	for _, reason := range p.a.Reasons {
		p.line("  - %s", term.Plain(reason))
	}
	p.waivers()
}

// onlyOtherKey says that an archive is as somebody signed it, but not who was
// to sign it.
func onlyOtherKey(i artifacts.Integrity) bool { return i.OtherKey && len(i.Problems) == 1 }

// verdict is the answer in words. An archive that was changed proves nothing.
func (p *reviewPrinter) verdict(i artifacts.Integrity) string {
	verdict := strings.ToUpper(string(p.a.Verdict))
	switch {
	case i.Kind == artifacts.KindClassic:
		return verdict + ", by files that nobody signed"
	case onlyOtherKey(i):
		return verdict + ", of an archive that somebody else signed: it proves nothing"
	case !i.Untouched:
		return verdict + ", of an archive that was changed: it proves nothing"
	default:
		return verdict
	}
}

func (p *reviewPrinter) waivers() {
	for i := range p.a.Outcomes {
		if o := &p.a.Outcomes[i]; o.Waiver != "" {
			p.line("  - waived: %s (%s): %s", o.Case.Name, o.Verdict, term.Plain(o.Waiver))
		}
	}
}

// shown are the outcomes in the reviewer's scope.
func (p *reviewPrinter) shown() []*testcases.Outcome {
	var shown []*testcases.Outcome
	for i := range p.a.Outcomes {
		if p.scope.Has(p.a.Outcomes[i].Case) {
			shown = append(shown, &p.a.Outcomes[i])
		}
	}
	return shown
}

func (p *reviewPrinter) cases(title string, mandatory bool) {
	var of []*testcases.Outcome
	for _, o := range p.shown() {
		if o.Case.Mandatory == mandatory {
			of = append(of, o)
		}
	}
	if len(of) == 0 {
		return
	}
	p.section(title)
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  CASE\tVERDICT\tRECORDED\tDERIVED\tPASSED\tFAILED\tERRORS\tSKIPPED\tMISSING\tREQUIREMENT")
	named := map[string]bool{}
	for _, o := range of {
		verdict := string(o.Verdict)
		if o.Waiver != "" {
			verdict += ", waived"
		}
		requirement := ""
		if len(o.Case.Requirements) > 0 {
			requirement = o.Case.Requirements[0] // the one that RC2 table 2.5 names
			named[requirement] = true
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\n", o.Case.Name, verdict, criteriaWord(o.Recorded), criteriaWord(o.Derived),
			o.Counts.Passed, o.Counts.Failed, o.Counts.Errors, o.Counts.Skipped, o.Counts.Missing, requirement)
	}
	_ = w.Flush() // to memory
	if p.err == nil {
		_, p.err = io.WriteString(p.w, term.CutLines(p.w, table.String())) // links follow below it
	}
	for _, id := range slices.Sorted(maps.Keys(named)) {
		if requirement, ok := p.a.Catalog.Requirement(id); ok {
			p.line("  %s: %s", id, requirement.URL)
		}
	}
}

func (p *reviewPrinter) failures() {
	header := false
	for _, o := range p.shown() {
		var last *testcases.Check
		more := 0 // alike: a set-up that failed on each of ten parallel nodes
		for i := range o.Checks {
			check := &o.Checks[i]
			if check.Informative || check.Status != testcases.StatusFail && check.Status != testcases.StatusError {
				continue
			}
			if !header {
				p.section("Failures")
				header = true
			}
			if last != nil && last.Name == check.Name && last.Reason == check.Reason {
				more++
				continue
			}
			p.alike(more)
			last, more = check, 0
			p.failure(o, check)
		}
		p.alike(more)
	}
}

func (p *reviewPrinter) alike(more int) {
	if more > 0 {
		p.line("      and %d times more, in other files", more)
	}
}

func (p *reviewPrinter) failure(o *testcases.Outcome, check *testcases.Check) {
	p.line("  %s: %s: %s", o.Case.Name, statusWord(check), term.Plain(check.Name))
	p.line("      %s", short(check.Reason))
	if check.Where != "" {
		p.line("      at %s", term.Plain(check.Where))
	}
	p.line("      evidence: %s/%s:%d", term.Plain(o.Folder), term.Plain(check.Source.File), check.Source.Line)
	if check.Link != "" {
		p.line("      requirement: %s, %s", term.Plain(check.Title), term.Plain(check.Link))
	}
}

func (p *reviewPrinter) missing() {
	header := false
	for _, o := range p.shown() {
		for _, missing := range o.Missing {
			if !header {
				p.section("Not executed")
				header = true
			}
			p.line("  %s: %s: %s", o.Case.Name, term.Plain(missing.Name), short(missing.Reason))
		}
	}
}

// skips lists what skipped itself, and counts what no case selects by reason.
func (p *reviewPrinter) skips() {
	header := false
	title := func() {
		if !header {
			p.section("Skips")
			header = true
		}
	}
	for _, o := range p.shown() {
		for i := range o.Checks {
			check := &o.Checks[i]
			if check.Status == testcases.StatusSkip && check.Class != testcases.ClassNotSelected && check.Class != testcases.ClassUnexplained {
				title()
				p.line("  %s: %s: %s: %s", o.Case.Name, check.Class, term.Plain(check.Name), short(check.Reason))
			}
		}
	}
	reasons := map[string]int{}
	for i := range p.a.Specs {
		if spec := &p.a.Specs[i]; spec.Class == testcases.ClassNotSelected && !spec.Missing {
			reasons[spec.Reason]++
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		title()
		p.line("  %d specs of the e2e binary that no case selects: %s", reasons[reason], term.Plain(reason))
	}
}

// findings are what conflicts, and what is worth knowing.
func (p *reviewPrinter) findings() {
	header := false
	title := func() {
		if !header {
			p.section("Findings")
			header = true
		}
	}
	for _, o := range p.shown() {
		for _, finding := range o.Findings {
			title()
			p.line("  %s: %s: %s", o.Case.Name, finding.Kind, place(finding))
		}
		for _, earlier := range o.Earlier {
			title()
			p.line("  %s: an earlier run that a newer one replaced: %s, recorded %s", o.Case.Name, term.Plain(earlier.Folder), criteriaWord(earlier.Criteria))
		}
	}
	for _, finding := range p.a.Findings {
		title()
		p.line("  %s: %s", finding.Kind, place(finding))
	}
}
