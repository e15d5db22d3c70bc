//go:build !linux

package doctor

import "errors"

// diskOf is known of Linux alone.
func diskOf(string) (disk, error) { return disk{}, errors.ErrUnsupported }

// writable is not known beforehand.
func writable(string) error { return nil }
