package runner

import (
	"context"

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
