package installer

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// makeFolder makes a folder and gives it its owner. One that is there keeps
// what it has, but not another owner.
func makeFolder(folder Folder) error {
	if err := os.MkdirAll(folder.Path, folder.Mode); err != nil {
		return fmt.Errorf("make the folder of a service: %w (%s)", err, folderHint(err))
	}
	if !folder.Recursive {
		return own(folder.Path, folder.UID, folder.GID)
	}
	return filepath.WalkDir(folder.Path, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return own(path, folder.UID, folder.GID)
	})
}

// own gives a file its owner, where this process may. -1 leaves it.
func own(name string, uid, gid int) error {
	if os.Geteuid() != 0 || uid < 0 {
		return nil
	}
	if err := os.Lchown(name, uid, gid); err != nil {
		return fmt.Errorf("give %s to user %d: %w", name, uid, err)
	}
	return nil
}

// writeFile replaces a file whole, unless it is there as it should be. It has
// its mode and owner before it has its name.
func writeFile(file File) error {
	if had, err := os.ReadFile(file.Path); err == nil && bytes.Equal(had, file.Content) {
		if info, err := os.Stat(file.Path); err == nil && info.Mode().Perm() == file.Mode.Perm() {
			return own(file.Path, file.UID, file.GID)
		}
	}
	if err := os.MkdirAll(filepath.Dir(file.Path), 0o755); err != nil {
		return fmt.Errorf("%w (%s)", err, folderHint(err))
	}
	temporary, err := os.CreateTemp(filepath.Dir(file.Path), ".xtci-")
	if err != nil {
		return fmt.Errorf("write %s: %w (%s)", file.Path, withoutPath(err), folderHint(err))
	}
	defer os.Remove(temporary.Name()) // fails when it was renamed
	_, err = temporary.Write(file.Content)
	err = errors.Join(err, temporary.Chmod(file.Mode), temporary.Sync(), temporary.Close())
	if err == nil {
		err = own(temporary.Name(), file.UID, file.GID)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w (%s)", file.Path, withoutPath(err), folderHint(err))
	}
	return os.Rename(temporary.Name(), file.Path)
}

// folderHint says what to do when something cannot be written under the
// prefix.
func folderHint(err error) string {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return "make room on that disk, or choose another folder with --set stack.prefix=FOLDER"
	}
	return "run xtci as who may write there, or choose another folder with --set stack.prefix=FOLDER"
}

// withoutPath is an error of a file without its name, which is said already.
func withoutPath(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err
	}
	return err
}
