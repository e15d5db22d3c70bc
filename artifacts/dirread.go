package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
)

// Open opens a file for reading. What is no regular file is not there.
func (s *DirStore) Open(_ context.Context, key string) (Object, error) {
	if !readableKey(key) || strings.HasPrefix(key, partPrefix) {
		return nil, noSuch("read", key)
	}
	info, err := s.root.Stat(key)
	if err == nil && !info.Mode().IsRegular() { // opening a pipe would wait for ever
		err = fmt.Errorf("no regular file but %s: %w", info.Mode().Type(), fs.ErrNotExist)
	}
	var file *os.File
	if err == nil {
		file, err = s.root.Open(key)
	}
	if err == nil {
		if info, err = file.Stat(); err != nil { // of the very file that was opened
			err = errors.Join(err, file.Close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", strconv.QuoteToGraphic(key), plainNotExist(err))
	}
	return dirObject{file, dirEntry(path.Base(key), info)}, nil
}

// Ping says whether the folder is there and can be read.
func (s *DirStore) Ping(context.Context) error {
	dir, err := s.root.Open(".")
	if err == nil {
		_, err = dir.Readdirnames(1)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		err = errors.Join(err, dir.Close())
	}
	if err != nil {
		return fmt.Errorf("read the store: %w", err)
	}
	return nil
}

// plainNotExist makes what the system says of a path through a file, or of a
// name that is too long for it, an error about a file that is not there.
func plainNotExist(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		err = failed.Err // without the name, which the caller quotes
	}
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG) {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}

type dirObject struct {
	*os.File
	entry Entry
}

func (o dirObject) Entry() Entry { return o.entry }

// dirEntry describes a file. Files of the store are replaced, never written
// to, so that the time and the size tell two from each other.
func dirEntry(name string, info fs.FileInfo) Entry {
	if info.IsDir() {
		return Entry{Name: name, Folder: true}
	}
	return Entry{
		Name: name, Size: info.Size(), Modified: info.ModTime(),
		ETag: strconv.FormatInt(info.ModTime().UnixNano(), 36) + "-" + strconv.FormatInt(info.Size(), 36),
	}
}

// List returns what lies directly in a folder. It holds no more names than
// are asked for, however large the folder is.
func (s *DirStore) List(ctx context.Context, folder, after string, limit int) (entries []Entry, more bool, err error) {
	if folder != "." && !readableKey(folder) {
		return nil, false, noSuch("list", folder)
	}
	page := pageOf{after: after, limit: limit}
	if err := s.names(ctx, folder, &page); err != nil {
		return nil, false, fmt.Errorf("list %s: %w", strconv.QuoteToGraphic(folder), plainNotExist(err))
	}
	for _, e := range page.entries {
		info, err := s.root.Lstat(path.Join(folder, e.Name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, false, fmt.Errorf("list %s: %w", strconv.QuoteToGraphic(folder), err)
		}
		entries = append(entries, dirEntry(e.Name, info))
	}
	return entries, page.more, nil
}

// dirBatch is how many names of a folder are read at once.
const dirBatch = 1000

// names puts the names in a folder into a page.
func (s *DirStore) names(ctx context.Context, folder string, page *pageOf) error {
	info, err := s.root.Stat(folder)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("no folder but a file: %w", fs.ErrNotExist)
	}
	dir, err := s.root.Open(folder)
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		batch, err := dir.ReadDir(dirBatch)
		for _, entry := range batch {
			if entry.IsDir() || entry.Type().IsRegular() && !strings.HasPrefix(entry.Name(), partPrefix) {
				page.add(Entry{Name: entry.Name(), Folder: entry.IsDir()})
			}
		}
		if errors.Is(err, io.EOF) {
			page.cut()
			return nil
		}
		if err != nil {
			return err
		}
	}
}
