package lint

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/testcases"
)

// A Finding is something that would go wrong.
type Finding struct {
	Rule  string
	Level Level
	// Key is what it is about in the site, such as suites[1].tests[0].
	Key  string
	Text string
}

// A Subject is what is looked through.
type Subject struct {
	Site    config.Site
	Catalog *testcases.Catalog // of the site's release
	// Playbook is that the site was written for the Ansible role, which keeps
	// some of it differently.
	Playbook bool
	// Branch is the branch of the repository that the site is in, if known.
	Branch string
}

// Check looks for everything, in the order of Rules.
func Check(s Subject) ([]Finding, error) {
	images, err := goneImages()
	if err != nil {
		return nil, fmt.Errorf("read the list of images that are gone: %w", err)
	}
	c := &checker{Subject: s, gone: images, levels: map[string]Level{}}
	for _, rule := range Rules() {
		c.levels[rule.ID] = rule.Level
	}
	c.release()
	c.tags()
	for i, suite := range s.Site.Suites {
		c.suite(fmt.Sprintf("suites[%d]", i), suite)
	}
	c.timeouts()
	c.ports()
	c.kubeconfig()
	c.images()
	c.variables()
	c.passwords()
	return c.findings, nil
}

type checker struct {
	Subject
	gone     []gone
	levels   map[string]Level
	findings []Finding
}

func (c *checker) find(rule, key, format string, args ...any) {
	c.findings = append(c.findings, Finding{rule, c.levels[rule], key, fmt.Sprintf(format, args...)})
}

func (c *checker) release() {
	if !c.Catalog.Specified() {
		c.find(ReleaseUnspecified, "release", "no specification is of %s: no test is mandatory, and no cluster can be shown to be conformant", c.Site.Release)
	}
	if !c.Catalog.Listed() {
		c.find(ReleaseUnlisted, "release", "the specs of %s are not listed: that all of them ran cannot be shown", c.Site.Release)
	}
}

// suite looks at the tests of one suite.
func (c *checker) suite(key string, suite config.Suite) {
	known := c.known(suite.Container)
	for i, test := range suite.Tests {
		at := fmt.Sprintf("%s.tests[%d]", key, i)
		found, ok := c.Catalog.Case(test)
		switch {
		case known && !ok:
			c.find(TestUnknown, at, "%s has no test %s in %s: did you mean %s?", c.Site.Release, test, suite.Container, config.Nearest(c.tests(suite.Container), test))
		case known && containerOf(found.Container) != suite.Container:
			c.find(TestElsewhere, at, "%s is in %s, and not in %s", test, containerOf(found.Container), suite.Container)
		}
		if !slices.ContainsFunc(c.tagsOf(suite), func(tag config.DockerTag) bool { return !excluded(suite, tag.Name, test) }) {
			c.find(TestExcluded, at, "%s is excluded for every tag: no job is made for it", test)
		}
	}
	if !known {
		c.findings = append(c.findings, Finding{
			TestUnknown, LevelNote, key + ".container",
			fmt.Sprintf("%s is no container of %s: its tests run, and nothing is known of what they show", suite.Container, c.Site.Release),
		})
	}
	for i, e := range suite.Exclude {
		matches := slices.ContainsFunc(c.tagsOf(suite), func(tag config.DockerTag) bool {
			return slices.ContainsFunc(suite.Tests, func(test string) bool { return e.Has(tag.Name, test) })
		})
		if !matches {
			c.find(ExcludeNothing, fmt.Sprintf("%s.exclude[%d]", key, i), "%s has no %s: nothing is excluded", suite.Container, strings.TrimSpace(e.Tag+" "+e.Test))
		}
	}
}

func excluded(suite config.Suite, tag, test string) bool {
	return slices.ContainsFunc(suite.Exclude, func(e config.Exclusion) bool { return e.Has(tag, test) })
}

// tagsOf are the tags that a suite's jobs are made for.
func (c *checker) tagsOf(suite config.Suite) []config.DockerTag {
	if len(suite.DockerTags) > 0 {
		return suite.DockerTags
	}
	return c.Site.Tags()
}

// containerOf is the name of an image without repository and tag.
func containerOf(image string) string {
	name, _, _ := strings.Cut(image[strings.LastIndexByte(image, '/')+1:], ":")
	return name
}

// known says whether the catalogue has a container.
func (c *checker) known(container string) bool { return len(c.tests(container)) > 0 }

// tests are those of a container.
func (c *checker) tests(container string) []string {
	var names []string
	for i := range c.Catalog.Cases {
		if containerOf(c.Catalog.Cases[i].Container) == container {
			names = append(names, c.Catalog.Cases[i].Name)
		}
	}
	return names
}

// variables are those that every job sets itself, over what the site says.
func (c *checker) variables() {
	look := func(key string, env config.Env) {
		for _, v := range env {
			if slices.Contains(ownVariables, v.Name) {
				c.find(EnvOverridden, key+"."+v.Name, "%s is set by each job itself: the site's value has no effect", v.Name)
			}
		}
	}
	look("env", c.Site.Variables())
	for i, tag := range c.Site.DockerTags {
		look(fmt.Sprintf("docker_tags[%d]", i), tag.Env)
	}
	for i, suite := range c.Site.Suites {
		if suite.Env != nil {
			look(fmt.Sprintf("suites[%d].env", i), *suite.Env)
		}
	}
}

// ownVariables are what a job tells its container (Xtesting CI's job template).
var ownVariables = []string{
	"S3_ENDPOINT_URL", "S3_DST_URL", "HTTP_DST_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
	"TEST_DB_URL", "TEST_DB_EXT_URL", "NODE_NAME", "BUILD_TAG",
}

func (c *checker) passwords() {
	if ip := net.ParseIP(c.Site.Stack.Bind); ip == nil || ip.IsLoopback() {
		return
	}
	if keys := c.Site.DefaultPasswords(); len(keys) > 0 {
		c.find(PasswordDefault, "stack.bind", "ports are published on %s, with passwords that everybody knows, the default ones: %s", c.Site.Stack.Bind, strings.Join(keys, ", "))
	}
}
