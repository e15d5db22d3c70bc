package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/anuket-project/xtci/testcases"
)

// containers are what a branch of functest-kubernetes says.
type containers struct {
	kubeconfig string
	phases     []testcases.Phase
	cases      []testcases.Case
	workloads  []string // names of Rally's scenarios
}

// site is a site.cntt.yml: what runs, in order.
type site []struct {
	Roles []struct {
		Suites []struct {
			Container  string   `yaml:"container"`
			Tests      []string `yaml:"tests"`
			Properties struct {
				Execution string `yaml:"execution-type"`
			} `yaml:"properties"`
		} `yaml:"suites"`
	} `yaml:"roles"`
}

// tiers are a testcases.yaml: what a container has.
type tiers struct {
	Tiers []struct {
		Name  string `yaml:"name"`
		Cases []struct {
			Name         string              `yaml:"case_name"`
			Project      string              `yaml:"project_name"`
			Criteria     int                 `yaml:"criteria"`
			Enabled      *bool               `yaml:"enabled"`
			Dependencies []map[string]string `yaml:"dependencies"`
			Run          struct {
				Name string         `yaml:"name"`
				Args map[string]any `yaml:"args"`
			} `yaml:"run"`
		} `yaml:"testcases"`
	} `yaml:"tiers"`
}

// kubeconfigMount is how the branch's README mounts a kubeconfig.
var kubeconfigMount = regexp.MustCompile(`:(/[a-z/]+/\.kube/config)`)

func readContainers(ctx context.Context, functest clone, release string) (containers, error) {
	branch := "stable/" + release
	var c containers
	readme, err := functest.show(ctx, branch, "README.md")
	if err != nil {
		return c, err
	}
	for _, match := range kubeconfigMount.FindAllStringSubmatch(string(readme), -1) {
		if c.kubeconfig != "" && match[1] != c.kubeconfig {
			return c, fmt.Errorf("README.md mounts the kubeconfig at %s and at %s", c.kubeconfig, match[1])
		}
		c.kubeconfig = match[1]
	}
	var s site
	if err := functest.read(ctx, branch, "ansible/site.cntt.yml", &s); err != nil {
		return c, err
	}
	if len(s) != 1 || len(s[0].Roles) != 1 {
		return c, errors.New("site.cntt.yml: want one play of one role")
	}
	for _, suite := range s[0].Roles[0].Suites {
		phase := testcases.Phase{
			Name:      strings.TrimPrefix(suite.Container, "functest-kubernetes-"),
			Container: "opnfv/" + suite.Container + ":" + release, Execution: testcases.ExecutionParallel,
		}
		if suite.Properties.Execution == "SEQUENTIALLY" {
			phase.Execution = testcases.ExecutionSequential
		}
		c.phases = append(c.phases, phase)
		if err := c.readCases(ctx, functest, branch, phase, suite.Tests); err != nil {
			return c, err
		}
	}
	if err := c.readImages(ctx, functest, branch); err != nil {
		return c, err
	}
	return c, c.readWorkloads(ctx, functest, branch)
}

// readCases adds the cases of a container: those that the site runs, in its
// order, and then the others.
func (c *containers) readCases(ctx context.Context, functest clone, branch string, phase testcases.Phase, run []string) error {
	var t tiers
	name := "docker/" + phase.Name + "/testcases.yaml"
	if err := functest.read(ctx, branch, name, &t); err != nil {
		return err
	}
	if len(t.Tiers) != 1 || t.Tiers[0].Name != phase.Name {
		return fmt.Errorf("%s: want one tier, %s", name, phase.Name)
	}
	var cases []testcases.Case
	for _, has := range t.Tiers[0].Cases {
		k := testcases.Case{
			Name: has.Name, Description: descriptions[has.Name], Project: has.Project, Tier: phase.Name, Container: phase.Container,
			Default: slices.Contains(run, has.Name), Criteria: has.Criteria, Driver: has.Run.Name, Args: has.Run.Args,
		}
		if k.Description == "" || has.Enabled != nil && !*has.Enabled {
			return fmt.Errorf("%s: %s is new or disabled: describe it in this program", name, has.Name)
		}
		for _, dependency := range has.Dependencies {
			for key, pattern := range dependency {
				if k.Dependencies == nil {
					k.Dependencies = map[string]string{}
				}
				k.Dependencies[key] = pattern
			}
		}
		if err := selection(&k); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		cases = append(cases, k)
	}
	position := func(k testcases.Case) int {
		if at := slices.Index(run, k.Name); at >= 0 {
			return at
		}
		return len(run)
	}
	slices.SortStableFunc(cases, func(a, b testcases.Case) int { return position(a) - position(b) })
	c.cases = append(c.cases, cases...)
	return nil
}

// selection takes focus, skip and nodes out of the arguments.
func selection(k *testcases.Case) error {
	if k.Driver != "e2e_testing" {
		return nil
	}
	fits := func(ok bool, key string, value any) error {
		if !ok {
			return fmt.Errorf("%s: the argument %s is %v: not understood", k.Name, key, value)
		}
		return nil
	}
	k.Nodes = 1
	var errs []error
	for key, value := range k.Args {
		var ok bool
		switch key {
		case "nodes":
			k.Nodes, ok = value.(int)
		case "ginkgo":
			var ginkgo map[string]any
			ginkgo, ok = value.(map[string]any)
			for option, expression := range ginkgo {
				var known bool
				switch option {
				case "focus":
					k.Focus, known = expression.(string)
				case "skip":
					k.Skip, known = expression.(string)
				}
				errs = append(errs, fits(known, option, expression))
			}
		}
		errs = append(errs, fits(ok, key, value))
	}
	k.Args = nil
	return errors.Join(errs...)
}

// jobImage is an image in a manifest of the security tests.
var jobImage = regexp.MustCompile(`image: \{\{ dockerhub_repo \}\}/(\S+)`)

// readImages adds the images of the security tests, and what its driver makes
// of a missing severity.
func (c *containers) readImages(ctx context.Context, functest clone, branch string) error {
	driver, err := functest.show(ctx, branch, "functest_kubernetes/security/security.py")
	if err != nil {
		return err
	}
	for i := range c.cases {
		k := &c.cases[i]
		var manifest string
		switch k.Driver {
		case "kube_hunter":
			manifest = "kube-hunter"
			if k.Args["severity"] == nil && strings.Contains(string(driver), `kwargs.get("severity", "none")`) {
				k.Args = map[string]any{"severity": "none"}
				k.Notes = append(k.Notes, "The container names no severity, and its driver fails on none then: all vulnerabilities are printed for information.")
			}
		case "kube_bench":
			manifest = fmt.Sprintf("kube-bench-%v", k.Args["target"])
		default:
			continue
		}
		text, err := functest.show(ctx, branch, "functest_kubernetes/security/"+manifest+".yaml")
		if err != nil {
			return err
		}
		match := jobImage.FindSubmatch(text)
		if match == nil {
			return fmt.Errorf("%s.yaml names no image", manifest)
		}
		k.Images = []string{string(match[1])}
	}
	return nil
}

// workload is a scenario in Rally's task.
var workload = regexp.MustCompile(`\bKubernetes\.\w+`)

func (c *containers) readWorkloads(ctx context.Context, functest clone, branch string) error {
	task, err := functest.show(ctx, branch, "functest_kubernetes/rally/all-in-one.yaml")
	c.workloads = workload.FindAllString(string(task), -1)
	return err
}

// read decodes a YAML file of a branch.
func (c clone) read(ctx context.Context, branch, name string, into any) error {
	text, err := c.show(ctx, branch, name)
	if err != nil {
		return err
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
