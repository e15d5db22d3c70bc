package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
)

// gitBranch is the branch that is checked out where a file is; empty if that
// is no checkout of git, or of no branch.
func gitBranch(file string) string {
	dir, err := filepath.Abs(filepath.Dir(file))
	for err == nil {
		if branch, found := branchOf(filepath.Join(dir, ".git")); found {
			return branch
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		break
	}
	return ""
}

// branchOf reads what .git has checked out. In a worktree it is a file that
// names the folder.
func branchOf(git string) (branch string, found bool) {
	info, err := os.Stat(git)
	if err != nil {
		return "", false
	}
	if !info.IsDir() {
		folder, ok := strings.CutPrefix(readLine(git), "gitdir: ")
		if !ok {
			return "", true
		}
		if !filepath.IsAbs(folder) {
			folder = filepath.Join(filepath.Dir(git), folder)
		}
		git = folder
	}
	if branch, ok := strings.CutPrefix(readLine(filepath.Join(git, "HEAD")), "ref: refs/heads/"); ok {
		return branch, true
	}
	return "", true // a commit without a branch
}

// readLine is the first line of a small file; empty if there is none.
func readLine(name string) string {
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	const most = 4 << 10
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}
