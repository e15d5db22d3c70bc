package artifacts

import (
	"errors"
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
	logged, logErr := parse.LoggedResults(files)
	run.LogCriteria = logged[c.Name]
	in := parse.Input{Case: c, Files: files}
	if run.Record, err = testcases.ReadRecord(files, c.Name); err != nil {
		return testcases.Outcome{}, nil, err
	}
	if run.Record != nil {
		in.Details = run.Record.Details
	}
	run.Evidence, unreadable = parse.Case(in)
	unreadable = errors.Join(unreadable, logErr)
	outcome, err = judge.Case(run)
	return outcome, unreadable, err
}
