package backup

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// freeSpace is the bytes that this process can write to the disk of a folder.
func freeSpace(folder string) (int64, bool) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(folder, &stat); err != nil {
		return 0, false
	}
	return int64(stat.Bavail) * stat.Bsize, true //nolint:gosec // disks are smaller than 8 EiB
}

// sameDisk says whether a name can be moved within the folder. A link can.
func sameDisk(folder, name string) bool {
	var a, b syscall.Stat_t
	if err := errors.Join(syscall.Lstat(folder, &a), syscall.Lstat(name, &b)); err != nil {
		return true // to move it will tell
	}
	return a.Dev == b.Dev
}

// flush brings everything on the disk of a folder onto it: one by one,
// thousands of small files would take minutes.
func flush(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return errors.Join(fmt.Errorf("bring it to disk: %w", err), f.Close())
	}
	return f.Close()
}
