package runner

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/anuket-project/xtci/testcases"
)

// Results is a results database, as test containers use it: testdb.Client is
// one.
type Results interface {
	// Register makes a pod, a project and its cases known, which results
	// must name.
	Register(ctx context.Context, pod, project string, cases ...string) error
	Post(ctx context.Context, result testcases.Record) (id string, err error)
}

// Pushed is an index of the campaign tag whose records are pushed to a
// results database first, as a container of Xtesting does it at its end. The
// database wants a pod's and a project's name: a record that has none gets
// the ones given. A run that is interrupted between the two is run again, and
// the database has both: both happened.
func Pushed(index Index, db Results, tag, pod, project string) Index {
	return pushingIndex{index, db, tag, pod, project}
}

type pushingIndex struct {
	Index
	db                Results
	tag, pod, project string
}

func (p pushingIndex) Add(ctx context.Context, record testcases.Record) error {
	result := record
	result.BuildTag = p.tag
	if result.PodName == "" {
		result.PodName = p.pod
	}
	if result.ProjectName == "" {
		result.ProjectName = p.project
	}
	if err := p.db.Register(ctx, result.PodName, result.ProjectName, result.CaseName); err != nil {
		return err
	}
	if _, err := p.db.Post(ctx, result); err != nil {
		return err
	}
	return p.Index.Add(ctx, record)
}

// InTestDB is the index of a campaign whose containers push their records and
// upload their files: what is in the test DB need not be kept elsewhere. A
// record is found by the folder that it links to; one that links to none is
// not found, and its job is run again when it was interrupted.
func InTestDB(records Records, tag string) Index { return testDBIndex{records, tag} }

type testDBIndex struct {
	records Records
	tag     string
}

func (testDBIndex) Add(context.Context, testcases.Record) error { return nil }

func (x testDBIndex) Find(ctx context.Context, id string) (*testcases.Record, error) {
	for record, err := range x.records.Results(ctx, x.tag) {
		if err != nil {
			return nil, err
		}
		var details struct{ Links []string }
		if json.Unmarshal(record.Details, &details) != nil {
			continue // details are free
		}
		for _, link := range details.Links {
			_, inside, ok := strings.Cut(link, "/"+x.tag+"/")
			folder, _, deep := strings.Cut(inside, "/")
			if ok && deep && recordID(x.tag+"/"+folder) == id {
				return &record, nil
			}
		}
	}
	return nil, nil
}
