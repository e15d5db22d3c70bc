package artifacts

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// A snapshot is a folder of a bucket as one listing found it: what is in it is
// known without asking again, and a file that is opened is the one that was
// listed, or an error. It is for one task, such as making an archive.
type snapshot struct {
	ctx     context.Context //nolint:containedctx // as that of storeFS
	store   *S3Store
	files   map[string]Entry
	folders map[string][]fs.DirEntry // sorted by name
}

// maxSnapshot is how many files a campaign may have: five times as many as
// are reviewed, if not told otherwise.
const maxSnapshot = 100_000

// filesOf shows a folder of a store to a task that reads all of it.
func filesOf(ctx context.Context, store Store, folder string) (fs.FS, error) {
	if bucket, ok := store.(*S3Store); ok {
		return bucket.snapshot(ctx, folder)
	}
	return FS(ctx, store), nil
}

// snapshot lists a folder, with all folders in it. One that is not there is
// empty.
func (s *S3Store) snapshot(ctx context.Context, folder string) (*snapshot, error) {
	shot := &snapshot{ctx: ctx, store: s, files: map[string]Entry{}, folders: map[string][]fs.DirEntry{".": nil}}
	err := s.each(ctx, folder, func(key string, e Entry) error {
		shot.add(key, e)
		if len(shot.files) > maxSnapshot || len(shot.folders) > maxSnapshot {
			return fmt.Errorf("it has more than %d files or folders: no campaign has", maxSnapshot)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, entries := range shot.folders {
		slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
	return shot, nil
}

func (s *snapshot) add(key string, e Entry) {
	if e.Folder {
		s.addFolder(key)
		return
	}
	s.files[key] = e
	s.addTo(path.Dir(key), e)
}

func (s *snapshot) addTo(folder string, e Entry) {
	s.addFolder(folder)
	s.folders[folder] = append(s.folders[folder], fs.FileInfoToDirEntry(entryInfo{e}))
}

// addFolder adds a folder, and those that it is in.
func (s *snapshot) addFolder(name string) {
	if _, known := s.folders[name]; !known {
		s.folders[name] = nil
		s.addTo(path.Dir(name), Entry{Name: path.Base(name), Folder: true})
	}
}

// Open implements fs.FS. Of a file nothing is asked until it is read.
func (s *snapshot) Open(name string) (fs.File, error) {
	if e, ok := s.files[name]; ok {
		if e.ETag == "" { // whether it is replaced meanwhile could not be told
			return storeFS{s.ctx, s.store}.Open(name)
		}
		return objectFile{&s3Object{ctx: s.ctx, store: s.store, key: name, entry: e}}, nil
	}
	entries, err := s.ReadDir(name)
	if err != nil {
		return nil, err
	}
	return &folderFile{name: name, rest: entries, read: true}, nil
}

// ReadDir implements fs.ReadDirFS.
func (s *snapshot) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, ok := s.folders[name]
	if !ok {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	return slices.Clone(entries), nil
}
