package atomicfile

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// nameless makes a file without a name in a folder (open(2), O_TMPFILE).
func nameless(folder string) (*os.File, error) {
	fd, err := unix.Open(folder, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, os.NewSyscallError("open", err)
	}
	file := os.NewFile(uintptr(fd), folder)
	if _, err := os.Stat(inProc(file)); err != nil { // without /proc it could never get a name
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// link gives it one, which must not be taken.
func link(file *os.File, path string) error {
	err := unix.Linkat(unix.AT_FDCWD, inProc(file), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
	if err != nil {
		return &os.LinkError{Op: "link", Old: "the new file", New: path, Err: err}
	}
	return nil
}

func inProc(file *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", file.Fd()) }
