package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Store keeps files under keys, as an object store has them.
type Store interface {
	// Put stores what r holds under a key. It appears whole or not at all.
	Put(ctx context.Context, key string, r io.Reader) error
	// Open opens a file. One that is not there, or whose name no file can
	// have, is an error that wraps fs.ErrNotExist. The context is that of all
	// reading, too.
	Open(ctx context.Context, key string) (Object, error)
	// List returns what lies directly in a folder ("." is the top), in the
	// order of their keys, where that of a folder ends in a slash: at most
	// limit of those that come after a key, and whether there are more. A
	// folder that is not there is an error that wraps fs.ErrNotExist.
	List(ctx context.Context, folder, after string, limit int) (entries []Entry, more bool, err error)
}

var (
	_ Store = (*DirStore)(nil)
	_ Store = (*S3Store)(nil)
)

// An Object is a file of a store, open for reading.
type Object interface {
	io.ReadSeekCloser
	io.ReaderAt
	Entry() Entry
}

// An Entry is what a store says of a file or a folder without opening it.
type Entry struct {
	Name   string // the last part of its key
	Folder bool
	Size   int64 // of a file, in bytes
	// Modified is when a file was stored; zero for a folder.
	Modified time.Time
	// ETag changes when the file does. It has no quotes.
	ETag string
}

// order is what entries are sorted by: the end of their key.
func (e Entry) order() string {
	if e.Folder {
		return e.Name + "/"
	}
	return e.Name
}

// After is what to give to List for the entries behind this one.
func (e Entry) After() string { return e.order() }

// maxKey is how long a key may be, as S3 has it.
const maxKey = 1024

// readableKey says whether a key can be that of a file. Others may have
// stored files under names that Put refuses; what leads elsewhere is no name.
func readableKey(key string) bool {
	return fs.ValidPath(key) && key != "." && len(key) <= maxKey && !strings.Contains(key, "\x00")
}

// noSuch is the error about a key that no file can have.
func noSuch(verb, key string) error {
	return fmt.Errorf("%s %s: no name of a file: %w", verb, strconv.QuoteToGraphic(key), fs.ErrNotExist)
}

// A pageOf keeps the first entries behind a key, however many there are and
// in whichever order they come.
type pageOf struct {
	after   string
	limit   int
	entries []Entry
	more    bool
}

// add keeps an entry, if it is behind the key and has a name.
func (p *pageOf) add(e Entry) bool {
	if e.Name == "" || e.order() <= p.after {
		return false
	}
	p.entries = append(p.entries, e)
	if len(p.entries) > 2*p.limit+100 {
		p.cut()
	}
	return true
}

func (p *pageOf) cut() {
	slices.SortFunc(p.entries, func(a, b Entry) int { return strings.Compare(a.order(), b.order()) })
	if len(p.entries) > p.limit {
		p.entries, p.more = p.entries[:p.limit], true
	}
}

// FS shows the files of a store as a file system, which reads with the
// context. It is for one task, such as making an archive.
func FS(ctx context.Context, store Store) fs.FS { return storeFS{ctx, store} }

type storeFS struct {
	ctx   context.Context //nolint:containedctx // io/fs has no other place for it; the value lives as long as one task
	store Store
}

func (f storeFS) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if name != "." {
		object, err := f.store.Open(f.ctx, name)
		if err == nil {
			return objectFile{object}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
	if _, _, err := f.store.List(f.ctx, name, "", 1); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &folderFile{fsys: f, name: name}, nil
}

// folderPage is how many entries are asked for at once.
const folderPage = 10_000

// ReadDir returns all entries of a folder, sorted by name.
func (f storeFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrInvalid}
	}
	var all []fs.DirEntry
	for after, more := "", true; more; {
		var entries []Entry
		var err error
		if entries, more, err = f.store.List(f.ctx, name, after, folderPage); err != nil {
			return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
		}
		for _, e := range entries {
			all = append(all, fs.FileInfoToDirEntry(entryInfo{e}))
			after = e.After()
		}
	}
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return all, nil
}

// objectFile is an object as a file of io/fs.
type objectFile struct{ Object }

func (f objectFile) Stat() (fs.FileInfo, error) { return entryInfo{f.Entry()}, nil }

// entryInfo is an entry as io/fs describes files.
type entryInfo struct{ entry Entry }

func (i entryInfo) Name() string       { return i.entry.Name }
func (i entryInfo) Size() int64        { return i.entry.Size }
func (i entryInfo) ModTime() time.Time { return i.entry.Modified }
func (i entryInfo) IsDir() bool        { return i.entry.Folder }
func (i entryInfo) Sys() any           { return nil }
func (i entryInfo) Mode() fs.FileMode {
	if i.entry.Folder {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

// folderFile is a folder as a file of io/fs.
type folderFile struct {
	fsys storeFS
	name string
	rest []fs.DirEntry
	read bool
}

func (f *folderFile) Stat() (fs.FileInfo, error) {
	return entryInfo{Entry{Name: path.Base(f.name), Folder: true}}, nil
}

func (f *folderFile) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.name, Err: errors.New("is a folder")}
}
func (f *folderFile) Close() error { return nil }

func (f *folderFile) ReadDir(n int) ([]fs.DirEntry, error) {
	if !f.read {
		entries, err := f.fsys.ReadDir(f.name)
		if err != nil {
			return nil, err
		}
		f.rest, f.read = entries, true
	}
	if n <= 0 {
		n = len(f.rest)
	} else if len(f.rest) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(f.rest))
	some := f.rest[:n]
	f.rest = f.rest[n:]
	return some, nil
}
