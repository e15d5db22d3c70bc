package miniotest

import (
	"os/exec"
	"syscall"
)

// dieWithUs has the program end when the test is killed.
func dieWithUs(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
