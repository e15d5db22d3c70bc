package artifacts

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// A DirStore keeps files in a folder, under keys as an object store has them:
// slash-separated, relative, without dots.
type DirStore struct {
	root *os.Root
}

// OpenDirStore opens the store in the folder dir, which it makes if need be.
func OpenDirStore(dir string) (*DirStore, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the store's folder: %w (choose another with --set stack.prefix=FOLDER)", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	return &DirStore{root: root}, nil
}

// Close gives the folder back.
func (s *DirStore) Close() error { return s.root.Close() }

// FS returns the files of the store for reading.
func (s *DirStore) FS() fs.FS { return s.root.FS() }

// Put stores what r holds under the key. The file appears whole or not at
// all, and is on disk when Put returns.
func (s *DirStore) Put(ctx context.Context, key string, r io.Reader) error {
	return s.write(ctx, key, 0o644, func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
}

// write has a file written under a temporary name, and renames it when that
// worked.
func (s *DirStore) write(ctx context.Context, key string, mode fs.FileMode, fill func(io.Writer) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("store %s: %w", key, err)
		}
	}()
	if !fs.ValidPath(key) || key == "." {
		return errors.New("not a key: want a relative path without dots")
	}
	if err := s.root.MkdirAll(path.Dir(key), 0o755); err != nil {
		return err
	}
	temporary := path.Join(path.Dir(key), ".part-"+rand.Text())
	file, err := s.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.root.Remove(temporary))
		}
	}()
	err = fill(contextWriter{ctx, file})
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return s.root.Rename(temporary, key)
}

// contextWriter stops a long copy when its context ends.
type contextWriter struct {
	ctx context.Context //nolint:containedctx // a writer of one copy, which lives as long as the call
	w   io.Writer
}

func (c contextWriter) Write(p []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	return c.w.Write(p)
}
