package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// A Suite is one container and the tests that it runs: one phase of a
// campaign. What it does not say, the site says for all.
type Suite struct {
	// Container is the name of the image, without repository and tag.
	Container string `yaml:"container" json:"container"`
	// Repo is the repository, such as opnfv or registry.example/lab. "_" is
	// none: the container's name alone.
	Repo string `yaml:"repo" json:"repo,omitempty"`
	// DPort is the registry's port, put between repository and container.
	DPort int `yaml:"dport" json:"dport,omitempty"`
	// DockerTags are tags of its own: jobs are made for each, and campaigns
	// run the first.
	DockerTags []DockerTag `yaml:"docker_tags" json:"docker_tags,omitempty"`
	// Tests are the test cases that it runs, by their names.
	Tests []string `yaml:"tests" json:"tests"`
	// Execution is parallel or sequential. Empty is parallel.
	Execution string `yaml:"execution" json:"execution,omitempty"`
	// Condition is how its tests must end for the next suite to run:
	// successful, unstable (or successful), completed, failure or always. Empty
	// is what failure says for all.
	Condition string `yaml:"condition" json:"condition,omitempty"`

	// Env are environment variables instead of the site's.
	Env *Env `yaml:"env" json:"env,omitempty"`
	// Volumes are mounted instead of the site's.
	Volumes []string `yaml:"volumes" json:"volumes,omitempty"`
	// PublishedPorts are published instead of the site's.
	PublishedPorts []string `yaml:"published_ports" json:"published_ports,omitempty"`

	// Privileged gives its containers all rights on the Docker host.
	Privileged bool `yaml:"privileged" json:"privileged,omitempty"`
	// Memory limits each test's container, such as 4g; empty is no limit. One
	// that needs more is killed.
	Memory string `yaml:"memory" json:"memory,omitempty"`
	// CPUs limits each test's container, such as 1.5; 0 is no limit.
	CPUs float64 `yaml:"cpus" json:"cpus,omitempty"`
	// Network is the Docker network. Empty is the one of the wiring.
	Network string `yaml:"network" json:"network,omitempty"`
	// UID is the user who owns the results, 1000 if not given.
	UID *int `yaml:"uid" json:"uid,omitempty"`
	// GID is the group that owns the results, 1000 if not given.
	GID *int `yaml:"gid" json:"gid,omitempty"`
	// Timeout is how long one test may take, such as 90m or 3h; 0 is for ever.
	Timeout time.Duration `yaml:"timeout" json:"timeout,omitempty"`
	// Exclude are the combinations for which no job is made.
	Exclude []Exclusion `yaml:"exclude" json:"exclude,omitempty"`
}

// An Exclusion is the combinations of a suite that no job is made for: all of
// a tag, all of a test, or the two together.
type Exclusion struct {
	// Tag is the tag of the image. Empty is any.
	Tag string `yaml:"tag" json:"tag,omitempty"`
	// Test is the test case. Empty is any.
	Test string `yaml:"test" json:"test,omitempty"`
}

// Has says whether a combination is excluded.
func (e Exclusion) Has(tag, test string) bool {
	return (e.Tag != "" || e.Test != "") && (e.Tag == "" || e.Tag == tag) && (e.Test == "" || e.Test == test)
}

// How the tests of a suite run.
const (
	ExecutionParallel   = "parallel"
	ExecutionSequential = "sequential"
)

// How the tests of a suite must end for the next one to run.
const (
	ConditionSuccessful = "successful"
	ConditionUnstable   = "unstable" // or successful
	ConditionCompleted  = "completed"
	ConditionFailure    = "failure"
	ConditionAlways     = "always"
)

// A Variable is an environment variable.
type Variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Env are environment variables in the order in which they were given.
type Env []Variable

// UnmarshalYAML reads a mapping of names to values.
func (e *Env) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: want environment variables as NAME: value", node.Line)
	}
	variables := Env{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		var v Variable
		if err := node.Content[i].Decode(&v.Name); err != nil {
			return err
		}
		if err := node.Content[i+1].Decode(&v.Value); err != nil {
			return err
		}
		if slices.ContainsFunc(variables, func(other Variable) bool { return other.Name == v.Name }) {
			return fmt.Errorf("line %d: variable %q is there twice", node.Content[i].Line, v.Name)
		}
		variables = append(variables, v)
	}
	*e = variables
	return nil
}

// A DockerTag is a tag of images: its name alone, or NAME: {KEY: VALUE} with
// what is special to it. Keys that are not listed are environment variables for
// its tests.
type DockerTag struct {
	Name string `yaml:"-"`
	// Node is the Jenkins node, by its name or a label, that campaigns of
	// this tag run on.
	Node string `yaml:"node"`
	// Branch is for building images, which is not done here. It is kept for
	// those who have it in their sites.
	Branch string `yaml:"branch"`
	// Dependency is as Branch.
	Dependency string `yaml:"dependency"`
	// BuildArgs are as Branch.
	BuildArgs Env `yaml:"build_args"`
	// Env are all other keys: environment variables for its tests.
	Env Env `yaml:"-"`
}

// UnmarshalYAML reads a name, or a mapping of the name to what is special.
func (t *DockerTag) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		return node.Decode(&t.Name)
	}
	if node.Kind != yaml.MappingNode || len(node.Content) != 2 {
		return fmt.Errorf("line %d: want a tag, or one tag with its keys below it", node.Line)
	}
	if err := node.Content[0].Decode(&t.Name); err != nil {
		return err
	}
	keys := node.Content[1]
	if keys.Kind == yaml.ScalarNode && keys.Tag == "!!null" {
		return nil
	}
	if keys.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: want the keys of tag %s as KEY: value", keys.Line, t.Name)
	}
	for i := 0; i+1 < len(keys.Content); i += 2 {
		name, value := keys.Content[i], keys.Content[i+1]
		var err error
		switch name.Value {
		case "node":
			err = value.Decode(&t.Node)
		case "branch":
			err = value.Decode(&t.Branch)
		case "dependency":
			err = value.Decode(&t.Dependency)
		case "build_args":
			err = value.Decode(&t.BuildArgs)
		default:
			v := Variable{Name: name.Value}
			err = value.Decode(&v.Value)
			t.Env = append(t.Env, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// MarshalJSON writes what says how the tag is tested.
func (t DockerTag) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name string `json:"name"`
		Node string `json:"node,omitempty"`
		Env  Env    `json:"env,omitempty"`
	}{t.Name, t.Node, t.Env})
}

// Tags are the tags that campaigns are made for: the site's, or the release.
func (s Site) Tags() []DockerTag {
	if len(s.DockerTags) == 0 {
		return []DockerTag{{Name: s.Release}}
	}
	return s.DockerTags
}

// Variables are the variables of Env in the order in which the site gave them.
func (s Site) Variables() Env {
	var variables Env
	seen := map[string]bool{}
	for _, name := range append(slices.Clone(s.EnvOrder), slices.Sorted(maps.Keys(s.Env))...) {
		if value, ok := s.Env[name]; ok && !seen[name] {
			seen[name] = true
			variables = append(variables, Variable{name, value})
		}
	}
	return variables
}

var (
	repository = regexp.MustCompile(`^[a-z0-9]+([._:/-]+[a-z0-9]+)*$`)
	container  = regexp.MustCompile(`^[a-z0-9]+([._/-]+[a-z0-9]+)*$`)
	dockerTag  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	testName   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	network    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]*$`)
	portsPart  = regexp.MustCompile(`^[0-9A-Fa-f.:\[\]-]+(/(tcp|udp|sctp))?$`)
)

// validateSuites returns the first thing that is wrong with what is tested.
func (s Site) validateSuites() error {
	if err := validateRepo("repo", s.Repo, s.DPort); err != nil {
		return err
	}
	if err := validateTags("docker_tags", s.DockerTags); err != nil {
		return err
	}
	if err := validateMounts("", s.Volumes, s.PublishedPorts); err != nil {
		return err
	}
	for i, suite := range s.Suites {
		key := fmt.Sprintf("suites[%d].", i)
		if err := suite.validate(key); err != nil {
			return err
		}
	}
	return nil
}

func (s Suite) validate(key string) error {
	if !container.MatchString(s.Container) {
		return &ValueError{key + "container", s.Container, "name the image without repository and tag"}
	}
	if len(s.Tests) == 0 {
		return &ValueError{key + "tests", "", "name the tests that " + s.Container + " runs"}
	}
	for i, test := range s.Tests {
		if !testName.MatchString(test) {
			return &ValueError{key + "tests", test, "use letters, digits, dots, dashes and underscores"}
		}
		if slices.Contains(s.Tests[:i], test) {
			return &ValueError{key + "tests", test, "name each test once"}
		}
	}
	if err := validateRepo(key+"repo", s.Repo, s.DPort); err != nil {
		return err
	}
	if err := validateTags(key+"docker_tags", s.DockerTags); err != nil {
		return err
	}
	if err := validateMounts(key, s.Volumes, s.PublishedPorts); err != nil {
		return err
	}
	if s.Env != nil {
		if err := s.Env.validate(key + "env"); err != nil {
			return err
		}
	}
	return s.validateRun(key)
}

// maxCPUs is more than any host has.
const maxCPUs = 100_000

// MemoryBytes is Memory in bytes, 0 for no limit.
func (s Suite) MemoryBytes() int64 { return memoryBytes(s.Memory) }

// validateRun checks how a suite's tests run.
func (s Suite) validateRun(key string) error {
	if !slices.Contains([]string{"", ExecutionParallel, ExecutionSequential}, s.Execution) {
		return &ValueError{key + "execution", s.Execution, "use parallel or sequential"}
	}
	if !slices.Contains([]string{"", ConditionSuccessful, ConditionUnstable, ConditionCompleted, ConditionFailure, ConditionAlways}, s.Condition) {
		return &ValueError{key + "condition", s.Condition, "use successful, unstable, completed, failure or always"}
	}
	if s.Network != "" && !network.MatchString(s.Network) {
		return &ValueError{key + "network", s.Network, "name a Docker network, such as bridge or host"}
	}
	if !validMemory(s.Memory) {
		return &ValueError{key + "memory", s.Memory, "give a size such as 512m or 4g"}
	}
	if !(s.CPUs >= 0 && s.CPUs <= maxCPUs) {
		return &ValueError{key + "cpus", fmt.Sprint(s.CPUs), "give a number such as 2 or 1.5"}
	}
	for name, id := range map[string]*int{"uid": s.UID, "gid": s.GID} {
		if id != nil && *id < 0 {
			return &ValueError{key + name, fmt.Sprint(*id), "use a number from 0 on"}
		}
	}
	if s.Timeout < 0 || s.Timeout%time.Second != 0 {
		return &ValueError{key + "timeout", s.Timeout.String(), "give a time such as 90m or 3h"}
	}
	for _, e := range s.Exclude {
		if e.Tag == "" && e.Test == "" {
			return &ValueError{key + "exclude", "", "name a tag, a test, or both"}
		}
	}
	return nil
}

func validateRepo(key, repo string, port int) error {
	if repo != "" && repo != "_" && !repository.MatchString(repo) {
		return &ValueError{key, repo, "name a repository, such as opnfv or registry.example/lab, or _ for none"}
	}
	if port < 0 || port > 65535 {
		return &ValueError{strings.TrimSuffix(key, "repo") + "dport", fmt.Sprint(port), "use a port of 1 to 65535"}
	}
	return nil
}

func validateTags(key string, tags []DockerTag) error {
	for i, tag := range tags {
		if !dockerTag.MatchString(tag.Name) {
			return &ValueError{key, tag.Name, "use letters, digits, dots, dashes and underscores"}
		}
		if slices.ContainsFunc(tags[:i], func(other DockerTag) bool { return other.Name == tag.Name }) {
			return &ValueError{key, tag.Name, "name each tag once"}
		}
		if err := tag.Env.validate(key + ": " + tag.Name); err != nil {
			return err
		}
	}
	return nil
}

func validateMounts(key string, volumes, ports []string) error {
	for _, volume := range volumes {
		if parts := strings.Split(volume, ":"); len(parts) > 3 || len(parts) < 2 || parts[0] == "" || !strings.HasPrefix(parts[1], "/") {
			return &ValueError{key + "volumes", volume, "give HOST-PATH:/PATH-IN-CONTAINER"}
		}
	}
	for _, port := range ports {
		if !portsPart.MatchString(port) {
			return &ValueError{key + "published_ports", port, "give HOST-PORT:CONTAINER-PORT"}
		}
	}
	return nil
}

func (e Env) validate(key string) error {
	for _, v := range e {
		if !envName.MatchString(v.Name) {
			return &ValueError{key, v.Name, "a variable's name has letters, digits and underscores only"}
		}
		if strings.ContainsRune(v.Value, 0) {
			return &ValueError{key, v.Name, "no variable can hold a NUL byte"}
		}
	}
	return nil
}
