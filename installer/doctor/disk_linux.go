package doctor

import "golang.org/x/sys/unix"

// diskOf asks for the room on the disk that a folder is on.
func diskOf(folder string) (disk, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return disk{}, err
	}
	size := uint64(max(s.Bsize, 0))
	return disk{free: s.Bavail * size, total: s.Blocks * size, freeNodes: s.Ffree, allNodes: s.Files}, nil
}

// writable says why this user cannot make files in a folder.
func writable(folder string) error {
	return unix.Access(folder, unix.W_OK|unix.X_OK)
}
