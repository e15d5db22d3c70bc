package artifacts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/anuket-project/xtci/testcases"
)

// A store can have files that no archive can hold, when somebody else
// uploaded them: their names are not safe on every computer. What is in them
// cannot be judged, and so the run that has them must not pass. A file beside
// its evidence, testcases.LeftOutFile, names them: it is in the archive, and
// whoever reviews that comes to the same verdict.

// archivable shows the files of a store that an archive can hold, and the
// files that name the others.
type archivable struct {
	fs.FS
	leftOut map[string][]byte // by the path of the file that names them
}

func newArchivable(files fs.FS, tag string, leftOut []leftOutFile) archivable {
	a := archivable{files, map[string][]byte{}}
	for _, file := range leftOut {
		folder := tag
		if run, _, ok := strings.Cut(strings.TrimPrefix(file.name, tag+"/"), "/"); ok && checkKey(path.Join(tag, run)) == nil {
			folder = path.Join(tag, run)
		}
		at := path.Join(folder, testcases.LeftOutFile)
		a.leftOut[at] = append(a.leftOut[at], file.String()+"\n"...)
	}
	return a
}

// A leftOutFile is a file that no archive can hold, and why.
type leftOutFile struct {
	name string
	why  error
}

func (f leftOutFile) String() string {
	return fmt.Sprintf("%+q, which no archive can hold: %v", f.name, f.why)
}

// Open implements fs.FS.
func (a archivable) Open(name string) (fs.File, error) {
	if content, ok := a.leftOut[name]; ok {
		return &noteFile{Reader: bytes.NewReader(content), entry: noteEntry{path.Base(name), int64(len(content))}}, nil
	}
	if err := checkKey(name); err != nil && name != "." {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return a.FS.Open(name)
}

// ReadDir implements fs.ReadDirFS.
func (a archivable) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(a.FS, name)
	note := path.Join(name, testcases.LeftOutFile)
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		at := path.Join(name, e.Name())
		return checkKey(at) != nil || at == note && a.leftOut[note] != nil
	})
	if content, ok := a.leftOut[note]; ok && err == nil {
		entries = append(entries, fs.FileInfoToDirEntry(noteEntry{testcases.LeftOutFile, int64(len(content))}))
		slices.SortFunc(entries, func(x, y fs.DirEntry) int { return strings.Compare(x.Name(), y.Name()) })
	}
	return entries, err
}

// A noteFile is a file that names others.
type noteFile struct {
	*bytes.Reader
	entry noteEntry
}

func (f *noteFile) Stat() (fs.FileInfo, error) { return f.entry, nil }
func (f *noteFile) Close() error               { return nil }

type noteEntry struct {
	name string
	size int64
}

func (e noteEntry) Name() string       { return e.name }
func (e noteEntry) Size() int64        { return e.size }
func (e noteEntry) Mode() fs.FileMode  { return 0o444 }
func (e noteEntry) ModTime() time.Time { return time.Time{} }
func (e noteEntry) IsDir() bool        { return false }
func (e noteEntry) Sys() any           { return nil }

// maxLeftOut is how much of a file that names others is read.
const maxLeftOut = 64 << 10

// leftOutOf says which files of a run are not in an archive, or "".
func leftOutOf(run fs.FS) (string, error) {
	file, err := run.Open(testcases.LeftOutFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxLeftOut))
	if err != nil {
		return "", err
	}
	first, rest, _ := strings.Cut(strings.TrimRight(string(text), "\n"), "\n")
	if more := strings.Count(rest, "\n") + 1; rest != "" {
		first += fmt.Sprintf(", and %d more", more)
	}
	return first, nil
}
