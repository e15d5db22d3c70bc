package report

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/anuket-project/xtci/testcases"
)

// Limits that keep the page small whatever the evidence holds. What is left
// out is counted on the page and stands in report.json in full.
const (
	maxRows    = 10_000  // rows of one list; the e2e suites have 7,052 specs
	maxReasons = 1 << 20 // bytes of all reasons together
	maxReason  = 400     // characters of a reason beyond that
)

// A page is what the templates show. It holds text only: html/template
// escapes it where it is used.
type page struct {
	Policy string
	Style  template.CSS

	BuildTag   string
	Release    string
	Document   link
	Verdict    badge
	Lede       string
	Reasons    []string
	Waived     []*caseView
	Findings   []findingView
	Bars       []bar
	Filters    []filter
	Mandatory  []*caseView
	Optional   []*caseView
	Failing    []*caseView
	Flaked     []checkView
	Skips      list[checkView]
	SpecGroups []specGroup
	SpecCount  int

	Requirements   []requirementView
	Uncovered      int
	Features       []featureView
	Contradictions []contradictionView

	Security   []*caseView
	Network    []*caseView
	Benchmarks []*caseView

	Provenance []fact
	Nodes      []string
	Images     []fact

	cases      map[string]*caseView
	reasonLeft int // bytes of reasons that may still be shown in full
}

// A badge is a status in a word, a symbol and a colour, so that it never
// rests on the colour alone.
type badge struct {
	Kind   string // the style's class: pass, fail, warn, conflict, none
	Symbol string
	Word   string
}

// A link is a text with an address. Without an address it is only a text.
type link struct {
	Text string
	Href string
}

type fact struct{ Name, Value string }

type findingView struct {
	Badge  badge
	Text   string
	Source link
}

type filter struct {
	ID, Kind string
	Badge    badge
	Count    int
}

// A list is a list that may have been cut.
type list[T any] struct {
	Rows []T
	Left int // rows that were left out
}

func newList[T any](rows []T) list[T] {
	if len(rows) <= maxRows {
		return list[T]{Rows: rows}
	}
	return list[T]{Rows: rows[:maxRows], Left: len(rows) - maxRows}
}

type caseView struct {
	ID           string
	Name         string
	Description  string
	Mandatory    bool
	Level        string
	Container    string
	Badge        badge
	Waiver       string
	Recorded     badge
	RecordedFrom string
	Derived      badge
	Statement    string
	Complete     bool
	NotChecked   string
	Counts       testcases.Counts
	Requirements []link
	Duration     string
	Run          []fact
	Facts        []fact
	Findings     []findingView
	Notes        []string
	Earlier      []fact
	Problems     list[checkView] // failed and broken checks that decide
	Missing      []missingGroup
	Checks       list[checkView] // every reported check
	Section      string          // id of the section that shows the checks, if they have their own

	Findable list[checkView] // security: what did not pass
	Passed   list[checkView] // security: what passed
	Tally    []fact
	Plot     *plot
	Table    *figureTable
}

type checkView struct {
	Name, Case, CaseID string
	Badge              badge
	Tags               []string
	Reason             string
	Cut                bool
	Where              string
	Source             link
	Again              []link // where else the same was found
	Remedy             string
	Documentation      link
	Requirement        link
	Severity           string
	Duration           string
	Attempts           int
}

type missingGroup struct {
	Reason string
	Names  list[string]
	Count  int
}

type specGroup struct {
	Badge  badge
	Reason string
	Specs  list[specView]
	Count  int
	Groups []specGroup
}

type specView struct {
	Name   string
	Cases  string
	Reason string
}

type requirementView struct {
	ID, Title, Document, Level string
	Href                       string
	Cases                      []coveringCase
	Checks                     string
	Covered                    bool
	Why                        string
}

type coveringCase struct {
	Name, Href string
	Badge      badge
	ByText     bool
}

type featureView struct {
	SIG       string
	Label     link
	Mandatory bool
	Specs     tally
}

type contradictionView struct {
	Kind    string
	Subject link
	Text    string
	Cases   []coveringCase
}

func newPage(a *testcases.Assessment) *page {
	p := &page{
		BuildTag:   a.BuildTag,
		Release:    a.Provenance.Release,
		Verdict:    campaignBadge(a.Verdict),
		Reasons:    a.Reasons,
		cases:      make(map[string]*caseView, len(a.Outcomes)),
		reasonLeft: maxReasons,
		SpecCount:  len(a.Specs),
	}
	catalog := a.Catalog
	if catalog == nil {
		catalog = &testcases.Catalog{}
	} else {
		p.Release = catalog.Release
		text := strings.TrimSpace(catalog.Specification.Title + " " + catalog.Specification.Version)
		p.Document = external(text, catalog.Specification.URL)
	}
	p.Findings = p.findings("", a.Findings)
	for _, mandatory := range []bool{true, false} {
		for i := range a.Outcomes {
			if o := &a.Outcomes[i]; caseOf(o).Mandatory == mandatory {
				p.addCase(catalog, o)
			}
		}
	}
	p.Lede = lede(p)
	p.Bars = bars(p, tallySpecs(a.Specs))
	p.Filters = filters(p)
	p.SpecGroups = specGroups(a.Specs)
	p.trace(a, catalog)
	p.provenance(&a.Provenance)
	return p
}

// addCase makes the view of a case and puts it in each section it belongs to.
func (p *page) addCase(catalog *testcases.Catalog, o *testcases.Outcome) {
	v := p.newCase(catalog, o)
	p.cases[v.Name] = v
	if v.Mandatory {
		p.Mandatory = append(p.Mandatory, v)
	} else {
		p.Optional = append(p.Optional, v)
	}
	if v.Waiver != "" {
		p.Waived = append(p.Waived, v)
	}
	if o.Verdict != testcases.VerdictPass || len(v.Problems.Rows) > 0 || len(v.Missing) > 0 {
		p.Failing = append(p.Failing, v)
	}
	switch caseOf(o).Driver {
	case "kube_bench", "kube_hunter":
		v.Section = "security"
		p.Security = append(p.Security, v)
	case "netperf":
		v.Section = "network"
		v.Plot, v.Table = newPlot(o.Checks), newFigureTable("Result", o.Checks)
		if v.Plot != nil {
			v.Table = newFigureTable("Result", unplotted(o.Checks))
		}
		p.Network = append(p.Network, v)
	case "xrally_kubernetes":
		v.Section = "benchmarks"
		v.Table = newFigureTable("SLA", o.Checks)
		p.Benchmarks = append(p.Benchmarks, v)
	}
}

func (p *page) newCase(catalog *testcases.Catalog, o *testcases.Outcome) *caseView {
	c := caseOf(o)
	v := &caseView{
		ID: slug(c.Name), Name: c.Name, Description: c.Description, Mandatory: c.Mandatory,
		Level: string(c.Level), Container: c.Container,
		Badge: caseBadge(o.Verdict), Waiver: o.Waiver,
		Recorded: criteriaBadge(o.Recorded), RecordedFrom: o.RecordedFrom, Derived: criteriaBadge(o.Derived),
		Statement: statement(o), Complete: o.Complete, NotChecked: o.NotChecked, Counts: o.Counts,
		Duration: duration(o.Seconds),
		Findings: p.findings(o.Folder, o.Findings),
		Notes:    c.Notes,
		Missing:  missingGroups(o.Missing),
	}
	for _, id := range c.Requirements {
		v.Requirements = append(v.Requirements, requirementLink(catalog, id))
	}
	v.Run = facts(
		"Level", v.Level, "Container", c.Container, "Tier", c.Tier, "Job", o.Job, "Build", o.Build, "Folder", o.Folder,
		"Started", o.Started, "Stopped", o.Stopped, "Recorded in", o.RecordedFrom, "Focus", c.Focus, "Skip", c.Skip)
	for _, f := range o.Facts {
		v.Facts = append(v.Facts, fact(f))
	}
	for _, e := range o.Earlier {
		v.Earlier = append(v.Earlier, fact{e.Folder, strings.TrimSuffix(orNothing(e.Criteria)+", "+e.Stopped, ", ")})
	}
	p.addChecks(catalog, v, o)
	return v
}

// addChecks sorts the checks of a case into the lists that show them.
func (p *page) addChecks(catalog *testcases.Catalog, v *caseView, o *testcases.Outcome) {
	var all, problems, findable, passed []checkView
	words := make(map[string]int)
	for _, c := range reported(o) {
		check := p.newCheck(catalog, v, o.Folder, c)
		all = append(all, check)
		words[resultWord(c)]++
		broken := c.Status == testcases.StatusFail || c.Status == testcases.StatusError
		switch {
		case broken && !c.Informative:
			problems = addProblem(problems, check)
		case c.Status == testcases.StatusSkip && !c.Informative:
			p.Skips.Rows = append(p.Skips.Rows, check)
		}
		if c.Flaked {
			p.Flaked = append(p.Flaked, check)
		}
		if c.Status == testcases.StatusPass {
			passed = append(passed, check)
		} else {
			findable = append(findable, check)
		}
	}
	p.Skips = newList(p.Skips.Rows)
	v.Checks, v.Problems = newList(all), newList(problems)
	v.Findable, v.Passed = newList(findable), newList(passed)
	for _, word := range slices.Sorted(maps.Keys(words)) {
		v.Tally = append(v.Tally, fact{word, strconv.Itoa(words[word])})
	}
}

// addProblem appends a problem, or adds its place to the same one before it:
// a set-up fails on each of ten parallel nodes with the same words.
func addProblem(problems []checkView, next checkView) []checkView {
	if n := len(problems); n > 0 && next.Source.Text != "" {
		last := &problems[n-1]
		if last.Name == next.Name && last.Badge == next.Badge && last.Reason == next.Reason && last.Where == next.Where {
			last.Again = append(last.Again, next.Source)
			return problems
		}
	}
	return append(problems, next)
}

func (p *page) newCheck(catalog *testcases.Catalog, v *caseView, folder string, c *testcases.Check) checkView {
	check := checkView{
		Name: c.Name, Case: v.Name, CaseID: v.ID,
		Badge: checkBadge(c), Where: c.Where, Source: evidence(folder, c.Source), Remedy: c.Remedy,
		Severity: c.Severity, Duration: duration(c.Seconds), Attempts: c.Attempts,
	}
	check.Reason, check.Cut = p.reason(c.Reason)
	if c.Title != "" || c.Link != "" {
		check.Documentation = external(cmp.Or(c.Title, c.Link), c.Link)
	}
	if c.Requirement != "" {
		check.Requirement = requirementLink(catalog, c.Requirement)
	}
	if c.Informative {
		check.Tags = append(check.Tags, "informative")
		if check.Badge.Kind == "fail" {
			check.Badge.Kind = "warn" // the colour of failure is for what decides
		}
	}
	if c.Extra {
		check.Tags = append(check.Tags, "not selected by the case")
	}
	if c.Flaked {
		check.Tags = append(check.Tags, "flaked")
	}
	return check
}

// reason returns a reason in full as long as the page has room for it.
func (p *page) reason(text string) (shown string, cut bool) {
	if p.reasonLeft -= len(text); p.reasonLeft >= 0 {
		return text, false
	}
	shown = shorten(text, maxReason)
	return shown, shown != text
}

func (p *page) findings(folder string, findings []testcases.Finding) []findingView {
	views := make([]findingView, len(findings))
	for i, f := range findings {
		views[i] = findingView{Badge: findingBadge(f.Kind), Text: f.Text, Source: evidence(folder, f.Source)}
	}
	return views
}

// statement says in words how recorded and derived stand to each other.
func statement(o *testcases.Outcome) string {
	recorded, derived := o.Recorded, o.Derived
	switch {
	case o.Verdict == testcases.VerdictMissing:
		return "There is neither a record of this case nor evidence."
	case recorded == testcases.CriteriaNone && derived == testcases.CriteriaNone:
		return "No outcome was recorded, and none can be derived from the files."
	case recorded == testcases.CriteriaNone:
		return fmt.Sprintf("No outcome was recorded; the raw files say %s.", derived)
	case derived == testcases.CriteriaNone:
		return fmt.Sprintf("The container recorded %s; the raw files say neither PASS nor FAIL.", recorded)
	case o.NotChecked != "" && recorded == derived:
		return fmt.Sprintf("Recorded %s, derived %s; whether everything selected was executed was not checked: %s.", recorded, derived, o.NotChecked)
	case recorded != derived:
		return fmt.Sprintf("The container recorded %s, but its raw files say %s: they are in conflict.", recorded, derived)
	case !o.Complete:
		return fmt.Sprintf("Recorded %s, derived %s, but the evidence does not show that everything selected was executed.", recorded, derived)
	default:
		return fmt.Sprintf("The container recorded %s, and its raw files say %s.", recorded, derived)
	}
}

func lede(p *page) string {
	passed := 0
	for _, c := range p.Mandatory {
		if c.Badge.Kind == "pass" {
			passed++
		}
	}
	if len(p.Mandatory) == 0 && p.Verdict == campaignBadge(testcases.NoSpecification) {
		return "No version of RC2 is of this release: no case is mandatory, and no platform can be conformant. What the cases came to is shown all the same."
	}
	if len(p.Mandatory) == 0 {
		return "No mandatory case was looked at."
	}
	return fmt.Sprintf("%d of %d mandatory cases passed: recorded PASS, derived PASS from the raw files, and complete.", passed, len(p.Mandatory))
}

func missingGroups(missing []testcases.MissingCheck) []missingGroup {
	var order []string
	names := make(map[string][]string)
	for _, m := range missing {
		if names[m.Reason] == nil {
			order = append(order, m.Reason)
		}
		names[m.Reason] = append(names[m.Reason], m.Name)
	}
	groups := make([]missingGroup, len(order))
	for i, reason := range order {
		groups[i] = missingGroup{Reason: reason, Names: newList(names[reason]), Count: len(names[reason])}
	}
	return groups
}

// specGroups sorts the specs by what became of them, and those that no case
// selects by the reason, the biggest group first.
func specGroups(specs []testcases.SpecResult) []specGroup {
	byBadge := make(map[badge][]*testcases.SpecResult)
	for i := range specs {
		b := specBadge(&specs[i])
		byBadge[b] = append(byBadge[b], &specs[i])
	}
	badges := slices.SortedFunc(maps.Keys(byBadge), func(a, b badge) int {
		return cmp.Or(cmp.Compare(specOrder(a), specOrder(b)), cmp.Compare(a.Word, b.Word))
	})
	var groups []specGroup
	for _, b := range badges {
		group := specGroup{Badge: b, Count: len(byBadge[b])}
		if b == notSelectedBadge {
			group.Groups = byReason(b, byBadge[b])
		} else {
			group.Specs = specViews(byBadge[b], true)
		}
		groups = append(groups, group)
	}
	return groups
}

func byReason(b badge, specs []*testcases.SpecResult) []specGroup {
	reasons := make(map[string][]*testcases.SpecResult)
	for _, s := range specs {
		reasons[s.Reason] = append(reasons[s.Reason], s)
	}
	var groups []specGroup
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		groups = append(groups, specGroup{
			Badge: b, Reason: cmp.Or(reason, "no reason given"),
			Count: len(reasons[reason]), Specs: specViews(reasons[reason], false),
		})
	}
	slices.SortStableFunc(groups, func(a, b specGroup) int { return cmp.Compare(b.Count, a.Count) })
	return groups
}

func specViews(specs []*testcases.SpecResult, reasons bool) list[specView] {
	views := make([]specView, len(specs))
	for i, s := range specs {
		views[i] = specView{Name: s.Name, Cases: strings.Join(s.Cases, ", ")}
		if reasons {
			views[i].Reason = firstLine(s.Reason)
		}
	}
	return newList(views)
}

func (p *page) trace(a *testcases.Assessment, catalog *testcases.Catalog) {
	for _, c := range coverages(a) {
		r := c.requirement
		v := requirementView{
			ID: r.ID, Title: r.Title, Document: r.Document, Level: string(r.Level),
			Href: safeURL(r.URL), Covered: c.covered(), Why: r.NotCovered, Checks: c.checks.String(),
		}
		if !v.Covered {
			p.Uncovered++
			v.Why = cmp.Or(v.Why, "no test case of this release traces to it")
		}
		for _, by := range c.cases {
			view := p.covering(by.testcase.Name)
			view.ByText = by.byText
			v.Cases = append(v.Cases, view)
		}
		p.Requirements = append(p.Requirements, v)
	}
	for i := range catalog.Features {
		f := &catalog.Features[i]
		p.Features = append(p.Features, featureView{
			SIG: f.SIG, Label: external(f.Label, f.URL), Mandatory: f.Mandatory, Specs: featureTally(f, a.Specs),
		})
	}
	for _, c := range catalog.Contradictions {
		v := contradictionView{Kind: c.Kind, Subject: external(c.Subject, c.URL), Text: c.Text}
		for _, name := range c.Cases {
			v.Cases = append(v.Cases, p.covering(name))
		}
		p.Contradictions = append(p.Contradictions, v)
	}
}

// covering names a case with its verdict, or says that it was not looked at.
func (p *page) covering(name string) coveringCase {
	if v := p.cases[name]; v != nil {
		return coveringCase{Name: name, Href: "#case-" + v.ID, Badge: v.Badge}
	}
	return coveringCase{Name: name, Badge: badge{"none", "·", "Not looked at"}}
}

func (p *page) provenance(from *testcases.Provenance) {
	p.Provenance = facts(
		"Build tag", p.BuildTag, "Release", from.Release, "Made by", cmp.Or(from.Tool, "not known: an archive of the classic toolchain"),
		"Engine", from.Engine, "Site from", from.SiteSource.String(), "Site digest", from.SiteDigest, "Scenario", from.Scenario,
		"Kubernetes", from.KubernetesVersion, "Cluster", from.Cluster, "Started", from.Started, "Stopped", from.Stopped)
	p.Nodes = from.Nodes
	for _, image := range slices.Sorted(maps.Keys(from.Images)) {
		p.Images = append(p.Images, fact{image, from.Images[image]})
	}
}

// facts pairs names with values and leaves out those without a value.
func facts(pairs ...string) []fact {
	var known []fact
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			known = append(known, fact{pair[0], pair[1]})
		}
	}
	return known
}

func requirementLink(catalog *testcases.Catalog, id string) link {
	if r, ok := catalog.Requirement(id); ok {
		return external(cmp.Or(r.Title, id), r.URL)
	}
	return link{Text: id}
}

// external links to a public page, if the address is one of the web.
func external(text, address string) link {
	return link{Text: text, Href: safeURL(address)}
}

// safeURL returns an address if it is one of the web, and nothing otherwise.
func safeURL(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return u.String()
}

// evidence links to a place in the archive, relative to its root.
func evidence(folder string, s testcases.Source) link {
	if s.File == "" {
		return link{}
	}
	text := s.File
	if s.Line > 0 {
		text = fmt.Sprintf("%s, line %d", s.File, s.Line)
	}
	name := evidencePath(folder, s)
	if name == "" || strings.Contains(name, "*") { // a pattern that no file matches
		return link{Text: text}
	}
	segments := strings.Split(name, "/")
	for i, segment := range segments {
		segments[i] = url.PathEscape(segment)
	}
	// "./" keeps a colon in the first segment from being read as a scheme.
	return link{Text: text, Href: "./" + strings.Join(segments, "/")}
}

// slug makes a name fit for an id in the page.
func slug(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '-'
	}, name)
}

// duration is a time in the units that a person would use; empty when it is
// unknown.
func duration(s float64) string {
	s = min(seconds(s), 1e9)
	if s == 0 {
		return ""
	}
	if s < 60 {
		return strconv.FormatFloat(s, 'f', 1, 64) + " s"
	}
	whole := int(math.Round(s))
	hours, minutes, rest := whole/3600, whole/60%60, whole%60
	switch {
	case hours > 0 && minutes > 0:
		return fmt.Sprintf("%d h %d min", hours, minutes)
	case hours > 0:
		return fmt.Sprintf("%d h", hours)
	case rest > 0:
		return fmt.Sprintf("%d min %d s", minutes, rest)
	default:
		return fmt.Sprintf("%d min", minutes)
	}
}

// String lists the counts that are not zero.
func (t tally) String() string {
	var parts []string
	for _, part := range []struct {
		n    int
		word string
	}{
		{t.Passed, "passed"},
		{t.Failed, "failed"},
		{t.Errors, "broke off"},
		{t.Skipped, "skipped"},
		{t.Missing, "not executed"},
		{t.NotSelected, "not selected"},
	} {
		if part.n > 0 {
			parts = append(parts, thousands(part.n)+" "+part.word)
		}
	}
	return strings.Join(parts, ", ")
}

// thousands writes a number with separators: 7,052.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
