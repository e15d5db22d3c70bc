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

// unlockFile unlocks a file and closes it. To close it would not do: a program
// that is being started has it, too, for a moment.
func unlockFile(file *os.File) error {
	return errors.Join(syscall.Flock(int(file.Fd()), syscall.LOCK_UN), file.Close())
}
