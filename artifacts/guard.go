package artifacts

import (
	"archive/zip"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/anuket-project/xtci/internal/term"
)

// Limits bound what a review reads of an archive that anybody may have made.
type Limits struct {
	Entries   int   // files in the archive
	FileSize  int64 // bytes of one file, unpacked
	TotalSize int64 // bytes of all files, unpacked
}

// DefaultLimits leave room for a campaign a hundred times the usual.
func DefaultLimits() Limits {
	return Limits{Entries: 20_000, FileSize: 8 << 30, TotalSize: 32 << 30}
}

const (
	maxDirectory  = 64 << 20 // bytes of the zip's own directory
	maxNameLength = 1024
)

// openZip opens an archive and refuses it when anything about it is not what
// an archive of results can be. Nothing is unpacked.
func openZip(file *os.File, limits Limits) (*zip.Reader, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	// opening reads the zip's directory into memory, whatever its size
	reader := &budgetReader{r: file, left: maxDirectory}
	z, err := zip.NewReader(reader, info.Size())
	if reader.left < 0 {
		return nil, fmt.Errorf("refused: its directory is larger than %d MiB", maxDirectory>>20)
	}
	if errors.Is(err, zip.ErrFormat) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return nil, errors.New("not a zip, or one that was cut off or damaged at its end")
	}
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // names are checked below
		return nil, fmt.Errorf("not a readable zip: %w", err)
	}

	reader.open = true
	if err := checkEntries(z, limits); err != nil {
		return nil, fmt.Errorf("refused: %w", err)
	}
	return z, nil
}

// budgetReader bounds how much is read until it is opened.
type budgetReader struct {
	r    io.ReaderAt
	left int64
	open bool
}

func (b *budgetReader) ReadAt(p []byte, offset int64) (int, error) {
	if b.open {
		return b.r.ReadAt(p, offset)
	}
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, errors.New("over budget")
	}
	return b.r.ReadAt(p, offset)
}

func checkEntries(z *zip.Reader, limits Limits) error {
	if len(z.File) > limits.Entries {
		return fmt.Errorf("it has %d files, more than %d (--max-entries)", len(z.File), limits.Entries)
	}
	names := map[string]bool{}
	var total uint64
	for _, file := range z.File {
		if err := checkName(file.Name); err != nil {
			return err
		}
		if names[file.Name] {
			return fmt.Errorf("two files are named %q", file.Name)
		}
		names[file.Name] = true
		if err := checkEntry(file, limits); err != nil {
			return err
		}
		if total += file.UncompressedSize64; total > uint64(limits.TotalSize) {
			return fmt.Errorf("its files unpack to more than %d bytes (--max-total)", limits.TotalSize)
		}
	}
	for name := range names {
		for i := range name {
			if name[i] == '/' && names[name[:i]] {
				return fmt.Errorf("%q is a file and a folder", name[:i])
			}
		}
	}
	return checkOverlaps(z)
}

// checkName refuses names that could lead out of a folder, hide something, or
// mean another file on another system.
func checkName(name string) error {
	switch {
	case len(name) > maxNameLength:
		return fmt.Errorf("a name of %d bytes that begins with %q", len(name), name[:60])
	case strings.HasPrefix(name, "/"), len(name) > 1 && name[1] == ':':
		return fmt.Errorf("absolute name %q", name)
	case strings.Contains(name, `\`):
		return fmt.Errorf("name with a backslash: %q", name)
	case !utf8.ValidString(name) || term.Plain(name) != name:
		return fmt.Errorf("name with control characters or invalid UTF-8: %q", name)
	case !fs.ValidPath(strings.TrimSuffix(name, "/")): // other tools list folders too
		return fmt.Errorf("name %q leads out of the archive or is not in its shortest form", name)
	}
	return nil
}

func checkEntry(file *zip.File, limits Limits) error {
	switch {
	case strings.HasSuffix(file.Name, "/") && file.UncompressedSize64 == 0:
	case !file.Mode().IsRegular():
		return fmt.Errorf("%q is no regular file but %s", file.Name, file.Mode().Type())
	case file.Flags&1 != 0:
		return fmt.Errorf("%q is encrypted", file.Name)
	case file.Method != zip.Store && file.Method != zip.Deflate:
		return fmt.Errorf("%q is compressed by unknown method %d", file.Name, file.Method)
	case file.UncompressedSize64 > uint64(limits.FileSize):
		return fmt.Errorf("%q unpacks to %d bytes, more than %d (--max-file)", file.Name, file.UncompressedSize64, limits.FileSize)
	case file.UncompressedSize64 > maxRatio*file.CompressedSize64+maxRatio:
		return fmt.Errorf("%q states %d bytes packed into %d: no method does that", file.Name, file.UncompressedSize64, file.CompressedSize64)
	}
	return nil
}

// maxRatio is the best that deflate can do, 1032 to 1, rounded up.
const maxRatio = 1040

// checkOverlaps refuses files that share bytes of the zip, of which bombs are
// made.
func checkOverlaps(z *zip.Reader) error {
	type span struct {
		from, to int64
		name     string
	}
	spans := make([]span, 0, len(z.File))
	for _, file := range z.File {
		from, err := file.DataOffset()
		if err != nil {
			return fmt.Errorf("%q: its header cannot be read: %w", file.Name, err)
		}
		spans = append(spans, span{from, from + int64(file.CompressedSize64), file.Name})
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	for i := 1; i < len(spans); i++ {
		if spans[i].from < spans[i-1].to {
			return fmt.Errorf("%q and %q share bytes", spans[i-1].name, spans[i].name)
		}
	}
	return nil
}
