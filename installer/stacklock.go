package installer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// stackLock is the name of the lock in the prefix.
const stackLock = ".stack.lock"

// lockStack makes this process the only one that changes the stack. The lock
// ends with the process, however that ends.
func lockStack(prefix string) (unlock func(), err error) {
	if err := os.MkdirAll(prefix, 0o755); err != nil {
		return nil, fmt.Errorf("make the stack's folder: %w (%s)", err, folderHint(err))
	}
	file, err := os.OpenFile(filepath.Join(prefix, stackLock), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the stack: %w (%s)", err, folderHint(err))
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = &RefusedError{"another xtci is changing the stack in " + prefix + ": wait until it has ended"}
		}
		return nil, errors.Join(err, file.Close())
	}
	return func() { file.Close() }, nil
}
