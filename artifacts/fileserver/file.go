package fileserver

import (
	"io"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/anuket-project/xtci/artifacts"
)

// archiveExt ends the names of archives.
const archiveExt = ".zip"

// file answers with a file, or the ranges of it that are asked for.
func (s *Server) file(w *answer, r *http.Request, object artifacts.Object) error {
	defer object.Close()
	entry := object.Entry()
	describe(w.Header(), entry.Name, entry.ETag)
	w.Header().Set("Content-Security-Policy", sandbox)
	watched := &watchedReader{ReadSeeker: object}
	http.ServeContent(w, r, "", entry.Modified, watched)
	return watched.err
}

// describe says what a file is.
func describe(header http.Header, name, etag string) {
	header.Set("Content-Type", artifacts.ContentType(name))
	if etag != "" && !strings.ContainsAny(etag, "\"\\\r\n") {
		header.Set("Etag", `"`+etag+`"`)
	}
	if strings.EqualFold(path.Ext(name), archiveExt) {
		header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	}
}

// A watchedReader remembers the error that ended reading. http.ServeContent
// does not tell.
type watchedReader struct {
	io.ReadSeeker
	err error
}

func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := w.ReadSeeker.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // readers return it as it is
		w.err = err
	}
	return n, err
}
