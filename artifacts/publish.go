package artifacts

import (
	"bufio"
	"context"
	"errors"
	"io"

	"github.com/anuket-project/xtci/artifacts/report"
	"github.com/anuket-project/xtci/testcases"
)

// A Putter stores a file under a key, whole or not at all.
type Putter interface {
	Put(ctx context.Context, key string, r io.Reader) error
}

// Publish judges a campaign and puts its archive into a store, beside its
// files.
func (s *DirStore) Publish(ctx context.Context, c *Campaign, catalog *testcases.Catalog, key *Key) (*testcases.Assessment, error) {
	return Publish(ctx, s, c, catalog, key)
}

// pipeBuffer is how much of an archive is handed over at once.
const pipeBuffer = 256 << 10

// Publish judges a campaign and puts its archive into a store. The archive is
// stored while it is made, and is never anywhere else: it needs neither
// memory nor disk for it here. The campaign is judged while its files are
// packed.
func Publish(ctx context.Context, to Putter, c *Campaign, catalog *testcases.Catalog, key *Key) (*testcases.Assessment, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var assessment *testcases.Assessment
	var judgeErr error
	judged := make(chan struct{})
	go func() {
		defer close(judged)
		if assessment, judgeErr = c.Assess(ctx, catalog, nil); judgeErr != nil {
			stop(judgeErr) // then packing is in vain
		}
	}()
	read, write := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		w := bufio.NewWriterSize(write, pipeBuffer)
		err := c.writeArchive(ctx, w, key, func() ([]Document, testcases.CampaignVerdict, error) {
			if <-judged; judgeErr != nil {
				return nil, "", judgeErr
			}
			return Documents(assessment), assessment.Verdict, nil
		})
		if err == nil {
			err = w.Flush()
		}
		write.CloseWithError(err) // nil is the end
	}()
	err := to.Put(ctx, ArchiveName(c.Tag), read)
	read.CloseWithError(errors.Join(err, io.ErrClosedPipe)) // when storing failed, nobody reads on
	stop(err)                                               // nor is there anything to be judged for
	<-written
	<-judged
	if err != nil {
		return nil, err
	}
	return assessment, nil
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
