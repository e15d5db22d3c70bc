package artifacts

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/anuket-project/xtci/testcases"
)

// newest returns the run of a case that decides, and the earlier ones in it.
func (c *Campaign) newest(of *testcases.Case, folders []folder) (testcases.Run, bool) {
	runs := c.runs(of, folders)
	if len(runs) == 0 {
		return testcases.Run{}, false
	}
	newest := runs[0].Run
	if c.foreign(&newest) {
		newest.Evidence.Findings = append(newest.Evidence.Findings, testcases.Finding{
			Kind: testcases.FindingIncomplete, Text: fmt.Sprintf("%s is not of this campaign: whoever ran it began no such run, it is of another with the same build tag, or made up", newest.Folder),
		})
	}
	for _, run := range runs[1:] {
		earlier := testcases.EarlierRun{Folder: run.Folder}
		if run.Record != nil {
			earlier.Criteria = run.Record.Criteria
			if run.Record.StopDate != nil {
				earlier.Stopped = *run.Record.StopDate
			}
		}
		newest.Earlier = append(newest.Earlier, earlier)
	}
	if at := slices.IndexFunc(runs, func(run caseRun) bool { return run.Folder != "" && run.Record == nil && run.Job != newest.Job }); at > 0 {
		newest.Evidence.Findings = append(newest.Evidence.Findings, testcases.Finding{
			Kind: testcases.FindingIncomplete, Text: fmt.Sprintf("another job ran it, too, and left no record (%s): which run is the newest cannot be told", runs[at].Folder),
		})
	}
	if !slices.IsSortedFunc(withRecord(runs), func(a, b caseRun) int { return a.at - b.at }) {
		newest.Evidence.Findings = append(newest.Evidence.Findings, testcases.Finding{
			Kind: testcases.FindingIncomplete, Text: "by the numbers of its builds and by the order of the records, another run is the newest: which one counts cannot be told",
		})
	}
	return newest, true
}

// foreign says that files are there of a run that was never begun, where the
// campaign tells which were.
func (c *Campaign) foreign(run *testcases.Run) bool {
	return run.Folder != "" && len(c.Declared.Runs) > 0 && !slices.ContainsFunc(c.Declared.Runs, func(begun testcases.RunTimes) bool {
		return begun.Job == run.Job && strconv.Itoa(begun.Build) == run.Build
	})
}

// A caseRun is one of the runs of a case in a campaign.
type caseRun struct {
	testcases.Run
	build int
	at    int // place of its record in the index, the newest first; -1 without
}

func withRecord(runs []caseRun) []caseRun {
	return slices.DeleteFunc(slices.Clone(runs), func(run caseRun) bool { return run.at < 0 })
}

// runs returns all runs of a case, the newest first: its folders by the number
// of the build, each with its record, and records whose files are gone where
// the index has them.
func (c *Campaign) runs(of *testcases.Case, folders []folder) []caseRun {
	var runs []caseRun
	for _, f := range folders {
		runs = append(runs, caseRun{build: f.build, at: -1, Run: testcases.Run{
			Case: of, Job: f.job, Build: strconv.Itoa(f.build), Folder: path.Join(c.Tag, f.name),
			HasEvidence: true, RecordLost: c.pagesLost(),
		}})
	}
	slices.SortStableFunc(runs, func(a, b caseRun) int { return b.build - a.build })
	var alone []int // records that lead to no folder
	for i := range c.Index.Results {
		record := &c.Index.Results[i]
		if record.CaseName != of.Name {
			continue
		}
		at := slices.IndexFunc(runs, func(run caseRun) bool { return c.pushedBy(record, run.Folder) })
		if at < 0 {
			alone = append(alone, i)
		} else {
			runs[at].take(record, i)
		}
	}
	for _, i := range alone {
		record := &c.Index.Results[i]
		if len(runs) == 1 && runs[0].Record == nil && len(linksOf(record)) == 0 {
			runs[0].take(record, i) // nothing was uploaded by the container itself, and there is no other run
			continue
		}
		// it is newer than what has no record: that does not decide, then
		older := slices.IndexFunc(runs, func(run caseRun) bool { return run.at < 0 || run.at > i })
		if older < 0 {
			older = len(runs)
		}
		runs = slices.Insert(runs, older, caseRun{at: i, Run: testcases.Run{Case: of, Record: record}})
	}
	return runs
}

// take gives the run its record. Of several the newest counts, unless they
// contradict each other.
func (r *caseRun) take(record *testcases.Record, at int) {
	if r.Record == nil {
		r.Record, r.at = record, at
		return
	}
	if record.Criteria != r.Record.Criteria {
		r.Evidence.Findings = append(r.Evidence.Findings, testcases.Finding{
			Kind: testcases.FindingIncomplete, Text: fmt.Sprintf("another record of the same run says %s, this one %s", record.Criteria, r.Record.Criteria),
		})
	}
}

// resultsPerPage is how many results TestAPI puts on a page
// (spec/testapi-xtesting.md, a.4).
const resultsPerPage = 20

// pagesLost says whether the index is the first page of several, as those of
// classic zips can be. One that is not full has lost more than pages.
func (c *Campaign) pagesLost() bool {
	return c.Declared.Tool == "" && c.Index.Pagination.TotalPages > 1 && len(c.Index.Results) >= resultsPerPage
}

// pushedBy says whether a record's links lead into the folder.
func (c *Campaign) pushedBy(record *testcases.Record, folder string) bool {
	return slices.ContainsFunc(linksOf(record), func(link string) bool {
		return strings.HasPrefix(link, folder+"/") || strings.Contains(link, "/"+folder+"/")
	})
}

// linksOf returns the links that Xtesting put into the record's details.
func linksOf(record *testcases.Record) []string {
	var details struct {
		Links []string `json:"links"`
	}
	if json.Unmarshal(record.Details, &details) != nil {
		return nil // details are free: they need not be an object
	}
	return details.Links
}
