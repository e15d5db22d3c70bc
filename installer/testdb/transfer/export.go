package transfer

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"github.com/anuket-project/xtci/installer/testdb"
)

// Export writes the documents of a collection that a query selects, the newest
// first, as GET /results answers: one page with all of them. Import reads it.
// Other collections than results and deploy results have no pages.
func Export(ctx context.Context, store testdb.Store, w io.Writer, c testdb.Collection, q testdb.Query) error {
	if !isCollection(c) {
		return fmt.Errorf("export %s: there is no such collection", c)
	}
	paged := c == testdb.Results || c == testdb.DeployResults
	q.Newest = paged
	buffered := bufio.NewWriterSize(w, 64<<10)
	n := 0
	for document, err := range store.Find(ctx, c, q) {
		if err != nil {
			return fmt.Errorf("export %s, after %d documents: %w", c, n, err)
		}
		head := ", "
		if n == 0 {
			head = answerHead(c, paged, 1)
		}
		n++
		_, _ = buffered.WriteString(head) // an error comes back from Write and Flush
		if _, err := buffered.Write(document.Body); err != nil {
			return fmt.Errorf("write the export, after %d documents: %w", n, err)
		}
	}
	if n == 0 {
		_, _ = buffered.WriteString(answerHead(c, paged, 0))
	}
	_, _ = buffered.WriteString("]}\n")
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("write the export, after %d documents: %w", n, err)
	}
	return nil
}

// answerHead is what stands before the documents of an answer.
func answerHead(c testdb.Collection, paged bool, pages int) string {
	if !paged {
		return fmt.Sprintf(`{"%s": [`, c)
	}
	return fmt.Sprintf(`{"pagination": {"current_page": 1, "total_pages": %d}, "%s": [`, pages, c)
}
