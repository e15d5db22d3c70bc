package config

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLines(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "xtci.yaml")
	text := "project: lab\ntags: &tags\n  - v1.23\n\nsuites:\n  - container: one\n    tests:\n      - first\n      - second\n    docker_tags: *tags\nenv:\n  A: 1\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	lines, err := Lines(file)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]int{
		"project": 1, "suites": 5, "suites[0]": 6, "suites[0].tests[1]": 9, "suites[0].docker_tags": 10, "env.A": 12, "stack": 0,
	} {
		if lines[key] != want {
			t.Errorf("%s is at line %d, want %d", key, lines[key], want)
		}
	}
	if _, err := Lines(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("a file that is not there has lines")
	}
}
