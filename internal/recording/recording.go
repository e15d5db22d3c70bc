// Package recording reads folders of recorded results. Recordings are kept
// compressed: a file X.gz stands for X.
package recording

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// FS is a folder in which every X.gz appears as X, decompressed while it is
// read. All other files appear as they are.
type FS struct {
	files fs.FS
	root  *os.Root
}

// Open returns the recording in the folder dir. Links that lead out of the
// folder are not followed. The caller closes it.
func Open(dir string) (FS, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return FS{}, err
	}
	return FS{files: root.FS(), root: root}, nil
}

// Close gives the folder back.
func (f FS) Close() error { return f.root.Close() }

// Open implements fs.FS.
func (f FS) Open(name string) (fs.File, error) {
	file, err := f.files.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		compressed, gzErr := f.files.Open(name + ".gz")
		if gzErr != nil {
			return nil, err
		}
		return newMember(name, compressed)
	}
	return file, err
}

// ReadDir implements fs.ReadDirFS. Where both X and X.gz are, X is that which
// is not compressed, as in Open.
func (f FS) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(f.files, name)
	plain := map[string]bool{}
	for _, entry := range entries {
		plain[entry.Name()] = true
	}
	var shown []fs.DirEntry
	for _, entry := range entries {
		if short, ok := strings.CutSuffix(entry.Name(), ".gz"); ok && short != "" && entry.Type().IsRegular() {
			if plain[short] {
				continue
			}
			entry = renamed{entry}
		}
		shown = append(shown, entry)
	}
	slices.SortFunc(shown, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return shown, err
}

// Sub implements fs.SubFS.
func (f FS) Sub(dir string) (fs.FS, error) {
	sub, err := fs.Sub(f.files, dir)
	return FS{files: sub, root: f.root}, err
}

// member is one decompressed file.
type member struct {
	*gzip.Reader
	name       string
	compressed fs.File
}

func newMember(name string, compressed fs.File) (fs.File, error) {
	r, err := gzip.NewReader(compressed)
	if err != nil {
		compressed.Close()
		return nil, &fs.PathError{Op: "open", Path: name + ".gz", Err: err}
	}
	return &member{Reader: r, name: name, compressed: compressed}, nil
}

func (m *member) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("decompress %s.gz: %w", m.name, err)
	}
	return n, err
}

func (m *member) Stat() (fs.FileInfo, error) {
	info, err := m.compressed.Stat()
	if err != nil {
		return nil, err
	}
	return renamedInfo{info}, nil
}

func (m *member) Close() error {
	return errors.Join(m.Reader.Close(), m.compressed.Close())
}

type renamed struct{ fs.DirEntry }

func (r renamed) Name() string { return strings.TrimSuffix(r.DirEntry.Name(), ".gz") }

func (r renamed) Info() (fs.FileInfo, error) {
	info, err := r.DirEntry.Info()
	if err != nil {
		return nil, err
	}
	return renamedInfo{info}, nil
}

// renamedInfo's size is that of the compressed file: the real one is not
// known before it was read.
type renamedInfo struct{ fs.FileInfo }

func (r renamedInfo) Name() string { return strings.TrimSuffix(r.FileInfo.Name(), ".gz") }
