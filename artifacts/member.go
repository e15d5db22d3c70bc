package artifacts

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
)

// A RefusedError is an archive that nobody should open, or that is none.
type RefusedError struct{ Err error }

func (e *RefusedError) Error() string { return e.Err.Error() }
func (e *RefusedError) Unwrap() error { return e.Err }

// maxMembers is the largest directory of an archive that is read to find one
// file in it, in bytes: that of DefaultLimits' number of files.
const maxMembers = 4 << 20

// OpenMember opens one file in an archive of that size, of which it reads the
// directory and that file alone. Its ETag is the checksum of what it holds. A
// file that is not there is an error that wraps fs.ErrNotExist; an archive
// that cannot be one is a RefusedError.
func OpenMember(archive io.ReaderAt, size int64, name string) (io.ReadCloser, Entry, error) {
	reader := &budgetReader{r: archive, left: maxMembers}
	z, err := zip.NewReader(reader, size)
	switch {
	case reader.left < 0:
		return nil, Entry{}, &RefusedError{fmt.Errorf("its directory is larger than %d MiB", maxMembers>>20)}
	case errors.Is(err, zip.ErrFormat), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return nil, Entry{}, &RefusedError{errors.New("not a zip, or one that was cut off or damaged at its end")}
	case err != nil && !errors.Is(err, zip.ErrInsecurePath): // names are checked below
		return nil, Entry{}, fmt.Errorf("read the archive's directory: %w", err)
	}
	reader.open = true
	i := slices.IndexFunc(z.File, func(f *zip.File) bool { return f.Name == name })
	if i < 0 || !fs.ValidPath(name) {
		return nil, Entry{}, fmt.Errorf("%s in the archive: %w", strconv.QuoteToGraphic(name), fs.ErrNotExist)
	}
	file := z.File[i]
	if err := errors.Join(checkName(name), checkEntry(file, DefaultLimits())); err != nil {
		return nil, Entry{}, &RefusedError{err}
	}
	content, err := file.Open()
	if errors.Is(err, zip.ErrFormat) {
		return nil, Entry{}, &RefusedError{errors.New("it is damaged")}
	}
	if err != nil {
		return nil, Entry{}, fmt.Errorf("open %s in the archive: %w", strconv.QuoteToGraphic(name), err)
	}
	return content, Entry{
		Name: path.Base(name), Size: int64(file.UncompressedSize64), ETag: strconv.FormatUint(uint64(file.CRC32), 36),
	}, nil
}
