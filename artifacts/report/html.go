package report

import (
	"errors"
	"io"

	"github.com/anuket-project/xtci/testcases"
)

// HTML writes the report for people.
func HTML(w io.Writer, a *testcases.Assessment) error {
	return errors.New("report.html: not written yet")
}
