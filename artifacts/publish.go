package artifacts

import (
	"context"
	"io"

	"github.com/anuket-project/xtci/artifacts/report"
	"github.com/anuket-project/xtci/testcases"
)

// Publish judges a campaign and puts its archive into the store, beside its
// files, under a temporary name until it is whole.
func (s *DirStore) Publish(ctx context.Context, c *Campaign, catalog *testcases.Catalog, key *Key) (*testcases.Assessment, error) {
	assessment, err := c.Assess(ctx, catalog, nil)
	if err != nil {
		return nil, err
	}
	return assessment, s.write(ctx, ArchiveName(c.Tag), func(w io.Writer) error {
		return c.WriteArchive(ctx, w, Documents(assessment), assessment.Verdict, key)
	})
}

// Documents are the files that an archive has beside the campaign's own.
func Documents(a *testcases.Assessment) []Document {
	return []Document{
		{Name: ReportHTML, Write: func(w io.Writer) error { return report.HTML(w, a) }},
		{Name: ReportJSON, Write: func(w io.Writer) error { return report.JSON(w, a) }},
		{Name: JUnitXML, Write: func(w io.Writer) error { return report.JUnit(w, a) }},
		ProvenanceDocument(a.Provenance),
	}
}
