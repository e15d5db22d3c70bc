//go:build !unix

package fetch

import "os/exec"

// inGroup does nothing: other systems have no such thing.
func inGroup(*exec.Cmd) {}
