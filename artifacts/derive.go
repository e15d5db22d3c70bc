package artifacts

import (
	"io/fs"

	"github.com/anuket-project/xtci/testcases"
	"github.com/anuket-project/xtci/testcases/parse"
)

// DeriveCase derives the outcome of one case from a folder of its raw files.
// Where files cannot be read as results, unreadable says so, and the outcome
// is of the rest.
func DeriveCase(catalog *testcases.Catalog, c *testcases.Case, files fs.FS) (outcome testcases.Outcome, unreadable, err error) {
	judge, err := testcases.NewJudge(catalog)
	if err != nil {
		return testcases.Outcome{}, nil, err
	}
	run := testcases.Run{Case: c, HasEvidence: true}
	if run.LogCriteria, err = parse.LogResult(files, c.Name); err != nil {
		return testcases.Outcome{}, nil, err
	}
	in := parse.Input{Case: c, Files: files}
	if run.Record, err = testcases.ReadRecord(files, c.Name); err != nil {
		return testcases.Outcome{}, nil, err
	}
	if run.Record != nil {
		in.Details = run.Record.Details
	}
	run.Evidence, unreadable = parse.Case(in)
	outcome, err = judge.Case(run)
	return outcome, unreadable, err
}
