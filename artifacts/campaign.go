package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/anuket-project/xtci/testcases"
	"github.com/anuket-project/xtci/testcases/parse"
)

// A Campaign is everything of one build tag: its records and its files.
type Campaign struct {
	Tag   string
	Index Index
	// Declared is what whoever ran the campaign says of it. What the records
	// and files tell goes before.
	Declared testcases.Provenance
	files    fs.FS    // laid out as a store or an archive
	leftOut  []string // what there is and cannot be in an archive, and why
}

// Tags are what a build's parameter must match (spec/jobs.md).
var validTag = regexp.MustCompile(`^[a-zA-Z0-9_,-]{8,128}$`)

// CheckTag refuses build tags that Jenkins would refuse, or that are names of
// other files of an archive.
func CheckTag(tag string) error {
	if !validTag.MatchString(tag) {
		return fmt.Errorf("build tag %q: want at least 8 letters, digits, commas, dashes or underscores", tag)
	}
	if slices.Contains(members, IndexName(tag)) {
		return fmt.Errorf("build tag %q: an archive has a file of that name", tag)
	}
	return nil
}

// ErrNothing is that no campaign has that build tag. It is an fs.ErrNotExist,
// too.
var ErrNothing error = nothingError{}

type nothingError struct{}

func (nothingError) Error() string        { return "there is nothing of it" }
func (nothingError) Is(target error) bool { return target == fs.ErrNotExist }

// OpenCampaign reads the index of a campaign in a store, or in an archive or
// a folder of the same layout. A campaign of which nothing is there is an
// error that wraps ErrNothing.
func OpenCampaign(files fs.FS, tag string) (*Campaign, error) {
	if err := CheckTag(tag); err != nil {
		return nil, err
	}
	index, err := readIndex(files, tag)
	if errors.Is(err, fs.ErrNotExist) {
		if _, statErr := fs.Stat(files, tag); statErr != nil {
			return nil, fmt.Errorf("no campaign with build tag %s: neither %s nor a folder %s/: %w", tag, IndexName(tag), tag, ErrNothing)
		}
	} else if err != nil {
		return nil, err
	}
	return &Campaign{Tag: tag, Index: index, files: files}, nil
}

// FindTag returns the build tag of the one campaign in an archive or a folder
// laid out like one.
func FindTag(files fs.FS) (string, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return "", fmt.Errorf("list the campaign's files: %w", err)
	}
	var tags []string
	for _, entry := range entries {
		tag := entry.Name()
		if !entry.IsDir() {
			if slices.Contains(members, tag) || path.Ext(tag) != ".json" {
				continue
			}
			tag = strings.TrimSuffix(tag, ".json")
		}
		if validTag.MatchString(tag) && !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	switch len(tags) {
	case 0:
		return "", errors.New("no campaign in it: want an index <build tag>.json and a folder <build tag>/")
	case 1:
		return tags[0], nil
	default:
		return "", fmt.Errorf("want one campaign, found what could be %d: %s", len(tags), shortList(tags))
	}
}

// shortList names at most three of many.
func shortList(names []string) string {
	if len(names) > 3 {
		return strings.Join(names[:3], ", ") + fmt.Sprintf(" and %d more", len(names)-3)
	}
	return strings.Join(names, ", ")
}

// Assess derives the outcome of every case again from the raw files and
// judges the campaign.
func (c *Campaign) Assess(ctx context.Context, catalog *testcases.Catalog, waivers map[string]string) (*testcases.Assessment, error) {
	judge, err := testcases.NewJudge(catalog)
	if err != nil {
		return nil, err
	}
	folders, strange, err := c.folders(catalog)
	if err != nil {
		return nil, err
	}
	var runs []testcases.Run
	names := parse.Names{}
	for i := range catalog.Cases {
		run, ok := c.newest(&catalog.Cases[i], folders[catalog.Cases[i].Name])
		if !ok {
			continue
		}
		if err := c.derive(ctx, &run, names); err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	assessment, err := judge.Campaign(c.Tag, runs, waivers)
	if err != nil {
		return nil, err
	}
	assessment.Findings = []testcases.Finding{}
	assessment.Add(append(c.findings(catalog, strange), clusters(assessment)...)...)
	assessment.Provenance = c.provenance(catalog, assessment)
	return assessment, nil
}

// A folder is the files of one run: <job>-<build>.
type folder struct {
	name, job string
	build     int
}

var folderName = regexp.MustCompile(`^(.+)-([0-9]{1,9})$`)

// folders returns the campaign's folders by case, and those of no case.
func (c *Campaign) folders(catalog *testcases.Catalog) (byCase map[string][]folder, strange []string, err error) {
	entries, err := fs.ReadDir(c.files, c.Tag)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("list the campaign's files: %w", err)
	}
	byCase = map[string][]folder{}
	for _, entry := range entries {
		m := folderName.FindStringSubmatch(entry.Name())
		name := ""
		if m != nil && entry.IsDir() {
			name = caseOfJob(catalog, m[1])
		}
		if name == "" {
			strange = append(strange, entry.Name())
			continue
		}
		build, err := strconv.Atoi(m[2])
		if err != nil {
			return nil, nil, fmt.Errorf("build number of %s: %w", entry.Name(), err)
		}
		if held, err := fs.ReadDir(c.files, path.Join(c.Tag, entry.Name())); err == nil && len(held) == 0 {
			continue // a store may have it, an archive cannot: there is nothing in it
		}
		byCase[name] = append(byCase[name], folder{name: entry.Name(), job: m[1], build: build})
	}
	return byCase, strange, nil
}

// caseOfJob finds the case that a job runs: its name has the case after the
// container's tag, and may have a suffix behind it (spec/jobs.md, naming rules).
func caseOfJob(catalog *testcases.Catalog, job string) string {
	best := ""
	for i := range catalog.Cases {
		name := catalog.Cases[i].Name
		if strings.Contains(job+"-", "-"+name+"-") && len(name) > len(best) {
			best = name
		}
	}
	return best
}

// derive parses what the run left.
func (c *Campaign) derive(ctx context.Context, run *testcases.Run, names parse.Names) error {
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("parse %s: %w", run.Case.Name, err)
	}
	if run.Folder == "" {
		return nil
	}
	files, err := fs.Sub(c.files, run.Folder)
	if err != nil {
		return fmt.Errorf("open %s: %w", run.Folder, err)
	}
	doubts := run.Evidence.Findings
	doubt := func(format string, args ...any) {
		doubts = append(doubts, testcases.Finding{Kind: testcases.FindingIncomplete, Text: fmt.Sprintf(format, args...)})
	}
	leftOut, err := leftOutOf(files)
	if err != nil {
		return fmt.Errorf("read %s of %s: %w", testcases.LeftOutFile, run.Folder, err)
	}
	if leftOut != "" {
		doubt("the run left what is not in the archive: %s", leftOut)
	}
	logged, err := parse.LoggedResults(files)
	if err != nil {
		doubt("the container's log cannot be read: %v", err)
	}
	run.LogCriteria = logged[run.Case.Name]
	if others := slices.Sorted(maps.Keys(logged)); run.LogCriteria == "" && len(others) > 0 {
		doubt("the container's log is of %s, and names no result of %s", shortList(others), run.Case.Name)
	}
	in := parse.Input{Case: run.Case, Files: files, Names: names}
	if run.Record != nil {
		in.Details = run.Record.Details
	}
	// unreadable evidence is a finding in it: the verdict says so
	run.Evidence, _ = parse.Case(in)
	run.Evidence.Findings = append(run.Evidence.Findings, doubts...)
	return nil
}

// findings are what can be said of the campaign as a whole.
func (c *Campaign) findings(catalog *testcases.Catalog, strange []string) []testcases.Finding {
	findings := []testcases.Finding{}
	note := func(format string, args ...any) {
		findings = append(findings, testcases.Finding{Kind: testcases.FindingNote, Text: fmt.Sprintf(format, args...)})
	}
	for _, name := range strange {
		note("%s/%s belongs to no test case of %s: it was not looked at", c.Tag, name, catalog.Release)
	}
	for _, record := range c.Index.Results {
		if _, ok := catalog.Case(record.CaseName); !ok {
			note("the index holds a record of %q, which is no test case of %s", record.CaseName, catalog.Release)
		}
	}
	if page := c.Index.Pagination; c.pagesLost() {
		note("the index holds page %d of %d: results that are not on it are taken from the containers' logs", page.CurrentPage, page.TotalPages)
	} else if page.TotalPages > 1 {
		note("the index says to be page %d of %d, but holds %d results, where a page has %d: what is not in it counts as not recorded", page.CurrentPage, page.TotalPages, len(c.Index.Results), resultsPerPage)
	}
	return findings
}

// kubernetesVersion is the fact that names the version of the cluster.
const kubernetesVersion = "kube-apiserver version"

// clusters says when the suites cannot have run on one cluster of the release.
func clusters(a *testcases.Assessment) []testcases.Finding {
	first := map[string]string{} // version to the first case with it
	var versions []string
	for i := range a.Outcomes {
		for _, fact := range a.Outcomes[i].Facts {
			if fact.Name == kubernetesVersion && first[fact.Value] == "" {
				first[fact.Value] = a.Outcomes[i].Case.Name
				versions = append(versions, fact.Value)
			}
		}
	}
	var findings []testcases.Finding
	for i, version := range versions {
		if !strings.HasPrefix(version, a.Catalog.Release+".") {
			findings = append(findings, testcases.Finding{Kind: testcases.FindingNote, Text: fmt.Sprintf(
				"%s ran on Kubernetes %s, the tests are those of %s", first[version], version, a.Catalog.Release)})
		}
		if i > 0 {
			findings = append(findings, testcases.Finding{Kind: testcases.FindingIncomplete, Text: fmt.Sprintf(
				"%s ran on Kubernetes %s, %s on %s: the cluster was changed meanwhile, or there was more than one", first[versions[0]], versions[0], first[version], version)})
		}
	}
	return findings
}

// provenance is what was declared, with what the records and files
// themselves tell put in front.
func (c *Campaign) provenance(catalog *testcases.Catalog, a *testcases.Assessment) testcases.Provenance {
	p := c.Declared
	p.Release, p.Started, p.Stopped, p.Scenario, p.KubernetesVersion = catalog.Release, "", "", "", ""
	for _, record := range c.Index.Results {
		if record.StartDate != nil && (p.Started == "" || *record.StartDate < p.Started) {
			p.Started = *record.StartDate
		}
		if record.StopDate != nil && *record.StopDate > p.Stopped {
			p.Stopped = *record.StopDate
		}
		if record.Scenario != nil && p.Scenario == "" {
			p.Scenario = *record.Scenario
		}
	}
	for i := range a.Outcomes {
		for _, fact := range a.Outcomes[i].Facts {
			if fact.Name == kubernetesVersion && p.KubernetesVersion == "" {
				p.KubernetesVersion = fact.Value
			}
		}
	}
	return p
}
