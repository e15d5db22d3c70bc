package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
)

// A Site says what to test and where results are kept. Its zero value is not
// usable: Default gives one that is.
type Site struct {
	// Project names the campaign's jobs (spec/jobs.md, naming rules).
	Project string `yaml:"project" json:"project"`
	// Release names the catalogue of test cases, such as v1.23.
	Release string `yaml:"release" json:"release"`
	// Env are environment variables for every test container.
	Env map[string]string `yaml:"env" json:"env"`
	// Failure says whether a failed phase ends the campaign: stop or continue.
	Failure string `yaml:"failure" json:"failure"`
	Stack   Stack  `yaml:"stack" json:"stack"`
}

// Stack is where the toolchain keeps what it has.
type Stack struct {
	// Prefix is the folder under which everything is kept.
	Prefix string `yaml:"prefix" json:"prefix"`
}

// What a failed phase does to a campaign.
const (
	FailureStop     = "stop"
	FailureContinue = "continue"
)

// Default returns the site of an RC2 campaign on v1.23.
func Default() Site {
	return Site{
		Project: "functest-kubernetes",
		Release: "v1.23",
		Env:     map[string]string{"DEPLOY_SCENARIO": "k8-nosdn-nofeature-noha"},
		Failure: FailureStop,
		Stack:   Stack{Prefix: "/var/lib/xtci"},
	}
}

// Artifacts is the folder of the directory store.
func (s Site) Artifacts() string { return filepath.Join(s.Stack.Prefix, "artifacts") }

// Campaigns is the folder in which runs keep how far they are.
func (s Site) Campaigns() string { return filepath.Join(s.Stack.Prefix, "campaigns") }

// Keys is the folder of the lab's signing key.
func (s Site) Keys() string { return filepath.Join(s.Stack.Prefix, "keys") }

// Digest identifies what the site asks to be tested. Where results are kept
// on this machine is no part of it.
func (s Site) Digest() (string, error) {
	s.Stack = Stack{}
	text, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("digest of the site: %w", err)
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

var (
	projectName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)
	envName     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// validate returns the first thing that is wrong with the site's values.
func (s Site) validate() error {
	if !projectName.MatchString(s.Project) {
		return &ValueError{"project", s.Project, "use lower-case letters, digits, dots and dashes"}
	}
	if s.Failure != FailureStop && s.Failure != FailureContinue {
		return &ValueError{"failure", s.Failure, "use stop or continue"}
	}
	if s.Stack.Prefix == "" {
		return &ValueError{"stack.prefix", s.Stack.Prefix, "name a folder"}
	}
	for name := range s.Env {
		if !envName.MatchString(name) {
			return &ValueError{"env", name, "a variable's name has letters, digits and underscores only"}
		}
	}
	return nil
}

// A ValueError is a key of the site with a value that cannot be used.
type ValueError struct {
	Key, Value, Advice string
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("%s: %q cannot be used: %s", e.Key, e.Value, e.Advice)
}
