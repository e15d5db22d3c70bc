//go:build linux || darwin

package runner

import (
	"errors"
	"os"
	"syscall"
)

// lockFile locks a file for this process. Where another one has, the error is
// ErrRunning.
func lockFile(file *os.File) error {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrRunning
	}
	return err
}
