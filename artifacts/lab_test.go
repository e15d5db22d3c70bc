package artifacts

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/anuket-project/xtci/internal/flawless"
	"github.com/anuket-project/xtci/testcases"
)

// greenTag is the build tag of the flawless campaign.
const greenTag = "GREEN0000001"

// A lab is a campaign in a store, made in code. The one of flawlessLab is
// conformant; tests change copies of it.
type lab struct {
	catalog *testcases.Catalog
	files   fstest.MapFS
	records []testcases.Record // newest first
	pages   int                // that the index says to be one of
	suites  map[string]suite   // what the e2e cases' files were made from
	target  string             // the case that a mutation is about
	runs    []testcases.RunTimes
}

// What a campaign is made of, made up by a package of its own.
type (
	suite = flawless.Suite
	spec  = flawless.Spec
	fate  = flawless.Fate
)

const (
	unselected = flawless.Unselected
	passed     = flawless.Passed
	failed     = flawless.Failed
	flaked     = flawless.Flaked
	withdrew   = flawless.Withdrew
	pending    = flawless.Pending
	dry        = flawless.Dry
)

// flawlessLab returns a copy of a campaign in which everything went well.
func flawlessLab(t testing.TB) *lab {
	t.Helper()
	l, err := green()
	if err != nil {
		t.Fatal(err)
	}
	return &lab{catalog: l.catalog, files: maps.Clone(l.files), records: slices.Clone(l.records), pages: 1, suites: maps.Clone(l.suites)}
}

var green = sync.OnceValues(func() (*lab, error) {
	catalog, err := testcases.Load("v1.23")
	if err != nil {
		return nil, err
	}
	specs, err := catalog.Specs()
	if err != nil {
		return nil, err
	}
	return makeLab(catalog, specs)
})

// makeLab makes a campaign of a release in which everything that there is went
// well.
func makeLab(catalog *testcases.Catalog, specs []string) (l *lab, err error) {
	l = &lab{catalog: catalog, files: fstest.MapFS{}, pages: 1, suites: map[string]suite{}}
	for i := range catalog.Cases {
		c := &catalog.Cases[i]
		if !c.Default {
			continue
		}
		if c.Focus != "" {
			if l.suites[c.Name], err = flawless.NewSuite(c, specs, i); err != nil {
				return nil, err
			}
			l.write(c.Name)
		} else {
			l.add(c.Name, flawless.Files(c, i))
		}
		l.record(c.Name, testcases.CriteriaPass, flawless.Details(c))
		if c.Focus != "" {
			l.recount(c.Name)
		}
	}
	return l, nil
}

// folder is where the newest run of a case has its files.
func (l *lab) folder(name string) string { return l.build(name, 7) }

func (l *lab) build(name string, number int) string {
	c, _ := l.catalog.Case(name)
	return path.Join(greenTag, testcases.JobName("functest-kubernetes", c)+"-"+strconv.Itoa(number))
}

// add puts files into the folder of a case.
func (l *lab) add(name string, files map[string]string) {
	for file, content := range files {
		l.files[path.Join(l.folder(name), file)] = &fstest.MapFile{Data: []byte(content)}
	}
}

// record pushes a record, with links to all files that the case has now.
func (l *lab) record(name string, criteria testcases.Criteria, details map[string]any) *testcases.Record {
	var links []string
	for file := range l.files {
		if strings.HasPrefix(file, l.folder(name)+"/") {
			links = append(links, "http://198.51.100.7:8181/"+file)
		}
	}
	slices.Sort(links)
	all := map[string]any{"links": links}
	maps.Copy(all, details)
	raw, err := json.Marshal(all)
	if err != nil {
		panic(err) // texts and numbers alone
	}
	hour := len(l.records)
	start, stop := fmt.Sprintf("2022-09-19 %02d:00:00", hour), fmt.Sprintf("2022-09-19 %02d:20:34", hour)
	scenario := "k8-nosdn-nofeature-noha"
	l.records = append([]testcases.Record{{
		ID: fmt.Sprintf("%024x", hour+1), BuildTag: greenTag, CaseName: name, Criteria: criteria, Details: raw,
		PodName: "functest-kubernetes", ProjectName: "functest", Scenario: &scenario, StartDate: &start, StopDate: &stop,
	}}, l.records...)
	return &l.records[0]
}

// of returns the newest record of a case, to be changed.
func (l *lab) of(name string) *testcases.Record {
	at := slices.IndexFunc(l.records, func(r testcases.Record) bool { return r.CaseName == name })
	return &l.records[at]
}

// forget removes all records of a case.
func (l *lab) forget(name string) {
	l.records = slices.DeleteFunc(l.records, func(r testcases.Record) bool { return r.CaseName == name })
}

// matching lists the files of a case whose path holds the text.
func (l *lab) matching(name, text string) []string {
	var files []string
	for file := range l.files {
		if inside, ok := strings.CutPrefix(file, l.folder(name)+"/"); ok && strings.Contains(inside, text) {
			files = append(files, file)
		}
	}
	slices.Sort(files)
	return files
}

// remove deletes the files of a case whose path holds the text.
func (l *lab) remove(name, text string) {
	for _, file := range l.matching(name, text) {
		delete(l.files, file)
	}
}

// edit changes the content of one file of a case.
func (l *lab) edit(name, file string, change func(string) string) {
	at := path.Join(l.folder(name), file)
	l.files[at] = &fstest.MapFile{Data: []byte(change(string(l.files[at].Data)))}
}

// replace returns a change of one text to another, which must be there.
func replace(t testing.TB, old, with string) func(string) string {
	return func(content string) string {
		t.Helper()
		if !strings.Contains(content, old) {
			t.Fatalf("nothing to replace: no %q", old)
		}
		return strings.ReplaceAll(content, old, with)
	}
}

// move puts all files of a case into the folder of another build.
func (l *lab) move(name string, number int) {
	for _, file := range l.matching(name, "") {
		l.files[l.build(name, number)+strings.TrimPrefix(file, l.folder(name))] = l.files[file]
		delete(l.files, file)
	}
	record := l.of(name)
	record.Details = json.RawMessage(strings.ReplaceAll(string(record.Details), l.folder(name)+"/", l.build(name, number)+"/"))
}

// rerun changes what a suite did: XML, log and record agree on it.
func (l *lab) rerun(name string, change func(*suite)) {
	l.forge(name, change, true)
	l.recount(name)
}

// forgeXML changes the XML of a suite alone. Its headers agree with it.
func (l *lab) forgeXML(name string, change func(*suite)) { l.forge(name, change, false) }

func (l *lab) forge(name string, change func(*suite), withLog bool) {
	s := l.suites[name]
	s.Specs = slices.Clone(s.Specs)
	change(&s)
	l.suites[name] = s
	log := l.files[path.Join(l.folder(name), name, "e2e.log")]
	l.remove(name, "junit")
	l.write(name)
	if !withLog {
		l.files[path.Join(l.folder(name), name, "e2e.log")] = log
	}
}

// write writes the XML and the log of a suite, and the container's log.
func (l *lab) write(name string) {
	s := l.suites[name]
	files := map[string]string{
		name + "/e2e.log":         s.Log(),
		"functest-kubernetes.log": flawless.ContainerLog(name, "PASS", ""),
	}
	for node := range s.Nodes {
		files[fmt.Sprintf("%s/junit_%02d.xml", name, node+1)] = s.JUnit(node)
	}
	l.add(name, files)
}

// recount makes the record of an e2e case state what its log does.
func (l *lab) recount(name string) {
	s, record := l.suites[name], l.of(name)
	var details map[string]json.RawMessage
	if err := json.Unmarshal(record.Details, &details); err != nil {
		panic(err) // written by record
	}
	n := s.Count()
	for key, count := range map[string]int{"passed": n[passed] + n[flaked], "failed": n[failed], "pending": n[pending], "skipped": n[unselected] + n[withdrew]} {
		delete(details, key)
		if n[flaked] == 0 { // the container does not understand a summary with flaked specs
			details[key] = json.RawMessage(strconv.Itoa(count))
		}
	}
	record.Details, _ = json.Marshal(details) // raw JSON already
}

// assess judges the campaign, or only some cases of it: the catalogue has no
// others then. Judging all 16 suites takes most of a second.
func (l *lab) assess(t testing.TB, waivers map[string]string, cases ...string) *testcases.Assessment {
	t.Helper()
	files := maps.Clone(l.files)
	raw, err := json.Marshal(Index{Pagination: Pagination{CurrentPage: 1, TotalPages: l.pages}, Results: l.records})
	if err != nil {
		t.Fatal(err)
	}
	files[IndexName(greenTag)] = &fstest.MapFile{Data: raw}
	campaign, err := OpenCampaign(files, greenTag)
	if err != nil {
		t.Fatal(err)
	}
	campaign.Declared.Runs = l.runs
	assessment, err := campaign.Assess(context.Background(), l.narrowed(cases), waivers)
	if err != nil {
		t.Fatal(err)
	}
	return assessment
}

func (l *lab) narrowed(cases []string) *testcases.Catalog {
	if len(cases) == 0 {
		return l.catalog
	}
	narrow := *l.catalog
	narrow.Cases = slices.DeleteFunc(slices.Clone(narrow.Cases), func(c testcases.Case) bool { return !slices.Contains(cases, c.Name) })
	return &narrow
}

// skipShort leaves out, of the tests that judge whole campaigns, all but one:
// with the race detector each takes a minute.
func skipShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: judges a whole campaign, as TestPublishFromEveryStore does")
	}
}
