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
	"strconv"
	"strings"
	"sync"
)

// A DirStore keeps files in a folder, under keys as an object store has them:
// slash-separated, relative, without dots.
type DirStore struct {
	root    *os.Root
	indexes sync.Mutex // held while a record is added to an index
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
	return s.write(ctx, key, func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
}

// partPrefix begins the names of files that are not whole yet. What a crash
// left of them is no part of a campaign.
const partPrefix = ".part-"

// write has a file written under a temporary name, and renames it when that
// worked. The temporary name is at the top: a crash leaves nothing in the
// folders of a campaign, where a folder without files would be a run without
// evidence that its archive does not have.
func (s *DirStore) write(ctx context.Context, key string, fill func(io.Writer) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("store %s: %w", strconv.QuoteToGraphic(key), err)
		}
	}()
	if err := checkKey(key); err != nil {
		return err
	}
	temporary := partPrefix + rand.Text()
	file, err := s.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer s.root.Remove(temporary) //nolint:errcheck // fails when it was renamed
	err = fill(contextWriter{ctx, file})
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := s.root.MkdirAll(path.Dir(key), 0o755); err != nil {
		return err
	}
	if err := s.root.Rename(temporary, key); err != nil {
		return err
	}
	return s.sync(path.Dir(key))
}

// checkKey refuses keys that are no path in the store, and those under which
// a file could be stored but not be reviewed in an archive. The error wraps
// fs.ErrInvalid.
func checkKey(key string) error {
	if !fs.ValidPath(key) || key == "." || strings.HasPrefix(path.Base(key), partPrefix) {
		return fmt.Errorf("%w: not a key: want a relative path without dots", fs.ErrInvalid)
	}
	if err := checkName(key); err != nil {
		return fmt.Errorf("%w: not a key: %w", fs.ErrInvalid, err)
	}
	return nil
}

// sync puts the names in a folder on disk: a file alone can be there after a
// power cut without its name.
func (s *DirStore) sync(folder string) error {
	dir, err := s.root.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
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
