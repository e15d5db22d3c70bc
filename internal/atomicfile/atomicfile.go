// Package atomicfile writes files that are there whole or not at all. While
// one is written it has no name where the file system allows that, so that
// nothing is left behind however the process ends.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A File is being written. Nobody sees it until Commit or CommitNew.
type File struct {
	*os.File
	path      string
	temporary string // its name until then; "" when it has none
	closed    bool
}

// Create begins a file that will be at path.
func Create(path string, mode fs.FileMode) (*File, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	f := &File{path: path}
	if f.File, err = nameless(filepath.Dir(path)); err != nil {
		if f.File, err = os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".part-*"); err != nil {
			return nil, err
		}
		f.temporary = f.Name()
	}
	if err := f.Chmod(mode); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Commit puts the file in its place, where it replaces another.
func (f *File) Commit() error { return f.commit(true) }

// CommitNew puts the file in its place. If there is one, it stays, and the
// error wraps fs.ErrExist.
func (f *File) CommitNew() error { return f.commit(false) }

func (f *File) commit(replace bool) error {
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	if err := f.place(replace); err != nil {
		return fmt.Errorf("put %s in its place: %w", f.path, err)
	}
	if err := errors.Join(f.Close(), syncFolder(filepath.Dir(f.path))); err != nil {
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	return nil
}

func (f *File) place(replace bool) error {
	if f.temporary != "" {
		if !replace {
			return os.Link(f.temporary, f.path) // which replaces nothing
		}
		if err := os.Rename(f.temporary, f.path); err != nil {
			return err
		}
		f.temporary = ""
		return nil
	}
	err := link(f.File, f.path)
	if !replace || !errors.Is(err, fs.ErrExist) {
		return err
	}
	// It needs a name before it can replace. If the process is killed right
	// here, that stays, until the next one who replaces the file.
	name := filepath.Join(filepath.Dir(f.path), "."+filepath.Base(f.path)+".part")
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := link(f.File, name); err != nil {
		return err
	}
	return os.Rename(name, f.path)
}

// Close drops the file, unless it was committed. It may be called again.
func (f *File) Close() error {
	if f.closed {
		return nil
	}
	f.closed = true
	err := f.File.Close()
	if f.temporary != "" {
		err = errors.Join(err, os.Remove(f.temporary))
	}
	return err
}

// syncFolder makes the file's name survive a power cut.
func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
