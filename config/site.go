package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
)

// A Site says what to test, with what, and where results are kept. Its zero
// value is not usable: Default gives one that is.
type Site struct {
	// Project is the first part of the names of jobs.
	Project string `yaml:"project" json:"project"`
	// Release is that of Kubernetes whose catalogue of test cases is run, such
	// as v1.23.
	Release string `yaml:"release" json:"release"`
	// Kubeconfig is the file with which test containers reach the cluster.
	// Empty mounts none.
	Kubeconfig string `yaml:"kubeconfig" json:"kubeconfig"`
	// Wiring says how containers reach each other: private (a Docker network
	// of the stack's own) or classic (the host's address).
	Wiring string `yaml:"wiring" json:"wiring"`
	// Address is the host's in URLs, with classic wiring. Empty is that of
	// the default route.
	Address string `yaml:"address" json:"address"`
	// Archive says who makes the archive of a campaign in Jenkins.
	Archive Archive `yaml:"archive" json:"archive"`
	// Env are environment variables for every test container, in the order in
	// which they are given. null removes a default one.
	Env map[string]string `yaml:"env" json:"env"`
	// EnvOrder are the names in Env in the order in which they were given.
	EnvOrder []string `yaml:"-" json:"-"`
	// Repo is the repository of images for suites that name none. "_" is none:
	// the container's name alone.
	Repo string `yaml:"repo" json:"repo"`
	// DPort is the port of the registry, put between repository and container.
	DPort int `yaml:"dport" json:"dport"`
	// DockerTags are the tags of images that are tested, each in a campaign
	// of its own. Without any it is the release.
	DockerTags []DockerTag `yaml:"docker_tags" json:"docker_tags"`
	// Volumes are mounted into every test container, besides the kubeconfig:
	// HOST-PATH:/PATH-IN-CONTAINER, in which {tag} stands for the tag.
	Volumes []string `yaml:"volumes" json:"volumes"`
	// PublishedPorts are those of every test container:
	// HOST-PORT:CONTAINER-PORT.
	PublishedPorts []string `yaml:"published_ports" json:"published_ports"`
	// Suites are what is tested. Without any it is what RC2 says for the
	// release.
	Suites []Suite `yaml:"suites" json:"suites"`
	// Jobs are the options of the jobs in Jenkins.
	Jobs Jobs `yaml:"jobs" json:"jobs"`
	// Failure says whether a failed phase ends the campaign: stop or continue.
	Failure string `yaml:"failure" json:"failure"`
	// Stack is the toolchain in Docker.
	Stack Stack `yaml:"stack" json:"stack"`
}

// Archive says who makes the archive of a campaign in Jenkins.
type Archive struct {
	// By is xtci, or container: Xtesting's zip_campaign in a test container.
	By string `yaml:"by" json:"by"`
	// Image is the one in which xtci makes it. Empty is the one that xtci up
	// makes of itself.
	Image string `yaml:"image" json:"image"`
}

// How containers reach each other.
const (
	// WiringPrivate is a Docker network of the stack's own, service names,
	// and ports published on stack.bind.
	WiringPrivate = "private"
	// WiringClassic is the host's address and Docker's bridge network, as
	// the Ansible role does it.
	WiringClassic = "classic"
)

// Who makes the archive of a campaign in Jenkins.
const (
	ArchiveByXtci      = "xtci"
	ArchiveByContainer = "container"
)

// What a failed phase does to a campaign.
const (
	FailureStop     = "stop"
	FailureContinue = "continue"
)

// Default returns the site of an RC2 campaign on v1.23.
func Default() Site {
	return Site{
		Project:    "functest-kubernetes",
		Release:    "v1.23",
		Kubeconfig: "/home/opnfv/functest-kubernetes/config",
		Wiring:     WiringPrivate,
		Archive:    Archive{By: ArchiveByXtci},
		Env:        map[string]string{"DEPLOY_SCENARIO": "k8-nosdn-nofeature-noha"},
		EnvOrder:   []string{"DEPLOY_SCENARIO"},
		Repo:       "opnfv",
		Jobs:       defaultJobs(),
		Failure:    FailureStop,
		Stack:      defaultStack(),
	}
}

// Artifacts is the folder of the directory store.
func (s Site) Artifacts() string { return filepath.Join(s.Stack.Prefix, "artifacts") }

// Campaigns is the folder in which runs keep how far they are.
func (s Site) Campaigns() string { return filepath.Join(s.Stack.Prefix, "campaigns") }

// Keys is the folder of the lab's signing key.
func (s Site) Keys() string { return filepath.Join(s.Stack.Prefix, "keys") }

// Secrets is the file with generated passwords.
func (s Site) Secrets() string { return filepath.Join(s.Stack.Prefix, "secrets.yaml") }

// Digest identifies what the site asks to be tested. With what, and where on
// this machine, is no part of it.
func (s Site) Digest() (string, error) {
	text, err := json.Marshal(struct {
		Project string            `json:"project"`
		Release string            `json:"release"`
		Env     map[string]string `json:"env"`
		Failure string            `json:"failure"`
		// What a site need not say is left out, so that a site which says none
		// of it keeps its digest.
		Repo           string      `json:"repo,omitempty"`
		DPort          int         `json:"dport,omitempty"`
		DockerTags     []DockerTag `json:"docker_tags,omitempty"`
		Volumes        []string    `json:"volumes,omitempty"`
		PublishedPorts []string    `json:"published_ports,omitempty"`
		Suites         []Suite     `json:"suites,omitempty"`
	}{
		s.Project, s.Release, s.Env, s.Failure,
		s.repoIfNamed(), s.DPort, s.DockerTags, s.Volumes, s.PublishedPorts, s.Suites,
	})
	if err != nil {
		return "", fmt.Errorf("digest of the site: %w", err)
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

func (s Site) repoIfNamed() string {
	if s.Repo == Default().Repo {
		return ""
	}
	return s.Repo
}

var (
	projectName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)
	envName     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// Validate returns the first thing that is wrong with the site's values: a
// *ValueError.
func (s Site) Validate() error {
	if !projectName.MatchString(s.Project) {
		return &ValueError{"project", s.Project, "use lower-case letters, digits, dots and dashes"}
	}
	if s.Failure != FailureStop && s.Failure != FailureContinue {
		return &ValueError{"failure", s.Failure, "use stop or continue"}
	}
	if s.Wiring != WiringPrivate && s.Wiring != WiringClassic {
		return &ValueError{"wiring", s.Wiring, "use private or classic"}
	}
	if s.Archive.By != ArchiveByXtci && s.Archive.By != ArchiveByContainer {
		return &ValueError{"archive.by", s.Archive.By, "use xtci or container"}
	}
	if s.Address != "" && net.ParseIP(s.Address) == nil {
		return &ValueError{"address", s.Address, "give an IP address of this host"}
	}
	for name := range s.Env {
		if !envName.MatchString(name) {
			return &ValueError{"env", name, "a variable's name has letters, digits and underscores only"}
		}
	}
	if err := s.validateSuites(); err != nil {
		return err
	}
	if err := s.Jobs.validate(); err != nil {
		return err
	}
	return s.Stack.validate()
}

// A ValueError is a key of the site with a value that cannot be used.
type ValueError struct {
	Key, Value, Advice string
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("%s: %q cannot be used: %s", e.Key, e.Value, e.Advice)
}
