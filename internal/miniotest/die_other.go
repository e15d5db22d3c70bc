//go:build !linux

package miniotest

import "os/exec"

// dieWithUs does nothing: other systems have no such thing.
func dieWithUs(*exec.Cmd) {}
