package artifacts

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/anuket-project/xtci/internal/invisible"
	"github.com/anuket-project/xtci/testcases"
)

// Records are where the records of campaigns are: a test DB.
type Records interface {
	// Results returns the records of a build tag, the oldest first.
	Results(ctx context.Context, buildTag string) iter.Seq2[testcases.Record, error]
}

// CollectOptions say how a campaign is collected.
type CollectOptions struct {
	// Wait is how long pieces are waited for that are late, and what does not
	// answer.
	Wait time.Duration
	// Complete says that no more pieces come: whoever made them has ended.
	Complete bool
	// Waiting is told what is waited for, when that begins and whenever it
	// is less; nil is nobody.
	Waiting func(missing []string)
	// Poll is how often is looked again; 0 is every second.
	Poll time.Duration
}

const (
	defaultPoll = time.Second
	// maxRecords is how many records a campaign may have: a hundred times
	// those of a usual one.
	maxRecords = 10_000
)

// Collect makes a campaign of what a test DB and a store have of a build tag.
// Pieces that must be there, since others speak of them, may come late: they
// are waited for, and those that did not come are named. Named, too, are files
// that no archive can hold, which are left out. A campaign of which there is
// nothing at all is an error that wraps ErrNothing.
func Collect(ctx context.Context, store Store, records Records, tag string, catalog *testcases.Catalog, o CollectOptions) (c *Campaign, missing []string, err error) {
	if err := CheckTag(tag); err != nil {
		return nil, nil, err
	}
	if o.Poll == 0 {
		o.Poll = defaultPoll
	}
	tick := time.NewTicker(o.Poll)
	defer tick.Stop()
	late := time.NewTimer(o.Wait)
	defer late.Stop()
	for told := ""; ; {
		c, missing, err = collect(ctx, store, records, tag, catalog)
		switch {
		case errors.Is(err, fs.ErrPermission), errors.Is(err, ErrNoBucket), o.Complete && errors.Is(err, ErrNothing), context.Cause(ctx) != nil:
			return nil, nil, errors.Join(err, context.Cause(ctx))
		case err != nil: // what does not answer may be on its way up
			missing = []string{err.Error()}
		case len(missing) == 0, o.Complete:
			return c, append(missing, c.leftOut...), nil
		}
		if now := strings.Join(missing, "\n"); now != told && o.Waiting != nil && o.Wait > 0 {
			o.Waiting(missing)
			told = now
		}
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-late.C:
			if err != nil {
				return nil, nil, err
			}
			return c, append(missing, c.leftOut...), nil
		case <-tick.C:
		}
	}
}

// collect looks once.
func collect(ctx context.Context, store Store, records Records, tag string, catalog *testcases.Catalog) (*Campaign, []string, error) {
	index, err := collectIndex(ctx, records, tag)
	if err != nil {
		return nil, nil, err
	}
	files, err := filesOf(ctx, store, tag)
	if err != nil {
		return nil, nil, fmt.Errorf("list the campaign's files: %w", err)
	}
	names, leftOut, err := fileNames(files, tag)
	if err != nil {
		return nil, nil, err
	}
	c := &Campaign{Tag: tag, Index: index, files: newArchivable(files, tag, leftOut)}
	for _, file := range leftOut {
		c.leftOut = append(c.leftOut, file.String())
	}
	if len(index.Results) == 0 && len(names) == 0 {
		return nil, nil, fmt.Errorf("no campaign with build tag %s: neither a record in the test DB nor a file in the store: %w", tag, ErrNothing)
	}
	return c, c.missing(catalog, names), c.declareImages(names)
}

// collectIndex makes the index of a campaign out of its records, the newest
// first.
func collectIndex(ctx context.Context, records Records, tag string) (Index, error) {
	index := Index{Pagination: Pagination{CurrentPage: 1, TotalPages: 1}, Results: []testcases.Record{}}
	size := 0
	for record, err := range records.Results(ctx, tag) {
		if err != nil {
			return Index{}, err
		}
		if record.BuildTag != tag {
			return Index{}, fmt.Errorf("the test DB answers with a record of build tag %q when asked for %s", record.BuildTag, tag)
		}
		index.Results = append(index.Results, record)
		if size += len(record.Details); size > maxIndex || len(index.Results) > maxRecords {
			return Index{}, fmt.Errorf("the test DB has more records of %s than an archive can have: %d, with %d bytes of details", tag, len(index.Results), size)
		}
	}
	slices.Reverse(index.Results)
	return index, nil
}

// fileNames are the names of all files of a campaign, sorted, and, with the
// reason, those that no archive can hold.
func fileNames(files fs.FS, tag string) (names []string, leftOut []leftOutFile, err error) {
	err = fs.WalkDir(files, tag, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if bad := checkKey(name); bad != nil {
			leftOut = append(leftOut, leftOutFile{name, bad})
		} else {
			names = append(names, name)
		}
		return nil
	})
	nothing := errors.Is(err, fs.ErrNotExist) && len(names) == 0
	if err != nil && !nothing {
		return nil, nil, fmt.Errorf("list the campaign's files: %w", err)
	}
	slices.Sort(names)
	return names, leftOut, nil
}

// missing names what must be there: the files that records link to, and the
// records of runs that left files.
func (c *Campaign) missing(catalog *testcases.Catalog, names []string) []string {
	var missing []string
	runs := map[string]bool{} // folders of runs that have files, and no record yet
	for _, name := range names {
		if run, _, ok := strings.Cut(strings.TrimPrefix(name, c.Tag+"/"), "/"); ok {
			runs[run] = true
		}
	}
	unlinked := map[string]int{} // records that link to nothing, by case
	for i := range c.Index.Results {
		record := &c.Index.Results[i]
		inside := c.linked(record)
		if len(inside) == 0 {
			unlinked[record.CaseName]++
		}
		for _, link := range inside {
			run, _, _ := strings.Cut(link, "/")
			delete(runs, run)
			name := path.Join(c.Tag, link)
			if _, found := slices.BinarySearch(names, name); !found && !slices.Contains(missing, name) {
				missing = append(missing, name)
			}
		}
	}
	for _, run := range unrecorded(catalog, runs, unlinked) {
		missing = append(missing, "the record of "+run)
	}
	slices.Sort(missing)
	return missing
}

// linked are the files in the campaign's folder that a record links to.
func (c *Campaign) linked(record *testcases.Record) []string {
	var inside []string
	for _, link := range linksOf(record) {
		if _, name, ok := strings.Cut(link, "/"+c.Tag+"/"); ok {
			inside = append(inside, name)
		}
	}
	return inside
}

// unrecorded are the runs to which no record can belong. Records that link to
// nothing, since their uploads failed, are taken for those of the first runs
// of their case.
func unrecorded(catalog *testcases.Catalog, runs map[string]bool, unlinked map[string]int) []string {
	byCase := map[string][]folder{}
	for run := range runs {
		m := folderName.FindStringSubmatch(run)
		if m == nil {
			continue
		}
		build, err := strconv.Atoi(m[2])
		if name := caseOfJob(catalog, m[1]); name != "" && err == nil {
			byCase[name] = append(byCase[name], folder{name: run, job: m[1], build: build})
		}
	}
	var without []string
	for name, folders := range byCase {
		slices.SortFunc(folders, func(a, b folder) int { return cmp.Compare(a.build, b.build) })
		for _, f := range folders[min(unlinked[name], len(folders)):] {
			without = append(without, f.name)
		}
	}
	return without
}

// imageDepth is how deep that file lies: TAG/JOB-BUILD/CASE/xtci-image.json.
const imageDepth = 3

// maxImageFile is the largest testcases.ImageFile that is read.
const maxImageFile = 1 << 20

// declareImages takes over which images ran, from the files in which the jobs
// have kept it. Jobs need not: classic ones do not.
func (c *Campaign) declareImages(names []string) error {
	for _, name := range names {
		if path.Base(name) != testcases.ImageFile || strings.Count(name, "/") != imageDepth {
			continue
		}
		file, err := c.files.Open(name)
		if err != nil {
			return fmt.Errorf("find out which images ran: %w", err)
		}
		raw, err := io.ReadAll(io.LimitReader(file, maxImageFile))
		if err = errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("find out which images ran: %w", err)
		}
		var told struct {
			Image, ID string
			Digests   []string
		}
		if json.Unmarshal(raw, &told) != nil || told.Image == "" || strings.ContainsFunc(told.Image, invisible.Is) {
			continue // whoever wrote it, it is in the archive as it is
		}
		digest := told.ID
		if len(told.Digests) > 0 {
			_, digest, _ = strings.Cut(told.Digests[0], "@")
		}
		if c.Declared.Images == nil {
			c.Declared.Images = map[string]string{}
		}
		if had := c.Declared.Images[told.Image]; had != "" && !strings.Contains(had, digest) {
			digest = had + " and " + digest // what is told differs: both are said
		}
		c.Declared.Images[told.Image] = digest
	}
	return nil
}
