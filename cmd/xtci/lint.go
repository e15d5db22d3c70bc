package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/config/playbook"
	"github.com/anuket-project/xtci/internal/term"
	"github.com/anuket-project/xtci/testcases"
	"github.com/anuket-project/xtci/testcases/lint"
)

func newLintCmd(a *app) *cobra.Command {
	var sarif string
	cmd := &cobra.Command{
		Use:   "lint [SITE]",
		Short: "Find what would go wrong at night in a site or playbook",
		Long: `lint reads a site or a playbook, and lists what would go wrong with its
campaigns, and what of it has no effect here and what is used instead, with
file, line and the rule (docs/lint.md). SITE is what --site takes; without it,
it is that of --site. Nothing is run, and no service is asked.

With --sarif the same is written in SARIF 2.1.0, which CI shows beside the
lines of a change; - is stdout, in place of the text.

EXIT STATUS
  0    nothing, or notes alone
  1    warnings
  2    errors, wrong use, or a file that cannot be read
  3    something outside of xtci failed (disk, network)
  130  interrupted`,
		Example: `  xtci lint site.yml
  xtci lint -o json site.yml
  xtci lint --sarif lint.sarif git::https://git.lab/ci//site.yml?ref=main`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runLint(cmd.Context(), a, args, sarif) },
	}
	cmd.Flags().StringVar(&sarif, "sarif", "", "write SARIF into this `FILE`, too (-: to stdout, and nothing else)")
	return cmd
}

func runLint(ctx context.Context, a *app, args []string, sarif string) error {
	if sarif == "-" && a.json() {
		return usage(errors.New("--sarif - and -o json both go to stdout: name a file for one of them"))
	}
	if len(args) > 0 {
		a.configFile = args[0]
		if err := a.fetchSite(ctx); err != nil {
			return err
		}
	}
	file, err := a.siteFile()
	if err != nil {
		return err
	}
	if file.name == "" {
		return usage(errors.New("lint: name the site or playbook"))
	}
	report, unusable := a.lint(file)
	if err := a.writeLint(report, sarif, unusable == nil); err != nil {
		return errors.Join(unusable, err)
	}
	switch {
	case unusable != nil:
		return unusable
	case report.Errors > 0:
		return errWrong
	case report.Warnings > 0:
		return errNo
	}
	return nil
}

// A lintReport is what lint prints as JSON.
type lintReport struct {
	File     string        `json:"file"`
	Playbook bool          `json:"playbook"`
	Errors   int           `json:"errors"`
	Warnings int           `json:"warnings"`
	Notes    int           `json:"notes"`
	Findings []lintFinding `json:"findings"`
}

// A lintFinding is something to say of a site, and where.
type lintFinding struct {
	Level lint.Level `json:"level"`
	Rule  string     `json:"rule"`
	File  string     `json:"file"`
	Line  int        `json:"line,omitempty"` // 0: the file as a whole
	// Key is what it is about in the site, Variable in the playbook.
	Key      string `json:"key,omitempty"`
	Variable string `json:"variable,omitempty"`
	Text     string `json:"text"`
}

func (f lintFinding) String() string {
	where := f.File
	if f.Line > 0 {
		where += ":" + strconv.Itoa(f.Line)
	}
	if subject := cmp.Or(f.Variable, f.Key); subject != "" {
		where += ": " + string(f.Level) + ": " + subject
	} else {
		where += ": " + string(f.Level)
	}
	return where + ": " + f.Text + " [" + f.Rule + "]"
}

// lint looks through the site of a file. The error is why there is none; what
// was found until then stays.
func (a *app) lint(file siteFile) (lintReport, error) {
	report := lintReport{File: a.shown(file), Findings: []lintFinding{}}
	a.told = true // here is all of it
	read, err := a.playbook(file.name)
	if err == nil {
		report.Playbook = read != nil
		err = a.lintCampaigns(&report, file, read)
	}
	if err != nil {
		report.Findings = append(report.Findings, unusableSite(report.File, file.name, err))
	}
	report.sort()
	return report, err
}

// lintCampaigns looks through all campaigns of a file.
func (a *app) lintCampaigns(report *lintReport, file siteFile, read *playbook.Playbook) error {
	if read != nil {
		found, err := ofPlaybookReader(read.Findings)
		if err != nil {
			return err
		}
		report.Findings = append(report.Findings, found...)
	}
	sites, err := a.sites()
	if err != nil {
		return err
	}
	lines := map[string]int{}
	if read == nil {
		if lines, err = config.Lines(file.name); err != nil {
			return usage(a.ofFetched(err))
		}
	}
	for i, site := range sites {
		locate := locateIn(report.File, lines)
		if read != nil {
			locate = locateFrom(read.Campaigns[max(file.campaign-1, 0)+i])
		}
		found, err := a.lintSite(site, read != nil, gitBranch(file.name))
		if err != nil {
			return err
		}
		for _, f := range found {
			name, line := locate(f.Key)
			report.Findings = append(report.Findings, lintFinding{Level: f.Level, Rule: f.Rule, File: name, Line: line, Key: f.Key, Text: f.Text})
		}
	}
	return nil
}

// lintSite looks through one site.
func (a *app) lintSite(site config.Site, ofRole bool, branch string) ([]lint.Finding, error) {
	catalog, err := testcases.Load(site.Release)
	if err != nil {
		return []lint.Finding{{Rule: lint.ReleaseUnknown, Level: lint.LevelError, Key: "release", Text: err.Error()}}, nil //nolint:nilerr // it is a finding
	}
	found, err := lint.Check(lint.Subject{Site: site, Catalog: catalog, Playbook: ofRole, Branch: branch})
	if err != nil {
		return nil, err
	}
	if err := a.lintJobs(site); err != nil {
		found = append(found, lint.Finding{Rule: lint.SiteUnusable, Level: lint.LevelError, Text: "no jobs can be made of it: " + err.Error()})
	}
	return found, nil
}

// lintJobs says what only shows when jobs are made: names that two of them
// would have, and variables that Jenkins needs itself.
func (a *app) lintJobs(site config.Site) error {
	if !site.Stack.Jenkins.Enabled && site.Stack.Jenkins.External.URL == "" {
		return nil
	}
	// Of this host nothing matters here: neither its address, nor an image of
	// this program.
	site.Address = cmp.Or(site.Address, "192.0.2.1")
	site.Archive.Image = cmp.Or(site.Archive.Image, "xtci")
	_, err := a.graph(site)
	if _, ok := errors.AsType[*usageError](err); ok {
		return err
	}
	return nil // other errors are not the site's
}

// ofPlaybookReader gives what was said of a playbook its rules.
func ofPlaybookReader(findings []playbook.Finding) ([]lintFinding, error) {
	all, err := playbook.Variables()
	if err != nil {
		return nil, err
	}
	variables := map[string]playbook.Variable{}
	for _, v := range all {
		variables[v.Name] = v
	}
	var found []lintFinding
	for _, f := range findings {
		rule := lint.Playbook
		switch v, known := variables[f.Variable]; {
		case known && !v.Supported() && v.Instead == variables["builds"].Instead:
			rule = lint.GateWithoutJobs
		case known && !v.Supported():
			rule = lint.VariableNotSupported
		case strings.HasPrefix(f.Text, "the role has no such variable"), strings.HasPrefix(f.Text, "a suite has no such key"):
			rule = lint.VariableUnknown
		}
		found = append(found, lintFinding{Level: lint.Level(f.Level), Rule: rule, File: f.File, Line: f.Line, Variable: f.Variable, Text: f.Text})
	}
	return found, nil
}

// inFile is how errors begin that know where in a file they are.
var inFile = regexp.MustCompile(`^(?:read the site: )?([^\s:][^:\n]*):([0-9]+): `)

// unusableSite is a finding out of the error of a site that does not load: of
// what people know as shown.
func unusableSite(shown, file string, err error) lintFinding {
	f := lintFinding{Level: lint.LevelError, Rule: lint.SiteUnusable, File: shown, Text: err.Error()}
	if wrong, ok := errors.AsType[*config.ValueError](err); ok {
		f.Key, f.Text = wrong.Key, strings.TrimPrefix(wrong.Error(), wrong.Key+": ")
		if strings.HasPrefix(wrong.Advice, "it is the same as stack.") {
			f.Rule = lint.PortTwice
		}
		if lines, err := config.Lines(file); err == nil {
			_, f.Line = locateIn(shown, lines)(wrong.Key)
		}
	}
	if at := inFile.FindStringSubmatch(err.Error()); at != nil {
		if line, err := strconv.Atoi(at[2]); err == nil {
			f.File, f.Line, f.Text = at[1], line, strings.TrimPrefix(f.Text, at[0])
		}
	}
	return f
}

// locateIn finds a key, or else the nearest one above it, in a site's file.
func locateIn(file string, lines map[string]int) func(key string) (string, int) {
	return func(key string) (string, int) {
		for ; key != ""; key = parentKey(key) {
			if line := lines[key]; line > 0 {
				return file, line
			}
		}
		return file, 0
	}
}

// locateFrom finds where in a playbook a key is from: without a variable of
// its own, where the role is called.
func locateFrom(c playbook.Campaign) func(key string) (string, int) {
	return func(key string) (string, int) {
		for ; key != ""; key = parentKey(key) {
			if origin, ok := c.Origins[key]; ok {
				return origin.File, origin.Line
			}
		}
		return c.File, c.Line
	}
}

// parentKey is the key that another stands in: of suites[0].tests[1] it is
// suites[0].tests.
func parentKey(key string) string { return key[:max(strings.LastIndexAny(key, ".["), 0)] }

// sort orders findings by file and line, keeps each once, and counts them:
// campaigns of a playbook have much in common.
func (r *lintReport) sort() {
	slices.SortStableFunc(r.Findings, func(a, b lintFinding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	seen := map[lintFinding]bool{}
	r.Findings = slices.DeleteFunc(r.Findings, func(f lintFinding) bool {
		twice := seen[f]
		seen[f] = true
		return twice
	})
	for _, f := range r.Findings {
		switch f.Level {
		case lint.LevelError:
			r.Errors++
		case lint.LevelWarning:
			r.Warnings++
		default:
			r.Notes++
		}
	}
}

// writeLint writes the report as it is wanted. usable is that the site loads:
// why it does not is an error of the command.
func (a *app) writeLint(report lintReport, sarif string, usable bool) error {
	if sarif != "" {
		if err := a.writeSARIF(report, sarif, toolVersion()); err != nil || sarif == "-" {
			return err
		}
	}
	if a.json() {
		return a.printJSON(report)
	}
	if !usable {
		return nil
	}
	var text strings.Builder
	for _, f := range report.Findings {
		text.WriteString(term.Plain(f.String()) + "\n")
	}
	fmt.Fprintf(&text, "%s: %s, %s, %s\n", term.Plain(report.File), count(report.Errors, "error"), count(report.Warnings, "warning"), count(report.Notes, "note"))
	_, err := a.out.Write([]byte(text.String()))
	return err
}
