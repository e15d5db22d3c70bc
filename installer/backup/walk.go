package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// A found thing under the prefix.
type found struct {
	name string // from the prefix
	root *os.Root
	at   string // from the root
	info fs.FileInfo
	// content says whether a folder's content is kept.
	content bool
}

// walk calls each for everything that is kept, folders before what is in
// them. What is gone when it is looked at was removed just then.
func walk(ctx context.Context, prefix string, names []string, each func(found) error) error {
	for _, name := range names {
		if handle(name) == leave {
			continue
		}
		if err := walkTop(ctx, prefix, name, each); err != nil {
			return err
		}
	}
	return nil
}

// walkTop walks one name of the prefix. A link there is followed: it leads to
// where the data is, such as another disk.
func walkTop(ctx context.Context, prefix, name string, each func(found) error) error {
	whole := filepath.Join(prefix, name)
	info, err := os.Stat(whole)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		root, err := os.OpenRoot(whole)
		if err != nil {
			return err
		}
		defer root.Close()
		return walkFolder(ctx, found{name, root, ".", info, handle(name) == keep}, each)
	}
	folder, err := filepath.EvalSymlinks(whole)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(filepath.Dir(folder))
	if err != nil {
		return err
	}
	defer root.Close()
	return each(found{name, root, filepath.Base(folder), info, false})
}

func walkFolder(ctx context.Context, folder found, each func(found) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := each(folder); err != nil || !folder.content {
		return err
	}
	opened, err := folder.root.Open(folder.at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", folder.name, err)
	}
	names, err := opened.Readdirnames(-1)
	if err = errors.Join(err, opened.Close()); err != nil {
		return fmt.Errorf("%s: %w", folder.name, err)
	}
	slices.Sort(names)
	for _, name := range names {
		child := found{name: path.Join(folder.name, name), root: folder.root, at: path.Join(folder.at, name)}
		what := handle(child.name)
		if what == leave {
			continue
		}
		child.info, err = folder.root.Lstat(child.at)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", child.name, err)
		}
		child.content = what == keep
		if child.info.IsDir() {
			err = walkFolder(ctx, child, each)
		} else if what == keep {
			err = each(child)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
