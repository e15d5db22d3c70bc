package fileserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/anuket-project/xtci/artifacts"
)

// member answers with a file inside of an archive, read from where it is
// there.
func (s *Server) member(w *answer, r *http.Request, archive, name string) error {
	wait, cancel := context.WithTimeout(r.Context(), pageTime)
	defer cancel()
	release, err := limit(wait, s.members)
	if err != nil {
		return err
	}
	defer release()
	object, err := s.store.Open(r.Context(), archive)
	if err != nil {
		return err
	}
	defer object.Close()
	entry := object.Entry()
	blocks := &blockReader{r: object, size: entry.Size}
	content, member, err := artifacts.OpenMember(blocks, entry.Size, name)
	var refused *artifacts.RefusedError
	switch {
	case blocks.err != nil: // which does not make it a bad archive
		return blocks.err
	case errors.As(err, &refused):
		return &refusal{http.StatusUnprocessableEntity, "This archive cannot be opened", refused.Error()}
	case errors.Is(err, fs.ErrNotExist) && name == artifacts.ReportHTML:
		return &refusal{http.StatusNotFound, "There is no report in this archive", "Archives that xtci made have one. Of others, xtci report makes it."}
	case err != nil:
		return err
	}
	defer content.Close()
	describe(w.Header(), member.Name, entry.ETag+"-"+member.ETag)
	w.Header().Set("Content-Security-Policy", sandbox)
	if name == artifacts.ReportHTML {
		w.Header().Set("Content-Security-Policy", reportSandbox)
	}
	w.Header().Set("Last-Modified", entry.Modified.UTC().Format(http.TimeFormat))
	if matches(r.Header.Values("If-None-Match"), w.Header().Get("Etag")) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	w.Header().Set("Content-Length", strconv.FormatInt(member.Size, 10))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err := io.Copy(w, content); err != nil {
		return fmt.Errorf("read %s in %s: %w", name, archive, err)
	}
	return nil
}

// archiveFolder leads from TAG.zip/ to the report in it.
func (s *Server) archiveFolder(w *answer, r *http.Request, archive string, notThere error) error {
	object, err := s.store.Open(r.Context(), archive)
	if err != nil {
		return errors.Join(notThere, err)
	}
	defer object.Close()
	w.Header().Set("Location", "./"+artifacts.ReportHTML)
	w.WriteHeader(http.StatusFound)
	return nil
}

// matches says whether an If-None-Match names a tag, weak or not, or any.
func matches(headers []string, etag string) bool {
	for part := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		part = strings.TrimPrefix(strings.TrimSpace(part), "W/")
		if part == "*" || part == etag && etag != "" {
			return true
		}
	}
	return false
}

const (
	// blockSize is how much of an archive is read at once. Reading a zip goes
	// in small steps, of which each would be a request.
	blockSize = 256 << 10
	// maxBlocks is how many blocks are held: the directory is read forth, and
	// then the file.
	maxBlocks = 4
)

// A blockReader reads in blocks, and holds the latest.
type blockReader struct {
	r      io.ReaderAt
	size   int64
	mu     sync.Mutex
	blocks []block // the latest first
	err    error   // of reading the archive, if there was one
}

type block struct {
	number int64
	data   []byte
}

func (b *blockReader) ReadAt(p []byte, offset int64) (n int, err error) {
	if offset < 0 {
		return 0, fs.ErrInvalid
	}
	for n < len(p) {
		at := offset + int64(n)
		if at >= b.size {
			return n, io.EOF
		}
		data, err := b.block(at / blockSize)
		if err != nil {
			return n, err
		}
		n += copy(p[n:], data[at%blockSize:])
	}
	return n, nil
}

func (b *blockReader) block(number int64) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, have := range b.blocks {
		if have.number == number {
			copy(b.blocks[1:i+1], b.blocks[:i])
			b.blocks[0] = have
			return have.data, nil
		}
	}
	start := number * blockSize
	data := make([]byte, min(blockSize, b.size-start))
	if n, err := b.r.ReadAt(data, start); n < len(data) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		b.err = err
		return nil, err
	}
	b.blocks = append([]block{{number, data}}, b.blocks[:min(len(b.blocks), maxBlocks-1)]...)
	return data, nil
}
