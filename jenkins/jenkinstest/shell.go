package jenkinstest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// leakTime is how long Jenkins waits for processes that have the console open
// after the shell ended.
const leakTime = 3 * time.Second

// shell runs an "Execute shell" step as Jenkins does: /bin/sh -xe with a file,
// unless the text says #! and another.
func (s *Server) shell(b *build, step *node, workspace string, env *environment) string {
	command := strings.ReplaceAll(step.value("command"), "\r\n", "\n")
	script, err := os.CreateTemp("", "jenkins*.sh")
	if err != nil {
		b.log.printf("ERROR: %v\n", err)
		return failure
	}
	defer os.Remove(script.Name())
	_, err = script.WriteString(command)
	if err := errors.Join(err, script.Close()); err != nil {
		b.log.printf("ERROR: %v\n", err)
		return failure
	}
	words := []string{"/bin/sh", "-xe", script.Name()}
	if first, ok := strings.CutPrefix(command, "#!"); ok {
		line, _, _ := strings.Cut(first, "\n")
		words = append(strings.Fields(line), script.Name())
	}
	b.log.printf("[%s] $ %s\n", filepath.Base(workspace), strings.Join(words, " "))
	code, err := s.process(b, words, workspace, env.list())
	switch {
	case b.stopped():
		return aborted
	case err != nil:
		b.log.printf("FATAL: command execution failed\n%v\n", err)
		return failure
	case code == 0:
		return success
	case strconv.Itoa(code) == strings.TrimSpace(step.value("unstableReturn")):
		b.log.printf("Build step 'Execute shell' changed build result to UNSTABLE\n")
		return unstable
	}
	return failure
}

// process runs a command in a process group of its own until it ends, or the
// build is aborted.
func (s *Server) process(b *build, words []string, dir string, env []string) (code int, err error) {
	out, in, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer out.Close()
	cmd := exec.Command(words[0], words[1:]...) //nolint:gosec // running what jobs say is what it is for
	cmd.Dir, cmd.Env = dir, env
	cmd.Stdout, cmd.Stderr = in, in
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = cmd.Start()
	if err := errors.Join(err, in.Close()); err != nil {
		return 0, err
	}
	heard := make(chan struct{}) // closed when nobody has the console open any more
	go func() {
		defer close(heard)
		_, _ = io.Copy(&b.log, out) // until it is closed
	}()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
		hear(b, heard)
	case <-b.stop:
		err = s.terminate(cmd.Process.Pid, ended)
	}
	// What the step left running does not outlive it.
	killGroup(cmd.Process.Pid, syscall.SIGKILL)
	// Who left the group may still have the console open.
	late := time.AfterFunc(leakTime, func() { _ = out.Close() })
	<-heard
	late.Stop()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return failed.ExitCode(), nil
	}
	return 0, err
}

// hear waits until the console is closed, but not for long: something that the
// step left running may have it open.
func hear(b *build, heard <-chan struct{}) {
	timer := time.NewTimer(leakTime)
	defer timer.Stop()
	select {
	case <-heard:
	case <-b.stop:
	case <-timer.C:
		b.log.printf("Process leaked file descriptors. See https://www.jenkins.io/redirect/troubleshooting/process-leaked-file-descriptors for more information\n")
	}
}

// terminate ends a tree of processes as Jenkins does: one SIGTERM each,
// children before their parents, and each is waited for until it is gone. Who
// is still there after KillAfter gets SIGKILL.
func (s *Server) terminate(pid int, ended <-chan error) error {
	deadline := time.NewTimer(s.o.KillAfter)
	defer deadline.Stop()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	told := 0
	for tree := processTree(pid); ; {
		for len(tree) > 0 && !alive(tree[0]) {
			tree = tree[1:]
		}
		if len(tree) > 0 && tree[0] != told {
			told = tree[0]
			_ = syscall.Kill(told, syscall.SIGTERM) // it may just have ended
		}
		select {
		case err := <-ended:
			return err
		case <-deadline.C:
			killGroup(pid, syscall.SIGKILL)
			return <-ended
		case <-look.C:
		}
	}
}

// killGroup sends a signal to a process group, if it is still there.
func killGroup(pid int, signal syscall.Signal) { _ = syscall.Kill(-pid, signal) }

func alive(pid int) bool {
	parent, zombie := stat(pid)
	return parent >= 0 && !zombie
}

// processTree returns a process and all below it, children first.
func processTree(pid int) []int {
	children := map[int][]int{}
	entries, _ := os.ReadDir("/proc") // without it, the process alone
	for _, entry := range entries {
		if id, err := strconv.Atoi(entry.Name()); err == nil {
			if parent, _ := stat(id); parent > 0 {
				children[parent] = append(children[parent], id)
			}
		}
	}
	var tree []int
	var visit func(int)
	visit = func(id int) {
		for _, child := range children[id] {
			visit(child)
		}
		tree = append(tree, id)
	}
	visit(pid)
	return tree
}

// stat returns the parent of a process, or -1 when it is gone.
func stat(pid int) (parent int, zombie bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return -1, false
	}
	_, rest, ok := strings.Cut(string(text), ") ") // the name before may hold anything
	words := strings.Fields(rest)
	if !ok || len(words) < 2 {
		return -1, false
	}
	parent, err = strconv.Atoi(words[1])
	if err != nil {
		return -1, false
	}
	return parent, words[0] == "Z"
}
